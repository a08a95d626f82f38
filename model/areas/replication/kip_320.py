"""Replication of one partition with KIP-320 fencing: logs, ISR, high watermark, leader epochs.

Modelled: the controller that elects leaders and shrinks the ISR; the notices it sends, which a
replica may see late, never, or out of order; leaders that believe in their leadership after they
lost it; append, fetch, truncation, high watermark, ISR changes fenced by the controller.
Simplified: messages between replicas take no time: a fetch, its answer and what the leader learns
from it are one step, so guards of one replica look at another's log and epoch. Truncation compares
two logs record by record, where Kafka asks for the ends of epochs (REPL-12). An ISR change and its
write at the controller are one step, so the maximal ISR of REPL-01, with members that are only
proposed, never differs from the ISR. A crash is a replica that does nothing; logs are never
unflushed. A leader follows itself.
Not modelled: retention, configuration of min.insync.replicas, ELR (KIP-966), unclean election.
Source: KIP-101, KIP-279, KIP-320, and the published TLA+ model hachikuji/kafka-specification,
whose steps, verdicts and counts this machine reproduces; `quorum` is its word for what the
controller knows. Clauses: REPL-01, REPL-05, REPL-07, REPL-08, REPL-11, REPL-12, REPL-13, ELEC-01,
ELEC-03, ELEC-09.
"""

from model.areas.replication.state import (
    Broker,
    Entry,
    Epoch,
    Offset,
    RecordId,
    State,
    agree_at,
    agree_below,
    controller_decides,
    copy_next_record,
    end_of_common_log,
    follow,
    follows_in_epoch,
    is_older,
    is_true_leader,
    leader_changes_isr,
    presumes_leadership,
)
from model.lang import (
    Bool,
    Bound,
    Machine,
    every,
    everything,
    exists,
    if_else,
    implies,
    needs,
    none,
    set_of,
    some,
)

machine = Machine(
    "replication", State, "replication of a partition with KIP-320 fencing", "kip-320"
)


@machine.initial
def no_leader_and_empty_logs(s: State) -> None:
    s.quorum.isr = everything(Broker)


# The controller.


@machine.action("ELEC-01", "ELEC-03")
def controller_elects_leader(s: State, broker: Broker) -> None:
    """The controller makes another member of the ISR the leader, in a new epoch."""
    needs(
        epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"),
        member_of_isr=s.quorum.isr.has(broker),
        is_a_change=s.quorum.leader != some(broker),
    )
    controller_decides(s, some(broker), s.quorum.isr)


@machine.action("REPL-08")
def controller_shrinks_isr(s: State, broker: Broker) -> None:
    """The controller takes a failed broker out of the ISR; a leader loses its office, the last
    member stays.
    """
    led = s.quorum.leader == some(broker)
    needs(
        epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"),
        leads_or_is_in_isr=led | s.quorum.isr.has(broker),
    )
    smaller = s.quorum.isr - set_of(broker)
    isr = if_else(led & (s.quorum.isr == set_of(broker)), s.quorum.isr, smaller)
    controller_decides(s, if_else(led, none(Broker), s.quorum.leader), isr)


# The leader.


@machine.action("ELEC-03")
def replica_becomes_leader(s: State, epoch: Epoch) -> None:
    """A replica sees the notice that makes it leader; its high watermark is what it was."""
    notice = s.notice[epoch]
    me = s.replica[notice.leader.value]
    needs(
        names_a_leader=notice.leader.is_some,
        is_news=is_older(me.leader_epoch, epoch),
    )
    me.leader = notice.leader
    me.leader_epoch = some(epoch)
    me.isr = notice.isr


@machine.action("REPL-13")
def leader_accepts_produce(s: State, leader: Broker) -> None:
    """A broker that believes it leads appends a new record, stamped with its epoch."""
    me = s.replica[leader]
    needs(
        presumes_leadership=presumes_leadership(s, leader),
        records_are_left=s.next_record_id < Bound("max_records"),
        log_has_room=me.log.length < Bound("log_size"),
    )
    me.log.append(Entry(record_id=RecordId.of(s.next_record_id), epoch=me.leader_epoch.value))
    s.next_record_id += 1


