"""Replication of one partition with KIP-320 fencing: logs, ISR, high watermark, leader epochs.

Modelled: the controller that elects leaders and shrinks the ISR; the notices it sends, which a
replica may see late, never, or out of order; leaders that believe in their leadership after they
lost it; append, fetch, truncation, high watermark, ISR changes fenced by the controller.
Simplified: messages between replicas take no time: a fetch, its answer and what the leader learns
from it are one step, so guards of one replica look at another's log and epoch. Truncation compares
two logs record by record, where Kafka asks for the ends of epochs (REPL-12). An ISR change and its
write at the controller are one step, so the maximal ISR of REPL-01, with members that are only
proposed, never differs from the ISR. A crash is a replica that does nothing, and a broker may be
held for failed or lagging at any moment: no time is measured. Logs are never unflushed. A follower
learns the high watermark only with a record, and takes over a lower one. A leader follows itself.
Not modelled: retention, configuration of min.insync.replicas, ELR (KIP-966), unclean election.
Source: KIP-101, KIP-279, KIP-320, and the published TLA+ model hachikuji/kafka-specification,
whose steps, verdicts and counts this machine reproduces; what it calls the quorum's state is
`controller` here. How to read a machine: `model/README.md`. Clauses: REPL-01, REPL-05, REPL-07,
REPL-08, REPL-11, REPL-12, REPL-13, ELEC-01, ELEC-03, ELEC-09.
"""

from model.areas.replication.state import (
    Broker,
    Entry,
    Epoch,
    RecordId,
    State,
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
    Bound,
    Machine,
    every,
    everything,
    if_else,
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
    s.controller.isr = everything(Broker)


# The controller.


@machine.action("ELEC-01", "ELEC-03")
def controller_elects_leader(s: State, broker: Broker) -> None:
    """The controller makes another member of the ISR the leader, in a new epoch."""
    needs(
        epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"),
        is_in_isr=s.controller.isr.has(broker),
        is_a_change=s.controller.leader != some(broker),
    )
    controller_decides(s, some(broker), s.controller.isr)


@machine.action("REPL-08")
def controller_shrinks_isr(s: State, broker: Broker) -> None:
    """The controller takes a broker out of the ISR; a leader loses its office, but stays in an ISR
    of which it is the only member.
    """
    led = s.controller.leader == some(broker)
    needs(
        epochs_are_left=s.next_epoch <= Bound("max_leader_epoch"),
        leads_or_is_in_isr=led | s.controller.isr.has(broker),
    )
    smaller = s.controller.isr - set_of(broker)
    isr = if_else(led & (s.controller.isr == set_of(broker)), s.controller.isr, smaller)
    controller_decides(s, if_else(led, none(Broker), s.controller.leader), isr)


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
    """The high watermark moves when all of the ISR, the leader among them, follows this epoch and
    has the record.
    """
    me = s.replica[leader]
    needs(
        leader_has_the_record=me.high_watermark < me.log.length,
        isr_follows_this_epoch=every(me.isr, lambda b: follows_in_epoch(s, b, leader)),
        isr_has_the_record=every(me.isr, lambda b: me.high_watermark < s.replica[b].log.length),
    )
    me.high_watermark += 1


@machine.action("REPL-05")
def leader_expands_isr(s: State, leader: Broker, follower: Broker) -> None:
    """The leader takes a follower into the ISR that has all that may be committed. What a new
    leader has for the high watermark may be old, so it must have reached the own epoch.
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
