"""Cleaning one log: of each key the last record stays, and what a transaction aborted goes.

COMP-01 to COMP-03, COMP-05, COMP-07 to COMP-09. A cleaning goes through the dirty part once and
notes the last offset of each key, then through the log from its start and writes what stays into
new segments, neighbours together as far as they fit. It pauses again and again, so that a broker
can serve meanwhile; whoever drives it asks `is_obsolete` before it goes on.

Which log is to be cleaned, how far and when is decided by `cleaner`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from impl.core.cluster.topics import TopicPartition
from impl.core.log.batch import BatchHeader, Record, write_header
from impl.core.log.cleaned_batch import Ruling, clean_batch, records_of
from impl.core.log.log import Log, Platform
from impl.core.log.producer_state import LastBatch
from impl.core.log.segment import MAXIMUM_RELATIVE_OFFSET, Segment, scan_batches
from impl.core.log.swap import CLEANED
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.log.transaction_trace import TransactionTrace
from impl.core.storage import Bytes

# What an entry costs besides its key: the two objects and their place in the table.
_ENTRY_COST = 150


class Cleanable(Protocol):
    """A partition, as far as its cleaning asks."""

    at: TopicPartition
    log: Log

    @property
    def last_stable_offset(self) -> int:
        """Below it nothing is undecided."""

    def last_batches(self) -> Mapping[int, LastBatch]:
        """By the id of each producer that is remembered."""

    def aborted_transactions(self, start: int, end: int) -> Sequence[AbortedTransaction]:
        """Those of which a record or the marker lies between the offsets."""


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int
    """For the keys of the dirty part. What does not fit is left for the next cleaning."""
    slice_bytes: int
    """How much is read between two pauses."""


class Cleaning:
    def __init__(
        self,
        platform: Platform,
        partition: Cleanable,
        dirty: range,
        now_ms: int,
        limits: Limits,
    ) -> None:
        """`dirty` ends where a segment does that is not the last."""
        self.partition = partition
        self.cleaned_end = dirty.start
        """The new first dirty offset, once the cleaning is through."""
        self._platform = platform
        self._storage = platform.storage
        self._log = partition.log
        self._truncations = partition.log.truncations
        self._dirty = dirty
        self._now_ms = now_ms
        self._horizon_ms = now_ms + partition.log.config.delete_retention_ms
        self._limits = limits
        self._last_offsets: dict[bytes, int] = {}
        self._memory = 0
        self._read = 0
        self._sources = [s for s in partition.log.segments if s.base_offset < dirty.stop]
        self._draft: Segment | None = None

    # Being driven

    def run(self) -> Iterator[None]:
        """Raises StorageError or MalformedRecordsError; the log is then as whole as before."""
        yield from self._note_keys()
        self._sources = [s for s in self._sources if s.base_offset < self.cleaned_end]
        aborted = self.partition.aborted_transactions(0, self._sources[-1].next_offset)
        trace = TransactionTrace(aborted)
        for group in self._groups():
            yield from self._clean_group(group, trace)

    @property
    def is_obsolete(self) -> bool:
        """COMP-11: whether what is yet to be cleaned is not what it was."""
        here = {id(segment) for segment in self._log.segments[:-1]}
        are_here = all(id(segment) in here for segment in self._sources)
        return self._log.truncations != self._truncations or not are_here

    def give_up(self) -> None:
        if self._draft is not None:
            self._draft.delete(self._storage)

    def _has_read(self, header: BatchHeader) -> bool:
        """Whether it is time for a pause."""
        self._read += header.size
        if self._read < self._limits.slice_bytes:
            return False
        self._read = 0
        return True

    # The dirty part

    def _note_keys(self) -> Iterator[None]:
        """Fill the table of last offsets, from whole batches only."""
        aborted = self.partition.aborted_transactions(self._dirty.start, self._dirty.stop)
        trace = TransactionTrace(aborted)
        for segment in self._sources:
            for position, header in segment.batches(self._storage, self._dirty.start):
                if self._memory >= self._limits.memory_bytes:
                    return
                payload = self._log.payload(segment, position, header)
                self._note_batch(trace, header, payload)
                self.cleaned_end = header.next_offset
                if self._has_read(header):
                    yield
        self.cleaned_end = self._dirty.stop

    def _note_batch(self, trace: TransactionTrace, header: BatchHeader, payload: Bytes) -> None:
        if header.is_control:
            trace.marker_is_idle(header, payload)
        elif not trace.is_aborted(header):  # COMP-08
            for record in records_of(self._platform, header, payload):
                offset = header.base_offset + record.offset_delta
                if record.key is not None and offset >= self._dirty.start:
                    self._note(bytes(record.key), offset)

    def _note(self, key: bytes, offset: int) -> None:
        if key not in self._last_offsets:
            self._memory += len(key) + _ENTRY_COST
        self._last_offsets[key] = offset

    # The new segments

    def _groups(self) -> Iterator[list[Segment]]:
        """Neighbours that fit into one segment together, indexes included."""
        group: list[Segment] = []
        for segment in list(self._sources):
            if group and not self._fits(group, segment):
                yield group
                group = []
            group.append(segment)
        if group:
            yield group

    def _fits(self, group: list[Segment], segment: Segment) -> bool:
        config, together = self._log.config, [*group, segment]
        return (
            sum(each.size for each in together) <= config.segment_bytes
            and sum(len(each.offset_index) for each in together) * 8 <= config.segment_index_bytes
            and sum(len(each.time_index) for each in together) * 12 <= config.segment_index_bytes
            and segment.next_offset - group[0].base_offset <= MAXIMUM_RELATIVE_OFFSET
        )

    def _clean_group(self, group: list[Segment], trace: TransactionTrace) -> Iterator[None]:
        draft = Segment(
            group[0].folder, group[0].base_offset, group[-1].created_ms, group[0].base_offset
        )
        draft.draft = CLEANED
        draft.delete(self._storage)
        self._draft = draft
        self._storage.append(draft.log_path, ())
        last_batches = self.partition.last_batches()
        for source in group:
            for position, header in scan_batches(self._storage, source.log_path, 0, source.size):
                payload = self._log.payload(source, position, header)
                ruling = self._rule(header, payload, trace, last_batches)
                left = clean_batch(self._platform, header, payload, ruling)
                if left is not None:
                    self._write(draft, *left)
                if self._has_read(header):
                    yield
        draft.aborted = trace.take_still_aborted()
        draft.write_indexes(self._storage)
        draft.close(self._storage)
        self._draft = None  # from here on it is finished, if need be by the next start
        self._log.replace_segments(group, draft)
        self._sources = self._sources[len(group) :]

    def _write(self, draft: Segment, header: BatchHeader, payload: Bytes) -> None:
        self._storage.append(draft.log_path, (write_header(header), payload))
        draft.note(header, self._log.config.index_interval_bytes)

    # What stays

    def _rule(
        self,
        header: BatchHeader,
        payload: Bytes,
        trace: TransactionTrace,
        last_batches: Mapping[int, LastBatch],
    ) -> Ruling:
        keeps_header = self._keeps_header(header, last_batches)
        horizon_ms = header.delete_horizon_ms
        is_over = horizon_ms is not None and horizon_ms <= self._now_ms
        if header.is_control:
            is_idle = trace.marker_is_idle(header, payload)  # COMP-07
            keeps = _nothing if is_idle and is_over else _everything
            return Ruling(keeps, keeps_header, self._horizon_ms, marks_horizon=is_idle)
        if trace.is_aborted(header):  # COMP-08
            return Ruling(_nothing, keeps_header, self._horizon_ms, marks_horizon=False)

        def keeps_record(record: Record) -> bool:
            offset = header.base_offset + record.offset_delta
            if offset >= self.cleaned_end:
                return True
            if record.key is None or offset < self._last_offsets.get(bytes(record.key), -1):
                return False  # COMP-01
            return record.value is not None or not is_over  # COMP-05, COMP-06

        return Ruling(keeps_record, keeps_header, self._horizon_ms, marks_horizon=False)

    def _keeps_header(self, header: BatchHeader, last_batches: Mapping[int, LastBatch]) -> bool:
        """COMP-09."""
        if header.next_offset == self._dirty.stop:
            return True
        last = last_batches.get(header.producer_id) if header.has_producer_id else None
        if last is None:
            return False
        if last.last_offset is not None:
            return header.last_offset == last.last_offset
        return header.is_control and header.producer_epoch == last.producer_epoch


def _everything(_record: Record) -> bool:
    return True


def _nothing(_record: Record) -> bool:
    return False
