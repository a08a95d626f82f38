"""How this broker's followers get at the records of their leaders.

ELEC-09, REPL-11 to REPL-13. One fetcher for each broker that leads something, with one request on
its way at a time and all partitions in it; a session keeps those without news out of it. Decides
what is asked, and what an answer means for the replica's log: append, cut where the leader's
history parts from the own one, begin anew where the leader has deleted what comes next. What is
asked is decided anew with each answer, from the log itself. Who leads is told by the metadata log;
until a leader agrees, in the same epoch, nothing that it says counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.standing import NO_BROKER_EPOCH, Standing
from impl.core.cluster.topics import TopicPartition
from impl.core.data.changes import take
from impl.core.data.config import ReplicationConfig
from impl.core.data.follower_session import FollowerSession, Key
from impl.core.data.messages import (
    EARLIEST,
    LATEST,
    Fetch,
    Fetched,
    FetchedPartition,
    FetchPartition,
    ListedOffset,
    ListedOffsets,
    ListOffsets,
    PartitionTimestamp,
)
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.data.truncation import cut_offset
from impl.core.events import Output, Send
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from spec.wire.errors import ErrorCode

LANE = "fetch"


@dataclass(slots=True)
class Followed:
    """`lost`: the bound of the leader's log to ask for, since the leader lacks what comes next."""

    partition: Partition
    leader_epoch: int
    not_before_ms: int
    lost: int | None = None

    @property
    def key(self) -> Key:
        return self.partition.topic_id, self.partition.at.partition


@dataclass(slots=True)
class Fetcher:
    leader: int
    followed: dict[TopicPartition, Followed] = field(default_factory=dict)
    """In the order in which the leader is to serve them."""
    by_key: dict[Key, TopicPartition] = field(default_factory=dict)
    unsaid: set[TopicPartition] = field(default_factory=set)
    """What the leader was told of these, if anything, is not what is to be asked now."""
    gone: dict[Key, None] = field(default_factory=dict)
    session: FollowerSession = field(default_factory=FollowerSession)
    sent: Send | None = None
    not_before_ms: int = 0

    def add(self, followed: Followed) -> None:
        at = followed.partition.at
        self.followed[at], self.by_key[followed.key] = followed, at
        self.unsaid.add(at)

    def remove(self, at: TopicPartition) -> None:
        if (followed := self.followed.pop(at, None)) is not None:
            del self.by_key[followed.key]
            self.unsaid.discard(at)
            self.gone[followed.key] = None


