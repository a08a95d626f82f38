"""What a leader of the quorum does: it appends, answers fetches, and finds out what is committed.

CLUS-12, CLUS-14. A follower's fetch says how far its log is; what a majority has is committed,
once the last of it is of the leader's own epoch. Refuses to know how a leader is elected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.data.messages import Fetch, Fetched, FetchedPartition, FetchPartition
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import (
    METADATA_PARTITION,
    METADATA_TOPIC_ID,
    NO_LEADER,
    BeginQuorumEpoch,
    DescribedLog,
    DescribedQuorum,
    DescribeQuorum,
    EndQuorumEpoch,
    ReplicaProgress,
)
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import Leader, Progress, Resigned, Votes, is_majority
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

OBSERVER_SESSION_TIMEOUT_MS = 300_000
NO_HIGH_WATERMARK = -1


class Leading:
    def __init__(
        self,
        replica: Replica,
        config: QuorumConfig,
        cluster_id: str,
        endpoints: Mapping[int, Endpoint],
    ) -> None:
        self._replica = replica
        self._config = config
        self._cluster_id = cluster_id
        self._endpoints = endpoints

    # Leading

    def begin(self, votes: Votes, now_ms: int) -> None:
        """Lead. Without a disk for the first record of its epoch a leader is none."""
        try:
            leader = self._replica.candidate_becomes_leader(votes, now_ms)
        except KafkaError:
            self._replica.leader_resigns((), now_ms)
        else:
            self._leader_advances_high_watermark(leader)

    def append(self, records: Sequence[MetadataRecord], now_ms: int) -> int:
        """The log end after the records. Raises KafkaError.

        Whose disk takes no more leaves the office to somebody who can go on.
        """
        role = self._replica.role
        if not isinstance(role, Leader):
            raise KafkaError(ErrorCode.NOT_CONTROLLER)
        try:
            end = self._replica.log.append(records, self._replica.epoch, now_ms)
        except KafkaError as refused:
            if refused.error is ErrorCode.KAFKA_STORAGE_ERROR:
                self.resign(now_ms)
            raise
        self._leader_advances_high_watermark(role)
        return end

    def _leader_advances_high_watermark(self, leader: Leader) -> None:
        end = self.end_of_majority(leader)
        if self.is_of_its_own_epoch(leader, end):
            leader.high_watermark = max(leader.high_watermark or 0, end)
            self._replica.raise_high_watermark(end)

    def end_of_majority(self, leader: Leader) -> int:
        """The offset below which a majority has everything, the leader included."""
        ends = [progress.known_end for progress in leader.followers.values()]
        ends.append(self._replica.log.log_end_offset)
        return sorted(ends, reverse=True)[len(ends) // 2]

    def is_of_its_own_epoch(self, leader: Leader, end: int) -> bool:
        """CLUS-12: what lies below this end reaches into the leader's own epoch."""
        return end > leader.epoch_start_offset

    def begin_requests(self, now_ms: int) -> list[tuple[int, BeginQuorumEpoch]]:
        """Tell those that do not fetch who leads."""
        role, interval_ms = self._replica.role, self._config.begin_epoch_interval_ms
        if not isinstance(role, Leader) or now_ms < role.next_begin_ms:
            return []
        role.next_begin_ms = now_ms + interval_ms
        return [
            (
                voter,
                BeginQuorumEpoch(
                    self._replica.node_id, self._replica.epoch, voter, self._cluster_id
                ),
            )
            for voter, progress in sorted(role.followers.items())
            if progress.last_fetch_ms < 0 or now_ms - progress.last_fetch_ms >= interval_ms
        ]

    # Resigning

    def tick(self, now_ms: int) -> None:
        """CLUS-14."""
        role = self._replica.role
        deadline_ms = role.deadline_ms if isinstance(role, Leader) else None
        if deadline_ms is not None and now_ms >= deadline_ms:
            self.resign(now_ms)

    def resign(self, now_ms: int) -> None:
        role = self._replica.role
        if isinstance(role, Leader):
            longest_first = sorted(role.followers, key=lambda v: (-role.followers[v].known_end, v))
            self._replica.leader_resigns(tuple(longest_first), now_ms)

    def end_requests(self) -> list[tuple[int, EndQuorumEpoch]]:
        """Tell the others that nobody leads this epoch any more."""
        role, replica = self._replica.role, self._replica
        if not isinstance(role, Resigned):
            return []
        request = EndQuorumEpoch(
            replica.node_id, replica.epoch, role.preferred_candidates, self._cluster_id
        )
        return [(voter, request) for voter in sorted(role.unacknowledged)]

    def end_acknowledged(self, voter: int) -> None:
        if isinstance(role := self._replica.role, Resigned):
            role.unacknowledged.discard(voter)

    # Fetches

    def problem(self, request: Fetch) -> ErrorCode | None:
        """Why a fetch gets no records."""
        asked, epoch = request.partitions[0], self._replica.epoch
        if (
            request.max_wait_ms < 0
            or asked.fetch_offset < 0
            or not 0 <= asked.last_fetched_epoch <= asked.current_leader_epoch
        ):
            return ErrorCode.INVALID_REQUEST
        if asked.current_leader_epoch < epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if asked.current_leader_epoch > epoch:
            return ErrorCode.UNKNOWN_LEADER_EPOCH
        if not isinstance(self._replica.role, Leader):
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        return None

    def hear(self, request: Fetch, now_ms: int) -> None:
        """A fetch says that its node is there, and how far its log is."""
        role, asked, node_id = self._replica.role, request.partitions[0], request.replica_id
        if not isinstance(role, Leader) or self.problem(request) is not None:
            return
        if node_id in role.followers:
            self._hear_voter(role, node_id, now_ms)
            progress = role.followers[node_id]
        elif node_id >= 0 and node_id != self._replica.node_id:
            progress = role.observers.setdefault(node_id, Progress())
        else:
            return
        if self.log_fits(asked):
            progress.fetched(asked.fetch_offset, self._replica.log.log_end_offset, now_ms)
            self._leader_advances_high_watermark(role)

    def _hear_voter(self, leader: Leader, voter: int, now_ms: int) -> None:
        """CLUS-14: a majority that fetches, the leader included, lets it go on."""
        leader.fetched.add(voter)
        if is_majority(len(leader.fetched) + 1, len(self._replica.voters)):
            leader.fetched.clear()
            leader.deadline_ms = now_ms + self._config.check_quorum_timeout_ms

    def fetch(self, request: Fetch) -> FetchedPartition:
        """What there is to say now."""
        asked, log = request.partitions[0], self._replica.log
        if (error := self.problem(request)) is not None:
            return self._fetched(asked, error=error)
        if not self.log_fits(asked):
            return self._fetched(asked, diverging_epoch=log.end_of(asked.last_fetched_epoch))
        max_bytes = min(request.max_bytes, asked.max_bytes)
        records = log.read(asked.fetch_offset, max_bytes)
        return self._fetched(asked, records=records)

    def log_fits(self, asked: FetchPartition) -> bool:
        """The log has the last epoch of the follower's, and reaches as far in it."""
        if asked.fetch_offset == 0:
            return True
        end = self._replica.log.end_of(asked.last_fetched_epoch)
        return end.epoch == asked.last_fetched_epoch and end.end_offset >= asked.fetch_offset

    @property
    def shown_high_watermark(self) -> int:
        """CLUS-12: -1 until a record of the leader's own epoch is committed."""
        role = self._replica.role
        if isinstance(role, Leader) and role.high_watermark is not None:
            return role.high_watermark
        return NO_HIGH_WATERMARK

    def _fetched(self, asked: FetchPartition, **said: Any) -> FetchedPartition:
        leader_id = self._replica.leader_id
        return FetchedPartition(
            asked.topic,
            asked.partition,
            high_watermark=self.shown_high_watermark,
            log_start_offset=0,
            current_leader=(NO_LEADER if leader_id is None else leader_id, self._replica.epoch),
            **said,
        )

    def refused(self, request: Fetch) -> Fetched | None:
        """Why a fetch is none of this log, or of this cluster."""
        if request.cluster_id not in (None, self._cluster_id):
            return Fetched(error=ErrorCode.INCONSISTENT_CLUSTER_ID)
        partitions = request.partitions
        topics = (METADATA_PARTITION.topic, METADATA_TOPIC_ID)
        if [(each.topic in topics, each.partition) for each in partitions] != [(True, 0)]:
            return Fetched(error=ErrorCode.INVALID_REQUEST)
        return None

    # Describing

    def describe(self, request: DescribeQuorum, now_ms: int) -> DescribedQuorum:
        if request.partitions != (METADATA_PARTITION,):
            unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            return DescribedQuorum(tuple(DescribedLog(p, unknown) for p in request.partitions))
        role, replica = self._replica.role, self._replica
        if not isinstance(role, Leader):
            error = ErrorCode.NOT_LEADER_OR_FOLLOWER
            return DescribedQuorum((DescribedLog(METADATA_PARTITION, error),))
        for observer, progress in list(role.observers.items()):
            if now_ms - progress.last_fetch_ms >= OBSERVER_SESSION_TIMEOUT_MS:
                del role.observers[observer]
        itself = ReplicaProgress(replica.node_id, replica.log.log_end_offset, -1, now_ms)
        described = DescribedLog(
            METADATA_PARTITION,
            leader_id=replica.node_id,
            leader_epoch=replica.epoch,
            high_watermark=self.shown_high_watermark,
            voters=tuple(
                sorted([itself, *_described(role.followers)], key=lambda r: r.replica_id)
            ),
            observers=tuple(_described(role.observers)),
        )
        return DescribedQuorum(
            (described,), tuple(self._endpoints[node] for node in sorted(self._endpoints))
        )


def _described(known: Mapping[int, Progress]) -> list[ReplicaProgress]:
    return [
        ReplicaProgress(node_id, each.known_end, each.last_fetch_ms, each.last_caught_up_ms)
        for node_id, each in sorted(known.items())
    ]
