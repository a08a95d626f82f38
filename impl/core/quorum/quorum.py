"""The quorum as its node sees it: routes what is asked and answered, and carries out the time.

What the rest of a node relies on: `leader`, `append`, `take_committed`. A damaged disk of the
metadata log cannot be worked around, so its StorageError goes through to whoever calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from impl.core.cluster.messages import DescribedCluster, Endpoint
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.data.messages import Fetch, Fetched
from impl.core.events import Call, Output, Reply, Send
from impl.core.log.log import Platform
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.electing import Electing
from impl.core.quorum.following import Following
from impl.core.quorum.leading import Leading
from impl.core.quorum.messages import (
    METADATA_PARTITION,
    NO_LEADER,
    BeginQuorumEpoch,
    DescribeControllers,
    DescribeQuorum,
    EndQuorumEpoch,
    EpochAnswer,
    Vote,
)
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.quorum.parked import ParkedFetches, says_something
from impl.core.quorum.peers import FETCH_LANE, VOTES_LANE, Peers
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import Follower, Leader, Unattached, first_deadline
from spec.wire.errors import ErrorCode


class Quorum:
    def __init__(
        self,
        platform: Platform,
        log: MetadataLog,
        config: QuorumConfig,
        node_id: int,
        cluster_id: str,
        voters: Mapping[int, Endpoint],
        now_ms: int,
    ) -> None:
        """Come back with what is on disk. The only voter leads at once. Raises StorageError."""
        self._log = log
        self._endpoints = dict(voters)
        self._cluster_id = cluster_id
        self._replica = Replica(platform, log, config, node_id, voters, now_ms)
        self._leading = Leading(self._replica, config, cluster_id, self._endpoints)
        self._electing = Electing(self._replica, cluster_id, self._leading.begin)
        self._following = Following(self._replica, config, cluster_id)
        self._peers = Peers(self._endpoints, config)
        self._parked = ParkedFetches()
        self._role = self._replica.role
        self._next_to_ask = 0
        self._taken = 0
        if self._replica.voters == {node_id}:
            self._replica.voter_becomes_candidate(now_ms)
            self._electing.advance(now_ms)

    # What it says

    @property
    def leader_id(self) -> int | None:
        return self._replica.leader_id

    @property
    def leader(self) -> Endpoint | None:
        leader_id = self.leader_id
        return None if leader_id is None else self._endpoints.get(leader_id)

    @property
    def epoch(self) -> int:
        return self._replica.epoch

    @property
    def is_leader(self) -> bool:
        return isinstance(self._replica.role, Leader)

    @property
    def high_watermark(self) -> int:
        return self._replica.high_watermark

    @property
    def log_end_offset(self) -> int:
        return self._log.log_end_offset

    def append(self, records: Sequence[MetadataRecord], now_ms: int) -> int:
        """Write all of the records or none; the log end after them. Raises KafkaError.

        They are on this node's disk on return, and committed when the high watermark has reached
        that end. Only a leader may (NOT_CONTROLLER). `tick` says what follows.
        """
        return self._leading.append(records, now_ms)

    def take_committed(self) -> list[tuple[int, MetadataRecord]]:
        """Records with their offsets that are committed and were not taken before, in order."""
        start, self._taken = self._taken, self.high_watermark
        return list(self._log.records(start, self._taken)) if start < self._taken else []

    def records(self) -> Iterator[tuple[int, MetadataRecord]]:
        """All records with their offsets, committed or not."""
        return self._log.records()

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        result: Any
        match request:
            case Fetch():
                result = self._fetch(call, request, now_ms)
            case DescribeQuorum():
                result = self._leading.describe(request, now_ms)
            case DescribeControllers():
                result = self._controllers()
            case _:
                result = self._answer(request, now_ms)
        outputs: list[Output] = [] if result is None else [Reply(call, result)]
        return outputs + self._settle(now_ms)

    def _controllers(self) -> DescribedCluster:
        leader_id = NO_LEADER if self.leader_id is None else self.leader_id
        voters = tuple(self._endpoints[voter] for voter in sorted(self._endpoints))
        return DescribedCluster(self._cluster_id, leader_id, voters)

    def _answer(
        self, request: Vote | BeginQuorumEpoch | EndQuorumEpoch, now_ms: int
    ) -> EpochAnswer:
        if request.cluster_id not in (None, self._cluster_id):
            return EpochAnswer(request_error=ErrorCode.INCONSISTENT_CLUSTER_ID)
        if request.partition != METADATA_PARTITION:
            return EpochAnswer(request_error=ErrorCode.INVALID_REQUEST)
        match request:
            case Vote():
                return self._electing.vote(request, now_ms)
            case BeginQuorumEpoch():
                return self._electing.answer(self._following.begin_quorum_epoch(request, now_ms))
            case EndQuorumEpoch():
                return self._electing.answer(self._following.end_quorum_epoch(request, now_ms))

    def _fetch(self, call: Call, request: Fetch, now_ms: int) -> Fetched | None:
        if (refused := self._leading.refused(request)) is not None:
            return refused
        self._leading.hear(request, now_ms)
        fetched = self._leading.fetch(request)
        if request.max_wait_ms and not says_something(request, fetched):
            self._parked.add(call, request, now_ms)
            return None
        return Fetched((fetched,))

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        """`answer` is None when nobody knows whether the request took effect."""
        if self._peers.answered(sent):
            if answer is not None and self._take(sent, answer, now_ms):
                self._peers.helped(sent)
            else:
                self._peers.failed(sent, now_ms)
        return self._settle(now_ms)

    def _take(self, sent: Send, answer: EpochAnswer | Fetched, now_ms: int) -> bool:
        """Says whether the other node did what it was asked to."""
        if isinstance(answer, Fetched):
            if answer.error or not answer.partitions:
                return False
            partition = answer.partitions[0]
            error, (leader_id, epoch) = partition.error, partition.current_leader or (-1, -1)
        else:
            error = answer.request_error or answer.error
            leader_id, epoch = answer.leader_id, answer.leader_epoch
        known = None if leader_id < 0 else leader_id
        if not self._replica.learn(known, epoch, now_ms) or error or epoch != self.epoch:
            return False
        match sent.request, answer:
            case Fetch() as request, Fetched():
                return self._following.take(request, answer, now_ms)
            case Vote() as request, EpochAnswer():
                self._electing.take(sent.to.node_id, answer, now_ms)
            case EndQuorumEpoch(), _:
                self._leading.end_acknowledged(sent.to.node_id)
        return True

    def tick(self, now_ms: int) -> list[Output]:
        self._peers.tick(now_ms)
        self._electing.tick(now_ms)
        self._leading.tick(now_ms)
        return self._settle(now_ms)

    def resign(self, now_ms: int) -> list[Output]:
        """An orderly stop: this node leads no more, and tells the others so that they elect."""
        self._replica.is_stopping = True
        self._leading.resign(now_ms)
        self._replica.role.deadline_ms = None
        return self._settle(now_ms)

    def forget(self, connection_id: int) -> None:
        self._parked.forget(connection_id)

    def next_deadline_ms(self) -> int | None:
        role = self._replica.role
        return first_deadline(
            (
                role.deadline_ms,
                role.next_begin_ms if isinstance(role, Leader) else None,
                self._parked.next_deadline_ms(),
                self._peers.next_deadline_ms(),
            )
        )

    # What follows

    def _settle(self, now_ms: int) -> list[Output]:
        if self._replica.role is not self._role:
            self._role = self._replica.role
            self._peers.reset()
        return [*self._release(now_ms), *self._sends(now_ms)]

    def _release(self, now_ms: int) -> list[Output]:
        """Answer the fetches that there is something to tell, or that have waited long enough."""
        high_watermark, log_end = self._leading.shown_high_watermark, self._log.log_end_offset
        over = self._parked.take(
            lambda parked: (
                not self.is_leader
                or now_ms >= parked.deadline_ms
                or parked.request.partitions[0].fetch_offset < log_end
                or parked.request.partitions[0].high_watermark < high_watermark
            )
        )
        return [Reply(each.call, Fetched((self._leading.fetch(each.request),))) for each in over]

    def _sends(self, now_ms: int) -> list[Output]:
        asked = (
            *self._electing.requests(),
            *self._leading.begin_requests(now_ms),
            *self._leading.end_requests(),
        )
        sends: list[Output] = [
            self._peers.ask(node_id, VOTES_LANE, request)
            for node_id, request in asked
            if self._peers.can_be_asked(node_id, VOTES_LANE)
        ]
        if (source := self._source()) is not None:
            sends.append(self._peers.ask(source, FETCH_LANE, self._following.request()))
        return sends

    def _source(self) -> int | None:
        """Whom to fetch from: the leader, or while there is none to be reached anybody, in turn.

        Who does not lead answers who does.
        """
        role = self._replica.role
        if not isinstance(role, Follower | Unattached) or self._peers.is_awaited(FETCH_LANE):
            return None
        if isinstance(role, Follower) and self._peers.can_be_asked(role.leader_id, FETCH_LANE):
            return role.leader_id
        others = self._replica.others
        for _ in others:
            self._next_to_ask = (self._next_to_ask + 1) % len(others)
            if self._peers.can_be_asked(others[self._next_to_ask], FETCH_LANE):
                return others[self._next_to_ask]
        return None
