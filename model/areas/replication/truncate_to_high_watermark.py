"""The oldest design: a new follower cuts its log at its own high watermark, and no fetch carries
an epoch.

It loses committed records: a follower's high watermark is one round trip old, so it cuts records
that are committed, and if it is elected before it fetched them again they are gone (KAFKA-1211,
case 1 of KIP-101).
"""

from model.areas.replication.claims import machine as current
from model.areas.replication.state import (
    Broker,
    Epoch,
    Offset,
    State,
    copy_next_record,
    follow,
    is_older,
    is_true_leader,
    leader_changes_isr,
    presumes_leadership,
)
from model.lang import Bool, Bound, every, needs, set_of, some

machine = current.variant(
    "truncate-to-high-watermark",
    "replication before KIP-101",
    without=["leader_removes_replica_of_another_epoch"],
    isr_of_each_leader_holds_what_it_committed=9,
    committed_records_survive_election=9,
)


def is_following(s: State, follower: Broker, leader: Broker) -> Bool:
    """The follower takes this broker for its leader, in whatever epoch."""
    return s.replica[follower].leader == some(leader)


def has_caught_up(s: State, leader: Broker, follower: Broker, end: Offset) -> Bool:
    """The follower has as many records as the leader has below this end; nobody compares their
    epochs.
    """
    logs_reach = (end <= s.replica[leader].log.length) & (end <= s.replica[follower].log.length)
    return is_following(s, follower, leader) & ((end == 0) | logs_reach)


@machine.action("REPL-05")
def leader_expands_isr(s: State, leader: Broker, follower: Broker) -> None:
    """The leader proposes a follower that reached its high watermark."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_not_in_isr=~me.isr.has(follower),
        reached_high_watermark=has_caught_up(s, leader, follower, me.high_watermark),
    )
    leader_changes_isr(s, leader, me.isr | set_of(follower))


@machine.action("REPL-07")
def leader_removes_lagging_replica(s: State, leader: Broker, follower: Broker) -> None:
    """The leader takes a member out of the ISR that has not reached its log end."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_another=follower != leader,
        is_in_isr=me.isr.has(follower),
        lags=~has_caught_up(s, leader, follower, Offset.of(me.log.length)),
    )
    leader_changes_isr(s, leader, me.isr - set_of(follower))


@machine.action("REPL-01")
def leader_advances_high_watermark(s: State, leader: Broker) -> None:
    """The high watermark moves when every member of the ISR has the offset, in whatever epoch it
    follows.
    """
    me = s.replica[leader]
    needs(
        presumes_leadership=presumes_leadership(s, leader),
        is_an_offset=me.high_watermark < Bound("log_size"),
        isr_follows=every(me.isr, lambda b: is_following(s, b, leader)),
        isr_has_the_record=every(me.isr, lambda b: me.high_watermark < s.replica[b].log.length),
    )
    me.high_watermark += 1


@machine.action("REPL-12")
def replica_becomes_follower(s: State, follower: Broker, epoch: Epoch) -> None:
    """A replica sees a notice of another leader and cuts its log at its own high watermark."""
    notice, me = s.notice[epoch], s.replica[follower]
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=notice.leader.value != follower,
        is_news=is_older(me.leader_epoch, epoch),
    )
    follow(s, follower, epoch, me.high_watermark)


@machine.action("REPL-11")
def follower_fetches(s: State, follower: Broker, leader: Broker) -> None:
    """A follower copies the next record of a broker that both take for the leader."""
    needs(
        is_another=follower != leader,
        leader_presumes_leadership=presumes_leadership(s, leader),
        is_following=is_following(s, follower, leader),
        leader_has_more=s.replica[follower].log.length < s.replica[leader].log.length,
    )
    copy_next_record(s, follower, leader)
