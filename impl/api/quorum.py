"""Between the wire and the core: the quorum, both for who is asked and for who asks.

| API | versions | notes |
|---|---|---|
| Vote | 0-2 | voter's id 1 (KIP-853), pre-vote 2 (KIP-996) |
| BeginQuorumEpoch | 0-1 | voter's id 1 (KIP-853) |
| EndQuorumEpoch | 0-1 | successors 0, candidates 1 (KIP-853) |
| DescribeQuorum | 0-2 | times of fetches 1 (KIP-836), nodes 2 (KIP-853) |

Voters are known by their ids alone, so directory ids are left empty, and addresses of leaders are
not sent: each node has those of all voters.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from impl.api.asking import Asking
from impl.api.translation import Translation
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
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

CANDIDATES_SINCE = 1
LISTENER = "CONTROLLER"
NO_VOTER = -1


# The one partition that a request is about


def _only_partition(body: Struct) -> tuple[TopicPartition | None, Struct]:
    """Its name and what is said of it; None if the request names another number of them."""
    named = [(topic.topic_name, each) for topic in body.topics for each in topic.partitions]
    if len(named) != 1:
        return None, _NOTHING
    name, partition = named[0]
    return TopicPartition(name, partition.partition_index), partition


_NOTHING = Struct(
    replica_id=-1,
    replica_epoch=-1,
    last_offset_epoch=-1,
    last_offset=-1,
    pre_vote=False,
    leader_id=-1,
    leader_epoch=-1,
    preferred_successors=[],
    preferred_candidates=[],
)


def _about(partition: TopicPartition | None, **fields: Any) -> list[Struct]:
    """The topics of a message that says this of the metadata log."""
    assert partition is not None
    said = Struct(partition_index=partition.partition, **fields)
    return [Struct(topic_name=partition.topic, partitions=[said])]


def _voter(body: Struct) -> int | None:
    return None if body.voter_id == NO_VOTER else body.voter_id


# Vote


def _read_vote(request: Request, _client_host: str) -> Vote:
    name, partition = _only_partition(request.body)
    return Vote(
        replica_id=partition.replica_id,
        epoch=partition.replica_epoch,
        last_epoch=partition.last_offset_epoch,
        end_offset=partition.last_offset,
        is_pre_vote=partition.pre_vote,
        voter_id=_voter(request.body),
        cluster_id=request.body.cluster_id,
        partition=name,
    )


def _ask_vote(vote: Vote) -> Struct:
    return Struct(
        cluster_id=vote.cluster_id,
        voter_id=NO_VOTER if vote.voter_id is None else vote.voter_id,
        topics=_about(
            vote.partition,
            replica_id=vote.replica_id,
            replica_epoch=vote.epoch,
            last_offset_epoch=vote.last_epoch,
            last_offset=vote.end_offset,
            pre_vote=vote.is_pre_vote,
        ),
    )


def _write_voted(_request: Request, result: EpochAnswer) -> Struct:
    return _write_answer(result, vote_granted=result.is_granted)


# BeginQuorumEpoch


def _read_begin(request: Request, _client_host: str) -> BeginQuorumEpoch:
    name, partition = _only_partition(request.body)
    return BeginQuorumEpoch(
        partition.leader_id,
        partition.leader_epoch,
        _voter(request.body),
        request.body.cluster_id,
        name,
    )


def _ask_begin(begin: BeginQuorumEpoch) -> Struct:
    return Struct(
        cluster_id=begin.cluster_id,
        voter_id=NO_VOTER if begin.voter_id is None else begin.voter_id,
        topics=_about(begin.partition, leader_id=begin.leader_id, leader_epoch=begin.epoch),
    )


# EndQuorumEpoch


def _read_end(request: Request, _client_host: str) -> EndQuorumEpoch:
    name, partition = _only_partition(request.body)
    if request.api_version >= CANDIDATES_SINCE:
        preferred = [each.candidate_id for each in partition.preferred_candidates]
    else:
        preferred = partition.preferred_successors
    return EndQuorumEpoch(
        partition.leader_id,
        partition.leader_epoch,
        tuple(preferred),
        request.body.cluster_id,
        name,
    )


def _ask_end(end: EndQuorumEpoch) -> Struct:
    candidates = [Struct(candidate_id=candidate) for candidate in end.preferred_candidates]
    return Struct(
        cluster_id=end.cluster_id,
        topics=_about(
            end.partition,
            leader_id=end.leader_id,
            leader_epoch=end.epoch,
            preferred_candidates=candidates,
        ),
    )


# What all three are answered


def _write_epoch_answer(_request: Request, result: EpochAnswer) -> Struct:
    return _write_answer(result)


def _write_answer(result: EpochAnswer, **fields: Any) -> Struct:
    if result.request_error:
        return Struct(error_code=result.request_error, topics=[])
    said = _about(
        METADATA_PARTITION,
        error_code=result.error,
        leader_id=result.leader_id,
        leader_epoch=result.leader_epoch,
        **fields,
    )
    return Struct(error_code=ErrorCode.NONE, topics=said)


def _read_voted(response: Struct) -> EpochAnswer:
    return _read_answer(response, is_vote=True)


def _read_epoch_answer(response: Struct) -> EpochAnswer:
    return _read_answer(response, is_vote=False)


def _read_answer(response: Struct, *, is_vote: bool) -> EpochAnswer:
    if response.error_code:
        return EpochAnswer(request_error=ErrorCode(response.error_code))
    name, partition = _only_partition(response)
    if name != METADATA_PARTITION:
        return EpochAnswer(request_error=ErrorCode.UNKNOWN_SERVER_ERROR)
    return EpochAnswer(
        ErrorCode(partition.error_code),
        partition.leader_id,
        partition.leader_epoch,
        is_granted=is_vote and partition.vote_granted,
    )


# DescribeQuorum


def _read_describe(request: Request, _client_host: str) -> DescribeQuorum:
    return DescribeQuorum(
        tuple(
            TopicPartition(topic.topic_name, partition.partition_index)
            for topic in request.body.topics
            for partition in topic.partitions
        )
    )


def _write_described(_request: Request, result: DescribedQuorum) -> Struct:
    return Struct(
        error_code=ErrorCode.NONE,
        topics=[
            Struct(topic_name=topic, partitions=[_write_log(log) for log in logs])
            for topic, logs in groupby(result.logs, key=lambda log: log.partition.topic)
        ],
        nodes=[_write_node(node) for node in result.nodes],
    )


def _write_log(log: DescribedLog) -> Struct:
    return Struct(
        partition_index=log.partition.partition,
        error_code=log.error,
        error_message=log.error.name if log.error else None,
        leader_id=log.leader_id,
        leader_epoch=log.leader_epoch,
        high_watermark=log.high_watermark,
        current_voters=[_write_progress(each) for each in log.voters],
        observers=[_write_progress(each) for each in log.observers],
    )


def _write_progress(progress: ReplicaProgress) -> Struct:
    return Struct(
        replica_id=progress.replica_id,
        log_end_offset=progress.log_end_offset,
        last_fetch_timestamp=progress.last_fetch_ms,
        last_caught_up_timestamp=progress.last_caught_up_ms,
    )


def _write_node(node: Endpoint) -> Struct:
    listener = Struct(name=LISTENER, host=node.host, port=node.port)
    return Struct(node_id=node.node_id, listeners=[listener])


QUORUM_APIS = {
    "Vote": Translation(_read_vote, _write_voted, range(3)),
    "BeginQuorumEpoch": Translation(_read_begin, _write_epoch_answer, range(2)),
    "EndQuorumEpoch": Translation(_read_end, _write_epoch_answer, range(2)),
    "DescribeQuorum": Translation(_read_describe, _write_described, range(3)),
}

QUORUM_ASKED: dict[type, Asking] = {
    Vote: Asking("Vote", 2, _ask_vote, _read_voted),
    BeginQuorumEpoch: Asking("BeginQuorumEpoch", 1, _ask_begin, _read_epoch_answer),
    EndQuorumEpoch: Asking("EndQuorumEpoch", 1, _ask_end, _read_epoch_answer),
}
