"""What a log remembers of transactions: in memory, in its files, and after a restart."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from uuid import uuid4

import crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.core.config import TopicConfig
from impl.core.log.batch import HEADER_SIZE, TRANSACTIONAL, read_header
from impl.core.log.log import Log, Platform
from impl.core.log.markers import Marker, ProducerIdentity, build_marker, read_marker
from impl.core.log.producer_snapshot import read_snapshot, write_snapshot
from impl.core.log.producer_state import Producer, ProducerStates
from impl.core.log.producers import Producers
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.refusal import KafkaError
from impl.core.storage import MemoryStorage
from impl.shell.compression import compress, decompress
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import START_MS, batch

FOLDER = "orders-0"
COMMIT, ABORT = Marker(commits=True, coordinator_epoch=0), Marker(False, 0)


class Written:
    """A log with its producers; a batch of one record fills a fifth of a segment."""

    def __init__(self, storage: MemoryStorage | None = None) -> None:
        self.storage = storage or MemoryStorage()
        self.sequences: dict[int, int] = {}
        self.open()

    def open(self) -> None:
        platform = Platform(self.storage, crc32c.crc32c, decompress, compress, uuid4)
        config = TopicConfig(segment_bytes=400)
        self.log = Log(platform, FOLDER, config, START_MS)
        self.producers = Producers(platform, self.log)

    def data(self, producer_id: int, epoch: int = 0, attributes: int = TRANSACTIONAL) -> int:
        sequence = self.sequences.get(producer_id, 0)
        self.sequences[producer_id] = sequence + 1
        sent = batch(
            b"x",
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            attributes=attributes,
        )
        return self._append(sent)

    def end(self, producer_id: int, marker: Marker, epoch: int = 0) -> int:
        header, payload = build_marker(
            marker, ProducerIdentity(producer_id, epoch), START_MS, crc32c.crc32c
        )
        offset = self.log.log_end_offset
        header = header._replace(base_offset=offset, partition_leader_epoch=0)
        self.producers.append(header, payload, START_MS)
        return offset

    def _append(self, sent: bytes) -> int:
        offset = self.log.log_end_offset
        header = read_header(sent)._replace(base_offset=offset, partition_leader_epoch=0)
        self.producers.append(header, sent[HEADER_SIZE:], START_MS)
        return offset

    def stable(self, high_watermark: int | None = None) -> int:
        end = self.log.log_end_offset if high_watermark is None else high_watermark
        return self.producers.states.last_stable_offset(end)

    def aborted(self, start: int = 0, end: int = 1 << 40) -> list[AbortedTransaction]:
        return list(self.producers.aborted_between(start, end))

    def knowledge(self) -> object:
        """What every restart must learn; of former batches of a producer only the last one."""
        states = self.producers.states
        producers = {i: (p.coordinator_epoch, p.transaction_start) for i, p in states}
        return producers, states.last_batches(), self.aborted(), self.stable()


@pytest.fixture
def written() -> Written:
    return Written()


def test_the_oldest_open_transaction_holds_up_the_stable_end(written: Written) -> None:
    written.data(1, attributes=0)
    first = written.data(7)
    second = written.data(8)
    assert written.stable() == first
    written.end(8, COMMIT)
    assert written.stable() == first
    written.end(7, ABORT)
    assert written.stable(second) == first, "no marker is committed there"
    assert written.stable() == written.log.log_end_offset


def test_a_high_watermark_below_open_transactions_is_the_stable_end(written: Written) -> None:
    written.data(1, attributes=0)
    written.data(7)
    assert written.stable(1) == 1
    assert written.stable(0) == 0


def test_aborted_transactions_are_found_by_what_they_overlap(written: Written) -> None:
    written.data(7)
    written.data(8)
    written.end(7, ABORT)
    written.end(8, ABORT)
    written.data(9, attributes=0)
    first = AbortedTransaction(7, 0, 2, last_stable_offset=1)
    second = AbortedTransaction(8, 1, 3, last_stable_offset=4)
    assert written.aborted() == [first, second]
    assert written.aborted(0, 1) == [first]
    assert written.aborted(3) == [second]
    assert written.aborted(4) == []


def test_a_transaction_is_found_whose_marker_is_in_a_later_segment(written: Written) -> None:
    written.data(7)
    for _ in range(20):
        written.data(1, attributes=0)
    marker = written.end(7, ABORT)
    assert len(written.log.segments) > 3
    (found,) = written.aborted(0, 1)
    assert found.last_offset == marker


def test_a_marker_without_a_transaction_ends_none(written: Written) -> None:
    written.end(7, ABORT)
    assert written.aborted() == []
    assert written.stable() == 1


def test_the_index_has_the_bytes_of_kafka(written: Written) -> None:
    written.data(7)
    written.end(7, ABORT)
    path = f"{FOLDER}/{0:020}.txnindex"
    content = written.storage.read(path, 0, 99)
    assert content == struct.pack(">hqqqq", 0, 7, 0, 1, 2)


def test_a_snapshot_is_written_with_each_segment_and_has_the_bytes_of_kafka(
    written: Written,
) -> None:
    while len(written.log.segments) < 2:
        written.data(7)
    base = written.log.segments[1].base_offset
    content = written.storage.read(f"{FOLDER}/{base:020}.snapshot", 0, 999)
    body = struct.pack(">i", 1)
    body += struct.pack(">qhiqiqiq", 7, 0, base - 1, base - 1, 0, START_MS, -1, 0)
    assert content == struct.pack(">hI", 1, crc32c.crc32c(body)) + body


@pytest.mark.parametrize("damage", ["cut", "flip", "version"])
def test_a_snapshot_that_is_damaged_is_no_snapshot(damage: str) -> None:
    content = bytearray(write_snapshot([(7, Producer(3, START_MS))], crc32c.crc32c))
    storage = MemoryStorage()
    storage.append("f/s", [content])
    found = read_snapshot(storage, "f/s", crc32c.crc32c)
    assert found is not None
    assert [(i, p.epoch) for i, p in found] == [(7, 3)]
    if damage == "cut":
        del content[-1]
    elif damage == "flip":
        content[-1] ^= 1
    else:
        content[1] = 2
    storage.replace("f/s", bytes(content))
    assert read_snapshot(storage, "f/s", crc32c.crc32c) is None


def test_a_producer_whose_records_are_gone_is_remembered_over_a_restart(
    written: Written,
) -> None:
    written.data(7, attributes=0)
    while len(written.log.segments) < 3:
        written.data(8, attributes=0)
    written.log.advance_log_start(written.log.segments[-1].base_offset)
    known = written.knowledge()
    written.open()
    assert written.knowledge() == known
    assert 7 in dict(written.producers.states)


def test_a_snapshot_without_a_segment_is_thrown_away(written: Written) -> None:
    stray = write_snapshot([(9, Producer(3, START_MS))], crc32c.crc32c)
    written.storage.append(f"{FOLDER}/{5:020}.snapshot", [stray])
    written.open()
    assert dict(written.producers.states) == {}
    assert f"{5:020}.snapshot" not in written.storage.files(FOLDER)


def test_markers_are_read_as_they_are_written() -> None:
    for marker in (COMMIT, ABORT, Marker(True, 77)):
        written = build_marker(marker, ProducerIdentity(7, 1), START_MS, crc32c.crc32c)
        assert read_marker(*written) == marker
    plain = batch(b"x")
    assert read_marker(read_header(plain), plain[HEADER_SIZE:]) is None


def test_a_producer_with_an_open_transaction_does_not_expire(written: Written) -> None:
    written.data(7)
    written.data(8, attributes=0)
    written.producers.states.expire(START_MS + 1)
    assert list(dict(written.producers.states)) == [7]
    written.end(7, COMMIT)
    written.producers.states.expire(START_MS + 1)
    assert dict(written.producers.states) == {}


def test_what_compaction_left_of_a_transaction_is_not_open(written: Written) -> None:
    """The header of a last batch stays (COMP-09), while the marker may go (COMP-07)."""
    sent = batch(b"x", producer_id=7, producer_epoch=0, attributes=TRANSACTIONAL)
    header = read_header(sent)
    written.producers.states.appended(header._replace(record_count=0))
    assert written.stable(5) == 5
    written.producers.states.appended(header._replace(base_offset=3))
    assert written.stable(5) == 3


def test_a_marker_of_an_old_producer_epoch_is_refused() -> None:
    states = ProducerStates()
    sent = read_header(batch(b"x", producer_id=7, producer_epoch=3, base_sequence=0))
    states.appended(sent)
    with pytest.raises(KafkaError) as refused:
        states.check_marker(ProducerIdentity(7, 2), COMMIT)
    assert refused.value.error is ErrorCode.INVALID_PRODUCER_EPOCH
    states.check_marker(ProducerIdentity(7, 3), COMMIT)


def test_a_marker_that_comes_again_does_not_end_the_next_transaction(written: Written) -> None:
    """TXNI-22."""
    written.data(7)
    producer = ProducerIdentity(7, 0)
    states = written.producers.states
    with pytest.raises(KafkaError) as refused:
        states.check_marker(producer, COMMIT, has_own_epoch=True)
    assert refused.value.error is ErrorCode.INVALID_PRODUCER_EPOCH
    states.check_marker(producer, COMMIT)
    written.end(7, COMMIT)
    written.producers.states.check_marker(producer, COMMIT, has_own_epoch=True)


Steps = st.lists(
    st.tuples(st.sampled_from(["data", "plain", "commit", "abort"]), st.integers(1, 3)),
    max_size=40,
)


def play(written: Written, steps: Sequence[tuple[str, int]]) -> None:
    for step, producer_id in steps:
        is_open = dict(written.producers.states).get(producer_id, Producer(0, 0))
        if step == "data":
            written.data(producer_id)
        elif step == "plain" and is_open.transaction_start is None:
            written.data(producer_id, attributes=0)
        elif step in ("commit", "abort"):
            written.end(producer_id, COMMIT if step == "commit" else ABORT)


@given(steps=Steps, cleanly=st.booleans())
def test_a_restart_learns_what_was_known(steps: list[tuple[str, int]], cleanly: bool) -> None:
    written = Written()
    play(written, steps)
    if cleanly:
        written.log.flush()
    known = written.knowledge()
    written.open()
    assert written.knowledge() == known


def test_a_restart_knows_every_batch_that_may_be_repeated(written: Written) -> None:
    while len(written.log.segments) < 4:
        written.data(7)
    (known,) = (list(producer.batches) for _, producer in written.producers.states)
    written.open()
    (found,) = (list(producer.batches) for _, producer in written.producers.states)
    assert len(found) == 5
    assert found == known


@given(kept=Steps, cut=Steps)
def test_what_is_cut_is_forgotten(kept: list[tuple[str, int]], cut: list[tuple[str, int]]) -> None:
    written, other = Written(), Written()
    play(written, kept)
    play(other, kept)
    end = written.log.log_end_offset
    play(written, cut)
    written.log.truncate_to(end)
    written.producers.reload()
    other.producers.reload()
    assert written.knowledge() == other.knowledge()
    written.open()
    other.open()
    assert written.knowledge() == other.knowledge()
