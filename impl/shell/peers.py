"""What this node asks of other nodes: one connection for each node and lane, opened when needed.

A lane asks one question after the other. When its connection is lost or refused, when an answer
cannot be read or does not come in time, all its questions end without an answer, and the next
connection waits a little longer than the one before, so that a dead node costs next to nothing.
What is asked, and what follows from it, is the caller's business.

Who uses `reaches` can keep nodes apart: nothing that is sent to a node out of reach arrives, and
nothing that it answers is heard.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from impl.api.asking import Asking
from impl.core.cluster.messages import Endpoint
from impl.core.storage import Bytes
from impl.shell.frames import Frame, FrameError, Frames, write_parts
from impl.wire import WireError, decode_response, encode_request

FIRST_BACKOFF_S = 0.050
LONGEST_BACKOFF_S = 1.0
_MAXIMUM_ANSWER = 2**31 - 1

Done: TypeAlias = Callable[[Any], None]
Reaches: TypeAlias = Callable[[int], bool]

_log = logging.getLogger("brokerspec.peers")


@dataclass(slots=True, eq=False)
class _Question:
    asking: Asking
    correlation_id: int
    parts: Sequence[Bytes]
    done: Done
    timer: asyncio.TimerHandle | None = None


class Peers:
    """`ask` calls `done` exactly once, later, with what was answered or None; unless closed."""

    def __init__(self, client_id: str, reaches: Reaches | None = None) -> None:
        """`reaches(node_id)`: whether a node can be talked to now; without it all can."""
        self._client_id = client_id
        self._reaches = reaches
        self._lanes: dict[tuple[Endpoint, str], _Lane] = {}
        self._last_correlation_id = 0
        self._is_closed = False

    def ask(
        self, to: Endpoint, lane: str, asking: Asking, request: Any, timeout_ms: int, done: Done
    ) -> None:
        """Raises WireError for a request that cannot be written."""
        if self._is_closed:
            return
        correlation_id = self._last_correlation_id = (self._last_correlation_id + 1) % 2**31
        parts = encode_request(
            asking.api_name,
            asking.version,
            correlation_id,
            self._client_id,
            asking.write(request),
        )
        if (to, lane) not in self._lanes:
            self._lanes[to, lane] = _Lane(to, lane, self._reaches)
        question = _Question(asking, correlation_id, parts, done)
        self._lanes[to, lane].ask(question, timeout_ms / 1000)

    def reconnect(self) -> None:
        """Give up all connections; whoever waits for an answer gets none."""
        for lane in list(self._lanes.values()):
            lane.give_up("it is to be connected anew")

    def close(self) -> None:
        """Ask nobody any more; whoever still waits for an answer hears nothing."""
        self._is_closed = True
        for lane in self._lanes.values():
            lane.close()


class _Lane:
    def __init__(self, to: Endpoint, name: str, reaches: Reaches | None) -> None:
        self._to = to
        self._name = name
        self._reaches = reaches
        self._loop = asyncio.get_running_loop()
        self._questions: deque[_Question] = deque()
        self._is_waiting = False
        """Whether the first question is under way."""
        self._connection: _PeerConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._opening: _PeerConnection | None = None
        self._backoff_s = 0.0
        self._not_before = 0.0

    def ask(self, question: _Question, timeout_s: float) -> None:
        question.timer = self._loop.call_later(timeout_s, self.give_up, "no answer in time")
        self._questions.append(question)
        self._proceed()

    def close(self) -> None:
        self._questions_left()
        self._disconnect()

    @property
    def _is_cut(self) -> bool:
        return self._reaches is not None and not self._reaches(self._to.node_id)

    def _proceed(self) -> None:
        if self._is_waiting or not self._questions or self._is_cut:
            return
        if self._connection is not None:
            self._is_waiting = True
            self._connection.send(self._questions[0].parts)
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        await asyncio.sleep(self._not_before - self._loop.time())
        opening = _PeerConnection(self._connected, self._answered, self.give_up)
        self._opening = opening
        try:
            await self._loop.create_connection(lambda: opening, self._to.host, self._to.port)
        except (OSError, UnicodeError) as error:
            self.give_up(str(error))

    def _connected(self, connection: _PeerConnection) -> None:
        if connection is not self._opening:  # given up in the meantime
            connection.abort()
            return
        self._connection, self._opening, self._connecting = connection, None, None
        self._proceed()

    def _answered(self, frame: Frame) -> None:
        if self._is_cut:
            return
        if not self._is_waiting:
            self.give_up("an answer to no question")
            return
        question = self._questions[0]
        asking = question.asking
        try:
            correlation_id, body = decode_response(asking.api_name, asking.version, frame)
            if correlation_id != question.correlation_id:
                raise WireError(f"the answer to {correlation_id} is none to this question")
            answer = asking.read(body)
        except Exception as error:
            self.give_up(f"an answer to {asking.api_name} that cannot be read: {error}")
            return
        self._questions.popleft()
        self._is_waiting = False
        self._backoff_s = 0.0
        if question.timer is not None:
            question.timer.cancel()
        self._proceed()
        question.done(answer)

    def give_up(self, reason: str) -> None:
        """Give up the connection and what was to be asked on it; the next one has to wait.

        But no longer than before, if it was not even tried: else a lane whose questions have less
        patience than it has itself would never try again.
        """
        _log.info("lane %s to node %d: %s", self._name, self._to.node_id, reason)
        was_tried = self._connection is not None or self._opening is not None
        self._disconnect()
        if was_tried:
            self._backoff_s = min(max(2 * self._backoff_s, FIRST_BACKOFF_S), LONGEST_BACKOFF_S)
            self._not_before = self._loop.time() + self._backoff_s * random.uniform(0.8, 1.2)
        for question in self._questions_left():
            question.done(None)

    def _questions_left(self) -> list[_Question]:
        questions = list(self._questions)
        self._questions.clear()
        for question in questions:
            if question.timer is not None:
                question.timer.cancel()
        return questions

    def _disconnect(self) -> None:
        self._is_waiting = False
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = self._opening = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class _PeerConnection(asyncio.BufferedProtocol):
    """After `abort` nothing is heard of it any more."""

    def __init__(
        self,
        on_made: Callable[[_PeerConnection], None],
        on_frame: Callable[[Frame], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._on_made = on_made
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._frames = Frames(_MAXIMUM_ANSWER)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._on_made(self)

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._frames.room()

    def buffer_updated(self, count: int) -> None:
        self._frames.arrived(count)
        try:
            while self._transport is not None and (frame := self._frames.next()) is not None:
                self._on_frame(frame)
        except FrameError as error:
            self._on_lost(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._on_lost(str(error or "the connection was closed"))

    def send(self, parts: Sequence[Bytes]) -> None:
        if self._transport is not None:
            write_parts(self._transport, parts)

    def abort(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
