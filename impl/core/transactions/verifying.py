"""Asking a coordinator whether partitions belong to a transaction, before something is written.

TXNI-11, KIP-890. The broker that holds a partition asks before the first batch of a transaction:
clients that add partitions on their own are checked, for others the broker adds the partition.
Transactions of one coordinator travel together, one request at a time.

What is written, and what a client is told, is decided by who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import TopicPartition
from impl.core.events import Output, Send
from impl.core.groups.coordinator_log import partition_of
from impl.core.groups.lookup import TRANSACTIONS_TOPIC
from impl.core.transactions.messages import (
    AddedPartitions,
    AddPartitions,
    PartitionsOfTransaction,
)
from spec.wire.errors import ErrorCode

LANE = "verification"
TIMEOUT_MS = 30_000

# The error of each partition, and the time.
Then: TypeAlias = Callable[[Mapping[TopicPartition, ErrorCode], int], list[Output]]


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    about: PartitionsOfTransaction
    then: Then

    def for_all(self, error: ErrorCode, now_ms: int) -> list[Output]:
        return self.then(dict.fromkeys(self.about.partitions, error), now_ms)


@dataclass(slots=True)
class _Coordinator:
    """What is on its way to a node, and what comes after it."""

    endpoint: Endpoint
    sent: Send | None = None
    asked: list[_Asked] = field(default_factory=list)
    waiting: list[_Asked] = field(default_factory=list)


class Verifying:
    def __init__(self, catalogue: Catalogue, *, is_enabled: bool = True) -> None:
        self.is_enabled = is_enabled
        """Clients that leave the adding to the broker are served in any case."""
        self._catalogue = catalogue
        self._coordinators: dict[Endpoint, _Coordinator] = {}

    def ask(self, about: PartitionsOfTransaction, then: Then, now_ms: int) -> list[Output]:
        asked = _Asked(about, then)
        endpoint = self._coordinator_of(about.transactional_id)
        if endpoint is None:
            return asked.for_all(ErrorCode.COORDINATOR_NOT_AVAILABLE, now_ms)
        coordinator = self._coordinators.setdefault(endpoint, _Coordinator(endpoint))
        coordinator.waiting.append(asked)
        return self._send(coordinator)

    def _coordinator_of(self, transactional_id: str) -> Endpoint | None:
        topic = self._catalogue.topics.get(TRANSACTIONS_TOPIC)
        if topic is None:
            return None
        index = partition_of(transactional_id, len(topic.partitions))
        registered = self._catalogue.brokers.get(topic.partitions[index].leader)
        return None if registered is None or registered.fenced else registered.endpoint

    def _send(self, coordinator: _Coordinator) -> list[Output]:
        """All that waits, but one question for each transaction."""
        if coordinator.sent is not None or not coordinator.waiting:
            return []
        first: dict[str, _Asked] = {}
        for asked in coordinator.waiting:
            first.setdefault(asked.about.transactional_id, asked)
        coordinator.asked = list(first.values())
        coordinator.waiting = [a for a in coordinator.waiting if a not in coordinator.asked]
        request = AddPartitions(tuple(asked.about for asked in coordinator.asked))
        coordinator.sent = Send(coordinator.endpoint, LANE, request, TIMEOUT_MS)
        return [coordinator.sent]

    def answered(self, sent: Send, answer: AddedPartitions | None, now_ms: int) -> list[Output]:
        coordinator = self._coordinators.get(sent.to)
        if coordinator is None or coordinator.sent is not sent:
            return []
        asked, coordinator.asked, coordinator.sent = coordinator.asked, [], None
        outputs: list[Output] = []
        for each in asked:
            if answer is None:
                outputs += each.for_all(ErrorCode.NETWORK_EXCEPTION, now_ms)
            elif answer.error:
                outputs += each.for_all(answer.error, now_ms)
            else:
                errors = answer.errors.get(each.about.transactional_id, {})
                outputs += each.then(_as_producers_know(each.about, errors), now_ms)
        outputs += self._send(coordinator)
        if coordinator.sent is None:
            del self._coordinators[sent.to]
        return outputs


def _as_producers_know(
    about: PartitionsOfTransaction, errors: Mapping[TopicPartition, ErrorCode]
) -> dict[TopicPartition, ErrorCode]:
    """KIP-588: who writes with an old epoch may abort and go on."""
    found = {at: errors.get(at, ErrorCode.UNKNOWN_SERVER_ERROR) for at in about.partitions}
    return {
        at: ErrorCode.INVALID_PRODUCER_EPOCH if error is ErrorCode.PRODUCER_FENCED else error
        for at, error in found.items()
    }
