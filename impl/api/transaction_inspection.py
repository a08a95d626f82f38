"""Between the wire and the core: transactions and producers as an administrator sees them.

| API | versions | notes |
|---|---|---|
| DescribeProducers | 0 | KIP-664 |
| DescribeTransactions | 0 | KIP-664 |
| ListTransactions | 0-1 | KIP-664; by duration since 1 (KIP-994) |
"""

from __future__ import annotations

from itertools import groupby

from impl.api.transactions import by_topic
from impl.api.translation import Translation
from impl.core.cluster.topics import TopicPartition
from impl.core.transactions.messages import (
    ActiveProducer,
    DescribedProducers,
    DescribedTransaction,
    DescribedTransactions,
    DescribeProducers,
    DescribeTransactions,
    ListedTransactions,
    ListTransactions,
    ProducersOfPartition,
)
from impl.wire import Request, Struct

# ListTransactions


def _read_list(request: Request, _client_host: str) -> ListTransactions:
    body = request.body
    return ListTransactions(
        tuple(body.state_filters), tuple(body.producer_id_filters), body.duration_filter
    )


def _write_list(_request: Request, result: ListedTransactions) -> Struct:
    return Struct(
        error_code=result.error,
        unknown_state_filters=list(result.unknown_states),
        transaction_states=[
            Struct(
                transactional_id=each.transactional_id,
                producer_id=each.producer_id,
                transaction_state=each.state,
            )
            for each in result.transactions
        ],
    )


# DescribeTransactions


def _read_describe(request: Request, _client_host: str) -> DescribeTransactions:
    return DescribeTransactions(tuple(request.body.transactional_ids))


def _write_describe(_request: Request, result: DescribedTransactions) -> Struct:
    return Struct(transaction_states=[_write_transaction(each) for each in result.transactions])


def _write_transaction(transaction: DescribedTransaction) -> Struct:
    return Struct(
        error_code=transaction.error,
        transactional_id=transaction.transactional_id,
        transaction_state=transaction.state,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_start_time_ms=transaction.start_ms,
        producer_id=transaction.producer.producer_id,
        producer_epoch=transaction.producer.producer_epoch,
        topics=[
            Struct(topic=topic, partitions=indexes)
            for topic, indexes in by_topic(transaction.partitions).items()
        ],
    )


# DescribeProducers


def _read_producers(request: Request, _client_host: str) -> DescribeProducers:
    return DescribeProducers(
        tuple(
            TopicPartition(topic.name, index)
            for topic in request.body.topics
            for index in topic.partition_indexes
        )
    )


def _write_producers(_request: Request, result: DescribedProducers) -> Struct:
    return Struct(
        topics=[
            Struct(name=topic, partitions=[_write_partition(each) for each in partitions])
            for topic, partitions in groupby(result.partitions, key=lambda each: each.at.topic)
        ]
    )


def _write_partition(partition: ProducersOfPartition) -> Struct:
    return Struct(
        partition_index=partition.at.partition,
        error_code=partition.error,
        active_producers=[_write_producer(each) for each in partition.producers],
    )


def _write_producer(producer: ActiveProducer) -> Struct:
    return Struct(
        producer_id=producer.producer.producer_id,
        producer_epoch=producer.producer.producer_epoch,
        last_sequence=producer.last_sequence,
        last_timestamp=producer.last_timestamp,
        coordinator_epoch=producer.coordinator_epoch,
        current_txn_start_offset=producer.transaction_start,
    )


TRANSACTION_INSPECTION_APIS = {
    "ListTransactions": Translation(_read_list, _write_list, range(2)),
    "DescribeTransactions": Translation(_read_describe, _write_describe, range(1)),
    "DescribeProducers": Translation(_read_producers, _write_producers, range(1)),
}
