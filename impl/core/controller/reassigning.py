"""Moving replicas to other brokers (KIP-455).

REPL-15. A reassignment first adds the new replicas to the old ones; when all that are to stay are
in sync `partition_change` takes the others away. Until then it can be cancelled, or replaced by
another: what was there before the first is what a cancellation goes back to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from impl.core.cluster.catalogue import Assignment, Topic
from impl.core.cluster.messages import (
    AlteredReassignments,
    AlterReassignments,
    ListedReassignments,
    ListReassignments,
    OngoingReassignment,
    Reassignment,
    ReassignmentOutcome,
)
from impl.core.controller.cluster import Cluster
from impl.core.controller.topics import check_replicas
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


def alter_reassignments(cluster: Cluster, request: AlterReassignments) -> AlteredReassignments:
    may_resize = request.allow_replication_factor_change
    outcomes = []
    for asked in request.reassignments:
        try:
            _reassign(cluster, asked, may_resize=may_resize)
        except KafkaError as refused:
            error, message = refused.error, refused.message
            outcomes.append(ReassignmentOutcome(asked.topic, asked.partition, error, message))
        else:
            outcomes.append(ReassignmentOutcome(asked.topic, asked.partition))
    return AlteredReassignments(tuple(outcomes))


def _reassign(cluster: Cluster, asked: Reassignment, *, may_resize: bool) -> None:
    topic = cluster.catalogue.topics.get(asked.topic)
    if topic is None or asked.partition not in topic.partitions:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    old = topic.partitions[asked.partition]
    if asked.replicas is None:
        _cancel(cluster, topic, asked.partition, old)
        return
    check_replicas(cluster.catalogue, [asked.replicas])
    if not may_resize and len(asked.replicas) != _size_when_done(old):
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"The partition has {_size_when_done(old)} replicas, and is not to have another"
            f" number of them.",
        )
    cluster.change(topic, asked.partition, _towards(old, asked.replicas))


def _towards(old: Assignment, target: tuple[int, ...]) -> Assignment:
    """What is on the way to another reassignment is in the way like the replicas of old."""
    going = tuple(replica for replica in sorted(old.replicas) if replica not in target)
    replicas = target + going
    former = _former_replicas(old)
    return replace(
        old,
        replicas=replicas,
        removing_replicas=going,
        adding_replicas=tuple(sorted(replica for replica in replicas if replica not in former)),
    )


def _former_replicas(old: Assignment) -> tuple[int, ...]:
    return tuple(replica for replica in old.replicas if replica not in old.adding_replicas)


def _size_when_done(old: Assignment) -> int:
    return len(set(old.replicas) - set(old.removing_replicas))


def _cancel(cluster: Cluster, topic: Topic, partition: int, old: Assignment) -> None:
    if not _is_ongoing(old):
        raise KafkaError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
    replicas = _former_replicas(old)
    isr = tuple(replica for replica in old.isr if replica in replicas)
    if not isr:
        if not cluster.may_elect_uncleanly(topic):
            raise KafkaError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                "None of the former replicas is in sync, and the topic forbids unclean elections.",
            )
        isr = replicas[:1]
    wanted = replace(old, replicas=replicas, isr=isr, adding_replicas=(), removing_replicas=())
    cluster.change(topic, partition, wanted)


def _is_ongoing(assignment: Assignment) -> bool:
    return bool(assignment.adding_replicas or assignment.removing_replicas)


def list_reassignments(cluster: Cluster, request: ListReassignments) -> ListedReassignments:
    asked: Sequence[tuple[str, Sequence[int] | None]]
    if request.topics is None:
        asked = [(name, None) for name in cluster.catalogue.topics]
    else:
        asked = request.topics
    return ListedReassignments(
        tuple(
            OngoingReassignment(
                name,
                index,
                assignment.replicas,
                assignment.adding_replicas,
                assignment.removing_replicas,
            )
            for name, indexes in asked
            if (topic := cluster.catalogue.topics.get(name)) is not None
            for index, assignment in topic.partitions.items()
            if (indexes is None or index in indexes) and _is_ongoing(assignment)
        )
    )
