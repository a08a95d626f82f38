"""One listener of a node: connections, and what their frames mean.

A frame that is no request closes its connection and harms nobody else (WIRE-07, WIRE-14); the only
request of an unknown version that is answered is ApiVersions (WIRE-04). What the node says to a
request is decided by the core, which the driver asks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from impl.api.envelope import ENVELOPE, Enclosed, open_envelope, refuse_envelope
from impl.api.served import API_VERSIONS, api_versions, is_served, unsupported_api_versions
from impl.core.config import BrokerConfig
from impl.shell.connection import Connection
from impl.shell.driver import Driver
from impl.shell.exchange import Asker, Exchange
from impl.shell.frames import Frame
from impl.wire import Request, UnsupportedVersion, WireError, decode_request, encode_response
from spec.wire.errors import ErrorCode

Serve: TypeAlias = Callable[[Asker], None]
Tap: TypeAlias = Callable[[Connection, Request, Serve], None]
"""Decides what becomes of a request: `serve` carries it out and answers whom it is given."""

_log = logging.getLogger("brokerspec.broker")


class Server:
    def __init__(
        self, driver: Driver, kind: str, config: BrokerConfig, tap: Tap | None = None
    ) -> None:
        """`kind` is that of the listener, as in `impl.api.served`."""
        self._driver = driver
        self._tap = tap
        self._kind = kind
        self._maximum_size = config.socket_request_max_bytes
        self._idle_seconds = config.connections_max_idle_ms / 1000
        self._connections: set[Connection] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    # Life

    async def start(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener)
        if self._idle_seconds > 0:
            self._close_idle()

    async def stop(self) -> None:
        """Take no more requests; the answers that were given still go out."""
        self._listen_no_more()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)
        self.abort()

    def abort(self) -> None:
        """Take no more requests, and leave those that wait without an answer."""
        self._listen_no_more()
        for connection in list(self._connections):
            connection.abort()

    def _listen_no_more(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._idle_timer is not None:
            self._idle_timer.cancel()

    def _accept(self) -> Connection:
        connection_id = self._driver.new_connection_id()
        connection = Connection(connection_id, self._maximum_size, self._received, self._lost)
        self._connections.add(connection)
        return connection

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._driver.disconnected(connection.connection_id)

    def _close_idle(self) -> None:
        """WIRE-16."""
        loop = asyncio.get_running_loop()
        for connection in list(self._connections):
            idle = loop.time() - connection.last_active
            if not connection.is_busy and idle > self._idle_seconds:
                connection.abort()  # who has not taken its answers by now never will
        interval = min(self._idle_seconds / 2, 60)
        self._idle_timer = loop.call_later(interval, self._close_idle)

    # Requests

    def _received(self, connection: Connection, frame: Frame) -> None:
        try:
            request = decode_request(frame)
        except UnsupportedVersion as unsupported:
            self._refuse(connection, unsupported.request)
            return
        except WireError as problem:
            _log.info("closing a connection: %s", problem)
            connection.abort()
            return
        if not is_served(request, self._kind):
            self._refuse(connection, request)
        elif self._tap is not None:
            self._tap(connection, request, partial(self._serve, frame, request))
        else:
            self._serve(frame, request, connection)

    def _serve(self, frame: Frame, request: Request, connection: Asker) -> None:
        if request.api_name == API_VERSIONS:
            answer = api_versions(request, self._kind, self._driver.features())
            connection.answer(encode_response(request, answer))
        elif request.api_name == ENVELOPE:
            self._open(connection, request)
        else:
            enclosed = Enclosed(frame, connection.client_host)
            self._driver.ask(Exchange(connection, request, enclosed))

    def _open(self, connection: Asker, envelope: Request) -> None:
        try:
            request, enclosed = open_envelope(envelope)
            if not is_served(request, self._kind):
                raise UnsupportedVersion(request)
        except UnsupportedVersion as problem:
            self._return(connection, envelope, ErrorCode.UNSUPPORTED_VERSION, problem)
        except WireError as problem:
            self._return(connection, envelope, ErrorCode.INVALID_REQUEST, problem)
        else:
            self._driver.ask(Exchange(connection, request, enclosed, envelope))

    def _return(
        self, connection: Asker, envelope: Request, error: ErrorCode, problem: WireError
    ) -> None:
        _log.info("refusing an envelope: %s", problem)
        connection.answer(encode_response(envelope, refuse_envelope(error)))

    def _refuse(self, connection: Connection, request: Request) -> None:
        if request.api_name == API_VERSIONS:  # WIRE-04
            readable = replace(request, api_version=0)
            connection.answer(encode_response(readable, unsupported_api_versions()))
        else:  # WIRE-07
            connection.abort()
