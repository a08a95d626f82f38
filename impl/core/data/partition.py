"""One partition as its leader sees it: what may be written, what is committed, what a reader gets.

Clauses: ACKS-05, ACKS-06, ELEC-09 to ELEC-11, STOR-10 to STOR-12, RETN-04, RETN-07, PROD-02 to
PROD-07. The leader and the ISR are told (`lead`); who they are is decided by the controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from impl.core.cluster.catalogue import Assignment
from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import (
    EARLIEST,
    EARLIEST_LOCAL,
    LATEST,
    LATEST_TIERED,
    MAXIMUM_TIMESTAMP,
    NO_LEADER_EPOCH,
    NO_OFFSET,
    READ_COMMITTED,
    FetchedPartition,
    FetchPartition,
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
from impl.core.log.log import Log, Platform, TimestampedOffset
from impl.core.log.offset_search import NOTHING_FOUND, first_since, youngest
from impl.core.log.producer_state import ProducerStates
from impl.core.refusal import KafkaError
from impl.core.storage import Bytes
from spec.wire.errors import ErrorCode

ALL_REPLICAS = -1


class Appended(NamedTuple):
    base_offset: int
    log_append_time_ms: int
    required_offset: int
    """The high watermark from which on the batch is committed."""


class Partition:
    def __init__(
        self,
        at: TopicPartition,
        topic_id: UUID,
        node_id: int,
        platform: Platform,
        log: Log,
        producers: ProducerStates,
    ) -> None:
        self.at = at
        self.topic_id = topic_id
        self.log = log
        self.high_watermark = log.log_start_offset
        self._node_id = node_id
        self._platform = platform
        self._producers = producers
        self._assignment = Assignment((), (), leader=-1, leader_epoch=-1, partition_epoch=-1)

    # Leadership

    def lead(self, assignment: Assignment) -> None:
        if assignment.leader == self._node_id:
            self.log.begin_epoch(assignment.leader_epoch)  # ELEC-07
        self._assignment = assignment
        self.advance_high_watermark()

    @property
    def leader_epoch(self) -> int:
        return self._assignment.leader_epoch

    def check_leader_epoch(self, current_leader_epoch: int) -> None:
        """ELEC-09, ELEC-14. Raises KafkaError."""
        if self._assignment.leader != self._node_id:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        if current_leader_epoch == NO_LEADER_EPOCH:
            return
        if current_leader_epoch < self.leader_epoch:
            raise KafkaError(ErrorCode.FENCED_LEADER_EPOCH)
        if current_leader_epoch > self.leader_epoch:
            raise KafkaError(ErrorCode.UNKNOWN_LEADER_EPOCH)

    @property
    def is_under_min_isr(self) -> bool:
        """REPL-03: no more replicas can be demanded than there are."""
        demanded = min(self.log.config.min_insync_replicas, len(self._assignment.replicas))
        return len(self._assignment.isr) < demanded

    def advance_high_watermark(self) -> bool:
        """REPL-01, REPL-02, for an ISR that is the leader alone; says whether it moved."""
        if self.is_under_min_isr or self.log.log_end_offset <= self.high_watermark:
            return False
        self.high_watermark = self.log.log_end_offset
        return True

    @property
    def last_stable_offset(self) -> int:
        return self.high_watermark

    def visible_end(self, isolation_level: int) -> int:
        """REPL-04, TXNI-12: nobody reads at or above this offset."""
        committed = isolation_level == READ_COMMITTED
        return self.last_stable_offset if committed else self.high_watermark

    # Writing

    def append(
        self, records: Bytes | None, acks: int, now_ms: int, *, may_use_zstd: bool = True
    ) -> Appended:
        """Take a client's batch. Raises KafkaError, and has then written nothing."""
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if acks == ALL_REPLICAS and self.is_under_min_isr:  # ACKS-06
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        sent = only_batch(records, may_use_zstd=may_use_zstd)
        assert records is not None
        header, payload = accept_batch(sent, records, self.log.config, self._platform, now_ms)
        if header.is_transactional:  # TXNI-11
            raise KafkaError(
                ErrorCode.INVALID_TXN_STATE, "The partition is not part of a transaction."
            )
        if header.has_producer_id and (repeated := self._producers.check(header)) is not None:
            required_offset = repeated.base_offset + header.record_count
            return Appended(repeated.base_offset, repeated.log_append_time_ms, required_offset)
        return self._write(header, payload, now_ms)

    def append_own(
        self, records: Sequence[tuple[bytes | None, bytes | None]], now_ms: int
    ) -> Appended:
        """Write records of the broker itself. Raises KafkaError, and has then written nothing."""
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if self.is_under_min_isr:
            raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)
        batch = build_batch(records, now_ms, self._platform.checksum)
        return self._write(read_header(batch), memoryview(batch)[HEADER_SIZE:], now_ms)

    def _write(self, header: BatchHeader, payload: Bytes, now_ms: int) -> Appended:
        header = header._replace(
            base_offset=self.log.log_end_offset, partition_leader_epoch=self.leader_epoch
        )
        self.log.append(header, payload, now_ms)
        self._producers.appended(header)
        self.advance_high_watermark()
        log_append_time_ms = header.max_timestamp if header.is_log_append_time else NO_TIMESTAMP
        return Appended(header.base_offset, log_append_time_ms, header.next_offset)

    def expire_producers(self, before_ms: int) -> None:
        self._producers.expire(before_ms)

    # Reading

    def read(
        self, asked: FetchPartition, max_bytes: int, isolation_level: int, *, at_least_one: bool
    ) -> FetchedPartition:
        """Raises KafkaError."""
        self.check_leader_epoch(asked.current_leader_epoch)
        answer = FetchedPartition(
            asked.topic,
            asked.partition,
            high_watermark=self.high_watermark,
            last_stable_offset=self.last_stable_offset,
            log_start_offset=self.log.log_start_offset,
            lists_aborted_transactions=isolation_level == READ_COMMITTED,
        )
        if (diverging := self._divergence(asked)) is not None:
            return replace(answer, diverging_epoch=diverging)
        offset = asked.fetch_offset
        if not self.log.log_start_offset <= offset <= self.log.log_end_offset:  # STOR-12
            return replace(answer, error=ErrorCode.OFFSET_OUT_OF_RANGE)
        end_offset = self.visible_end(isolation_level)
        limit = min(max_bytes, asked.max_bytes)
        if offset >= end_offset or (limit <= 0 and not at_least_one):
            return answer
        return replace(
            answer,
            records=self.log.read(offset, limit, end_offset, at_least_one=at_least_one),
        )

    def _divergence(self, asked: FetchPartition) -> EpochEnd | None:
        """REPL-12: where the reader's history leaves ours, if it does. Raises KafkaError."""
        if asked.last_fetched_epoch == NO_LEADER_EPOCH:
            return None
        end = self.end_of_epoch(asked.last_fetched_epoch)
        if end.end_offset == NO_OFFSET or end.epoch == NO_LEADER_EPOCH:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        same = end.epoch == asked.last_fetched_epoch and end.end_offset >= asked.fetch_offset
        return None if same else end

    def end_of_epoch(self, epoch: int) -> EpochEnd:
        return self.log.epochs.end_of(epoch, self.log.log_end_offset)

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record of the log, with its offset; of batches that this broker wrote."""
        for header, payload in self.log.batches():
            if not header.is_control:
                for record in read_records(header, payload):
                    yield header.base_offset + record.offset_delta, record

    # Offsets

    def find_offset(self, timestamp: int, isolation_level: int) -> TimestampedOffset:
        """STOR-10, STOR-11. Raises KafkaError."""
        log = self.log
        if timestamp == LATEST:
            return self._latest(isolation_level)
        if timestamp in (EARLIEST, EARLIEST_LOCAL):
            epoch = log.epochs.epoch_at(log.log_start_offset)
            return TimestampedOffset(NO_TIMESTAMP, log.log_start_offset, epoch)
        if timestamp == LATEST_TIERED:
            return NOTHING_FOUND
        end_offset = self.visible_end(isolation_level)
        if timestamp == MAXIMUM_TIMESTAMP:
            return youngest(log, self._platform, end_offset)
        return first_since(log, self._platform, timestamp, end_offset)

    def _latest(self, isolation_level: int) -> TimestampedOffset:
        if self.high_watermark < self.log.epochs.entries[-1].start_offset:  # ELEC-11
            raise KafkaError(ErrorCode.OFFSET_NOT_AVAILABLE)
        epoch = self.log.epochs.latest
        return TimestampedOffset(NO_TIMESTAMP, self.visible_end(isolation_level), epoch)

    # Deletion

    def delete_records(self, offset: int) -> int:
        """RETN-07: forget what is below; returns the low watermark. Raises KafkaError."""
        self.check_leader_epoch(NO_LEADER_EPOCH)
        if not self.log.config.is_deleted:
            raise KafkaError(ErrorCode.POLICY_VIOLATION)  # RETN-09
        offset = self.high_watermark if offset == -1 else offset
        if not 0 <= offset <= self.high_watermark:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        self.log.advance_log_start(offset)
        return self.log.log_start_offset
