"""What this broker, as a leader, asks the controller: to change in-sync replicas (AlterPartition).

REPL-01, REPL-06, REPL-07. Decides when followers are looked at, what is sent and what an answer
means for the proposal. Which change is proposed is decided by `leadership`, whether it is accepted
by the controller. One request is on its way at a time, with all that is proposed by then.
"""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.broker_messages import (
    AlteredPartition,
    AlteredPartitions,
    AlterPartitions,
    IsrProposal,
)
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import TopicPartition
from impl.core.data.changes import take
from impl.core.data.config import ReplicationConfig
from impl.core.data.leadership import Proposal
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.events import Output, Send
from spec.wire.errors import ErrorCode

LANE = "controller"
BACKOFF_MS = 50

# With these the controller says that it, and every controller before it, changed nothing.
_REFUSED = (ErrorCode.INELIGIBLE_REPLICA, ErrorCode.OPERATION_NOT_ATTEMPTED)

# After these nobody knows what holds; the proposal stands until the metadata log tells.
_UNDECIDED = (
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.INVALID_UPDATE_VERSION,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.NEW_LEADER_ELECTED,
)


@dataclass(frozen=True, slots=True)
class _Asked:
    partition: Partition
    proposal: Proposal

    @property
    def stands(self) -> bool:
        """Nothing that was heard since made the proposal void."""
        return self.partition.proposal is self.proposal


class Isr:
    def __init__(
        self, partitions: Partitions, standing: Standing, config: ReplicationConfig, now_ms: int
    ) -> None:
        self._partitions = partitions
        self._standing = standing
        self._check_interval_ms = max(config.replica_lag_time_max_ms // 2, 1)
        self._timeout_ms = config.replica_socket_timeout_ms
        self._next_check_ms = now_ms + self._check_interval_ms
        self._waiting: dict[TopicPartition, _Asked] = {}
        self._sent: Send | None = None
        self._asked: list[_Asked] = []
        self._not_before_ms = now_ms

    def tick(self, now_ms: int) -> list[Output]:
        if now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + self._check_interval_ms
            for partition in self._partitions:
                partition.shrink_isr(now_ms)
        return self._send(now_ms)

    def next_deadline_ms(self) -> int:
        if self._may_ask:
            return min(self._next_check_ms, self._not_before_ms)
        return self._next_check_ms

    @property
    def _may_ask(self) -> bool:
        """Something is proposed, and there is somebody to tell it to."""
        has_news = self._waiting or self._partitions.changes.proposing
        return bool(has_news) and self._sent is None and self._standing.controller is not None

    # Asking

    def _send(self, now_ms: int) -> list[Output]:
        if not self._may_ask or now_ms < self._not_before_ms:
            return []
        assert self._standing.controller is not None
        self._collect()
        if not self._waiting:
            return []
        self._asked = list(self._waiting.values())
        self._waiting.clear()
        request = AlterPartitions(
            self._standing.node_id,
            self._standing.broker_epoch,
            tuple(self._in_words(asked) for asked in self._asked),
        )
        self._sent = Send(self._standing.controller, LANE, request, self._timeout_ms)
        return [self._sent]

    def _collect(self) -> None:
        self._waiting = {at: asked for at, asked in self._waiting.items() if asked.stands}
        for at in take(self._partitions.changes.proposing):
            partition = self._partitions.get(at)
            if partition is not None and partition.proposal is not None:
                self._waiting[at] = _Asked(partition, partition.proposal)

    def _in_words(self, asked: _Asked) -> IsrProposal:
        proposal, standing = asked.proposal, self._standing
        own = standing.node_id, standing.broker_epoch
        return IsrProposal(
            asked.partition.topic_id,
            asked.partition.at.partition,
            proposal.leader_epoch,
            tuple(own if member[0] == standing.node_id else member for member in proposal.isr),
            proposal.partition_epoch,
        )

    # Hearing

    def answered(self, sent: Send, answer: AlteredPartitions | None, now_ms: int) -> list[Output]:
        """What nobody answered, and what failed for another reason, is asked again."""
        if sent is not self._sent:
            return []
        answers = {}
        if answer is not None and not answer.error:
            answers = {(each.topic_id, each.partition): each for each in answer.partitions}
        for asked in self._asked:
            each = answers.get((asked.partition.topic_id, asked.partition.at.partition))
            if asked.stands and (each is None or not _settle(asked, each, now_ms)):
                self._waiting.setdefault(asked.partition.at, asked)
                self._not_before_ms = now_ms + BACKOFF_MS
        self._sent, self._asked = None, []
        return self._send(now_ms)


def _settle(asked: _Asked, answer: AlteredPartition, now_ms: int) -> bool:
    """Says whether there is nothing more to ask."""
    if not answer.error:
        asked.partition.settle_proposal(answer, now_ms)
        return True
    if answer.error in _REFUSED:
        asked.partition.withdraw_proposal()  # REPL-06
        return True
    return answer.error in _UNDECIDED
