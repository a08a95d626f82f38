"""Clients of a simulated cluster: they write, read, and remember what they asked and heard.

They are plain on purpose: a value is written again only when nobody knows what became of it and
the producer is idempotent. What may be concluded from a history is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from impl.core.cluster.messages import DescribedCluster, DescribeTopics
from impl.core.data.messages import (
    READ_UNCOMMITTED,
    Fetch,
    Fetched,
    FetchPartition,
    InitProducerId,
    Produce,
    Produced,
    RecordsForPartition,
)
from impl.core.groups.lookup import FindCoordinators, FoundCoordinators
from impl.core.log.batch import (
    HEADER_SIZE,
    BatchHeader,
    build_batch,
    end_of_batches,
    read_header,
    read_records,
    with_checksum,
    write_header,
)
from impl.shell.platform import CODECS
from impl.simulation.cluster import Simulation
from spec.wire.errors import ErrorCode

CHECKSUM = CODECS[0]
REQUEST_TIMEOUT_MS = 3_000
RETRY_MS = 100
CLIENT_LANE = "client"
NO_COORDINATOR = (
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
)


@dataclass(slots=True)
class Written:
    """One value: when it was first sent, and what became of it. No offset: nobody knows."""

    partition: int
    value: bytes
    sent_ms: int
    answered_ms: int | None = None
    offset: int | None = None
    error: ErrorCode | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """One record that a reader was given, in answer to what it asked when."""

    partition: int
    offset: int
    value: bytes
    leader_epoch: int
    asked_ms: int
    at_ms: int


class Client:
    """Knows the cluster as far as it was told, and asks again when it was told wrong."""

    def __init__(self, simulation: Simulation, client_id: int, topic: str) -> None:
        self.simulation = simulation
        self.client_id = client_id
        self.topic = topic
        self.leaders: dict[int, int] = {}
        self.is_stopped = False

    def later(self, action: Callable[[], None], delay_ms: int = RETRY_MS) -> None:
        self.simulation.schedule.after(delay_ms, lambda: None if self.is_stopped else action())

    def ask(self, node_id: int, request: Any, then: Callable[[Any], None]) -> None:
        self.simulation.network.ask(
            self.client_id, node_id, CLIENT_LANE, request, REQUEST_TIMEOUT_MS, then
        )

    def refresh(self, then: Callable[[], None]) -> None:
        """Ask some broker who leads, and go on a little later."""

        def learn(answer: DescribedCluster | None) -> None:
            for topic in [] if answer is None else answer.topics:
                self.leaders = {p.partition: p.leader for p in topic.partitions if p.leader >= 0}
            self.later(then)

        node_id = self.simulation.random.choice(sorted(self.simulation.nodes))
        self.ask(node_id, DescribeTopics((self.topic,)), learn)


class CoordinatedClient(Client):
    """One that also has a coordinator, and looks for it again when it is none any more."""

    def __init__(
        self, simulation: Simulation, client_id: int, topic: str, key_type: int, key: str
    ) -> None:
        super().__init__(simulation, client_id, topic)
        self._sought = FindCoordinators(key_type, (key,))
        self._coordinator: int | None = None

    def ask_coordinator(
        self, request: Any, then: Callable[[Any], None], again: Callable[[], None]
    ) -> None:
        """`again` is called where nobody answered: the request may have taken effect."""
        if self._coordinator is None:
            self._seek(again)
            return

        def answered(answer: Any | None) -> None:
            if self.is_stopped:
                return
            if answer is None:
                self._coordinator = None
                self.later(again)
                return
            if getattr(answer, "error", None) in NO_COORDINATOR:
                self._coordinator = None
            then(answer)

        self.ask(self._coordinator, request, answered)

    def lose_coordinator(self) -> None:
        self._coordinator = None

    def _seek(self, then: Callable[[], None]) -> None:
        def learn(answer: FoundCoordinators | None) -> None:
            found = None if answer is None else answer.coordinators[0].broker
            self._coordinator = None if found is None else found.node_id
            self.later(then, RETRY_MS if found is None else 0)

        node_id = self.simulation.random.choice(sorted(self.simulation.nodes))
        self.ask(node_id, self._sought, learn)


class Producer(Client):
    """Writes distinct values with acks=all to one partition, one at a time."""

    def __init__(
        self,
        simulation: Simulation,
        client_id: int,
        topic: str,
        partition: int,
        *,
        is_idempotent: bool = True,
        pause_ms: int = 50,
    ) -> None:
        super().__init__(simulation, client_id, topic)
        self.history: list[Written] = []
        self._partition = partition
        self._is_idempotent = is_idempotent
        self._pause_ms = pause_ms
        self._identity = (-1, -1)
        self._sequence = -1
        self.later(self._begin, 0)

    def _begin(self) -> None:
        if self._is_idempotent and self._identity == (-1, -1):
            node_id = self.simulation.random.choice(sorted(self.simulation.nodes))
            self.ask(node_id, InitProducerId(None), self._identified)
        else:
            self._write_next()

    def _identified(self, answer: Any) -> None:
        if answer is None or answer.error:
            self.later(self._begin)
            return
        self._identity, self._sequence = (answer.producer_id, answer.producer_epoch), 0
        self._write_next()

    def _write_next(self) -> None:
        value = f"{self.client_id}-{len(self.history)}".encode()
        written = Written(self._partition, value, self.simulation.now_ms)
        self.history.append(written)
        self._send(written)

    def _send(self, written: Written) -> None:
        leader = self.leaders.get(self._partition)
        if leader is None:
            self.refresh(lambda: self._send(written))
            return
        asked = RecordsForPartition(self.topic, self._partition, self._batch(written.value))
        request = Produce(-1, REQUEST_TIMEOUT_MS // 2, (asked,))
        self.ask(leader, request, lambda answer: self._answered(written, answer))

    def _batch(self, value: bytes) -> bytes:
        plain = build_batch([(None, value)], self.simulation.now_ms, CHECKSUM)
        producer_id, producer_epoch = self._identity
        header = read_header(plain)._replace(
            producer_id=producer_id, producer_epoch=producer_epoch, base_sequence=self._sequence
        )
        return sealed(header, plain[HEADER_SIZE:])

    def _answered(self, written: Written, answer: Produced | None) -> None:
        outcome = None if answer is None else answer.partitions[0]
        if outcome is not None and not outcome.error:
            written.answered_ms = self.simulation.now_ms
            written.offset = outcome.base_offset
            written.error = ErrorCode.NONE
            self._sequence += self._is_idempotent
            self.later(self._write_next, self._pause_ms)
            return
        self.leaders.pop(self._partition, None)
        if self._is_idempotent:
            self.later(lambda: self._send(written))
        else:
            written.error = None if outcome is None else outcome.error
            self.later(self._write_next)


class Consumer(Client):
    """Reads one partition from its beginning, and goes on for ever."""

    def __init__(
        self,
        simulation: Simulation,
        client_id: int,
        topic: str,
        partition: int,
        *,
        isolation_level: int = READ_UNCOMMITTED,
    ) -> None:
        super().__init__(simulation, client_id, topic)
        self.history: list[Read] = []
        self.position = 0
        self._partition = partition
        self._isolation_level = isolation_level
        self.later(self._poll, 0)

    def _poll(self) -> None:
        leader = self.leaders.get(self._partition)
        if leader is None:
            self.refresh(self._poll)
            return
        asked = FetchPartition(self.topic, self._partition, self.position, 1 << 20)
        request = Fetch(500, 1, 1 << 20, (asked,), isolation_level=self._isolation_level)
        asked_ms = self.simulation.now_ms
        self.ask(leader, request, lambda answer: self._fetched(answer, asked_ms))

    def _fetched(self, answer: Fetched | None, asked_ms: int) -> None:
        outcome = answer.partitions[0] if answer is not None and answer.partitions else None
        if outcome is None or outcome.error:
            self.leaders.pop(self._partition, None)
            self.later(self._poll)
            return
        now_ms = self.simulation.now_ms
        for offset, value, leader_epoch in records_of(outcome.records, outcome.aborted):
            if offset >= self.position:
                self.position = offset + 1
                self.history.append(
                    Read(self._partition, offset, value, leader_epoch, asked_ms, now_ms)
                )
        if outcome.records:
            self.position = max(self.position, end_of_batches(outcome.records))
        self.later(self._poll, 10)


def sealed(header: BatchHeader, payload: bytes) -> bytes:
    """A batch whose header was changed."""
    return write_header(with_checksum(header, payload, CHECKSUM)) + payload


def records_of(
    batches: Any, aborted: Sequence[tuple[int, int]] = ()
) -> Sequence[tuple[int, bytes, int]]:
    """Offset, value and leader epoch of every record of the batches of clients, but for those of
    transactions that were aborted, each known by its producer and first offset.
    """
    found: list[tuple[int, bytes, int]] = []
    position = 0
    while position < len(batches):
        header = read_header(batches, position)
        payload = memoryview(batches)[position + HEADER_SIZE : position + header.size]
        position += header.size
        if header.is_control:
            aborted = _without_ended(aborted, header)
        elif not header.is_transactional or not _is_aborted(aborted, header):
            found += (
                (
                    header.base_offset + record.offset_delta,
                    bytes(record.value or b""),
                    header.partition_leader_epoch,
                )
                for record in read_records(header, payload)
            )
    return found


def _is_aborted(aborted: Sequence[tuple[int, int]], header: BatchHeader) -> bool:
    return any(
        producer_id == header.producer_id and first_offset <= header.base_offset
        for producer_id, first_offset in aborted
    )


def _without_ended(
    aborted: Sequence[tuple[int, int]], marker: BatchHeader
) -> Sequence[tuple[int, int]]:
    """A marker ends what its producer had begun before it."""
    return [
        (producer_id, first_offset)
        for producer_id, first_offset in aborted
        if producer_id != marker.producer_id or first_offset > marker.base_offset
    ]
