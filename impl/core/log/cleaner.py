"""Which log is compacted, how far, and when.

COMP-03, COMP-04, COMP-06, COMP-11. The log with the largest share of dirty bytes comes first;
`cleaner-offset-checkpoint` remembers how far each one is clean. What a cleaning does is decided by
`compaction`. A log that cannot be cleaned is left alone until the next start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from impl.core.cluster.topics import TopicPartition
from impl.core.config import BrokerConfig, TopicConfig
from impl.core.log.batch import MalformedRecordsError
from impl.core.log.checkpoints import OffsetCheckpoint
from impl.core.log.compaction import Cleanable, Cleaning, Limits
from impl.core.log.log import Log, Platform
from impl.core.log.segment import Segment
from impl.core.storage import StorageError


class Candidate(NamedTuple):
    partition: Cleanable
    dirty: range
    """From the first dirty offset to the base of the first segment that cannot be cleaned yet."""
    dirty_bytes: int
    clean_bytes: int
    is_overdue: bool

    @property
    def dirty_ratio(self) -> float:
        total = self.dirty_bytes + self.clean_bytes
        return self.dirty_bytes / total if total else 0.0

    @property
    def is_due(self) -> bool:
        if self.is_overdue and self.dirty_bytes > 0:
            return True
        return self.dirty_ratio > self.partition.log.config.min_cleanable_dirty_ratio


class Cleaner:
    def __init__(
        self, platform: Platform, config: BrokerConfig, cleaned: OffsetCheckpoint, now_ms: int
    ) -> None:
        self._platform = platform
        self._is_enabled = config.log_cleaner_enable
        self._backoff_ms = config.log_cleaner_backoff_ms
        self._limits = Limits(
            config.log_cleaner_dedupe_buffer_size, config.log_cleaner_io_buffer_size
        )
        self._cleaned = cleaned
        self._cleaning: Cleaning | None = None
        self._steps: Iterator[None] = iter(())
        self._uncleanable: set[TopicPartition] = set()
        self._next_ms = now_ms + self._backoff_ms

    def next_deadline_ms(self) -> int | None:
        return self._next_ms if self._is_enabled else None

    def tick(self, now_ms: int, partitions: Iterable[Cleanable]) -> None:
        """A slice of the cleaning at hand, or of the next one that is due.

        While there is more to do the next deadline is at once, and what else waits comes between.
        """
        if not self._is_enabled or now_ms < self._next_ms:
            return
        held = list(partitions)
        if self._cleaning is not None and not _may_go_on(self._cleaning, held):
            self._end(self._cleaning)
        if self._cleaning is None:
            self._begin(now_ms, held)
        if self._cleaning is None:
            self._next_ms = now_ms + self._backoff_ms
            return
        self._next_ms = now_ms
        self._advance(self._cleaning)

    def _begin(self, now_ms: int, partitions: Iterable[Cleanable]) -> None:
        due = [
            candidate
            for partition in partitions
            if partition.log.config.is_compacted and partition.at not in self._uncleanable
            if (candidate := assess(partition, self._cleaned, now_ms)).is_due
        ]
        if due:
            filthiest = max(due, key=lambda candidate: candidate.dirty_ratio)
            self._cleaning = Cleaning(
                self._platform, filthiest.partition, filthiest.dirty, now_ms, self._limits
            )
            self._steps = self._cleaning.run()

    def _advance(self, cleaning: Cleaning) -> None:
        try:
            if next(self._steps, self) is self:
                self._cleaned.update({cleaning.partition.at: cleaning.cleaned_end})
                self._end(cleaning)
        except (StorageError, MalformedRecordsError):
            self._uncleanable.add(cleaning.partition.at)
            self._end(cleaning)

    def _end(self, cleaning: Cleaning) -> None:
        self._cleaning = None
        cleaning.give_up()


def _may_go_on(cleaning: Cleaning, partitions: Iterable[Cleanable]) -> bool:
    """COMP-11."""
    is_held = any(partition is cleaning.partition for partition in partitions)
    return is_held and not cleaning.is_obsolete


def assess(partition: Cleanable, cleaned: OffsetCheckpoint, now_ms: int) -> Candidate:
    log = partition.log
    start = cleaned.get(partition.at)
    if not log.log_start_offset <= start <= log.log_end_offset:
        start = log.log_start_offset
    closed = [s for s in _from(log, start) if s is not log.segments[-1]]
    limits = [partition.last_stable_offset, log.segments[-1].base_offset]  # COMP-03
    limits += [s.base_offset for s in closed if _is_young(s, log.config, now_ms)][:1]
    end = _from(log, max(start, min(limits)))[0].base_offset
    dirty = [s for s in closed if s.base_offset < end]
    return Candidate(
        partition,
        range(start, max(start, end)),
        dirty_bytes=sum(s.size for s in dirty),
        clean_bytes=sum(s.size for s in log.segments if s.base_offset < start and s not in dirty),
        is_overdue=any(_is_overdue(s, log.config, now_ms) for s in closed),
    )


def _from(log: Log, offset: int) -> list[Segment]:
    """The segment that holds the offset, and those behind it."""
    return log.segments[log.segment_of(offset) :]


def _is_young(segment: Segment, config: TopicConfig, now_ms: int) -> bool:
    """COMP-04."""
    lag_ms = config.min_compaction_lag_ms
    return lag_ms > 0 and segment.youngest_ms > now_ms - lag_ms


def _is_overdue(segment: Segment, config: TopicConfig, now_ms: int) -> bool:
    return 0 < segment.first_timestamp < now_ms - config.max_compaction_lag_ms
