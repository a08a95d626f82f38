"""Between the wire and the core: records out, and where they are; both for who is asked and for
who asks, a follower or a member of the metadata quorum.

| API | versions | notes |
|---|---|---|
| Fetch | 4-18 | see below |
| ListOffsets | 1-10 | isolation 2, leader epoch 4, maximum timestamp 7 (KIP-734), tiers 8 and 9 |
| OffsetForLeaderEpoch | 2-4 | KIP-101, KIP-279, KIP-320 |
| DeleteRecords | 0-2 | KIP-107 |

Fetch has sessions since version 7 (KIP-227), epochs 9 (KIP-320), zstd 10, any replica 11
(KIP-392), diverging epochs 12 (KIP-595), topic ids 13, epochs of replicas 15 (KIP-903), endpoints
of leaders 16 (KIP-951), high watermarks of followers 18.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from uuid import UUID

from impl.api.asking import Asking
from impl.api.leaders import current_leader, node_endpoints
from impl.api.translation import Translation
from impl.core.cluster.messages import Endpoint
from impl.core.data.messages import (
    DeleteRecords,
    DeleteRecordsBefore,
    EpochEnds,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
    ListedOffset,
    ListedOffsets,
    ListOffsets,
    LowWatermarks,
    OffsetsForLeaderEpochs,
    PartitionEpoch,
    PartitionTimestamp,
)
from impl.core.log.leader_epochs import EpochEnd
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

ZSTD_SINCE = 10
ANY_REPLICA_SINCE = 11
LEADERS_SINCE = 12
TOPIC_IDS_SINCE = 13
REPLICA_STATE_SINCE = 15
ENDPOINTS_SINCE = 16


# Fetch


def _read_fetch(request: Request, _client_host: str) -> Fetch:
    body, by_id = request.body, request.api_version >= TOPIC_IDS_SINCE
    has_state = request.api_version >= REPLICA_STATE_SINCE
    state = body.replica_state
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
        replica_id=state.replica_id if has_state else body.replica_id,
        may_use_zstd=request.api_version >= ZSTD_SINCE,
        uses_topic_ids=by_id,
        cluster_id=body.cluster_id,
        replica_epoch=state.replica_epoch if has_state else -1,
        may_read_from_follower=request.api_version >= ANY_REPLICA_SINCE,
    )


def _read_partition(topic: object, partition: Struct) -> FetchPartition:
    return FetchPartition(
        topic,  # type: ignore[arg-type]  # a name or an id, as the version says
        partition.partition,
        partition.fetch_offset,
        partition.partition_max_bytes,
        partition.current_leader_epoch,
        partition.last_fetched_epoch,
        partition.high_watermark,
        partition.log_start_offset,
    )


def _write_fetch(request: Request, result: Fetched) -> Struct:
    version = request.api_version
    key = "topic_id" if version >= TOPIC_IDS_SINCE else "topic"
    return Struct(
        error_code=result.error,
        session_id=result.session_id,
        responses=[
            Struct(**{key: topic}, partitions=[_write_partition(p, version) for p in partitions])
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ],
        **node_endpoints(result.endpoints if version >= ENDPOINTS_SINCE else ()),
    )


def _write_partition(partition: FetchedPartition, version: int) -> Struct:
    fields = current_leader(partition.current_leader if version >= LEADERS_SINCE else None)
    aborted = [Struct(producer_id=p, first_offset=o) for p, o in partition.aborted]
    if (end := partition.diverging_epoch) is not None:
        fields["diverging_epoch"] = Struct(epoch=end.epoch, end_offset=end.end_offset)
    return Struct(
        **fields,
        partition_index=partition.partition,
        error_code=partition.error,
        high_watermark=partition.high_watermark,
        last_stable_offset=partition.last_stable_offset,
        log_start_offset=partition.log_start_offset,
        aborted_transactions=aborted if partition.lists_aborted_transactions else None,
        records=partition.records,
    )


# Fetch, from the side of who asks


def _ask_fetch(fetch: Fetch) -> Struct:
    return Struct(
        cluster_id=fetch.cluster_id,
        replica_state=Struct(replica_id=fetch.replica_id, replica_epoch=fetch.replica_epoch),
        max_wait_ms=fetch.max_wait_ms,
        min_bytes=fetch.min_bytes,
        max_bytes=fetch.max_bytes,
        isolation_level=fetch.isolation_level,
        session_id=fetch.session_id,
        session_epoch=fetch.session_epoch,
        topics=[
            Struct(topic_id=topic, partitions=[_ask_partition(p) for p in partitions])
            for topic, partitions in groupby(fetch.partitions, key=lambda p: p.topic)
        ],
        forgotten_topics_data=[
            Struct(topic_id=topic, partitions=[partition for _, partition in forgotten])
            for topic, forgotten in groupby(fetch.forgotten, key=lambda f: f[0])
        ],
    )


def _ask_partition(partition: FetchPartition) -> Struct:
    return Struct(
        partition=partition.partition,
        current_leader_epoch=partition.current_leader_epoch,
        fetch_offset=partition.fetch_offset,
        last_fetched_epoch=partition.last_fetched_epoch,
        log_start_offset=partition.log_start_offset,
        partition_max_bytes=partition.max_bytes,
        high_watermark=partition.high_watermark,
    )


def _read_fetched(body: Struct) -> Fetched:
    return Fetched(
        partitions=tuple(
            _read_fetched_partition(topic.topic_id, partition)
            for topic in body.responses
            for partition in topic.partitions
        ),
        error=ErrorCode(body.error_code),
        session_id=body.session_id,
        endpoints=tuple(
            Endpoint(node.node_id, node.host, node.port, node.rack) for node in body.node_endpoints
        ),
    )


def _read_fetched_partition(topic: UUID, partition: Struct) -> FetchedPartition:
    end, leader = partition.diverging_epoch, partition.current_leader
    aborted = partition.aborted_transactions
    return FetchedPartition(
        topic,
        partition.partition_index,
        ErrorCode(partition.error_code),
        partition.high_watermark,
        partition.last_stable_offset,
        partition.log_start_offset,
        b"" if partition.records is None else partition.records,
        diverging_epoch=None if end.end_offset < 0 else EpochEnd(end.epoch, end.end_offset),
        lists_aborted_transactions=aborted is not None,
        aborted=tuple((each.producer_id, each.first_offset) for each in aborted or ()),
        current_leader=(
            None if leader.leader_epoch < 0 else (leader.leader_id, leader.leader_epoch)
        ),
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


# ListOffsets, from the side of who asks


def _ask_list_offsets(request: ListOffsets) -> Struct:
    return Struct(
        replica_id=request.replica_id,
        isolation_level=request.isolation_level,
        topics=[
            Struct(
                name=topic,
                partitions=[
                    Struct(
                        partition_index=partition.partition,
                        current_leader_epoch=partition.current_leader_epoch,
                        timestamp=partition.timestamp,
                    )
                    for partition in partitions
                ],
            )
            for topic, partitions in groupby(request.partitions, key=lambda p: p.topic)
        ],
    )


def _read_listed_offsets(body: Struct) -> ListedOffsets:
    return ListedOffsets(tuple(_listed_offsets(body)))


def _listed_offsets(body: Struct) -> Iterator[ListedOffset]:
    for topic in body.topics:
        for partition in topic.partitions:
            yield ListedOffset(
                topic.name,
                partition.partition_index,
                ErrorCode(partition.error_code),
                partition.timestamp,
                partition.offset,
                partition.leader_epoch,
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
        ),
        request.body.replica_id,
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
        ),
        request.body.timeout_ms,
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


FETCH_ASKED = {
    Fetch: Asking("Fetch", 18, _ask_fetch, _read_fetched),
    ListOffsets: Asking("ListOffsets", 10, _ask_list_offsets, _read_listed_offsets),
}

FETCH_APIS = {
    "Fetch": Translation(_read_fetch, _write_fetch, range(4, 19)),
    "ListOffsets": Translation(_read_list_offsets, _write_list_offsets, range(1, 11)),
    "OffsetForLeaderEpoch": Translation(_read_epochs, _write_epochs, range(2, 5)),
    "DeleteRecords": Translation(_read_delete_records, _write_delete_records, range(3)),
}
