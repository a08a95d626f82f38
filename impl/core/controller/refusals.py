"""What the controller is asked, and how it refuses a request as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from impl.core.cluster.broker_messages import (
    AllocatedProducerIds,
    AllocateProducerIds,
    AlteredPartitions,
    AlterPartitions,
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    RegisterBroker,
)
from impl.core.cluster.electing import ElectLeaders
from impl.core.cluster.messages import (
    AlterConfigs,
    AlterReassignments,
    BrokerUnregistered,
    CreatePartitions,
    CreateTopics,
    DeleteTopics,
    ListReassignments,
    UnregisterBroker,
)
from spec.wire.errors import ErrorCode

# What nodes ask for themselves, by a Send.
BROKER_REQUESTS = (RegisterBroker, BrokerHeartbeat, AlterPartitions, AllocateProducerIds)
# What clients ask of any broker, which forwards it.
FORWARDED_REQUESTS = (
    CreateTopics,
    DeleteTopics,
    CreatePartitions,
    AlterConfigs,
    ElectLeaders,
    AlterReassignments,
    ListReassignments,
    UnregisterBroker,
)


@dataclass(frozen=True, slots=True)
class Undecided:
    """In place of an answer to a client: this controller left office, and the next one decides.

    Whether the request took effect is not known; what is asked for twice is refused the second
    time.
    """

    request: Any


def refusal(request: Any, error: ErrorCode, message: str | None = None) -> Any:
    match request:
        case RegisterBroker():
            return BrokerRegistered(error)
        case BrokerHeartbeat():
            return BrokerHeartbeatReply(error)
        case AlterPartitions():
            return AlteredPartitions(error)
        case AllocateProducerIds():
            return AllocatedProducerIds(error)
        case UnregisterBroker():
            return BrokerUnregistered(error, message)
    raise AssertionError(f"{request!r} is refused in its parts")


def resigned(request: Any) -> Any:
    """What whoever asked hears from a node that is not the active controller."""
    if isinstance(request, BROKER_REQUESTS):
        return refusal(request, ErrorCode.NOT_CONTROLLER)
    return Undecided(request)
