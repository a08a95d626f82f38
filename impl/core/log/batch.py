"""The record batch, version 2: its header, its records, and how the broker restamps it.

The broker keeps batches as the producer sent them: opaque bytes behind a header of 61 bytes. This
file knows the layout of both and nothing of partitions or of what is permitted.

The checksum covers everything from the attributes on. Base offset, length, leader epoch and magic
stand before it, so the broker can set them without computing it anew (RECB-01, RECB-02).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from impl.core.storage import Bytes

Checksum: TypeAlias = Callable[[Bytes], int]

_HEADER = struct.Struct(">qiibIhiqqqhii")
_EXTENT = struct.Struct(">qi11xi")  # of the header: base offset, length, last offset delta
HEADER_SIZE = _HEADER.size
LENGTH_OFFSET = 12  # base offset and length itself are not counted by the length
MINIMUM_LENGTH = HEADER_SIZE - LENGTH_OFFSET
CHECKSUM_START = 21
MAGIC = 2

NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
SEQUENCES = 1 << 31

_COMPRESSION_MASK = 0x07
_LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
DELETE_HORIZON = 0x40

NOT_COMPRESSED = 0
ZSTD = 4


class MalformedRecordsError(Exception):
    """The records inside a batch are not what the batch says, or no records at all."""


class BatchHeader(NamedTuple):
    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    checksum: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return self.batch_length + LENGTH_OFFSET

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def last_sequence(self) -> int:
        return (self.base_sequence + self.last_offset_delta) % SEQUENCES

    @property
    def compression(self) -> int:
        return self.attributes & _COMPRESSION_MASK

    @property
    def is_log_append_time(self) -> bool:
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)

    @property
    def delete_horizon_ms(self) -> int | None:
        """Until when tombstones, or a marker, stay: compaction puts it into the base timestamp."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id > NO_PRODUCER_ID


class Record(NamedTuple):
    offset_delta: int
    timestamp: int
    key: Bytes | None
    value: Bytes | None
    headers: Bytes = b"\0"
    """As they are in the batch: their number, then name and value of each."""


def read_header(buffer: Bytes, position: int = 0) -> BatchHeader:
    return BatchHeader._make(_HEADER.unpack_from(buffer, position))


def read_extent(buffer: Bytes, position: int) -> tuple[int, int]:
    """The last offset and the size of the batch whose header is there."""
    base_offset, batch_length, last_offset_delta = _EXTENT.unpack_from(buffer, position)
    return base_offset + last_offset_delta, batch_length + LENGTH_OFFSET


def end_of_batches(batches: Bytes) -> int:
    """The offset after the last of some whole batches, of which there is at least one."""
    position = next_offset = 0
    while position < len(batches):
        header = read_header(batches, position)
        position, next_offset = position + header.size, header.next_offset
    return next_offset


def write_header(header: BatchHeader) -> bytes:
    return _HEADER.pack(*header)


def checksum_is_right(header: BatchHeader, batch: Bytes, checksum: Checksum) -> bool:
    return checksum(memoryview(batch)[CHECKSUM_START : header.size]) == header.checksum


def with_log_append_time(header: BatchHeader, now_ms: int) -> BatchHeader:
    """Give all records the broker's time (RECB-08). The checksum is to be computed anew."""
    return header._replace(attributes=header.attributes | _LOG_APPEND_TIME, max_timestamp=now_ms)


def with_codec(header: BatchHeader, codec: int, payload_size: int) -> BatchHeader:
    """The payload is another one now. The checksum is to be computed anew."""
    attributes = header.attributes & ~_COMPRESSION_MASK | codec
    return header._replace(attributes=attributes, batch_length=MINIMUM_LENGTH + payload_size)


def with_delete_horizon(header: BatchHeader, horizon_ms: int) -> BatchHeader:
    """KIP-534. The timestamps of the records are to be counted from the horizon now."""
    attributes = header.attributes | DELETE_HORIZON
    return header._replace(attributes=attributes, base_timestamp=horizon_ms)


