"""A simulated partition in trouble, and an idempotent producer that has several records in flight.

Each record goes over a connection of its own, so records overtake each other, and one that was
lost leaves the leader with those behind it (PROD-02). Each is sent again as it was until it is
acknowledged; one that takes too long is given up, and then, with nothing in flight, the next epoch
of the producer begins at 0 (PROD-06). There are few records, so that a machine may follow each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from impl.core.data.messages import (
    InitProducerId,
    Produce,
    Produced,
    ProducerIdentityGranted,
    RecordsForPartition,
)
from impl.core.log.batch import HEADER_SIZE, build_batch, read_header
from impl.simulation.clients import CHECKSUM, CLIENT_LANE, REQUEST_TIMEOUT_MS, Client, sealed
from impl.simulation.cluster import Simulation
from impl.simulation.faults import KINDS, draw
from spec.wire.errors import ErrorCode
from tests.impl.cluster_storm import TOPIC, Weathered

RECORDS = 12
IN_FLIGHT = 4
DELIVERY_TIMEOUT_MS = 12_000
DURATION_MS = 25_000


class Stamp(NamedTuple):
    """What tells one batch of the producer from all others."""

    epoch: int
    sequence: int


class PipelinedProducer(Client):
    """Writes a few records with acks=all, several at a time."""

    def __init__(self, simulation: Simulation, client_id: int, topic: str, pause_ms: int) -> None:
        super().__init__(simulation, client_id, topic)
        self.stamps: list[Stamp] = []
        """Of each record, in the order in which they were first sent."""
        self._waiting: dict[int, int] = {}
        """Records whose outcome is open yet, and when each is given up."""
        self._gave_up = False
        self._pause_ms = pause_ms
        self._producer_id = -1
        self._next = Stamp(0, 0)
        self.later(self._begin, 0)

    def _begin(self) -> None:
        node_id = self.simulation.random.choice(sorted(self.simulation.nodes))
        self.ask(node_id, InitProducerId(None), self._identified)

    def _identified(self, answer: ProducerIdentityGranted | None) -> None:
        if answer is None or answer.error:
            self.later(self._begin)
            return
        self._producer_id, self._next = answer.producer_id, Stamp(answer.producer_epoch, 0)
        self._write_some()

    def _write_some(self) -> None:
        """Send as many new records as chance and what is in flight allow."""
        if 0 not in self.leaders:
            self.refresh(self._write_some)
            return
        if self._gave_up and not self._waiting:
            self.take_next_epoch()
        for _ in range(self._burst()):
            if self._gave_up or len(self._waiting) == IN_FLIGHT or len(self.stamps) == RECORDS:
                break
            record = len(self.stamps)
            self.stamps.append(self._next)
            self._next = Stamp(self._next.epoch, self._next.sequence + 1)
            self._waiting[record] = self.simulation.now_ms + DELIVERY_TIMEOUT_MS
            self.send(record, self._request(record))
        if len(self.stamps) < RECORDS:
            self.later(self._write_some, self._pause_ms)

    def _burst(self) -> int:
        """A leader that knows nobody takes any record first (PROD-07): mostly there is one."""
        random = self.simulation.random
        goes_alone = not self.stamps and random.random() < 0.8
        return 1 if goes_alone else random.randint(1, IN_FLIGHT)

    def _request(self, record: int) -> Produce:
        plain = build_batch([(None, b"%d" % record)], self.simulation.now_ms, CHECKSUM)
        stamp = self.stamps[record]
        header = read_header(plain)._replace(
            producer_id=self._producer_id,
            producer_epoch=stamp.epoch,
            base_sequence=stamp.sequence,
        )
        batch = sealed(header, plain[HEADER_SIZE:])
        asked = RecordsForPartition(self.topic, 0, batch)
        return Produce(-1, REQUEST_TIMEOUT_MS // 2, (asked,))

    def send(self, record: int, request: Produce) -> None:
        self.simulation.network.ask(
            self.client_id,
            self.leaders[0],
            f"{CLIENT_LANE} {record}",
            request,
            REQUEST_TIMEOUT_MS,
            partial(self.answered, record),
        )

    def answered(self, record: int, answer: Produced | None) -> None:
        if record not in self._waiting:
            return
        if answer is not None and answer.partitions[0].error is ErrorCode.NONE:
            del self._waiting[record]
            return
        self.leaders.pop(0, None)
        self.refresh(partial(self._send_again, record))

    def _send_again(self, record: int) -> None:
        if self.simulation.now_ms > self._waiting[record]:
            self.give_up(record)
        elif 0 in self.leaders:
            self.send(record, self._request(record))
        else:
            self.refresh(partial(self._send_again, record))

    def give_up(self, record: int) -> None:
        """The record may be stored, or be so later (ACKS-08)."""
        del self._waiting[record]
        self._gave_up = True

    def take_next_epoch(self) -> None:
        self._gave_up = False
        self._next = Stamp(self._next.epoch + 1, 0)


class ProduceStorm(Weathered):
    """One partition, and the producer that writes to it."""

    partitions = (0,)

    def start_clients(self, pause_ms: int) -> None:
        self.producer = PipelinedProducer(self.simulation, 1_001, TOPIC, pause_ms)

    def stop_clients(self) -> None:
        self.producer.is_stopped = True

    def problems(self) -> list[str]:
        return self.unsettled()


def produce_storm(seed: int, kinds: Sequence[str] = KINDS, *, pause_ms: int = 2_000) -> None:
    """The storm of a seed; the producer rests for `pause_ms` after a few records."""
    faults = draw(Random(seed), (1, 2, 3), DURATION_MS, kinds=kinds, mean_pause_ms=3_000)
    ProduceStorm(seed, faults, DURATION_MS, pause_ms=pause_ms)
