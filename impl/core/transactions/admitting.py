"""Transactional writes before they are let in: Produce and TxnOffsetCommit.

TXNI-11, TXNI-16. The first write of a transaction to a partition waits for what the coordinator
says of it (`verifying`); all others go on at once. Which errors a client understands depends on
the version of its request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.topics import OFFSETS_TOPIC, TopicPartition
from impl.core.data.messages import Produce, Produced, ProducedPartition, RecordsForPartition
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Admission, Producing
from impl.core.events import Call, Output, Reply
from impl.core.groups.coordination import Coordination
from impl.core.groups.coordinator_log import partition_of
from impl.core.groups.messages import CommitOffsets, CommitReply
from impl.core.log.batch import NO_SEQUENCE, BatchHeader
from impl.core.log.batch_rules import only_batch
from impl.core.log.markers import ProducerIdentity
from impl.core.log.producer_state import NOT_TO_BE_VERIFIED
from impl.core.refusal import KafkaError
from impl.core.transactions.messages import PartitionsOfTransaction
from impl.core.transactions.verifying import Verifying
from spec.wire.errors import ErrorCode

# From these versions on the broker adds what is written to, in place of the client.
PRODUCE_ADDS_SINCE, COMMIT_ADDS_SINCE = 12, 5
# And from these on a client understands TRANSACTION_ABORTABLE.
PRODUCE_ABORTABLE_SINCE, COMMIT_ABORTABLE_SINCE = 11, 4

_NOT_NOW = (
    ErrorCode.NETWORK_EXCEPTION,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)

_COMMIT_ERRORS = {
    ErrorCode.NETWORK_EXCEPTION: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
}


class TransactionalProducing:
    def __init__(self, partitions: Partitions, producing: Producing, verifying: Verifying) -> None:
        self._partitions = partitions
        self._producing = producing
        self._verifying = verifying

    def handle(self, call: Call, request: Produce, now_ms: int) -> list[Output]:
        if request.transactional_id is None:
            return self._producing.handle(call, request, now_ms)
        batches = {
            index: header
            for index, asked in enumerate(request.partitions)
            if (header := _transactional_batch(request, asked)) is not None
        }
        producers = {_producer_of(header) for header in batches.values()}
        if len(producers) > 1:
            error = ErrorCode.INVALID_PRODUCER_ID_MAPPING
            refused = (ProducedPartition(p.topic, p.partition, error) for p in request.partitions)
            return [Reply(call, Produced(tuple(refused)))]
        admits_all = not self._verifying.is_enabled and request.api_version < PRODUCE_ADDS_SINCE
        if admits_all:
            admissions = dict.fromkeys(batches, Admission(NOT_TO_BE_VERIFIED))
            return self._producing.handle(call, request, now_ms, admissions)
        return self._verify(call, request, request.transactional_id, batches, now_ms)

    def _verify(
        self,
        call: Call,
        request: Produce,
        transactional_id: str,
        batches: Mapping[int, BatchHeader],
        now_ms: int,
    ) -> list[Output]:
        tickets: dict[int, tuple[TopicPartition, int]] = {}
        for index, header in batches.items():
            asked = request.partitions[index]
            try:
                partition = self._partitions.find(asked.topic, asked.partition)
                ticket = partition.begin_verification(
                    _producer_of(header), header.base_sequence, now_ms
                )
            except KafkaError:
                continue  # which the append will tell
            if ticket is not None:
                tickets[index] = partition.at, ticket
        if not tickets:
            return self._producing.handle(call, request, now_ms)
        kept = _with_own_records(request)

        def admit(errors: Mapping[TopicPartition, ErrorCode], now_ms: int) -> list[Output]:
            admissions = {
                index: _admission(ticket, errors[at], request.api_version)
                for index, (at, ticket) in tickets.items()
            }
            return self._producing.handle(call, kept, now_ms, admissions)

        producer = _producer_of(next(iter(batches.values())))
        about = PartitionsOfTransaction(
            transactional_id,
            producer,
            tuple(at for at, _ in tickets.values()),
            verify_only=request.api_version < PRODUCE_ADDS_SINCE,
        )
        return self._verifying.ask(about, admit, now_ms)


def _transactional_batch(request: Produce, asked: RecordsForPartition) -> BatchHeader | None:
    try:
        header = only_batch(asked.records, may_use_zstd=request.may_use_zstd)
    except KafkaError:
        return None  # which the append will tell
    return header if header.is_transactional and header.has_producer_id else None


def _producer_of(header: BatchHeader) -> ProducerIdentity:
    return ProducerIdentity(header.producer_id, header.producer_epoch)


def _with_own_records(request: Produce) -> Produce:
    """The caller may use the memory of its request for something else while this one waits."""
    partitions = (
        replace(each, records=None if each.records is None else bytes(each.records))
        for each in request.partitions
    )
    return replace(request, partitions=tuple(partitions))


def _admission(ticket: int, error: ErrorCode, api_version: int) -> Admission:
    """TXNI-11. Older clients retry without harm only what they take for a lack of replicas."""
    is_later = error is ErrorCode.CONCURRENT_TRANSACTIONS and api_version < PRODUCE_ADDS_SINCE
    if error in _NOT_NOW or is_later:
        message = f"Nobody could say whether the partition takes part: {error.name}."
        return Admission(ticket, ErrorCode.NOT_ENOUGH_REPLICAS, message)
    if error is ErrorCode.TRANSACTION_ABORTABLE:
        if api_version < PRODUCE_ABORTABLE_SINCE:
            error = ErrorCode.INVALID_TXN_STATE
        return Admission(ticket, error, "The partition is not part of the transaction.")
    return Admission(ticket, error)


class TransactionalCommits:
    """TXNI-16: offsets are written to a partition of `__consumer_offsets`, like other records."""

    def __init__(
        self,
        catalogue: Catalogue,
        partitions: Partitions,
        coordination: Coordination,
        verifying: Verifying,
    ) -> None:
        self._catalogue = catalogue
        self._partitions = partitions
        self._coordination = coordination
        self._verifying = verifying

    def handle(self, call: Call, request: CommitOffsets, now_ms: int) -> list[Output]:
        if request.producer is None:
            return self._coordination.handle(call, request, now_ms)
        verify_only = request.api_version < COMMIT_ADDS_SINCE
        if verify_only and not self._verifying.is_enabled:
            return self._coordination.handle(call, request, now_ms, NOT_TO_BE_VERIFIED)
        producer = ProducerIdentity(request.producer.producer_id, request.producer.producer_epoch)
        try:
            topic = self._catalogue.topics.get(OFFSETS_TOPIC)
            if topic is None:
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            index = partition_of(request.group_id, len(topic.partitions))
            partition = self._partitions.find(OFFSETS_TOPIC, index)
            ticket = partition.begin_verification(producer, NO_SEQUENCE, now_ms)
        except KafkaError:
            return self._coordination.handle(call, request, now_ms)  # which tells why not
        if ticket is None:
            return self._coordination.handle(call, request, now_ms)

        def admit(errors: Mapping[TopicPartition, ErrorCode], now_ms: int) -> list[Output]:
            error = errors[partition.at]
            if error:
                error = _commit_error(error, request.api_version)
                return [Reply(call, CommitReply(dict.fromkeys(request.offsets, error)))]
            return self._coordination.handle(call, request, now_ms, ticket)

        about = PartitionsOfTransaction(
            request.transactional_id, producer, (partition.at,), verify_only
        )
        return self._verifying.ask(about, admit, now_ms)


def _commit_error(error: ErrorCode, api_version: int) -> ErrorCode:
    if error is ErrorCode.TRANSACTION_ABORTABLE and api_version < COMMIT_ABORTABLE_SINCE:
        return ErrorCode.INVALID_TXN_STATE
    return _COMMIT_ERRORS.get(error, error)
