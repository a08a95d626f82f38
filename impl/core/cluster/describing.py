"""Topics and partitions as clients see them: what a broker has read of the metadata log so far.

CLUS-09, CLUS-10, TOPC-14. Two brokers may tell different things for a while; leader and leader
epoch of a partition always come from the same record.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.messages import (
    DescribedPartition,
    DescribedPartitions,
    DescribedTopic,
    DescribePartitions,
    PartitionCursor,
)
from impl.core.cluster.topics import INTERNAL_TOPICS, name_problem
from spec.wire.errors import ErrorCode

MAXIMUM_PARTITIONS_DESCRIBED = 2000
NO_LEADER = -1


def described_topic(catalogue: Catalogue, topic: Topic) -> DescribedTopic:
    return _described(catalogue, topic, topic.partitions)


def unknown_topic(name: str) -> DescribedTopic:
    """TOPC-01 for names that no topic can have."""
    error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if name_problem(name):
        error = ErrorCode.INVALID_TOPIC_EXCEPTION
    return DescribedTopic(name, error=error, is_internal=name in INTERNAL_TOPICS)


def _described(catalogue: Catalogue, topic: Topic, indexes: Iterable[int]) -> DescribedTopic:
    alive = catalogue.alive
    return DescribedTopic(
        topic.name,
        topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,  # TOPC-14
        partitions=tuple(_partition(i, topic.partitions[i], alive) for i in indexes),
    )


def _partition(index: int, assignment: Assignment, alive: Container[int]) -> DescribedPartition:
    has_leader = assignment.leader in alive  # CLUS-09
    return DescribedPartition(
        index,
        assignment.leader if has_leader else NO_LEADER,
        assignment.leader_epoch,
        assignment.replicas,
        assignment.isr,
        ErrorCode.NONE if has_leader else ErrorCode.LEADER_NOT_AVAILABLE,
        tuple(replica for replica in assignment.replicas if replica not in alive),
        assignment.eligible_leader_replicas,
        assignment.last_known_elr,
    )


# DescribeTopicPartitions: page by page, topics in the order of their names


def described_partitions(catalogue: Catalogue, request: DescribePartitions) -> DescribedPartitions:
    cursor = request.cursor
    if cursor is not None and cursor.partition < 0:
        return DescribedPartitions(ErrorCode.INVALID_REQUEST)
    names = sorted(set(request.topics or catalogue.topics))
    remaining = max(min(request.limit, MAXIMUM_PARTITIONS_DESCRIBED), 1)
    described: list[DescribedTopic] = []
    for name in names:
        if cursor is not None and name < cursor.topic:
            continue
        if remaining == 0:
            return DescribedPartitions(
                topics=tuple(described), next_cursor=PartitionCursor(name, 0)
            )
        topic = catalogue.topics.get(name)
        if topic is None:
            described.append(unknown_topic(name))
            continue
        first = cursor.partition if cursor is not None and cursor.topic == name else 0
        behind = min(len(topic.partitions), first + remaining)
        described.append(_described(catalogue, topic, range(first, behind)))
        if behind < len(topic.partitions):
            return DescribedPartitions(
                topics=tuple(described), next_cursor=PartitionCursor(name, behind)
            )
        remaining -= len(described[-1].partitions)
    return DescribedPartitions(topics=tuple(described))
