"""A compacted log without a broker around it, and a reader as a consumer is one."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from uuid import UUID

import crc32c

from impl.core.cluster.topics import TopicPartition
from impl.core.config import BrokerConfig, TopicConfig
from impl.core.log.batch import (
    CONTROL,
    HEADER_SIZE,
    NOT_COMPRESSED,
    TRANSACTIONAL,
    BatchHeader,
    build_batch,
    read_header,
    read_records,
    with_checksum,
    with_codec,
)
from impl.core.log.checkpoints import OffsetCheckpoint
from impl.core.log.cleaner import Cleaner
from impl.core.log.log import Log, Platform
from impl.core.log.producer_state import LastBatch
from impl.core.log.producers import Producers
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.storage import Bytes, MemoryStorage, Storage
from impl.shell.compression import compress, decompress

START_MS = 1_700_000_000_000
ABORT, COMMIT = 0, 1
AT = TopicPartition("table", 0)

Pair = tuple[bytes | None, bytes | None]


class PowerLossError(Exception):
    """The machine stopped within a call of the storage."""


class FailingStorage(MemoryStorage):
    """Loses power before the nth renaming or deletion, if one says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls_left: int | None = None

    def _count(self) -> None:
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise PowerLossError

    def rename(self, path: str, new_path: str) -> None:
        self._count()
        super().rename(path, new_path)

    def delete(self, path: str) -> None:
        self._count()
        super().delete(path)


class Stored(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class StoredBatch(NamedTuple):
    header: BatchHeader
    records: list[Stored]


@dataclass
class Compacted:
    """Implements `Cleanable`, as a partition does."""

    config: TopicConfig = field(default_factory=lambda: TopicConfig(cleanup_policy=("compact",)))
    options: BrokerConfig = field(default_factory=BrokerConfig)
    storage: Storage = field(default_factory=FailingStorage)
    now_ms: int = START_MS
    at: TopicPartition = AT

    def __post_init__(self) -> None:
        ids = iter(range(1, 1 << 20))
        self.platform = Platform(
            self.storage, crc32c.crc32c, decompress, compress, lambda: UUID(int=next(ids))
        )
        self.high_watermark: int | None = None
        self.load()

    def load(self) -> None:
        """As a broker does when it starts."""
        self.cleaned = OffsetCheckpoint(self.storage, "cleaner-offset-checkpoint")
        self.log = Log(
            self.platform,
            AT.folder,
            self.config,
            self.now_ms,
            before_truncation=lambda offset: self.cleaned.lower(AT, offset),
        )
        self.producers = Producers(self.platform, self.log)
        self.cleaner = Cleaner(self.platform, self.options, self.cleaned, self.now_ms)

    def fail_after(self, calls: int) -> None:
        assert isinstance(self.storage, FailingStorage)
        self.storage.calls_left = calls

    def lose_power(self) -> None:
        assert isinstance(self.storage, FailingStorage)
        self.storage.calls_left = None
        self.storage.crash()
        self.load()

    # What the cleaner asks

    @property
    def last_stable_offset(self) -> int:
        end = self.log.log_end_offset if self.high_watermark is None else self.high_watermark
        return self.producers.states.last_stable_offset(end)

    def last_batches(self) -> Mapping[int, LastBatch]:
        return self.producers.states.last_batches()

    def aborted_transactions(self, start: int, end: int) -> Sequence[AbortedTransaction]:
        return list(self.producers.aborted_between(start, end))

    # Writing

    def write(self, *pairs: Pair, codec: int = NOT_COMPRESSED, **header: int) -> int:
        """One batch, ten milliseconds after the one before; returns its base offset."""
        self.now_ms += 10
        timestamp_ms = header.pop("timestamp_ms", self.now_ms)
        plain = build_batch(pairs, timestamp_ms, crc32c.crc32c)
        payload: bytes = plain[HEADER_SIZE:]
        sent = read_header(plain)._replace(
            base_offset=self.log.log_end_offset, partition_leader_epoch=1, **header
        )
        if codec:
            packed = compress(codec, payload)
            assert packed is not None
            sent, payload = with_codec(sent, codec, len(packed)), packed
        sent = with_checksum(sent, payload, crc32c.crc32c)
        self.producers.append(sent, payload, self.now_ms)
        return sent.base_offset

    def end_transaction(self, producer_id: int, kind: int, producer_epoch: int = 0) -> int:
        key, value = struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0)
        return self.write(
            (key, value),
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            attributes=CONTROL | TRANSACTIONAL,
        )

    def roll(self) -> None:
        """Let the next batch begin a segment."""
        self.now_ms += 10
        self.log.config = replace(self.config, segment_ms=1)
        self.write((b"filler", b"x"))
        self.log.config = self.config

    # Cleaning

    def clean(self, slices: int | None = None) -> None:
        """Wait for the cleaner, and let it work until it rests, or for so many slices."""
        self.now_ms = max(self.now_ms, self.cleaner.next_deadline_ms() or 0)
        while (self.cleaner.next_deadline_ms() or 0) <= self.now_ms and slices != 0:
            self.cleaner.tick(self.now_ms, [self])
            slices = None if slices is None else slices - 1

    @property
    def clean_end(self) -> int:
        return self.cleaned.get(AT)

    # Reading

    def batches(self, start: int = 0, end: int | None = None) -> list[StoredBatch]:
        """As a consumer sees them, who fetches from an offset."""
        found, offset = [], start
        end = self.log.log_end_offset if end is None else end
        while offset < end:
            raw = self.log.read(offset, 1 << 16, end, at_least_one=True)
            if not len(raw):
                break
            found += _parsed(raw)
            offset = found[-1].header.next_offset
        return found

    def records(self) -> list[Stored]:
        return [record for b in self.batches() if not b.header.is_control for record in b.records]

    def values(self) -> list[tuple[int, bytes | None, bytes | None]]:
        return [(r.offset, r.key, r.value) for r in self.records()]

    def files(self, suffix: str = "") -> list[str]:
        return [n for n in self.storage.files(AT.folder) if n.endswith(suffix)]


