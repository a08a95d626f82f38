"""Between the wire and the core: records out, and where they are.

| API | versions | notes |
|---|---|---|
| Fetch | 4-18 | sessions 7 (KIP-227), epoch 9 (KIP-320), zstd 10, divergence 12, topic ids 13 |
| ListOffsets | 1-10 | isolation 2, leader epoch 4, maximum timestamp 7 (KIP-734), tiers 8 and 9 |
| OffsetForLeaderEpoch | 2-4 | KIP-101, KIP-279, KIP-320 |
| DeleteRecords | 0-2 | KIP-107 |
"""

from __future__ import annotations

from itertools import groupby

from impl.api.translation import Translation
from impl.core.data.messages import (
    DeleteRecords,
    DeleteRecordsBefore,
    EpochEnds,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
    ListedOffsets,
    ListOffsets,
    LowWatermarks,
    OffsetsForLeaderEpochs,
    PartitionEpoch,
    PartitionTimestamp,
)
from impl.wire import Request, Struct

ZSTD_SINCE = 10
TOPIC_IDS_SINCE = 13
REPLICA_STATE_SINCE = 15


# Fetch


def _read_fetch(request: Request, _client_host: str) -> Fetch:
    body, by_id = request.body, request.api_version >= TOPIC_IDS_SINCE
    has_state = request.api_version >= REPLICA_STATE_SINCE
    return Fetch(
        max_wait_ms=body.max_wait_ms,
        min_bytes=body.min_bytes,
        max_bytes=body.max_bytes,
        partitions=tuple(
            _read_partition(topic.topic_id if by_id else topic.topic, partition)
            for topic in body.topics
            for partition in topic.partitions
        ),
        forgotten=tuple(
            (topic.topic_id if by_id else topic.topic, partition)
            for topic in body.forgotten_topics_data
            for partition in topic.partitions
        ),
        isolation_level=body.isolation_level,
        session_id=body.session_id,
        session_epoch=body.session_epoch,
        replica_id=body.replica_state.replica_id if has_state else body.replica_id,
        may_use_zstd=request.api_version >= ZSTD_SINCE,
        uses_topic_ids=by_id,
    )


def _read_partition(topic: object, partition: Struct) -> FetchPartition:
    return FetchPartition(
        topic,  # type: ignore[arg-type]  # a name or an id, as the version says
        partition.partition,
        partition.fetch_offset,
        partition.partition_max_bytes,
        partition.current_leader_epoch,
        partition.last_fetched_epoch,
    )


def _write_fetch(request: Request, result: Fetched) -> Struct:
    key = "topic_id" if request.api_version >= TOPIC_IDS_SINCE else "topic"
    return Struct(
        error_code=result.error,
        session_id=result.session_id,
        responses=[
            Struct(**{key: topic}, partitions=[_write_partition(p) for p in partitions])
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ],
    )


def _write_partition(partition: FetchedPartition) -> Struct:
    fields = {}
    if (end := partition.diverging_epoch) is not None:
        fields["diverging_epoch"] = Struct(epoch=end.epoch, end_offset=end.end_offset)
    return Struct(
        **fields,
        partition_index=partition.partition,
        error_code=partition.error,
        high_watermark=partition.high_watermark,
        last_stable_offset=partition.last_stable_offset,
        log_start_offset=partition.log_start_offset,
        aborted_transactions=[] if partition.lists_aborted_transactions else None,
        records=partition.records,
    )


# ListOffsets


def _read_list_offsets(request: Request, _client_host: str) -> ListOffsets:
    body = request.body
    return ListOffsets(
        partitions=tuple(
            PartitionTimestamp(
                topic.name,
                partition.partition_index,
                partition.timestamp,
                partition.current_leader_epoch,
            )
            for topic in body.topics
            for partition in topic.partitions
        ),
        isolation_level=body.isolation_level,
        replica_id=body.replica_id,
        version=request.api_version,
    )


def _write_list_offsets(_request: Request, result: ListedOffsets) -> Struct:
    return Struct(
        topics=[
            Struct(
                name=topic,
                partitions=[
                    Struct(
                        partition_index=partition.partition,
                        error_code=partition.error,
                        timestamp=partition.timestamp,
                        offset=partition.offset,
                        leader_epoch=partition.leader_epoch,
                    )
                    for partition in partitions
                ],
            )
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ]
    )


# OffsetForLeaderEpoch


def _read_epochs(request: Request, _client_host: str) -> OffsetsForLeaderEpochs:
    return OffsetsForLeaderEpochs(
        tuple(
            PartitionEpoch(
                topic.topic,
                partition.partition,
                partition.leader_epoch,
                partition.current_leader_epoch,
            )
            for topic in request.body.topics
            for partition in topic.partitions
        )
    )


def _write_epochs(_request: Request, result: EpochEnds) -> Struct:
    return Struct(
        topics=[
            Struct(
                topic=topic,
                partitions=[
                    Struct(
                        partition=partition.partition,
                        error_code=partition.error,
                        leader_epoch=partition.end.epoch,
                        end_offset=partition.end.end_offset,
                    )
                    for partition in partitions
                ],
            )
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ]
    )


# DeleteRecords


def _read_delete_records(request: Request, _client_host: str) -> DeleteRecords:
    return DeleteRecords(
        tuple(
            DeleteRecordsBefore(topic.name, partition.partition_index, partition.offset)
            for topic in request.body.topics
            for partition in topic.partitions
        )
    )


def _write_delete_records(_request: Request, result: LowWatermarks) -> Struct:
    return Struct(
        topics=[
            Struct(
                name=topic,
                partitions=[
                    Struct(
                        partition_index=partition.partition,
                        error_code=partition.error,
                        low_watermark=partition.low_watermark,
                    )
                    for partition in partitions
                ],
            )
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ]
    )


FETCH_APIS = {
    "Fetch": Translation(_read_fetch, _write_fetch, range(4, 19)),
    "ListOffsets": Translation(_read_list_offsets, _write_list_offsets, range(1, 11)),
    "OffsetForLeaderEpoch": Translation(_read_epochs, _write_epochs, range(2, 5)),
    "DeleteRecords": Translation(_read_delete_records, _write_delete_records, range(3)),
}
