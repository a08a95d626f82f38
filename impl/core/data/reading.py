"""What one partition answers to a fetch, of a client or of a follower.

REPL-04, REPL-11, REPL-12, STOR-12, TXNI-13. Decides what the reader may see, and whether its
history is the leader's at all. How many partitions, how many bytes and how long to wait is decided
by `fetching`; what it means that a follower is there, by `leadership`.
"""

from __future__ import annotations

from dataclasses import replace

from impl.core.data.leadership import FollowerFetch
from impl.core.data.messages import (
    NO_LEADER_EPOCH,
    NO_OFFSET,
    NO_REPLICA,
    READ_COMMITTED,
    Fetch,
    FetchedPartition,
    FetchPartition,
)
from impl.core.data.partition import Partition
from impl.core.log.batch import end_of_batches
from impl.core.log.leader_epochs import EpochEnd
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


def end_for(partition: Partition, request: Fetch) -> int:
    """Where the log ends for who sent this request: a replica sees all of it (REPL-04)."""
    if request.replica_id > NO_REPLICA:
        return partition.log.log_end_offset
    return partition.visible_end(request.isolation_level)


def note_fetch(partition: Partition, asked: FetchPartition, request: Fetch, now_ms: int) -> None:
    """A follower fetches: let the leader know where it is. Raises KafkaError."""
    partition.check_leader_epoch(asked.current_leader_epoch)
    if not partition.is_followed_by(request.replica_id):
        raise KafkaError(
            ErrorCode.NOT_LEADER_OR_FOLLOWER
            if asked.current_leader_epoch == NO_LEADER_EPOCH
            else ErrorCode.UNKNOWN_LEADER_EPOCH
        )
    if not _is_in_range(partition, asked) or divergence(partition, asked) is not None:  # REPL-11
        return
    fetch = FollowerFetch(asked.fetch_offset, asked.log_start_offset, request.replica_epoch)
    partition.follower_fetched(request.replica_id, fetch, now_ms)


def read(
    partition: Partition,
    asked: FetchPartition,
    request: Fetch,
    max_bytes: int,
    *,
    at_least_one: bool,
) -> FetchedPartition:
    """Raises KafkaError."""
    is_replica = request.replica_id > NO_REPLICA
    has_to_lead = is_replica or not request.may_read_from_follower
    partition.check_leader_epoch(asked.current_leader_epoch, has_to_lead=has_to_lead)
    log, offset = partition.log, asked.fetch_offset
    answer = FetchedPartition(
        asked.topic,
        asked.partition,
        high_watermark=partition.high_watermark,
        last_stable_offset=partition.last_stable_offset,
        log_start_offset=log.log_start_offset,
        lists_aborted_transactions=request.isolation_level == READ_COMMITTED,
    )
    is_known = offset >= log.log_start_offset
    if is_known and (diverging := divergence(partition, asked)) is not None:
        return replace(answer, diverging_epoch=diverging)
    if not _is_in_range(partition, asked):  # STOR-12
        return replace(answer, error=ErrorCode.OFFSET_OUT_OF_RANGE)
    end_offset = end_for(partition, request)
    limit = min(max_bytes, asked.max_bytes)
    if offset >= end_offset or (limit <= 0 and not at_least_one):
        return answer
    records = log.read(offset, limit, end_offset, at_least_one=at_least_one)
    aborted: tuple[tuple[int, int], ...] = ()
    if answer.lists_aborted_transactions and records:  # TXNI-13
        found = partition.aborted_transactions(offset, end_of_batches(records))
        aborted = tuple((each.producer_id, each.first_offset) for each in found)
    return replace(answer, records=records, aborted=aborted)


def _is_in_range(partition: Partition, asked: FetchPartition) -> bool:
    log = partition.log
    return log.log_start_offset <= asked.fetch_offset <= log.log_end_offset


def divergence(partition: Partition, asked: FetchPartition) -> EpochEnd | None:
    """REPL-12: where the reader's history leaves this one, if it does. Raises KafkaError."""
    if asked.last_fetched_epoch == NO_LEADER_EPOCH:
        return None
    end = partition.end_of_epoch(asked.last_fetched_epoch)
    if end.end_offset == NO_OFFSET or end.epoch == NO_LEADER_EPOCH:
        raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
    same = end.epoch == asked.last_fetched_epoch and end.end_offset >= asked.fetch_offset
    return None if same else end