def _parsed(raw: Bytes) -> list[StoredBatch]:
    found, position = [], 0
    while position < len(raw):
        header = read_header(raw, position)
        payload: Bytes = memoryview(raw)[position + HEADER_SIZE : position + header.size]
        covered = memoryview(raw)[position + 21 : position + header.size]
        assert crc32c.crc32c(covered) == header.checksum
        if header.compression and header.record_count:
            plain = decompress(header.compression, payload)
            assert plain is not None
            payload = plain
        records = [
            Stored(header.base_offset + r.offset_delta, r.timestamp, _copy(r.key), _copy(r.value))
            for r in read_records(header, payload)
        ]
        found.append(StoredBatch(header, records))
        position += header.size
    return found


def _copy(field_: Bytes | None) -> bytes | None:
    return None if field_ is None else bytes(field_)


class Reader:
    """A consumer with `read_committed` that keeps a table, from offset 0 on."""

    def __init__(self, log: Compacted) -> None:
        self.table: dict[bytes, bytes] = {}
        self.started_ms = log.now_ms
        self.position = 0
        self._log = log
        self._aborting: set[int] = set()
        self._known: set[AbortedTransaction] = set()

    def read(self, max_batches: int | None = None) -> Reader:
        end = self._log.last_stable_offset
        for batch in self._log.batches(self.position, end)[:max_batches]:
            self._take(batch)
            self.position = batch.header.next_offset
        return self

    def _take(self, batch: StoredBatch) -> None:
        header = batch.header
        for each in self._log.aborted_transactions(self.position, self._log.log.log_end_offset):
            if each.first_offset <= header.last_offset and each not in self._known:
                self._known.add(each)
                self._aborting.add(each.producer_id)
        if header.is_control:
            if batch.records and batch.records[0].key == struct.pack(">hh", 0, ABORT):
                self._aborting.discard(header.producer_id)
            return
        if header.is_transactional and header.producer_id in self._aborting:
            return
        for record in batch.records:
            assert record.key is not None
            if record.value is None:
                self.table.pop(record.key, None)
            else:
                self.table[record.key] = record.value
