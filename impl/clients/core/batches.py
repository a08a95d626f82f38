"""Record batches as a client makes and reads them. The layout is `impl.core.log.batch`'s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from impl.core.log.batch import (
    HEADER_SIZE,
    MAGIC,
    MINIMUM_LENGTH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NOT_COMPRESSED,
    BatchHeader,
    MalformedRecordsError,
    checksum_is_right,
    read_header,
    with_checksum,
    write_header,
    write_sized,
    write_varint,
)
from impl.core.storage import Bytes

Headers: TypeAlias = Sequence[tuple[str, bytes | None]]

TRANSACTIONAL = 0x10


class Codecs(NamedTuple):
    """What the core lacks: checksum and compression, as in `impl.core.log.log.Platform`."""

    checksum: Callable[[Bytes], int]
    compress: Callable[[int, Bytes], bytes | None]
    decompress: Callable[[int, Bytes], bytes | None]


class NewRecord(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int

    @property
    def size_estimate(self) -> int:
        """An upper bound of what the record takes in a batch."""
        fields = (self.key or b"", self.value or b"")
        names = sum(len(n.encode()) + len(v or b"") + 10 for n, v in self.headers)
        return sum(map(len, fields)) + names + 36


class Identity(NamedTuple):
    """The producer that a batch is from; without one nothing is remembered of it."""

    producer_id: int = NO_PRODUCER_ID
    epoch: int = NO_PRODUCER_EPOCH


def build(
    records: Sequence[NewRecord],
    codecs: Codecs,
    compression: int,
    identity: Identity = Identity(),  # noqa: B008 - a value that never changes
    sequence: int = NO_SEQUENCE,
    *,
    is_transactional: bool = False,
) -> bytes:
    base = records[0].timestamp
    payload: Bytes = b"".join(_record(n, r, base) for n, r in enumerate(records))
    if compression != NOT_COMPRESSED:
        packed = codecs.compress(compression, payload)
        assert packed is not None, "all codecs that can be configured are there"
        payload = packed
    header = BatchHeader(
        base_offset=0,
        batch_length=MINIMUM_LENGTH + len(payload),
        partition_leader_epoch=-1,
        magic=MAGIC,
        checksum=0,
        attributes=compression | (TRANSACTIONAL if is_transactional else 0),
        last_offset_delta=len(records) - 1,
        base_timestamp=base,
        max_timestamp=max(record.timestamp for record in records),
        producer_id=identity.producer_id,
        producer_epoch=identity.epoch,
        base_sequence=sequence,
        record_count=len(records),
    )
    return b"".join((write_header(with_checksum(header, payload, codecs.checksum)), payload))


def _record(offset_delta: int, record: NewRecord, base_timestamp: int) -> bytes:
    headers = [write_sized(name.encode()) + write_sized(value) for name, value in record.headers]
    body = b"".join(
        (
            b"\0",
            write_varint(record.timestamp - base_timestamp),
            write_varint(offset_delta),
            write_sized(record.key),
            write_sized(record.value),
            write_varint(len(headers)),
            *headers,
        )
    )
    return write_varint(len(body)) + body


# Reading


class ReadBatch(NamedTuple):
    header: BatchHeader
    payload: Bytes


def whole_batches(records: Bytes, codecs: Codecs, *, check_crcs: bool) -> Iterator[ReadBatch]:
    """The batches of a response; the last may be cut short, and is then left out (STOR-14).

    Raises MalformedRecordsError for one whose checksum is wrong, or that cannot be unpacked.
    """
    view, position = memoryview(records), 0
    while len(view) - position >= HEADER_SIZE:
        header = read_header(view, position)
        batch = view[position : position + header.size]
        if len(batch) < header.size:
            return
        position += header.size
        if check_crcs and not checksum_is_right(header, batch, codecs.checksum):
            raise MalformedRecordsError(f"the batch at {header.base_offset} has a wrong checksum")
        payload: Bytes | None = batch[HEADER_SIZE:]
        if header.compression != NOT_COMPRESSED:
            payload = codecs.decompress(header.compression, batch[HEADER_SIZE:])
        if payload is None:
            raise MalformedRecordsError(f"the batch at {header.base_offset} cannot be unpacked")
        yield ReadBatch(header, payload)
