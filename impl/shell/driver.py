"""The core's caller: hands it requests, answers and the time, and carries out what it says.

It keeps the duties that stand in `impl.core`. It decides nothing about topics or groups, and does
not know where requests come from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count
from typing import Any, Protocol

from impl.api.asked import ASKED
from impl.api.envelope import ENVELOPE_ASKED
from impl.api.served import Features
from impl.core.events import Call, Close, Forward, NoReply, Output, Reply, Send
from impl.core.storage import StorageError
from impl.shell.exchange import Exchange
from impl.shell.peers import Peers
from impl.shell.platform import now_ms
from spec.wire.errors import ErrorCode

FORWARD_LANE = "forward"

# What keeps a node out of its cluster for as long as nobody does something about it.
_SHUT_OUT = {
    ErrorCode.DUPLICATE_BROKER_REGISTRATION: (
        "another broker has the same node.id and is alive, or was a moment ago"
    ),
    ErrorCode.INCONSISTENT_CLUSTER_ID: "its data folder belongs to another cluster",
}

_log = logging.getLogger("brokerspec.broker")


class Core(Protocol):
    """What is driven: `impl.core.broker.Broker`.

    `features` are the levels of the cluster's features as of `metadata_offset`, -1 for none yet.
    """

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]: ...
    def handle_forwarded(self, call: Call, request: Any, now_ms: int) -> list[Output]: ...
    def answered(self, sent: Send, answer: Any, now_ms: int) -> list[Output]: ...
    def not_forwarded(self, forward: Forward, now_ms: int) -> list[Output]: ...
    def tick(self, now_ms: int) -> list[Output]: ...
    def next_deadline_ms(self) -> int | None: ...
    def disconnected(self, connection_id: int) -> None: ...
    def begin_shutdown(self, now_ms: int) -> list[Output]: ...
    def stop(self) -> None: ...
    @property
    def is_ready(self) -> bool: ...
    @property
    def may_stop(self) -> bool: ...
    @property
    def features(self) -> Mapping[str, int]: ...
    @property
    def metadata_offset(self) -> int: ...


class Driver:
    """All in one thread, one call of the core after the other."""

    def __init__(self, core: Core, peers: Peers, clock: Callable[[], int] = now_ms) -> None:
        self.ready = asyncio.Event()
        self.may_stop = asyncio.Event()
        self.failed = asyncio.Event()
        """Set when the core could not deal with the time or an answer: it is of no more use."""
        self._core = core
        self._peers = peers
        self._clock = clock
        self._waiting: dict[Call, Exchange] = {}
        self._connection_ids = count(1)
        self._call_numbers = count(1)
        self._calls: dict[int, Call] = {}
        self._latest_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = 0
        self._looks_ahead = False
        self._is_stopped = False
        self._shut_out_by: set[tuple[int, ErrorCode]] = set()
        self._loop = asyncio.get_running_loop()

    # Life

    def start(self) -> None:
        self._step(self._core.tick)

    def begin_shutdown(self) -> None:
        """Leave the cluster in order; `may_stop` is set when that is done."""
        self._step(self._core.begin_shutdown)

    def wake(self) -> None:
        """Look at the clock now, because it was set, and do what is due by it."""
        if self._timer is not None:
            self._timer.cancel()
        self._tick()

    def stop(self) -> None:
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self._peers.close()
        self._waiting.clear()

    # Connections and their requests

    def new_connection_id(self) -> int:
        """One that no connection of this node had before."""
        return next(self._connection_ids)

    def disconnected(self, connection_id: int) -> None:
        call = self._calls.pop(connection_id, None)
        if call is not None:
            self._waiting.pop(call, None)
        self._core.disconnected(connection_id)

    def features(self) -> Features:
        return Features(self._core.features, self._core.metadata_offset)

    def ask(self, exchange: Exchange) -> None:
        """A failure of the core costs the connection that asked, and no other."""
        connection_id = exchange.connection.connection_id
        call = Call(connection_id, next(self._call_numbers))
        self._waiting[call] = exchange
        self._calls[connection_id] = call
        handle = self._core.handle
        if exchange.envelope is not None:
            handle = self._core.handle_forwarded
        try:
            outputs = handle(call, exchange.question(), self._now_ms())
        except Exception:
            _log.exception("%s failed", exchange.request.api_name)
            exchange.connection.abort()
        else:
            self._carry_out(outputs)
        self._look_ahead_soon()

    # The core's turn

    def _step(self, follow: Callable[[int], list[Output]]) -> None:
        """Without its deadlines and answers a node is dead, so a failure here is its end."""
        if self.failed.is_set():
            return
        try:
            self._carry_out(follow(self._now_ms()))
        except Exception as failure:
            self._give_up(failure)
        else:
            self._look_ahead_soon()

    def _give_up(self, failure: Exception) -> None:
        """A disk that fails is no mistake of this program, so nobody has to read where it was."""
        is_mistake = not isinstance(failure, StorageError)
        _log.error("the broker failed: %s", failure, exc_info=failure if is_mistake else None)
        self.failed.set()

    def _tick(self) -> None:
        self._timer = None
        self._step(self._core.tick)

    def _now_ms(self) -> int:
        """The time, which does not run backwards when somebody sets the clock."""
        self._latest_ms = max(self._latest_ms, self._clock())
        return self._latest_ms

    def _look_ahead_soon(self) -> None:
        """Once for all that this turn of the loop brought."""
        if not self._looks_ahead:
            self._looks_ahead = True
            self._loop.call_soon(self._look_ahead)

    def _look_ahead(self) -> None:
        self._looks_ahead = False
        if self._is_stopped:
            return
        try:
            self._set_timer()
            if not self.ready.is_set() and self._core.is_ready:
                self.ready.set()
            if not self.may_stop.is_set() and self._core.may_stop:
                self.may_stop.set()
        except Exception as failure:
            self._give_up(failure)

    def _set_timer(self) -> None:
        """A timer that is too early does no harm, so only one that is too late is set anew."""
        deadline_ms = self._core.next_deadline_ms()
        if deadline_ms is None or (self._timer is not None and self._timer_ms <= deadline_ms):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(deadline_ms - self._now_ms(), 0) / 1000
        self._timer, self._timer_ms = self._loop.call_later(delay_s, self._tick), deadline_ms

    # Outputs

    def _carry_out(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self._send(output)
                continue
            if isinstance(output, Forward):
                self._forward(output)
                continue
            exchange = self._waiting.pop(output.call, None)
            if exchange is None:
                continue
            match output:
                case Reply(_, result):
                    exchange.reply(result)
                case NoReply():
                    exchange.end()
                case Close():
                    exchange.close()

    def _send(self, send: Send) -> None:
        asking = ASKED[type(send.request)]
        done = partial(self._answered, send)
        self._peers.ask(send.to, send.lane, asking, send.request, send.timeout_ms, done)

    def _answered(self, send: Send, answer: Any) -> None:
        self._tell_if_shut_out(send.to.node_id, answer)
        self._step(lambda now_ms: self._core.answered(send, answer, now_ms))

    def _tell_if_shut_out(self, node_id: int, answer: Any) -> None:
        """Once for each reason: the core goes on asking, and may be let in after all."""
        for error in (getattr(answer, "request_error", None), getattr(answer, "error", None)):
            if error in _SHUT_OUT and (node_id, error) not in self._shut_out_by:
                self._shut_out_by.add((node_id, error))
                _log.warning("node %d refuses this one: %s", node_id, _SHUT_OUT[error])

    def _forward(self, forward: Forward) -> None:
        exchange = self._waiting.get(forward.call)
        if exchange is not None:
            done = partial(self._forwarded, forward)
            self._peers.ask(
                forward.to,
                FORWARD_LANE,
                ENVELOPE_ASKED,
                exchange.enclosed,
                forward.timeout_ms,
                done,
            )

    def _forwarded(self, forward: Forward, answer: bytes | ErrorCode | None) -> None:
        exchange = self._waiting.get(forward.call)
        if exchange is None:
            return
        if answer is None or answer is ErrorCode.NOT_CONTROLLER:
            self._step(lambda now_ms: self._core.not_forwarded(forward, now_ms))
            return
        del self._waiting[forward.call]
        if isinstance(answer, bytes):
            exchange.pass_on(answer)
        else:
            _log.warning("%s was refused: %s", exchange.request.api_name, answer.name)
            exchange.connection.abort()
