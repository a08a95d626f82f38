"""AlterPartition: which in-sync replicas a leader may propose.

REPL-06, REPL-08, REPL-09, REPL-10.
"""

from __future__ import annotations

from dataclasses import replace

from impl.core.cluster.broker_messages import (
    AlteredPartition,
    AlteredPartitions,
    AlterPartitions,
    IsrProposal,
)
from impl.core.cluster.catalogue import Assignment
from impl.core.controller.cluster import Cluster
from impl.core.controller.partition_change import RECOVERED, RECOVERING
from spec.wire.errors import ErrorCode


def alter_partitions(cluster: Cluster, request: AlterPartitions) -> AlteredPartitions:
    """Raises KafkaError."""
    cluster.registered(request.broker_id, request.broker_epoch)
    outcomes = (_alter(cluster, request.broker_id, each) for each in request.proposals)
    return AlteredPartitions(partitions=tuple(outcomes))


def _alter(cluster: Cluster, broker_id: int, proposal: IsrProposal) -> AlteredPartition:
    topic = cluster.catalogue.find(proposal.topic_id)
    at = proposal.topic_id, proposal.partition
    if topic is None:  # TOPC-10
        return AlteredPartition(*at, ErrorCode.UNKNOWN_TOPIC_ID)
    if proposal.partition not in topic.partitions:
        return AlteredPartition(*at, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    old = topic.partitions[proposal.partition]
    if (error := _problem(cluster, broker_id, old, proposal)) is not ErrorCode.NONE:
        return AlteredPartition(*at, error)
    wanted = replace(
        old,
        isr=tuple(replica for replica, _ in proposal.isr),
        leader_recovery_state=proposal.leader_recovery_state,
    )
    cluster.change(topic, proposal.partition, wanted)
    new = topic.partitions[proposal.partition]
    if new.leader != broker_id:  # the proposal completed a reassignment, and the leader had to go
        return AlteredPartition(*at, ErrorCode.NEW_LEADER_ELECTED)
    return AlteredPartition(
        *at,
        leader=new.leader,
        leader_epoch=new.leader_epoch,
        isr=new.isr,
        partition_epoch=new.partition_epoch,
        leader_recovery_state=new.leader_recovery_state,
    )


def _problem(
    cluster: Cluster, broker_id: int, old: Assignment, proposal: IsrProposal
) -> ErrorCode:
    if (error := _out_of_date(broker_id, old, proposal)) is not ErrorCode.NONE:
        return error
    isr = [replica for replica, _ in proposal.isr]
    # REPL-08
    if len(set(isr)) < len(isr) or not set(isr) <= set(old.replicas) or old.leader not in isr:
        return ErrorCode.INVALID_REQUEST
    state = proposal.leader_recovery_state  # REPL-10
    if state not in (RECOVERED, RECOVERING) or (state == RECOVERING and len(isr) > 1):
        return ErrorCode.INVALID_REQUEST
    if state == RECOVERING and old.leader_recovery_state == RECOVERED:
        return ErrorCode.INVALID_REQUEST
    if not all(_is_eligible(cluster, *each) for each in proposal.isr):  # REPL-06
        return ErrorCode.INELIGIBLE_REPLICA
    return ErrorCode.NONE


def _out_of_date(broker_id: int, old: Assignment, proposal: IsrProposal) -> ErrorCode:
    """REPL-09, in the order of its table."""
    if proposal.leader_epoch > old.leader_epoch or proposal.partition_epoch > old.partition_epoch:
        return ErrorCode.NOT_CONTROLLER
    if proposal.leader_epoch < old.leader_epoch:
        return ErrorCode.FENCED_LEADER_EPOCH
    if broker_id != old.leader:
        return ErrorCode.INVALID_REQUEST
    if proposal.partition_epoch < old.partition_epoch:
        return ErrorCode.INVALID_UPDATE_VERSION
    return ErrorCode.NONE


def _is_eligible(cluster: Cluster, replica: int, broker_epoch: int) -> bool:
    if not cluster.catalogue.is_active(replica):
        return False
    return broker_epoch in (-1, cluster.catalogue.brokers[replica].broker_epoch)
