"""Control batches that end a transaction in a partition: their bytes, written and read.

TXNI-14: a marker is a batch of its own with one record, whose key says commit or abort and whose
value names the epoch of the coordinator. When one may be written is decided by `producer_state`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from impl.core.log.batch import (
    CONTROL,
    HEADER_SIZE,
    NO_PRODUCER_EPOCH,
    NO_SEQUENCE,
    TRANSACTIONAL,
    BatchHeader,
    Checksum,
    build_batch,
    read_header,
    read_records,
    with_checksum,
)
from impl.core.storage import Bytes

_KEY = struct.Struct(">hh")
_VALUE = struct.Struct(">hi")
_ABORT, _COMMIT = 0, 1


class Marker(NamedTuple):
    commits: bool
    coordinator_epoch: int


class ProducerIdentity(NamedTuple):
    producer_id: int
    producer_epoch: int


NOBODY = ProducerIdentity(-1, NO_PRODUCER_EPOCH)


def build_marker(
    marker: Marker, producer: ProducerIdentity, timestamp_ms: int, checksum: Checksum
) -> tuple[BatchHeader, Bytes]:
    """Header and payload at base offset 0."""
    key = _KEY.pack(0, _COMMIT if marker.commits else _ABORT)
    value = _VALUE.pack(0, marker.coordinator_epoch)
    batch = build_batch([(key, value)], timestamp_ms, checksum)
    return owned_by(producer, batch, CONTROL | TRANSACTIONAL, checksum)


def build_transactional(
    batch: bytes, producer: ProducerIdentity, checksum: Checksum
) -> tuple[BatchHeader, Bytes]:
    """A plain batch as part of the producer's transaction; the broker counts no sequences."""
    return owned_by(producer, batch, TRANSACTIONAL, checksum)


def owned_by(
    producer: ProducerIdentity, batch: bytes, attributes: int, checksum: Checksum
) -> tuple[BatchHeader, Bytes]:
    payload = memoryview(batch)[HEADER_SIZE:]
    header = read_header(batch)._replace(
        attributes=attributes,
        producer_id=producer.producer_id,
        producer_epoch=producer.producer_epoch,
        base_sequence=NO_SEQUENCE,
    )
    return with_checksum(header, payload, checksum), payload


def read_marker(header: BatchHeader, payload: Bytes) -> Marker | None:
    """None for control batches that end no transaction, or of which a cleaning left the header."""
    if not header.is_control or not header.has_producer_id:
        return None
    for record in read_records(header, payload):
        key, value = record.key or b"", record.value or b""
        if len(key) < _KEY.size or len(value) < _VALUE.size:
            return None
        kind = _KEY.unpack_from(key)[1]
        if kind in (_ABORT, _COMMIT):
            return Marker(kind == _COMMIT, _VALUE.unpack_from(value)[1])
    return None
