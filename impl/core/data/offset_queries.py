"""ListOffsets, OffsetForLeaderEpoch and DeleteRecords: each partition answers for itself."""

from __future__ import annotations

from collections import Counter

from impl.core.cluster.topics import INTERNAL_TOPICS
from impl.core.data.messages import (
    EARLIEST,
    EARLIEST_LOCAL,
    LATEST,
    LATEST_TIERED,
    MAXIMUM_TIMESTAMP,
    NO_REPLICA,
    DeleteRecords,
    DeleteRecordsBefore,
    EpochEnds,
    ListedOffset,
    ListedOffsets,
    ListOffsets,
    LowWatermark,
    LowWatermarks,
    OffsetsForLeaderEpochs,
    PartitionEpochEnd,
    PartitionTimestamp,
)
from impl.core.data.partitions import Partitions
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# The version of ListOffsets from which on a special timestamp may be asked for.
_SINCE = {LATEST: 1, EARLIEST: 1, MAXIMUM_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9}
_NEVER = 1 << 15


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
        if request.replica_id > NO_REPLICA:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        partition.check_leader_epoch(asked.current_leader_epoch)
        found = partition.find_offset(asked.timestamp, request.isolation_level)
    except KafkaError as refused:
        return ListedOffset(asked.topic, asked.partition, refused.error)
    return ListedOffset(
        asked.topic,
        asked.partition,
        timestamp=found.timestamp,
        offset=found.offset,
        leader_epoch=found.leader_epoch,
    )


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


def delete_records(partitions: Partitions, request: DeleteRecords) -> LowWatermarks:
    """RETN-07 to RETN-09. The log start is durable before the answer: it never goes back."""
    return LowWatermarks(tuple(_delete_records(partitions, p) for p in request.partitions))


def _delete_records(partitions: Partitions, asked: DeleteRecordsBefore) -> LowWatermark:
    try:
        if asked.topic in INTERNAL_TOPICS:  # RETN-08
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        partition = partitions.find(asked.topic, asked.partition)
        low_watermark = partition.delete_records(asked.offset)
        partitions.log_start_moved(partition)
    except KafkaError as refused:
        return LowWatermark(asked.topic, asked.partition, refused.error)
    return LowWatermark(asked.topic, asked.partition, low_watermark=low_watermark)
