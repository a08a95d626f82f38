"""One replica of a partition: what may be written, what is committed, what a reader gets.

Clauses: ACKS-05 to ACKS-07, ELEC-07, ELEC-09 to ELEC-11, ELEC-14, REPL-01 to REPL-07, REPL-12 to
REPL-14, RETN-04, RETN-07, PROD-02 to PROD-07. Who leads is told (`assume`) and
decided by the controller; what a leader knows of its followers stands in `leadership`, and how a
follower gets at its leader's records in `following`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from impl.core.cluster.broker_messages import AlteredPartition
from impl.core.cluster.catalogue import Assignment, Registration
from impl.core.cluster.topics import TopicPartition
from impl.core.data.changes import Changes
from impl.core.data.config import ReplicationConfig
from impl.core.data.fetched_batches import fetched_batches
from impl.core.data.leadership import FollowerFetch, Leadership, Proposal
from impl.core.data.messages import (
    NO_LEADER_EPOCH,
    READ_COMMITTED,
)
from impl.core.log.batch import (
    HEADER_SIZE,
    NO_TIMESTAMP,
    BatchHeader,
    Record,
    build_batch,
    read_header,
    read_records,
)
from impl.core.log.batch_rules import accept_batch, only_batch
from impl.core.log.leader_epochs import EpochEnd
from impl.core.log.log import Log, Platform
from impl.core.log.markers import (
    Marker,
    ProducerIdentity,
    build_marker,
    build_transactional,
)
from impl.core.log.producer_state import NOT_VERIFIED, LastBatch, Producer
from impl.core.log.producers import Producers
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.refusal import KafkaError
from impl.core.storage import Bytes
from spec.wire.errors import ErrorCode

ALL_REPLICAS = -1


class Appended(NamedTuple):
    base_offset: int
    log_append_time_ms: int
    required_offset: int
    """The high watermark from which on the batch is committed."""


class Surroundings(NamedTuple):
    """What all replicas of a broker share."""

    node_id: int
    platform: Platform
    brokers: Mapping[int, Registration]
    config: ReplicationConfig
    changes: Changes


class Partition:
    def __init__(
        self,
        at: TopicPartition,
        topic_id: UUID,
        surroundings: Surroundings,
        log: Log,
        high_watermark: int = 0,
    ) -> None:
        """A replica with a log; the high watermark is the one of before, as far as it is known."""
        self.at = at
        self.topic_id = topic_id
        self.log = log
        self.high_watermark = max(min(high_watermark, log.log_end_offset), log.log_start_offset)
        self.revision = 0
        """Another number whenever a reader might get another answer than before."""
        self._node_id, self.platform, self._brokers, self._config, self._changes = surroundings
        self._producers = Producers(self.platform, log)
        self._leadership: Leadership | None = None
        self._assignment = Assignment((), (), leader=-1, leader_epoch=-1, partition_epoch=-1)

    def note_change(self) -> None:
        """Let those look again who wait for something here."""
        self.revision += 1
        self._changes.moved.add(self.at)

    def close(self) -> None:
        """The data is about to go; who still waits here learns of it."""
        self._leadership = None
        self._changes.reassigned.add(self.at)
        self.note_change()

    # Leadership

    def assume(self, assignment: Assignment, now_ms: int) -> None:
        """Lead or follow as the controller decided.

        What was decided before the state that is known already is ignored: the answer to a
        proposal may be faster than the metadata log.
        """
        known = self._assignment
        if assignment.partition_epoch < known.partition_epoch:
            return
        self._assignment = assignment
        is_new_epoch = assignment.leader_epoch > known.leader_epoch
        if assignment.leader != self._node_id:
            self._leadership = None
        elif self._leadership is None or is_new_epoch:
            self._leadership = self._begin_to_lead(assignment.leader_epoch)
        if self._leadership is not None:
            self._leadership.assign(assignment, now_ms)
            self.advance_high_watermark(now_ms)
        if is_new_epoch or assignment.leader != known.leader:
            self._changes.reassigned.add(self.at)
        if assignment != known:
            self.note_change()

    def _begin_to_lead(self, epoch: int) -> Leadership:
        self.log.begin_epoch(epoch)  # ELEC-07
        return Leadership(
            self._node_id,
            self._brokers,
            self._config.replica_lag_time_max_ms,
            epoch_start_offset=self.log.epochs.entries[-1].start_offset,
        )

    @property
    def leader(self) -> int:
        """The node that leads, as far as this one knows; -1 where nobody does."""
        return self._assignment.leader

    @property
    def leader_epoch(self) -> int:
        return self._assignment.leader_epoch

    @property
    def is_leader(self) -> bool:
        return self._leadership is not None

    def check_leader_epoch(self, current_leader_epoch: int, *, has_to_lead: bool = True) -> None:
        """ELEC-09, ELEC-14. Raises KafkaError."""
        if current_leader_epoch != NO_LEADER_EPOCH:
            if current_leader_epoch < self.leader_epoch:
                raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
            if current_leader_epoch > self.leader_epoch:
                raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)
        if has_to_lead and self._leadership is None:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)

    # In-sync replicas

    def _suffice(self, isr: Sequence[int]) -> bool:
        """REPL-03: no more replicas can be demanded than there are."""
        demanded = min(self.log.config.min_insync_replicas, len(self._assignment.replicas))
        return len(isr) >= demanded

    @property
    def is_under_min_isr(self) -> bool:
        return self._leadership is not None and not self._suffice(self._leadership.isr)

    def advance_high_watermark(self, now_ms: int) -> None:
        """REPL-01, REPL-02."""
        if self._leadership is None or self.is_under_min_isr:
            return
        reached = self._leadership.reached_offset(self.log.log_end_offset, now_ms)
        if reached > self.high_watermark:
            self.high_watermark = reached
            self.note_change()

    @property
    def proposal(self) -> Proposal | None:
        return None if self._leadership is None else self._leadership.proposal

    def shrink_isr(self, now_ms: int) -> None:
        """REPL-07: to be called from time to time."""
        if self._leadership is None:
            return
        if self._leadership.propose_to_remove(self.log.log_end_offset, now_ms):
            self._changes.proposing.add(self.at)
        self.advance_high_watermark(now_ms)

    def settle_proposal(self, answer: AlteredPartition, now_ms: int) -> None:
        """The controller accepted what was proposed, and says what holds now."""
        known = self._assignment
        if self._leadership is None or answer.leader_epoch != known.leader_epoch:
            return
        if answer.partition_epoch < known.partition_epoch:
            return
        self._assignment = replace(known, isr=answer.isr, partition_epoch=answer.partition_epoch)
        self._leadership.accepted(self._assignment)
        self.note_change()
        self.advance_high_watermark(now_ms)

    def withdraw_proposal(self) -> None:
        """REPL-06: the controller changed nothing, and no controller before it did."""
        if self._leadership is not None:
            self._leadership.proposal = None
            self.note_change()

    def is_followed_by(self, replica_id: int) -> bool:
        return self._leadership is not None and replica_id in self._leadership.followers

    def follower_fetched(self, replica_id: int, fetch: FollowerFetch, now_ms: int) -> None:
        """A follower is known to be there, in this branch of the log. Raises KafkaError."""
        leadership = self._leadership
        assert leadership is not None
        has_moved = leadership.fetched(replica_id, fetch, self.log.log_end_offset, now_ms)
        if leadership.propose_to_add(replica_id, self.high_watermark):
            self._changes.proposing.add(self.at)
        if has_moved:
            self._changes.followed.add(self.at)
            self.advance_high_watermark(now_ms)

    def acknowledgement(self, required_offset: int) -> ErrorCode | None:
        """How a write with acks=-1 ended, or None while that is open."""
        if self._leadership is None:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        if self.high_watermark < required_offset:
            return None
        if not self._suffice(self._leadership.maximal_isr):  # ACKS-07
            return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
        return ErrorCode.NONE  # ACKS-05

    # What is visible

    @property
    def last_stable_offset(self) -> int:
        return self._producers.states.last_stable_offset(self.high_watermark)

    def visible_end(self, isolation_level: int) -> int:
        """REPL-04, TXNI-12: no client reads at or above this offset."""
        committed = isolation_level == READ_COMMITTED
        return self.last_stable_offset if committed else self.high_watermark

    @property
    def knows_its_end(self) -> bool:
        """ELEC-11: no former leader can have shown more than this one does."""
        leadership = self._leadership
        return leadership is None or self.high_watermark >= leadership.epoch_start_offset

    # Writing

    def append(
        self,
        records: Bytes | None,
        acks: int,
        now_ms: int,
        *,
        may_use_zstd: bool = True,
        ticket: int = NOT_VERIFIED,
    ) -> Appended:
        """Take a client's batch. Raises KafkaError, and has then written nothing.

        `ticket` is what `begin_verification` gave, where the batch begins a transaction here.
        """
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if acks == ALL_REPLICAS and self.is_under_min_isr:  # ACKS-06
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        sent = only_batch(records, may_use_zstd=may_use_zstd)
        assert records is not None
        header, payload = accept_batch(sent, records, self.log.config, self.platform, now_ms)
        states = self._producers.states
        if header.has_producer_id and (repeated := states.check(header, ticket)) is not None:
            required_offset = repeated.last_offset + 1
            return Appended(repeated.base_offset, repeated.log_append_time_ms, required_offset)
        return self._write(header, payload, now_ms)

    def append_own(
        self,
        records: Sequence[tuple[bytes | None, bytes | None]],
        now_ms: int,
        producer: ProducerIdentity | None = None,
        ticket: int = NOT_VERIFIED,
    ) -> Appended:
        """Write records of the broker itself, as part of a producer's transaction if one is named.

        Raises KafkaError, and has then written nothing.
        """
        self._check_own()
        batch = build_batch(records, now_ms, self.platform.checksum)
        if producer is None:
            return self._write(read_header(batch), memoryview(batch)[HEADER_SIZE:], now_ms)
        header, payload = build_transactional(batch, producer, self.platform.checksum)
        self._producers.states.check_belonging(header, ticket)
        return self._write(header, payload, now_ms)

    def append_marker(
        self,
        marker: Marker,
        producer: ProducerIdentity,
        now_ms: int,
        *,
        has_own_epoch: bool = False,
    ) -> Appended:
        """TXNI-14, TXNI-21, TXNI-22: end the producer's transaction here, if it has one.

        `has_own_epoch`: the transaction was of an epoch before. Raises KafkaError, and has then
        written nothing.
        """
        self._check_own()
        self._producers.states.check_marker(producer, marker, has_own_epoch=has_own_epoch)
        header, payload = build_marker(marker, producer, now_ms, self.platform.checksum)
        return self._write(header, payload, now_ms)

    def _check_own(self) -> None:
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if self.is_under_min_isr:
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)

    def _write(self, header: BatchHeader, payload: Bytes, now_ms: int) -> Appended:
        header = header._replace(
            base_offset=self.log.log_end_offset, partition_leader_epoch=self.leader_epoch
        )
        self._producers.append(header, payload, now_ms)
        self.note_change()
        self.advance_high_watermark(now_ms)
        log_append_time_ms = header.max_timestamp if header.is_log_append_time else NO_TIMESTAMP
        return Appended(header.base_offset, log_append_time_ms, header.next_offset)

    # Producers

    def begin_verification(
        self, producer: ProducerIdentity, base_sequence: int, now_ms: int
    ) -> int | None:
        """TXNI-11: a ticket for `append` where the producer has no open transaction here.

        Raises KafkaError.
        """
        self.check_leader_epoch(NO_LEADER_EPOCH)
        states = self._producers.states
        if states.is_in_transaction(producer):
            return None
        return states.begin_verification(producer, base_sequence, now_ms)

    def producers(self) -> Iterator[tuple[int, Producer]]:
        """Whoever is remembered, by producer id."""
        return iter(self._producers.states)

    def expire_producers(self, before_ms: int) -> None:
        self._producers.states.expire(before_ms)

    def last_batches(self) -> Mapping[int, LastBatch]:
        return self._producers.states.last_batches()

    def aborted_transactions(self, start: int, end: int) -> Sequence[AbortedTransaction]:
        """TXNI-13: those with a record or their marker between the offsets."""
        return tuple(self._producers.aborted_between(start, end))

    # Following

    def append_fetched(self, records: Bytes, now_ms: int) -> None:
        """Write what the leader sent, as it is. Raises KafkaError; what was right then stays."""
        for header, payload in fetched_batches(records, self.platform.checksum):
            if header.partition_leader_epoch > self.leader_epoch:
                raise KafkaError(ErrorCode.CORRUPT_MESSAGE)
            if header.base_offset < self.log.log_end_offset:
                self._begin_within_batch(header)
            self._producers.append(header, payload, now_ms)
            self.note_change()

    def _begin_within_batch(self, header: BatchHeader) -> None:
        """The leader's log starts within its first batch; an empty log begins with that batch."""
        log = self.log
        if not log.log_start_offset == log.log_end_offset <= header.last_offset:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE)
        log.truncate_fully_and_start_at(header.base_offset)

    def take_over(self, high_watermark: int, log_start_offset: int) -> bool:
        """What the leader says is committed, and deleted; says whether the log start moved."""
        high_watermark = max(
            min(high_watermark, self.log.log_end_offset), self.log.log_start_offset
        )
        if high_watermark != self.high_watermark:
            self.high_watermark = high_watermark
            self.note_change()
        if not self.log.log_start_offset < log_start_offset <= high_watermark:
            return False
        self.log.advance_log_start(log_start_offset)
        self.note_change()
        return True

    def truncate_to(self, offset: int) -> None:
        """REPL-12."""
        self.log.truncate_to(offset)
        self._after_truncation()

    def truncate_fully_and_start_at(self, offset: int) -> None:
        self.log.truncate_fully_and_start_at(offset)
        self._after_truncation()

    def _after_truncation(self) -> None:
        self.high_watermark = max(
            min(self.high_watermark, self.log.log_end_offset), self.log.log_start_offset
        )
        self._producers.reload()
        self.note_change()

    # Reading

    def end_of_epoch(self, epoch: int) -> EpochEnd:
        return self.log.epochs.end_of(epoch, self.log.log_end_offset)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record of the log, with its offset; of batches that this broker wrote."""
        for header, payload in self.log.batches():
            if not header.is_control:
                for record in read_records(header, payload):
                    yield header.base_offset + record.offset_delta, record

    # Deletion

    def delete_records(self, offset: int) -> int:
        """RETN-07: forget what is below; returns the offset that is meant. Raises KafkaError."""
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if not self.log.config.is_deleted:
            raise KafkaError(ErrorCode.POLICY_VIOLATION)  # RETN-09
        offset = self.high_watermark if offset == -1 else offset
        if not 0 <= offset <= self.high_watermark:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        self.log.advance_log_start(offset)
        self.note_change()
        return offset

    @property
    def low_watermark(self) -> int:
        """REPL-14. Raises KafkaError."""
        self.check_leader_epoch(NO_LEADER_EPOCH)
        assert self._leadership is not None
        return self._leadership.low_watermark(self.log.log_start_offset)
