"""Records for a consumer: asked of the leaders, kept until they are polled (STOR-12, TXNI-12,
TXNI-13).

Asks each leader for all partitions of which nothing is left here. Aborted records and markers are
left out, positions go on over them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask
from impl.clients.core.batches import Codecs, ReadBatch, whole_batches
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ConsumerConfig
from impl.clients.core.errors import RETRIABLE, ClientError
from impl.clients.core.subscription import Place, Subscription
from impl.core.log.batch import MalformedRecordsError, read_headers, read_records
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_FETCH = 12


class ConsumerRecord(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: Any
    value: Any
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(slots=True)
class _Fetched:
    target: Target
    records: Iterator[ConsumerRecord]
    end_offset: int


class Fetcher:
    def __init__(
        self,
        config: ConsumerConfig,
        codecs: Codecs,
        view: ClusterView,
        subscription: Subscription,
    ) -> None:
        self.error: ClientError | None = None
        self._config = config
        self._codecs = codecs
        self._view = view
        self._subscription = subscription
        self._read_committed = config.isolation_level == "read_committed"
        self._here: deque[_Fetched] = deque()
        self._in_flight: set[int] = set()
        self._not_before_ms: dict[Target, int] = {}

    # Asking

    def tick(self, now_ms: int) -> list[Ask]:
        by_leader: dict[int, dict[Target, Place]] = defaultdict(dict)
        buffered = {each.target for each in self._here}
        for target, place in self._subscription.places.items():
            if place.fetch_offset is None or place.is_asked or target in buffered:
                continue
            if now_ms < self._not_before_ms.get(target, 0):
                continue
            leader = self._view.leader(*target)
            if leader is None:
                self._view.doubt()
                self._not_before_ms[target] = now_ms + self._config.retry_backoff_ms
            elif leader not in self._in_flight:
                by_leader[leader][target] = place
        return [self._request(leader, places) for leader, places in by_leader.items()]

    def next_deadline_ms(self) -> int | None:
        buffered = {each.target for each in self._here}
        waits = [
            self._not_before_ms.get(target, 0)
            for target, place in self._subscription.places.items()
            if place.fetch_offset is not None
            and not place.is_asked
            and target not in buffered
            and self._view.leader(*target) not in self._in_flight
        ]
        return min(waits, default=None)

    def _request(self, leader: int, places: dict[Target, Place]) -> Ask:
        topics: dict[str, list[Struct]] = defaultdict(list)
        for target, place in places.items():
            place.is_asked = True
            topics[target.topic].append(
                Struct(
                    partition=target.partition,
                    fetch_offset=place.fetch_offset,
                    partition_max_bytes=self._config.max_partition_fetch_bytes,
                )
            )
        self._in_flight.add(leader)
        body = Struct(
            max_wait_ms=self._config.fetch_max_wait_ms,
            min_bytes=self._config.fetch_min_bytes,
            max_bytes=self._config.fetch_max_bytes,
            isolation_level=int(self._read_committed),
            topics=[Struct(topic=name, partitions=each) for name, each in topics.items()],
        )
        context = {target: place.fetch_offset for target, place in places.items()}
        timeout_ms = self._config.request_timeout_ms
        return Ask(leader, "Fetch", body, NEWEST_FETCH, timeout_ms, context)

    # Answers

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> bool:
        """Whether this was our question."""
        if ask.api_name != "Fetch":
            return False
        assert ask.node_id is not None
        self._in_flight.discard(ask.node_id)
        outcomes = {
            Target(topic.topic, each.partition_index): each
            for topic in ([] if body is None else body.responses)
            for each in topic.partitions
        }
        for target, offset in ask.context.items():
            place = self._subscription.places.get(target)
            if place is None or place.fetch_offset != offset:
                continue  # the consumer went elsewhere meanwhile
            place.is_asked = False
            outcome = outcomes.get(target)
            if outcome is None:
                self._retry(target, now_ms)
            else:
                self._take(target, place, outcome, now_ms)
        return True

    def _retry(self, target: Target, now_ms: int) -> None:
        self._view.doubt()
        self._not_before_ms[target] = now_ms + self._config.retry_backoff_ms

    def _take(self, target: Target, place: Place, outcome: Struct, now_ms: int) -> None:
        error = ErrorCode(outcome.error_code)
        if error is ErrorCode.OFFSET_OUT_OF_RANGE:
            place.position = place.fetch_offset = None
            place.must_reset = True
        elif error in RETRIABLE:
            self._retry(target, now_ms)
        elif error:
            self.error = ClientError(error, f"{target} cannot be read: {error.name}")
        elif outcome.records:
            self._keep(target, place, outcome)

    def _keep(self, target: Target, place: Place, outcome: Struct) -> None:
        assert place.fetch_offset is not None
        check = self._config.check_crcs
        try:
            batches = list(whole_batches(outcome.records, self._codecs, check_crcs=check))
        except MalformedRecordsError as problem:
            self.error = ClientError(ErrorCode.CORRUPT_MESSAGE, f"{target}: {problem}")
            return
        if not batches:
            return
        end_offset = max(batches[-1].header.next_offset, place.fetch_offset)
        aborted = deque(
            sorted((a.first_offset, a.producer_id) for a in outcome.aborted_transactions or ())
        )
        if not self._read_committed:
            aborted.clear()
        records = self._records(target, batches, aborted, place.fetch_offset)
        self._here.append(_Fetched(target, records, end_offset))

    def _records(
        self,
        target: Target,
        batches: list[ReadBatch],
        aborted: deque[tuple[int, int]],
        start: int,
    ) -> Iterator[ConsumerRecord]:
        """TXNI-13: from its first offset to its marker nothing of an aborted transaction."""
        aborting: set[int] = set()
        for header, payload in batches:
            while aborted and aborted[0][0] <= header.last_offset:
                aborting.add(aborted.popleft()[1])
            if header.is_control:
                aborting.discard(header.producer_id)
                continue
            if header.is_transactional and header.producer_id in aborting:
                continue
            for record in read_records(header, payload):
                offset = header.base_offset + record.offset_delta
                if offset >= start:
                    key = None if record.key is None else bytes(record.key)
                    value = None if record.value is None else bytes(record.value)
                    yield ConsumerRecord(
                        target.topic,
                        target.partition,
                        offset,
                        record.timestamp,
                        key,
                        value,
                        read_headers(record.headers),
                    )

    # Polling

    def take(self, most: int) -> list[ConsumerRecord]:
        """Up to so many records; positions move behind what is handed out."""
        taken: list[ConsumerRecord] = []
        while self._here and len(taken) < most:
            fetched = self._here[0]
            place = self._subscription.places.get(fetched.target)
            if (
                place is None
                or place.fetch_offset is None
                or place.fetch_offset > fetched.end_offset
            ):
                self._here.popleft()
                continue
            self._take_from(fetched, place, taken, most)
        return taken

    def _take_from(
        self, fetched: _Fetched, place: Place, taken: list[ConsumerRecord], most: int
    ) -> None:
        for record in fetched.records:
            taken.append(record)
            place.position = place.fetch_offset = record.offset + 1
            if len(taken) == most:
                return
        place.position = place.fetch_offset = fetched.end_offset
        self._here.popleft()

    @property
    def has_records(self) -> bool:
        return bool(self._here)

    def forget(self, target: Target) -> None:
        """The consumer goes on elsewhere in this partition."""
        self._here = deque(each for each in self._here if each.target != target)

    def drop(self) -> None:
        """Partitions came or went: what is here may not be the consumer's any more."""
        places = self._subscription.places
        self._here = deque(each for each in self._here if each.target in places)
