"""What one partition remembers of each idempotent producer, and which batch it takes next.

PROD-02 to PROD-07. The state follows from the log: appending and replaying go the same way. Who
hands out producer ids, and transactions, are decided elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from impl.core.log.batch import NO_SEQUENCE, SEQUENCES, BatchHeader
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# As many requests as a producer may have in flight, so that each of them can be repeated.
REMEMBERED_BATCHES = 5


class RememberedBatch(NamedTuple):
    first_sequence: int
    last_sequence: int
    base_offset: int
    log_append_time_ms: int


@dataclass(slots=True)
class Producer:
    epoch: int
    last_used_ms: int
    batches: deque[RememberedBatch] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES)
    )

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int | None:
        if not self.batches:
            return None
        last = self.batches[-1]
        return last.base_offset + (last.last_sequence - last.first_sequence) % SEQUENCES

    def repetition_of(self, header: BatchHeader) -> RememberedBatch | None:
        for batch in self.batches:
            if (
                batch.first_sequence == header.base_sequence
                and batch.last_sequence == header.last_sequence
            ):
                return batch
        return None


class LastBatch(NamedTuple):
    """What a log must keep of a producer, for who rebuilds this state from it (COMP-09)."""

    last_offset: int | None
    """Of its last batch of data, if that is remembered."""
    producer_epoch: int


class ProducerStates:
    def __init__(self) -> None:
        self._producers: dict[int, Producer] = {}

    def check(self, header: BatchHeader) -> RememberedBatch | None:
        """Accept a client's batch (None), or say which one it repeats, or raise KafkaError."""
        producer = self._producers.get(header.producer_id)
        if producer is None:
            return None  # PROD-07
        if header.producer_epoch < producer.epoch:  # PROD-05
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Producer {header.producer_id} has epoch {producer.epoch} by now.",
            )
        if header.producer_epoch > producer.epoch:
            if header.base_sequence != 0:  # PROD-06
                raise KafkaError(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"The first batch of epoch {header.producer_epoch} has sequence"
                    f" {header.base_sequence}, not 0.",
                )
            return None
        repeated = producer.repetition_of(header)
        if repeated is None:
            self._check_sequence(producer, header)
        return repeated  # PROD-03

    @staticmethod
    def _check_sequence(producer: Producer, header: BatchHeader) -> None:
        """PROD-02, PROD-04. What is behind was appended before or never sent: both are refused."""
        expected = (producer.last_sequence + 1) % SEQUENCES
        if producer.batches and header.base_sequence != expected:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {header.producer_id} sent sequence {header.base_sequence}"
                f" where {expected} comes next.",
            )

    def appended(self, header: BatchHeader) -> None:
        """Take note of a batch in the log, now or when the log is loaded."""
        if not header.has_producer_id:
            return
        producer = self._producers.get(header.producer_id)
        if producer is None or producer.epoch != header.producer_epoch:
            producer = Producer(header.producer_epoch, header.max_timestamp)
            self._producers[header.producer_id] = producer
        producer.last_used_ms = max(producer.last_used_ms, header.max_timestamp)
        if not header.is_control:
            log_append_time_ms = header.max_timestamp if header.is_log_append_time else -1
            producer.batches.append(
                RememberedBatch(
                    header.base_sequence,
                    header.last_sequence,
                    header.base_offset,
                    log_append_time_ms,
                )
            )

    def clear(self) -> None:
        """Forget everything: the log was cut, and what remains is replayed."""
        self._producers.clear()

    def expire(self, before_ms: int) -> None:
        """Forget producers that wrote nothing since then (PROD-08)."""
        for producer_id in [i for i, p in self._producers.items() if p.last_used_ms < before_ms]:
            del self._producers[producer_id]

    def last_batches(self) -> dict[int, LastBatch]:
        return {
            producer_id: LastBatch(producer.last_offset, producer.epoch)
            for producer_id, producer in self._producers.items()
        }

    def __len__(self) -> int:
        return len(self._producers)
