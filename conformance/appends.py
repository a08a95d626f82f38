"""Batches that a broker takes or refuses: the times of records, and judges of the log.

A refused batch appends nothing; whether that is so shows the offset that the next one gets.
"""

import time
from collections.abc import Collection, Sequence

from conformance import requests
from conformance.requests import Topic
from conformance.session import Session, preparing
from conformance.wire import Struct
from conformance.wire.records import Batch, Record, build_batch
from spec.wire.errors import ErrorCode, name_of

HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def store(session: Session, topic: Topic, *batches: bytes | Sequence[bytes]) -> list[Struct]:
    """Append batches that the check needs to partition 0; inconclusive if one is refused."""
    answers = [session.produce(topic, batch) for batch in batches]
    for answer in answers:
        if answer.error_code != ErrorCode.NONE:
            session.inconclusive(f"a batch was refused: {name_of(answer.error_code)}")
    return answers


def cut(session: Session, topic: Topic, offset: int) -> None:
    """Let partition 0 start at an offset; inconclusive if DeleteRecords does not do that."""
    with preparing("deleting the beginning of the log"):
        fields = requests.delete_records(topic, {0: offset})
        answer = session.leader(topic).call("DeleteRecords", **fields).topics[0].partitions[0]
    if (answer.error_code, answer.low_watermark) != (ErrorCode.NONE, offset):
        session.inconclusive(f"the log could not be made to start at offset {offset}")


def read_batches(session: Session, topic: Topic, count: int) -> list[Batch]:
    """The batches of partition 0, with this many records; inconclusive if there are fewer."""
    read = session.read(topic, count=count)
    if len(read.records) < count:
        session.inconclusive(f"{len(read.records)} of {count} records came back in time")
    return read.batches


def read_batches_from(session: Session, topic: Topic, offset: int) -> list[Batch]:
    """The batches of partition 0 from an offset to the visible end; inconclusive if none."""
    batches = session.read(topic, offset, count=1).batches
    if not batches:
        session.inconclusive(f"nothing came back from offset {offset} in time")
    return batches


def permit_accepted(session: Session, answer: Struct, because: str) -> None:
    session.permit("the error code", answer.error_code, {ErrorCode.NONE}, because)


def permit_refused(
    session: Session,
    topic: Topic,
    what: str,
    data: bytes,
    permitted: Collection[ErrorCode],
    because: str,
    *,
    version: int | None = None,
) -> None:
    """Judge that partition 0 refuses the data with one of these errors."""
    answer = session.produce(topic, data, version=version)
    session.permit(f"the error code for {what}", answer.error_code, permitted, because)


def permit_nothing_appended(session: Session, topic: Topic, offset: int = 0) -> None:
    """Judge that the next batch of partition 0 gets this offset."""
    (answer,) = store(session, topic, [b"next"])
    session.permit(
        "the offset of the next batch",
        answer.base_offset,
        [offset],
        "A refused batch appends nothing and uses no offset.",
    )


def batch_of(size: int, records: int = 1) -> bytes:
    """A plain batch of exactly so many bytes."""
    value = size
    for _ in range(4):  # lengths are numbers of variable length, so the first guess may be off
        batch = _padded(max(value, 0), records)
        if len(batch) == size:
            return batch
        value += size - len(batch)
    raise ValueError(f"no batch of {records} records has {size} bytes")


def _padded(value: int, records: int) -> bytes:
    small = [Record(value=b"small") for _ in range(records - 1)]
    return build_batch([*small, Record(value=bytes(value))])
