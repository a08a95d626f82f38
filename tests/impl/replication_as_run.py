"""The machine of replication with what a run has more: steps that take time are taken apart.

A replica follows a new leader before it has cut what differs, and cuts in several rounds; it
learns the high watermark also without records; it restarts, and its high watermark may be one of
before. The controller removes a member of the ISR without a new epoch, and a leader one that still
has all records, because both go by time. What two replicas agree on in one step of the machine is
compared here: the leader looks whether a fetch fits, and whether a member of the ISR has the same
record. No limit of the machine is given up: a wrong commit, a wrong member of the ISR, and a fetch
across epochs are none of its steps.

Clauses: REPL-01, REPL-05, REPL-07, REPL-11, REPL-12, ELEC-01, ELEC-03, ELEC-09.
"""

from model.areas.replication.claims import machine as replication
from model.areas.replication.state import (
    Broker,
    Epoch,
    Offset,
    State,
    agree_at,
    agree_below,
    controller_decides,
    end_of_common_log,
    follows_in_epoch,
    is_current_epoch,
    is_older,
    is_true_leader,
    leader_changes_isr,
    presumes_leadership,
)
from model.lang import (
    Bound,
    Map,
    Set,
    every,
    if_else,
    least_of,
    needs,
    no_element,
    none,
    set_of,
    some,
)


class AsRun(State):
    """The partition, and whom leaders of an epoch proposed to take into the ISR."""

    proposed: Map[Broker, Set[Broker]]


machine = replication.extended(AsRun).variant(
    "as-run",
    "replication with KIP-320 fencing, with what a run has more",
    without=(
        "controller_shrinks_isr",
        "leader_removes_replica_of_another_epoch",
        "leader_removes_lagging_replica",
    ),
)


# The controller


@machine.action("ELEC-01", "ELEC-03")
def controller_elects_leader(s: AsRun, broker: Broker) -> None:
    """The controller makes a member of the ISR the leader, perhaps the one of before."""
    needs(
        epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"),
        is_in_isr=s.controller.isr.has(broker),
    )
    controller_decides(s, some(broker), s.controller.isr)


@machine.action("ELEC-03")
def controller_leaves_no_leader(s: AsRun) -> None:
    """No member of the ISR is there to lead."""
    needs(epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"))
    controller_decides(s, none(Broker), s.controller.isr)


@machine.action("REPL-07", "REPL-08")
def broker_leaves_isr(s: AsRun, broker: Broker) -> None:
    """A broker is no more in sync, in the opinion of the controller or of the leader; the leader
    and the last one stay.
    """
    leader = s.controller.leader.value
    isr = s.controller.isr - set_of(broker)
    needs(
        is_in_isr=s.controller.isr.has(broker),
        is_not_the_leader=s.controller.leader != some(broker),
        is_not_the_last=s.controller.isr != set_of(broker),
    )
    s.replica[leader].isr = if_else(is_true_leader(s, leader), isr, s.replica[leader].isr)
    s.controller.isr = isr


# The leader


@machine.action("ELEC-03")
def replica_becomes_leader(s: AsRun, epoch: Epoch) -> None:
    """A replica learns that it leads, and who was in sync then, or is now."""
    notice = s.notice[epoch]
    me = s.replica[notice.leader.value]
    needs(
        names_a_leader=notice.leader.is_some,
        is_news=is_older(me.leader_epoch, epoch),
    )
    me.leader = notice.leader
    me.leader_epoch = some(epoch)
    me.isr = if_else(is_current_epoch(some(epoch), s.next_epoch), s.controller.isr, notice.isr)
    s.proposed[notice.leader.value] = no_element(Broker)


@machine.action("REPL-01")
def leader_advances_high_watermark(s: AsRun, leader: Broker) -> None:
    """All of the ISR have the record, the same one, and have followed this epoch at least."""
    me = s.replica[leader]
    needs(
        leader_has_the_record=me.high_watermark < me.log.length,
        isr_reached_this_epoch=every(
            me.isr, lambda b: ~is_older(s.replica[b].leader_epoch, me.leader_epoch.value)
        ),
        isr_has_the_record=every(me.isr, lambda b: agree_at(s, b, leader, me.high_watermark)),
    )
    me.high_watermark += 1


@machine.action("REPL-05")
def leader_proposes_follower(s: AsRun, leader: Broker, follower: Broker) -> None:
    """The leader, perhaps one of before, finds that a follower has all that may be committed: all
    below the high watermark, and all below the leader's own epoch.
    """
    me, other = s.replica[leader], s.replica[follower]
    needs(
        presumes_leadership=presumes_leadership(s, leader),
        reached_this_epoch=~is_older(other.leader_epoch, me.leader_epoch.value),
        reached_high_watermark=agree_below(s, follower, leader, me.high_watermark),
        reached_own_epoch=every(
            Offset,
            lambda o: (
                (o >= me.log.length)
                | (me.log[o].epoch == me.leader_epoch.value)
                | agree_at(s, follower, leader, o)
            ),
        ),
    )
    s.proposed[leader] |= set_of(follower)


@machine.action("REPL-05")
def leader_expands_isr(s: AsRun, leader: Broker, follower: Broker) -> None:
    """The controller accepts what its leader proposed."""
    me = s.replica[leader]
    needs(
        is_true_leader=is_true_leader(s, leader),
        is_proposed=s.proposed[leader].has(follower),
        is_not_in_isr=~me.isr.has(follower),
    )
    s.proposed[leader] -= set_of(follower)
    leader_changes_isr(s, leader, me.isr | set_of(follower))


# The follower


@machine.action("ELEC-09")
def replica_becomes_follower(s: AsRun, follower: Broker, epoch: Epoch) -> None:
    """A replica learns of a leader, and leaves its log for now as it is."""
    notice, me = s.notice[epoch], s.replica[follower]
    begins_anew = me.leader.is_none & (me.leader_epoch == some(epoch))
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=notice.leader != some(follower),
        is_news=is_older(me.leader_epoch, epoch) | begins_anew,
    )
    me.leader = notice.leader
    me.leader_epoch = some(epoch)
    me.isr = notice.isr


