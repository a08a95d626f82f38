"""What is asked about transactions, by clients and by brokers of each other, and the answers.

InitProducerId stands in `data.messages`, because producers without transactions use it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import InitProducerId
from impl.core.log.markers import NOBODY, ProducerIdentity
from spec.wire.errors import ErrorCode

Errors = Mapping[TopicPartition, ErrorCode]


# What belongs to a transaction


@dataclass(frozen=True, slots=True)
class PartitionsOfTransaction:
    """To be added, or only to be looked up."""

    transactional_id: str
    producer: ProducerIdentity
    partitions: tuple[TopicPartition, ...]
    verify_only: bool = False


@dataclass(frozen=True, slots=True)
class AddPartitions:
    """Several transactions in one request come from brokers only (version 4)."""

    transactions: tuple[PartitionsOfTransaction, ...]
    api_version: int = 5


@dataclass(frozen=True, slots=True)
class AddedPartitions:
    """The errors by transactional id; `error` counts for all."""

    errors: Mapping[str, Errors] = field(default_factory=dict)
    error: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class AddOffsets:
    transactional_id: str
    producer: ProducerIdentity
    group_id: str
    api_version: int = 4


@dataclass(frozen=True, slots=True)
class AddedOffsets:
    error: ErrorCode = ErrorCode.NONE


# The end of a transaction


@dataclass(frozen=True, slots=True)
class EndTransaction:
    transactional_id: str
    producer: ProducerIdentity
    commits: bool
    api_version: int = 5


@dataclass(frozen=True, slots=True)
class EndedTransaction:
    """The producer is who goes on, since version 5."""

    error: ErrorCode = ErrorCode.NONE
    producer: ProducerIdentity = NOBODY


@dataclass(frozen=True, slots=True)
class MarkersOfTransaction:
    producer: ProducerIdentity
    commits: bool
    coordinator_epoch: int
    partitions: tuple[TopicPartition, ...]
    version: int = 0
    """Of the transaction: since version 2 it ends with an epoch of its own (KIP-1228)."""


@dataclass(frozen=True, slots=True)
class WriteMarkers:
    transactions: tuple[MarkersOfTransaction, ...]


@dataclass(frozen=True, slots=True)
class WrittenMarkers:
    """By producer id."""

    errors: Mapping[int, Errors]


# What there is


@dataclass(frozen=True, slots=True)
class ListTransactions:
    """Filters that are empty, or negative, let everything through."""

    states: tuple[str, ...] = ()
    producer_ids: tuple[int, ...] = ()
    longer_than_ms: int = -1


@dataclass(frozen=True, slots=True)
class ListedTransaction:
    transactional_id: str
    producer_id: int
    state: str


@dataclass(frozen=True, slots=True)
class ListedTransactions:
    error: ErrorCode = ErrorCode.NONE
    transactions: tuple[ListedTransaction, ...] = ()
    unknown_states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeTransactions:
    transactional_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DescribedTransaction:
    transactional_id: str
    error: ErrorCode = ErrorCode.NONE
    state: str = ""
    timeout_ms: int = 0
    start_ms: int = 0
    producer: ProducerIdentity = NOBODY
    partitions: tuple[TopicPartition, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedTransactions:
    transactions: tuple[DescribedTransaction, ...]


@dataclass(frozen=True, slots=True)
class DescribeProducers:
    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class ActiveProducer:
    producer: ProducerIdentity
    last_sequence: int
    last_timestamp: int
    coordinator_epoch: int
    transaction_start: int = -1


@dataclass(frozen=True, slots=True)
class ProducersOfPartition:
    at: TopicPartition
    error: ErrorCode = ErrorCode.NONE
    producers: tuple[ActiveProducer, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedProducers:
    partitions: tuple[ProducersOfPartition, ...]


TRANSACTION_REQUESTS = (
    InitProducerId,
    AddPartitions,
    AddOffsets,
    EndTransaction,
    WriteMarkers,
    ListTransactions,
    DescribeTransactions,
    DescribeProducers,
)
