"""What must hold of the controller quorum, and what must be able to happen."""

from model.areas.quorum.state import (
    Role,
    State,
    agree_at,
    agree_below,
    counts_votes,
    holds_what_is_committed,
    is_as_far,
    is_majority,
    last_epoch,
    leads,
)
from model.areas.quorum.steps import machine
from model.contracts.quorum import Epoch, Offset, Voter
from model.lang import Bool, every, exists, implies, no_element, some, those

__all__ = ["machine"]


# What must hold.


@machine.always("CLUS-11", broken_by="voter_grants_vote.has_not_voted_for_another")
def an_epoch_has_one_leader(s: State) -> Bool:
    """No two voters lead in the same epoch."""
    return every(
        Voter,
        lambda a: every(
            Voter,
            lambda b: implies(
                leads(s, a) & leads(s, b) & (s.replica[a].epoch == s.replica[b].epoch), a == b
            ),
        ),
    )


@machine.always("CLUS-11", broken_by="restart_forgets_that_it_led")
def who_led_an_epoch_seeks_no_votes_in_it(s: State) -> Bool:
    """A voter whose disk says that it led its epoch leads, or has resigned."""
    return every(
        Voter,
        lambda v: implies(
            s.replica[v].leader == some(v),
            leads(s, v) | (s.replica[v].role == Role.RESIGNED),
        ),
    )


@machine.always("CLUS-13", broken_by="restart_forgets_the_vote")
def a_voter_votes_once_in_an_epoch(s: State) -> Bool:
    """No vote is counted by two voters of the same epoch."""
    return every(
        Voter,
        lambda a: every(
            Voter,
            lambda b: implies(
                (a != b)
                & counts_votes(s, a)
                & counts_votes(s, b)
                & (s.replica[a].epoch == s.replica[b].epoch),
                (s.replica[a].votes & s.replica[b].votes) == no_element(Voter),
            ),
        ),
    )


@machine.always("CLUS-12", broken_by="follower_fetches_record.log_fits")
def logs_that_share_an_epoch_at_an_offset_share_all_before_it(s: State) -> Bool:
    """Two logs with records of the same epoch at an offset are equal below it (log matching)."""
    return every(
        Voter,
        lambda a: every(
            Voter,
            lambda b: every(
                Offset,
                lambda o: implies(
                    agree_at(s.replica[a].log, s.replica[b].log, o),
                    agree_below(s.replica[a].log, s.replica[b].log, o),
                ),
            ),
        ),
    )


@machine.always("CLUS-12", "CLUS-13", broken_by="voter_grants_vote.log_is_as_far")
def committed_records_survive_election(s: State) -> Bool:
    """A leader has everything that was ever committed, unless it is one of an epoch before that
    in which the last of it was.
    """
    return every(
        Voter,
        lambda v: implies(
            leads(s, v) & (last_epoch(s.committed) <= s.replica[v].epoch),
            holds_what_is_committed(s, v),
        ),
    )


@machine.always(
    "CLUS-12",
    broken_by="leader_advances_high_watermark.is_of_its_own_epoch",
    broken_at="deep",
)
def whoever_could_win_holds_what_is_committed(s: State) -> Bool:
    """A voter whose log is as far as those of a majority, so that these would elect it, has all
    that was ever committed.
    """
    return every(
        Voter,
        lambda v: implies(
            is_majority(those(Voter, lambda other: is_as_far(s, v, other))),
            holds_what_is_committed(s, v),
        ),
    )


@machine.always("CLUS-12", broken_by="leader_advances_high_watermark.a_majority_has_it")
def high_watermarks_agree(s: State) -> Bool:
    """What a voter takes for committed is in its log, and was committed."""
    return every(
        Voter,
        lambda v: agree_below(s.replica[v].log, s.committed, s.replica[v].high_watermark),
    )


# Witnesses: what must be able to happen.


@machine.sometimes("CLUS-11")
def one_leader_follows_another(s: State) -> Bool:
    """A voter leads, and in an earlier epoch another was elected."""
    return exists(
        Voter,
        lambda v: exists(
            Epoch,
            lambda e: (
                leads(s, v)
                & (e < s.replica[v].epoch)
                & s.elected[e].is_some
                & (s.elected[e] != some(v))
            ),
        ),
    )


@machine.sometimes("CLUS-12")
def a_record_is_committed_in_a_later_epoch(s: State) -> Bool:
    """Records of two epochs are committed, in one log."""
    return exists(
        Voter,
        lambda v: exists(
            Offset,
            lambda o: (
                (o > 0)
                & (o < s.replica[v].high_watermark)
                & (s.replica[v].log[o] > s.replica[v].log[o - 1])
            ),
        ),
    )


@machine.sometimes("CLUS-13")
def a_vote_comes_too_late(s: State) -> Bool:
    """A vote is on its way to a voter that has gone on to another epoch."""
    return exists(
        s.answers,
        lambda answer: answer.is_granted & (answer.epoch < s.replica[answer.candidate].epoch),
    )
