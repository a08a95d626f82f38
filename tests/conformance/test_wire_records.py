"""Record batches: built at will, read leniently, and the same to other implementations."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire import Unreadable, Unwritable
from conformance.wire.compression import CODECS, compress, decompress
from conformance.wire.records import (
    CONTROL,
    TRANSACTIONAL,
    Batch,
    Record,
    build_batch,
    read_batches,
)
from impl.core.log import batch as broker

BYTES = st.none() | st.binary(max_size=20)
TEXT = st.text(max_size=5)
RECORDS = st.lists(
    st.builds(
        Record,
        value=BYTES,
        key=BYTES,
        headers=st.lists(st.tuples(TEXT.map(str.encode), BYTES), max_size=2).map(tuple),
        timestamp=st.integers(0, 2**45),
    ),
    min_size=1,
    max_size=4,
)
Seen = list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]


def only(data: bytes) -> Batch:
    (batch,) = read_batches(data)
    return batch


def seen(records: Sequence[Record], base_offset: int = 0) -> Seen:
    """What a consumer sees of records, by their place."""
    return [
        (base_offset + i, r.timestamp, r.key, r.value, [(k.decode(), v) for k, v in r.headers])
        for i, r in enumerate(records)
    ]


@given(RECORDS, st.sampled_from(CODECS), st.integers(0, 2**40))
@settings(deadline=None)
def test_records_survive_a_round_trip(records: list[Record], codec: str, offset: int) -> None:
    batch = only(build_batch(records, codec, base_offset=offset))
    assert seen(batch.records, offset) == seen(records, offset)
    assert [record.offset for record in batch.records] == list(
        range(offset, offset + len(records))
    )
    assert (batch.codec, batch.count, batch.findings) == (codec, len(records), [])


def test_a_plain_batch_is_that_of_a_plain_producer() -> None:
    batch = only(build_batch([Record(b"v", timestamp=5), Record(b"w", timestamp=9)]))
    assert (batch.base_offset, batch.last_offset, batch.magic, batch.attributes) == (0, 1, 2, 0)
    assert (batch.base_timestamp, batch.max_timestamp) == (5, 9)
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (-1, -1, -1)
    assert not batch.is_transactional
    assert not batch.is_control


@pytest.mark.parametrize(
    ("field", "value", "finding"),
    [
        ("base_offset", 77, None),
        ("partition_leader_epoch", 77, None),
        ("crc", 77, "the checksum is 77"),
        ("attributes", 0x40, None),
        ("attributes", 0x07, "the codec 7 is not among"),
        ("last_offset_delta", 77, None),
        ("base_timestamp", 77, None),
        ("max_timestamp", 77, None),
        ("producer_id", 77, None),
        ("producer_epoch", 77, None),
        ("base_sequence", 77, None),
        ("count", 77, "77 records are told and 1 read"),
    ],
)
def test_every_field_can_be_wrong_and_is_read_as_it_is(
    field: str, value: int, finding: str | None
) -> None:
    header: dict[str, Any] = {field: value}
    batch = only(build_batch([Record(b"v")], **header))
    assert getattr(batch, field) == value
    assert bool(batch.findings) == bool(finding)
    assert not finding or finding in batch.findings[0]


def test_magic_and_length_can_be_wrong_and_are_unreadable() -> None:
    with pytest.raises(Unreadable, match="magic 1"):
        only(build_batch([Record(b"v")], magic=1))
    with pytest.raises(Unreadable, match="a batch with length 3"):
        only(build_batch([Record(b"v")], batch_length=3))
    with pytest.raises(TypeError, match="nonsense"):
        build_batch([Record(b"v")], nonsense=1)


def test_records_can_be_any_bytes() -> None:
    batch = only(build_batch([Record(b"v")], payload=b"\x10nothing"))
    assert batch.records == []
    assert "has a length of 8" in batch.findings[0] or "end within" in batch.findings[0]
    with pytest.raises(Unwritable, match="codec brotli"):
        build_batch([Record(b"v")], "brotli")


def test_offsets_of_records_can_have_gaps() -> None:
    batch = only(build_batch([Record(offset=5), Record(), Record(offset=20)], base_offset=5))
    assert [record.offset for record in batch.records] == [5, 6, 20]
    assert batch.last_offset == 20


def test_flags_are_attributes() -> None:
    batch = only(build_batch([Record(b"v")], "gzip", TRANSACTIONAL | CONTROL))
    assert batch.is_transactional
    assert batch.is_control
    assert batch.codec == "gzip"


def test_a_batch_cut_off_at_the_end_is_left_out() -> None:
    one = build_batch([Record(b"v")])
    for cut in range(1, len(one)):
        assert len(list(read_batches(one + one[:cut]))) == 1


@given(RECORDS, st.sampled_from(CODECS), st.data())
@settings(deadline=1000)
def test_any_bytes_are_batches_or_unreadable(
    records: list[Record], codec: str, data: st.DataObject
) -> None:
    batch = bytearray(build_batch(records, codec))
    for _ in range(data.draw(st.integers(1, 4))):
        batch[data.draw(st.integers(0, len(batch) - 1))] = data.draw(st.integers(0, 255))
    try:
        batches = list(read_batches(batch))
    except Unreadable:
        return
    assert all(each.size_bytes <= len(batch) for each in batches)


@given(st.binary(max_size=50))
def test_what_is_not_compressed_is_unreadable(data: bytes) -> None:
    for codec in CODECS:
        try:
            assert isinstance(decompress(codec, data), bytes)
        except Unreadable:
            continue


@given(st.binary(max_size=200), st.integers(1, 1000))
def test_every_codec_survives_a_round_trip(data: bytes, times: int) -> None:
    for codec in CODECS:
        assert decompress(codec, compress(codec, data * times)) == data * times


# Other implementations


def broker_reads(data: bytes) -> Seen:
    header = broker.read_header(data)
    assert broker.checksum_is_right(header, data, crc32c.crc32c)
    records = broker.read_records(header, memoryview(data)[broker.HEADER_SIZE :])
    return [
        (header.base_offset + r.offset_delta, r.timestamp, some(r.key), some(r.value), [])
        for r in records
    ]


def some(data: Any) -> bytes | None:
    return None if data is None else bytes(data)


@given(RECORDS)
def test_the_broker_reads_what_the_suite_builds(records: list[Record]) -> None:
    plain = [replace(record, headers=()) for record in records]
    assert broker_reads(build_batch(plain)) == seen(plain)


@given(st.lists(st.tuples(BYTES, BYTES), min_size=1, max_size=4), st.integers(0, 2**45))
def test_the_suite_reads_what_the_broker_builds(
    pairs: list[tuple[bytes | None, bytes | None]], now: int
) -> None:
    batch = only(broker.build_batch(pairs, now, crc32c.crc32c))
    assert not batch.findings
    assert seen(batch.records) == seen([Record(v, k, timestamp=now) for k, v in pairs])


def aiokafka_reads(data: bytes) -> Seen:
    records = pytest.importorskip("aiokafka.record.memory_records").MemoryRecords(data)
    batch = records.next_batch()
    assert batch.validate_crc()
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in batch]


def kafka_python_reads(data: bytes) -> Seen:
    records = pytest.importorskip("kafka.record.memory_records").MemoryRecords(data)
    batch = records.next_batch()
    assert batch.validate_crc()
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in batch]


def aiokafka_builds(records: Sequence[Record], codec: str) -> bytes:
    module = pytest.importorskip("aiokafka.record.default_records")
    return built_by(module.DefaultRecordBatchBuilder, records, codec)


def kafka_python_builds(records: Sequence[Record], codec: str) -> bytes:
    module = pytest.importorskip("kafka.record.default_records")
    return built_by(module.DefaultRecordBatchBuilder, records, codec)


def built_by(builder_class: Any, records: Sequence[Record], codec: str) -> bytes:
    builder = builder_class(
        magic=2,
        compression_type=CODECS.index(codec),
        is_transactional=0,
        producer_id=9,
        producer_epoch=1,
        base_sequence=3,
        batch_size=2**20,
    )
    for offset, r in enumerate(records):
        headers = [(key.decode(), value) for key, value in r.headers]
        builder.append(offset, timestamp=r.timestamp, key=r.key, value=r.value, headers=headers)
    return bytes(builder.build())


@pytest.mark.clients
@pytest.mark.parametrize(
    ("read", "codecs"), [(aiokafka_reads, CODECS), (kafka_python_reads, CODECS[:2])]
)
def test_other_implementations_read_what_the_suite_builds(
    read: Callable[[bytes], Seen], codecs: Sequence[str]
) -> None:
    @given(RECORDS, st.sampled_from(codecs))
    @settings(deadline=None)
    def check(records: list[Record], codec: str) -> None:
        assert read(build_batch(records, codec)) == seen(records)

    check()


@pytest.mark.clients
@pytest.mark.parametrize(
    ("build", "codecs"), [(aiokafka_builds, CODECS), (kafka_python_builds, CODECS[:2])]
)
def test_the_suite_reads_what_other_implementations_build(
    build: Callable[[Sequence[Record], str], bytes], codecs: Sequence[str]
) -> None:
    @given(RECORDS, st.sampled_from(codecs))
    @settings(deadline=None)
    def check(records: list[Record], codec: str) -> None:
        batch = only(build(records, codec))
        assert not batch.findings
        assert seen(batch.records) == seen(records)
        assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (9, 1, 3)

    check()


def test_the_checksum_is_crc32c_of_what_follows_it() -> None:
    data = build_batch([Record(b"v")])
    (crc,) = struct.unpack_from(">I", data, 17)
    assert crc == crc32c.crc32c(data[21:])
    assert crc != zlib.crc32(data[21:])
