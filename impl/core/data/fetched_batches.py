"""The batches in what a leader sent to its follower, checked as far as damage on the way goes."""

from __future__ import annotations

from collections.abc import Iterator

from impl.core.log.batch import (
    HEADER_SIZE,
    MAGIC,
    MINIMUM_LENGTH,
    BatchHeader,
    Checksum,
    checksum_is_right,
    read_header,
)
from impl.core.refusal import KafkaError
from impl.core.storage import Bytes
from spec.wire.errors import ErrorCode


def fetched_batches(
    records: Bytes, checksum: Checksum
) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Header and payload of each; one that is cut short at the end is left out.

    Raises KafkaError at the first that is not right.
    """
    rest = memoryview(records)
    while len(rest) >= HEADER_SIZE:
        header = read_header(rest)
        if header.magic != MAGIC or header.batch_length < MINIMUM_LENGTH:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE)
        if header.size > len(rest):
            return
        if not checksum_is_right(header, rest, checksum):
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE)
        yield header, rest[HEADER_SIZE : header.size]
        rest = rest[header.size :]
