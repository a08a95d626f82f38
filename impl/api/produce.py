"""Between the wire and the core: records in.

| API | versions | notes |
|---|---|---|
| Produce | 3-13 | zstd since 7 (KIP-110), messages 8 (KIP-467), leaders 10 (KIP-951), ids 13 |
"""

from __future__ import annotations

from itertools import groupby

from impl.api.leaders import current_leader, node_endpoints
from impl.api.translation import Translation
from impl.core.data.messages import (
    Produce,
    Produced,
    ProducedPartition,
    RecordsForPartition,
)
from impl.wire import Request, Struct

ZSTD_SINCE = 7
LEADERS_SINCE = 10
TOPIC_IDS_SINCE = 13


def _read_produce(request: Request, _client_host: str) -> Produce:
    body, by_id = request.body, request.api_version >= TOPIC_IDS_SINCE
    return Produce(
        acks=body.acks,
        timeout_ms=body.timeout_ms,
        partitions=tuple(
            RecordsForPartition(
                topic.topic_id if by_id else topic.name, partition.index, partition.records
            )
            for topic in body.topic_data
            for partition in topic.partition_data
        ),
        transactional_id=body.transactional_id,
        may_use_zstd=request.api_version >= ZSTD_SINCE,
        api_version=request.api_version,
    )


def _write_produce(request: Request, result: Produced) -> Struct:
    key = "topic_id" if request.api_version >= TOPIC_IDS_SINCE else "name"
    names_leaders = request.api_version >= LEADERS_SINCE
    return Struct(
        responses=[
            Struct(
                **{key: topic},
                partition_responses=[_write_partition(p, names_leaders) for p in partitions],
            )
            for topic, partitions in groupby(result.partitions, key=lambda p: p.topic)
        ],
        **node_endpoints(result.endpoints if names_leaders else ()),
    )


def _write_partition(partition: ProducedPartition, names_leaders: bool) -> Struct:
    leader = partition.current_leader if names_leaders else None
    return Struct(
        **current_leader(leader),
        index=partition.partition,
        error_code=partition.error,
        base_offset=partition.base_offset,
        log_append_time_ms=partition.log_append_time_ms,
        log_start_offset=partition.log_start_offset,
        error_message=partition.message,
    )


PRODUCE_APIS = {"Produce": Translation(_read_produce, _write_produce, range(3, 14))}