@machine.action("REPL-01")
def leader_advances_high_watermark(s: State, leader: Broker) -> None:
    """The high watermark moves when all of the ISR follows this epoch and has the record."""
    me = s.replica[leader]
    needs(
        leader_has_the_record=me.high_watermark < me.log.length,
        isr_follows_this_epoch=every(me.isr, lambda b: follows_in_epoch(s, b, leader)),
        isr_has_the_record=every(me.isr, lambda b: me.high_watermark < s.replica[b].log.length),
    )
    me.high_watermark += 1


@machine.action("REPL-05")
def leader_expands_isr(s: State, leader: Broker, follower: Broker) -> None:
    """The leader proposes a follower that has all that may be committed, its own epoch's start
    included.
    """
    me, other = s.replica[leader], s.replica[follower]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_not_in_isr=~me.isr.has(follower),
        follows_this_epoch=follows_in_epoch(s, follower, leader),
        reached_high_watermark=other.log.length >= me.high_watermark,
        high_watermark_reached_own_epoch=(me.high_watermark == me.log.length)
        | (
            (me.high_watermark < me.log.length)
            & (me.log[me.high_watermark].epoch == me.leader_epoch.value)
        ),
    )
    leader_changes_isr(s, leader, me.isr | set_of(follower))


@machine.action("REPL-08")
def leader_removes_replica_of_another_epoch(s: State, leader: Broker, follower: Broker) -> None:
    """The leader takes a member out of the ISR that does not follow its epoch."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_another=follower != leader,
        is_in_isr=me.isr.has(follower),
        follows_no_more=~follows_in_epoch(s, follower, leader),
    )
    leader_changes_isr(s, leader, me.isr - set_of(follower))


@machine.action("REPL-07")
def leader_removes_lagging_replica(s: State, leader: Broker, follower: Broker) -> None:
    """The leader takes a member out of the ISR that lacks records."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_another=follower != leader,
        is_in_isr=me.isr.has(follower),
        lags=s.replica[follower].log.length < me.log.length,
    )
    leader_changes_isr(s, leader, me.isr - set_of(follower))


# The follower.


@machine.action("REPL-12", "ELEC-09")
def replica_becomes_follower(s: State, follower: Broker, epoch: Epoch) -> None:
    """A replica sees a notice of another leader, asks that leader in the same epoch, and cuts what
    differs.
    """
    notice, me = s.notice[epoch], s.replica[follower]
    leader = notice.leader.value
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=leader != follower,
        is_news=is_older(me.leader_epoch, epoch),
        leader_presumes_leadership=presumes_leadership(s, leader),
        leader_reached_this_epoch=s.replica[leader].leader_epoch == some(epoch),
    )
    follow(s, follower, epoch, end_of_common_log(s, leader, follower))


@machine.action("REPL-11", "ELEC-09")
def follower_fetches(s: State, follower: Broker, leader: Broker) -> None:
    """A follower in its leader's epoch copies the next record and learns the high watermark."""
    needs(
        is_another=follower != leader,
        follows_this_epoch=follows_in_epoch(s, follower, leader),
        leader_has_more=s.replica[follower].log.length < s.replica[leader].log.length,
    )
    copy_next_record(s, follower, leader)


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
            every(s.quorum.isr, lambda m: holds_what_is_committed(s, leader, m)),
        ),
    )


@machine.always("ELEC-01", broken_by="controller_elects_leader.member_of_isr")
def leader_is_a_member_of_the_isr(s: State) -> Bool:
    """A leader that the controller appointed is in the ISR that the controller knows."""
    return implies(s.quorum.leader.is_some, s.quorum.isr.has(s.quorum.leader.value))


@machine.always("REPL-08", broken_by="leader_removes_lagging_replica.is_true_leader")
def isr_of_the_true_leader_is_the_isr_of_the_controller(s: State) -> Bool:
    """The leader and the controller agree on the ISR while they agree on the leader."""
    return every(
        Broker,
        lambda b: implies(is_true_leader(s, b), s.replica[b].isr == s.quorum.isr),
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
            s.quorum.isr == s.notice[e].isr,
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
        & (s.quorum.isr == everything(Broker))
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
    return s.quorum.leader.is_none | exists(Broker, lambda b: is_settled(s, b))


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
