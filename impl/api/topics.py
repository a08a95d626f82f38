"""Between the wire and the core: the cluster and its topics.

| API | versions | notes |
|---|---|---|
| Metadata | 0-13 | no topics means all in 0; topic ids since 10 and 12 (KIP-516) |
| DescribeCluster | 0-2 | KIP-700; brokers or controllers since 1 (KIP-919), fenced ones since 2 |
| CreateTopics | 2-7 | the result in full since 5 (KIP-525), topic id since 7 |
| DeleteTopics | 1-6 | topic ids since 6 |
| CreatePartitions | 0-3 | KIP-195 |

CreateTopics is also what a broker asks of the controller, for topics that it is to create itself.
"""

from __future__ import annotations

from typing import Any

from impl.api.asking import Asking
from impl.api.translation import Translation
from impl.core.cluster.messages import (
    CreatedPartitions,
    CreatedTopic,
    CreatedTopics,
    CreatePartitions,
    CreateTopics,
    DeletedTopics,
    DeleteTopics,
    DescribedCluster,
    DescribedPartition,
    DescribedTopic,
    DescribeTopics,
    MorePartitions,
    NewTopic,
)
from impl.core.cluster.topics import TopicReference
from impl.core.quorum.messages import DescribeControllers
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

CREATION_TIMEOUT_MS = 10_000
NOT_ASKED = -(2**31)
# Bit n stands for operation n; without an authorizer everybody may do what there is to do.
ALL_TOPIC_OPERATIONS = sum(1 << operation for operation in (3, 4, 5, 6, 7, 8, 10, 11))
ALL_CLUSTER_OPERATIONS = sum(1 << operation for operation in (5, 7, 8, 9, 10, 11, 12))

TOPIC_IDS_IN_DELETE_SINCE = 6
BROKER_ENDPOINTS, CONTROLLER_ENDPOINTS = 1, 2


# Metadata


def _read_metadata(request: Request, _client_host: str) -> DescribeTopics:
    body = request.body
    topics: tuple[TopicReference, ...] | None = None
    if body.topics is not None and (body.topics or request.api_version > 0):
        topics = tuple(t.topic_id if t.name is None else t.name for t in body.topics)
    return DescribeTopics(topics, body.allow_auto_topic_creation)


def _write_metadata(request: Request, cluster: DescribedCluster) -> Struct:
    asked = request.body.include_cluster_authorized_operations
    return Struct(
        brokers=[
            Struct(node_id=each.node_id, host=each.host, port=each.port, rack=each.rack)
            for each in cluster.brokers
        ],
        cluster_id=cluster.cluster_id,
        controller_id=cluster.controller_id,
        topics=[_write_topic(request, topic) for topic in cluster.topics],
        cluster_authorized_operations=ALL_CLUSTER_OPERATIONS if asked else NOT_ASKED,
    )


def _write_topic(request: Request, topic: DescribedTopic) -> Struct:
    asked = request.body.include_topic_authorized_operations
    return Struct(
        error_code=topic.error,
        name=topic.name if topic.name is not None or request.api_version >= 12 else "",
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        topic_authorized_operations=ALL_TOPIC_OPERATIONS if asked else NOT_ASKED,
        partitions=[_write_partition(request, each) for each in topic.partitions],
    )


def _write_partition(request: Request, each: DescribedPartition) -> Struct:
    replicas, isr, error = each.replicas, each.isr, each.error
    if request.api_version == 0 and each.offline_replicas:
        # The oldest clients take every replica that they hear of for one that is alive.
        replicas = tuple(r for r in replicas if r not in each.offline_replicas)
        isr = tuple(r for r in isr if r not in each.offline_replicas)
        error = error or ErrorCode.REPLICA_NOT_AVAILABLE
    return Struct(
        partition_index=each.partition,
        error_code=error,
        leader_id=each.leader,
        leader_epoch=each.leader_epoch,
        replica_nodes=list(replicas),
        isr_nodes=list(isr),
        offline_replicas=list(each.offline_replicas),
    )


# DescribeCluster


def _read_describe_cluster(
    request: Request, _client_host: str
) -> DescribeTopics | DescribeControllers:
    """Every node knows both, so unlike Kafka's it tells both on each of its listeners."""
    if request.body.endpoint_type == CONTROLLER_ENDPOINTS:
        return DescribeControllers()
    return DescribeTopics(topics=())


