"""What a follower of the quorum does: it finds the leader, fetches from it, and cuts what differs.

CLUS-12. Also an observer, which is not among the voters, follows. A follower never cuts what it
knows to be committed: a leader that demands it is not to be trusted, and is not heard.
"""

from __future__ import annotations

from impl.core.data.messages import Fetch, Fetched, FetchedPartition, FetchPartition
from impl.core.log.leader_epochs import EpochEnd
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import (
    METADATA_PARTITION,
    METADATA_TOPIC_ID,
    BeginQuorumEpoch,
    EndQuorumEpoch,
)
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import Follower
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


class Following:
    def __init__(self, replica: Replica, config: QuorumConfig, cluster_id: str) -> None:
        self._replica = replica
        self._config = config
        self._cluster_id = cluster_id

    # What a leader tells

    def begin_quorum_epoch(self, request: BeginQuorumEpoch, now_ms: int) -> ErrorCode:
        error = self._learn(request, now_ms)
        if error is ErrorCode.NONE and request.voter_id not in (None, self._replica.node_id):
            return ErrorCode.INVALID_VOTER_KEY
        return error

    def end_quorum_epoch(self, request: EndQuorumEpoch, now_ms: int) -> ErrorCode:
        error = self._learn(request, now_ms)
        role = self._replica.role
        if error is ErrorCode.NONE and isinstance(role, Follower) and role.deadline_ms is not None:
            role.hears_leader = False
            role.deadline_ms = now_ms + self._end_epoch_backoff_ms(request.preferred_candidates)
        return error

    def _learn(self, request: BeginQuorumEpoch | EndQuorumEpoch, now_ms: int) -> ErrorCode:
        if request.epoch < self._replica.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if request.leader_id < 0:
            return ErrorCode.INVALID_REQUEST
        is_possible = self._replica.learn(request.leader_id, request.epoch, now_ms)
        return ErrorCode.NONE if is_possible else ErrorCode.INVALID_REQUEST

    def _end_epoch_backoff_ms(self, preferred: tuple[int, ...]) -> int:
        """The first of the preferred tries at once, each after it waits twice as long."""
        longest_ms = self._config.controller_quorum_election_backoff_max_ms
        if self._replica.node_id not in preferred:
            return longest_ms
        position = preferred.index(self._replica.node_id)
        if position == 0:
            return 0
        return min(longest_ms, (longest_ms >> (len(preferred) - 1)) << (position - 1))

    # Fetching

    def request(self) -> Fetch:
        replica, log = self._replica, self._replica.log
        max_bytes = self._config.controller_quorum_fetch_max_bytes
        partition = FetchPartition(
            METADATA_TOPIC_ID,
            METADATA_PARTITION.partition,
            log.log_end_offset,
            max_bytes,
            replica.epoch,
            log.last_epoch,
            replica.high_watermark,
        )
        return Fetch(
            self._config.fetch_max_wait_ms,
            1,
            max_bytes,
            (partition,),
            replica_id=replica.node_id,
            uses_topic_ids=True,
            cluster_id=self._cluster_id,
        )

    def take(self, sent: Fetch, answer: Fetched, now_ms: int) -> bool:
        """Take what a leader says its log holds; says whether it was of use."""
        role, partition = self._replica.role, answer.partitions[0]
        if not isinstance(role, Follower):
            return False
        if partition.diverging_epoch is not None:
            taken = self._follower_truncates(partition.diverging_epoch)
        else:
            taken = self._follower_fetches(sent.partitions[0], partition, now_ms)
        if taken:
            role.hears_leader = True
            role.deadline_ms = self._replica.fetch_deadline_ms(now_ms)
        return taken

    def _follower_fetches(
        self, asked: FetchPartition, fetched: FetchedPartition, now_ms: int
    ) -> bool:
        log = self._replica.log
        if asked.fetch_offset != log.log_end_offset:
            return False
        try:
            if not log.append_fetched(fetched.records, self._replica.epoch, now_ms):
                return False
        except KafkaError:
            return False
        self._replica.raise_high_watermark(fetched.high_watermark)
        return True

    def _follower_truncates(self, leader: EpochEnd) -> bool:
        """Never what is committed. A leader whose log differs in nothing contradicts itself."""
        replica, end = self._replica, self.end_of_common_log(leader)
        if not replica.high_watermark <= end < replica.log.log_end_offset:
            return False
        replica.log.truncate_to(end)
        return True

    def end_of_common_log(self, leader: EpochEnd) -> int:
        """What to keep: the leader has this epoch up to its end, and nothing of it after that."""
        mine = self._replica.log.end_of(leader.epoch)
        if mine.epoch != leader.epoch:
            return mine.end_offset
        return min(mine.end_offset, leader.end_offset)
