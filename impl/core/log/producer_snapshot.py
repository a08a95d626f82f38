"""What a partition remembers of its producers, as a file: Kafka's `.snapshot`, version 1.

It belongs to the offset in its name: the state before the record at that offset. Of each producer
it holds the last batch only. Whether the state holds for a log is decided by `producers`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from impl.core.log.batch import NO_SEQUENCE, SEQUENCES, Checksum
from impl.core.log.producer_state import Producer, RememberedBatch
from impl.core.storage import Storage

_HEAD = struct.Struct(">hI")
_COUNT = struct.Struct(">i")
_ENTRY = struct.Struct(">qhiqiqiq")
_VERSION = 1
_NO_OFFSET = -1

Entry = tuple[int, Producer]


def write_snapshot(producers: Iterable[Entry], checksum: Checksum) -> bytes:
    entries = [_ENTRY.pack(producer_id, *_fields(each)) for producer_id, each in producers]
    body = _COUNT.pack(len(entries)) + b"".join(entries)
    return _HEAD.pack(_VERSION, checksum(body)) + body


def _fields(producer: Producer) -> tuple[int, ...]:
    last = producer.batches[-1] if producer.batches else None
    delta = 0 if last is None else last.last_offset - last.base_offset
    start = producer.transaction_start
    return (
        producer.epoch,
        producer.last_sequence,
        _NO_OFFSET if last is None else last.last_offset,
        delta,
        producer.last_used_ms,
        producer.coordinator_epoch,
        _NO_OFFSET if start is None else start,
    )


def read_snapshot(storage: Storage, path: str, checksum: Checksum) -> list[Entry] | None:
    """None if there is no such file, or it is damaged."""
    size = storage.size(path)
    if size is None or size < _HEAD.size + _COUNT.size:
        return None
    content = storage.read(path, 0, size)
    version, expected = _HEAD.unpack_from(content)
    body = content[_HEAD.size :]
    (count,) = _COUNT.unpack_from(body)
    if version != _VERSION or checksum(body) != expected:
        return None
    if len(body) != _COUNT.size + count * _ENTRY.size:
        return None
    return list(_entries(body[_COUNT.size :]))


def _entries(body: bytes) -> Iterator[Entry]:
    for fields in _ENTRY.iter_unpack(body):
        producer_id, epoch, sequence, offset, delta, timestamp, coordinator_epoch, start = fields
        producer = Producer(
            epoch, timestamp, coordinator_epoch, None if start == _NO_OFFSET else start
        )
        if offset != _NO_OFFSET:
            has_sequence = sequence != NO_SEQUENCE
            first = (sequence - delta) % SEQUENCES if has_sequence else NO_SEQUENCE
            producer.batches.append(RememberedBatch(first, sequence, offset - delta, offset, -1))
        yield producer_id, producer
