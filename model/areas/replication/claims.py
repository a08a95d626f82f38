"""What holds of replication: its claims, what must be able to happen and what must come about, the
lemmas of its finite proofs, and the scopes.

The proof for numbers without limits is `proof`, the contract that clients see is `observed`.
"""

from model.areas.replication.state import (
    Broker,
    Epoch,
    Offset,
    State,
    agree_at,
    agree_below,
    follows_in_epoch,
    is_older,
    is_true_leader,
    presumes_leadership,
)
from model.areas.replication.steps import machine
from model.lang import (
    Bool,
    every,
    everything,
    exists,
    implies,
)

__all__ = ["machine"]


# What must hold.


def holds_what_is_committed(s: State, leader: Broker, member: Broker) -> Bool:
    """The member has all records below the leader's high watermark."""
    return agree_below(s, leader, member, s.replica[leader].high_watermark)


@machine.always("REPL-13", broken_by="leader_advances_high_watermark.isr_has_the_record")
def isr_of_each_leader_holds_what_it_committed(s: State) -> Bool:
    """All members of the ISR that a presumed leader knows hold all records below its high
    watermark (WeakIsr).
    """
    return every(
        Broker,
        lambda leader: implies(
            presumes_leadership(s, leader),
            every(s.replica[leader].isr, lambda m: holds_what_is_committed(s, leader, m)),
        ),
    )


@machine.always(
    "REPL-05", "REPL-13", broken_by="leader_expands_isr.high_watermark_reached_own_epoch"
)
def committed_records_survive_election(s: State) -> Bool:
    """All that may be elected hold all records below the high watermark of any presumed leader
    (StrongIsr).
    """
    return every(
        Broker,
        lambda leader: implies(
            presumes_leadership(s, leader),
            every(s.controller.isr, lambda m: holds_what_is_committed(s, leader, m)),
        ),
    )


@machine.always("ELEC-01", broken_by="controller_elects_leader.is_in_isr")
def leader_is_a_member_of_the_isr(s: State) -> Bool:
    """A leader that the controller appointed is in the ISR that the controller knows."""
    return implies(s.controller.leader.is_some, s.controller.isr.has(s.controller.leader.value))


@machine.always("REPL-08", broken_by="leader_removes_lagging_replica.is_true_leader")
def isr_of_the_true_leader_is_the_isr_of_the_controller(s: State) -> Bool:
    """The leader and the controller agree on the ISR while they agree on the leader."""
    return every(
        Broker,
        lambda b: implies(is_true_leader(s, b), s.replica[b].isr == s.controller.isr),
    )


@machine.always("REPL-01", broken_by="leader_advances_high_watermark.leader_has_the_record")
def high_watermark_is_within_the_log(s: State) -> Bool:
    """A high watermark never passes the end of its own log."""
    return every(Broker, lambda b: s.replica[b].high_watermark <= s.replica[b].log.length)


@machine.always("ELEC-03", broken_by="replica_becomes_leader.names_a_leader")
def replicas_follow_notices_that_were_issued(s: State) -> Bool:
    """A replica's epoch was given out, and its leader is the leader of that epoch."""
    return every(
        Broker,
        lambda b: implies(
            s.replica[b].leader_epoch.is_some,
            (s.replica[b].leader_epoch.value < s.next_epoch)
            & s.replica[b].leader.is_some
            & (s.replica[b].leader == s.notice[s.replica[b].leader_epoch.value].leader),
        ),
    )


@machine.always("REPL-12", broken_by="follower_fetches.follows_this_epoch")
def followers_in_their_leaders_epoch_are_prefixes_of_it(s: State) -> Bool:
    """A follower in its leader's epoch has the start of the leader's log."""
    return every(
        Broker,
        lambda leader: every(
            Broker,
            lambda b: implies(
                follows_in_epoch(s, b, leader),
                (s.replica[b].log.length <= s.replica[leader].log.length)
                & agree_below(s, b, leader, s.replica[b].log.length),
            ),
        ),
    )


@machine.always(
    "REPL-13", broken_by="leader_accepts_produce.presumes_leadership", broken_at="two-brokers"
)
def logs_that_share_a_record_share_all_before_it(s: State) -> Bool:
    """Two logs with the same record at an offset are equal below it (log matching)."""
    return every(
        Broker,
        lambda a: every(
            Broker,
            lambda b: every(
                Offset, lambda o: implies(agree_at(s, a, b, o), agree_below(s, a, b, o))
            ),
        ),
    )


# Lemmas: what the proofs need to know besides.


@machine.lemma
def an_epoch_that_was_not_given_out_has_no_leader(s: State) -> Bool:
    """The notices of later epochs name nobody."""
    return every(Epoch, lambda e: implies(e >= s.next_epoch, s.notice[e].leader.is_none))


@machine.lemma
def the_isr_stays_until_the_leader_takes_office(s: State) -> Bool:
    """Until the last notice reaches its leader, the controller has the ISR of that notice."""
    return every(
        Epoch,
        lambda e: implies(
            (e + 1 == s.next_epoch)
            & s.notice[e].leader.is_some
            & is_older(s.replica[s.notice[e].leader.value].leader_epoch, e),
            s.controller.isr == s.notice[e].isr,
        ),
    )


