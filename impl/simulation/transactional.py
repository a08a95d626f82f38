"""A producer of a simulated cluster that writes in transactions, and remembers how each ended.

Each transaction puts one value into every partition of its topic, and then commits or aborts.
What nobody answered is asked again as it was. Sometimes the producer begins a new life in between,
as if its process had died: its coordinator then has to abort what it left open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from impl.core.data.messages import (
    InitProducerId,
    Produce,
    Produced,
    ProducerIdentityGranted,
    RecordsForPartition,
)
from impl.core.groups.lookup import TRANSACTION
from impl.core.log.batch import HEADER_SIZE, TRANSACTIONAL, build_batch, read_header
from impl.core.log.markers import NOBODY, ProducerIdentity
from impl.core.transactions.messages import EndedTransaction, EndTransaction
from impl.simulation.clients import CHECKSUM, REQUEST_TIMEOUT_MS, CoordinatedClient, sealed
from impl.simulation.cluster import Simulation
from spec.wire.errors import ErrorCode

TRANSACTION_TIMEOUT_MS = 8_000
WITH_IMPLICIT_PARTITIONS = 12
"""The version of Produce from which on the broker adds partitions to the transaction (KIP-890)."""

_ASK_AGAIN = (
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.UNKNOWN_LEADER_EPOCH,
    ErrorCode.FENCED_LEADER_EPOCH,
)


class Outcome(Enum):
    COMMITTED = "its commit was acknowledged"
    ABORTED = "nobody ever asked to commit it, or its abort was acknowledged"
    UNKNOWN = "it was asked to be committed, and nobody said what became of it"


@dataclass(slots=True)
class Transaction:
    value: bytes
    outcome: Outcome = Outcome.ABORTED


@dataclass(slots=True)
class _Life:
    """From one InitProducerId to the next; what is answered to a former one counts no more."""

    producer: ProducerIdentity = NOBODY
    sequences: dict[int, int] = field(default_factory=dict)


class TransactionalProducer(CoordinatedClient):
    def __init__(
        self,
        simulation: Simulation,
        client_id: int,
        topic: str,
        partitions: tuple[int, ...],
        *,
        pause_ms: int = 50,
        dying: float = 0.05,
    ) -> None:
        """`dying`: how likely the producer begins anew instead of ending a transaction."""
        self.transactional_id = f"producer-{client_id}"
        super().__init__(simulation, client_id, topic, TRANSACTION, self.transactional_id)
        self.history: list[Transaction] = []
        self._partitions = partitions
        self._pause_ms = pause_ms
        self._dying = dying
        self._life = _Life()
        self.later(self._begin_life, 0)

    def _begin_life(self) -> None:
        life = self._life = _Life()
        request = InitProducerId(
            self.transactional_id, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS
        )

        def granted(answer: ProducerIdentityGranted) -> None:
            if answer.error:
                self.later(self._begin_life)
                return
            life.producer = ProducerIdentity(answer.producer_id, answer.producer_epoch)
            self._begin_transaction()

        self.ask_coordinator(request, granted, self._begin_life)

    def _begin_transaction(self) -> None:
        value = f"{self.client_id}-{len(self.history)}".encode()
        self.history.append(Transaction(value))
        self._write(list(self._partitions))

    # Writing

    def _write(self, partitions: list[int]) -> None:
        if not partitions:
            self._decide()
            return
        partition, life = partitions[0], self._life
        leader = self.leaders.get(partition)
        if leader is None:
            self.refresh(lambda: self._write(partitions))
            return
        records = RecordsForPartition(self.topic, partition, self._batch(partition))
        request = Produce(
            -1,
            REQUEST_TIMEOUT_MS // 2,
            (records,),
            self.transactional_id,
            api_version=WITH_IMPLICIT_PARTITIONS,
        )

        def answered(answer: Produced | None) -> None:
            error = None if answer is None else answer.partitions[0].error
            if error is ErrorCode.NONE:
                life.sequences[partition] = life.sequences.get(partition, 0) + 1
                self._write(partitions[1:])
            elif error is None or error in _ASK_AGAIN:
                self.leaders.pop(partition, None)
                self.later(lambda: self._write(partitions))
            else:
                self.later(self._begin_life)

        self.ask(leader, request, answered)

    def _batch(self, partition: int) -> bytes:
        plain = build_batch([(None, self.history[-1].value)], self.simulation.now_ms, CHECKSUM)
        producer = self._life.producer
        header = read_header(plain)._replace(
            attributes=TRANSACTIONAL,
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            base_sequence=self._life.sequences.get(partition, 0),
        )
        return sealed(header, plain[HEADER_SIZE:])

    # Ending

    def _decide(self) -> None:
        random = self.simulation.random
        if random.random() < self._dying:
            self._begin_life()
            return
        self._end(commits=random.random() < 0.6)

    def _end(self, *, commits: bool) -> None:
        life, transaction = self._life, self.history[-1]
        if commits:
            transaction.outcome = Outcome.UNKNOWN
        request = EndTransaction(self.transactional_id, life.producer, commits)

        def ended(answer: EndedTransaction) -> None:
            if answer.error in _ASK_AGAIN:
                self.later(lambda: self._end(commits=commits))
            elif answer.error:
                self.later(self._begin_life)
            else:
                self._ended(transaction, answer.producer, commits=commits)

        self.ask_coordinator(request, ended, lambda: self._end(commits=commits))

    def _ended(
        self, transaction: Transaction, producer: ProducerIdentity, *, commits: bool
    ) -> None:
        transaction.outcome = Outcome.COMMITTED if commits else Outcome.ABORTED
        self._life = _Life(producer)  # an epoch of its own for each transaction (KIP-890)
        self.later(self._begin_transaction, self._pause_ms)
