"""One batch as a cleaning leaves it: fewer records, or none, and all else as it was.

COMP-02, COMP-05. Which records stay is asked of the caller. A batch that loses nothing is handed
back as it is; in any other the records that stay are copied byte by byte, but for the timestamps
that a delete horizon makes relative to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from impl.core.log.batch import (
    DELETE_HORIZON,
    MINIMUM_LENGTH,
    NOT_COMPRESSED,
    BatchHeader,
    MalformedRecordsError,
    Record,
    read_records,
    read_varint,
    with_checksum,
    with_codec,
    with_delete_horizon,
    write_varint,
)
from impl.core.log.log import Platform
from impl.core.storage import Bytes

Batch = tuple[BatchHeader, Bytes]


class Ruling(NamedTuple):
    """What a cleaning decided about a batch."""

    keeps_record: Callable[[Record], bool]
    keeps_header: bool
    """Whether the header stays when no record does (COMP-09)."""
    horizon_ms: int
    """When tombstones that are met now may go."""
    marks_horizon: bool
    """Whether the batch is to get a horizon even without a tombstone: a marker (COMP-07)."""


def records_of(platform: Platform, header: BatchHeader, payload: Bytes) -> list[Record]:
    """Raises MalformedRecordsError."""
    return list(read_records(header, _plain(platform, header, payload)))


def clean_batch(
    platform: Platform, header: BatchHeader, payload: Bytes, ruling: Ruling
) -> Batch | None:
    """What is left of a batch; None if it goes. Raises MalformedRecordsError."""
    plain = _plain(platform, header, payload)
    records = list(read_records(header, plain))
    kept = [
        (record, content)
        for record, content in zip(records, _contents(plain, len(records)), strict=True)
        if ruling.keeps_record(record)
    ]
    if not kept:
        return _without_records(platform, header) if ruling.keeps_header else None
    is_to_wait = ruling.marks_horizon or any(record.value is None for record, _ in kept)
    marks = is_to_wait and header.delete_horizon_ms is None
    if len(kept) == len(records) and not marks:
        return header, payload
    cleaned = with_delete_horizon(header, ruling.horizon_ms) if marks else header
    earlier_ms = header.base_timestamp - cleaned.base_timestamp
    cleaned = cleaned._replace(record_count=len(kept))
    if not header.is_log_append_time:
        cleaned = cleaned._replace(max_timestamp=max(record.timestamp for record, _ in kept))
    contents = [content for _, content in kept]
    if earlier_ms:
        contents = [_shifted(content, earlier_ms) for content in contents]
    return _packed(platform, cleaned, b"".join(contents))


def _plain(platform: Platform, header: BatchHeader, payload: Bytes) -> Bytes:
    if header.compression == NOT_COMPRESSED or header.record_count == 0:
        return payload
    plain = platform.decompress(header.compression, payload)
    if plain is None:
        raise MalformedRecordsError(f"codec {header.compression} cannot read its payload")
    return plain


def _packed(platform: Platform, header: BatchHeader, plain: bytes) -> Batch:
    """With the codec that the batch had."""
    payload: bytes | None = plain
    if header.compression != NOT_COMPRESSED:
        payload = platform.compress(header.compression, plain)
    if payload is None:
        raise MalformedRecordsError(f"codec {header.compression} cannot be written")
    header = header._replace(batch_length=MINIMUM_LENGTH + len(payload))
    return with_checksum(header, payload, platform.checksum), payload


def _without_records(platform: Platform, header: BatchHeader) -> Batch:
    """The header alone: offsets, producer and sequence stay. There is nothing to wait for."""
    empty = header._replace(
        attributes=header.attributes & ~DELETE_HORIZON,
        base_timestamp=header.max_timestamp,
        record_count=0,
    )
    empty = with_codec(empty, NOT_COMPRESSED, 0)
    return with_checksum(empty, b"", platform.checksum), b""


def _contents(plain: Bytes, count: int) -> Iterator[Bytes]:
    """The bytes of each record, its length included."""
    position, view = 0, memoryview(plain)
    for _ in range(count):
        length, start = read_varint(plain, position)
        yield view[position : start + length]
        position = start + length


def _shifted(content: Bytes, milliseconds: int) -> bytes:
    """A record with its timestamp so many milliseconds further from the base timestamp."""
    _, start = read_varint(content, 0)
    delta, end = read_varint(content, start + 1)
    attributes = bytes(content[start : start + 1])
    body = b"".join((attributes, write_varint(delta + milliseconds), content[end:]))
    return write_varint(len(body)) + body
