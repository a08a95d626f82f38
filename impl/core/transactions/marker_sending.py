"""Markers on their way to the leaders of the partitions that took part in a transaction.

TXNI-10: what was decided is told again and again, until every partition knows. Decides whom to
tell, and when again; that nothing is left to tell is reported once. Partitions that exist no
longer need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import TopicPartition
from impl.core.events import Output, Send
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import MarkersOfTransaction, WriteMarkers, WrittenMarkers
from impl.core.transactions.transaction import State, Transaction
from spec.wire.errors import ErrorCode

LANE = "markers"
TIMEOUT_MS = 30_000
BACKOFF_MS = 100

# Somebody decided otherwise in a later epoch: what is known here is of the past.
_FENCED = (ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED)


@dataclass(slots=True)
class _Untold:
    """One transaction, and since when each partition that does not know may be told again."""

    transactional_id: str
    producer: ProducerIdentity
    commits: bool
    coordinator_epoch: int
    version: int
    partitions: dict[TopicPartition, int]

    def about(self, partitions: Iterable[TopicPartition]) -> MarkersOfTransaction:
        return MarkersOfTransaction(
            self.producer, self.commits, self.coordinator_epoch, tuple(partitions), self.version
        )


class MarkerSending:
    def __init__(self, catalogue: Catalogue, is_told: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._is_told = is_told
        self._untold: dict[str, _Untold] = {}
        self._sent: dict[int, Send] = {}
        """What each node was asked and has not answered."""

    def add(self, transaction: Transaction, coordinator_epoch: int) -> None:
        """Tell the partitions what was decided."""
        self._untold[transaction.transactional_id] = _Untold(
            transaction.transactional_id,
            transaction.producer,
            transaction.state is State.PREPARE_COMMIT,
            coordinator_epoch,
            transaction.client_version,
            dict.fromkeys(sorted(transaction.partitions), 0),
        )

    def drop(self, transactional_ids: Iterable[str]) -> None:
        """Another coordinator will tell them."""
        for transactional_id in transactional_ids:
            self._untold.pop(transactional_id, None)

    # Telling

    def tick(self, now_ms: int) -> list[Output]:
        by_node: dict[int, tuple[Endpoint, list[MarkersOfTransaction]]] = {}
        for untold in list(self._untold.values()):
            due: dict[int, list[TopicPartition]] = {}
            for at, not_before_ms in list(untold.partitions.items()):
                if not self._exists(at):
                    del untold.partitions[at]
                elif not_before_ms <= now_ms:
                    self._note_due(untold, at, due, now_ms)
            for node_id, partitions in due.items():
                endpoint = self._catalogue.brokers[node_id].endpoint
                by_node.setdefault(node_id, (endpoint, []))[1].append(untold.about(partitions))
            self._report(untold)
        return [self._ask(*each) for _, each in sorted(by_node.items())]

    def _note_due(
        self,
        untold: _Untold,
        at: TopicPartition,
        due: dict[int, list[TopicPartition]],
        now_ms: int,
    ) -> None:
        leader = self._catalogue.topics[at.topic].partitions[at.partition].leader
        registered = self._catalogue.brokers.get(leader)
        if registered is None or registered.fenced:
            untold.partitions[at] = now_ms + BACKOFF_MS
        elif leader not in self._sent:
            due.setdefault(leader, []).append(at)

    def _exists(self, at: TopicPartition) -> bool:
        topic = self._catalogue.topics.get(at.topic)
        return topic is not None and at.partition in topic.partitions

    def _ask(self, to: Endpoint, transactions: list[MarkersOfTransaction]) -> Send:
        sent = Send(to, LANE, WriteMarkers(tuple(transactions)), TIMEOUT_MS)
        self._sent[to.node_id] = sent
        return sent

    def answered(self, sent: Send, answer: WrittenMarkers | None, now_ms: int) -> list[Output]:
        if self._sent.get(sent.to.node_id) is sent:
            del self._sent[sent.to.node_id]
        errors = {} if answer is None else answer.errors
        by_producer = {untold.producer: untold for untold in self._untold.values()}
        for told in sent.request.transactions:
            untold = by_producer.get(told.producer)
            if untold is None or untold.coordinator_epoch != told.coordinator_epoch:
                continue
            of_producer = errors.get(told.producer.producer_id, {})
            for at in told.partitions:
                error = of_producer.get(at, ErrorCode.REQUEST_TIMED_OUT)
                self._note(untold, at, error, now_ms)
            self._report(untold)
        return self.tick(now_ms)

    def _note(self, untold: _Untold, at: TopicPartition, error: ErrorCode, now_ms: int) -> None:
        if not error:
            untold.partitions.pop(at, None)
        elif error in _FENCED:
            # It stays undecided here, until this broker hears that another one coordinates it.
            self._untold.pop(untold.transactional_id, None)
        elif at in untold.partitions:
            untold.partitions[at] = now_ms + BACKOFF_MS

    def _report(self, untold: _Untold) -> None:
        if not untold.partitions and self._untold.pop(untold.transactional_id, None) is not None:
            self._is_told(untold.transactional_id)

    def next_deadline_ms(self) -> int | None:
        """When somebody may be told again. Who is being told is waited for."""
        return min(
            (
                not_before_ms
                for untold in self._untold.values()
                for at, not_before_ms in untold.partitions.items()
                if not_before_ms and not self._is_being_told(at)
            ),
            default=None,
        )

    def _is_being_told(self, at: TopicPartition) -> bool:
        if not self._exists(at):
            return False
        return self._catalogue.topics[at.topic].partitions[at.partition].leader in self._sent
