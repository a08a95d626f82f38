"""A network that delays, loses and repeats messages, and separates nodes, all by one seed.

It carries requests and answers like connections over TCP do: on one lane from one node to another
they are asked in order, one at a time, and a connection that breaks takes along all that waited on
it. What arrives twice, or after its sender gave up on it, is a request that was sent again on a
new connection while the old one still held it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Protocol, TypeAlias

from impl.simulation.schedule import Schedule

Answer: TypeAlias = Callable[[Any], None]
"""Called with what the other side said, or None when nobody knows."""


NOT_ANSWERED = object()
"""What comes back for a request that is dealt with and has no answer, such as one with acks=0."""


class Receiver(Protocol):
    def receive(self, connection: Connection, request: Any, answer: Answer | None) -> None:
        """Deal with a request; `answer` is None for one whose sender does not listen."""

    def disconnected(self, connection: Connection) -> None:
        """The connection is gone."""


@dataclass(slots=True)
class Conditions:
    """Each message takes between the two delays; the others are probabilities, by message."""

    minimum_delay_ms: int = 0
    maximum_delay_ms: int = 2
    loss: float = 0.0
    repetition: float = 0.0
    latest_repetition_ms: int = 2_000


@dataclass(slots=True, eq=False)
class _Asked:
    request: Any
    then: Answer
    timeout_ms: int


@dataclass(slots=True, eq=False)
class Connection:
    """One lane between two nodes."""

    source: int
    target: int
    lane: str
    queue: deque[_Asked] = field(default_factory=deque)
    is_busy: bool = False
    is_open: bool = True


class Network:
    def __init__(self, schedule: Schedule, random: Random) -> None:
        self.conditions = Conditions()
        self._schedule = schedule
        self._random = random
        self._receivers: dict[int, Receiver] = {}
        self._connections: dict[tuple[int, int, str], Connection] = {}
        self._cut: set[frozenset[int]] = set()

    # Who is there, and who can hear whom

    def attach(self, node_id: int, receiver: Receiver) -> None:
        self._receivers[node_id] = receiver

    def detach(self, node_id: int) -> None:
        """The node is gone, and everybody who is connected to it notices."""
        self._receivers.pop(node_id, None)
        for connection in list(self._connections.values()):
            if connection.target == node_id:
                self._schedule.after(self._delay(), partial(self._break, connection))
            elif connection.source == node_id:
                self._abandon(connection)

    def cut(self, one: int, other: int) -> None:
        """Nothing passes between the two from now on, and neither is told."""
        self._cut.add(frozenset((one, other)))

    def mend(self, one: int, other: int) -> None:
        self._cut.discard(frozenset((one, other)))

    def heal(self) -> None:
        """All hear each other again."""
        self._cut.clear()

    def calm(self) -> None:
        """Lose and repeat nothing from now on."""
        self.conditions = Conditions()

    # Asking

    def ask(
        self, source: int, target: int, lane: str, request: Any, timeout_ms: int, then: Answer
    ) -> None:
        key = source, target, lane
        connection = self._connections.get(key)
        if connection is None or not connection.is_open:
            connection = self._connections[key] = Connection(source, target, lane)
        asked = _Asked(request, then, timeout_ms)
        connection.queue.append(asked)
        self._schedule.after(timeout_ms, lambda: self._give_up(connection, asked))
        self._transmit(connection)

    def _give_up(self, connection: Connection, asked: _Asked) -> None:
        if connection.is_open and asked in connection.queue:
            self._break(connection)

    def _transmit(self, connection: Connection) -> None:
        if connection.is_busy or not connection.queue or not connection.is_open:
            return
        connection.is_busy = True
        asked = connection.queue[0]

        def arrive() -> None:
            receiver = self._receivers.get(connection.target)
            if receiver is None:
                self._break(connection)
            else:
                receiver.receive(
                    connection, asked.request, lambda a: self._answer(connection, asked, a)
                )

        if self._passes(connection):
            self._schedule.after(self._delay(), arrive)
        if self._random.random() < self.conditions.repetition:
            self._repeat(connection, asked)

    def _repeat(self, connection: Connection, asked: _Asked) -> None:
        stray = Connection(connection.source, connection.target, connection.lane)

        def arrive() -> None:
            receiver = self._receivers.get(connection.target)
            if receiver is not None:
                receiver.receive(stray, asked.request, None)

        latest_ms = self.conditions.latest_repetition_ms
        if not self._is_cut(connection):
            self._schedule.after(self._random.randint(0, latest_ms), arrive)

    def _answer(self, connection: Connection, asked: _Asked, answer: Any) -> None:
        def arrive() -> None:
            if not connection.is_open or not connection.queue or connection.queue[0] is not asked:
                return
            connection.queue.popleft()
            connection.is_busy = False
            asked.then(answer)
            self._transmit(connection)

        if self._passes(connection):
            self._schedule.after(self._delay(), arrive)

    # Trouble

    def _is_cut(self, connection: Connection) -> bool:
        return frozenset((connection.source, connection.target)) in self._cut

    def _passes(self, connection: Connection) -> bool:
        """A lost message breaks its connection; where nothing passes, nobody hears of it."""
        if self._is_cut(connection):
            return False
        if self._random.random() < self.conditions.loss:
            self._schedule.after(self._delay(), lambda: self._break(connection))
            return False
        return True

    def _delay(self) -> int:
        conditions = self.conditions
        return self._random.randint(conditions.minimum_delay_ms, conditions.maximum_delay_ms)

    def _break(self, connection: Connection) -> None:
        if not connection.is_open:
            return
        connection.is_open = False
        receiver = self._receivers.get(connection.target)
        if receiver is not None:
            receiver.disconnected(connection)
        for asked in list(connection.queue):
            asked.then(None)
        connection.queue.clear()

    def _abandon(self, connection: Connection) -> None:
        """The side that asked is gone, so nobody is to be told."""
        connection.queue.clear()
        self._schedule.after(self._delay(), lambda: self._break(connection))
