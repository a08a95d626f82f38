"""A broker as a third party would start it, and a plain client of its port."""

from __future__ import annotations

import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from impl.wire import Struct, decode_response, encode_request

READY = "brokerspec broker ready on "
PATIENCE_S = 30.0


@dataclass
class Process:
    running: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def ports(self) -> list[int]:
        """Those of all brokers of a cluster."""
        return [int(each.rpartition(":")[2]) for each in self.address.split(",")]

    def kill(self) -> None:
        self.running.kill()
        self.running.wait(PATIENCE_S)


BROKERSPEC = ("brokerspec", "broker")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *BROKERSPEC, *arguments]


@contextmanager
def broker(
    *arguments: str,
    folder: Path | None = None,
    port: int | None = 0,
    program: Sequence[str] = BROKERSPEC,
) -> Iterator[Process]:
    """Runs until the end of the block at the latest; without a folder its data is temporary.

    With None for the port, the arguments say where it listens. `program` may be another module.
    """
    given = [*arguments, *(["--data", str(folder)] if folder else [])]
    if port is not None:
        given += ["--port", str(port)]
    running = subprocess.Popen(
        [sys.executable, "-m", *program, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stderr is not None
        line = running.stdout.readline()
        assert line.startswith(READY), line + running.stderr.read()
        yield Process(running, line.removeprefix(READY).strip())
    finally:
        running.terminate()
        running.communicate(timeout=PATIENCE_S)


class Client:
    """One connection; requests and responses as bytes or as structs."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._correlation_id = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send(self, api_name: str, api_version: int, **fields: object) -> int:
        self._correlation_id += 1
        body = Struct(**fields)
        parts = encode_request(api_name, api_version, self._correlation_id, "test", body)
        self.send_bytes(b"".join(parts))
        return self._correlation_id

    def receive(self, api_name: str, api_version: int) -> tuple[int, Struct]:
        (size,) = struct.unpack(">i", self._exactly(4))
        return decode_response(api_name, api_version, self._exactly(size))

    def ask(self, api_name: str, api_version: int, **fields: object) -> Struct:
        sent = self.send(api_name, api_version, **fields)
        received, body = self.receive(api_name, api_version)
        assert received == sent
        return body

    def has_news(self) -> bool:
        """Whether an answer, or the end of the connection, waits to be read."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def is_closed_by_peer(self) -> bool:
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the broker closed the connection")
            data += more
        return data
