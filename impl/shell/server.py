"""The broker as a server: connections to the core and back, and the core's deadlines.

Decides nothing about topics or groups. A frame that is no request closes its connection and harms
nobody else (WIRE-07, WIRE-14); the only request of an unknown version that is answered is
ApiVersions (WIRE-04).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from impl.api.served import (
    API_VERSIONS,
    SERVED,
    api_versions,
    is_served,
    unsupported_api_versions,
)
from impl.core.broker import Broker
from impl.core.events import Call, Close, Forward, NoReply, Output, Reply, Send
from impl.shell.connection import Connection
from impl.shell.platform import now_ms
from impl.wire import (
    Request,
    UnsupportedVersion,
    WireError,
    decode_request,
    encode_response,
)

_log = logging.getLogger("brokerspec.broker")


class Server:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._maximum_size = broker.config.socket_request_max_bytes
        self._idle_seconds = broker.config.connections_max_idle_ms / 1000
        self._connections: dict[Connection, int] = {}
        self._waiting: dict[Call, tuple[Connection, Request]] = {}
        self._connection_count = 0
        self._call_count = 0
        self._latest_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    # Life

    async def start(self, listener: object) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener)  # type: ignore[call-overload]
        self._set_timer()
        if self._idle_seconds > 0:
            self._close_idle()

    async def stop(self) -> None:
        """Take no more requests; the answers that were given still go out."""
        if self._server is not None:
            self._server.close()
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.abort()

    def _accept(self) -> Connection:
        connection = Connection(self._maximum_size, self._received, self._lost)
        self._connection_count += 1
        self._connections[connection] = self._connection_count
        return connection

    def _lost(self, connection: Connection) -> None:
        connection_id = self._connections.pop(connection)
        for call in [c for c in self._waiting if c.connection_id == connection_id]:
            del self._waiting[call]
        self._broker.disconnected(connection_id)

    def _close_idle(self) -> None:
        """WIRE-16."""
        loop = asyncio.get_running_loop()
        for connection in list(self._connections):
            idle = loop.time() - connection.last_active
            if not connection.is_busy and idle > self._idle_seconds:
                connection.close()
        interval = min(self._idle_seconds / 2, 60)
        self._idle_timer = loop.call_later(interval, self._close_idle)

    # Requests

    def _received(self, connection: Connection, frame: bytes) -> None:
        try:
            request = decode_request(frame)
        except UnsupportedVersion as unsupported:
            self._refuse(connection, unsupported.request)
            return
        except WireError as problem:
            _log.info("closing a connection: %s", problem)
            connection.abort()
            return
        if not is_served(request):
            self._refuse(connection, request)
        elif request.api_name == API_VERSIONS:
            connection.answer(encode_response(request, api_versions(request)))
        else:
            self._ask(connection, request)

    def _refuse(self, connection: Connection, request: Request) -> None:
        if request.api_name == API_VERSIONS:  # WIRE-04
            readable = replace(request, api_version=0)
            connection.answer(encode_response(readable, unsupported_api_versions()))
        else:  # WIRE-07
            connection.abort()

    def _ask(self, connection: Connection, request: Request) -> None:
        """A failure of the core costs the connection that asked, and no other."""
        self._call_count += 1
        call = Call(self._connections[connection], self._call_count)
        self._waiting[call] = connection, request
        try:
            asked = SERVED[request.api_name].read(request, connection.client_host)
            outputs = self._broker.handle(call, asked, self._now_ms())
        except Exception:
            _log.exception("%s failed", request.api_name)
            connection.abort()
        else:
            self._carry_out(outputs)
        self._set_timer()

    def _tick(self) -> None:
        self._carry_out(self._broker.tick(self._now_ms()))
        self._set_timer()

    def _now_ms(self) -> int:
        """The time, which does not run backwards when somebody sets the clock."""
        self._latest_ms = max(self._latest_ms, now_ms())
        return self._latest_ms

    # Outputs

    def _carry_out(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send | Forward):
                continue  # a broker alone has nobody to ask
            connection, request = self._waiting.pop(output.call, (None, None))
            if connection is None or request is None:
                continue
            match output:
                case Reply(_, result):
                    self._answer(connection, request, result)
                case NoReply():
                    connection.answer(None)
                case Close():
                    connection.close()

    def _answer(self, connection: Connection, request: Request, result: Any) -> None:
        try:
            parts = encode_response(request, SERVED[request.api_name].write(request, result))
        except Exception:
            _log.exception("the answer to %s cannot be written", request.api_name)
            connection.abort()
        else:
            connection.answer(parts)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(self._broker.next_deadline_ms() - self._now_ms(), 0) / 1000
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._tick)
