"""Records that wait to be sent, gathered into batches: `batch.size`, `linger.ms`, `buffer.memory`.

A batch is ready when it is full, when it waited for `linger.ms`, or when somebody flushes. Batches
of one partition leave in the order in which they were begun, one at a time, which keeps records in
order through every retry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from impl.clients.core.batches import Identity, NewRecord

BATCH_OVERHEAD = 61


class Target(NamedTuple):
    topic: str
    partition: int


@dataclass(slots=True, eq=False)
class Batch:
    target: Target
    created_ms: int
    records: list[NewRecord] = field(default_factory=list)
    handles: list[Any] = field(default_factory=list)
    size: int = BATCH_OVERHEAD
    is_closed: bool = False
    sequence: int | None = None
    identity: Identity = field(default_factory=Identity)
    """Both are set when it is first sent: a repetition must carry the same (PROD-03)."""
    attempts: int = 0
    retry_at_ms: int = 0


class Accumulator:
    def __init__(self, batch_size: int, linger_ms: int, memory: int) -> None:
        self._batch_size = batch_size
        self._linger_ms = linger_ms
        self._memory = memory
        self._used = 0
        self._queues: dict[Target, deque[Batch]] = {}
        self._in_flight: set[Target] = set()
        self._is_flushing = False

    @property
    def is_empty(self) -> bool:
        return not self._queues

    def has_room(self, size: int) -> bool:
        return self._used + size <= self._memory or self._used == 0

    def hold(self, record: NewRecord) -> None:
        """Memory for a record of which nobody knows yet where it belongs."""
        self._used += record.size_estimate

    def release(self, record: NewRecord) -> None:
        self._used -= record.size_estimate

    def add(self, target: Target, record: NewRecord, handle: Any, now_ms: int) -> bool:
        """Says whether that filled a batch."""
        queue = self._queues.setdefault(target, deque())
        size, filled = record.size_estimate, False
        if queue and not queue[-1].is_closed and queue[-1].size + size > self._batch_size:
            queue[-1].is_closed = filled = True
        if not queue or queue[-1].is_closed:
            queue.append(Batch(target, now_ms))
        batch = queue[-1]
        batch.records.append(record)
        batch.handles.append(handle)
        batch.size += size
        self._used += size
        if batch.size >= self._batch_size:
            batch.is_closed = filled = True
        return filled

    def flush(self) -> None:
        """Whatever is here now shall not linger."""
        for queue in self._queues.values():
            queue[-1].is_closed = True

    # Sending

    def _is_ready(self, batch: Batch, now_ms: int) -> bool:
        if now_ms < batch.retry_at_ms:
            return False
        return (
            batch.is_closed
            or now_ms >= batch.created_ms + self._linger_ms
            or self._used >= self._memory
        )

    def ready(self, now_ms: int) -> list[Batch]:
        """The first batch of each partition that may be sent now."""
        return [
            queue[0]
            for target, queue in self._queues.items()
            if target not in self._in_flight and self._is_ready(queue[0], now_ms)
        ]

    def next_deadline_ms(self, may_send: Callable[[Batch], bool]) -> int | None:
        waits = [
            max(queue[0].retry_at_ms, queue[0].created_ms + self._linger_ms)
            if not queue[0].is_closed
            else queue[0].retry_at_ms
            for target, queue in self._queues.items()
            if target not in self._in_flight and may_send(queue[0])
        ]
        return min(waits, default=None)

    def sent(self, batch: Batch) -> None:
        batch.is_closed = True
        batch.attempts += 1
        self._in_flight.add(batch.target)

    def failed(self, batch: Batch, retry_at_ms: int) -> None:
        """It stays first in line."""
        batch.retry_at_ms = retry_at_ms
        self._in_flight.discard(batch.target)

    def finish(self, batch: Batch) -> None:
        """It is acknowledged, or given up."""
        self._in_flight.discard(batch.target)
        queue = self._queues[batch.target]
        queue.remove(batch)
        self._used -= batch.size - BATCH_OVERHEAD
        if not queue:
            del self._queues[batch.target]

    def batches(self) -> list[Batch]:
        return [batch for queue in self._queues.values() for batch in queue]
