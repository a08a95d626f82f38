"""How a log is cut at its end: what is left is what it would be if the rest had never come."""

from __future__ import annotations

from uuid import uuid4

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.core.config import TopicConfig
from impl.core.log.batch import HEADER_SIZE, read_header
from impl.core.log.log import Log, Platform
from impl.core.storage import MemoryStorage
from impl.shell.compression import compress, decompress
from tests.impl.broker_world import START_MS, batch, headers

FOLDER = "orders-0"
CONFIG = TopicConfig(segment_bytes=400, index_interval_bytes=100)


def open_log(storage: MemoryStorage, log_start_offset: int = 0, recovery_point: int = 0) -> Log:
    platform = Platform(storage, crc32c.crc32c, decompress, compress, uuid4)
    return Log(platform, FOLDER, CONFIG, START_MS, log_start_offset, recovery_point)


def append(log: Log, records: int, epoch: int, timestamp: int = START_MS) -> None:
    sent = batch(*[b"x"] * records, timestamp=timestamp)
    header = read_header(sent)._replace(
        base_offset=log.log_end_offset, partition_leader_epoch=epoch
    )
    log.append(header, sent[HEADER_SIZE:], START_MS)


def bounds(log: Log) -> list[tuple[int, int]]:
    return [(header.base_offset, header.next_offset) for header, _ in log.batches()]


def shape(log: Log) -> object:
    """All that a log knows, but for how far it is from its next index entry."""
    segments = [
        (s.base_offset, s.next_offset, s.size, s.max_timestamp, s.first_timestamp)
        for s in log.segments
    ]
    return segments, log.epochs.entries, log.log_start_offset, bounds(log)


Batches = st.lists(
    st.tuples(st.integers(1, 4), st.booleans(), st.integers(START_MS - 9, START_MS)), max_size=12
)


@given(kept=Batches, cut=Batches)
def test_a_log_that_was_cut_is_as_if_the_rest_had_never_come(
    kept: list[tuple[int, bool, int]], cut: list[tuple[int, bool, int]]
) -> None:
    storage = MemoryStorage()
    log, other = open_log(storage), open_log(MemoryStorage())
    epoch = 0
    for records, is_new_epoch, timestamp in kept:
        epoch += is_new_epoch
        append(log, records, epoch, timestamp)
        append(other, records, epoch, timestamp)
    end_offset = log.log_end_offset
    for records, is_new_epoch, timestamp in cut:
        epoch += is_new_epoch
        append(log, records, epoch, timestamp)
    log.truncate_to(end_offset)
    assert log.log_end_offset == end_offset
    assert bounds(log) == bounds(other)
    assert log.epochs.entries == other.epochs.entries
    for segment in log.segments:
        assert all(position < segment.size for _, position in segment.offset_index)
        assert all(offset < segment.next_offset for _, offset in segment.time_index)
    reopened = open_log(storage, recovery_point=end_offset)
    assert shape(reopened) == shape(log)
    append(log, 1, epoch + 1)
    assert bounds(log)[-1] == (end_offset, end_offset + 1)
    assert log.epochs.epoch_at(end_offset) == epoch + 1


def test_a_batch_that_spans_the_offset_goes_as_a_whole() -> None:
    log = open_log(MemoryStorage())
    append(log, 2, 0)
    append(log, 3, 0)
    log.truncate_to(4)
    assert log.log_end_offset == 2


@pytest.mark.parametrize("offset", [5, 6, 100])
def test_nothing_happens_at_the_end_or_beyond(offset: int) -> None:
    log = open_log(MemoryStorage())
    append(log, 5, 0)
    log.truncate_to(offset)
    assert log.log_end_offset == 5


def test_an_epoch_that_began_at_the_cut_is_forgotten() -> None:
    log = open_log(MemoryStorage())
    append(log, 2, 3)
    log.begin_epoch(4)
    append(log, 2, 4)
    log.truncate_to(2)
    assert log.epochs.entries == [(3, 0)]
    assert log.epochs.end_of(4, log.log_end_offset) == (-1, -1)


def test_an_epoch_without_a_record_is_forgotten_although_nothing_is_cut() -> None:
    log = open_log(MemoryStorage())
    append(log, 2, 3)
    log.begin_epoch(4)
    log.truncate_to(2)
    assert log.epochs.entries == [(3, 0)]


def test_what_was_cut_does_not_come_back_when_power_is_lost() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    for _ in range(8):
        append(log, 2, 0)
    for segment in log.segments:
        segment.flush(storage)
    log.truncate_to(6)
    storage.crash()
    assert open_log(storage).log_end_offset == 6


def test_a_log_that_is_cut_below_its_start_begins_there() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    for _ in range(8):
        append(log, 2, 0)
    log.advance_log_start(12)
    assert log.segments[0].base_offset > 3
    log.truncate_to(3)
    assert (log.log_start_offset, log.log_end_offset, bounds(log)) == (3, 3, [])


def test_a_log_starts_anew_at_another_offset() -> None:
    storage = MemoryStorage()
    log = open_log(storage)
    for _ in range(8):
        append(log, 2, 0)
    log.truncate_fully_and_start_at(100)
    assert (log.log_start_offset, log.log_end_offset) == (100, 100)
    assert log.epochs.entries == []
    append(log, 2, 7)
    reopened = open_log(storage, log_start_offset=100)
    assert bounds(reopened) == [(100, 102)]
    assert reopened.epochs.entries == [(7, 100)]
    assert headers(log.read(100, 1 << 20, 102, at_least_one=True))[0].partition_leader_epoch == 7
