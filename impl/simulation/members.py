"""Members of groups of a simulated cluster: they join, commit offsets, sometimes leave, and come
back. What they were told stands in a history that all members of a group share.

Both protocols: the classic one, in which a member assigns the partitions to all, and the consumer
protocol (KIP-848), in which the coordinator does. An offset is only ever committed once, and each
is higher than all that were committed before, so a history says which offset must be there.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from impl.core.groups.consumer.messages import (
    JOINING,
    LEAVING,
    ConsumerHeartbeat,
    ConsumerHeartbeatReply,
)
from impl.core.groups.consumer.records import NO_PARTITIONS, Partitions
from impl.core.groups.lookup import GROUP
from impl.core.groups.messages import (
    CommitOffsets,
    CommitReply,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    MemberIdentity,
    OffsetToCommit,
    PartitionReference,
    Protocol,
    SyncGroup,
    SyncReply,
)
from impl.simulation.clients import NO_COORDINATOR, CoordinatedClient
from impl.simulation.cluster import Simulation
from spec.wire.errors import ErrorCode

BEAT_MS = 300
SESSION_TIMEOUT_MS = 3_000
REBALANCE_TIMEOUT_MS = 2_000


@dataclass(frozen=True, slots=True)
class Assigned:
    """A member was told what it owns in a generation, or member epoch."""

    generation: int
    member_id: str
    partitions: frozenset[int]


@dataclass(slots=True)
class Commit:
    partition: int
    offset: int
    is_acknowledged: bool = False


@dataclass(slots=True)
class GroupHistory:
    group_id: str
    topic: str
    partitions: tuple[int, ...]
    assigned: list[Assigned] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    """Who was given what another member could still take for its own."""

    def next_commit(self, partition: int) -> Commit:
        commit = Commit(partition, len(self.commits) + 1)
        self.commits.append(commit)
        return commit


class Member(CoordinatedClient):
    def __init__(
        self,
        simulation: Simulation,
        client_id: int,
        history: GroupHistory,
        *,
        leaving: float = 0.01,
    ) -> None:
        """`leaving`: how likely the member leaves instead of committing."""
        super().__init__(simulation, client_id, history.topic, GROUP, history.group_id)
        self.history = history
        self.group_id = history.group_id
        self.member_id = ""
        self.generation = -1
        self.owned: frozenset[int] = frozenset()
        self.leaving = leaving
        self.later(self._join, 0)

    @abstractmethod
    def _join(self) -> None:
        """Begin anew, as nobody or as who it was."""

    @abstractmethod
    def _beat(self) -> None:
        """Say that it is there."""

    @abstractmethod
    def _leave(self) -> None:
        """Say that it is not, and come back later."""

    def _take(self, partitions: frozenset[int]) -> None:
        self.owned = partitions
        assigned = Assigned(self.generation, self.member_id, partitions)
        if assigned not in self.history.assigned:
            self.history.assigned.append(assigned)

    def _forget(self) -> None:
        self.member_id, self.generation, self.owned = "", -1, frozenset()

    def _go_on(self) -> None:
        """Leave, or commit what was done since, and beat again."""
        if self.simulation.random.random() < self.leaving:
            self._leave()
            return
        if not self.owned:
            self.later(self._beat, BEAT_MS)
            return
        commits = [self.history.next_commit(n) for n in sorted(self.owned)]
        request = CommitOffsets(
            self.group_id,
            {
                PartitionReference(self.topic, c.partition): OffsetToCommit(c.offset)
                for c in commits
            },
            self.generation,
            self.member_id,
        )

        def committed(answer: CommitReply) -> None:
            for commit in commits:
                error = answer.errors[PartitionReference(self.topic, commit.partition)]
                commit.is_acknowledged = error is ErrorCode.NONE
                if error in NO_COORDINATOR:
                    self.lose_coordinator()
            self.later(self._beat, BEAT_MS)

        self.ask_coordinator(request, committed, partial(self.later, self._beat))


class ClassicMember(Member):
    def _join(self) -> None:
        self.owned = frozenset()
        request = JoinGroup(
            self.group_id,
            self.member_id,
            SESSION_TIMEOUT_MS,
            REBALANCE_TIMEOUT_MS,
            "simulated",
            (Protocol("in order", b""),),
        )

        def joined(answer: JoinReply) -> None:
            if answer.error is ErrorCode.MEMBER_ID_REQUIRED:
                self.member_id = answer.member_id
                self._join()
            elif answer.error:
                self._refused(answer.error)
            else:
                self.member_id, self.generation = answer.member_id, answer.generation_id
                self._sync(answer)

        self.ask_coordinator(request, joined, self._join)

    def _sync(self, joined: JoinReply) -> None:
        assignments = {}
        if joined.leader == self.member_id:
            members = sorted(each.member_id for each in joined.members)
            assignments = {
                member_id: bytes(self.history.partitions[n :: len(members)])
                for n, member_id in enumerate(members)
            }

        def synced(answer: SyncReply) -> None:
            if answer.error:
                self._refused(answer.error)
                return
            self._take(frozenset(answer.assignment))
            self.later(self._beat, BEAT_MS)

        request = SyncGroup(
            self.group_id,
            self.generation,
            self.member_id,
            assignments,
            protocol_type=joined.protocol_type,
            protocol_name=joined.protocol_name,
        )
        self.ask_coordinator(request, synced, self._join)

    def _beat(self) -> None:
        def heard(answer: HeartbeatReply) -> None:
            if answer.error:
                self._refused(answer.error)
            else:
                self._go_on()

        request = Heartbeat(self.group_id, self.generation, self.member_id)
        self.ask_coordinator(request, heard, self._beat)

    def _refused(self, error: ErrorCode) -> None:
        if error is ErrorCode.UNKNOWN_MEMBER_ID:
            self._forget()
        self.later(self._beat if error in NO_COORDINATOR and self.owned else self._join)

    def _leave(self) -> None:
        request = LeaveGroup(self.group_id, (MemberIdentity(self.member_id),))
        self._forget()
        come_back = partial(self.later, self._join, SESSION_TIMEOUT_MS)
        self.ask_coordinator(request, lambda _: come_back(), come_back)


class ConsumerMember(Member):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.others: list[ConsumerMember] = []
        self.safe_until_ms = 0
        """Until then nobody else may be told to own what it owns."""
        self._lives = 0
        self._partitions: Partitions = NO_PARTITIONS

    def _join(self) -> None:
        self._lives += 1
        self._forget()
        self._partitions = NO_PARTITIONS
        self.member_id, self.generation = f"{self.client_id}-{self._lives}", JOINING
        self._beat()

    def _beat(self) -> None:
        asked_ms = self.simulation.now_ms
        request = ConsumerHeartbeat(
            self.group_id,
            self.member_id,
            self.generation,
            rebalance_timeout_ms=2 * SESSION_TIMEOUT_MS,
            topics=frozenset((self.topic,)),
            owned=self._partitions,
        )

        def heard(answer: ConsumerHeartbeatReply) -> None:
            if answer.error in (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID):
                self.later(self._join)
            elif answer.error:
                self.later(self._beat)
            else:
                self.safe_until_ms = asked_ms + SESSION_TIMEOUT_MS
                self._hear(answer)

        self.ask_coordinator(request, heard, self._beat)

    def _hear(self, answer: ConsumerHeartbeatReply) -> None:
        self.generation = answer.member_epoch
        if answer.assignment is not None:
            self._partitions = answer.assignment
        owned = frozenset(at.partition for at in self._partitions)
        for other in self.others:
            if owned & other.owned and self.simulation.now_ms < other.safe_until_ms:
                both = f"{self.member_id} and {other.member_id}"
                self.history.conflicts.append(f"{both} own {sorted(owned & other.owned)}")
        self._take(owned)
        self._go_on()

    def _leave(self) -> None:
        request = ConsumerHeartbeat(self.group_id, self.member_id, LEAVING)
        self._forget()
        self._partitions = NO_PARTITIONS
        come_back = partial(self.later, self._join, SESSION_TIMEOUT_MS)
        self.ask_coordinator(request, lambda _: come_back(), come_back)
