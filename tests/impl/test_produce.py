"""What a partition takes, and what is said about it: ACKS, RECB, PROD."""

from __future__ import annotations

import zlib

import pytest

from impl.core.config import COMPRESSIONS
from impl.core.data.messages import Produce, RecordsForPartition
from impl.core.log.batch import HEADER_SIZE, read_header
from impl.core.storage import Bytes, MemoryStorage, StorageError
from impl.shell.compression import decompress
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import (
    START_MS,
    TOPIC,
    World,
    batch,
    headers,
    keyed_batch,
    with_header,
)

E = ErrorCode


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    return world


def test_offsets_start_at_zero_and_follow_the_order_of_appends(world: World) -> None:
    assert world.produce(batch(b"a", b"b")).base_offset == 0
    assert world.produce(batch(b"c")).base_offset == 2
    assert world.values() == [(0, b"a"), (1, b"b"), (2, b"c")]


def test_acks_zero_gets_no_answer_but_is_written(world: World) -> None:
    asked = RecordsForPartition(TOPIC, 0, batch(b"a"))
    call = world.send(Produce(0, 1_000, (asked,)))
    assert call not in world.replies
    assert call not in world.closed
    assert world.values() == [(0, b"a")]


def test_acks_zero_with_an_error_closes_the_connection(world: World) -> None:
    asked = RecordsForPartition("nowhere", 0, batch(b"a"))
    assert world.send(Produce(0, 1_000, (asked,))) in world.closed


@pytest.mark.parametrize("acks", [-2, 2, 32_767])
def test_other_acks_are_refused_and_nothing_is_written(world: World, acks: int) -> None:
    assert world.produce(batch(b"a"), acks).error is E.INVALID_REQUIRED_ACKS
    assert world.values() == []


def test_min_insync_replicas_is_capped_by_the_number_of_replicas() -> None:
    world = World()
    world.create(min_insync_replicas="2")
    assert world.produce(batch(b"a")).error is E.NONE


def test_one_bad_partition_does_not_fail_the_others(world: World) -> None:
    good = RecordsForPartition(TOPIC, 0, batch(b"a"))
    bad = RecordsForPartition(TOPIC, 7, batch(b"b"))
    answer = world.ask(Produce(-1, 1_000, (bad, good)))
    assert [p.error for p in answer.partitions] == [E.UNKNOWN_TOPIC_OR_PARTITION, E.NONE]
    assert world.values() == [(0, b"a")]


def test_an_internal_topic_takes_nothing_from_clients(world: World) -> None:
    world.describe("__consumer_offsets", create=True)
    answer = world.produce(batch(b"a"), topic="__consumer_offsets")
    assert answer.error is E.INVALID_TOPIC_EXCEPTION


# Batches


def corrupt(plain: bytes) -> bytes:
    return plain[:-1] + bytes([plain[-1] ^ 1])


BAD_BATCHES: dict[str, tuple[Bytes | None, ErrorCode]] = {
    "nothing": (None, E.INVALID_RECORD),
    "no bytes": (b"", E.INVALID_RECORD),
    "a wrong checksum": (corrupt(batch(b"abc")), E.CORRUPT_MESSAGE),
    "an old magic": (batch(b"a", magic=1), E.INVALID_RECORD),
    "two batches": (batch(b"a") + batch(b"b"), E.INVALID_RECORD),
    "half a batch": (batch(b"a")[:-3], E.INVALID_RECORD),
    "a length that no batch has": (b"\0" * 61 + b"\2" * 20, E.INVALID_RECORD),
    "a base offset": (batch(b"a", base_offset=3), E.INVALID_RECORD),
    "no records": (batch(b"a", record_count=0), E.INVALID_RECORD),
    "a count that is not the last delta": (batch(b"a", record_count=2), E.INVALID_RECORD),
    "fewer records than it says": (
        batch(b"a", record_count=2, last_offset_delta=1),
        E.INVALID_RECORD,
    ),
    "more records than it says": (
        batch(b"a", b"b", record_count=1, last_offset_delta=0),
        E.INVALID_RECORD,
    ),
    "a control batch": (batch(b"a", attributes=0x20), E.INVALID_RECORD),
    "a producer without a sequence": (batch(b"a", producer_id=1), E.INVALID_RECORD),
    "log append time": (batch(b"a", attributes=0x08), E.INVALID_TIMESTAMP),
    "an unknown codec": (batch(b"a", attributes=0x07), E.UNSUPPORTED_COMPRESSION_TYPE),
    "a transaction": (
        batch(b"a", attributes=0x10, producer_id=1, producer_epoch=0, base_sequence=0),
        E.INVALID_TXN_STATE,
    ),
    "a time far ahead": (batch(b"a", timestamp=START_MS + 3_600_001), E.INVALID_TIMESTAMP),
}


