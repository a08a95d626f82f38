"""Which requests a transactional id takes in which state, and what they make of it.

TXNI-01, TXNI-02, TXNI-05 to TXNI-08, TXNI-19. Pure: a transaction goes in, and what shall become
of it comes out, or KafkaError. `is_busy` says that a change is on its way to the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from impl.core.cluster.topics import TopicPartition
from impl.core.data.messages import InitProducerId
from impl.core.log.batch import NO_PRODUCER_EPOCH, NO_PRODUCER_ID
from impl.core.log.markers import ProducerIdentity
from impl.core.refusal import KafkaError
from impl.core.transactions.messages import EndTransaction, Errors, PartitionsOfTransaction
from impl.core.transactions.transaction import (
    MAXIMUM_EPOCH,
    WITH_EPOCH_BUMP,
    State,
    Transaction,
)
from spec.wire.errors import ErrorCode

END_WITH_EPOCH_BUMP_SINCE = 5

_COMPLETE = (State.COMPLETE_COMMIT, State.COMPLETE_ABORT)


class ProducerIdNeededError(Exception):
    """The change needs a new producer id, and none was given."""


def _is_exhausted(epoch: int) -> bool:
    return epoch >= MAXIMUM_EPOCH - 1


# InitProducerId


def expected_producer(request: InitProducerId) -> ProducerIdentity | None:
    """Who the producer believes to be (KIP-360). Raises KafkaError."""
    given = (request.producer_id == NO_PRODUCER_ID, request.producer_epoch == NO_PRODUCER_EPOCH)
    if any(given) and not all(given):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    return None if all(given) else ProducerIdentity(request.producer_id, request.producer_epoch)


def initialize(
    known: Transaction,
    expected: ProducerIdentity | None,
    timeout_ms: int,
    new_producer_id: int | None,
    now_ms: int,
    *,
    is_busy: bool,
) -> Transaction:
    """A decision to abort, if there was something left over; else ready for a new transaction.

    Raises KafkaError or ProducerIdNeededError.
    """
    if is_busy:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if expected is not None and not _may_continue(known, expected):
        raise KafkaError(ErrorCode.PRODUCER_FENCED)
    if known.is_decided:  # TXNI-02
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if known.state is State.ONGOING:
        return known.fenced(now_ms)
    is_current = expected is None or expected.producer_epoch == known.producer_epoch
    if known.is_exhausted and is_current:  # TXNI-19
        if new_producer_id is None:
            raise ProducerIdNeededError
        last_epoch = NO_PRODUCER_EPOCH if expected is None else known.producer_epoch
        successor = ProducerIdentity(new_producer_id, 0)
        return known.initialized(successor, last_epoch, timeout_ms, now_ms)
    epoch, last_epoch = _next_epoch(known, expected)
    producer = ProducerIdentity(known.producer_id, epoch)
    return known.initialized(producer, last_epoch, timeout_ms, now_ms)


def _may_continue(known: Transaction, expected: ProducerIdentity) -> bool:
    """Or else another one was initialized since. A new id may not have reached its producer."""
    return (
        known.producer_epoch == NO_PRODUCER_EPOCH
        or expected.producer_id == known.producer_id
        or (
            expected.producer_id == known.previous_producer_id
            and _is_exhausted(expected.producer_epoch)
        )
    )


def _next_epoch(known: Transaction, expected: ProducerIdentity | None) -> tuple[int, int]:
    """TXNI-01: the epoch to give out, and the one that it follows for who asks again."""
    if expected is None:
        return known.producer_epoch + 1, NO_PRODUCER_EPOCH
    if known.producer_epoch in (NO_PRODUCER_EPOCH, expected.producer_epoch):
        return known.producer_epoch + 1, known.producer_epoch
    if expected.producer_epoch == known.last_producer_epoch:
        return known.producer_epoch, known.last_producer_epoch
    raise KafkaError(ErrorCode.PRODUCER_FENCED)


# AddPartitionsToTxn, AddOffsetsToTxn


def add_partitions(
    known: Transaction | None,
    producer: ProducerIdentity,
    partitions: Sequence[TopicPartition],
    now_ms: int,
    *,
    is_busy: bool,
) -> Transaction:
    """The same transaction if there is nothing to add. Raises KafkaError."""
    if known is None:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if is_busy or known.is_decided:  # TXNI-06; it may be about to get the id that is used here
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    _check_producer(known, producer)
    if known.state is State.ONGOING and known.partitions.issuperset(partitions):
        return known
    return known.with_partitions(partitions, now_ms)


def _check_producer(known: Transaction, producer: ProducerIdentity) -> None:
    """TXNI-05."""
    if producer.producer_id != known.producer_id:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if producer.producer_epoch != known.producer_epoch:
        raise KafkaError(ErrorCode.PRODUCER_FENCED)


def verify_partitions(known: Transaction | None, asked: PartitionsOfTransaction) -> Errors:
    """TXNI-11: which of them do not belong to the transaction. Raises KafkaError."""
    if known is None:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    _check_producer(known, asked.producer)
    if known.is_decided:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    stray = ErrorCode.TRANSACTION_ABORTABLE
    return {at: ErrorCode.NONE if at in known.partitions else stray for at in asked.partitions}


# EndTxn


def end(
    known: Transaction | None,
    request: EndTransaction,
    new_producer_id: int | None,
    now_ms: int,
    *,
    is_busy: bool,
) -> Transaction:
    """The same transaction if it has ended so before.

    Raises KafkaError or ProducerIdNeededError.
    """
    if known is None:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    is_busy = is_busy or known.is_decided
    if request.api_version < END_WITH_EPOCH_BUMP_SINCE:
        return _end(known, request, now_ms, is_busy=is_busy)
    return _end_with_bump(known, request, new_producer_id, now_ms, is_busy=is_busy)


def _end(
    known: Transaction, request: EndTransaction, now_ms: int, *, is_busy: bool
) -> Transaction:
    _check_producer(known, request.producer)
    if is_busy:
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if known.state is State.ONGOING:
        return known.decided(now_ms, commits=request.commits)
    if _ended_so(known, request):  # TXNI-08
        return known
    raise KafkaError(ErrorCode.INVALID_TXN_STATE)  # TXNI-07


def _ended_so(known: Transaction, request: EndTransaction) -> bool:
    ended = State.COMPLETE_COMMIT if request.commits else State.COMPLETE_ABORT
    return known.state is ended


def _end_with_bump(
    known: Transaction,
    request: EndTransaction,
    new_producer_id: int | None,
    now_ms: int,
    *,
    is_busy: bool,
) -> Transaction:
    if is_busy:  # first of all: the producer may have an id that is yet to be taken over
        raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
    if _is_repetition(known, request.producer):  # TXNI-08
        if _ended_so(known, request):
            return known
        raise KafkaError(ErrorCode.INVALID_TXN_STATE)
    _check_producer(known, request.producer)
    if known.state is not State.ONGOING and request.commits:  # TXNI-07
        raise KafkaError(ErrorCode.INVALID_TXN_STATE)
    next_producer_id = NO_PRODUCER_ID
    if known.is_exhausted:  # TXNI-19
        if new_producer_id is None:
            raise ProducerIdNeededError
        next_producer_id = new_producer_id
    return known.decided_with_bump(next_producer_id, now_ms, commits=request.commits)


def _is_repetition(known: Transaction, producer: ProducerIdentity) -> bool:
    """Whether this producer's end of the transaction made the state what it is."""
    if known.client_version != WITH_EPOCH_BUMP or known.state not in _COMPLETE:
        return False
    if producer.producer_id == known.producer_id:
        return producer.producer_epoch + 1 == known.producer_epoch
    return (
        producer.producer_id == known.previous_producer_id
        and _is_exhausted(producer.producer_epoch)
        and known.producer_epoch == 0
    )
