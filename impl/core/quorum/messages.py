"""What the nodes of the quorum ask each other, what operators ask, and what is answered.

A fetch of the metadata log is `impl.core.data.messages.Fetch`, as that of any other log.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import METADATA_TOPIC, TopicPartition
from impl.core.data.messages import Fetch
from spec.wire.errors import ErrorCode

METADATA_TOPIC_ID = UUID(int=1)
METADATA_PARTITION = TopicPartition(METADATA_TOPIC, 0)
NO_LEADER = -1


# Between the nodes of the quorum. `partition` is None where a request does not name exactly one.


@dataclass(frozen=True, slots=True)
class Vote:
    """`epoch` is the one to be led, or in a pre-vote the one that the replica is in (KIP-996).

    `last_epoch` and `end_offset` say how far its log is; `voter_id` whom it takes itself to ask.
    """

    replica_id: int
    epoch: int
    last_epoch: int
    end_offset: int
    is_pre_vote: bool = False
    voter_id: int | None = None
    cluster_id: str | None = None
    partition: TopicPartition | None = METADATA_PARTITION


@dataclass(frozen=True, slots=True)
class BeginQuorumEpoch:
    leader_id: int
    epoch: int
    voter_id: int | None = None
    cluster_id: str | None = None
    partition: TopicPartition | None = METADATA_PARTITION


@dataclass(frozen=True, slots=True)
class EndQuorumEpoch:
    """`preferred_candidates`: who should lead next, those with the longest log first."""

    leader_id: int
    epoch: int
    preferred_candidates: tuple[int, ...] = ()
    cluster_id: str | None = None
    partition: TopicPartition | None = METADATA_PARTITION


@dataclass(frozen=True, slots=True)
class EpochAnswer:
    """The answer to all three: which epoch the node is in, and whom it knows to lead it.

    `request_error` is about the request as a whole; then the other fields say nothing.
    """

    error: ErrorCode = ErrorCode.NONE
    leader_id: int = NO_LEADER
    leader_epoch: int = -1
    is_granted: bool = False
    request_error: ErrorCode = ErrorCode.NONE


# What operators ask


@dataclass(frozen=True, slots=True)
class DescribeQuorum:
    partitions: tuple[TopicPartition, ...] = (METADATA_PARTITION,)


@dataclass(frozen=True, slots=True)
class ReplicaProgress:
    """-1 for what the leader does not know; of itself it tells no time of a fetch."""

    replica_id: int
    log_end_offset: int = -1
    last_fetch_ms: int = -1
    last_caught_up_ms: int = -1


@dataclass(frozen=True, slots=True)
class DescribedLog:
    partition: TopicPartition
    error: ErrorCode = ErrorCode.NONE
    leader_id: int = 0
    leader_epoch: int = 0
    high_watermark: int = 0
    voters: tuple[ReplicaProgress, ...] = ()
    observers: tuple[ReplicaProgress, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedQuorum:
    logs: tuple[DescribedLog, ...]
    nodes: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeControllers:
    """Who the voters are, and which of them is the active controller (KIP-919)."""


def is_metadata_fetch(fetch: Fetch) -> bool:
    """Whether a fetch is for the quorum and not for the partitions of topics."""
    return any(each.topic in (METADATA_TOPIC, METADATA_TOPIC_ID) for each in fetch.partitions)
