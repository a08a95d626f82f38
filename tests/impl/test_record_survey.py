"""The pass over the records of a batch agrees with the reader of records, be they whole or not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from impl.core.log.batch import (
    HEADER_SIZE,
    MalformedRecordsError,
    read_header,
    read_records,
    write_sized,
    write_varint,
)
from impl.core.log.record_survey import Survey, survey_records
from tests.impl.broker_world import keyed_batch

fields = st.one_of(st.none(), st.binary(max_size=3), st.binary(min_size=60, max_size=300))
deltas = st.one_of(st.integers(-70, 70), st.integers(-(2**40), 2**40))


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """One record, which may have headers."""
    headers = draw(st.lists(st.tuples(st.binary(max_size=4), fields), max_size=2))
    body = b"".join(
        (
            b"\0",
            write_varint(draw(deltas)),
            write_varint(draw(deltas)),
            write_sized(draw(fields)),
            write_sized(draw(fields)),
            write_varint(len(headers)),
            *(write_sized(name) + write_sized(value) for name, value in headers),
        )
    )
    return write_varint(len(body)) + body


def read(payload: bytes, count: int) -> Survey | None:
    """What the reader of records sees."""
    header = read_header(keyed_batch([])[:HEADER_SIZE])
    header = header._replace(record_count=count, base_timestamp=0, attributes=0)
    try:
        found = list(read_records(header, payload))
    except MalformedRecordsError:
        return None
    return Survey([each.timestamp for each in found], any(each.key is None for each in found))


def survey(payload: bytes, count: int) -> Survey | None:
    try:
        return survey_records(count, memoryview(payload))
    except MalformedRecordsError:
        return None


@given(st.lists(records(), max_size=5))
def test_it_finds_in_whole_records_what_is_there(written: list[bytes]) -> None:
    payload = b"".join(written)
    found = survey(payload, len(written))
    assert found is not None
    assert found == read(payload, len(written))


@given(st.lists(records(), min_size=1, max_size=3), st.data())
def test_it_finds_the_faults_that_the_reader_finds(
    written: list[bytes], data: st.DataObject
) -> None:
    payload = bytearray(b"".join(written))
    for _ in range(data.draw(st.integers(0, 2))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(payload[: data.draw(st.integers(max(0, len(payload) - 3), len(payload)))])
    count = len(written) + data.draw(st.integers(-1, 1))
    assert survey(cut, count) == read(cut, count)
