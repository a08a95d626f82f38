"""Fetch: read each partition, and wait for more when there is less than the reader wants.

ELEC-14, STOR-12, STOR-13, WIRE-12. Which partitions a request means, and which of them are news to
the reader, is decided by `fetch_sessions`; what a follower's fetch tells its leader by
`leadership`. A partition at whose end the reader is, and where nothing happened since it was told
so, is not read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from impl.core.cluster.topics import TopicPartition
from impl.core.data import reading
from impl.core.data.fetch_sessions import FetchSessions, Key, QuietRead, Session, answer
from impl.core.data.messages import (
    NO_REPLICA,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
)
from impl.core.data.partitions import ERRORS_THAT_NAME_THE_LEADER, Partitions
from impl.core.events import Call, Output, Reply
from impl.core.log.batch import ZSTD, read_header
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from spec.wire.errors import ErrorCode


@dataclass(slots=True)
class ParkedFetch:
    request: Fetch
    session: Session | None
    quiet: dict[Key, QuietRead]
    watched: tuple[TopicPartition, ...]
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
        quiet: dict[Key, QuietRead] = {} if session is None else session.quiet
        fetched = self._read(request, session, quiet, now_ms)
        if _is_enough(request, fetched) or request.max_wait_ms <= 0:
            return [Reply(call, answer(request, session, fetched))]
        self._park(call, request, session, quiet, now_ms)
        return []

    def _read(
        self,
        request: Fetch,
        session: Session | None,
        quiet: dict[Key, QuietRead],
        arrived_ms: int | None = None,
    ) -> Fetched:
        """With the time of arrival what a follower asks tells also where it is."""
        budget = request.max_bytes
        if request.replica_id <= NO_REPLICA:
            budget = min(budget, self._fetch_max_bytes)
        at_least_one = True
        answers = []
        for asked in request.partitions:
            read = self._read_partition(
                request, asked, quiet, budget, at_least_one=at_least_one, arrived_ms=arrived_ms
            )
            if session is not None:
                read = self._in_session(session, asked, read)
            answers.append(read)
            budget -= len(read.records)
            at_least_one = at_least_one and not read.records
        leaders = [read.current_leader for read in answers if read.error]
        return Fetched(tuple(answers), endpoints=self._partitions.endpoints(leaders))

    def _read_partition(
        self,
        request: Fetch,
        asked: FetchPartition,
        quiet: dict[Key, QuietRead],
        budget: int,
        *,
        at_least_one: bool,
        arrived_ms: int | None,
    ) -> FetchedPartition:
        key = asked.topic, asked.partition
        try:
            partition = self._partitions.find(asked.topic, asked.partition)
            if arrived_ms is not None and request.replica_id > NO_REPLICA:
                reading.note_fetch(partition, asked, request, arrived_ms)
            known = quiet.get(key)
            if known is not None and known.holds(asked, request.isolation_level, partition):
                return known.read
            read = reading.read(partition, asked, request, budget, at_least_one=at_least_one)
        except KafkaError as refused:
            return self._failed(asked, refused.error)
        except StorageError:
            return self._failed(asked, ErrorCode.KAFKA_STORAGE_ERROR)
        if not request.may_use_zstd and _has_zstd(read):  # RECB-13
            return self._failed(asked, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        if _is_quiet(read) and asked.fetch_offset >= reading.end_for(partition, request):
            quiet[key] = QuietRead(
                asked, request.isolation_level, partition, partition.revision, read
            )
        return read

    def _failed(self, asked: FetchPartition, error: ErrorCode) -> FetchedPartition:
        leader = None
        if error in ERRORS_THAT_NAME_THE_LEADER:  # ELEC-14
            leader = self._partitions.leader_of(asked.topic, asked.partition)
        return FetchedPartition(asked.topic, asked.partition, error, current_leader=leader)

    def _in_session(
        self, session: Session, asked: FetchPartition, read: FetchedPartition
    ) -> FetchedPartition:
        """TOPC-10: an id that is unknown now, of a name that has another id, is told apart."""
        key = asked.topic, asked.partition
        if not read.error and key not in session.names:
            session.names[key] = self._partitions.find(*key).at
        elif read.error is ErrorCode.UNKNOWN_TOPIC_ID and key in session.names:
            with suppress(KafkaError):
                self._partitions.find(*session.names[key])
                return replace(read, error=ErrorCode.INCONSISTENT_TOPIC_ID)
        return read

    # Waiting

    def _park(
        self,
        call: Call,
        request: Fetch,
        session: Session | None,
        quiet: dict[Key, QuietRead],
        now_ms: int,
    ) -> None:
        watched = tuple(
            self._partitions.find(asked.topic, asked.partition).at for asked in request.partitions
        )
        deadline_ms = now_ms + request.max_wait_ms
        self._parked[call] = ParkedFetch(request, session, quiet, watched, deadline_ms)
        for at in watched:
            self._watched.setdefault(at, set()).add(call)

    def _unpark(self, call: Call) -> None:
        for at in self._parked.pop(call).watched:
            if (calls := self._watched.get(at)) is not None:
                calls.discard(call)
                if not calls:
                    del self._watched[at]

    def changed(self, partitions: Iterable[TopicPartition]) -> list[Output]:
        """Look again at the requests that wait for one of these partitions."""
        concerned = {call for at in partitions for call in self._watched.get(at, ())}
        outputs: list[Output] = []
        for call in sorted(concerned):
            parked = self._parked[call]
            fetched = self._read(parked.request, parked.session, parked.quiet)
            if _is_enough(parked.request, fetched):
                outputs.append(self._reply(call, parked, fetched))
        return outputs

    def release(self, now_ms: int) -> list[Output]:
        """WIRE-12: answer those that waited long enough with what there is."""
        due = [(call, p) for call, p in self._parked.items() if p.deadline_ms <= now_ms]
        return [
            self._reply(call, parked, self._read(parked.request, parked.session, parked.quiet))
            for call, parked in due
        ]

    def _reply(self, call: Call, parked: ParkedFetch, fetched: Fetched) -> Reply:
        self._unpark(call)
        return Reply(call, answer(parked.request, parked.session, fetched))

    def next_deadline_ms(self) -> int | None:
        return min((parked.deadline_ms for parked in self._parked.values()), default=None)

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._parked if c.connection_id == connection_id]:
            self._unpark(call)


def _is_enough(request: Fetch, fetched: Fetched) -> bool:
    """Bytes enough, or news that should not wait."""
    if not request.partitions:
        return True
    if any(p.error or p.diverging_epoch for p in fetched.partitions):
        return True
    return sum(len(p.records) for p in fetched.partitions) >= request.min_bytes


def _is_quiet(read: FetchedPartition) -> bool:
    return not read.records and not read.error and read.diverging_epoch is None


def _has_zstd(read: FetchedPartition) -> bool:
    position = 0
    while position < len(read.records):
        header = read_header(read.records, position)
        if header.compression == ZSTD:
            return True
        position += header.size
    return False
