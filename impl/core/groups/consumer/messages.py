"""What a coordinator is asked in the consumer protocol (KIP-848), and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.groups.consumer.records import Partitions, Subscription
from spec.wire.errors import ErrorCode

JOINING = 0
LEAVING = -1
LEAVING_FOR_A_WHILE = -2


@dataclass(frozen=True, slots=True)
class ConsumerHeartbeat:
    """What is None has not changed since the member's last heartbeat.

    `member_epoch` is one of the three above, or that of the member's last answer; `owned` are the
    partitions that the member has and will use.
    """

    group_id: str
    member_id: str
    member_epoch: int
    group_instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int | None = None
    topics: frozenset[str] | None = None
    regex: str | None = None
    assignor: str | None = None
    owned: Partitions | None = None
    client_id: str = ""
    client_host: str = ""
    api_version: int = 1

    @property
    def is_full(self) -> bool:
        """Whether the member says everything, as it does when it missed an answer."""
        timeout_ms, topics, owned = self.rebalance_timeout_ms, self.topics, self.owned
        is_complete = timeout_ms is not None and topics is not None and owned is not None
        return self.member_epoch == JOINING or is_complete


@dataclass(frozen=True, slots=True)
class ConsumerHeartbeatReply:
    """`assignment` is None where the member knows it already."""

    error: ErrorCode = ErrorCode.NONE
    member_id: str | None = None
    member_epoch: int = 0
    heartbeat_interval_ms: int = 0
    assignment: Partitions | None = None


@dataclass(frozen=True, slots=True)
class DescribeConsumerGroups:
    group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DescribedConsumer:
    """Partitions with the names that their topics have."""

    member_id: str
    member_epoch: int
    subscription: Subscription
    assigned: tuple[tuple[str, Partitions], ...]
    target: tuple[tuple[str, Partitions], ...]


@dataclass(frozen=True, slots=True)
class DescribedConsumerGroup:
    group_id: str
    error: ErrorCode = ErrorCode.NONE
    state: str = ""
    epoch: int = 0
    target_epoch: int = 0
    assignor: str = ""
    members: tuple[DescribedConsumer, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeConsumersReply:
    groups: tuple[DescribedConsumerGroup, ...]
