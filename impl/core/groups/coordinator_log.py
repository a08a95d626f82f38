"""What of the coordinator's log is written, what is committed, and who waits for it to be.

A record is written once the append returned, and then counts for the coordinator's own decisions;
it is committed once it survives the loss of this broker, and only then may a client hear of it.
Which replicas that takes is decided by the partition that holds the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from impl.core.groups.deadlines import CommitDeadline, Deadlines
from impl.core.groups.messages import ProducerIdentity
from impl.core.groups.records import CoordinatorRecord
from spec.wire.errors import ErrorCode

# Appends records to a partition of `__consumer_offsets`, as part of the producer's transaction if
# there is one; returns the log end offset after them, or raises AppendError and has written none
# of them.
Append: TypeAlias = Callable[[int, Sequence[CoordinatorRecord], ProducerIdentity | None], int]

# Called once: with NONE when the records are committed, or with the reason why the client cannot
# know.
Continuation: TypeAlias = Callable[[ErrorCode], None]

_CLIENT_ERRORS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.REQUEST_TIMED_OUT: ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_LEADER_OR_FOLLOWER: ErrorCode.NOT_COORDINATOR,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_COORDINATOR,
    ErrorCode.KAFKA_STORAGE_ERROR: ErrorCode.NOT_COORDINATOR,
    ErrorCode.MESSAGE_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
    ErrorCode.RECORD_LIST_TOO_LARGE: ErrorCode.UNKNOWN_SERVER_ERROR,
}


class AppendError(Exception):
    """The partition refused an append; `error` is what a client of the group is told."""

    def __init__(self, error: ErrorCode) -> None:
        super().__init__(error.name)
        self.error = _CLIENT_ERRORS.get(error, error)


def partition_of(group_id: str, num_partitions: int) -> int:
    """The partition that holds a group, by Java's String.hashCode.

    >>> partition_of("my-group", 50)
    12
    """
    units = group_id.encode("utf-16-be", "surrogatepass")
    value = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFF_FFFF
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return 0 if signed == -(1 << 31) else abs(signed) % num_partitions


@dataclass(frozen=True, slots=True)
class _Waiting:
    until: dict[int, int]
    then: Continuation


class CoordinatorLog:
    def __init__(
        self,
        append: Append,
        num_partitions: Callable[[], int],
        deadlines: Deadlines,
        commit_timeout_ms: int,
    ) -> None:
        self._append = append
        self._num_partitions = num_partitions
        self._deadlines = deadlines
        self._commit_timeout_ms = commit_timeout_ms
        self._written: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._tickets = 0

    def partition_of(self, group_id: str) -> int:
        return partition_of(group_id, self._num_partitions())

    def start(self, partition: int, log_end_offset: int, high_watermark: int) -> None:
        """Everything below the first offset was loaded, and below the second is committed."""
        self._written[partition] = log_end_offset
        self._committed[partition] = high_watermark

    def write(
        self,
        group_id: str,
        records: Sequence[CoordinatorRecord],
        producer: ProducerIdentity | None = None,
    ) -> int:
        """Append, and return the offset of the first record. Raises AppendError."""
        partition = self.partition_of(group_id)
        log_end_offset = self._append(partition, records, producer)
        self._written[partition] = log_end_offset
        return log_end_offset - len(records)

    def note_written(self, partition: int, log_end_offset: int) -> None:
        """Others wrote there as well, and that counts too."""
        self._written[partition] = max(log_end_offset, self._written.get(partition, 0))

    def when_committed(self, group_ids: Iterable[str], then: Continuation) -> None:
        """Go on when all that was written so far to the logs of these groups is committed."""
        until = {p: self._written.get(p, 0) for p in map(self.partition_of, group_ids)}
        waiting = _Waiting(until, then)
        if self._is_over(waiting):
            then(ErrorCode.NONE)
            return
        self._tickets += 1
        self._waiting[self._tickets] = waiting
        self._deadlines.set(CommitDeadline(self._tickets), self._commit_timeout_ms)

    def _is_over(self, waiting: _Waiting) -> bool:
        return all(self._committed.get(p, 0) >= offset for p, offset in waiting.until.items())

    def committed(self, partition: int, high_watermark: int) -> None:
        self._committed[partition] = max(high_watermark, self._committed.get(partition, 0))
        self._release([t for t, w in self._waiting.items() if self._is_over(w)], ErrorCode.NONE)

    def timed_out(self, deadline: CommitDeadline) -> None:
        error = _CLIENT_ERRORS[ErrorCode.REQUEST_TIMED_OUT]
        self._release([deadline.ticket], error)

    def stop(self, partition: int) -> None:
        """Another broker has the log now: who waits for it has to ask there."""
        self._written.pop(partition, None)
        self._committed.pop(partition, None)
        concerned = [t for t, w in self._waiting.items() if partition in w.until]
        self._release(concerned, ErrorCode.NOT_COORDINATOR)

    def _release(self, tickets: Iterable[int], error: ErrorCode) -> None:
        for ticket in tickets:
            waiting = self._waiting.pop(ticket, None)
            if waiting is not None:
                self._deadlines.cancel(CommitDeadline(ticket))
                waiting.then(error)
