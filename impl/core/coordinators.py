"""The coordinators of a node: of groups, of transactions, and what these let into partitions.

Decides which of them deals with a request. Each coordinates what this node leads of its log
(`__consumer_offsets`, `__transaction_state`), and `follow` tells what that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from impl.core.cluster.broker_messages import AllocateProducerIds
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.messages import NewTopic
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import INTERNAL_TOPICS, TopicPartition
from impl.core.data.messages import Produce
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Send
from impl.core.groups.config import GroupConfig, offsets_topic
from impl.core.groups.coordination import Coordination, CoordinatorCodec
from impl.core.groups.messages import CommitOffsets, GroupRequest
from impl.core.groups.rebalance import ReadSubscription
from impl.core.log.log import Platform
from impl.core.transactions.admitting import TransactionalCommits, TransactionalProducing
from impl.core.transactions.config import TransactionConfig, state_topic
from impl.core.transactions.messages import TRANSACTION_REQUESTS, AddPartitions, WriteMarkers
from impl.core.transactions.state_log import TransactionCodec
from impl.core.transactions.transactions import Transactions
from impl.core.transactions.verifying import Verifying

COORDINATOR_REQUESTS = (Produce, GroupRequest, *TRANSACTION_REQUESTS)
"""Produce is among them for its transactional batches; all others go on to the data plane."""

ASKED_BY_COORDINATORS = (AddPartitions, AllocateProducerIds, WriteMarkers)


@dataclass(frozen=True, slots=True)
class CoordinatorCodecs:
    """How records of the coordinators' logs become bytes."""

    groups: CoordinatorCodec
    transactions: TransactionCodec
    read_subscription: ReadSubscription


class Coordinators:
    def __init__(
        self,
        platform: Platform,
        codecs: CoordinatorCodecs,
        options: CurrentOptions,
        catalogue: Catalogue,
        partitions: Partitions,
        producing: Producing,
        standing: Standing,
        now_ms: int,
    ) -> None:
        config = options.of(TransactionConfig)
        self._groups = Coordination(
            options.of(GroupConfig),
            catalogue,
            partitions,
            codecs.groups,
            codecs.read_subscription,
            platform.new_id,
        )
        self._transactions = Transactions(
            config,
            catalogue,
            partitions,
            standing,
            codecs.transactions,
            self._groups.transaction_ended,
            self._groups.partition_of,
            now_ms,
        )
        self._verifying = Verifying(
            catalogue, is_enabled=config.transaction_partition_verification_enable
        )
        self._producing = TransactionalProducing(partitions, producing, self._verifying)
        self._committing = TransactionalCommits(
            catalogue, partitions, self._groups, self._verifying
        )

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        if isinstance(request, Produce):
            return self._producing.handle(call, request, now_ms)
        if isinstance(request, CommitOffsets):
            return self._committing.handle(call, request, now_ms)
        if isinstance(request, GroupRequest):
            return self._groups.handle(call, request, now_ms)
        return self._transactions.handle(call, request, now_ms)

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        if isinstance(sent.request, AddPartitions):
            return self._verifying.answered(sent, answer, now_ms)
        return self._transactions.answered(sent, answer, now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        return [*self._groups.tick(now_ms), *self._transactions.tick(now_ms)]

    def moved(self, partitions: Sequence[TopicPartition], now_ms: int) -> list[Output]:
        """What was waited for may be committed now in these partitions.

        The logs of the coordinators are few of them, but a marker may be in any.
        """
        if any(at.topic in INTERNAL_TOPICS for at in partitions):
            return self.tick(now_ms)
        return self._transactions.markers_moved(now_ms) if partitions else []

    def next_deadline_ms(self) -> int:
        groups_ms, transactions_ms = (
            self._groups.next_deadline_ms(),
            self._transactions.next_deadline_ms(),
        )
        return transactions_ms if groups_ms is None else min(groups_ms, transactions_ms)

    def forget(self, connection_id: int) -> None:
        self._transactions.forget(connection_id)

    # Following the catalogue

    def follow(self, partitions: Partitions, now_ms: int) -> list[Output]:
        """Coordinate what this broker leads of the logs of the coordinators."""
        return [
            *self._groups.follow(partitions, now_ms),
            *self._transactions.follow(partitions, now_ms),
        ]

    def partitions_deleted(self, gone: Sequence[TopicPartition], now_ms: int) -> list[Output]:
        return self._groups.partitions_deleted(gone, now_ms)


def internal_topics(options: CurrentOptions) -> dict[str, NewTopic]:
    """How the logs of the coordinators are created."""
    topics: Iterable[NewTopic] = (
        offsets_topic(options.of(GroupConfig)),
        state_topic(options.of(TransactionConfig)),
    )
    return {topic.name: topic for topic in topics}
