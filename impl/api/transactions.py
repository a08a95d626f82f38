"""Between the wire and the core: transactions, for both sides of what brokers ask each other.

| API | versions | notes |
|---|---|---|
| InitProducerId | 0-5 | KIP-98; own id and epoch since 3 (KIP-360), KIP-588 since 4 |
| AddPartitionsToTxn | 0-5 | several transactions, from brokers, since 4 (KIP-890) |
| AddOffsetsToTxn | 0-4 | |
| EndTxn | 0-5 | a new epoch with every end since 5 (KIP-890) |
| WriteTxnMarkers | 1 to 2 | from brokers |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from impl.api.asking import Asking
from impl.api.translation import Translation
from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import InitProducerId, ProducerIdentityGranted
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import (
    AddedOffsets,
    AddedPartitions,
    AddOffsets,
    AddPartitions,
    EndedTransaction,
    EndTransaction,
    Errors,
    MarkersOfTransaction,
    PartitionsOfTransaction,
    WriteMarkers,
    WrittenMarkers,
)
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

SEVERAL_TRANSACTIONS_SINCE = 4
ASKED_VERSION = 5
MARKERS_VERSION = 2


def _partitions(topics: Iterable[Struct], name: str, indexes: str) -> tuple[TopicPartition, ...]:
    return tuple(
        TopicPartition(getattr(topic, name), index)
        for topic in topics
        for index in getattr(topic, indexes)
    )


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for topic, partition in partitions:
        found.setdefault(topic, []).append(partition)
    return found


# InitProducerId


def _read_init(request: Request, _client_host: str) -> InitProducerId:
    body = request.body
    return InitProducerId(
        body.transactional_id,
        body.producer_id,
        body.producer_epoch,
        body.transaction_timeout_ms,
        request.api_version,
    )


def _write_init(_request: Request, result: ProducerIdentityGranted) -> Struct:
    return Struct(
        error_code=result.error,
        producer_id=result.producer_id,
        producer_epoch=result.producer_epoch,
    )


# AddPartitionsToTxn


def _read_add(request: Request, _client_host: str) -> AddPartitions:
    body = request.body
    if request.api_version >= SEVERAL_TRANSACTIONS_SINCE:
        asked = {each.transactional_id: _read_transaction(each) for each in body.transactions}
        return AddPartitions(tuple(asked.values()), request.api_version)
    only = PartitionsOfTransaction(
        body.v3_and_below_transactional_id,
        ProducerIdentity(body.v3_and_below_producer_id, body.v3_and_below_producer_epoch),
        _partitions(body.v3_and_below_topics, "name", "partitions"),
    )
    return AddPartitions((only,), request.api_version)


def _read_transaction(asked: Struct) -> PartitionsOfTransaction:
    return PartitionsOfTransaction(
        asked.transactional_id,
        ProducerIdentity(asked.producer_id, asked.producer_epoch),
        _partitions(asked.topics, "name", "partitions"),
        asked.verify_only,
    )


def _write_added(request: Request, result: AddedPartitions) -> Struct:
    if request.api_version < SEVERAL_TRANSACTIONS_SINCE:
        (errors,) = result.errors.values()
        return Struct(results_by_topic_v3_and_below=_write_errors(errors))
    return Struct(
        error_code=result.error,
        results_by_transaction=[
            Struct(transactional_id=transactional_id, topic_results=_write_errors(errors))
            for transactional_id, errors in result.errors.items()
        ],
    )


def _write_errors(errors: Errors) -> list[Struct]:
    return [
        Struct(
            name=topic,
            results_by_partition=[
                Struct(
                    partition_index=index,
                    partition_error_code=errors[TopicPartition(topic, index)],
                )
                for index in indexes
            ],
        )
        for topic, indexes in by_topic(errors).items()
    ]


def _ask_add(request: AddPartitions) -> Struct:
    return Struct(
        transactions=[
            Struct(
                transactional_id=asked.transactional_id,
                producer_id=asked.producer.producer_id,
                producer_epoch=asked.producer.producer_epoch,
                verify_only=asked.verify_only,
                topics=[
                    Struct(name=topic, partitions=indexes)
                    for topic, indexes in by_topic(asked.partitions).items()
                ],
            )
            for asked in request.transactions
        ]
    )


def _hear_added(body: Struct) -> AddedPartitions:
    errors = {
        each.transactional_id: {
            TopicPartition(topic.name, partition.partition_index): ErrorCode(
                partition.partition_error_code
            )
            for topic in each.topic_results
            for partition in topic.results_by_partition
        }
        for each in body.results_by_transaction
    }
    return AddedPartitions(errors, ErrorCode(body.error_code))


# AddOffsetsToTxn, EndTxn


def _read_add_offsets(request: Request, _client_host: str) -> AddOffsets:
    body = request.body
    producer = ProducerIdentity(body.producer_id, body.producer_epoch)
    return AddOffsets(body.transactional_id, producer, body.group_id, request.api_version)


def _write_added_offsets(_request: Request, result: AddedOffsets) -> Struct:
    return Struct(error_code=result.error)


def _read_end(request: Request, _client_host: str) -> EndTransaction:
    body = request.body
    producer = ProducerIdentity(body.producer_id, body.producer_epoch)
    return EndTransaction(body.transactional_id, producer, body.committed, request.api_version)


def _write_ended(_request: Request, result: EndedTransaction) -> Struct:
    return Struct(
        error_code=result.error,
        producer_id=result.producer.producer_id,
        producer_epoch=result.producer.producer_epoch,
    )


# WriteTxnMarkers


def _read_markers(request: Request, _client_host: str) -> WriteMarkers:
    return WriteMarkers(
        tuple(
            MarkersOfTransaction(
                ProducerIdentity(marker.producer_id, marker.producer_epoch),
                marker.transaction_result,
                marker.coordinator_epoch,
                _partitions(marker.topics, "name", "partition_indexes"),
                marker.transaction_version,
            )
            for marker in request.body.markers
        )
    )


def _write_markers(_request: Request, result: WrittenMarkers) -> Struct:
    return Struct(
        markers=[
            Struct(producer_id=producer_id, topics=_write_marker_errors(errors))
            for producer_id, errors in result.errors.items()
        ]
    )


def _write_marker_errors(errors: Mapping[TopicPartition, ErrorCode]) -> list[Struct]:
    return [
        Struct(
            name=topic,
            partitions=[
                Struct(partition_index=index, error_code=errors[TopicPartition(topic, index)])
                for index in indexes
            ],
        )
        for topic, indexes in by_topic(errors).items()
    ]


def _ask_markers(request: WriteMarkers) -> Struct:
    return Struct(
        markers=[
            Struct(
                producer_id=each.producer.producer_id,
                producer_epoch=each.producer.producer_epoch,
                transaction_result=each.commits,
                coordinator_epoch=each.coordinator_epoch,
                transaction_version=each.version,
                topics=[
                    Struct(name=topic, partition_indexes=indexes)
                    for topic, indexes in by_topic(each.partitions).items()
                ],
            )
            for each in request.transactions
        ]
    )


def _hear_markers(body: Struct) -> WrittenMarkers:
    return WrittenMarkers(
        {
            marker.producer_id: {
                TopicPartition(topic.name, partition.partition_index): ErrorCode(
                    partition.error_code
                )
                for topic in marker.topics
                for partition in topic.partitions
            }
            for marker in body.markers
        }
    )


TRANSACTION_APIS = {
    "InitProducerId": Translation(_read_init, _write_init, range(6)),
    "AddPartitionsToTxn": Translation(_read_add, _write_added, range(6)),
    "AddOffsetsToTxn": Translation(_read_add_offsets, _write_added_offsets, range(5)),
    "EndTxn": Translation(_read_end, _write_ended, range(6)),
    "WriteTxnMarkers": Translation(_read_markers, _write_markers, range(1, 3)),
}

TRANSACTION_ASKED = {
    AddPartitions: Asking("AddPartitionsToTxn", ASKED_VERSION, _ask_add, _hear_added),
    WriteMarkers: Asking("WriteTxnMarkers", MARKERS_VERSION, _ask_markers, _hear_markers),
}
