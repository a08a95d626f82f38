"""The controller quorum (KRaft): elections, and the metadata log that the leader replicates.

Modelled: votes that are asked for and given by messages, which may be late, lost or sent again;
epochs, and votes that a voter keeps on disk over a restart; pre-vote (KIP-996); a leader that no
majority follows and that resigns; replication by fetching, truncation at the epoch where two logs
part, and the high watermark, which waits for a record of the leader's own epoch.
Simplified: a pre-vote and a fetch take no time; of a fetch the answer may be lost. That a leader
announces its epoch (BeginQuorumEpoch) takes no time either, but it may happen late. Time is not
measured: a follower may miss its leader, and a candidate may try again, at any moment; a leader
resigns when the number of those who follow is too small, at any moment from then on. A record is
the epoch of the leader that wrote it, so equal records need not be the same if two led an epoch.
Not modelled: a change of the voters (KIP-853), observers, snapshots, an orderly resignation
(EndQuorumEpoch), the loss of records that were not flushed.
Source: KIP-595, KIP-996; `KafkaRaftClient`, `QuorumState`, `LeaderState` and `FollowerState` of
Apache Kafka 4.0. Clauses: CLUS-11, CLUS-12, CLUS-13, CLUS-14.
"""

from model.areas.quorum.state import (
    Answer,
    Replica,
    Request,
    Role,
    State,
    all_of,
    end_of_common_log,
    enter_epoch,
    fetches_from,
    fits,
    hear_from_leader,
    is_as_far_as,
    is_majority,
    last_epoch,
    send_answer,
    take_role,
    would_vote_for,
)
from model.contracts.quorum import Offset, Voter
from model.lang import Bool, Bound, Machine, if_else, needs, no_element, none, set_of, some, those

machine = Machine("quorum", State, "the controller quorum (KRaft)", "kraft")


# Elections: who asks.


@machine.action("CLUS-13")
def voter_becomes_candidate(s: State, voter: Voter) -> None:
    """A voter that has heard of no leader for its timeout, or was not elected, learns by pre-vote
    that an election would succeed, begins the next epoch and votes for itself.
    """
    me = s.replica[voter]
    needs(
        waits_for_a_leader=(me.role == Role.UNATTACHED)
        | (me.role == Role.FOLLOWER)
        | (me.role == Role.CANDIDATE),
        hears_no_leader=~me.hears_leader,
        a_majority_would_vote_for_it=is_majority(
            those(Voter, lambda v: (v == voter) | would_vote_for(s, v, voter))
        ),
        epochs_are_left=me.epoch < Bound("max_epoch"),
    )
    enter_epoch(s, voter, me.epoch + 1)
    me.role = Role.CANDIDATE
    me.voted_for = some(voter)
    me.votes = set_of(voter)


@machine.action("CLUS-13")
def follower_misses_its_leader(s: State, follower: Voter) -> None:
    """A follower has heard nothing from its leader for its timeout, and would like another."""
    me = s.replica[follower]
    needs(hears_leader=me.hears_leader)
    me.hears_leader = Bool(False)


@machine.action("CLUS-13")
def candidate_asks(s: State, candidate: Voter, voter: Voter) -> None:
    """A candidate sends a Vote request to a voter that has not granted it."""
    me = s.replica[candidate]
    request = Request(
        candidate=candidate,
        voter=voter,
        epoch=me.epoch,
        last_epoch=last_epoch(me.log),
        end=Offset.of(me.log.length),
    )
    needs(
        is_candidate=me.role == Role.CANDIDATE,
        has_not_granted=~me.votes.has(voter),
        is_not_on_its_way=~s.requests.has(request),
        there_is_room=s.requests.size + s.answers.size < Bound("in_flight"),
    )
    s.requests.add(request)


# Elections: who is asked.


@machine.action("CLUS-13", request=lambda s: s.requests)
def voter_reaches_epoch_of_request(s: State, request: Request) -> None:
    """A voter is asked in a later epoch, and goes to that epoch before it answers."""
    needs(is_later=request.epoch > s.replica[request.voter].epoch)
    enter_epoch(s, request.voter, request.epoch)


def reasons_to_vote(me: Replica, request: Request) -> dict[str, Bool]:
    """What must hold for a vote, by name."""
    return {
        "is_of_its_epoch": request.epoch == me.epoch,
        "seeks_no_votes": me.role == Role.UNATTACHED,
        "has_not_voted_for_another": me.voted_for.is_none
        | (me.voted_for == some(request.candidate)),
        "log_is_as_far": is_as_far_as(request.last_epoch, request.end, me.log),
    }