def _write_describe_cluster(request: Request, cluster: DescribedCluster) -> Struct:
    body = request.body
    if body.endpoint_type not in (BROKER_ENDPOINTS, CONTROLLER_ENDPOINTS):
        return Struct(
            error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
            error_message=f"There are no endpoints of type {body.endpoint_type}.",
            endpoint_type=BROKER_ENDPOINTS,
            cluster_id=cluster.cluster_id,
        )
    asked = body.include_cluster_authorized_operations
    fenced = cluster.fenced if body.include_fenced_brokers else ()
    return Struct(
        endpoint_type=body.endpoint_type,
        cluster_id=cluster.cluster_id,
        controller_id=cluster.controller_id,
        brokers=[
            Struct(
                broker_id=each.node_id,
                host=each.host,
                port=each.port,
                rack=each.rack,
                is_fenced=each in fenced,
            )
            for each in (*cluster.brokers, *fenced)
        ],
        cluster_authorized_operations=ALL_CLUSTER_OPERATIONS if asked else NOT_ASKED,
    )


# CreateTopics


def _read_create_topics(request: Request, _client_host: str) -> CreateTopics:
    topics = tuple(
        NewTopic(
            name=topic.name,
            num_partitions=topic.num_partitions,
            replication_factor=topic.replication_factor,
            assignment=tuple(
                (each.partition_index, tuple(each.broker_ids)) for each in topic.assignments
            ),
            configs=tuple((each.name, each.value) for each in topic.configs),
        )
        for topic in request.body.topics
    )
    return CreateTopics(topics, request.body.validate_only)


def _write_create_topics(_request: Request, result: CreatedTopics) -> Struct:
    return Struct(topics=[_write_created(topic) for topic in result.topics])


def _write_created(topic: CreatedTopic) -> Struct:
    return Struct(
        name=topic.name,
        topic_id=topic.topic_id,
        error_code=topic.error,
        error_message=topic.message,
        num_partitions=topic.num_partitions,
        replication_factor=topic.replication_factor,
        configs=[
            Struct(
                name=each.name,
                value=each.value,
                read_only=each.is_read_only,
                config_source=each.source,
            )
            for each in topic.configs
        ],
    )


def _ask_create_topics(request: CreateTopics) -> Struct:
    return Struct(
        topics=[
            Struct(
                name=topic.name,
                num_partitions=topic.num_partitions,
                replication_factor=topic.replication_factor,
                assignments=[
                    Struct(partition_index=partition, broker_ids=list(replicas))
                    for partition, replicas in topic.assignment
                ],
                configs=[Struct(name=name, value=value) for name, value in topic.configs],
            )
            for topic in request.topics
        ],
        timeout_ms=CREATION_TIMEOUT_MS,
        validate_only=request.validate_only,
    )


def _hear_created_topics(body: Struct) -> CreatedTopics:
    return CreatedTopics(
        tuple(
            CreatedTopic(
                topic.name,
                ErrorCode(topic.error_code),
                topic.error_message,
                topic.topic_id,
                topic.num_partitions,
                topic.replication_factor,
            )
            for topic in body.topics
        )
    )


# DeleteTopics


def _read_delete_topics(request: Request, _client_host: str) -> DeleteTopics:
    if request.api_version < TOPIC_IDS_IN_DELETE_SINCE:
        return DeleteTopics(tuple(request.body.topic_names))
    topics: list[Any] = [
        each.topic_id if each.name is None else each.name for each in request.body.topics
    ]
    return DeleteTopics(tuple(topics))


def _write_delete_topics(request: Request, result: DeletedTopics) -> Struct:
    by_id = request.api_version >= TOPIC_IDS_IN_DELETE_SINCE
    return Struct(
        responses=[
            Struct(
                name=each.name if by_id else each.name or "",
                topic_id=each.topic_id,
                error_code=each.error,
                error_message=each.message,
            )
            for each in result.topics
        ]
    )


# CreatePartitions


def _read_create_partitions(request: Request, _client_host: str) -> CreatePartitions:
    topics = tuple(
        MorePartitions(
            name=topic.name,
            count=topic.count,
            assignments=None
            if topic.assignments is None
            else tuple(tuple(each.broker_ids) for each in topic.assignments),
        )
        for topic in request.body.topics
    )
    return CreatePartitions(topics, request.body.validate_only)


def _write_create_partitions(_request: Request, result: CreatedPartitions) -> Struct:
    return Struct(
        results=[
            Struct(name=each.name, error_code=each.error, error_message=each.message)
            for each in result.topics
        ]
    )


TOPIC_APIS = {
    "Metadata": Translation(_read_metadata, _write_metadata, range(14)),
    "DescribeCluster": Translation(_read_describe_cluster, _write_describe_cluster, range(3)),
    "CreateTopics": Translation(_read_create_topics, _write_create_topics, range(2, 8)),
    "DeleteTopics": Translation(_read_delete_topics, _write_delete_topics, range(1, 7)),
    "CreatePartitions": Translation(_read_create_partitions, _write_create_partitions, range(4)),
}

TOPICS_ASKED = {CreateTopics: Asking("CreateTopics", 7, _ask_create_topics, _hear_created_topics)}
