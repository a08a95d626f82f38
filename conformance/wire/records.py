"""Record batches of version 2: built with every field at the check's will, and read leniently.

The defaults build the batch that a plain producer sends. What is odd in a batch that was read is
in its `findings`; only data that is no sequence of batches raises Unreadable.
"""

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import crc32c

from conformance.wire.compression import CODECS, compress, decompress
from conformance.wire.values import Unreadable
from conformance.wire.write import write_varint

MAGIC = 2
NONE = -1

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END = 12  # the length counts what follows it
_CRC_END = 21  # the checksum covers what follows it
_MAGIC_AT = 16
_CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
TRANSACTIONAL = 0x10
CONTROL = 0x20
_LONGEST_VARINT_BYTES = 10


@dataclass(frozen=True)
class Record:
    """One record. When built, no offset means the next one, and no timestamp the batch's."""

    value: bytes | None = None
    key: bytes | None = None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    offset: int = NONE
    timestamp: int = NONE
    attributes: int = 0


@dataclass(frozen=True)
class Header:
    """The fields of a batch before its records, in the order of their bytes."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    count: int

    def encode(self) -> bytes:
        return _HEADER.pack(*(getattr(self, each.name) for each in fields(Header)))

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def codec(self) -> str:
        """The codec's name, or its number where that has no name."""
        number = self.attributes & _CODEC_MASK
        return CODECS[number] if number < len(CODECS) else str(number)

    @property
    def is_log_append_time(self) -> bool:
        return bool(self.attributes & LOG_APPEND_TIME)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL)


@dataclass(frozen=True)
class Batch(Header):
    """A batch that was read."""

    size_bytes: int
    records: list[Record] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


# Building


def build_batch(
    records: Sequence[Record],
    codec: str = "none",
    flags: int = 0,
    payload: bytes | None = None,
    **header: int,
) -> bytes:
    """A batch of these records, with any field of its `Header` as told, right or wrong.

    `flags` are TRANSACTIONAL, CONTROL, LOG_APPEND_TIME. `payload` takes the place of the records'
    bytes after compression. Without timestamps the records have the time at which they are built.
    """
    base_offset = header.get("base_offset", 0)
    base_timestamp = header.get("base_timestamp", _first_timestamp(records))
    if payload is None:
        payload = compress(codec, _encoded(records, base_offset, base_timestamp))
    offsets = [base_offset, *_offsets(records, base_offset)]
    plain = Header(
        base_offset=base_offset,
        batch_length=_HEADER.size - _LENGTH_END + len(payload),
        partition_leader_epoch=NONE,
        magic=MAGIC,
        crc=0,
        attributes=CODECS.index(codec) | flags,
        last_offset_delta=max(offsets) - base_offset,
        base_timestamp=base_timestamp,
        max_timestamp=max([base_timestamp, *(record.timestamp for record in records)]),
        producer_id=NONE,
        producer_epoch=NONE,
        base_sequence=NONE,
        count=len(records),
    )
    told = replace(plain, **header)
    if "crc" not in header:
        told = replace(told, crc=crc32c.crc32c(told.encode()[_CRC_END:] + payload))
    return told.encode() + payload


def _first_timestamp(records: Sequence[Record]) -> int:
    told = [record.timestamp for record in records if record.timestamp != NONE]
    return told[0] if told else time.time_ns() // 1_000_000


def _offsets(records: Sequence[Record], base_offset: int) -> Iterator[int]:
    offset = base_offset
    for record in records:
        offset = offset if record.offset == NONE else record.offset
        yield offset
        offset += 1


def _encoded(records: Sequence[Record], base_offset: int, base_timestamp: int) -> bytes:
    out = bytearray()
    for record, offset in zip(records, _offsets(records, base_offset), strict=True):
        timestamp = base_timestamp if record.timestamp == NONE else record.timestamp
        body = bytearray([record.attributes & 0xFF])
        body += _signed(timestamp - base_timestamp) + _signed(offset - base_offset)
        body += _sized(record.key) + _sized(record.value) + _signed(len(record.headers))
        for key, value in record.headers:
            body += _sized(key) + _sized(value)
        out += _signed(len(body)) + body
    return bytes(out)