class Following:
    def __init__(
        self,
        partitions: Partitions,
        catalogue: Catalogue,
        standing: Standing,
        config: ReplicationConfig,
    ) -> None:
        self._partitions = partitions
        self._catalogue = catalogue
        self._standing = standing
        self._config = config
        self._fetchers: dict[int, Fetcher] = {}
        self._fetcher_of: dict[TopicPartition, Fetcher] = {}

    # Whom to follow

    def tick(self, now_ms: int) -> list[Output]:
        for at in take(self._partitions.changes.reassigned):
            self._reassign(at, now_ms)
        outputs: list[Output] = []
        for fetcher in self._fetchers.values():
            outputs += self._ask(fetcher, now_ms)
        return outputs

    def next_deadline_ms(self) -> int | None:
        if self._standing.broker_epoch == NO_BROKER_EPOCH:
            return None
        if self._partitions.changes.reassigned:
            return 0
        deadlines = [_deadline_ms(f) for f in self._fetchers.values() if f.sent is None]
        return min((d for d in deadlines if d is not None), default=None)

    def _reassign(self, at: TopicPartition, now_ms: int) -> None:
        if (former := self._fetcher_of.pop(at, None)) is not None:
            former.remove(at)
            if not former.followed:
                del self._fetchers[former.leader]
        partition = self._partitions.get(at)
        if partition is None or partition.is_leader or partition.leader < 0:
            return
        fetcher = self._fetchers.setdefault(partition.leader, Fetcher(partition.leader))
        fetcher.add(Followed(partition, partition.leader_epoch, now_ms))
        self._fetcher_of[at] = fetcher

    # Asking

    def _ask(self, fetcher: Fetcher, now_ms: int) -> list[Output]:
        if fetcher.sent is not None or self._standing.broker_epoch == NO_BROKER_EPOCH:
            return []
        deadline_ms = _deadline_ms(fetcher)
        if deadline_ms is None or deadline_ms > now_ms:
            return []
        leader = self._catalogue.brokers.get(fetcher.leader)
        if leader is None:
            fetcher.not_before_ms = now_ms + self._config.replica_fetch_backoff_ms
            return []
        request = self._next_bounds(fetcher, now_ms) or self._next_fetch(fetcher, now_ms)
        timeout_ms = self._config.replica_socket_timeout_ms
        fetcher.sent = Send(leader.endpoint, LANE, request, timeout_ms)
        return [fetcher.sent]

    def _next_fetch(self, fetcher: Fetcher, now_ms: int) -> Fetch:
        changed: dict[Key, FetchPartition | None] = dict(fetcher.gone)
        for at in sorted(fetcher.unsaid):
            followed = fetcher.followed[at]
            if followed.not_before_ms <= now_ms:
                changed[followed.key] = self._position(followed)
                fetcher.unsaid.discard(at)
            elif followed.key in fetcher.session.told:
                changed[followed.key] = None
        fetcher.gone.clear()
        session_id, session_epoch, asked, forgotten = fetcher.session.increment(changed)
        return Fetch(
            max_wait_ms=self._config.replica_fetch_wait_max_ms,
            min_bytes=self._config.replica_fetch_min_bytes,
            max_bytes=self._config.replica_fetch_response_max_bytes,
            partitions=asked,
            forgotten=forgotten,
            session_id=session_id,
            session_epoch=session_epoch,
            replica_id=self._standing.node_id,
            replica_epoch=self._standing.broker_epoch,
            uses_topic_ids=True,
        )

    def _position(self, followed: Followed) -> FetchPartition:
        log = followed.partition.log
        return FetchPartition(
            *followed.key,
            log.log_end_offset,
            self._config.replica_fetch_max_bytes,
            followed.leader_epoch,
            log.epochs.latest,
            log_start_offset=log.log_start_offset,
        )

    def _next_bounds(self, fetcher: Fetcher, now_ms: int) -> ListOffsets | None:
        """Where the leader's log ends, or begins, for those whose next offset it lacks."""
        asked = tuple(
            PartitionTimestamp(*at, followed.lost, followed.leader_epoch)
            for at, followed in fetcher.followed.items()
            if followed.lost is not None and followed.not_before_ms <= now_ms
        )
        return ListOffsets(asked, replica_id=self._standing.node_id) if asked else None

    # Hearing

    def answered(
        self, sent: Send, answer: Fetched | ListedOffsets | None, now_ms: int
    ) -> list[Output]:
        """Take what the leader said, and ask on."""
        fetcher = self._fetchers.get(sent.to.node_id)
        if fetcher is None or fetcher.sent is not sent:
            return []
        fetcher.sent = None
        if isinstance(sent.request, Fetch):
            assert not isinstance(answer, ListedOffsets)
            self._fetched(fetcher, answer, now_ms)
        elif isinstance(answer, ListedOffsets):
            for listed in answer.partitions:
                self._listed(fetcher, listed, now_ms)
        else:
            fetcher.not_before_ms = now_ms + self._config.replica_fetch_backoff_ms
        return self.tick(now_ms)

    def _fetched(self, fetcher: Fetcher, answer: Fetched | None, now_ms: int) -> None:
        fetcher.session.answered(answer)
        if answer is None:
            fetcher.not_before_ms = now_ms + self._config.replica_fetch_backoff_ms
            return
        for fetched in answer.partitions:
            key = fetched.topic, fetched.partition
            asked, at = fetcher.session.told.get(key), fetcher.by_key.get(key)
            if asked is None or at is None:
                continue
            followed = fetcher.followed[at]
            if _is_about(asked, followed):
                self._digest(followed, fetched, now_ms)
            if fetched.error or asked != self._position(followed):
                fetcher.unsaid.add(at)
            if fetched.records:  # the others are served first next time
                fetcher.followed[at] = fetcher.followed.pop(at)

    def _digest(self, followed: Followed, fetched: FetchedPartition, now_ms: int) -> None:
        partition = followed.partition
        try:
            if fetched.error is ErrorCode.OFFSET_OUT_OF_RANGE:
                followed.lost = LATEST
            elif fetched.error:
                raise KafkaError(fetched.error)
            elif fetched.diverging_epoch is not None:  # REPL-12
                partition.truncate_to(cut_offset(partition.log, fetched.diverging_epoch))
            else:
                self._append(partition, fetched, now_ms)
        except (KafkaError, StorageError):
            followed.not_before_ms = now_ms + self._config.replica_fetch_backoff_ms

    def _append(self, partition: Partition, fetched: FetchedPartition, now_ms: int) -> None:
        partition.append_fetched(fetched.records, now_ms)
        if partition.take_over(fetched.high_watermark, fetched.log_start_offset):
            self._partitions.log_start_moved(partition)

    def _listed(self, fetcher: Fetcher, listed: ListedOffset, now_ms: int) -> None:
        followed = fetcher.followed.get(TopicPartition(listed.topic, listed.partition))
        if followed is None or followed.lost is None:
            return
        if listed.error:
            followed.not_before_ms = now_ms + self._config.replica_fetch_backoff_ms
            return
        partition = followed.partition
        fetcher.unsaid.add(partition.at)
        end_offset = partition.log.log_end_offset
        if followed.lost == LATEST and listed.offset >= end_offset:
            followed.lost = EARLIEST
            return
        if followed.lost == LATEST:
            partition.truncate_to(listed.offset)
        elif listed.offset > end_offset:
            partition.truncate_fully_and_start_at(listed.offset)
            self._partitions.log_start_moved(partition)
        followed.lost = None


def _is_about(asked: FetchPartition, followed: Followed) -> bool:
    """What was asked before the log or the epoch changed tells nothing about it now."""
    log_end_offset = followed.partition.log.log_end_offset
    return (asked.fetch_offset, asked.current_leader_epoch) == (
        log_end_offset,
        followed.leader_epoch,
    )


def _deadline_ms(fetcher: Fetcher) -> int | None:
    """When there is something to ask for."""
    first_ms = min((f.not_before_ms for f in fetcher.followed.values()), default=None)
    return None if first_ms is None else max(first_ms, fetcher.not_before_ms)