@machine.action("CLUS-13", request=lambda s: s.requests)
def voter_grants_vote(s: State, request: Request) -> None:
    """A voter writes its vote to disk, and answers."""
    me = s.replica[request.voter]
    needs(**reasons_to_vote(me, request))
    me.voted_for = some(request.candidate)
    send_answer(s, request, Bool(True))


@machine.action("CLUS-13", request=lambda s: s.requests)
def voter_refuses(s: State, request: Request) -> None:
    """A voter that may not vote for the candidate says so, and in which epoch it is."""
    me = s.replica[request.voter]
    may_vote = all_of(*reasons_to_vote(me, request).values())
    needs(is_not_later=request.epoch <= me.epoch, may_not_vote=~may_vote)
    send_answer(s, request, Bool(False))


@machine.action("CLUS-13", answer=lambda s: s.answers)
def candidate_counts_vote(s: State, answer: Answer) -> None:
    """A vote in the candidate's epoch is counted."""
    me = s.replica[answer.candidate]
    needs(
        is_granted=answer.is_granted,
        is_of_its_epoch=answer.epoch == me.epoch,
        is_awaited=me.role == Role.CANDIDATE,
    )
    s.answers.remove(answer)
    me.votes |= set_of(answer.voter)


@machine.action("CLUS-13", answer=lambda s: s.answers)
def candidate_reaches_epoch_of_answer(s: State, answer: Answer) -> None:
    """A candidate learns of a later epoch, and goes there."""
    needs(is_later=answer.epoch > s.replica[answer.candidate].epoch)
    s.answers.remove(answer)
    enter_epoch(s, answer.candidate, answer.epoch)


@machine.action("CLUS-13", answer=lambda s: s.answers)
def candidate_ignores_answer(s: State, answer: Answer) -> None:
    """A refusal in the candidate's epoch, or an answer that comes too late, changes nothing."""
    me = s.replica[answer.candidate]
    counts = answer.is_granted & (answer.epoch == me.epoch) & (me.role == Role.CANDIDATE)
    needs(is_not_later=answer.epoch <= me.epoch, does_not_count=~counts)
    s.answers.remove(answer)


@machine.action(request=lambda s: s.requests)
def network_loses_request(s: State, request: Request) -> None:
    """A request is lost."""
    s.requests.remove(request)


@machine.action(answer=lambda s: s.answers)
def network_loses_answer(s: State, answer: Answer) -> None:
    """An answer is lost."""
    s.answers.remove(answer)


# Leading.


@machine.action("CLUS-11", "CLUS-12")
def candidate_becomes_leader(s: State, voter: Voter) -> None:
    """A candidate with the votes of a majority leads, and begins its epoch with a record of it."""
    me = s.replica[voter]
    needs(
        is_candidate=me.role == Role.CANDIDATE,
        a_majority_voted_for_it=is_majority(me.votes),
        log_has_room=me.log.length < Bound("log_size"),
    )
    me.role = Role.LEADER
    me.leader = some(voter)
    me.log.append(me.epoch)
    s.elected[me.epoch] = some(voter)


@machine.action("CLUS-12")
def leader_appends(s: State, leader: Voter) -> None:
    """A leader writes a record to its log."""
    me = s.replica[leader]
    needs(
        leads=me.role == Role.LEADER,
        log_has_room=me.log.length < Bound("log_size"),
    )
    me.log.append(me.epoch)


@machine.action("CLUS-12")
def leader_advances_high_watermark(s: State, leader: Voter, end: Offset) -> None:
    """What a majority has, the leader included, is committed, once the last of it is a record of
    the leader's own epoch.
    """
    me = s.replica[leader]
    needs(
        leads=me.role == Role.LEADER,
        is_progress=end > me.high_watermark,
        leader_has_it=end <= me.log.length,
        a_majority_has_it=is_majority(
            those(Voter, lambda v: (v == leader) | (me.known_end[v] >= end))
        ),
        is_of_its_own_epoch=me.log[end - 1] == me.epoch,
    )
    me.high_watermark = end
    s.committed = if_else(end > s.committed.length, me.log.upto(end), s.committed)


@machine.action("CLUS-14")
def leader_resigns(s: State, leader: Voter) -> None:
    """A leader from which no majority fetches, itself included, gives up its office."""
    me = s.replica[leader]
    needs(
        leads=me.role == Role.LEADER,
        no_majority_fetches=~is_majority(
            those(Voter, lambda v: (v == leader) | fetches_from(s, v, leader))
        ),
    )
    take_role(s, leader, Role.RESIGNED)


