"""What a broker looks for in the records of a batch that it only passes on: that they are whole.

It makes no objects of them, because most of what a broker does for a batch that is not compressed
is to look into it.
"""

from __future__ import annotations

from typing import NamedTuple

from impl.core.log.batch import MalformedRecordsError, read_varint, skip_headers
from impl.core.storage import Bytes


class Survey(NamedTuple):
    """`timestamp_deltas`: one for each record, in their order."""

    timestamp_deltas: list[int]
    lacks_a_key: bool


def survey_records(record_count: int, payload: Bytes) -> Survey:
    """`payload`: plain records. Raises MalformedRecordsError, as `read_records` does.

    Numbers of one byte are read in place, as most are.
    """
    deltas: list[int] = []
    lacks_a_key = False
    position, end_of_payload = 0, len(payload)
    try:
        for _ in range(record_count):
            length, position = read_varint(payload, position)
            end = position + length
            if length < 0 or end > end_of_payload:
                raise MalformedRecordsError("a record reaches past the end of its batch")
            position += 1
            if (byte := payload[position]) < 0x80:
                deltas.append((byte >> 1) ^ -(byte & 1))
                position += 1
            else:
                delta, position = read_varint(payload, position)
                deltas.append(delta)
            if payload[position] < 0x80:
                position += 1
            else:
                _, position = read_varint(payload, position)
            if (byte := payload[position]) < 0x80:
                lacks_a_key = lacks_a_key or bool(byte & 1)
                position += 1 if byte & 1 else 1 + (byte >> 1)
            else:
                size, position = read_varint(payload, position)
                lacks_a_key = lacks_a_key or size < 0
                position += max(size, 0)
            size, position = read_varint(payload, position)
            position += max(size, 0)
            if position > end:
                raise MalformedRecordsError("a field reaches past the end of its record")
            position = skip_headers(payload, position, end) if payload[position] else position + 1
            if position != end:
                raise MalformedRecordsError("a record is not as long as it says")
    except IndexError:
        raise MalformedRecordsError("the batch ends within a record") from None
    if position != end_of_payload:
        raise MalformedRecordsError("the batch holds more than its number of records")
    return Survey(deltas, lacks_a_key)
