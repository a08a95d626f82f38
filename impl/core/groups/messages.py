"""What a group coordinator is asked and what it answers.

Plain frozen values, one per request and reply, free of wire versions but for the `api_version`
that a few decisions depend on. The records that the coordinator writes to its log are in
`group_records`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from impl.core.cluster.topics import TopicReference
from impl.core.groups.consumer.messages import (
    ConsumerHeartbeat,
    ConsumerHeartbeatReply,
    DescribeConsumerGroups,
    DescribeConsumersReply,
)
from spec.wire.errors import ErrorCode

NO_MEMBER_ID = ""
NO_GENERATION = -1
NO_LEADER_EPOCH = -1
NO_OFFSET = -1
NO_RETENTION_TIME = -1


class PartitionReference(NamedTuple):
    """A partition as a request refers to it: by the name of its topic, or by the topic's id."""

    topic: TopicReference
    partition: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """One assignment strategy that a member supports, with the member's metadata for it."""

    name: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class MemberIdentity:
    member_id: str
    group_instance_id: str | None = None


# Requests


@dataclass(frozen=True, slots=True)
class JoinGroup:
    group_id: str
    member_id: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: tuple[Protocol, ...]
    group_instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    api_version: int = 9


@dataclass(frozen=True, slots=True)
class SyncGroup:
    group_id: str
    generation_id: int
    member_id: str
    assignments: Mapping[str, bytes] = field(default_factory=dict)
    group_instance_id: str | None = None
    protocol_type: str | None = None
    protocol_name: str | None = None
    api_version: int = 5


@dataclass(frozen=True, slots=True)
class Heartbeat:
    group_id: str
    generation_id: int
    member_id: str
    group_instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class LeaveGroup:
    group_id: str
    members: tuple[MemberIdentity, ...]


@dataclass(frozen=True, slots=True)
class OffsetToCommit:
    offset: int
    leader_epoch: int = NO_LEADER_EPOCH
    metadata: str | None = ""


@dataclass(frozen=True, slots=True)
class CommitOffsets:
    """OffsetCommit, and TxnOffsetCommit when `producer` is given."""

    group_id: str
    offsets: Mapping[PartitionReference, OffsetToCommit]
    generation_id: int = NO_GENERATION
    member_id: str = NO_MEMBER_ID
    group_instance_id: str | None = None
    retention_time_ms: int = NO_RETENTION_TIME
    producer: ProducerIdentity | None = None
    transactional_id: str = ""
    api_version: int = 9


@dataclass(frozen=True, slots=True)
class ProducerIdentity:
    producer_id: int
    producer_epoch: int


@dataclass(frozen=True, slots=True)
class OffsetsOfGroup:
    """The partitions of one group to fetch; None asks for all that have an offset.

    A member of the consumer protocol may say which one it is (KIP-848).
    """

    group_id: str
    partitions: tuple[PartitionReference, ...] | None
    member_id: str | None = None
    member_epoch: int = NO_GENERATION


@dataclass(frozen=True, slots=True)
class FetchOffsets:
    groups: tuple[OffsetsOfGroup, ...]
    require_stable: bool = False
    refers_by_id: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOffsets:
    group_id: str
    partitions: tuple[PartitionReference, ...]


@dataclass(frozen=True, slots=True)
class DescribeGroups:
    group_ids: tuple[str, ...]
    api_version: int = 6


@dataclass(frozen=True, slots=True)
class ListGroups:
    states: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DeleteGroups:
    group_ids: tuple[str, ...]


GroupRequest: TypeAlias = (
    JoinGroup
    | SyncGroup
    | Heartbeat
    | LeaveGroup
    | CommitOffsets
    | FetchOffsets
    | DeleteOffsets
    | DescribeGroups
    | ListGroups
    | DeleteGroups
    | ConsumerHeartbeat
    | DescribeConsumerGroups
)


# Replies


@dataclass(frozen=True, slots=True)
class JoinedMember:
    member_id: str
    group_instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True)
class JoinReply:
    error: ErrorCode = ErrorCode.NONE
    member_id: str = NO_MEMBER_ID
    generation_id: int = NO_GENERATION
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader: str = NO_MEMBER_ID
    members: tuple[JoinedMember, ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True)
class SyncReply:
    error: ErrorCode = ErrorCode.NONE
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignment: bytes = b""


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    error: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class LeaveReply:
    error: ErrorCode = ErrorCode.NONE
    members: tuple[tuple[MemberIdentity, ErrorCode], ...] = ()


@dataclass(frozen=True, slots=True)
class CommitReply:
    errors: Mapping[PartitionReference, ErrorCode]


@dataclass(frozen=True, slots=True)
class FetchedOffset:
    offset: int = NO_OFFSET
    leader_epoch: int = NO_LEADER_EPOCH
    metadata: str = ""
    error: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class FetchedGroup:
    group_id: str
    error: ErrorCode = ErrorCode.NONE
    offsets: Mapping[PartitionReference, FetchedOffset] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchReply:
    groups: tuple[FetchedGroup, ...]


@dataclass(frozen=True, slots=True)
class DeleteOffsetsReply:
    error: ErrorCode = ErrorCode.NONE
    errors: Mapping[PartitionReference, ErrorCode] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DescribedMember:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    metadata: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class DescribedGroup:
    group_id: str
    error: ErrorCode = ErrorCode.NONE
    state: str = ""
    protocol_type: str = ""
    protocol_name: str = ""
    members: tuple[DescribedMember, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeReply:
    groups: tuple[DescribedGroup, ...]


@dataclass(frozen=True, slots=True)
class ListedGroup:
    group_id: str
    protocol_type: str
    state: str
    group_type: str


@dataclass(frozen=True, slots=True)
class ListReply:
    error: ErrorCode = ErrorCode.NONE
    groups: tuple[ListedGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteReply:
    errors: Mapping[str, ErrorCode]


GroupReply: TypeAlias = (
    JoinReply
    | SyncReply
    | HeartbeatReply
    | LeaveReply
    | CommitReply
    | FetchReply
    | DeleteOffsetsReply
    | DescribeReply
    | ListReply
    | DeleteReply
    | ConsumerHeartbeatReply
    | DescribeConsumersReply
)
