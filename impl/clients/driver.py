"""Carries out with asyncio what the core of a client says: connections, versions, timers."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.cluster_view import ClusterView
from impl.core.config import ConfigError
from impl.wire import Struct, WireError, decode_response, encode_request
from spec.wire import api_keys, request

_SIZE = struct.Struct(">i")
API_VERSIONS_TIMEOUT_S = 10


class Core(Protocol):
    view: ClusterView

    def tick(self, now_ms: int) -> list[Output]: ...
    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> list[Output]: ...
    def next_deadline_ms(self) -> int | None: ...


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Connection:
    """One connection to a broker; answers come in the order of the requests."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client_id: str
    ) -> None:
        self._reader, self._writer, self._client_id = reader, writer, client_id
        self._versions: dict[int, tuple[int, int]] = {}
        self._waiting: dict[int, tuple[str, int, asyncio.Future[Struct]]] = {}
        self._count = 0
        self._listener: asyncio.Task[None] | None = None

    @staticmethod
    async def open(host: str, port: int, client_id: str) -> Connection:
        """Raises OSError, WireError or TimeoutError."""
        reader, writer = await asyncio.open_connection(host, port)
        self = Connection(reader, writer, client_id)
        self._listener = asyncio.create_task(self._listen())
        try:
            body = Struct(client_software_name="brokerspec", client_software_version="1")
            async with asyncio.timeout(API_VERSIONS_TIMEOUT_S):
                answer = await self._call("ApiVersions", 3, body)
        except BaseException:
            await self.close()
            raise
        self._versions = {a.api_key: (a.min_version, a.max_version) for a in answer.api_keys}
        return self

    @property
    def is_open(self) -> bool:
        return self._listener is not None and not self._listener.done()

    async def ask(self, ask: Ask) -> Struct | None:
        """Raises WireError where both have no version in common, OSError when it breaks."""
        lowest, highest = self._versions.get(api_keys()[ask.api_name], (0, -1))
        version = min(highest, ask.newest)
        if version < lowest or version not in request(ask.api_name).valid_versions:
            raise WireError(f"the broker serves no usable version of {ask.api_name}")
        if not ask.expects_answer:
            self._send(ask.api_name, version, ask.body)
            return None
        return await self._call(ask.api_name, version, ask.body)

    def _send(self, api_name: str, version: int, body: Struct) -> int:
        self._count += 1
        self._writer.writelines(
            encode_request(api_name, version, self._count, self._client_id, body)
        )
        return self._count

    async def _call(self, api_name: str, version: int, body: Struct) -> Struct:
        answer: asyncio.Future[Struct] = asyncio.get_running_loop().create_future()
        number = self._send(api_name, version, body)
        self._waiting[number] = api_name, version, answer
        try:
            await self._writer.drain()
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def _listen(self) -> None:
        try:
            while True:
                (size,) = _SIZE.unpack(await self._reader.readexactly(_SIZE.size))
                frame = await self._reader.readexactly(size)
                number = int.from_bytes(frame[:4], "big")
                known = self._waiting.get(number)
                if known is not None and not known[2].done():
                    known[2].set_result(decode_response(known[0], known[1], frame)[1])
        except (OSError, EOFError, WireError) as problem:
            for _, _, answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(str(problem)))
        finally:
            self._writer.close()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
        with suppress(OSError):
            await self._writer.wait_closed()


class Driver:
    def __init__(self, core: Core, bootstrap_servers: str, client_id: str) -> None:
        """Raises ConfigError."""
        self._core = core
        self._bootstrap = [_address(each) for each in bootstrap_servers.split(",")]
        self._client_id = client_id
        self._connections: dict[tuple[str, int, str], asyncio.Task[Connection]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.on_change: Callable[[], None] = lambda: None

    def carry_out(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Done):
                _finish(output)
            else:
                task = asyncio.get_running_loop().create_task(self._ask(output))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._set_timer()
        self.on_change()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_ms = self._core.next_deadline_ms()
        if deadline_ms is not None and not self._is_closed:
            delay = max(deadline_ms - now_ms(), 1) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        self.carry_out(self._core.tick(now_ms()))

    async def _ask(self, ask: Ask) -> None:
        body = None
        with suppress(OSError, EOFError, WireError, TimeoutError):
            async with asyncio.timeout(ask.timeout_ms / 1000):
                connection = await self._connection(ask)
                body = await connection.ask(ask)
        if not self._is_closed:
            self.carry_out(self._core.answered(ask, body, now_ms()))

    async def _connection(self, ask: Ask) -> Connection:
        """Long waits get connections of their own, so that nothing waits behind them."""
        lane = ask.api_name if ask.api_name in ("Fetch", "JoinGroup", "SyncGroup") else ""
        problem: Exception = ConnectionError("no broker is known")
        for host, port in self._addresses(ask.node_id):
            key = host, port, lane
            task = self._connections.get(key)
            if task is None or (task.done() and not _is_usable(task)):
                opening = Connection.open(host, port, self._client_id)
                task = self._connections[key] = asyncio.create_task(opening)
            try:
                return await asyncio.shield(task)
            except (OSError, EOFError, WireError, TimeoutError) as failure:
                problem = failure
        raise ConnectionError(str(problem))

    def _addresses(self, node_id: int | None) -> list[tuple[str, int]]:
        brokers = self._core.view.brokers
        if node_id is not None:
            return [brokers[node_id]] if node_id in brokers else []
        return [*brokers.values(), *self._bootstrap]

    async def settle(self, patience_s: float = 5.0) -> None:
        """Wait for the answers to what was asked so far."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=patience_s)

    async def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for opened in self._connections.values():
            opened.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, WireError, TimeoutError):
                await (await opened).close()


def _is_usable(task: asyncio.Task[Connection]) -> bool:
    return not task.cancelled() and task.exception() is None and task.result().is_open


def _finish(done: Done) -> None:
    future: asyncio.Future[Any] | None = done.handle
    if future is None or future.done():
        return
    if done.error is not None:
        future.set_exception(done.error)
    else:
        future.set_result(done.result)


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.strip().rpartition(":")
    if not separator or not port.isdecimal():
        raise ConfigError(f"bootstrap.servers is a list of HOST:PORT, and {text!r} is none.")
    return host.strip("[]"), int(port)
