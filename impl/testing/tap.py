"""What happens to a request between the socket and the broker: nothing, or what a test ordered.

One for each broker, called in its thread. Other brokers, and the double itself, are let through:
only what clients ask is noted, struck by faults, and cut off by a partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from impl.core.storage import Bytes
from impl.shell.connection import Connection
from impl.shell.server import Serve
from impl.testing.answers import put_error, refuse
from impl.testing.faults import Fault, Faults
from impl.testing.journal import Asked, Journal
from impl.testing.network import CLIENTS, Network
from impl.wire import Request, decode_response, encode_response
from spec.wire.errors import ErrorCode


class Tap:
    def __init__(
        self,
        broker: int,
        network: Network,
        faults: Faults,
        journal: Journal,
        is_client: Callable[[str | None], bool],
    ) -> None:
        """`is_client` tells by the client id who is one."""
        self._broker = broker
        self._network = network
        self._faults = faults
        self._journal = journal
        self._is_client = is_client
        self._unheard: set[Connection] = set()

    def __call__(self, connection: Connection, request: Request, serve: Serve) -> None:
        if not self._is_client(request.client_id):
            serve(connection)
            return
        if self.is_cut_off:
            self._unheard.add(connection)
            return
        name, version = request.api_name, request.api_version
        asked = Asked(self._broker, name, version, request.client_id, request.body)
        self._journal.note(asked)
        line = _Line(connection, self)
        fault = self._faults.strike(asked, lambda fault: _fits(fault, request))
        if fault is None:
            serve(line)
        elif fault.carried_out:
            serve(_Struck(line, fault, request))
        else:
            _strike(line, fault, request, serve)

    # The network

    @property
    def is_cut_off(self) -> bool:
        return not self._network.hear_each_other(CLIENTS, self._broker)

    def keep_unheard(self, connection: Connection) -> None:
        """A client waits for an answer that does not reach it."""
        self._unheard.add(connection)

    def give_up_unheard(self) -> None:
        """The network is whole again, and those who waited in vain notice."""
        for connection in self._unheard:
            connection.abort()
        self._unheard.clear()


class _Line:
    """A client's connection, as far as the network lets answers pass."""

    def __init__(self, connection: Connection, tap: Tap) -> None:
        self._connection = connection
        self._tap = tap
        self.connection_id = connection.connection_id
        self.client_host = connection.client_host

    @property
    def is_open(self) -> bool:
        return self._connection.is_open

    def answer(self, parts: Sequence[Bytes] | None) -> None:
        if self._tap.is_cut_off:
            self._tap.keep_unheard(self._connection)
        else:
            self._connection.answer(parts)

    def close(self) -> None:
        self._connection.close()

    def abort(self) -> None:
        self._connection.abort()


class _Struck:
    """A connection whose request is carried out, and whose answer meets with a fault."""

    def __init__(self, line: _Line, fault: Fault, request: Request) -> None:
        self._line = line
        self._fault = fault
        self._request = request
        self.connection_id = line.connection_id
        self.client_host = line.client_host

    def answer(self, parts: Sequence[Bytes] | None) -> None:
        fault = self._fault
        if fault.delay_ms:
            late = None if parts is None else [b"".join(parts)]
            _later(fault.delay_ms, lambda: self._line.answer(late))
        elif fault.error is None or parts is None:
            self._line.abort()
        else:
            self._line.answer(self._with_error(parts, fault.error))

    def _with_error(self, parts: Sequence[Bytes], error: ErrorCode) -> Sequence[Bytes]:
        name, version = self._request.api_name, self._request.api_version
        _, body = decode_response(name, version, b"".join(parts[1:]))
        put_error(name, version, body, error)
        return encode_response(self._request, body)

    def close(self) -> None:
        self._line.close()

    def abort(self) -> None:
        self._line.abort()


def _fits(fault: Fault, request: Request) -> bool:
    """Whether it can be told in answer to this request; a closed connection tells it too."""
    if fault.error is None or _expects_no_answer(request):
        return True
    return refuse(request, fault.error) is not None


def _expects_no_answer(request: Request) -> bool:
    return request.api_name == "Produce" and request.body.acks == 0


def _strike(line: _Line, fault: Fault, request: Request, serve: Serve) -> None:
    """In place of the broker, which does not hear of it, or hears of it later."""
    if fault.delay_ms:
        _later(fault.delay_ms, lambda: serve(line) if line.is_open else None)
        return
    answer = None if fault.error is None else refuse(request, fault.error)
    if answer is None or _expects_no_answer(request):
        line.abort()
    else:
        line.answer(encode_response(request, answer))


def _later(delay_ms: int, step: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(delay_ms / 1000, step)
