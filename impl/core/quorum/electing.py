"""Elections: votes and pre-votes that this node asks for, and those that it is asked for.

CLUS-13, KIP-996. A voter that loses patience asks first whether it would be elected, and only then
begins an epoch. Refuses to know what a leader does.
"""

from __future__ import annotations

from collections.abc import Callable

from impl.core.quorum.messages import NO_LEADER, EpochAnswer, Vote
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import (
    Candidate,
    Follower,
    Leader,
    Prospective,
    Resigned,
    Unattached,
    Votes,
)
from spec.wire.errors import ErrorCode


class Electing:
    def __init__(
        self, replica: Replica, cluster_id: str, elected: Callable[[Votes, int], None]
    ) -> None:
        """`elected` is told when this node has the votes of a majority."""
        self._replica = replica
        self._cluster_id = cluster_id
        self._elected = elected

    # Who is asked

    def vote(self, request: Vote, now_ms: int) -> EpochAnswer:
        replica = self._replica
        error = self._problem(request)
        if error is None and request.epoch > replica.epoch:
            self._voter_reaches_epoch_of_request(request, now_ms)
        if error is None and request.voter_id not in (None, replica.node_id):
            error = ErrorCode.INVALID_VOTER_KEY
        is_granted = error is None and all(self._reasons_to_vote(request).values())
        if is_granted and not request.is_pre_vote and replica.voted_for is None:
            replica.vote_for(request.replica_id, now_ms)
        return self.answer(error or ErrorCode.NONE, is_granted=is_granted)

    def answer(self, error: ErrorCode, *, is_granted: bool = False) -> EpochAnswer:
        leader_id = self._replica.leader_id
        return EpochAnswer(
            error,
            NO_LEADER if leader_id is None else leader_id,
            self._replica.epoch,
            is_granted=is_granted,
        )

    def _problem(self, request: Vote) -> ErrorCode | None:
        # A candidate has gone to an epoch of which its log has nothing yet; a prospective has not.
        last_possible = request.epoch if request.is_pre_vote else request.epoch - 1
        if request.end_offset < 0 or not 0 <= request.last_epoch <= last_possible:
            return ErrorCode.INVALID_REQUEST
        if request.epoch < self._replica.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        return ErrorCode.INVALID_REQUEST if request.replica_id < 0 else None

    def _voter_reaches_epoch_of_request(self, request: Vote, now_ms: int) -> None:
        self._replica.enter_epoch(request.epoch, now_ms)

    def _reasons_to_vote(self, request: Vote) -> dict[str, bool]:
        """What must hold for a vote, by the names of the machine."""
        if request.is_pre_vote:
            return {
                "hears_no_leader": self.hears_no_leader(),
                "log_is_as_far": self.log_is_as_far(request),
            }
        return {
            "seeks_no_votes": self.seeks_no_votes(),
            "has_not_voted_for_another": self.has_not_voted_for_another(request),
            "log_is_as_far": self.log_is_as_far(request),
        }

    def hears_no_leader(self) -> bool:
        role = self._replica.role
        return not (isinstance(role, Leader) or (isinstance(role, Follower) and role.hears_leader))

    def seeks_no_votes(self) -> bool:
        """Nor follows, nor has led. (A candidate has voted for itself.)"""
        return not self._replica.knows_who_led

    def has_not_voted_for_another(self, request: Vote) -> bool:
        return self._replica.voted_for in (None, request.replica_id)

    def log_is_as_far(self, request: Vote) -> bool:
        """By the last epoch first, then by the end."""
        log = self._replica.log
        mine = (log.last_epoch, log.log_end_offset)
        return (request.last_epoch, request.end_offset) >= mine

    # Who asks

    def requests(self) -> list[tuple[int, Vote]]:
        """Whom to ask now, and what."""
        replica, role = self._replica, self._replica.role
        if not isinstance(role, Prospective | Candidate):
            return []
        return [
            (
                voter,
                Vote(
                    replica.node_id,
                    replica.epoch,
                    replica.log.last_epoch,
                    replica.log.log_end_offset,
                    is_pre_vote=isinstance(role, Prospective),
                    voter_id=voter,
                    cluster_id=self._cluster_id,
                ),
            )
            for voter in role.votes.awaited
        ]

    def take(self, voter: int, answer: EpochAnswer, now_ms: int) -> None:
        """Count the answer of a voter to the role that this node has now."""
        role = self._replica.role
        if not isinstance(role, Prospective | Candidate):
            return
        (role.votes.granted if answer.is_granted else role.votes.refused).add(voter)
        self.advance(now_ms)

    def advance(self, now_ms: int) -> None:
        """Do what the votes permit. One that voted for itself alone may be a majority."""
        replica = self._replica
        if isinstance(role := replica.role, Prospective):
            if role.votes.is_won:
                replica.voter_becomes_candidate(now_ms)
            elif role.votes.is_lost:
                replica.prospective_gives_up(now_ms)
        if isinstance(role := replica.role, Candidate) and role.votes.is_won:
            self._elected(role.votes, now_ms)

    def tick(self, now_ms: int) -> None:
        """A voter that has waited long enough takes the next step."""
        replica, role = self._replica, self._replica.role
        if role.deadline_ms is None or now_ms < role.deadline_ms:
            return
        match role:
            case Unattached() | Follower() | Candidate():
                replica.voter_becomes_prospective(now_ms)
                self.advance(now_ms)
            case Prospective():
                replica.prospective_gives_up(now_ms)
            case Resigned():
                replica.resigned_voter_moves_on(now_ms)
