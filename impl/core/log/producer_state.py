"""What one partition remembers of each producer, and which batch it takes next.

PROD-02 to PROD-08, TXNI-11, TXNI-12, TXNI-21. The state follows from the log: appending and
replaying go the same way. Who hands out producer ids, and how a transaction ends, are decided by
the coordinator of the transaction; here is only what the partition sees of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from impl.core.log.batch import NO_SEQUENCE, SEQUENCES, BatchHeader
from impl.core.log.markers import Marker, ProducerIdentity
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# As many requests as a producer may have in flight, so that each of them can be repeated.
REMEMBERED_BATCHES = 5

NO_COORDINATOR_EPOCH = -1
NOT_VERIFIED = 0
NOT_TO_BE_VERIFIED = -1
"""Stands for a ticket where verification is switched off."""


class RememberedBatch(NamedTuple):
    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int
    log_append_time_ms: int


@dataclass(slots=True)
class Producer:
    """`transaction_start`: the offset of the first record of its open transaction, if any."""

    epoch: int
    last_used_ms: int
    coordinator_epoch: int = NO_COORDINATOR_EPOCH
    transaction_start: int | None = None
    batches: deque[RememberedBatch] = field(
        default_factory=lambda: deque(maxlen=REMEMBERED_BATCHES)
    )

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int | None:
        return self.batches[-1].last_offset if self.batches else None

    def move_to(self, epoch: int) -> None:
        """Sequences begin anew with each epoch."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.batches.clear()

    def repetition_of(self, header: BatchHeader) -> RememberedBatch | None:
        if header.producer_epoch != self.epoch:
            return None
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


@dataclass(slots=True)
class _Verification:
    """The coordinator is being asked whether the producer may begin a transaction here.

    A ticket is good for one transaction: whatever ends or begins one takes it away. Else an answer
    that is late would let in a record behind the marker that was to be the last word. The lowest
    sequence that was seen must come first.
    """

    ticket: int
    since_ms: int
    epoch: int
    lowest_sequence: int

    def sees(self, epoch: int, sequence: int) -> None:
        if epoch > self.epoch:
            self.epoch, self.lowest_sequence = epoch, sequence
        elif epoch == self.epoch:
            self.lowest_sequence = min(self.lowest_sequence, sequence)


