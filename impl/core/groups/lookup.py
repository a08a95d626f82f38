"""Which broker coordinates a group or a transactional id: who leads the partition that holds it.

The topic is created on the first lookup, which is the caller's business; until a partition has a
leader that is alive, nobody coordinates what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import OFFSETS_TOPIC
from impl.core.groups.coordinator_log import partition_of
from spec.wire.errors import ErrorCode

TRANSACTIONS_TOPIC = "__transaction_state"

GROUP = 0
TRANSACTION = 1

COORDINATOR_TOPICS = {GROUP: OFFSETS_TOPIC, TRANSACTION: TRANSACTIONS_TOPIC}


@dataclass(frozen=True, slots=True)
class FindCoordinators:
    key_type: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundCoordinator:
    key: str
    error: ErrorCode = ErrorCode.NONE
    broker: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class FoundCoordinators:
    coordinators: tuple[FoundCoordinator, ...]


def find_coordinators(
    request: FindCoordinators, catalogue: Catalogue, alive: Mapping[int, Endpoint]
) -> FoundCoordinators:
    """GRPS-27: the catalogue is the same on every broker, and so is the answer."""
    found = (_find(request.key_type, key, catalogue, alive) for key in request.keys)
    return FoundCoordinators(tuple(found))


def _find(
    key_type: int, key: str, catalogue: Catalogue, alive: Mapping[int, Endpoint]
) -> FoundCoordinator:
    if key_type not in COORDINATOR_TOPICS:
        return FoundCoordinator(key, ErrorCode.INVALID_REQUEST)
    topic = catalogue.topics.get(COORDINATOR_TOPICS[key_type])
    if topic is None:
        return FoundCoordinator(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    partition = topic.partitions[partition_of(key, len(topic.partitions))]
    broker = alive.get(partition.leader)
    if broker is None:
        return FoundCoordinator(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return FoundCoordinator(key, broker=broker)
