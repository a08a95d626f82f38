"""Who leads what, when brokers come and go, and when somebody asks for an election.

CLUS-06, CLUS-07, ELEC-12, ELEC-13, ELEC-15. Which replica wins is decided in `partition_change`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from impl.core.cluster.catalogue import Topic
from impl.core.cluster.electing import (
    PREFERRED,
    UNCLEAN,
    Elections,
    ElectLeaders,
    PartitionElection,
)
from impl.core.controller.cluster import Cluster
from impl.core.controller.partition_change import NO_LEADER, Election
from spec.wire.errors import ErrorCode

# When brokers come and go


def leads_any(cluster: Cluster, broker_id: int) -> bool:
    return any(assignment.leader == broker_id for _, _, assignment in cluster.partitions())


def broker_leaves(cluster: Cluster, broker_id: int) -> None:
    """It may not lead any more, and leaves the in-sync replicas where others remain (CLUS-06)."""
    for topic, index, old in cluster.partitions():
        if broker_id in old.isr:
            remaining = tuple(replica for replica in old.isr if replica != broker_id)
            cluster.change(topic, index, replace(old, isr=remaining))


def broker_struck(cluster: Cluster, broker_id: int) -> None:
    """ELEC-15: it may have lost the end of its logs, and has no claim to lead any more."""
    for topic, index, old in cluster.partitions():
        if broker_id in old.isr or broker_id in old.eligible_leader_replicas:
            remaining = tuple(replica for replica in old.isr if replica != broker_id)
            cluster.change(topic, index, replace(old, isr=remaining), struck=(broker_id,))


def broker_arrives(cluster: Cluster) -> None:
    """CLUS-07: what had no leader may get one."""
    for topic in tuple(cluster.catalogue.topics.values()):
        elect_leaderless(cluster, topic)


def elect_leaderless(cluster: Cluster, topic: Topic) -> None:
    for index, old in tuple(topic.partitions.items()):
        if old.leader == NO_LEADER:
            cluster.change(topic, index, old)


# When somebody asks


def elect_leaders(cluster: Cluster, request: ElectLeaders) -> Elections:
    if request.election_type not in (PREFERRED, UNCLEAN):
        return Elections(ErrorCode.INVALID_REQUEST)
    if request.topics is not None:
        return Elections(topics=[_elect(cluster, request, *each) for each in request.topics])
    topics = cluster.catalogue.topics.values()
    held = [_elect(cluster, request, topic.name, list(topic.partitions)) for topic in topics]
    # Whoever asks for all partitions hears only of those where there was something to do.
    return Elections(
        topics=[
            (name, [each for each in outcomes if each.error != ErrorCode.ELECTION_NOT_NEEDED])
            for name, outcomes in held
        ]
    )


def _elect(
    cluster: Cluster, request: ElectLeaders, name: str, partitions: Sequence[int]
) -> tuple[str, Sequence[PartitionElection]]:
    kind = request.election_type
    return name, [PartitionElection(p, _outcome(cluster, kind, name, p)) for p in partitions]


def _outcome(cluster: Cluster, kind: int, name: str, partition: int) -> ErrorCode:
    topic = cluster.catalogue.topics.get(name)
    if topic is None or partition not in topic.partitions:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    old = topic.partitions[partition]
    if kind == PREFERRED:  # ELEC-12
        if old.leader == old.replicas[0]:
            return ErrorCode.ELECTION_NOT_NEEDED
        if not cluster.change(topic, partition, old, Election.PREFERRED):
            return ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    else:  # ELEC-13
        if old.leader != NO_LEADER:
            return ErrorCode.ELECTION_NOT_NEEDED
        if not cluster.change(topic, partition, old, Election.UNCLEAN):
            return ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    return ErrorCode.NONE


# Of the controller's own accord


def balance_leaders(cluster: Cluster, permitted_percentage: int) -> None:
    """Give leaderships back to brokers that lack too many of those where they are preferred."""
    preferred: Counter[int] = Counter()
    lost: Counter[int] = Counter()
    for _, _, assignment in cluster.partitions():
        preferred[assignment.replicas[0]] += 1
        lost[assignment.replicas[0]] += assignment.leader != assignment.replicas[0]
    for topic, index, old in cluster.partitions():
        broker_id = old.replicas[0]
        if lost[broker_id] * 100 > permitted_percentage * preferred[broker_id]:
            cluster.change(topic, index, old, Election.PREFERRED)
