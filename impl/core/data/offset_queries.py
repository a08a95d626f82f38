"""ListOffsets and OffsetForLeaderEpoch: each partition answers for itself.

ELEC-09 to ELEC-11, STOR-10, STOR-11.
"""

from __future__ import annotations

from collections import Counter

from impl.core.data.messages import (
    DEBUGGING_REPLICA,
    EARLIEST,
    EARLIEST_LOCAL,
    LATEST,
    LATEST_TIERED,
    MAXIMUM_TIMESTAMP,
    NO_REPLICA,
    EpochEnds,
    ListedOffset,
    ListedOffsets,
    ListOffsets,
    OffsetsForLeaderEpochs,
    PartitionEpochEnd,
    PartitionTimestamp,
)
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.log.batch import NO_TIMESTAMP
from impl.core.log.log import TimestampedOffset
from impl.core.log.offset_search import NOTHING_FOUND, first_since, youngest
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# The version of ListOffsets from which on a special timestamp may be asked for.
_SINCE = {LATEST: 1, EARLIEST: 1, MAXIMUM_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9}
_NEVER = 1 << 15
_SINCE_NOT_AVAILABLE = 5


def list_offsets(partitions: Partitions, request: ListOffsets) -> ListedOffsets:
    times = Counter((asked.topic, asked.partition) for asked in request.partitions)
    return ListedOffsets(
        tuple(
            _list_offset(partitions, request, asked)
            if times[asked.topic, asked.partition] == 1
            else ListedOffset(asked.topic, asked.partition, ErrorCode.INVALID_REQUEST)
            for asked in request.partitions
        )
    )


def _list_offset(
    partitions: Partitions, request: ListOffsets, asked: PartitionTimestamp
) -> ListedOffset:
    try:
        if asked.timestamp < 0 and request.version < _SINCE.get(asked.timestamp, _NEVER):
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
        partition = partitions.find(asked.topic, asked.partition)
        partition.check_leader_epoch(
            asked.current_leader_epoch, has_to_lead=request.replica_id != DEBUGGING_REPLICA
        )
        is_client = request.replica_id == NO_REPLICA
        isolation_level = request.isolation_level if is_client else None
        found = find_offset(partition, asked.timestamp, isolation_level)
    except KafkaError as refused:
        error = refused.error
        if error is ErrorCode.OFFSET_NOT_AVAILABLE and request.version < _SINCE_NOT_AVAILABLE:
            error = ErrorCode.LEADER_NOT_AVAILABLE  # ELEC-11
        return ListedOffset(asked.topic, asked.partition, error)
    return ListedOffset(
        asked.topic,
        asked.partition,
        timestamp=found.timestamp,
        offset=found.offset,
        leader_epoch=found.leader_epoch,
    )


def find_offset(
    partition: Partition, timestamp: int, isolation_level: int | None
) -> TimestampedOffset:
    """A replica has no isolation level, and sees the whole log. Raises KafkaError."""
    log = partition.log
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        epoch = log.epochs.epoch_at(log.log_start_offset)
        return TimestampedOffset(NO_TIMESTAMP, log.log_start_offset, epoch)
    if timestamp == LATEST_TIERED:
        return NOTHING_FOUND
    if isolation_level is None:
        end_offset = log.log_end_offset
    else:
        end_offset = partition.visible_end(isolation_level)
    if timestamp == LATEST:
        found = TimestampedOffset(NO_TIMESTAMP, end_offset, log.epochs.latest)
    elif timestamp == MAXIMUM_TIMESTAMP:
        found = youngest(log, partition.platform, end_offset)
    else:
        found = first_since(log, partition.platform, timestamp, end_offset)
    is_open = timestamp == LATEST or found == NOTHING_FOUND
    if is_open and isolation_level is not None and not partition.knows_its_end:  # ELEC-11
        raise KafkaError(ErrorCode.OFFSET_NOT_AVAILABLE)
    return found


def epoch_ends(partitions: Partitions, request: OffsetsForLeaderEpochs) -> EpochEnds:
    """ELEC-10."""
    answers = []
    for asked in request.partitions:
        try:
            partition = partitions.find(asked.topic, asked.partition)
            partition.check_leader_epoch(asked.current_leader_epoch)
            end = partition.end_of_epoch(asked.leader_epoch)
        except KafkaError as refused:
            answers.append(PartitionEpochEnd(asked.topic, asked.partition, refused.error))
        else:
            answers.append(PartitionEpochEnd(asked.topic, asked.partition, end=end))
    return EpochEnds(tuple(answers))
