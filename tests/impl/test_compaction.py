"""What a cleaning removes, keeps and leaves alone: COMP-01 to COMP-09, COMP-11."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impl.core.config import BrokerConfig, ConfigError, TopicConfig, parse_options
from impl.core.log.batch import TRANSACTIONAL
from impl.core.log.offset_search import youngest
from impl.shell.compression import GZIP, LZ4, SNAPPY, ZSTD
from tests.impl.compacted_log import ABORT, COMMIT, START_MS, Compacted, Reader

DAY_MS = 24 * 3_600_000
TABLE = TopicConfig(cleanup_policy=("compact",), min_cleanable_dirty_ratio=0.0)


def compacted(**options: object) -> Compacted:
    return Compacted(replace(TABLE, **options))  # type: ignore[arg-type]


def test_only_the_last_record_of_each_key_stays() -> None:
    log = compacted()
    log.write((b"a", b"1"), (b"b", b"1"))
    log.write((b"a", b"2"), (b"c", b"1"))
    log.write((b"b", None), (b"a", b"3"))
    log.roll()
    log.clean()
    assert log.values()[:-1] == [(3, b"c", b"1"), (4, b"b", None), (5, b"a", b"3")]
    assert log.clean_end == 6


def test_a_batch_keeps_its_offsets_producer_and_sequence() -> None:
    log = compacted()
    before = {"producer_id": 7, "producer_epoch": 2, "base_sequence": 4}
    log.write((b"a", b"1"), (b"b", b"1"), (b"c", b"1"), **before)
    log.write((b"a", b"2"), (b"c", b"2"))
    log.roll()
    log.clean()
    header, records = log.batches()[0]
    assert [record.offset for record in records] == [1]
    assert (header.base_offset, header.last_offset, header.record_count) == (0, 2, 1)
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (7, 2, 4)
    assert header.partition_leader_epoch == 1


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_keeps_its_codec(codec: int) -> None:
    log = compacted()
    log.write((b"a", b"1"), (b"b", b"1" * 100), codec=codec)
    log.write((b"a", b"2"))
    log.roll()
    log.clean()
    header, records = log.batches()[0]
    assert header.compression == codec
    assert [(r.key, r.value) for r in records] == [(b"b", b"1" * 100)]


def test_timestamps_are_what_they_were_when_a_horizon_takes_the_place_of_the_base() -> None:
    log = compacted()
    log.write((b"a", None), (b"b", b"1"), timestamp_ms=12_345)
    log.roll()
    log.clean()
    header, records = log.batches()[0]
    assert header.delete_horizon_ms == header.base_timestamp > log.now_ms
    assert [r.timestamp for r in records] == [12_345, 12_345] == [header.max_timestamp] * 2


def test_the_active_segment_is_left_alone() -> None:
    log = compacted()
    for _ in range(5):
        log.write((b"a", b"1"))
    log.clean()
    assert len(log.records()) == 5


def test_nothing_above_the_last_stable_offset_is_touched() -> None:
    log = compacted(segment_ms=1)
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.write((b"a", b"3"), producer_id=7, producer_epoch=0, attributes=TRANSACTIONAL)
    log.write((b"a", b"4"))
    log.clean()
    assert [value for _, _, value in log.values()] == [b"2", b"3", b"4"]
    log.high_watermark = 1
    log.end_transaction(7, ABORT)
    log.write((b"b", b"1"))
    log.clean()
    assert len(log.values()) == 4


def test_young_segments_are_left_alone_and_all_behind_them() -> None:
    log = compacted(segment_ms=1, min_compaction_lag_ms=DAY_MS)
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.now_ms += DAY_MS // 2
    log.write((b"a", b"3"))
    log.write((b"a", b"4"))
    log.now_ms += DAY_MS // 2 + 1_000
    log.clean()
    assert [value for _, _, value in log.values()] == [b"2", b"3", b"4"]


def test_a_log_is_cleaned_when_half_of_it_is_dirty() -> None:
    log = compacted(segment_ms=1, min_cleanable_dirty_ratio=0.5)
    for value in (b"1", b"2", b"3"):
        log.write((b"a", value), (b"key" + value, b"x" * 1000))
    log.clean()
    clean_end = log.clean_end
    log.write((b"a", b"4"))
    log.write((b"b", b"1"))
    log.clean()
    assert log.clean_end == clean_end
    for _ in range(3):
        log.write((b"b", b"x" * 1000))
    log.clean()
    assert log.clean_end > clean_end


def test_a_log_that_is_not_dirty_enough_is_cleaned_when_it_waited_too_long() -> None:
    log = compacted(segment_ms=1, max_compaction_lag_ms=DAY_MS, min_cleanable_dirty_ratio=1.0)
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.write((b"b", b"1"))
    log.clean()
    assert len(log.values()) == 3
    log.now_ms += DAY_MS
    log.clean()
    assert [value for _, _, value in log.values()] == [b"2", b"1"]


def test_the_lags_are_in_order() -> None:
    asked = {"min.compaction.lag.ms": "5", "max.compaction.lag.ms": "4"}
    with pytest.raises(ConfigError, match=r"min\.compaction\.lag\.ms, 5, is more than"):
        parse_options(TopicConfig, asked).check_lags()


def test_a_tombstone_stays_for_its_time_after_the_first_cleaning() -> None:
    log = compacted(delete_retention_ms=DAY_MS)
    log.write((b"a", b"1"))
    log.write((b"a", None))
    log.now_ms += 10 * DAY_MS
    log.roll()
    log.clean()
    assert log.values()[0] == (1, b"a", None)
    log.now_ms += DAY_MS - 60_000
    log.roll()
    log.clean()
    assert log.values()[0] == (1, b"a", None)
    log.now_ms += 60_000
    log.roll()
    log.clean()
    assert b"a" not in [key for _, key, _ in log.values()]


def test_aborted_records_go_and_remove_nothing() -> None:
    log = compacted()
    log.write((b"a", b"1"))
    log.write((b"a", b"2"), producer_id=7, producer_epoch=0, attributes=TRANSACTIONAL)
    log.end_transaction(7, ABORT)
    log.roll()
    log.clean()
    assert log.values()[:-1] == [(0, b"a", b"1")]


def test_a_marker_stays_until_nothing_is_left_and_then_for_the_time_of_a_tombstone() -> None:
    log = compacted(delete_retention_ms=DAY_MS)
    log.write((b"a", b"1"), producer_id=7, producer_epoch=0, attributes=TRANSACTIONAL)
    marker = log.end_transaction(7, COMMIT)
    log.write((b"b", b"1"))
    log.producers.states.expire(log.now_ms + 1)

    def marker_is_there() -> bool:
        return marker in [b.header.base_offset for b in log.batches() if b.records]

    log.roll()
    log.clean()
    log.now_ms += 2 * DAY_MS
    log.roll()
    log.clean()
    assert marker_is_there(), "a record of the transaction is still there"
    log.write((b"a", b"2"))
    log.roll()
    log.clean()
    log.roll()
    log.clean()
    assert marker_is_there(), "its time began when the last record went"
    log.now_ms += 2 * DAY_MS
    log.roll()
    log.clean()
    assert not marker_is_there()


def test_the_last_batch_of_a_remembered_producer_stays_without_records() -> None:
    log = compacted()
    for sequence in range(3):
        log.write((b"a", b"1"), producer_id=7, producer_epoch=0, base_sequence=sequence)
    log.write((b"a", b"2"))
    log.roll()
    log.clean()
    assert [(b.header.base_sequence, len(b.records)) for b in log.batches()][:1] == [(2, 0)]
    known = log.last_batches()
    log.load()
    assert log.last_batches() == known
    log.producers.states.expire(log.now_ms + 1)
    log.write((b"a", b"3"))
    log.roll()
    log.clean()
    assert 7 not in [b.header.producer_id for b in log.batches()]


def test_the_last_batch_of_the_cleaned_part_stays_without_records() -> None:
    log = compacted(segment_ms=1)
    log.write((b"a", b"1"), (b"b", b"1"))
    log.write((b"a", b"2"), producer_id=7, producer_epoch=0, attributes=TRANSACTIONAL)
    log.end_transaction(7, ABORT)
    log.producers.states.expire(log.now_ms + 1)
    log.write((b"c", b"1"))
    log.clean()
    assert [b.header.next_offset for b in log.batches()] == [2, 4, 5]


def test_small_neighbours_become_one_segment() -> None:
    log = compacted(segment_ms=1, segment_bytes=1000)
    for number in range(20):
        log.write((b"key%d" % number, b"x"))
    assert len(log.log.segments) == 20
    log.clean()
    assert len(log.log.segments) == 3
    assert all(segment.size <= 1000 for segment in log.log.segments)
    assert len(log.values()) == 20
    assert log.files(".log") == [f"{s.base_offset:020}.log" for s in log.log.segments]
    log.load()
    assert len(log.values()) == 20


def test_what_does_not_fit_into_memory_is_cleaned_next() -> None:
    log = Compacted(
        TABLE,
        BrokerConfig(log_cleaner_dedupe_buffer_size=400),
    )
    for number in range(20):
        log.write((b"key%d" % (number % 7), b"x"))
    log.roll()
    log.clean()
    assert [offset for offset, _, _ in log.values()] == list(range(13, 21))


def test_a_cleaning_pauses_and_readers_see_no_difference() -> None:
    log = Compacted(TABLE, BrokerConfig(log_cleaner_io_buffer_size=1))
    for number in range(10):
        log.write((b"key%d" % (number % 3), b"%d" % number))
    log.roll()
    expected = Reader(log).read().table
    pauses = 0
    while len(log.values()) > 4:
        log.clean(slices=1)
        pauses += 1
        assert Reader(log).read().table == expected
    assert pauses > 10


def test_truncation_ends_a_cleaning() -> None:
    log = Compacted(TABLE, BrokerConfig(log_cleaner_io_buffer_size=1))
    for number in range(10):
        log.write((b"a", b"%d" % number))
    log.roll()
    log.clean(slices=15)
    assert log.files(".cleaned")
    log.log.truncate_to(5)
    log.clean()
    assert not log.files(".cleaned")
    assert [value for _, _, value in log.values()] == [b"%d" % n for n in range(5)]


def test_truncation_makes_what_was_clean_dirty() -> None:
    log = compacted()
    log.write((b"a", b"1"))
    log.write((b"b", b"1"))
    log.roll()
    log.clean()
    assert log.clean_end == 2
    log.log.truncate_to(1)
    assert log.clean_end == 1


def test_a_partition_that_is_gone_is_not_cleaned_on() -> None:
    log = Compacted(TABLE, BrokerConfig(log_cleaner_io_buffer_size=1))
    for number in range(10):
        log.write((b"a", b"%d" % number))
    log.roll()
    log.clean(slices=15)
    log.storage.delete("table-0")
    log.cleaner.tick(log.now_ms, [])
    assert log.files() == []


def test_a_log_that_cannot_be_read_is_left_alone() -> None:
    log = compacted()
    log.write((b"a", b"1"), record_count=5)
    log.roll()
    log.clean()
    assert log.clean_end == 0
    assert log.log.log_end_offset == 2


def test_a_log_that_is_compacted_and_deleted_from_is_both() -> None:
    log = compacted(cleanup_policy=("compact", "delete"), segment_ms=1, retention_ms=DAY_MS)
    log.write((b"a", b"1"))
    log.write((b"a", b"2"))
    log.write((b"b", b"1"))
    log.clean()
    assert [value for _, _, value in log.values()] == [b"2", b"1"]
    log.now_ms += 2 * DAY_MS
    log.write((b"c", b"1"))
    assert log.log.apply_retention(log.now_ms, log.log.log_end_offset)
    assert [key for _, key, _ in log.values()] == [b"c"]


def test_the_cleaner_can_be_switched_off() -> None:
    log = Compacted(TABLE, BrokerConfig(log_cleaner_enable=False))
    assert log.cleaner.next_deadline_ms() is None


def test_a_batch_without_records_has_no_place_among_the_times() -> None:
    log = compacted(index_interval_bytes=0)
    log.write((b"a", b"1"), producer_id=7, producer_epoch=0, base_sequence=0)
    log.write((b"b", b"1"), timestamp_ms=START_MS - 1_000)
    log.write((b"a", b"2"), timestamp_ms=START_MS - 500)
    log.roll()
    log.clean()
    first = log.log.segments[0]
    assert [len(b.records) for b in log.batches()[:3]] == [0, 1, 1]
    assert first.time_index == [(START_MS - 1_000, 1), (START_MS - 500, 2)]
    assert youngest(log.log, log.platform, 3).offset == 2


def test_what_has_no_timestamp_is_as_old_as_its_segment() -> None:
    log = compacted(cleanup_policy=("delete",), segment_ms=1, retention_ms=DAY_MS)
    log.write((b"a", b"1"), timestamp_ms=-1)
    log.write((b"a", b"2"))
    assert not log.log.apply_retention(log.now_ms, 1)
    assert log.log.apply_retention(log.now_ms + DAY_MS, 1)
