"""What brokers ask the controller, and what clients have it do, from bytes to bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from impl.api.asked import ASKED
from impl.api.brokers import BROKER_APIS
from impl.api.reassignments import REASSIGNMENT_APIS
from impl.api.topic_partitions import TOPIC_PARTITION_APIS
from impl.api.topics import TOPIC_APIS
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
from impl.core.cluster.messages import (
    AlteredReassignments,
    AlterReassignments,
    BrokerUnregistered,
    CreatedTopic,
    CreatedTopics,
    CreateTopics,
    DescribedCluster,
    DescribedPartition,
    DescribedPartitions,
    DescribedTopic,
    DescribePartitions,
    Endpoint,
    ListedReassignments,
    ListReassignments,
    NewTopic,
    OngoingReassignment,
    PartitionCursor,
    Reassignment,
    ReassignmentOutcome,
    UnregisterBroker,
)
from impl.core.quorum.messages import DescribeControllers
from impl.wire import (
    Request,
    Struct,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from spec.wire import request as request_of
from spec.wire.errors import ErrorCode

E = ErrorCode
APIS = {**BROKER_APIS, **REASSIGNMENT_APIS, **TOPIC_PARTITION_APIS, **TOPIC_APIS}
ID, OTHER = UUID(int=5), UUID(int=6)
AT = Endpoint(3, "localhost", 9093, "a")

ASKED_AND_ANSWERED: list[tuple[Any, Any]] = [
    (RegisterBroker(AT, "cluster", ID, 17), BrokerRegistered(E.NONE, 40)),
    (RegisterBroker(AT, "cluster", ID), BrokerRegistered(E.DUPLICATE_BROKER_REGISTRATION)),
    (
        BrokerHeartbeat(3, 40, 41, wants_fence=True, wants_shut_down=True),
        BrokerHeartbeatReply(E.NONE, True, False, True),
    ),
    (
        AlterPartitions(
            3,
            40,
            (
                IsrProposal(ID, 0, 5, ((3, 40), (1, -1)), 6),
                IsrProposal(ID, 1, 5, ((3, 40),), 6, 1),
                IsrProposal(OTHER, 0, 5, ((3, 40),), 6),
            ),
        ),
        AlteredPartitions(
            partitions=(
                AlteredPartition(ID, 0, E.NONE, 3, 5, (3, 1), 7),
                AlteredPartition(ID, 1, E.INVALID_UPDATE_VERSION),
                AlteredPartition(OTHER, 0, E.NONE, 3, 5, (3,), 7, 1),
            )
        ),
    ),
    (AlterPartitions(3, 40, ()), AlteredPartitions(E.STALE_BROKER_EPOCH)),
    (AllocateProducerIds(3, 40), AllocatedProducerIds(E.NONE, 1000, 1000)),
    (
        CreateTopics((NewTopic("a", 2, 1, configs=(("cleanup.policy", "compact"),)),)),
        CreatedTopics((CreatedTopic("a", E.TOPIC_ALREADY_EXISTS, "There is one."),)),
    ),
    (
        CreateTopics((NewTopic("a", assignment=((0, (1, 2)),)),)),
        CreatedTopics((CreatedTopic("a", topic_id=ID, num_partitions=1, replication_factor=2),)),
    ),
]


def on_the_wire(api_name: str, version: int, body: Struct) -> Request:
    frame = b"".join(encode_request(api_name, version, 1, "client", body))
    return decode_request(frame[4:])


def answer_on_the_wire(request: Request, result: Any) -> Struct:
    written = APIS[request.api_name].write(request, result)
    frame = b"".join(encode_response(request, written))
    return decode_response(request.api_name, request.api_version, frame[4:])[1]


@pytest.mark.parametrize(
    ("asked", "answer"), ASKED_AND_ANSWERED, ids=lambda each: type(each).__name__
)
def test_a_node_is_understood_by_another(asked: Any, answer: Any) -> None:
    asking = ASKED[type(asked)]
    request = on_the_wire(asking.api_name, asking.version, asking.write(asked))
    assert APIS[asking.api_name].read(request, "localhost") == asked
    assert asking.read(answer_on_the_wire(request, answer)) == answer


def test_a_node_asks_in_the_latest_version() -> None:
    for kind in (RegisterBroker, BrokerHeartbeat, AlterPartitions, AllocateProducerIds):
        asking = ASKED[kind]
        assert asking.version == request_of(asking.api_name).valid_versions[-1]


def test_in_sync_replicas_without_broker_epochs_are_not_compared() -> None:
    partition = Struct(
        partition_index=0,
        leader_epoch=5,
        new_isr=[3, 1],
        leader_recovery_state=0,
        partition_epoch=6,
    )
    body = Struct(
        broker_id=3, broker_epoch=40, topics=[Struct(topic_id=ID, partitions=[partition])]
    )
    request = on_the_wire("AlterPartition", 2, body)
    (proposal,) = BROKER_APIS["AlterPartition"].read(request, "localhost").proposals
    assert proposal.isr == ((3, -1), (1, -1))


def test_an_operator_unregisters_a_broker() -> None:
    request = on_the_wire("UnregisterBroker", 0, Struct(broker_id=3))
    assert BROKER_APIS["UnregisterBroker"].read(request, "") == UnregisterBroker(3)
    result = BrokerUnregistered(E.BROKER_ID_NOT_REGISTERED, "There is none.")
    body = answer_on_the_wire(request, result)
    assert (body.error_code, body.error_message) == (102, "There is none.")


def test_reassignments_are_asked_for_and_listed() -> None:
    partitions = [
        Struct(partition_index=0, replicas=[1, 2]),
        Struct(partition_index=1, replicas=None),
    ]
    body = Struct(
        timeout_ms=1,
        allow_replication_factor_change=False,
        topics=[Struct(name="a", partitions=partitions)],
    )
    request = on_the_wire("AlterPartitionReassignments", 1, body)
    assert REASSIGNMENT_APIS["AlterPartitionReassignments"].read(request, "") == (
        AlterReassignments((Reassignment("a", 0, (1, 2)), Reassignment("a", 1, None)), False)
    )
    refused = ReassignmentOutcome("a", 1, E.NO_REASSIGNMENT_IN_PROGRESS, "None.")
    answer = answer_on_the_wire(
        request, AlteredReassignments((ReassignmentOutcome("a", 0), refused))
    )
    assert [each.error_code for each in answer.responses[0].partitions] == [0, 85]

    request = on_the_wire("ListPartitionReassignments", 0, Struct(timeout_ms=1, topics=None))
    assert REASSIGNMENT_APIS["ListPartitionReassignments"].read(request, "") == (
        ListReassignments(None)
    )
    ongoing = OngoingReassignment("a", 0, (1, 2, 3), (3,), (1,))
    listed = answer_on_the_wire(request, ListedReassignments((ongoing,))).topics[0].partitions[0]
    assert (listed.replicas, listed.adding_replicas, listed.removing_replicas) == (
        [1, 2, 3],
        [3],
        [1],
    )


LEADERLESS = DescribedPartition(0, -1, 4, (1, 2), (), E.LEADER_NOT_AVAILABLE, (1,), (1,), (2,))


@pytest.mark.parametrize("version", TOPIC_APIS["Metadata"].versions)
def test_a_partition_without_a_leader_in_every_version_of_metadata(version: int) -> None:
    request = on_the_wire(
        "Metadata", version, Struct(topics=[Struct(topic_id=UUID(int=0), name="a")])
    )
    topic = DescribedTopic("a", ID, partitions=(LEADERLESS,))
    answer = answer_on_the_wire(request, DescribedCluster("cluster", 2, (), (topic,)))
    partition = answer.topics[0].partitions[0]
    assert (partition.error_code, partition.leader_id) == (5, -1)
    assert partition.replica_nodes == ([2] if version == 0 else [1, 2])
    if version >= 5:
        assert partition.offline_replicas == [1]


@pytest.mark.parametrize("version", [1, 2])
def test_fenced_brokers_are_for_those_who_ask(version: int) -> None:
    body = Struct(endpoint_type=1, include_fenced_brokers=version == 2)
    request = on_the_wire("DescribeCluster", version, body)
    fenced = Endpoint(4, "localhost", 9094)
    answer = answer_on_the_wire(request, DescribedCluster("c", 3, (AT,), fenced=(fenced,)))
    assert [each.broker_id for each in answer.brokers] == ([3, 4] if version == 2 else [3])
    if version == 2:
        assert [each.is_fenced for each in answer.brokers] == [False, True]


def test_controllers_are_described_to_who_asks_for_them() -> None:
    request = on_the_wire("DescribeCluster", 1, Struct(endpoint_type=2))
    assert TOPIC_APIS["DescribeCluster"].read(request, "") == DescribeControllers()
    answer = answer_on_the_wire(request, DescribedCluster("c", 3, (AT,)))
    assert (answer.endpoint_type, answer.controller_id, answer.error_code) == (2, 3, 0)
    request = on_the_wire("DescribeCluster", 1, Struct(endpoint_type=7))
    answer = answer_on_the_wire(request, DescribedCluster("c", 3, (AT,)))
    assert answer.error_code == E.UNSUPPORTED_ENDPOINT_TYPE


def test_partitions_are_described_page_by_page() -> None:
    body = Struct(
        topics=[Struct(name="a")],
        response_partition_limit=1,
        cursor=Struct(topic_name="a", partition_index=3),
    )
    request = on_the_wire("DescribeTopicPartitions", 0, body)
    asked = TOPIC_PARTITION_APIS["DescribeTopicPartitions"].read(request, "")
    assert asked == DescribePartitions(("a",), 1, PartitionCursor("a", 3))
    topic = DescribedTopic("a", ID, partitions=(LEADERLESS,))
    answer = answer_on_the_wire(
        request, DescribedPartitions(topics=(topic,), next_cursor=PartitionCursor("a", 1))
    )
    partition = answer.topics[0].partitions[0]
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ([1], [2])
    assert answer.next_cursor.partition_index == 1
    refused = answer_on_the_wire(request, DescribedPartitions(E.INVALID_REQUEST))
    assert [topic.error_code for topic in refused.topics] == [42]
