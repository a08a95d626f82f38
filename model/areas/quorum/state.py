"""What the controller quorum speaks of: voters, epochs, the metadata log, votes on their way.

This file decides the shape of a state and the words for what holds in it. It refuses to know which
steps there are: that is `quorum`.
"""

from functools import reduce
from operator import and_

from model.contracts.quorum import Epoch, Log, Offset, Voter
from model.lang import (
    Bag,
    Bool,
    Bound,
    Enum,
    Map,
    Option,
    Record,
    Set,
    Value,
    each,
    every,
    greatest_of,
    if_else,
    implies,
    largest,
    least_of,
    no_element,
    none,
    some,
)


class Role(Enum):
    """What a voter takes itself for, as Apache Kafka names it."""

    UNATTACHED = Value()  # it knows no leader of its epoch
    FOLLOWER = Value()  # it knows the leader, and fetches from it
    CANDIDATE = Value()  # it asks for votes
    LEADER = Value()
    RESIGNED = Value()  # it led this epoch, and will not do so again


class Replica(Record):
    """One voter. Its epoch, vote, leader and log are on disk and outlive a restart.

    `votes` are the voters that granted it their vote; `known_end` is, on a leader,
    up to where each follower's log reached when it last fetched.
    """

    role: Role
    epoch: Epoch
    voted_for: Option[Voter]
    leader: Option[Voter]
    log: Log
    high_watermark: Offset
    hears_leader: Bool
    votes: Set[Voter]
    known_end: Map[Voter, Offset]


class Request(Record):
    """A Vote request, with the end of the candidate's log."""

    candidate: Voter
    voter: Voter
    epoch: Epoch
    last_epoch: Epoch
    end: Offset


class Answer(Record):
    """The answer to a Vote request, with the epoch of the voter."""

    candidate: Voter
    voter: Voter
    epoch: Epoch
    is_granted: Bool


class Requests(Bag[Request]):
    """Vote requests on their way: each may be late, or be lost."""

    capacity = Bound("in_flight")


class Answers(Bag[Answer]):
    """Answers on their way: each may be late, or be lost."""

    capacity = Bound("in_flight")


class State(Record):
    """The quorum: its voters, and what is on its way between them. What was ever committed, and
    who was elected in each epoch, nobody need remember: the claims are about it.
    """

    replica: Map[Voter, Replica]
    requests: Requests
    answers: Answers
    committed: Log
    elected: Map[Epoch, Option[Voter]]


# What actions and properties ask of a state.


def is_majority(voters: Set[Voter]) -> Bool:
    """More than half of all voters."""
    return voters.size + voters.size > Bound("voters")


def last_epoch(log: Log) -> Epoch:
    """The epoch of the last record; 0 where there is none."""
    return log.last


def is_as_far_as(epoch: Epoch, end: Offset, log: Log) -> Bool:
    """A log that ends with this epoch, at this offset, is at least as far as the other: by its
    last epoch first, then by its end.
    """
    return (epoch > last_epoch(log)) | ((epoch == last_epoch(log)) & (end >= log.length))


def is_as_far(s: State, one: Voter, other: Voter) -> Bool:
    """The log of one voter is at least as far as that of another."""
    log = s.replica[one].log
    return is_as_far_as(last_epoch(log), Offset.of(log.length), s.replica[other].log)


def leads(s: State, voter: Voter) -> Bool:
    """The voter takes itself for the leader; there may be one of a later epoch."""
    return s.replica[voter].role == Role.LEADER


def counts_votes(s: State, voter: Voter) -> Bool:
    """The voter counts votes, or leads by those that it has counted."""
    return leads(s, voter) | (s.replica[voter].role == Role.CANDIDATE)


def fetches_from(s: State, follower: Voter, leader: Voter) -> Bool:
    """Both agree that the leader leads, and in which epoch."""
    me, other = s.replica[follower], s.replica[leader]
    return (
        (me.role == Role.FOLLOWER)
        & (me.leader == some(leader))
        & (other.role == Role.LEADER)
        & (me.epoch == other.epoch)
    )


