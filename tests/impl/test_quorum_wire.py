"""The quorum's requests as bytes, from both sides, in every version."""

from typing import Any

import pytest

from impl.api.quorum import QUORUM_APIS, QUORUM_ASKED
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import TopicPartition
from impl.core.quorum.messages import (
    METADATA_PARTITION,
    BeginQuorumEpoch,
    DescribedLog,
    DescribedQuorum,
    DescribeQuorum,
    EndQuorumEpoch,
    EpochAnswer,
    ReplicaProgress,
    Vote,
)
from impl.wire import Request, Struct, decode_message, encode_message
from spec.wire import api_keys
from spec.wire.errors import ErrorCode

ASKED = [
    Vote(2, 5, 4, 9, is_pre_vote=True, voter_id=3, cluster_id="cluster"),
    Vote(2, 5, 4, 9),
    BeginQuorumEpoch(2, 5, voter_id=3, cluster_id="cluster"),
    EndQuorumEpoch(2, 5, (3, 1), "cluster"),
]
ANSWERS = [
    EpochAnswer(leader_id=2, leader_epoch=5),
    EpochAnswer(ErrorCode.FENCED_LEADER_EPOCH, -1, 7),
    EpochAnswer(request_error=ErrorCode.INCONSISTENT_CLUSTER_ID),
]


def arrived(api_name: str, version: int, body: Struct) -> Any:
    """What the core gets to see of a request that another node sent."""
    content = encode_message(f"{api_name}Request", version, body)
    read = decode_message(f"{api_name}Request", version, content)
    request = Request(api_keys()[api_name], api_name, version, 1, None, read)
    return QUORUM_APIS[api_name].read(request, "localhost")


def answered(api_name: str, version: int, result: Any) -> Struct:
    """What the node that asked gets to see of an answer."""
    request = Request(api_keys()[api_name], api_name, version, 1, None)
    body = QUORUM_APIS[api_name].write(request, result)
    content = encode_message(f"{api_name}Response", version, body)
    return decode_message(f"{api_name}Response", version, content)


@pytest.mark.parametrize("request_", ASKED)
def test_a_request_arrives_as_it_was_asked(request_: Any) -> None:
    asking = QUORUM_ASKED[type(request_)]
    assert arrived(asking.api_name, asking.version, asking.write(request_)) == request_


@pytest.mark.parametrize("kind", QUORUM_ASKED)
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_arrives_as_it_was_given(kind: type, answer: EpochAnswer) -> None:
    asking = QUORUM_ASKED[kind]
    assert asking.read(answered(asking.api_name, asking.version, answer)) == answer


def test_a_vote_that_is_granted_arrives() -> None:
    asking, granted = QUORUM_ASKED[Vote], EpochAnswer(leader_epoch=5, is_granted=True)
    assert asking.read(answered(asking.api_name, asking.version, granted)) == granted


def about_the_log(**said: Any) -> Struct:
    partition = Struct(partition_index=0, **said)
    topic = Struct(topic_name="__cluster_metadata", partitions=[partition])
    return Struct(cluster_id=None, topics=[topic])


def test_older_versions_are_read() -> None:
    body = about_the_log(replica_epoch=5, replica_id=2, last_offset_epoch=4, last_offset=9)
    assert arrived("Vote", 0, body) == arrived("Vote", 1, body) == Vote(2, 5, 4, 9)
    body = about_the_log(leader_id=2, leader_epoch=5)
    assert arrived("BeginQuorumEpoch", 0, body) == BeginQuorumEpoch(2, 5)
    body = about_the_log(leader_id=2, leader_epoch=5, preferred_successors=[3, 1])
    assert arrived("EndQuorumEpoch", 0, body) == EndQuorumEpoch(2, 5, (3, 1))


@pytest.mark.parametrize("api_name", ["Vote", "BeginQuorumEpoch", "EndQuorumEpoch"])
def test_a_request_about_no_partition_or_two_names_none(api_name: str) -> None:
    partition = Struct(partition_index=0)
    for partitions in ([], [partition, partition]):
        topics = [Struct(topic_name="__cluster_metadata", partitions=partitions)]
        body = Struct(cluster_id=None, topics=topics)
        for version in QUORUM_APIS[api_name].versions:
            assert arrived(api_name, version, body).partition is None


def test_an_answer_about_something_else_is_none() -> None:
    asking = QUORUM_ASKED[Vote]
    strange = asking.read(Struct(error_code=0, topics=[]))
    assert strange.request_error is ErrorCode.UNKNOWN_SERVER_ERROR


def test_a_description_arrives_in_every_version() -> None:
    log = DescribedLog(
        METADATA_PARTITION,
        leader_id=1,
        leader_epoch=3,
        high_watermark=8,
        voters=(ReplicaProgress(1, 9, -1, 100), ReplicaProgress(2, 8, 90, 80)),
        observers=(ReplicaProgress(4, 8, 70, 70),),
    )
    described = DescribedQuorum((log,), (Endpoint(1, "localhost", 9001),))
    for version in QUORUM_APIS["DescribeQuorum"].versions:
        response = answered("DescribeQuorum", version, described)
        [topic] = response.topics
        [partition] = topic.partitions
        assert topic.topic_name == "__cluster_metadata"
        assert (partition.leader_id, partition.leader_epoch) == (1, 3)
        assert partition.high_watermark == 8
        assert [each.log_end_offset for each in partition.current_voters] == [9, 8]
        assert [each.replica_id for each in partition.observers] == [4]
        times = [each.last_caught_up_timestamp for each in partition.current_voters]
        assert times == ([100, 80] if version >= 1 else [-1, -1])
        if version >= 2:
            assert [node.listeners[0].port for node in response.nodes] == [9001]


def test_what_is_to_be_described_arrives() -> None:
    partitions = [Struct(partition_index=0), Struct(partition_index=1)]
    body = Struct(topics=[Struct(topic_name="orders", partitions=partitions)])
    asked = arrived("DescribeQuorum", 2, body)
    assert asked == DescribeQuorum((TopicPartition("orders", 0), TopicPartition("orders", 1)))
