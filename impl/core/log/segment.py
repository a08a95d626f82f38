"""One segment of a log: a file of batches, and the two sparse indexes that find a place in it.

STOR-04 to STOR-07. The offset index has an entry of 8 bytes (offset relative to the segment,
position) about every `index.interval.bytes`; the time index one of 12 (timestamp, relative offset)
which says that no record before that offset is younger. They are kept in memory for searching, and
written to Kafka's `.index` and `.timeindex` some entries at a time. Which offsets a batch gets is
decided by `log`.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from impl.core.log.batch import (
    HEADER_SIZE,
    MAGIC,
    MINIMUM_LENGTH,
    NO_TIMESTAMP,
    BatchHeader,
    Checksum,
    checksum_is_right,
    read_extent,
    read_header,
)
from impl.core.log.transaction_index import (
    ENTRY_SIZE,
    AbortedTransaction,
    read_entries,
    write_entries,
)
from impl.core.storage import Bytes, Storage, StorageError

_OFFSET_ENTRY = struct.Struct(">ii")
_TIME_ENTRY = struct.Struct(">qi")
_WINDOW = 64 << 10
_FILES = ("log", "index", "timeindex", "txnindex", "snapshot")
_ENTRIES_AT_ONCE = 64
MAXIMUM_RELATIVE_OFFSET = 2**31 - 1


def file_name(base_offset: int, suffix: str) -> str:
    return f"{base_offset:020}.{suffix}"


def scan_batches(
    storage: Storage, path: str, start: int, end: int, checksum: Checksum | None = None
) -> Iterator[tuple[int, BatchHeader]]:
    """Position and header of each batch from `start` on; ends before the first that is not whole.

    With a checksum it also ends before the first batch whose content does not match.
    """
    position, window, window_start = start, b"", start
    while end - position >= HEADER_SIZE:
        at = position - window_start
        if at + HEADER_SIZE > len(window):
            window, window_start, at = storage.read(path, position, _WINDOW), position, 0
        if at + HEADER_SIZE > len(window):
            return
        header = read_header(window, at)
        if header.magic != MAGIC or header.batch_length < MINIMUM_LENGTH:
            return
        if position + header.size > end:
            return
        if checksum is not None:
            if at + header.size > len(window):
                length = max(_WINDOW, header.size)
                window, window_start, at = storage.read(path, position, length), position, 0
            if not checksum_is_right(header, memoryview(window)[at:], checksum):
                return
        yield position, header
        position += header.size


def whole_batches(window: Bytes, end_offset: int) -> int:
    """The size of the batches at the start of some bytes that are whole and below the offset."""
    position = 0
    while len(window) - position >= HEADER_SIZE:
        last_offset, size = read_extent(window, position)
        if last_offset >= end_offset or position + size > len(window):
            break
        position += size
    return position


@dataclass(slots=True, eq=False)
class Segment:
    folder: str
    base_offset: int
    created_ms: int
    next_offset: int = 0
    size: int = 0
    first_timestamp: int = NO_TIMESTAMP
    max_timestamp: int = NO_TIMESTAMP
    offset_of_max_timestamp: int = -1
    offset_index: list[tuple[int, int]] = field(default_factory=list)
    time_index: list[tuple[int, int]] = field(default_factory=list)
    aborted: list[AbortedTransaction] = field(default_factory=list)
    """The transactions whose abort marker is here, in the order of the markers (TXNI-13)."""
    last_batch: tuple[int, int] | None = None
    """Its first offset and its position, while it is known: most who read want the last one."""
    bytes_since_entry: int = 0
    draft: str = ""
    """What its files are called besides, while a cleaning makes it (`swap`)."""

    def path(self, suffix: str) -> str:
        return f"{self.folder}/{file_name(self.base_offset, suffix)}{self.draft}"

    @property
    def log_path(self) -> str:
        return self.path("log")

    @property
    def youngest_ms(self) -> int:
        """The largest timestamp, or where there is none the time of the segment itself."""
        return self.max_timestamp if self.max_timestamp >= 0 else self.created_ms

    # Growing

    def append(
        self, storage: Storage, header: BatchHeader, parts: list[Bytes], interval: int
    ) -> None:
        """On StorageError nothing was appended. The indexes may fail: they can be rebuilt."""
        storage.append(self.log_path, parts)
        if self.note(header, interval) and len(self.offset_index) % _ENTRIES_AT_ONCE == 0:
            with suppress(StorageError):
                self._extend_indexes(storage)

    def note(self, header: BatchHeader, interval: int) -> bool:
        """Take a batch at the end into account; says whether the offset index grew."""
        indexed = self.bytes_since_entry > interval
        if indexed:
            self.offset_index.append((header.last_offset, self.size))
            self.bytes_since_entry = 0
        if self.size == 0:
            self.first_timestamp = header.max_timestamp
        self._note_youngest(header)
        if indexed:
            self._note_time()
        self.last_batch = header.base_offset, self.size
        self.bytes_since_entry += header.size
        self.size += header.size
        self.next_offset = header.next_offset
        return indexed

    def _note_youngest(self, header: BatchHeader) -> None:
        """A batch of which compaction left the header has a timestamp, and no record of it."""
        if header.record_count and header.max_timestamp > self.max_timestamp:
            self.max_timestamp = header.max_timestamp
            self.offset_of_max_timestamp = header.last_offset

    def _note_time(self) -> bool:
        latest = self.time_index[-1][0] if self.time_index else NO_TIMESTAMP
        if self.max_timestamp > latest:
            self.time_index.append((self.max_timestamp, self.offset_of_max_timestamp))
            return True
        return False

    def _extend_indexes(self, storage: Storage) -> None:
        """Bring the files up to what memory says."""
        for suffix, size, entries, pack in (
            ("index", _OFFSET_ENTRY.size, self.offset_index, self._offset_entry),
            ("timeindex", _TIME_ENTRY.size, self.time_index, self._time_entry),
        ):
            known = (storage.size(self.path(suffix)) or 0) // size
            if known < len(entries):
                storage.append(self.path(suffix), [b"".join(map(pack, entries[known:]))])

    def append_aborted(self, storage: Storage, aborted: AbortedTransaction) -> None:
        """To follow the append of its marker; like the other indexes, it may fail."""
        self.aborted.append(aborted)
        with suppress(StorageError):
            self._write_aborted(storage)

    def _write_aborted(self, storage: Storage) -> None:
        """Bring the file up to what memory says."""
        known = (storage.size(self.path("txnindex")) or 0) // ENTRY_SIZE
        if known < len(self.aborted):
            storage.append(self.path("txnindex"), [write_entries(self.aborted[known:])])

    def read_aborted(self, storage: Storage) -> None:
        """Take over what the file says of the log as it is."""
        entries = read_entries(storage, self.path("txnindex"))
        self.aborted = [entry for entry in entries if entry.last_offset < self.next_offset]

    def close(self, storage: Storage) -> None:
        """No batch will follow: the time index ends with the youngest record of all (STOR-06)."""
        self._note_time()
        self.flush(storage)

    def flush(self, storage: Storage) -> None:
        self._extend_indexes(storage)
        self._write_aborted(storage)
        for suffix in ("log", "index", "timeindex", "txnindex"):
            if storage.size(self.path(suffix)) is not None:
                storage.flush(self.path(suffix))

    def _offset_entry(self, entry: tuple[int, int]) -> bytes:
        return _OFFSET_ENTRY.pack(entry[0] - self.base_offset, entry[1])

    def _time_entry(self, entry: tuple[int, int]) -> bytes:
        return _TIME_ENTRY.pack(entry[0], entry[1] - self.base_offset)

    def write_indexes(self, storage: Storage) -> None:
        """Write the indexes anew where the files are not what memory says."""
        for suffix, content in (
            ("index", b"".join(map(self._offset_entry, self.offset_index))),
            ("timeindex", b"".join(map(self._time_entry, self.time_index))),
            ("txnindex", write_entries(self.aborted)),
        ):
            path = self.path(suffix)
            size = storage.size(path)
            if suffix == "txnindex" and size is None and not content:
                continue  # most segments have none
            if size != len(content) or storage.read(path, 0, size) != content:
                storage.replace(path, content, durable=False)

    def index_is_full(self, maximum_size: int) -> bool:
        return (
            len(self.offset_index) >= maximum_size // _OFFSET_ENTRY.size
            or len(self.time_index) >= maximum_size // _TIME_ENTRY.size - 1
        )

    # Finding

    def position_before(self, offset: int) -> int:
        """STOR-05: of the greatest entry that is not above the offset, or the start."""
        if self.last_batch is not None and offset >= self.last_batch[0]:
            return self.last_batch[1]
        index = bisect_right(self.offset_index, (offset, self.size))
        return self.offset_index[index - 1][1] if index else 0

    def batches(self, storage: Storage, from_offset: int) -> Iterator[tuple[int, BatchHeader]]:
        """Position and header of the batches that end at the offset or after it."""
        start = self.position_before(from_offset)
        for position, header in scan_batches(storage, self.log_path, start, self.size):
            if header.last_offset >= from_offset:
                yield position, header

    def offset_before(self, timestamp: int) -> int:
        """An offset before which every record is older than the timestamp."""
        index = bisect_right(self.time_index, (timestamp - 1, MAXIMUM_RELATIVE_OFFSET << 32))
        return self.time_index[index - 1][1] if index else self.base_offset

    # Leaving

    def truncate_to(self, storage: Storage, offset: int) -> None:
        """Cut off the first batch that reaches the offset, and all behind it."""
        for position, header in self.batches(storage, offset):
            storage.truncate(self.log_path, position)
            self._forget_from(storage, position, min(offset, header.base_offset))
            return
        self.next_offset = offset

    def _forget_from(self, storage: Storage, position: int, next_offset: int) -> None:
        self.size, self.next_offset = position, next_offset
        self.offset_index = [entry for entry in self.offset_index if entry[1] < position]
        self.time_index = [entry for entry in self.time_index if entry[1] < next_offset]
        self.aborted = [entry for entry in self.aborted if entry.last_offset < next_offset]
        self.bytes_since_entry, self.last_batch = 0, None
        self.max_timestamp, self.offset_of_max_timestamp = NO_TIMESTAMP, -1
        if self.time_index:
            self.max_timestamp, self.offset_of_max_timestamp = self.time_index[-1]
        if position == 0:
            self.first_timestamp = NO_TIMESTAMP
        for _, header in self.batches(storage, max(self.offset_of_max_timestamp, 0)):
            self._note_youngest(header)
        self.write_indexes(storage)

    def delete(self, storage: Storage) -> None:
        for suffix in _FILES:
            storage.delete(self.path(suffix))

    def rename(self, storage: Storage, draft: str) -> None:
        known = {suffix: self.path(suffix) for suffix in _FILES}
        self.draft = draft
        for suffix, path in known.items():
            if storage.size(path) is not None:
                storage.rename(path, self.path(suffix))