@pytest.mark.parametrize("what", BAD_BATCHES)
def test_a_bad_batch_is_refused_and_nothing_is_written(world: World, what: str) -> None:
    records, error = BAD_BATCHES[what]
    assert world.produce(records).error is error
    assert world.values() == []


def test_a_null_header_key_is_refused(world: World) -> None:
    plain = batch(b"a")
    # Length, attributes, two deltas, no key, value "a", one header: no key, no value.
    payload = bytes([2 * 9, 0, 0, 0, 1, 2, ord("a"), 2, 1, 1])
    header = read_header(plain)._replace(batch_length=HEADER_SIZE - 12 + len(payload))
    sent = with_header(plain[:HEADER_SIZE] + payload, header)
    assert world.produce(sent).error is E.INVALID_RECORD


def test_a_batch_larger_than_the_topic_allows_is_refused() -> None:
    world = World()
    world.create(max_message_bytes="100")
    assert world.produce(batch(b"x" * 100)).error is E.MESSAGE_TOO_LARGE
    assert world.produce(batch(b"x")).error is E.NONE


def test_a_batch_larger_than_a_segment_is_refused() -> None:
    world = World()
    world.create(segment_bytes="100")
    assert world.produce(batch(b"x" * 100)).error is E.RECORD_LIST_TOO_LARGE


def test_the_broker_sets_the_leader_epoch_and_keeps_all_else(world: World) -> None:
    sent = batch(b"a", partition_leader_epoch=77)
    world.produce(sent)
    stored = world.read().records
    assert headers(stored)[0].partition_leader_epoch == world.leader_epoch()
    assert bytes(stored[16:]) == sent[16:]


def test_log_append_time_overwrites_the_timestamps_and_is_told() -> None:
    world = World()
    world.create(message_timestamp_type="LogAppendTime")
    answer = world.produce(batch(b"a", timestamp=5))
    assert answer.log_append_time_ms == START_MS
    (header,) = headers(world.read().records)
    assert (header.is_log_append_time, header.max_timestamp) == (True, START_MS)
    world.restart(cleanly=False)  # the checksum was computed anew: nothing is cut
    assert world.values() == [(0, b"a")]


def test_create_time_is_kept_and_not_told(world: World) -> None:
    answer = world.produce(batch(b"a", timestamp=5))
    assert answer.log_append_time_ms == -1
    assert headers(world.read().records)[0].max_timestamp == 5


def test_a_wrong_maximum_timestamp_is_corrected(world: World) -> None:
    world.produce(batch(b"a", timestamp=5, max_timestamp=9))
    assert headers(world.read().records)[0].max_timestamp == 5


def test_a_compacted_topic_takes_only_records_with_a_key() -> None:
    world = World()
    world.create(cleanup_policy="compact")
    assert world.produce(batch(b"a")).error is E.INVALID_RECORD
    assert world.produce(keyed_batch([(b"k", None)])).error is E.NONE


