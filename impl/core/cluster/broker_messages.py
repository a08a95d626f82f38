"""What brokers ask the active controller, and what it answers.

Clients never send these. What clients ask of the controller stands in `messages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.standing import NO_BROKER_EPOCH
from spec.wire.errors import ErrorCode

# The life of a broker


@dataclass(frozen=True, slots=True)
class RegisterBroker:
    """`incarnation_id` is new with each start; `previous_broker_epoch` is -1 after a crash."""

    endpoint: Endpoint
    cluster_id: str
    incarnation_id: UUID
    previous_broker_epoch: int = NO_BROKER_EPOCH


@dataclass(frozen=True, slots=True)
class BrokerRegistered:
    error: ErrorCode = ErrorCode.NONE
    broker_epoch: int = NO_BROKER_EPOCH


@dataclass(frozen=True, slots=True)
class BrokerHeartbeat:
    """`metadata_offset`: the last offset of the metadata log that the broker has applied."""

    broker_id: int
    broker_epoch: int
    metadata_offset: int
    wants_fence: bool = False
    wants_shut_down: bool = False


@dataclass(frozen=True, slots=True)
class BrokerHeartbeatReply:
    error: ErrorCode = ErrorCode.NONE
    is_caught_up: bool = False
    is_fenced: bool = True
    should_shut_down: bool = False


# In-sync replicas


@dataclass(frozen=True, slots=True)
class IsrProposal:
    """The in-sync replicas that a leader proposes, each with its broker epoch (-1: unknown)."""

    topic_id: UUID
    partition: int
    leader_epoch: int
    isr: tuple[tuple[int, int], ...]
    partition_epoch: int
    leader_recovery_state: int = 0


@dataclass(frozen=True, slots=True)
class AlterPartitions:
    broker_id: int
    broker_epoch: int
    proposals: tuple[IsrProposal, ...]


@dataclass(frozen=True, slots=True)
class AlteredPartition:
    """The state that holds now; of no meaning with an error."""

    topic_id: UUID
    partition: int
    error: ErrorCode = ErrorCode.NONE
    leader: int = -1
    leader_epoch: int = -1
    isr: tuple[int, ...] = ()
    partition_epoch: int = -1
    leader_recovery_state: int = 0


@dataclass(frozen=True, slots=True)
class AlteredPartitions:
    error: ErrorCode = ErrorCode.NONE
    partitions: Sequence[AlteredPartition] = ()


# Producer ids


@dataclass(frozen=True, slots=True)
class AllocateProducerIds:
    broker_id: int
    broker_epoch: int


@dataclass(frozen=True, slots=True)
class AllocatedProducerIds:
    error: ErrorCode = ErrorCode.NONE
    first: int = -1
    count: int = 0
