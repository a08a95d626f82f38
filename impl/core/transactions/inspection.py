"""Transactions and producers as an administrator sees them (KIP-664)."""

from __future__ import annotations

from impl.core.cluster.topics import TopicPartition
from impl.core.data.partitions import Partitions
from impl.core.log.markers import ProducerIdentity
from impl.core.refusal import KafkaError
from impl.core.transactions.messages import (
    ActiveProducer,
    DescribedProducers,
    DescribedTransaction,
    DescribedTransactions,
    DescribeProducers,
    DescribeTransactions,
    ListedTransaction,
    ListedTransactions,
    ListTransactions,
    ProducersOfPartition,
)
from impl.core.transactions.state_log import StateLog
from impl.core.transactions.transaction import NAMED_STATES, Transaction
from spec.wire.errors import ErrorCode


def list_transactions(log: StateLog, request: ListTransactions, now_ms: int) -> ListedTransactions:
    """Only what this broker coordinates; a client asks all brokers."""
    unknown = tuple(state for state in request.states if state not in NAMED_STATES)
    if any(shard.is_loading for shard in log):
        return ListedTransactions(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    found = [
        ListedTransaction(each.transactional_id, each.producer_id, each.state.value)
        for shard in log
        for entry in shard.entries.values()
        if (each := entry.transaction) is not None and _is_asked_for(each, request, now_ms)
    ]
    return ListedTransactions(transactions=tuple(found), unknown_states=unknown)


def _is_asked_for(transaction: Transaction, request: ListTransactions, now_ms: int) -> bool:
    return (
        (not request.states or transaction.state.value in request.states)
        and (not request.producer_ids or transaction.producer_id in request.producer_ids)
        and (request.longer_than_ms < 0 or now_ms - transaction.start_ms > request.longer_than_ms)
    )


def describe_transactions(log: StateLog, request: DescribeTransactions) -> DescribedTransactions:
    return DescribedTransactions(tuple(_describe(log, each) for each in request.transactional_ids))


def _describe(log: StateLog, transactional_id: str) -> DescribedTransaction:
    try:
        if not transactional_id:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        entry = log.find(transactional_id).entries.get(transactional_id)
        if entry is None or (known := entry.transaction) is None:
            raise KafkaError(ErrorCode.TRANSACTIONAL_ID_NOT_FOUND)
    except KafkaError as refused:
        return DescribedTransaction(transactional_id, refused.error)
    return DescribedTransaction(
        transactional_id,
        state=known.state.value,
        timeout_ms=known.timeout_ms,
        start_ms=known.start_ms,
        producer=known.producer,
        partitions=tuple(sorted(known.partitions)),
    )


def describe_producers(partitions: Partitions, request: DescribeProducers) -> DescribedProducers:
    return DescribedProducers(tuple(_producers_of(partitions, at) for at in request.partitions))


def _producers_of(partitions: Partitions, at: TopicPartition) -> ProducersOfPartition:
    try:
        partition = partitions.find(*at)  # any replica may be asked
    except KafkaError as refused:
        return ProducersOfPartition(at, refused.error)
    return ProducersOfPartition(
        at,
        producers=tuple(
            ActiveProducer(
                ProducerIdentity(producer_id, each.epoch),
                each.last_sequence,
                each.last_used_ms,
                each.coordinator_epoch,
                -1 if each.transaction_start is None else each.transaction_start,
            )
            for producer_id, each in partition.producers()
        ),
    )