class ProducerStates:
    def __init__(self) -> None:
        self._producers: dict[int, Producer] = {}
        self._undecided: dict[int, int] = {}
        """The producer of each open transaction, by its first offset, oldest first."""
        self._decided: dict[int, int] = {}
        """The marker's offset of transactions that may end above the high watermark yet."""
        self._verifications: dict[int, _Verification] = {}
        self._tickets = 0

    # Whether a batch may be written

    def check(
        self, header: BatchHeader, ticket: int = NOT_TO_BE_VERIFIED
    ) -> RememberedBatch | None:
        """Accept a client's batch (None), or say which one it repeats, or raise KafkaError."""
        producer = self._producers.get(header.producer_id)
        repeated = None if producer is None else producer.repetition_of(header)
        if repeated is not None:
            return repeated  # PROD-03
        self.check_belonging(header, ticket)
        if producer is None:
            return None  # PROD-07
        if header.producer_epoch > producer.epoch:
            if header.base_sequence != 0:  # PROD-06
                raise KafkaError(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"The first batch of epoch {header.producer_epoch} has sequence"
                    f" {header.base_sequence}, not 0.",
                )
        else:
            self._check_sequence(producer, header)
        if producer.transaction_start is not None and not header.is_transactional:  # TXNI-11
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE,
                f"Producer {header.producer_id} has an open transaction here.",
            )
        return None

    def check_belonging(self, header: BatchHeader, ticket: int) -> None:
        """TXNI-11, PROD-05: what also holds for batches that count no sequences."""
        producer = ProducerIdentity(header.producer_id, header.producer_epoch)
        if header.is_transactional and not self.is_in_transaction(producer):
            self._check_ticket(header, ticket)
        self._check_epoch(header.producer_id, header.producer_epoch)

    def _check_ticket(self, header: BatchHeader, ticket: int) -> None:
        if ticket == NOT_TO_BE_VERIFIED:
            return
        verification = self._verifications.get(header.producer_id)
        if verification is None or ticket != verification.ticket:
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE, "The partition is not part of a transaction."
            )
        if header.base_sequence > verification.lowest_sequence:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {header.producer_id} sent sequence {header.base_sequence}"
                f" before {verification.lowest_sequence} was stored.",
            )

    def _check_epoch(self, producer_id: int, epoch: int) -> None:
        """PROD-05."""
        producer = self._producers.get(producer_id)
        if producer is not None and epoch < producer.epoch:
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Producer {producer_id} has epoch {producer.epoch} by now.",
            )

    @staticmethod
    def _check_sequence(producer: Producer, header: BatchHeader) -> None:
        """PROD-02, PROD-04. What is behind was appended before or never sent: both are refused."""
        expected = (producer.last_sequence + 1) % SEQUENCES
        if header.base_sequence != expected:
            raise KafkaError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"Producer {header.producer_id} sent sequence {header.base_sequence}"
                f" where {expected} comes next.",
            )

    def check_marker(
        self, producer: ProducerIdentity, marker: Marker, *, has_own_epoch: bool = False
    ) -> None:
        """Raises KafkaError."""
        self._check_epoch(*producer)
        known = self._producers.get(producer.producer_id)
        if has_own_epoch:
            self._check_is_not_open(producer)
        if known is not None and marker.coordinator_epoch < known.coordinator_epoch:  # TXNI-21
            raise KafkaError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"A coordinator of epoch {known.coordinator_epoch} was here before.",
            )

    def _check_is_not_open(self, producer: ProducerIdentity) -> None:
        """TXNI-22: what is open in the epoch of the marker has begun after it."""
        if self.is_in_transaction(producer):
            raise KafkaError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"Producer {producer.producer_id} has begun a transaction after this one ended.",
            )

    # Transactions that are about to begin

    def is_in_transaction(self, producer: ProducerIdentity) -> bool:
        """Whether its next record belongs to the transaction that is open here.

        What is open in a former epoch was decided, and its marker is on the way.
        """
        known = self._producers.get(producer.producer_id)
        return (
            known is not None
            and known.transaction_start is not None
            and known.epoch == producer.producer_epoch
        )

    def begin_verification(
        self, producer: ProducerIdentity, base_sequence: int, now_ms: int
    ) -> int:
        """A ticket for `check`, once the coordinator said that the partition takes part."""
        producer_id, epoch = producer
        verification = self._verifications.get(producer_id)
        if verification is None:
            self._tickets += 1
            verification = _Verification(self._tickets, now_ms, epoch, base_sequence)
            self._verifications[producer_id] = verification
        verification.sees(epoch, base_sequence)
        return verification.ticket

    # What was written

    def appended(
        self, header: BatchHeader, marker: Marker | None = None
    ) -> AbortedTransaction | None:
        """Take note of a batch in the log, now or when the log is loaded.

        Returns the transaction that an abort marker ends, if there was one.
        """
        if not header.has_producer_id or (header.is_control and marker is None):
            return None
        producer = self._producers.setdefault(
            header.producer_id, Producer(header.producer_epoch, header.max_timestamp)
        )
        producer.move_to(header.producer_epoch)
        producer.last_used_ms = max(producer.last_used_ms, header.max_timestamp)
        if header.is_transactional:
            self._verifications.pop(header.producer_id, None)
        if marker is not None:
            return self._end(producer, header, marker)
        log_append_time_ms = header.max_timestamp if header.is_log_append_time else -1
        has_sequence = header.base_sequence != NO_SEQUENCE
        producer.batches.append(
            RememberedBatch(
                header.base_sequence,
                header.last_sequence if has_sequence else NO_SEQUENCE,
                header.base_offset,
                header.last_offset,
                log_append_time_ms,
            )
        )
        # Compaction leaves headers without records of what is decided, and may remove the marker.
        begins = header.is_transactional and header.record_count > 0
        if begins and producer.transaction_start is None:
            producer.transaction_start = header.base_offset
            self._undecided[header.base_offset] = header.producer_id
        return None

    def _end(
        self, producer: Producer, header: BatchHeader, marker: Marker
    ) -> AbortedTransaction | None:
        producer.coordinator_epoch = marker.coordinator_epoch
        start, producer.transaction_start = producer.transaction_start, None
        if start is None:
            return None
        del self._undecided[start]
        self._decided[start] = header.last_offset
        if marker.commits:
            return None
        next_undecided = next(iter(self._undecided), header.last_offset + 1)
        return AbortedTransaction(header.producer_id, start, header.last_offset, next_undecided)

    # What is stable

    def last_stable_offset(self, high_watermark: int) -> int:
        """TXNI-12: the first offset of the oldest transaction that is undecided.

        One whose marker is not committed yet counts among them: the marker may still get lost.
        """
        for start in [s for s, end in self._decided.items() if end < high_watermark]:
            del self._decided[start]
        return min([high_watermark, *self._decided, *list(self._undecided)[:1]])

    # Expiry, and what others want to know

    def expire(self, before_ms: int) -> None:
        """PROD-08: forget producers that wrote nothing since then and have nothing open."""
        for producer_id, producer in list(self._producers.items()):
            if producer.last_used_ms < before_ms and producer.transaction_start is None:
                del self._producers[producer_id]
        for producer_id, verification in list(self._verifications.items()):
            if verification.since_ms < before_ms:
                del self._verifications[producer_id]

    def last_batches(self) -> dict[int, LastBatch]:
        return {
            producer_id: LastBatch(producer.last_offset, producer.epoch)
            for producer_id, producer in self._producers.items()
        }

    def restore(self, producers: Iterable[tuple[int, Producer]]) -> None:
        """Begin with what is known of these."""
        self._producers = dict(producers)
        starts = (
            (producer.transaction_start, producer_id)
            for producer_id, producer in self._producers.items()
            if producer.transaction_start is not None
        )
        self._undecided = dict(sorted(starts))

    def __iter__(self) -> Iterator[tuple[int, Producer]]:
        return iter(self._producers.items())

    def __len__(self) -> int:
        return len(self._producers)
