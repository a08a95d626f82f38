"""Random tables, cleaned at random, against a plain list of what was written.

COMP-01 to COMP-05, COMP-07 to COMP-09 and COMP-12, whatever was written, however far a cleaning
got, and wherever within a swap of segments power was lost. Each rule that is taken away is
noticed: the tests at the end break them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from impl.core.config import BrokerConfig, TopicConfig
from impl.core.log import cleaned_batch, cleaner, log
from impl.core.log.batch import TRANSACTIONAL, BatchHeader, with_delete_horizon
from impl.core.log.compaction import Cleaning
from impl.core.log.markers import ProducerIdentity, read_marker
from impl.core.log.producer_state import ProducerStates
from impl.core.log.segment import Segment
from impl.core.log.transaction_trace import TransactionTrace
from impl.core.storage import Bytes, Storage
from tests.impl.compacted_log import (
    ABORT,
    COMMIT,
    Compacted,
    PowerLossError,
    Reader,
    Stored,
)

RETENTION_MS = 10_000
LAG_MS = 2_000
OPTIONS = TopicConfig(
    cleanup_policy=("compact",),
    delete_retention_ms=RETENTION_MS,
    index_interval_bytes=100,
    min_cleanable_dirty_ratio=0.0,
    segment_bytes=1_000,
    segment_ms=25,
)
NO_PRODUCER = -1


class Written(NamedTuple):
    record: Stored
    producer_id: int
    is_transactional: bool


class Simulation:
    """What is done to the log, what it ought to hold, and the comparison of the two."""

    def __init__(self, min_compaction_lag_ms: int) -> None:
        config = replace(OPTIONS, min_compaction_lag_ms=min_compaction_lag_ms)
        options = BrokerConfig(
            log_cleaner_backoff_ms=50,
            log_cleaner_dedupe_buffer_size=500,
            log_cleaner_io_buffer_size=150,
        )
        self.log = Compacted(config, options)
        self.written: list[Written] = []
        self.decided: dict[int, bool] = {}
        """By offset of a transactional record: whether it was committed."""
        self.sequences: dict[int, int] = {}
        self.forgotten: set[int] = set()
        """Producers of which an old snapshot may still know, and the log need not."""
        self.reader = Reader(self.log)
        self.first_cleaning_ms: dict[int, int] = {}
        """By offset of a tombstone: no cleaning reached it before."""

    # What happens

    def write(self, producer_id: int, pairs: list[tuple[bytes, bytes | None]], codec: int) -> None:
        header: dict[str, int] = {}
        is_transactional = producer_id >= 10
        if producer_id != NO_PRODUCER:
            sequence = self.sequences.get(producer_id, 0)
            self.sequences[producer_id] = sequence + len(pairs)
            self.forgotten.discard(producer_id)
            attributes = TRANSACTIONAL if is_transactional else 0
            header = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": sequence}
            header["attributes"] = attributes
        base = self.log.write(*pairs, codec=codec, **header)
        for delta, (key, value) in enumerate(pairs):
            record = Stored(base + delta, self.log.now_ms, key, value)
            self.written.append(Written(record, producer_id, is_transactional))

    def end(self, producer_id: int, kind: int) -> None:
        if self.log.producers.states.is_in_transaction(ProducerIdentity(producer_id, 0)):
            for each in self.written:
                if each.producer_id == producer_id:
                    self.decided.setdefault(each.record.offset, kind == COMMIT)
            self.log.end_transaction(producer_id, kind)

    def clean(self, slices: int | None) -> None:
        self._note_cleaning()
        self.log.clean(slices)

    def clean_until_power_fails(self, calls: int) -> None:
        self._note_cleaning()
        self.log.log.flush()
        self.log.fail_after(calls)
        with suppress(PowerLossError):
            self.log.clean()
        self.log.lose_power()

    def _note_cleaning(self) -> None:
        for each in self.written:
            if each.record.value is None:
                self.first_cleaning_ms.setdefault(each.record.offset, self.log.now_ms)

    def wait(self, milliseconds: int) -> None:
        self.log.now_ms += milliseconds

    def forget_producers(self) -> None:
        self.log.producers.states.expire(self.log.now_ms)
        self.forgotten = set(self.sequences) - set(self.log.last_batches())

    def read_a_little(self, batches: int) -> None:
        if self.log.now_ms - self.reader.started_ms < RETENTION_MS:
            self.reader.read(batches)

    def finish_reading(self) -> None:
        """COMP-05, COMP-12: a reader that was fast enough has the table."""
        if self.log.now_ms - self.reader.started_ms < RETENTION_MS:
            assert self.reader.read().table == self.table()
        self.reader = Reader(self.log)

    # What ought to be

    def table(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for each in self.written:
            offset, _, key, value = each.record
            assert key is not None
            if offset >= self.log.last_stable_offset or not self._counts(each):
                continue
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
        return found

    def _counts(self, each: Written) -> bool:
        return self.decided.get(each.record.offset, False) if each.is_transactional else True

    def check(self) -> None:
        stored = self.log.records()
        offsets = [record.offset for record in stored]
        assert offsets == sorted(set(offsets)), "COMP-02: the order"
        known = {each.record.offset: each.record for each in self.written}
        assert all(known[record.offset] == record for record in stored), "COMP-02: the records"
        self._check_untouched(set(offsets))
        self._check_tombstones(set(offsets))
        self._check_clean_part(stored)
        assert Reader(self.log).read().table == self.table(), "COMP-12"
        self._check_producers()

    def _check_untouched(self, offsets: set[int]) -> None:
        log = self.log
        undecided = min(log.last_stable_offset, log.log.segments[-1].base_offset)
        young_ms = log.now_ms - log.config.min_compaction_lag_ms
        for each in self.written:
            if each.record.offset >= undecided:
                assert each.record.offset in offsets, "COMP-03"
            if log.config.min_compaction_lag_ms and each.record.timestamp > young_ms:
                assert each.record.offset in offsets, "COMP-04"

    def _check_tombstones(self, offsets: set[int]) -> None:
        latest = {each.record.key: each for each in self.written if self._counts(each)}
        for each in latest.values():
            offset = each.record.offset
            reached_ms = self.first_cleaning_ms.get(offset, self.log.now_ms)
            if each.record.value is None and self.log.now_ms < reached_ms + RETENTION_MS:
                assert offset in offsets, "COMP-05"

    def _check_clean_part(self, stored: list[Stored]) -> None:
        clean_end = self.log.clean_end
        clean = [record for record in stored if record.offset < clean_end]
        for record in clean:
            assert self.decided.get(record.offset, True), "COMP-08"
        keys = [record.key for record in clean]
        assert len(keys) == len(set(keys)), "the cleaning did nothing"

    def _check_producers(self) -> None:
        """COMP-09: who reads the log knows of every producer what the broker remembers."""
        replayed = ProducerStates()
        for segment, position, header in self.log.log.headers_from(0):
            payload = self.log.log.payload(segment, position, header)
            replayed.appended(header, read_marker(header, payload))
        known = replayed.last_batches()
        for producer_id, last in self.log.last_batches().items():
            if producer_id in self.forgotten:
                continue
            assert known[producer_id].producer_epoch == last.producer_epoch, "COMP-09"
            if last.last_offset is not None:
                assert known[producer_id] == last, "COMP-09"


KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
VALUES = st.none() | st.sampled_from([b"1", b"2", b"x" * 40])
PAIRS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=4)
PRODUCERS = st.sampled_from([NO_PRODUCER, 1, 2, 11, 12])
WRITE = st.tuples(st.just("write"), PRODUCERS, PAIRS, st.sampled_from([0, 0, 1, 4]))
STEPS = st.one_of(
    WRITE,
    WRITE,
    WRITE,
    st.tuples(st.just("end"), st.sampled_from([11, 12]), st.sampled_from([ABORT, COMMIT])),
    st.tuples(st.just("clean"), st.none() | st.integers(1, 30)),
    st.tuples(st.just("clean_until_power_fails"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.sampled_from([100, 1_500, RETENTION_MS])),
    st.tuples(st.just("forget_producers")),
    st.tuples(st.just("read_a_little"), st.integers(1, 5)),
    st.tuples(st.just("finish_reading")),
)
RUNS = st.tuples(st.sampled_from([0, LAG_MS]), st.lists(STEPS, min_size=40, max_size=80))
Run = tuple[int, list[tuple[Any, ...]]]


def run(lag_ms: int, steps: list[tuple[Any, ...]]) -> None:
    simulation = Simulation(lag_ms)
    for name, *arguments in steps:
        getattr(simulation, name)(*arguments)
        simulation.check()
    simulation.finish_reading()


def search(examples: int) -> None:
    """Try so many runs; always the same ones."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(RUNS)
    def tried(run_: Run) -> None:
        run(*run_)

    tried()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(RUNS)