@machine.lemma
def records_are_of_epochs_and_identities_that_were_used(s: State) -> Bool:
    """A record's epoch is not above that of its replica, and its identity was given out."""
    return every(
        Broker,
        lambda b: every(
            Offset,
            lambda o: implies(
                o < s.replica[b].log.length,
                (s.replica[b].log[o].record_id < s.next_record_id)
                & s.replica[b].leader_epoch.is_some
                & (s.replica[b].log[o].epoch <= s.replica[b].leader_epoch.value),
            ),
        ),
    )


@machine.lemma
def leaders_of_followers_have_reached_their_epoch(s: State) -> Bool:
    """The leader that a replica follows is in the replica's epoch, or past it."""
    return every(
        Broker,
        lambda b: implies(
            s.replica[b].leader.is_some,
            ~is_older(
                s.replica[s.replica[b].leader.value].leader_epoch, s.replica[b].leader_epoch.value
            ),
        ),
    )


machine.proof("high_watermark_is_within_the_log")
machine.proof(
    "replicas_follow_notices_that_were_issued",
    by=["an_epoch_that_was_not_given_out_has_no_leader"],
)
ISR = [
    "replicas_follow_notices_that_were_issued",
    "an_epoch_that_was_not_given_out_has_no_leader",
    "the_isr_stays_until_the_leader_takes_office",
]
machine.proof("isr_of_the_true_leader_is_the_isr_of_the_controller", by=ISR)
machine.proof(
    "leader_is_a_member_of_the_isr",
    by=["isr_of_the_true_leader_is_the_isr_of_the_controller", *ISR],
)
LOGS = [
    "logs_that_share_a_record_share_all_before_it",
    "followers_in_their_leaders_epoch_are_prefixes_of_it",
    "records_are_of_epochs_and_identities_that_were_used",
    "leaders_of_followers_have_reached_their_epoch",
]
machine.proof("followers_in_their_leaders_epoch_are_prefixes_of_it", by=[LOGS[0], *LOGS[2:]])
machine.proof("logs_that_share_a_record_share_all_before_it", by=LOGS[1:])


# What must come about.


def is_settled(s: State, leader: Broker) -> Bool:
    """The leader's log is that of all replicas, all of it is committed, and all are in the ISR."""
    me = s.replica[leader]
    return (
        is_true_leader(s, leader)
        & (s.controller.isr == everything(Broker))
        & (me.high_watermark == me.log.length)
        & every(Broker, lambda b: s.replica[b].log == me.log)
    )


@machine.eventually(
    "REPL-05",
    "REPL-13",
    fair=[
        "replica_becomes_leader(epoch)",
        "replica_becomes_follower(follower)",
        "follower_fetches(follower)",
        "leader_advances_high_watermark(leader)",
        "leader_expands_isr(leader, follower)",
    ],
    broken_by="fair follower_fetches(follower)",
    broken_at="tiny",
)
def replicas_end_up_equal_once_leaders_change_no_more(s: State) -> Bool:
    """When the epochs of the scope are used up, the last leader's log comes to be that of all
    replicas, and committed; or there is no leader.
    """
    return s.controller.leader.is_none | exists(Broker, lambda b: is_settled(s, b))


# Witnesses: what must be able to happen.


@machine.sometimes("REPL-01")
def a_record_is_committed_in_a_later_epoch(s: State) -> Bool:
    """Some leader of a later epoch than the first has committed a record of its own."""
    return exists(
        Broker,
        lambda b: (
            presumes_leadership(s, b)
            & (s.replica[b].high_watermark > 0)
            & (s.replica[b].log[s.replica[b].high_watermark - 1].epoch > 0)
        ),
    )


@machine.sometimes("REPL-12")
def two_logs_differ_at_one_offset(s: State) -> Bool:
    """Two replicas hold different records at the start of their logs: truncation has something to
    do.
    """
    return exists(
        Broker,
        lambda a: exists(
            Broker,
            lambda b: (
                ~s.replica[a].log.is_empty
                & ~s.replica[b].log.is_empty
                & (s.replica[a].log[0] != s.replica[b].log[0])
            ),
        ),
    )


@machine.sometimes("ELEC-03")
def two_brokers_presume_leadership(s: State) -> Bool:
    """A leader that was replaced does not know it yet."""
    return exists(
        Broker,
        lambda a: exists(
            Broker,
            lambda b: (a != b) & presumes_leadership(s, a) & presumes_leadership(s, b),
        ),
    )


machine.scope(
    "default",
    why="a bug of two fast elections needs a third broker; two records; two later epochs",
    states=737_794,
    brokers=3,
    log_size=2,
    max_records=2,
    max_leader_epoch=2,
)
machine.scope(
    "two-brokers",
    why="two replicas with longer logs and one more epoch: what three brokers cannot afford",
    states=120_879,
    brokers=2,
    log_size=3,
    max_records=3,
    max_leader_epoch=3,
)
machine.scope(
    "tiny",
    why="small enough for slow readers: every state in a second",
    states=957,
    brokers=2,
    log_size=2,
    max_records=2,
    max_leader_epoch=1,
)
