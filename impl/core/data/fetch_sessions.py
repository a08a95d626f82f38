"""Fetch sessions (KIP-227): a reader names its partitions once, and hears only of those with news.

WIRE-10, WIRE-11, TOPC-10. A session is memory of one reader: what it asked for and what it was
told. Who gets none, because there are too many, is served in full each time. What a partition
holds is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from uuid import UUID

from impl.core.cluster.topics import TopicPartition, TopicReference
from impl.core.data.messages import Fetch, Fetched, FetchedPartition, FetchPartition
from impl.core.data.partition import Partition
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

NO_SESSION = 0
INITIAL_EPOCH, FINAL_EPOCH = 0, -1
EVICTION_MS = 120_000
_INT_MAX = 2**31 - 1

Key = tuple[TopicReference, int]


class Told(NamedTuple):
    high_watermark: int
    log_start_offset: int


class QuietRead(NamedTuple):
    """A read that found nothing, and would again as long as the partition stays as it was."""

    asked: FetchPartition
    isolation_level: int
    partition: Partition
    revision: int
    read: FetchedPartition

    def holds(self, asked: FetchPartition, isolation_level: int, partition: Partition) -> bool:
        return (
            self.asked is asked
            and self.partition is partition
            and self.revision == partition.revision
            and self.isolation_level == isolation_level
        )


@dataclass(slots=True)
class Session:
    session_id: int
    uses_topic_ids: bool
    last_used_ms: int
    next_epoch: int = INITIAL_EPOCH + 1
    partitions: dict[Key, FetchPartition] = field(default_factory=dict)
    told: dict[Key, Told] = field(default_factory=dict)
    names: dict[Key, TopicPartition] = field(default_factory=dict)
    """What each partition was when it was last read."""
    quiet: dict[Key, QuietRead] = field(default_factory=dict)

    def update(self, request: Fetch) -> None:
        for asked in request.partitions:
            self.partitions[asked.topic, asked.partition] = asked
        for key in request.forgotten:
            self.partitions.pop(key, None)
            self.told.pop(key, None)
            self.names.pop(key, None)
            self.quiet.pop(key, None)

    def news(self, fetched: Fetched) -> tuple[FetchedPartition, ...]:
        """What the reader does not know yet. Who got records goes to the end of the line."""
        news = []
        for each in fetched.partitions:
            key = each.topic, each.partition
            told = Told(each.high_watermark, each.log_start_offset)
            changed = self.told.get(key) != told
            if changed or each.records or each.error or each.diverging_epoch is not None:
                news.append(each)
            self.told[key] = told
            if each.records and key in self.partitions:
                self.partitions[key] = self.partitions.pop(key)
        return tuple(news)


class FetchSessions:
    def __init__(self, slots: int, new_id: Callable[[], UUID]) -> None:
        self._slots = slots
        self._new_id = new_id
        self._sessions: dict[int, Session] = {}

    def begin(self, request: Fetch, now_ms: int) -> tuple[Fetch, Session | None]:
        """The request in full, and the session that it belongs to. Raises KafkaError."""
        if request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._sessions.pop(request.session_id, None)
            if request.session_epoch == FINAL_EPOCH or not request.partitions:
                return request, None
            return request, self._open(request, now_ms)
        session = self._sessions.get(request.session_id)
        if session is None:
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.uses_topic_ids != request.uses_topic_ids:
            raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        if session.next_epoch != request.session_epoch:
            raise KafkaError(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        session.next_epoch = session.next_epoch % _INT_MAX + 1
        session.last_used_ms = now_ms
        session.update(request)
        if not session.partitions:
            del self._sessions[session.session_id]
            return replace(request, partitions=()), None
        return replace(request, partitions=tuple(session.partitions.values())), session

    def _open(self, request: Fetch, now_ms: int) -> Session | None:
        if len(self._sessions) >= self._slots and not self._evict(now_ms):
            return None
        while (session_id := self._new_id().int >> 64 & _INT_MAX) in (NO_SESSION, *self._sessions):
            pass
        session = Session(session_id, request.uses_topic_ids, now_ms)
        session.update(request)
        self._sessions[session_id] = session
        return session

    def _evict(self, now_ms: int) -> bool:
        """Make room where a reader was silent for long; says whether there is room."""
        silent = min(self._sessions.values(), key=lambda s: s.last_used_ms, default=None)
        if silent is None or now_ms - silent.last_used_ms <= EVICTION_MS:
            return False
        del self._sessions[silent.session_id]
        return True


def answer(request: Fetch, session: Session | None, fetched: Fetched) -> Fetched:
    """What of the result the reader is told."""
    if session is None:
        return fetched
    news = session.news(fetched)
    is_full = request.session_epoch == INITIAL_EPOCH
    partitions = fetched.partitions if is_full else news
    return Fetched(partitions, session_id=session.session_id, endpoints=fetched.endpoints)
