"""How a request to the controller is refused as a whole: in the words of its own answer."""

from __future__ import annotations

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
from impl.core.cluster.electing import Elections, ElectLeaders
from impl.core.cluster.messages import (
    AlterConfigs,
    AlteredConfigs,
    AlteredReassignments,
    AlterReassignments,
    BrokerUnregistered,
    CreatedPartitions,
    CreatedTopic,
    CreatedTopics,
    CreatePartitions,
    CreateTopics,
    DeletedTopic,
    DeletedTopics,
    DeleteTopics,
    ListedReassignments,
    ListReassignments,
    ResourceOutcome,
    TopicOutcome,
    UnregisterBroker,
)
from impl.core.cluster.topics import NO_TOPIC_ID
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
        case ElectLeaders():
            return Elections(error)
        case AlterReassignments():
            return AlteredReassignments(error=error)
        case ListReassignments():
            return ListedReassignments(error=error)
        case UnregisterBroker():
            return BrokerUnregistered(error, message)
    return _refusal_of_each(request, error, message)


def _refusal_of_each(request: Any, error: ErrorCode, message: str | None) -> Any:
    """Answers that have no place for an error but in their parts."""
    match request:
        case CreateTopics(topics):
            return CreatedTopics(tuple(CreatedTopic(t.name, error, message) for t in topics))
        case DeleteTopics(references):
            return DeletedTopics(
                tuple(
                    DeletedTopic(each, NO_TOPIC_ID, error, message)
                    if isinstance(each, str)
                    else DeletedTopic(None, each, error, message)
                    for each in references
                )
            )
        case CreatePartitions(topics):
            return CreatedPartitions(tuple(TopicOutcome(t.name, error, message) for t in topics))
        case AlterConfigs(changes):
            return AlteredConfigs(tuple(ResourceOutcome(r, error, message) for r, _ in changes))
    raise AssertionError(f"{request!r} is nothing that a controller is asked")
