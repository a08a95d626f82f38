"""What a group coordinator writes to its partition of `__consumer_offsets`.

Each record is the latest state of its key, with None as the value of a tombstone. Those of the
consumer protocol stand in `consumer.records`. The coordinator's memory is what these records say
plus what may be forgotten: parked requests, deadlines, members that have not joined yet. How
records become bytes is the business of `impl.api`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from impl.core.cluster.topics import TopicPartition
from impl.core.groups.consumer.records import ConsumerRecord


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp_ms: int
    expire_timestamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OffsetRecord:
    group_id: str
    at: TopicPartition
    value: CommittedOffset | None


@dataclass(frozen=True, slots=True)
class StoredMember:
    member_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    subscription: bytes
    assignment: bytes


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """One generation of a group; `protocol_type` is None for a group of simple consumers."""

    protocol_type: str | None
    generation_id: int
    protocol_name: str | None
    leader: str | None
    state_timestamp_ms: int
    members: tuple[StoredMember, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupRecord:
    group_id: str
    value: StoredGroup | None


CoordinatorRecord: TypeAlias = OffsetRecord | GroupRecord | ConsumerRecord
