"""The first try at KIP-320: followers fetch at once and cut their logs only when the leader finds
a mismatch.

The fetch says the epoch of the follower's last record, but not the epoch that the follower is in.
So a leader raises its high watermark on the word of a follower that sits in an older epoch and
cuts that record later: for a while a committed record is on too few replicas, and an election
loses it. Shipped code met a cousin of this: KAFKA-13141.
"""

from model.areas.replication.claims import machine as current
from model.areas.replication.state import (
    Broker,
    Epoch,
    Offset,
    State,
    copy_next_record,
    end_of_common_log,
    follow,
    is_older,
    is_true_leader,
    leader_changes_isr,
    presumes_leadership,
)
from model.lang import Bool, every, least_of, needs, set_of, some

machine = current.variant(
    "kip-320-first-try",
    "the first try at KIP-320",
    without=["leader_removes_replica_of_another_epoch"],
    isr_of_each_leader_holds_what_it_committed=12,
    committed_records_survive_election=13,
    followers_in_their_leaders_epoch_are_prefixes_of_it=7,
)


def has_caught_up(s: State, leader: Broker, follower: Broker, end: Offset) -> Bool:
    """The follower takes this broker for its leader, and their records just below this end are of
    one epoch.
    """
    mine, other = s.replica[leader].log, s.replica[follower].log
    same_epoch = (
        (end <= mine.length)
        & (end <= other.length)
        & (mine[end - 1].epoch == other[end - 1].epoch)
    )
    return (
        presumes_leadership(s, leader)
        & (s.replica[follower].leader == some(leader))
        & ((end == 0) | same_epoch)
    )


@machine.action("REPL-05")
def leader_expands_isr(s: State, leader: Broker, follower: Broker) -> None:
    """The leader proposes a follower that agrees with it just below the high watermark."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_not_in_isr=~me.isr.has(follower),
        reached_high_watermark=has_caught_up(s, leader, follower, me.high_watermark),
        high_watermark_reached_own_epoch=(me.high_watermark == me.log.length)
        | (
            (me.high_watermark < me.log.length)
            & (me.log[me.high_watermark].epoch == me.leader_epoch.value)
        ),
    )
    leader_changes_isr(s, leader, me.isr | set_of(follower))


@machine.action("REPL-07")
def leader_removes_lagging_replica(s: State, leader: Broker, follower: Broker) -> None:
    """The leader takes a member out of the ISR that does not agree with it at its log end."""
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
    """The high watermark moves when every member of the ISR has the record, in the leader's epoch
    of that record.
    """
    me = s.replica[leader]
    needs(
        presumes_leadership=presumes_leadership(s, leader),
        leader_has_the_record=me.high_watermark < me.log.length,
        isr_has_the_record=every(
            me.isr, lambda b: has_caught_up(s, leader, b, me.high_watermark + 1)
        ),
    )
    me.high_watermark += 1


@machine.action("REPL-12")
def replica_becomes_follower(s: State, follower: Broker, epoch: Epoch) -> None:
    """A replica sees a notice of another leader and follows it with its log as it is."""
    notice, me = s.notice[epoch], s.replica[follower]
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=notice.leader.value != follower,
        is_news=is_older(me.leader_epoch, epoch),
    )
    follow(s, follower, epoch, Offset.of(me.log.length))


@machine.action("REPL-11")
def follower_fetches(s: State, follower: Broker, leader: Broker) -> None:
    """A follower copies the next record where the records before it are of one epoch."""
    end = Offset.of(s.replica[follower].log.length)
    needs(
        is_another=follower != leader,
        agrees_at_its_end=has_caught_up(s, leader, follower, end),
        leader_has_more=end < s.replica[leader].log.length,
    )
    copy_next_record(s, follower, leader)


@machine.action("REPL-12")
def follower_truncates(s: State, follower: Broker, leader: Broker) -> None:
    """A follower whose last record does not fit its leader's log cuts what differs, whenever it
    finds out.
    """
    me, source = s.replica[follower], s.replica[leader]
    end = me.log.length
    keep = end_of_common_log(s, leader, follower)
    needs(
        leader_presumes_leadership=presumes_leadership(s, leader),
        is_following=me.leader == some(leader),
        last_record_does_not_fit=(end > source.log.length)
        | ((end > 0) & (source.log[end - 1].epoch != me.log[end - 1].epoch)),
    )
    me.high_watermark = least_of(keep, me.high_watermark)
    me.log.truncate(keep)
