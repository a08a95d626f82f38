"""Idempotent producers without a client library: batches numbered by the check, and their judges.

A producer is a producer id with an epoch, whoever may have given them out. `store` is a
preparation; `permit_stored` and `permit_values` judge an answer and the log. Nothing here knows
which batch is right.
"""

from collections.abc import Sequence

from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

LAST_SEQUENCE = 2**31 - 1

Producer = tuple[int, int]
"""A producer id and an epoch."""


def batch(producer: Producer, sequence: int, values: Sequence[bytes] = (b"a",)) -> bytes:
    """A batch of a producer whose first record has this sequence number."""
    producer_id, epoch = producer
    return build_batch(
        [Record(value=value) for value in values],
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
    )


def store(
    session: Session,
    topic: Topic,
    producer: Producer,
    sequence: int,
    values: Sequence[bytes] = (b"a",),
) -> Struct:
    """Produce a batch that the check needs in the log; inconclusive if it is refused."""
    answer = session.produce(topic, batch(producer, sequence, values))
    if answer.error_code != ErrorCode.NONE:
        session.inconclusive(f"the batch with sequence {sequence} was not stored")
    return answer


def permit_values(
    session: Session,
    topic: Topic,
    values: list[bytes],
    because: str,
    *,
    partition: int = 0,
    offset: int = 0,
) -> None:
    got = session.read(topic, offset, partition, count=len(values)).values
    session.permit("the values in the log", got, [values], because)


def permit_stored(session: Session, answer: Struct, offset: int, because: str) -> None:
    session.permit("the error code", answer.error_code, {ErrorCode.NONE}, because)
    session.permit("the base offset", answer.base_offset, [offset], because)