def test_a_cleaned_table_is_the_table(run_: Run) -> None:
    run(*run_)


def _swap_without_drafts(storage: Storage, cleaned: Segment, replaced: Sequence[Segment]) -> None:
    for segment in replaced:
        segment.delete(storage)
    cleaned.rename(storage, "")


def _rename_before_deletion(storage: Storage, new: Segment, replaced: Sequence[Segment]) -> None:
    new.rename(storage, "")
    for segment in replaced[1:]:
        segment.delete(storage)


def _no_swap_is_finished(storage: Storage, folder: str) -> None:
    for name in storage.files(folder):
        if name.endswith((".cleaned", ".swap")):
            storage.delete(f"{folder}/{name}")


def _never(*_: object) -> bool:
    return False


def _always(*_: object) -> bool:
    return True


def _keeps_the_header(header: BatchHeader, horizon_ms: int) -> BatchHeader:
    return with_delete_horizon(header, horizon_ms)._replace(base_timestamp=header.base_timestamp)


def _keeps_the_timestamps(content: Bytes, _milliseconds: int) -> bytes:
    return bytes(content)


def _notes_the_first(self: Cleaning, key: bytes, offset: int) -> None:
    self._last_offsets.setdefault(key, offset)


class _NoRetention(Cleaning):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._horizon_ms = self._now_ms


