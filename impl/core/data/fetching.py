"""Fetch: read each partition, and wait for more when there is less than the reader wants.

STOR-12, STOR-13, WIRE-12. Which partitions a request means, and which of them are news to the
reader, is decided by `fetch_sessions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from impl.core.cluster.topics import TopicPartition
from impl.core.data.fetch_sessions import FetchSessions, Session, answer
from impl.core.data.messages import (
    NO_REPLICA,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
)
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply
from impl.core.log.batch import ZSTD, read_header
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from spec.wire.errors import ErrorCode


@dataclass(slots=True)
class ParkedFetch:
    request: Fetch
    session: Session | None
    deadline_ms: int


class Fetching:
    def __init__(
        self, partitions: Partitions, sessions: FetchSessions, fetch_max_bytes: int
    ) -> None:
        self._partitions = partitions
        self._sessions = sessions
        self._fetch_max_bytes = fetch_max_bytes
        self._parked: dict[Call, ParkedFetch] = {}
        self._watched: dict[TopicPartition, set[Call]] = {}

    def handle(self, call: Call, request: Fetch, now_ms: int) -> list[Output]:
        try:
            request, session = self._sessions.begin(request, now_ms)
        except KafkaError as refused:
            return [Reply(call, Fetched(error=refused.error))]
        fetched = self._read(request, session)
        if _is_enough(request, fetched) or request.max_wait_ms <= 0:
            return [Reply(call, answer(request, session, fetched))]
        self._park(call, ParkedFetch(request, session, now_ms + request.max_wait_ms))
        return []

    def _read(self, request: Fetch, session: Session | None) -> Fetched:
        budget = min(request.max_bytes, self._fetch_max_bytes)
        at_least_one = True
        answers = []
        for asked in request.partitions:
            read = self._read_partition(request, asked, budget, at_least_one=at_least_one)
            if session is not None:
                read = self._in_session(session, asked, read)
            answers.append(read)
            budget -= len(read.records)
            at_least_one = at_least_one and not read.records
        return Fetched(tuple(answers))

    def _read_partition(
        self, request: Fetch, asked: FetchPartition, budget: int, *, at_least_one: bool
    ) -> FetchedPartition:
        try:
            partition = self._partitions.find(asked.topic, asked.partition)
            if request.replica_id > NO_REPLICA:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER, "No such replica.")
            read = partition.read(
                asked, budget, request.isolation_level, at_least_one=at_least_one
            )
        except KafkaError as refused:
            return FetchedPartition(asked.topic, asked.partition, refused.error)
        except StorageError:
            error = ErrorCode.KAFKA_STORAGE_ERROR
            return FetchedPartition(asked.topic, asked.partition, error)
        if not request.may_use_zstd and _has_zstd(read):  # RECB-13
            error = ErrorCode.UNSUPPORTED_COMPRESSION_TYPE
            return FetchedPartition(asked.topic, asked.partition, error)
        return read

    def _in_session(
        self, session: Session, asked: FetchPartition, read: FetchedPartition
    ) -> FetchedPartition:
        """TOPC-10: an id that is unknown now, of a name that has another id, is told apart."""
        key = asked.topic, asked.partition
        if not read.error:
            session.names[key] = self._partitions.find(*key).at
        elif read.error is ErrorCode.UNKNOWN_TOPIC_ID and key in session.names:
            with suppress(KafkaError):
                self._partitions.find(*session.names[key])
                return replace(read, error=ErrorCode.INCONSISTENT_TOPIC_ID)
        return read

    # Waiting

    def _park(self, call: Call, parked: ParkedFetch) -> None:
        self._parked[call] = parked
        for at in self._watched_by(parked.request):
            self._watched.setdefault(at, set()).add(call)

    def _watched_by(self, request: Fetch) -> Iterable[TopicPartition]:
        for asked in request.partitions:
            yield self._partitions.find(asked.topic, asked.partition).at

    def _unpark(self, call: Call) -> ParkedFetch | None:
        parked = self._parked.pop(call, None)
        if parked is not None:
            for at in [at for at, calls in self._watched.items() if call in calls]:
                self._watched[at].discard(call)
                if not self._watched[at]:
                    del self._watched[at]
        return parked

    def changed(self, partitions: Iterable[TopicPartition]) -> list[Output]:
        """Look again at the requests that wait for one of these partitions."""
        concerned = {call for at in partitions for call in self._watched.get(at, ())}
        outputs: list[Output] = []
        for call in sorted(concerned):
            parked = self._parked[call]
            fetched = self._read(parked.request, parked.session)
            if _is_enough(parked.request, fetched):
                self._unpark(call)
                outputs.append(Reply(call, answer(parked.request, parked.session, fetched)))
        return outputs

    def release(self, now_ms: int) -> list[Output]:
        """WIRE-12: answer those that waited long enough with what there is."""
        outputs: list[Output] = []
        for call in [c for c, p in self._parked.items() if p.deadline_ms <= now_ms]:
            parked = self._unpark(call)
            if parked is not None:
                fetched = self._read(parked.request, parked.session)
                outputs.append(Reply(call, answer(parked.request, parked.session, fetched)))
        return outputs

    def next_deadline_ms(self) -> int | None:
        return min((parked.deadline_ms for parked in self._parked.values()), default=None)

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._parked if c.connection_id == connection_id]:
            self._unpark(call)


def _is_enough(request: Fetch, fetched: Fetched) -> bool:
    """Bytes enough, or news that should not wait."""
    if not fetched.partitions:
        return True
    if any(p.error or p.diverging_epoch for p in fetched.partitions):
        return True
    return sum(len(p.records) for p in fetched.partitions) >= request.min_bytes


def _has_zstd(read: FetchedPartition) -> bool:
    position = 0
    while position < len(read.records):
        header = read_header(read.records, position)
        if header.compression == ZSTD:
            return True
        position += header.size
    return False
