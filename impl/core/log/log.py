"""The log of one partition replica: segments, offsets, epochs; append, read, truncate.

Decides where a batch goes and what a reader gets (STOR-01, STOR-03, STOR-07 to STOR-10, STOR-13).
Refuses to know who leads, what is committed, and whether a batch was legal: callers hand over
batches that are complete, with base offset and leader epoch set.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from uuid import UUID

from impl.core.config import TopicConfig
from impl.core.log import checkpoints
from impl.core.log.batch import HEADER_SIZE, BatchHeader, Checksum, write_header
from impl.core.log.leader_epochs import LeaderEpochs
from impl.core.log.segment import MAXIMUM_RELATIVE_OFFSET, Segment, scan_batches, whole_batches
from impl.core.log.swap import finish_swaps, swap_in
from impl.core.refusal import KafkaError
from impl.core.storage import Bytes, Storage, StorageError
from spec.wire.errors import ErrorCode

_EPOCH_FILE = "leader-epoch-checkpoint"


class Compress(Protocol):
    def __call__(self, codec: int, data: Bytes, level: int | None = None) -> bytes | None:
        """The data packed, by default as the codec likes it; None if there is no such codec."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What the core asks of the outside, besides messages and the time."""

    storage: Storage
    checksum: Checksum
    # Codec number and bytes to plain bytes; None when this process lacks the codec, or it failed.
    decompress: Callable[[int, Bytes], bytes | None]
    compress: Compress
    new_id: Callable[[], UUID]


class TimestampedOffset(NamedTuple):
    timestamp: int
    offset: int
    leader_epoch: int


