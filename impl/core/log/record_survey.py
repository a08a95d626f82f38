"""What a broker looks for in the records of a batch that it only passes on: that they are whole.

It makes no objects of them, because most of what a broker does for a batch that is not compressed
is to look into it.
"""

from __future__ import annotations

from typing import NamedTuple

from impl.core.log.batch import MalformedRecordsError, read_varint, skip_headers
from impl.core.storage import Bytes

_ONE_BYTE = 0x7F
"""The greatest number that is written in one byte, as most are."""
_SMALL_RECORD = 1 << 10


class Survey(NamedTuple):
    """`timestamp_deltas`: one for each record, in their order."""

    timestamp_deltas: list[int]
    lacks_a_key: bool


def survey_records(record_count: int, payload: Bytes) -> Survey:
    """`payload`: plain records. Raises MalformedRecordsError, as `read_records` does.

    Numbers are taken as they are, in zigzag form: the odd ones are negative.
    """
    deltas: list[int] = []
    lacks_a_key = False
    position, end_of_payload = 0, len(payload)
    if end_of_payload < record_count * _SMALL_RECORD:
        payload = bytes(payload)  # a copy is read faster than a view, but has to be made
    try:
        for _ in range(record_count):
            if (length := payload[position]) > _ONE_BYTE:
                length, position = _longer(payload, position)
            end = position + 1 + (length >> 1)
            if length & 1 or end > end_of_payload:
                raise MalformedRecordsError("a record reaches past the end of its batch")
            position += 2  # past the attributes
            if (delta := payload[position]) > _ONE_BYTE:
                delta, position = _longer(payload, position)
            deltas.append((delta >> 1) ^ -(delta & 1))
            position += 1
            if payload[position] > _ONE_BYTE:
                _, position = _longer(payload, position)
            position += 1
            if (key_size := payload[position]) > _ONE_BYTE:
                key_size, position = _longer(payload, position)
            if key_size & 1:
                lacks_a_key = True
                position += 1
            else:
                position += 1 + (key_size >> 1)
            if (value_size := payload[position]) > _ONE_BYTE:
                value_size, position = _longer(payload, position)
            position += 1 if value_size & 1 else 1 + (value_size >> 1)
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


def _longer(payload: Bytes, position: int) -> tuple[int, int]:
    """A number of more than one byte, in zigzag form, and the position of its last byte."""
    if (second := payload[position + 1]) <= _ONE_BYTE:
        return payload[position] - 0x80 | second << 7, position + 1
    value, position = read_varint(payload, position)
    return value << 1 if value >= 0 else ~(value << 1), position - 1