def compressed(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    payload = packer.compress(plain[HEADER_SIZE:]) + packer.flush()
    length = HEADER_SIZE - 12 + len(payload)
    header = read_header(plain)._replace(attributes=1, batch_length=length)
    return with_header(plain[:HEADER_SIZE] + payload, header)


def test_a_compacted_topic_looks_into_compressed_batches_too() -> None:
    world = World()
    world.create(cleanup_policy="compact")
    assert world.produce(compressed(batch(b"a"))).error is E.INVALID_RECORD
    assert world.produce(compressed(keyed_batch([(b"k", b"v")]))).error is E.NONE


@pytest.mark.parametrize("wanted", [c for c in COMPRESSIONS if c != "producer"])
@pytest.mark.parametrize("sent", [0, 1])
def test_a_topic_may_choose_the_codec(wanted: str, sent: int) -> None:
    codec = COMPRESSIONS.index(wanted)
    world = World()
    world.create(compression_type=wanted)
    plain = batch(b"a", b"bb", timestamp=7)
    assert world.produce(compressed(plain) if sent else plain).error is E.NONE
    stored = world.read().records
    (header,) = headers(stored)
    payload = bytes(stored[HEADER_SIZE:])
    assert header.compression == codec
    assert (decompress(codec, payload) if codec else payload) == plain[HEADER_SIZE:]
    assert world.offset_at(7).offset == 0
    world.restart(cleanly=False)  # the checksum was computed anew: nothing is cut
    assert bytes(world.read().records) == bytes(stored)


def test_bytes_that_are_not_of_their_codec_are_refused_where_they_must_be_read() -> None:
    world = World()
    world.create(compression_type="uncompressed")
    answer = world.produce(batch(b"a", attributes=1))
    assert answer.error is E.UNSUPPORTED_COMPRESSION_TYPE


def test_zstd_needs_a_newer_produce_and_fetch(world: World) -> None:
    sent = batch(b"a", attributes=4)
    asked = (RecordsForPartition(TOPIC, 0, sent),)
    answer = world.ask(Produce(-1, 1_000, asked, may_use_zstd=False))
    assert answer.partitions[0].error is E.UNSUPPORTED_COMPRESSION_TYPE
    assert world.produce(sent).error is E.NONE


# Idempotence


def from_producer(sequence: int, *values: bytes, epoch: int = 0) -> bytes:
    return batch(*values, producer_id=9, producer_epoch=epoch, base_sequence=sequence)


def test_producer_ids_are_fresh_even_after_a_kill(world: World) -> None:
    before = {world.producer_id() for _ in range(3)}
    world.restart(cleanly=False)
    after = {world.producer_id() for _ in range(1_001)}
    assert len(before) == 3
    assert len(after) == 1_001
    assert not before & after


def test_a_repeated_batch_gets_its_first_offset_and_is_not_written_again(world: World) -> None:
    sent = [from_producer(i, b"%d" % i) for i in range(6)]
    assert [world.produce(s).base_offset for s in sent] == list(range(6))
    assert [world.produce(s).base_offset for s in sent[1:]] == [1, 2, 3, 4, 5]
    assert len(world.values()) == 6


def test_a_repetition_beyond_the_last_five_is_not_written_again(world: World) -> None:
    sent = [from_producer(i, b"%d" % i) for i in range(6)]
    for each in sent:
        world.produce(each)
    assert world.produce(sent[0]).error is E.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert len(world.values()) == 6


def test_a_gap_in_the_sequence_is_refused(world: World) -> None:
    world.produce(from_producer(0, b"a"))
    assert world.produce(from_producer(2, b"c")).error is E.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert world.produce(from_producer(1, b"b")).base_offset == 1


def test_a_sequence_wraps_to_zero(world: World) -> None:
    last = 2**31 - 1
    assert world.produce(from_producer(last - 1, b"a", b"b")).error is E.NONE
    assert world.produce(from_producer(0, b"c")).base_offset == 2


def test_an_older_epoch_is_refused_and_a_newer_one_starts_at_zero(world: World) -> None:
    world.produce(from_producer(0, b"a", epoch=1))
    assert world.produce(from_producer(1, b"b", epoch=0)).error is E.INVALID_PRODUCER_EPOCH
    late = from_producer(1, b"b", epoch=2)
    assert world.produce(late).error is E.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert world.produce(from_producer(0, b"b", epoch=2)).error is E.NONE


def test_an_unknown_producer_may_start_anywhere(world: World) -> None:
    assert world.produce(from_producer(17, b"a")).error is E.NONE


def test_producer_state_survives_a_kill(world: World) -> None:
    sent = from_producer(0, b"a")
    world.produce(sent)
    world.restart(cleanly=False)
    assert world.produce(sent).base_offset == 0
    assert world.produce(from_producer(2, b"c")).error is E.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_a_silent_producer_is_forgotten_after_its_expiration() -> None:
    world = World(producer_id_expiration_ms="1000")
    world.create()
    world.produce(from_producer(0, b"a"))
    world.advance(1_200_000)
    assert world.produce(from_producer(5, b"b")).error is E.NONE


# The disk


def test_records_are_flushed_as_often_as_the_topic_asks() -> None:
    world = World()
    world.create(flush_messages="2")
    for value in (b"a", b"b", b"c"):
        world.produce(batch(value))
    world.lose_power()
    assert world.values() == [(0, b"a"), (1, b"b")]


class FullDisk(MemoryStorage):
    """Fails, after writing half of it, whatever is appended to a log once it is full."""

    is_full = False

    def append(self, path: str, parts: object) -> None:
        chunks = list(parts)  # type: ignore[call-overload]
        if self.is_full and path.endswith(".log"):
            super().append(path, chunks[:1])
            raise StorageError("no space left")
        super().append(path, chunks)


def test_a_full_disk_is_an_error_and_leaves_no_half_batch() -> None:
    disk = FullDisk()
    world = World(disk)
    world.create()
    world.produce(from_producer(0, b"a"))
    disk.is_full = True
    assert world.produce(from_producer(1, b"b")).error is E.KAFKA_STORAGE_ERROR
    disk.is_full = False
    assert world.produce(from_producer(1, b"b")).base_offset == 1
    world.restart(cleanly=False)
    assert world.values() == [(0, b"a"), (1, b"b")]