def with_checksum(header: BatchHeader, payload: Bytes, checksum: Checksum) -> BatchHeader:
    covered = b"".join((write_header(header)[CHECKSUM_START:], payload))
    return header._replace(checksum=checksum(covered))


def read_varint(buffer: Bytes, position: int) -> tuple[int, int]:
    """A zigzag number of at most ten bytes, and the position after it."""
    value = shift = 0
    while True:
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise MalformedRecordsError("a variable-length number is too long")


def _sized(buffer: Bytes, position: int, end: int) -> tuple[memoryview | None, int]:
    length, position = read_varint(buffer, position)
    if length < 0:
        return None, position
    if position + length > end:
        raise MalformedRecordsError("a field reaches past the end of its record")
    return memoryview(buffer)[position : position + length], position + length


def skip_headers(buffer: Bytes, position: int, end: int) -> int:
    count, position = read_varint(buffer, position)
    if count < 0:
        raise MalformedRecordsError(f"a record has {count} headers")
    for _ in range(count):
        key, position = _sized(buffer, position, end)
        if key is None:
            raise MalformedRecordsError("the key of a header is null")  # RECB-10
        _, position = _sized(buffer, position, end)
    return position


def read_records(header: BatchHeader, payload: Bytes) -> Iterator[Record]:
    """The records of a batch, of which `payload` is the uncompressed part after the header.

    Raises MalformedRecordsError, at the latest when the last record was read.
    """
    position = 0
    end_of_payload = len(payload)
    try:
        for _ in range(header.record_count):
            length, position = read_varint(payload, position)
            end = position + length
            if length < 0 or end > end_of_payload:
                raise MalformedRecordsError("a record reaches past the end of its batch")
            timestamp_delta, position = read_varint(payload, position + 1)
            offset_delta, position = read_varint(payload, position)
            key, position = _sized(payload, position, end)
            value, position = _sized(payload, position, end)
            if skip_headers(payload, position, end) != end:
                raise MalformedRecordsError("a record is not as long as it says")
            headers = payload[position:end]
            position = end
            timestamp = header.base_timestamp + timestamp_delta
            if header.is_log_append_time:
                timestamp = header.max_timestamp
            yield Record(offset_delta, timestamp, key, value, headers)
    except IndexError:
        raise MalformedRecordsError("the batch ends within a record") from None
    if position != end_of_payload:
        raise MalformedRecordsError("the batch holds more than its number of records")


def read_headers(headers: Bytes) -> tuple[tuple[str, bytes | None], ...]:
    """Name and value of each header of a record."""
    count, position = read_varint(headers, 0)
    found = []
    for _ in range(count):
        name, position = _sized(headers, position, len(headers))
        value, position = _sized(headers, position, len(headers))
        found.append((str(name or b"", "utf-8"), None if value is None else bytes(value)))
    return tuple(found)


def write_varint(value: int) -> bytes:
    """A number in zigzag form, seven bits a byte."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_sized(field: bytes | None) -> bytes:
    """A field behind its length, which is -1 for None."""
    return write_varint(-1) if field is None else write_varint(len(field)) + field


def build_batch(
    records: Sequence[tuple[bytes | None, bytes | None]], timestamp_ms: int, checksum: Checksum
) -> bytes:
    """A plain batch of (key, value) pairs at base offset 0, as a client would send it."""
    payload = bytearray()
    for offset_delta, (key, value) in enumerate(records):
        body = b"".join(
            (b"\0", b"\0", write_varint(offset_delta), write_sized(key), write_sized(value), b"\0")
        )
        payload += write_varint(len(body)) + body
    header = BatchHeader(
        base_offset=0,
        batch_length=MINIMUM_LENGTH + len(payload),
        partition_leader_epoch=-1,
        magic=MAGIC,
        checksum=0,
        attributes=0,
        last_offset_delta=len(records) - 1,
        base_timestamp=timestamp_ms,
        max_timestamp=timestamp_ms,
        producer_id=NO_PRODUCER_ID,
        producer_epoch=NO_PRODUCER_EPOCH,
        base_sequence=NO_SEQUENCE,
        record_count=len(records),
    )
    return write_header(with_checksum(header, payload, checksum)) + payload
