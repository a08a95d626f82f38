"""What the coordinator writes down of a group of the consumer protocol.

A group is the fold of these records (`group`), each the latest state of its key, with None as the
value of a tombstone. How they become bytes is the business of `impl.api`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias
from uuid import UUID


class TopicIdPartition(NamedTuple):
    """A partition of this very topic, and not of a later one with the same name."""

    topic_id: UUID
    partition: int


Partitions: TypeAlias = frozenset[TopicIdPartition]
NO_PARTITIONS: Partitions = frozenset()


class MemberState(IntEnum):
    """How far a member is on its way to its target; the numbers are Kafka's."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    UNRELEASED_PARTITIONS = 2


STABLE, UNREVOKED_PARTITIONS, UNRELEASED_PARTITIONS = MemberState


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who a member is and what it wants, by its own account.

    `rebalance_timeout_ms`: how long it may take to give up partitions.
    """

    group_instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topics: frozenset[str] = frozenset()
    regex: str = ""
    rebalance_timeout_ms: int = -1
    assignor: str | None = None


@dataclass(frozen=True, slots=True)
class CurrentAssignment:
    """What a member owns: `assigned` to use, and `to_revoke` until it says that it gave it up."""

    member_epoch: int = 0
    previous_epoch: int = -1
    state: MemberState = STABLE
    assigned: Partitions = NO_PARTITIONS
    to_revoke: Partitions = NO_PARTITIONS


@dataclass(frozen=True, slots=True)
class GroupEpoch:
    """`metadata_hash` stands for what the epoch knew of the topics; 0 where there are none."""

    epoch: int
    metadata_hash: int


@dataclass(frozen=True, slots=True)
class ResolvedRegex:
    """The topics whose names match, when that was looked up."""

    topics: frozenset[str]
    version: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class GroupEpochRecord:
    group_id: str
    value: GroupEpoch | None


@dataclass(frozen=True, slots=True)
class MemberRecord:
    group_id: str
    member_id: str
    value: Subscription | None


@dataclass(frozen=True, slots=True)
class TargetEpochRecord:
    group_id: str
    value: int | None


@dataclass(frozen=True, slots=True)
class TargetRecord:
    group_id: str
    member_id: str
    value: Partitions | None


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    group_id: str
    member_id: str
    value: CurrentAssignment | None


@dataclass(frozen=True, slots=True)
class RegexRecord:
    group_id: str
    regex: str
    value: ResolvedRegex | None


ConsumerRecord: TypeAlias = (
    GroupEpochRecord
    | MemberRecord
    | TargetEpochRecord
    | TargetRecord
    | CurrentRecord
    | RegexRecord
)
