"""How the controller quorum is shown to be right: mutants that its claims catch, a proof for runs
of any length that an epoch has one leader, what happens sooner or later, and its contract.

The argument of the proof in words. A vote that is counted, or on its way, was given: its voter is
still in that epoch and has it on disk, or has gone on to a later one. So no two candidates of an
epoch can have the vote of the same voter; and two majorities share one.
"""

from model.areas.quorum.claims import machine
from model.areas.quorum.state import (
    Role,
    State,
    counts_votes,
    is_as_far,
    is_majority,
    leads,
    take_role,
)
from model.contracts import quorum as contract
from model.contracts.quorum import Epoch, Voter
from model.lang import (
    Bool,
    Bound,
    every,
    exists,
    if_else,
    implies,
    needs,
    none,
    set_of,
    some,
    those,
)

__all__ = ["machine"]


# Mutants: mistakes that could be made.


@machine.mutant()
def restart_forgets_the_vote(s: State, voter: Voter) -> None:
    """A voter answers before its vote is on disk, and loses the vote."""
    me = s.replica[voter]
    needs(has_voted=(me.role == Role.UNATTACHED) & me.voted_for.is_some)
    me.voted_for = none(Voter)


@machine.mutant()
def restart_forgets_that_it_led(s: State, voter: Voter) -> None:
    """A voter that led comes back as the candidate that it was before, and leads once more."""
    me = s.replica[voter]
    needs(led=me.leader == some(voter))
    take_role(s, voter, Role.CANDIDATE)
    me.votes = set_of(voter)


# Lemmas: what the proof needs to know besides.


def has_voted(s: State, voter: Voter, candidate: Voter, epoch: Epoch) -> Bool:
    """The voter has voted for the candidate in this epoch, or has gone on to a later one."""
    me = s.replica[voter]
    voted = (me.epoch == epoch) & (me.voted_for == some(candidate))
    return voted | (me.epoch > epoch)


@machine.lemma
def votes_that_are_counted_were_given(s: State) -> Bool:
    """Each voter whose vote somebody has counted did vote so in that epoch."""
    return every(
        Voter,
        lambda c: implies(
            counts_votes(s, c),
            every(s.replica[c].votes, lambda v: has_voted(s, v, c, s.replica[c].epoch)),
        ),
    )


@machine.lemma
def votes_on_their_way_were_given(s: State) -> Bool:
    """Each vote on its way was given in that epoch."""
    return every(
        s.answers,
        lambda a: implies(a.is_granted, has_voted(s, a.voter, a.candidate, a.epoch)),
    )


@machine.lemma
def a_vote_on_its_way_is_for_one_candidate(s: State) -> Bool:
    """A vote on its way was not counted by another candidate of its epoch, and no other vote of
    this voter in this epoch is on its way to another.
    """
    return every(
        s.answers,
        lambda a: implies(
            a.is_granted,
            every(
                Voter,
                lambda c: implies(
                    counts_votes(s, c)
                    & (s.replica[c].epoch == a.epoch)
                    & s.replica[c].votes.has(a.voter),
                    c == a.candidate,
                ),
            )
            & every(
                s.answers,
                lambda b: implies(
                    b.is_granted & (b.voter == a.voter) & (b.epoch == a.epoch),
                    b.candidate == a.candidate,
                ),
            ),
        ),
    )


@machine.lemma
def a_leader_has_the_votes_of_a_majority(s: State) -> Bool:
    """Whoever leads was elected by a majority."""
    return every(Voter, lambda v: implies(leads(s, v), is_majority(s.replica[v].votes)))


@machine.lemma
def messages_have_room(s: State) -> Bool:
    """An answer takes the place of its request."""
    return s.requests.size + s.answers.size <= Bound("in_flight")


machine.proof(
    "an_epoch_has_one_leader",
    by=[
        "a_voter_votes_once_in_an_epoch",
        "a_leader_has_the_votes_of_a_majority",
        "votes_that_are_counted_were_given",
        "votes_on_their_way_were_given",
        "a_vote_on_its_way_is_for_one_candidate",
        "messages_have_room",
    ],
)


# What happens sooner or later.


def may_still_vote_for(s: State, voter: Voter, candidate: Voter) -> Bool:
    """The voter has voted for the candidate, or may do so when it is asked."""
    me, other = s.replica[voter], s.replica[candidate]
    is_free = (me.role == Role.UNATTACHED) & me.voted_for.is_none
    votes = (me.voted_for == some(candidate)) | (is_free & is_as_far(s, candidate, voter))
    return if_else(me.epoch == other.epoch, votes, is_as_far(s, candidate, voter))


def may_still_win(s: State, candidate: Voter) -> Bool:
    """A majority has voted for this candidate of the last epoch, or may do so."""
    me = s.replica[candidate]
    return (
        (me.role == Role.CANDIDATE)
        & (me.epoch == Bound("max_epoch"))
        & (me.log.length < Bound("log_size"))
        & is_majority(those(Voter, lambda v: may_still_vote_for(s, v, candidate)))
    )


@machine.eventually(
    "CLUS-13",
    fair=[
        "voter_becomes_candidate(voter)",
        "voter_refuses",
        "candidate_ignores_answer",
        "candidate_reaches_epoch_of_answer",
        "resigned_voter_moves_on(voter)",
    ],
    strongly_fair=[
        "candidate_asks(candidate, voter)",
        "voter_reaches_epoch_of_request",
        "voter_grants_vote",
        "candidate_counts_vote",
        "candidate_becomes_leader(voter)",
    ],
    broken_by="fair candidate_asks(candidate, voter)",
    broken_at="tiny",
)
def somebody_leads_sooner_or_later(s: State) -> Bool:
    """Somebody leads, or the last epoch of the scope has begun and nobody can win it any more.

    That votes do not split again and again nobody can promise. What is promised is that no
    election hangs, where a message that is sent again and again arrives now and then. (A log that
    is full, so that the leader's first record has no room, is an end of the scope as well.)
    """
    last_epoch_began = exists(Voter, lambda v: s.replica[v].epoch == Bound("max_epoch"))
    return exists(Voter, lambda v: leads(s, v)) | (
        last_epoch_began & ~exists(Voter, lambda v: may_still_win(s, v))
    )


# Contract.


@machine.refines(contract.machine)
def what_users_of_the_metadata_log_may_rely_on(s: State) -> contract.State:
    """Users see who was elected, and what is committed."""
    return contract.State(elected=s.elected, committed=s.committed)