class Log:
    def __init__(
        self,
        platform: Platform,
        folder: str,
        config: TopicConfig,
        now_ms: int,
        log_start_offset: int = 0,
        recovery_point: int = 0,
        before_truncation: Callable[[int], None] | None = None,
    ) -> None:
        """Open the log in a folder, or begin one.

        Everything from the recovery point on is checked against its checksum and cut at the first
        batch that is not right (STOR-09).
        `before_truncation` hears where the log is about to be cut, or was when it was loaded.
        """
        self.config = config
        self.folder = folder
        self.log_start_offset = log_start_offset
        self.segments: list[Segment] = []
        self.truncations = 0
        self.recovery_point = recovery_point
        """Whatever is below survives the loss of power; the next start need not check it."""
        self.before_roll: Callable[[int], None] = lambda _: None
        """Hears at which offset a new segment is about to begin."""
        self._before_truncation = before_truncation or (lambda _: None)
        self._platform = platform
        self._storage = platform.storage
        self._epoch_path = f"{folder}/{_EPOCH_FILE}"
        self.epochs = LeaderEpochs(
            checkpoints.read_leader_epochs(platform.storage, self._epoch_path)
        )
        self._load(now_ms, recovery_point)

    # Loading

    def _load(self, now_ms: int, recovery_point: int) -> None:
        finish_swaps(self._storage, self.folder)
        names = [n for n in self._storage.files(self.folder) if n.endswith(".log")]
        is_cut = False
        for base_offset in sorted(int(name.partition(".")[0]) for name in names):
            segment = Segment(self.folder, base_offset, now_ms, next_offset=base_offset)
            if is_cut:  # then what follows is not connected to the log any more
                segment.delete(self._storage)
            else:
                is_cut = self._load_segment(segment, recovery_point)
        if self.segments and self.log_end_offset < self.log_start_offset:
            # The log start was durable and the records before it were not.
            for segment in self.segments:
                segment.delete(self._storage)
            self.segments.clear()
        if not self.segments:
            self._add_segment(self.log_start_offset, now_ms)
        if is_cut:
            self._before_truncation(self.log_end_offset)
        self.log_start_offset = max(self.log_start_offset, self.segments[0].base_offset)
        self.epochs.truncate_end(self.log_end_offset + 1)
        for segment in self.segments[:-1]:
            segment.close(self._storage)
        first_unsafe = max(self.recovery_point, self.segments[-1].base_offset)
        self.recovery_point = min(first_unsafe, self.log_end_offset)

    def _load_segment(self, segment: Segment, recovery_point: int) -> bool:
        """Says whether something had to be cut off."""
        size = self._storage.size(segment.log_path) or 0
        for header in self._valid_headers(segment, size, recovery_point):
            segment.note(header, self.config.index_interval_bytes)
            if self.epochs.epoch_at(header.base_offset) != header.partition_leader_epoch:
                self.epochs.assign(header.partition_leader_epoch, header.base_offset)
        if segment.size < size:
            self._storage.truncate(segment.log_path, segment.size)
        segment.read_aborted(self._storage)
        segment.write_indexes(self._storage)
        self.segments.append(segment)
        return segment.size < size

    def _valid_headers(
        self, segment: Segment, size: int, recovery_point: int
    ) -> Iterator[BatchHeader]:
        storage, path = self._storage, segment.log_path
        start = size
        for position, header in scan_batches(storage, path, 0, size):
            if header.last_offset >= recovery_point or header.base_offset < segment.next_offset:
                start = position
                break
            yield header
        for _, header in scan_batches(storage, path, start, size, self._platform.checksum):
            if header.base_offset < segment.next_offset:
                return
            yield header

    # Shape

    @property
    def log_end_offset(self) -> int:
        return self.segments[-1].next_offset

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    def segment_of(self, offset: int) -> int:
        """The index of the last segment that begins at the offset or before it."""
        return max(bisect_right(self.segments, offset, key=lambda s: s.base_offset) - 1, 0)

    def _add_segment(self, base_offset: int, now_ms: int) -> Segment:
        segment = Segment(self.folder, base_offset, now_ms, next_offset=base_offset)
        self._storage.append(segment.log_path, ())
        self.segments.append(segment)
        return segment

    def begin_epoch(self, epoch: int) -> None:
        """ELEC-07: a new leader notes where its epoch begins, even if it never writes."""
        if self.epochs.assign(epoch, self.log_end_offset):
            self._write_epochs()

    def _write_epochs(self) -> None:
        checkpoints.write_leader_epochs(self._storage, self._epoch_path, self.epochs.entries)

    # Writing

    def append(self, header: BatchHeader, payload: Bytes, now_ms: int) -> None:
        """Write one batch, of which `payload` is what follows the header. Raises KafkaError."""
        if header.size > self.config.segment_bytes:
            raise KafkaError(
                ErrorCode.RECORD_LIST_TOO_LARGE,
                f"{header.size} bytes do not fit a segment of {self.config.segment_bytes}.",
            )
        parts: list[Bytes] = [write_header(header), payload]
        try:
            if self._should_roll(self.segments[-1], header, now_ms):
                self.segments[-1].close(self._storage)
                self.recovery_point = self.log_end_offset
                self.before_roll(header.base_offset)
                self._add_segment(header.base_offset, now_ms)
            interval = self.config.index_interval_bytes
            self.segments[-1].append(self._storage, header, parts, interval)
        except StorageError as failure:
            self._undo_append()
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure
        self.epochs.assign(header.partition_leader_epoch, header.base_offset)
        if self.log_end_offset - self.recovery_point >= self.config.flush_messages:
            self._flush_in_time()

    def _flush_in_time(self) -> None:
        """A record that may be lost after all is not to be acknowledged. Raises KafkaError."""
        try:
            self.flush()
        except StorageError as failure:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR, str(failure)) from failure

    def _should_roll(self, segment: Segment, header: BatchHeader, now_ms: int) -> bool:
        """STOR-07."""
        if segment.size == 0:
            return False
        age_ms = now_ms - segment.created_ms
        if segment.first_timestamp >= 0:
            age_ms = header.max_timestamp - segment.first_timestamp
        return (
            segment.size + header.size > self.config.segment_bytes
            or age_ms > self.config.roll_ms
            or segment.index_is_full(self.config.segment_index_bytes)
            or header.last_offset - segment.base_offset > MAXIMUM_RELATIVE_OFFSET
        )

    def _undo_append(self) -> None:
        """Leave no half batch behind; if even that fails, the next start cuts it."""
        with suppress(StorageError):
            self._storage.truncate(self.segments[-1].log_path, self.segments[-1].size)

    def flush(self) -> None:
        self.segments[-1].flush(self._storage)
        self.recovery_point = self.log_end_offset

    def truncate_to(self, offset: int) -> None:
        """Forget every batch that reaches the offset or lies above it (REPL-12).

        The log then ends at the offset, or before it where a batch spans it. Durable on return: a
        replica that cut its log must not find the cut records again. An epoch that has no record
        goes in any case: the replica led in it, wrote nothing, and others may have gone on.
        """
        if offset >= self.log_end_offset:
            self._forget_epochs_from(self.log_end_offset)
            return
        if offset < self.segments[0].base_offset:
            self.truncate_fully_and_start_at(offset)
            return
        self._announce_truncation(offset)
        keep = self.segment_of(offset) + 1
        self._delete_segments(keep)
        self.segments[-1].truncate_to(self._storage, offset)
        self.segments[-1].flush(self._storage)
        self.log_start_offset = min(self.log_start_offset, self.log_end_offset)
        self._forget_epochs_from(self.log_end_offset)

    def _forget_epochs_from(self, offset: int) -> None:
        self.epochs.truncate_end(offset)
        self._write_epochs()

    def truncate_fully_and_start_at(self, offset: int) -> None:
        """Forget everything, and go on at another offset."""
        self._announce_truncation(min(offset, self.log_start_offset))
        created_ms = self.segments[-1].created_ms
        self._delete_segments(0)
        self._add_segment(offset, created_ms)
        self.log_start_offset = offset
        self.epochs.entries.clear()
        self._write_epochs()

    def _announce_truncation(self, offset: int) -> None:
        """COMP-11: what is told from now on about the records from there on is about others."""
        self.truncations += 1
        self.recovery_point = min(self.recovery_point, offset)
        self._before_truncation(offset)

    def _delete_segments(self, keep: int) -> None:
        """The last one first: whatever a crash leaves is a log without a hole."""
        for segment in reversed(self.segments[keep:]):
            segment.delete(self._storage)
        del self.segments[keep:]

    def advance_log_start(self, offset: int) -> None:
        """Forget what is below: at once for readers, on disk when a whole segment is (RETN-04)."""
        if offset <= self.log_start_offset:
            return
        self.log_start_offset = offset
        keep = self.segment_of(offset)
        for segment in self.segments[:keep]:
            segment.delete(self._storage)
        del self.segments[:keep]
        self.epochs.truncate_start(offset)
        self._write_epochs()

    def apply_retention(self, now_ms: int, end_offset: int) -> bool:
        """RETN-01 to RETN-06: delete whole segments, oldest first; says whether any went.

        Nothing that reaches past `end_offset` goes. The last segment makes way for a new one.
        """
        excess = self.size - self.config.retention_bytes
        expired = 0
        for segment in self.segments:
            is_old = 0 <= self.config.retention_ms < now_ms - segment.youngest_ms
            is_excess = self.config.retention_bytes >= 0 and segment.size <= excess
            is_empty = segment.size == 0 and segment is self.segments[-1]
            is_deletable = not is_empty and segment.next_offset <= end_offset
            if not is_deletable or not (is_old or is_excess):
                break
            excess -= segment.size
            expired += 1
        if expired == 0 or not self.config.is_deleted:
            return False
        if expired == len(self.segments):
            self.before_roll(self.log_end_offset)
            self._add_segment(self.log_end_offset, now_ms)
        self.advance_log_start(self.segments[expired].base_offset)
        return True

    def replace_segments(self, replaced: Sequence[Segment], cleaned: Segment) -> None:
        """Put what compaction made in the place of neighbours, of which none is the last."""
        start = next(i for i, segment in enumerate(self.segments) if segment is replaced[0])
        swap_in(self._storage, cleaned, replaced)
        self.segments[start : start + len(replaced)] = [cleaned]

    # Reading

    def read(self, offset: int, max_bytes: int, end_offset: int, *, at_least_one: bool) -> Bytes:
        """Whole batches from the one that holds the offset, all below `end_offset` (STOR-03).

        At most `max_bytes`, but the first batch in full if `at_least_one` (STOR-13).
        """
        for segment in self.segments[self.segment_of(offset) :]:
            for position, header in segment.batches(self._storage, offset):
                length = max(max_bytes, header.size if at_least_one else 0)
                length = min(length, segment.size - position)
                window = self._storage.read(segment.log_path, position, length)
                return memoryview(window)[: whole_batches(window, end_offset)]
        return b""

    def headers_from(self, offset: int) -> Iterator[tuple[Segment, int, BatchHeader]]:
        for segment in self.segments[self.segment_of(offset) :]:
            for position, header in segment.batches(self._storage, offset):
                yield segment, position, header

    def payload(self, segment: Segment, position: int, header: BatchHeader) -> bytes:
        length = header.size - HEADER_SIZE
        return self._storage.read(segment.log_path, position + HEADER_SIZE, length)

    def batches(self) -> Iterator[tuple[BatchHeader, bytes]]:
        """Header and payload of every batch from the log start on."""
        for segment, position, header in self.headers_from(self.log_start_offset):
            yield header, self.payload(segment, position, header)
