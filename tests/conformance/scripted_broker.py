"""A broker that answers as it is told: for tests of what the suite makes of wrong answers.

It answers ApiVersions and Metadata as a broker of one topic would; everything else is for the
script, a function from requests to what is sent: a body, raw bytes, nothing, or a close.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TypeAlias

from conformance.client import Address
from conformance.targets.target import Profile, Running
from conformance.wire import Request, Struct, decode_request, encode_response

APIS = {"Produce": (0, 3, 9), "ListOffsets": (2, 1, 5), "Metadata": (3, 0, 9)}
APIS |= {"ApiVersions": (18, 0, 3)}


class Instead(Enum):
    """What may happen instead of an answer."""

    NOTHING = "nothing"
    CLOSE = "close"
    DIE = "die"


Answer: TypeAlias = Struct | bytes | Instead
Script: TypeAlias = Callable[[Request], Answer]


class ScriptedBroker(Running):
    """A listener on the loopback with a thread for each connection; use it as a context."""

    def __init__(self, script: Script) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(self._listener.getsockname())
        self.profile = Profile("scripted", "1.0")
        self._script = script
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> "ScriptedBroker":
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.die()
        self._thread.join()

    def die(self) -> None:
        """Close the listener and every connection."""
        for each in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        threads = []
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threads.append(threading.Thread(target=self._serve, args=(connection,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            for frame in frames(connection):
                request = decode_request(frame)
                answer = self._standard(request) or self._script(request)
                if answer is Instead.CLOSE:
                    return
                if answer is Instead.DIE:
                    self.die()
                elif isinstance(answer, bytes):
                    connection.sendall(answer)
                elif isinstance(answer, Struct):
                    connection.sendall(frame_of(request, answer))

    def _standard(self, request: Request) -> Struct | None:
        if request.api_name == "ApiVersions":
            return Struct(error_code=0, api_keys=[Struct(**key) for key in api_keys()])
        if request.api_name == "Metadata":
            return metadata(self.address, [topic.name for topic in request.body.topics or []])
        if request.api_name == "ListOffsets":
            partition = Struct(partition_index=0, error_code=0, timestamp=-1, offset=0)
            return Struct(topics=[Struct(name="t", partitions=[partition])])
        return None


def frame_of(request: Request, body: Struct) -> bytes:
    """The response to a request, with its size."""
    data = encode_response(request.api_name, request.api_version, request.correlation_id, body)
    return len(data).to_bytes(4, "big") + data


def api_keys() -> list[dict[str, int]]:
    return [
        {"api_key": key, "min_version": low, "max_version": high}
        for key, low, high in APIS.values()
    ]


def metadata(address: Address, topics: list[str]) -> Struct:
    """One broker, and every topic that is asked for with one partition."""
    partition: dict[str, Any] = {"error_code": 0, "partition_index": 0, "leader_id": 1}
    partition |= {"replica_nodes": [1], "isr_nodes": [1], "offline_replicas": []}
    return Struct(
        brokers=[Struct(node_id=1, host=address[0], port=address[1], rack=None)],
        controller_id=1,
        topics=[
            Struct(error_code=0, name=name, partitions=[Struct(**partition)]) for name in topics
        ],
    )


def frames(connection: socket.socket) -> Iterator[bytes]:
    """The requests of a connection, without their sizes, until it ends."""
    with connection.makefile("rb") as stream:
        while size := stream.read(4):
            yield stream.read(int.from_bytes(size, "big"))


def produced(error_code: int, base_offset: int = 0) -> Struct:
    """A Produce response for the one partition of the one topic `t`."""
    partition = Struct(index=0, error_code=error_code, base_offset=base_offset)
    return Struct(responses=[Struct(name="t", partition_responses=[partition])])