def would_vote_for(s: State, voter: Voter, other: Voter) -> Bool:
    """The answer to a pre-vote: a voter that leads, or has fetched from a leader, wants no
    election in its epoch; in a later one it would vote for a log that is as far as its own.
    """
    me, nominee = s.replica[voter], s.replica[other]
    has_a_leader = (me.role == Role.LEADER) | ((me.role == Role.FOLLOWER) & me.hears_leader)
    is_open = (nominee.epoch > me.epoch) | ((nominee.epoch == me.epoch) & ~has_a_leader)
    return is_open & is_as_far(s, other, voter)


def agree_at(one: Log, other: Log, offset: Offset) -> Bool:
    """Both logs have a record of the same epoch at this offset."""
    return (offset < one.length) & (offset < other.length) & (one[offset] == other[offset])


def agree_below(one: Log, other: Log, end: Offset) -> Bool:
    """Both logs have records of the same epochs at all offsets below this end."""
    return every(Offset, lambda o: implies(o < end, agree_at(one, other, o)))


def end_of_epoch(log: Log, epoch: Epoch) -> Offset:
    """Where the last epoch of a log up to this one ends; 0 where there is none."""
    return largest(
        Offset,
        lambda o: (o > 0) & (o <= log.length) & (log[o - 1] <= epoch),
        otherwise=Offset(0),
    )


def fits(follower: Log, leader: Log) -> Bool:
    """The leader's log has the last epoch of the follower's, and reaches as far in it."""
    end = end_of_epoch(leader, last_epoch(follower))
    has_the_epoch = leader[end - 1] == last_epoch(follower)
    return follower.is_empty | (has_the_epoch & (end >= follower.length))


def end_of_common_log(follower: Log, leader: Log) -> Offset:
    """What a follower keeps when its log does not fit: the leader names the epoch, and its end,
    that it has at or before the follower's last one, and the follower looks where its own ends.
    """
    leader_end = end_of_epoch(leader, last_epoch(follower))
    epoch = if_else(leader_end > 0, leader[leader_end - 1], Epoch(0))
    return least_of(leader_end, end_of_epoch(follower, epoch))


def holds_what_is_committed(s: State, voter: Voter) -> Bool:
    """The voter's log has all that was ever committed."""
    return agree_below(s.committed, s.replica[voter].log, Offset.of(s.committed.length))


def all_of(*claims: Bool) -> Bool:
    """All of these hold."""
    return reduce(and_, claims)


# Updates that several actions share.


def enter_epoch(s: State, voter: Voter, epoch: Epoch) -> None:
    """The voter goes to a later epoch, in which it has not voted and knows no leader."""
    me = s.replica[voter]
    me.epoch = epoch
    me.voted_for = none(Voter)
    me.leader = none(Voter)
    take_role(s, voter, Role.UNATTACHED)


def take_role(s: State, voter: Voter, role: Role) -> None:
    """The voter begins anew in this role: no votes counted, nothing fetched."""
    me = s.replica[voter]
    me.role = role
    me.hears_leader = Bool(False)
    me.votes = no_element(Voter)
    me.known_end = each(Voter, lambda _: Offset(0))


def hear_from_leader(s: State, follower: Voter, leader: Voter) -> None:
    """The follower knows that its leader is there, and what is committed of its log."""
    me = s.replica[follower]
    known = least_of(s.replica[leader].high_watermark, Offset.of(me.log.length))
    me.hears_leader = Bool(True)
    me.high_watermark = greatest_of(me.high_watermark, known)


def send_answer(s: State, request: Request, is_granted: Bool) -> None:
    """The answer takes the place of the request."""
    s.answers.add(
        Answer(
            candidate=request.candidate,
            voter=request.voter,
            epoch=s.replica[request.voter].epoch,
            is_granted=is_granted,
        )
    )
    s.requests.remove(request)