@machine.action("CLUS-11")
def resigned_voter_moves_on(s: State, voter: Voter) -> None:
    """A voter that resigned and heard of no new leader goes to the next epoch by itself."""
    me = s.replica[voter]
    needs(
        has_resigned=me.role == Role.RESIGNED,
        epochs_are_left=me.epoch < Bound("max_epoch"),
    )
    enter_epoch(s, voter, me.epoch + 1)


# Following.


@machine.action("CLUS-11")
def voter_learns_of_leader(s: State, voter: Voter, leader: Voter) -> None:
    """A leader tells a voter that its epoch has begun, and the voter follows."""
    me, other = s.replica[voter], s.replica[leader]
    needs(
        is_another=voter != leader,
        leads=other.role == Role.LEADER,
        is_news=(me.epoch < other.epoch) | ((me.epoch == other.epoch) & me.leader.is_none),
    )
    me.voted_for = if_else(me.epoch < other.epoch, none(Voter), me.voted_for)
    me.epoch = other.epoch
    me.leader = some(leader)
    take_role(s, voter, Role.FOLLOWER)


@machine.action("CLUS-12")
def follower_fetches_record(s: State, follower: Voter, leader: Voter) -> None:
    """A follower whose log fits its leader's gets the next record and the high watermark; the
    leader learns how far the follower was.
    """
    me, other = s.replica[follower], s.replica[leader]
    needs(
        fetches=fetches_from(s, follower, leader),
        log_fits=fits(me.log, other.log),
        leader_has_more=me.log.length < other.log.length,
    )
    other.known_end[follower] = Offset.of(me.log.length)
    me.log.append(other.log[me.log.length])
    hear_from_leader(s, follower, leader)


@machine.action("CLUS-12")
def follower_fetches_at_the_end(s: State, follower: Voter, leader: Voter) -> None:
    """A follower that has all records learns the high watermark, and its leader that it has."""
    me, other = s.replica[follower], s.replica[leader]
    needs(
        fetches=fetches_from(s, follower, leader),
        has_all_records=me.log == other.log,
    )
    other.known_end[follower] = Offset.of(me.log.length)
    hear_from_leader(s, follower, leader)


@machine.action("CLUS-12")
def network_loses_records(s: State, follower: Voter, leader: Voter) -> None:
    """The answer to a fetch is lost: only the leader has learnt something."""
    me, other = s.replica[follower], s.replica[leader]
    needs(
        fetches=fetches_from(s, follower, leader),
        log_fits=fits(me.log, other.log),
    )
    other.known_end[follower] = Offset.of(me.log.length)


@machine.action("CLUS-12")
def follower_truncates(s: State, follower: Voter, leader: Voter) -> None:
    """A follower whose log does not fit its leader's cuts what differs, and fetches again."""
    me, other = s.replica[follower], s.replica[leader]
    needs(
        fetches=fetches_from(s, follower, leader),
        log_differs=~fits(me.log, other.log),
    )
    me.hears_leader = Bool(True)
    me.log.truncate(end_of_common_log(me.log, other.log))


# Restarting.


@machine.action("CLUS-11", "CLUS-13")
def voter_restarts(s: State, voter: Voter) -> None:
    """A voter comes back with what is on its disk: one that led has resigned, one that voted for
    itself asks for votes again.
    """
    me = s.replica[voter]
    role = if_else(
        me.leader == some(voter),
        Role.RESIGNED,
        if_else(
            me.voted_for == some(voter),
            Role.CANDIDATE,
            if_else(me.leader.is_some, Role.FOLLOWER, Role.UNATTACHED),
        ),
    )
    take_role(s, voter, role)
    me.high_watermark = Offset(0)
    me.votes = if_else(me.role == Role.CANDIDATE, set_of(voter), no_element(Voter))


machine.scope(
    "default",
    why="a majority of three; two elections, so that an old leader and a new one meet; one record "
    "of each epoch; one vote on its way, which is late at times",
    states=778_255,
    voters=3,
    max_epoch=2,
    log_size=2,
    in_flight=1,
)
machine.scope(
    "deep",
    why="a record of an old epoch, overwritten although a majority had it, needs a third election",
    states=4_650_412,
    voters=3,
    max_epoch=3,
    log_size=2,
    in_flight=1,
)
machine.scope(
    "tiny",
    why="two voters, who must agree on everything, and two messages that overtake each other",
    states=3_755,
    voters=2,
    max_epoch=2,
    log_size=2,
    in_flight=2,
)
