"""One node of the quorum: its epoch, vote, log and role, and how it goes from one to another.

CLUS-11 and CLUS-13 rest on this file: whatever a step says to others is on disk when it returns.
The steps have the names that they have in the machine of the quorum. Refuses to know of messages.
"""

from __future__ import annotations

from collections.abc import Collection

from impl.core.log.log import Platform
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.election_state import (
    ElectionState,
    check_voters,
    read_election_state,
    write_election_state,
)
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.quorum.roles import (
    Candidate,
    Follower,
    Leader,
    Progress,
    Prospective,
    Resigned,
    Role,
    Unattached,
    Votes,
)


class Replica:
    def __init__(
        self,
        platform: Platform,
        log: MetadataLog,
        config: QuorumConfig,
        node_id: int,
        voters: Collection[int],
        now_ms: int,
    ) -> None:
        """Raises StorageError, or ConfigError for other voters than the folder's."""
        check_voters(platform.storage, voters)
        self.log = log
        self.node_id = node_id
        self.voters = frozenset(voters)
        self.high_watermark = 0
        self.is_stopping = False
        self._platform = platform
        self._config = config
        self._election = read_election_state(platform.storage)
        self.role: Role = Unattached(None)
        self._voter_restarts(now_ms)

    # What it is

    @property
    def epoch(self) -> int:
        return self._election.epoch

    @property
    def voted_for(self) -> int | None:
        return self._election.voted_for

    @property
    def leader_id(self) -> int | None:
        """The leader of its epoch, as far as it knows; a leader that resigned is none any more."""
        return None if isinstance(self.role, Resigned) else self._election.leader_id

    @property
    def knows_who_led(self) -> bool:
        """Whether anybody, as far as it knows, was elected in its epoch."""
        return self._election.leader_id is not None

    @property
    def is_voter(self) -> bool:
        return self.node_id in self.voters

    @property
    def others(self) -> list[int]:
        return sorted(self.voters - {self.node_id})

    # What it keeps

    def _keep(self, state: ElectionState) -> None:
        """CLUS-13: durable before anybody is told."""
        if state != self._election:
            write_election_state(self._platform.storage, state, self.voters)
            self._election = state

    def _election_deadline_ms(self, now_ms: int) -> int | None:
        """Some time from now that is unlikely to be that of another voter; None for observers."""
        if not self.is_voter or self.is_stopping:
            return None
        timeout_ms = self._config.controller_quorum_election_timeout_ms
        return now_ms + timeout_ms + self._platform.new_id().int % timeout_ms

    def fetch_deadline_ms(self, now_ms: int) -> int | None:
        if not self.is_voter or self.is_stopping:
            return None
        return now_ms + self._config.controller_quorum_fetch_timeout_ms

    # Restarting

    def _voter_restarts(self, now_ms: int) -> None:
        state = self._election
        if state.epoch < self.log.last_epoch:  # the file was lost, and the log was not
            self.enter_epoch(self.log.last_epoch, now_ms)
        elif state.leader_id == self.node_id:  # CLUS-11
            self.role = Resigned(set(self.others), (), self._election_deadline_ms(now_ms))
        elif state.voted_for == self.node_id and state.leader_id is None:
            self.role = Candidate(self._own_vote(), self._election_deadline_ms(now_ms))
        elif state.leader_id is not None and state.leader_id in self.voters:
            self.role = Follower(state.leader_id, self.fetch_deadline_ms(now_ms))
        elif state.epoch == 0 and self.node_id == min(self.voters):
            # A new cluster has no leader to wait for, so one of its voters begins at once.
            self.role = Unattached(now_ms)
        else:
            self.role = Unattached(self._election_deadline_ms(now_ms))

    # Elections

    def enter_epoch(self, epoch: int, now_ms: int) -> None:
        """Go to a later epoch, in which it has not voted and knows no leader."""
        self._keep(ElectionState(epoch))
        self.role = Unattached(self._election_deadline_ms(now_ms))

    def vote_for(self, candidate: int, now_ms: int) -> None:
        """A vote gives the candidate time."""
        self._keep(self._election._replace(voted_for=candidate))
        self.role.deadline_ms = self._election_deadline_ms(now_ms)

    def _own_vote(self) -> Votes:
        return Votes(self.voters, {self.node_id})

    def voter_becomes_prospective(self, now_ms: int) -> None:
        self.role = Prospective(self._own_vote(), self._election_deadline_ms(now_ms))

    def prospective_gives_up(self, now_ms: int) -> None:
        """Nobody wants an election now: back to where it came from."""
        leader_id = self._election.leader_id
        if leader_id is not None and leader_id in self.others:
            self.role = Follower(leader_id, self.fetch_deadline_ms(now_ms))
        else:
            self.role = Unattached(self._election_deadline_ms(now_ms))

    def voter_becomes_candidate(self, now_ms: int) -> None:
        self._keep(ElectionState(self.epoch + 1, voted_for=self.node_id))
        self.role = Candidate(self._own_vote(), self._election_deadline_ms(now_ms))

    def candidate_becomes_leader(self, votes: Votes, now_ms: int) -> Leader:
        """CLUS-12: the epoch begins with a record of its own. Raises KafkaError."""
        self._keep(self._election._replace(leader_id=self.node_id))
        timeout_ms = self._config.check_quorum_timeout_ms
        leader = Leader(
            epoch_start_offset=self.log.log_end_offset,
            followers={voter: Progress() for voter in self.others},
            deadline_ms=now_ms + timeout_ms if self.others else None,
            next_begin_ms=now_ms,
        )
        self.role = leader
        self.log.append_leader_change(self.node_id, self.voters, votes.granted, self.epoch, now_ms)
        return leader

    def leader_resigns(self, preferred_candidates: tuple[int, ...], now_ms: int) -> None:
        deadline_ms = self._election_deadline_ms(now_ms)
        self.role = Resigned(set(self.others), preferred_candidates, deadline_ms)

    def resigned_voter_moves_on(self, now_ms: int) -> None:
        self.enter_epoch(self.epoch + 1, now_ms)

    # Following

    def voter_learns_of_leader(self, leader_id: int, epoch: int, now_ms: int) -> None:
        voted_for = self.voted_for if epoch == self.epoch else None
        self._keep(ElectionState(epoch, leader_id, voted_for))
        self.role = Follower(leader_id, self.fetch_deadline_ms(now_ms))

    def learn(self, leader_id: int | None, epoch: int, now_ms: int) -> bool:
        """Take what another node says of its epoch; says whether it can be true.

        It cannot if it names another leader of an epoch than the one that is known, or this node
        for an epoch in which it does not lead.
        """
        if epoch < self.epoch:
            return True
        knows_another = epoch == self.epoch and self._election.leader_id not in (None, leader_id)
        if leader_id is not None:
            if leader_id == self.node_id:
                return isinstance(self.role, Leader) and epoch == self.epoch
            if leader_id not in self.voters or knows_another:
                return False
            if epoch > self.epoch or not self.knows_who_led:
                self.voter_learns_of_leader(leader_id, epoch, now_ms)
        elif epoch > self.epoch:
            self.enter_epoch(epoch, now_ms)
        return True

    def raise_high_watermark(self, offset: int) -> bool:
        """Says whether more is committed now than before."""
        known = min(offset, self.log.log_end_offset)
        if known <= self.high_watermark:
            return False
        self.high_watermark = known
        return True