def _signed(value: int) -> bytes:
    """Small numbers of either sign in few bytes: 0, -1, 1, -2, ... count up from 0."""
    return write_varint(value * 2 if value >= 0 else -value * 2 - 1)


def _sized(data: bytes | None) -> bytes:
    return _signed(-1) if data is None else _signed(len(data)) + data


# Reading


def read_batches(data: bytes | bytearray | memoryview) -> Iterator[Batch]:
    """The batches of a log or an answer, up to one at the end that is cut off, which is allowed.

    Raises Unreadable where a batch cannot be told from the next, or is of another version.
    """
    data = bytes(data)
    position = 0
    while position + _HEADER.size <= len(data):
        header = Header(*_HEADER.unpack_from(data, position))
        if header.magic != MAGIC:
            raise Unreadable(f"a batch of magic {header.magic} at byte {position}")
        if header.batch_length < _HEADER.size - _LENGTH_END:
            raise Unreadable(f"a batch with length {header.batch_length} at byte {position}")
        end = position + _LENGTH_END + header.batch_length
        if end > len(data):
            return
        yield read_batch(header, data[position:end])
        position = end
    if len(data) - position > _MAGIC_AT and data[position + _MAGIC_AT] != MAGIC:
        raise Unreadable(f"a batch of magic {data[position + _MAGIC_AT]} at byte {position}")


def read_batch(header: Header, data: bytes) -> Batch:
    """One whole batch, of which the header was read."""
    batch = Batch(**vars(header), size_bytes=len(data))
    crc = crc32c.crc32c(data[_CRC_END:])
    if crc != header.crc:
        batch.findings.append(f"the checksum is {header.crc}, of the bytes it is {crc}")
    try:
        payload = decompress(batch.codec, data[_HEADER.size :])
        batch.records.extend(_read_records(batch, payload))
    except Unreadable as error:
        batch.findings.append(str(error))
    if len(batch.records) != header.count:
        batch.findings.append(f"{header.count} records are told and {len(batch.records)} read")
    return batch


def _read_records(batch: Batch, payload: bytes) -> Iterator[Record]:
    reader = _Reader(payload)
    while reader.position < len(payload):
        length = reader.signed()
        end = reader.position + length
        if length < 0 or end > len(payload):
            raise Unreadable(f"record {len(batch.records)} has a length of {length}")
        yield _read_record(reader, batch)
        if reader.position != end:
            off = reader.position - end
            raise Unreadable(f"a record is {off} bytes longer than its length says")


def _read_record(reader: "_Reader", batch: Batch) -> Record:
    attributes = reader.take(1)[0]
    timestamp = batch.base_timestamp + reader.signed()
    offset = batch.base_offset + reader.signed()
    key, value = reader.sized(), reader.sized()
    headers = tuple(_read_headers(reader))
    if batch.is_log_append_time:
        timestamp = batch.max_timestamp
    return Record(value, key, headers, offset, timestamp, attributes)


def _read_headers(reader: "_Reader") -> Iterator[tuple[bytes, bytes | None]]:
    count = reader.signed()
    if count < 0:
        raise Unreadable(f"a record has {count} headers")
    for _ in range(count):
        key = reader.sized()
        if key is None:
            raise Unreadable("the key of a header is null")
        yield key, reader.sized()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.position = 0
        self._data = data

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self.position:
            raise Unreadable(f"the records end within a field of {count} bytes")
        start, self.position = self.position, self.position + count
        return self._data[start : self.position]

    def signed(self) -> int:
        value = 0
        for index in range(_LONGEST_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return -(value + 1) // 2 if value & 1 else value // 2
        raise Unreadable("a variable-length integer has more than 10 bytes")

    def sized(self) -> bytes | None:
        length = self.signed()
        return None if length < 0 else self.take(length)