MUTANTS: dict[str, tuple[object, str, object]] = {
    "COMP-01 keeps the first": (Cleaning, "_note", _notes_the_first),
    "COMP-02 timestamps move with the horizon": (cleaned_batch, "_shifted", _keeps_the_timestamps),
    "COMP-03 compacts what is undecided": (Compacted, "last_stable_offset", 1 << 40),
    "COMP-04 compacts young records": (cleaner, "_is_young", _never),
    "COMP-05 drops tombstones at once": (cleaner, "Cleaning", _NoRetention),
    "COMP-05 has no horizon": (cleaned_batch, "with_delete_horizon", _keeps_the_header),
    "COMP-07 drops markers early": (TransactionTrace, "marker_is_idle", _always),
    "COMP-08 keeps aborted records": (TransactionTrace, "is_aborted", _never),
    "COMP-09 drops the last batch": (Cleaning, "_keeps_header", _never),
    "swaps without a trace": (log, "swap_in", _swap_without_drafts),
    "renames before it deletes": (log, "swap_in", _rename_before_deletion),
    "forgets swaps": (log, "finish_swaps", _no_swap_is_finished),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_rule_that_is_taken_away_is_noticed(mutant: str) -> None:
    holder, name, replacement = MUTANTS[mutant]
    with patch.object(holder, name, replacement), pytest.raises((AssertionError, KeyError)):
        search(2_000)


def test_without_a_mutant_the_same_runs_find_nothing() -> None:
    search(200)
