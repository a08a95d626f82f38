"""Between the wire and the core: topics described page by page.

| API | versions | notes |
|---|---|---|
| DescribeTopicPartitions | 0 | KIP-966: eligible leader replicas |
"""

from __future__ import annotations

from impl.api.topics import ALL_TOPIC_OPERATIONS
from impl.api.translation import Translation
from impl.core.cluster.messages import (
    DescribedPartitions,
    DescribedTopic,
    DescribePartitions,
    PartitionCursor,
)
from impl.wire import Request, Struct


def _read_describe(request: Request, _client_host: str) -> DescribePartitions:
    body = request.body
    cursor = None
    if body.cursor is not None:
        cursor = PartitionCursor(body.cursor.topic_name, body.cursor.partition_index)
    names = tuple(topic.name for topic in body.topics)
    return DescribePartitions(names, body.response_partition_limit, cursor)


def _write_described(request: Request, result: DescribedPartitions) -> Struct:
    if result.error:
        refused = [Struct(name=each.name, error_code=result.error) for each in request.body.topics]
        return Struct(topics=refused, next_cursor=None)
    cursor = result.next_cursor
    return Struct(
        topics=[_write_described_topic(topic) for topic in result.topics],
        next_cursor=None
        if cursor is None
        else Struct(topic_name=cursor.topic, partition_index=cursor.partition),
    )


def _write_described_topic(topic: DescribedTopic) -> Struct:
    return Struct(
        error_code=topic.error,
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        topic_authorized_operations=ALL_TOPIC_OPERATIONS,
        partitions=[
            Struct(
                partition_index=each.partition,
                leader_id=each.leader,
                leader_epoch=each.leader_epoch,
                replica_nodes=list(each.replicas),
                isr_nodes=list(each.isr),
                eligible_leader_replicas=list(each.eligible_leader_replicas),
                last_known_elr=list(each.last_known_elr),
                offline_replicas=list(each.offline_replicas),
            )
            for each in topic.partitions
        ],
    )


TOPIC_PARTITION_APIS = {
    "DescribeTopicPartitions": Translation(_read_describe, _write_described, range(1)),
}
