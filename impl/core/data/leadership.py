"""What the leader of a partition knows of its followers, and what follows from it.

REPL-01, REPL-05 to REPL-08, REPL-11. Decides which followers keep up, which in-sync replicas to
propose, and how far all that may be in sync have come. What is in the log, and what the controller
says to a proposal, are learnt from others. Begins anew with each leader epoch, because an offset
that a follower had reached in another one may have been cut since: the high watermark waits until
all of the in-sync replicas follow in this epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from impl.core.cluster.catalogue import Assignment, Registration
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

UNKNOWN_OFFSET = -1
UNKNOWN_BROKER_EPOCH = -1
_NEVER_MS = -(1 << 62)


class FollowerFetch(NamedTuple):
    """Where a follower is when it fetches, and in which life."""

    offset: int
    log_start_offset: int
    broker_epoch: int


@dataclass(slots=True)
class Follower:
    """`last_caught_up_ms`: the last time for which it is known that it had all that there was."""

    last_caught_up_ms: int
    log_end_offset: int = UNKNOWN_OFFSET
    log_start_offset: int = UNKNOWN_OFFSET
    broker_epoch: int | None = None
    last_fetch_ms: int = _NEVER_MS
    leader_end_at_last_fetch: int = UNKNOWN_OFFSET

    def fetched(self, fetch: FollowerFetch, leader_end_offset: int, now_ms: int) -> None:
        """REPL-07: who reaches the end of the time before keeps pace with a busy leader."""
        if fetch.offset >= leader_end_offset:
            self.last_caught_up_ms = max(self.last_caught_up_ms, now_ms)
        elif fetch.offset >= self.leader_end_at_last_fetch >= 0:
            self.last_caught_up_ms = max(self.last_caught_up_ms, self.last_fetch_ms)
        self.log_end_offset, self.log_start_offset, self.broker_epoch = fetch
        self.last_fetch_ms = now_ms
        self.leader_end_at_last_fetch = max(self.leader_end_at_last_fetch, leader_end_offset)

    def is_caught_up(self, leader_end_offset: int, now_ms: int, lag_time_max_ms: int) -> bool:
        """REPL-07."""
        return (
            self.log_end_offset == leader_end_offset
            or now_ms - self.last_caught_up_ms <= lag_time_max_ms
        )


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """Other in-sync replicas, each with the broker epoch in which it was found fit."""

    isr: tuple[tuple[int, int], ...]
    leader_epoch: int
    partition_epoch: int
    added: int | None = None


class Leadership:
    def __init__(
        self,
        node_id: int,
        brokers: Mapping[int, Registration],
        lag_time_max_ms: int,
        epoch_start_offset: int,
    ) -> None:
        self.isr: tuple[int, ...] = ()
        self.followers: dict[int, Follower] = {}
        self.proposal: Proposal | None = None
        self.epoch_start_offset = epoch_start_offset
        self._node_id = node_id
        self._brokers = brokers
        self._lag_time_max_ms = lag_time_max_ms
        self._assignment: Assignment | None = None

    def assign(self, assignment: Assignment, now_ms: int) -> None:
        """Take over what the controller decided; whatever was proposed before is void.

        Unless the leader knew this state already from the answer to a proposal: then the next
        proposal, built on it, may be on its way.
        """
        known, self._assignment = self._assignment, assignment
        others = [b for b in assignment.replicas if b != self._node_id]
        self.followers = {
            b: self.followers.get(b) or Follower(now_ms if b in assignment.isr else _NEVER_MS)
            for b in others
        }
        if known is None or assignment.partition_epoch > known.partition_epoch:
            self.isr, self.proposal = assignment.isr, None

    def accepted(self, assignment: Assignment) -> None:
        """The controller did what was proposed."""
        self._assignment = assignment
        self.isr, self.proposal = assignment.isr, None

    # What the followers have

    def fetched(
        self, replica_id: int, fetch: FollowerFetch, leader_end_offset: int, now_ms: int
    ) -> bool:
        """Note where a follower is; says whether it was somewhere else. Raises KafkaError."""
        follower = self.followers[replica_id]
        registered = self._brokers.get(replica_id)
        if (
            fetch.broker_epoch != UNKNOWN_BROKER_EPOCH
            and registered is not None
            and registered.broker_epoch > fetch.broker_epoch
        ):  # a message from a former life
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        before = follower.log_end_offset, follower.log_start_offset
        follower.fetched(fetch, leader_end_offset, now_ms)
        return before != (follower.log_end_offset, follower.log_start_offset)

    @property
    def maximal_isr(self) -> tuple[int, ...]:
        """REPL-01: with what is proposed to be added, and without what is to be removed."""
        if self.proposal is None or self.proposal.added is None:
            return self.isr
        return (*self.isr, self.proposal.added)

    def reached_offset(self, log_end_offset: int, now_ms: int) -> int:
        """REPL-01: what all have that may be in sync, or are about to be."""
        maximal_isr = self.maximal_isr
        for broker_id, follower in self.followers.items():
            if follower.log_end_offset < log_end_offset and (
                broker_id in maximal_isr
                or (
                    follower.is_caught_up(log_end_offset, now_ms, self._lag_time_max_ms)
                    and self._is_eligible(broker_id)
                )
            ):
                log_end_offset = follower.log_end_offset
        return log_end_offset

    def low_watermark(self, log_start_offset: int) -> int:
        """REPL-14: the smallest log start of the replicas on live brokers."""
        starts = [
            follower.log_start_offset
            for broker_id, follower in self.followers.items()
            if (registered := self._brokers.get(broker_id)) is not None and not registered.fenced
        ]
        return min([log_start_offset, *starts])

    # The in-sync replicas

    def _is_eligible(self, broker_id: int) -> bool:
        """REPL-06."""
        registered = self._brokers.get(broker_id)
        epoch = self.followers[broker_id].broker_epoch
        return (
            registered is not None
            and registered.is_active
            and epoch in (UNKNOWN_BROKER_EPOCH, registered.broker_epoch)
        )

    def propose_to_add(self, broker_id: int, high_watermark: int) -> bool:
        """REPL-05: propose a follower that has all that may be committed, if it is not in sync."""
        if self.proposal is not None or broker_id in self.isr or not self._is_eligible(broker_id):
            return False
        needed = max(high_watermark, self.epoch_start_offset)
        if self.followers[broker_id].log_end_offset < needed:
            return False
        self.proposal = self._propose((*self.isr, broker_id), broker_id)
        return True

    def propose_to_remove(self, log_end_offset: int, now_ms: int) -> bool:
        """REPL-07: propose to go on without those that fell behind."""
        if self.proposal is not None:
            return False
        staying = tuple(
            b
            for b in self.isr
            if b == self._node_id
            or (
                b in self.followers
                and self.followers[b].is_caught_up(log_end_offset, now_ms, self._lag_time_max_ms)
            )
        )
        if staying == self.isr:
            return False
        self.proposal = self._propose(staying)
        return True

    def _propose(self, isr: tuple[int, ...], added: int | None = None) -> Proposal:
        assert self._assignment is not None
        epochs = {b: f.broker_epoch for b, f in self.followers.items()}
        members = tuple(
            (b, UNKNOWN_BROKER_EPOCH if (epoch := epochs.get(b)) is None else epoch) for b in isr
        )
        known = self._assignment
        return Proposal(members, known.leader_epoch, known.partition_epoch, added)