@machine.action("REPL-12")
def follower_truncates(s: AsRun, follower: Broker, leader: Broker, keep: Offset) -> None:
    """A follower cuts of what differs from its leader's log all, or some at the end."""
    me = s.replica[follower]
    needs(
        is_another=follower != leader,
        follows_this_epoch=follows_in_epoch(s, follower, leader),
        is_shorter=keep < me.log.length,
        keeps_what_agrees=keep >= end_of_common_log(s, follower, leader),
    )
    me.log.truncate(keep)
    me.high_watermark = least_of(keep, me.high_watermark)


@machine.action("REPL-11", "ELEC-09")
def follower_fetches(s: AsRun, follower: Broker, leader: Broker) -> None:
    """A follower in its leader's epoch, whose log fits, copies the next record."""
    me, other = s.replica[follower], s.replica[leader]
    needs(
        is_another=follower != leader,
        follows_this_epoch=follows_in_epoch(s, follower, leader),
        leader_has_more=me.log.length < other.log.length,
        log_fits=me.log.is_empty | (end_of_common_log(s, follower, leader) == me.log.length),
    )
    me.log.append(other.log[me.log.length])


@machine.action("REPL-11", "ELEC-09")
def follower_learns_high_watermark(
    s: AsRun, follower: Broker, leader: Broker, end: Offset
) -> None:
    """A follower whose log fits takes over a high watermark that its leader gave out."""
    me, other = s.replica[follower], s.replica[leader]
    needs(
        is_another=follower != leader,
        follows_this_epoch=follows_in_epoch(s, follower, leader),
        log_fits=me.log.is_empty | (end_of_common_log(s, follower, leader) == me.log.length),
        has_it=end <= me.log.length,
        is_given_out=end <= other.high_watermark,
    )
    me.high_watermark = end


@machine.action("REPL-13")
def replica_restarts(s: AsRun, broker: Broker, high_watermark: Offset) -> None:
    """A broker comes back with its log, knows no leader, and a high watermark of before."""
    me = s.replica[broker]
    needs(was_reached=high_watermark <= me.high_watermark)
    me.leader = none(Broker)
    me.high_watermark = high_watermark
