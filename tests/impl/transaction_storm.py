"""Producers that run transactions while brokers die and messages get lost, and what must hold.

A producer does what Kafka's does: it asks again after retriable errors, begins anew (with a new
epoch) after all others, and counts the outcome of a commit as unknown when it got no answer. The
steps are data, so that a random run can be made smaller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from impl.core.cluster.topics import TopicPartition
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import (
    AddPartitions,
    EndTransaction,
    PartitionsOfTransaction,
    WriteMarkers,
)
from spec.wire.errors import ErrorCode
from tests.impl.transaction_world import STATE, TOPIC, Message, World

PARTITIONS = 2
PLACES = tuple(TopicPartition(TOPIC, index) for index in range(PARTITIONS))
ATTEMPTS = 3

_RETRIABLE = frozenset(
    {
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.NOT_ENOUGH_REPLICAS,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
    }
)


@dataclass(frozen=True)
class Step:
    """`what` happens to producer, partition or node `which`."""

    what: str
    which: int
    other: int = 0


STEPS = ("write", "commit", "abort", "begin anew", "crash", "move", "lose", "deliver", "wait")


def _all(_message: Message) -> bool:
    return True


def _markers(message: Message) -> bool:
    return isinstance(message.send.request, WriteMarkers)


@dataclass
class Attempt:
    """One transaction as its producer saw it. None: it never heard how it ended."""

    values: dict[int, list[bytes]] = field(default_factory=dict)
    is_committed: bool | None = False


@dataclass
class Producer:
    name: str
    with_bump: bool
    identity: ProducerIdentity | None = None
    sequences: dict[int, int] = field(default_factory=dict)
    current: Attempt = field(default_factory=Attempt)
    written: int = 0


class Storm:
    def __init__(self) -> None:
        self.world = World(partitions=PARTITIONS)
        self.producers = [Producer("a", with_bump=False), Producer("b", with_bump=True)]
        self.attempts: list[Attempt] = []
        self.seen: dict[int, list[bytes]] = {index: [] for index in range(PARTITIONS)}
        self.second_thoughts: list[str] = []

    def run(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._do(step)
            self._read()
        self._calm_down()
        self._read()

    def _read(self) -> None:
        """A reader of committed records takes nothing back."""
        for index, seen in self.seen.items():
            now = self.world.committed(index)
            if now[: len(seen)] != seen:
                self.second_thoughts.append(f"partition {index} showed {seen}, and then {now}")
            self.seen[index] = now

    def _do(self, step: Step) -> None:
        world = self.world
        producer = self.producers[step.which % len(self.producers)]
        match step.what:
            case "write":
                self._write(producer, step.other % PARTITIONS)
            case "commit" | "abort":
                self._end(producer, commits=step.what == "commit")
            case "begin anew":
                self._begin_anew(producer)
            case "crash":
                world.restart(world.ids[step.which % len(world.ids)])
            case "move":
                at = (*PLACES, STATE)[step.which % (PARTITIONS + 1)]
                world.elect(at, world.ids[step.other % len(world.ids)])
            case "lose":
                world.losing = _all if step.which % 2 else _markers
            case "deliver":
                world.losing = lambda _: False
            case "wait":
                world.advance(75_000 if step.other == 5 else 150)

    # What producers do

    def _ask(self, ask: Any) -> tuple[ErrorCode | None, Any]:
        """The error of the last answer, or None when there was none."""
        answer, error = None, None
        for _ in range(ATTEMPTS):
            answer, error = ask()
            if error not in _RETRIABLE:
                break
            self.world.advance(50)
        return error, answer

    def _begin_anew(self, producer: Producer) -> None:
        self._close(producer, is_committed=False)
        producer.identity = None

    def _close(self, producer: Producer, *, is_committed: bool | None) -> None:
        producer.current.is_committed = is_committed
        if producer.current.values:
            self.attempts.append(producer.current)
        producer.current = Attempt()

    def _identity(self, producer: Producer) -> ProducerIdentity | None:
        if producer.identity is None:

            def ask() -> tuple[Any, ErrorCode | None]:
                answer = self.world.init(producer.name)
                return answer, None if answer is None else answer.error

            error, answer = self._ask(ask)
            if error is ErrorCode.NONE:
                producer.identity = ProducerIdentity(answer.producer_id, answer.producer_epoch)
                producer.sequences = {}
        return producer.identity

    def _write(self, producer: Producer, index: int) -> None:
        identity = self._identity(producer)
        if identity is None or not self._add(producer, identity, index):
            return
        producer.written += 1
        value = f"{producer.name}{producer.written}".encode()
        sequence = producer.sequences.get(index, 0)

        def ask() -> tuple[Any, ErrorCode | None]:
            version = 12 if producer.with_bump else 11
            answer = self.world.produce(
                identity, [value], index, sequence, producer.name, api_version=version
            )
            return answer, None if answer is None else answer.error

        error, _ = self._ask(ask)
        if error is ErrorCode.NONE:
            producer.sequences[index] = sequence + 1
            producer.current.values.setdefault(index, []).append(value)
        else:
            self._begin_anew(producer)

    def _add(self, producer: Producer, identity: ProducerIdentity, index: int) -> bool:
        if producer.with_bump or index in producer.current.values:
            return True
        asked = PartitionsOfTransaction(producer.name, identity, (PLACES[index],))

        def ask() -> tuple[Any, ErrorCode | None]:
            answer = self.world.ask(AddPartitions((asked,), 3))
            return answer, None if answer is None else answer.errors[producer.name][PLACES[index]]

        error, _ = self._ask(ask)
        if error is not ErrorCode.NONE:
            self._begin_anew(producer)
        return error is ErrorCode.NONE

    def _end(self, producer: Producer, *, commits: bool) -> None:
        identity = producer.identity
        if identity is None or not producer.current.values:
            return
        version = 5 if producer.with_bump else 4
        request = EndTransaction(producer.name, identity, commits, version)

        def ask() -> tuple[Any, ErrorCode | None]:
            answer = self.world.ask(request)
            return answer, None if answer is None else answer.error

        error, answer = self._ask(ask)
        if error is ErrorCode.NONE:
            self._close(producer, is_committed=commits)
            if producer.with_bump:
                producer.identity, producer.sequences = answer.producer, {}
            return
        self._close(producer, is_committed=None if commits else False)
        producer.identity = None

    # What must hold

    def _calm_down(self) -> None:
        """Everybody hears everybody, and every transaction comes to its end."""
        self.world.losing = lambda _: False
        self.world.advance(200_000)
        for producer in self.producers:
            self._close(producer, is_committed=False)

    def complaints(self) -> list[str]:
        """What a reader of committed records saw, against what producers were told."""
        found = self.seen
        complaints = self.second_thoughts + [
            f"partition {index} is stable up to {self.world.stable_end(index)} only"
            for index in range(PARTITIONS)
            if self.world.stable_end(index) != self.world.partition(PLACES[index]).high_watermark
        ]
        expected: set[tuple[int, bytes]] = set()
        for attempt in self.attempts:
            records = {(i, value) for i, values in attempt.values.items() for value in values}
            visible = {(i, value) for i, value in records if value in found[i]}
            is_committed = attempt.is_committed
            if visible and visible != records:
                complaints.append(f"of {records} only {visible} took effect")
            elif is_committed is not None and is_committed != (visible == records):
                complaints.append(f"{records}: committed {is_committed}, visible {visible}")
            expected |= visible
        for index, values in found.items():
            if len(values) != len(set(values)):
                complaints.append(f"partition {index} shows records twice: {values}")
            strays = {value for value in values if (index, value) not in expected}
            if strays:
                complaints.append(f"partition {index} shows {strays}, which nobody committed")
        return complaints
