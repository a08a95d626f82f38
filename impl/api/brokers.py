"""Between the wire and the core: what brokers ask the controller, for both sides of it.

| API | versions | notes |
|---|---|---|
| BrokerRegistration | 0-4 | previous broker epoch since 3 (KIP-966) |
| BrokerHeartbeat | 0-2 | |
| AlterPartition | 2-3 | broker epochs of the in-sync replicas since 3 (KIP-903) |
| AllocateProducerIds | 0 | KIP-730 |
| UnregisterBroker | 0 | what an operator asks (KIP-1158) |

A broker has one listener for clients, which it names PLAINTEXT, and one data folder, which it does
not name; features are not negotiated.
"""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from impl.api.asking import Asking
from impl.api.metadata_records import LISTENER, PLAINTEXT
from impl.api.translation import Translation
from impl.core.cluster.broker_messages import (
    AllocatedProducerIds,
    AllocateProducerIds,
    AlteredPartition,
    AlteredPartitions,
    AlterPartitions,
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    IsrProposal,
    RegisterBroker,
)
from impl.core.cluster.messages import BrokerUnregistered, Endpoint, UnregisterBroker
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

ISR_WITH_EPOCHS_SINCE = 3
UNKNOWN_BROKER_EPOCH = -1

# BrokerRegistration


def _read_registration(request: Request, _client_host: str) -> RegisterBroker:
    body = request.body
    at = body.listeners[0] if body.listeners else Struct(host="", port=0)
    return RegisterBroker(
        Endpoint(body.broker_id, at.host, at.port, body.rack),
        body.cluster_id,
        body.incarnation_id,
        body.previous_broker_epoch,
    )


def _write_registered(_request: Request, result: BrokerRegistered) -> Struct:
    return Struct(error_code=result.error, broker_epoch=result.broker_epoch)


def _ask_registration(request: RegisterBroker) -> Struct:
    at = request.endpoint
    listener = Struct(name=LISTENER, host=at.host, port=at.port, security_protocol=PLAINTEXT)
    return Struct(
        broker_id=at.node_id,
        cluster_id=request.cluster_id,
        incarnation_id=request.incarnation_id,
        listeners=[listener],
        features=[],
        rack=at.rack,
        log_dirs=[],
        previous_broker_epoch=request.previous_broker_epoch,
    )


def _hear_registered(body: Struct) -> BrokerRegistered:
    return BrokerRegistered(ErrorCode(body.error_code), body.broker_epoch)


# BrokerHeartbeat


def _read_heartbeat(request: Request, _client_host: str) -> BrokerHeartbeat:
    body = request.body
    return BrokerHeartbeat(
        body.broker_id,
        body.broker_epoch,
        body.current_metadata_offset,
        body.want_fence,
        body.want_shut_down,
    )


def _write_heartbeat(_request: Request, result: BrokerHeartbeatReply) -> Struct:
    return Struct(
        error_code=result.error,
        is_caught_up=result.is_caught_up,
        is_fenced=result.is_fenced,
        should_shut_down=result.should_shut_down,
    )


def _ask_heartbeat(request: BrokerHeartbeat) -> Struct:
    return Struct(
        broker_id=request.broker_id,
        broker_epoch=request.broker_epoch,
        current_metadata_offset=request.metadata_offset,
        want_fence=request.wants_fence,
        want_shut_down=request.wants_shut_down,
    )


def _hear_heartbeat(body: Struct) -> BrokerHeartbeatReply:
    return BrokerHeartbeatReply(
        ErrorCode(body.error_code), body.is_caught_up, body.is_fenced, body.should_shut_down
    )


# AlterPartition


def _read_proposals(request: Request, _client_host: str) -> AlterPartitions:
    body = request.body
    proposals = tuple(
        IsrProposal(
            topic.topic_id,
            each.partition_index,
            each.leader_epoch,
            _proposed_isr(request, each),
            each.partition_epoch,
            each.leader_recovery_state,
        )
        for topic in body.topics
        for each in topic.partitions
    )
    return AlterPartitions(body.broker_id, body.broker_epoch, proposals)


def _proposed_isr(request: Request, partition: Struct) -> tuple[tuple[int, int], ...]:
    if request.api_version < ISR_WITH_EPOCHS_SINCE:
        return tuple((replica, UNKNOWN_BROKER_EPOCH) for replica in partition.new_isr)
    return tuple((each.broker_id, each.broker_epoch) for each in partition.new_isr_with_epochs)


def _topic_of(each: IsrProposal | AlteredPartition) -> UUID:
    return each.topic_id


def _write_altered(_request: Request, result: AlteredPartitions) -> Struct:
    return Struct(
        error_code=result.error,
        topics=[
            Struct(topic_id=topic_id, partitions=[_write_partition(each) for each in partitions])
            for topic_id, partitions in groupby(result.partitions, _topic_of)
        ],
    )


def _write_partition(each: AlteredPartition) -> Struct:
    return Struct(
        partition_index=each.partition,
        error_code=each.error,
        leader_id=each.leader,
        leader_epoch=each.leader_epoch,
        isr=list(each.isr),
        leader_recovery_state=each.leader_recovery_state,
        partition_epoch=each.partition_epoch,
    )


def _ask_proposals(request: AlterPartitions) -> Struct:
    return Struct(
        broker_id=request.broker_id,
        broker_epoch=request.broker_epoch,
        topics=[
            Struct(topic_id=topic_id, partitions=[_ask_proposal(each) for each in proposals])
            for topic_id, proposals in groupby(request.proposals, _topic_of)
        ],
    )


def _ask_proposal(each: IsrProposal) -> Struct:
    isr = [Struct(broker_id=replica, broker_epoch=epoch) for replica, epoch in each.isr]
    return Struct(
        partition_index=each.partition,
        leader_epoch=each.leader_epoch,
        new_isr_with_epochs=isr,
        leader_recovery_state=each.leader_recovery_state,
        partition_epoch=each.partition_epoch,
    )


def _hear_altered(body: Struct) -> AlteredPartitions:
    return AlteredPartitions(
        ErrorCode(body.error_code),
        tuple(
            AlteredPartition(
                topic.topic_id,
                each.partition_index,
                ErrorCode(each.error_code),
                each.leader_id,
                each.leader_epoch,
                tuple(each.isr),
                each.partition_epoch,
                each.leader_recovery_state,
            )
            for topic in body.topics
            for each in topic.partitions
        ),
    )


# AllocateProducerIds


def _read_allocation(request: Request, _client_host: str) -> AllocateProducerIds:
    return AllocateProducerIds(request.body.broker_id, request.body.broker_epoch)


def _write_allocated(_request: Request, result: AllocatedProducerIds) -> Struct:
    return Struct(
        error_code=result.error, producer_id_start=result.first, producer_id_len=result.count
    )


def _ask_allocation(request: AllocateProducerIds) -> Struct:
    return Struct(broker_id=request.broker_id, broker_epoch=request.broker_epoch)


def _hear_allocated(body: Struct) -> AllocatedProducerIds:
    return AllocatedProducerIds(
        ErrorCode(body.error_code), body.producer_id_start, body.producer_id_len
    )


# UnregisterBroker


def _read_unregister(request: Request, _client_host: str) -> UnregisterBroker:
    return UnregisterBroker(request.body.broker_id)


def _write_unregistered(_request: Request, result: BrokerUnregistered) -> Struct:
    return Struct(error_code=result.error, error_message=result.message)


BROKER_APIS = {
    "BrokerRegistration": Translation(_read_registration, _write_registered, range(5)),
    "BrokerHeartbeat": Translation(_read_heartbeat, _write_heartbeat, range(3)),
    "AlterPartition": Translation(_read_proposals, _write_altered, range(2, 4)),
    "AllocateProducerIds": Translation(_read_allocation, _write_allocated, range(1)),
    "UnregisterBroker": Translation(_read_unregister, _write_unregistered, range(1)),
}

BROKERS_ASKED = {
    RegisterBroker: Asking("BrokerRegistration", 4, _ask_registration, _hear_registered),
    BrokerHeartbeat: Asking("BrokerHeartbeat", 2, _ask_heartbeat, _hear_heartbeat),
    AlterPartitions: Asking("AlterPartition", 3, _ask_proposals, _hear_altered),
    AllocateProducerIds: Asking("AllocateProducerIds", 0, _ask_allocation, _hear_allocated),
}
