"""What replication speaks of: brokers, epochs, logs, notices, and the state of one partition.

This file decides the shape of a state and the words for what holds in it. It refuses to know
which steps there are: that is `replication` and the historical designs, one file each.
"""

from model.lang import (
    Bool,
    Bound,
    Map,
    Option,
    Range,
    Record,
    Seq,
    Set,
    Sort,
    every,
    implies,
    largest,
    least_of,
    some,
)


class Broker(Sort):
    """A broker that holds a replica of the partition."""

    size = Bound("brokers")


class Offset(Range):
    """A position in a log, or the end of one."""

    low, high = 0, Bound("log_size")


class Epoch(Range):
    """A leader epoch that the controller may give out."""

    low, high = 0, Bound("max_leader_epoch")


class NextEpoch(Range):
    """The leader epoch that comes next; one more than the last when all are used up."""

    low, high = 0, Bound("max_leader_epoch") + 1


class RecordId(Range):
    """The identity of a record; each one is written once."""

    low, high = 0, Bound("max_records") - 1


class NextRecordId(Range):
    """The identity that the next record gets."""

    low, high = 0, Bound("max_records")


class Entry(Record):
    """A record in a log, stamped with the epoch of the leader that appended it."""

    record_id: RecordId
    epoch: Epoch


class Log(Seq[Entry]):
    """The log of one replica."""

    capacity = Bound("log_size")


class Replica(Record):
    """What one broker knows of the partition."""

    leader: Option[Broker]
    leader_epoch: Option[Epoch]
    isr: Set[Broker]
    high_watermark: Offset
    log: Log


class Notice(Record):
    """What the controller decided in one epoch, and tells the replicas (LeaderAndIsr, or the
    metadata log).
    """

    leader: Option[Broker]
    isr: Set[Broker]


class State(Record):
    """The partition: its replicas, what the controller knows, and what is on its way."""

    replica: Map[Broker, Replica]
    controller: Notice
    notice: Map[Epoch, Notice]
    next_epoch: NextEpoch
    next_record_id: NextRecordId


# What actions and properties ask of a state.


def presumes_leadership(s: State, broker: Broker) -> Bool:
    """The broker believes that it leads; it may be wrong."""
    return s.replica[broker].leader == some(broker)


def is_true_leader(s: State, broker: Broker) -> Bool:
    """The broker believes that it leads, and the controller agrees, epoch included."""
    return (
        (s.controller.leader == some(broker))
        & presumes_leadership(s, broker)
        & is_current_epoch(s.replica[broker].leader_epoch, s.next_epoch)
    )


def is_current_epoch(epoch: Option[Epoch], following: NextEpoch) -> Bool:
    """The epoch is the last one given out when `following` is the next."""
    return epoch.is_some & (epoch.value + 1 == following)


def is_older(epoch: Option[Epoch], other: Epoch) -> Bool:
    """A replica in this epoch, or in none yet, has not reached the other."""
    return epoch.is_none | (epoch.value < other)


def follows_in_epoch(s: State, follower: Broker, leader: Broker) -> Bool:
    """Both agree that the leader leads, and in which epoch."""
    return (
        presumes_leadership(s, leader)
        & (s.replica[follower].leader == some(leader))
        & (s.replica[follower].leader_epoch == s.replica[leader].leader_epoch)
    )


def agree_at(s: State, one: Broker, other: Broker, offset: Offset) -> Bool:
    """Both logs hold the same record at this offset."""
    left, right = s.replica[one].log, s.replica[other].log
    return (offset < left.length) & (offset < right.length) & (left[offset] == right[offset])


def agree_below(s: State, one: Broker, other: Broker, end: Range) -> Bool:
    """Both logs hold the same records at all offsets below this end."""
    return every(Offset, lambda o: implies(o < end, agree_at(s, one, other, o)))


def end_of_common_log(s: State, one: Broker, other: Broker) -> Offset:
    """One past the last offset at which both logs hold the same record; 0 where there is none."""
    return largest(
        Offset, lambda end: (end > 0) & agree_at(s, one, other, end - 1), otherwise=Offset(0)
    )


# Updates that several designs share.


def controller_decides(s: State, leader: Option[Broker], isr: Set[Broker]) -> None:
    """The next epoch begins with this leader and ISR, and a notice of it is on its way."""
    epoch = Epoch.of(s.next_epoch)
    s.notice[epoch] = Notice(leader=leader, isr=isr)
    s.controller.leader = leader
    s.controller.isr = isr
    s.next_epoch += 1


def leader_changes_isr(s: State, leader: Broker, isr: Set[Broker]) -> None:
    """The controller accepts an ISR change of the leader (AlterPartition); the epoch stays."""
    s.replica[leader].isr = isr
    s.controller.isr = isr


def follow(s: State, follower: Broker, epoch: Epoch, keep: Offset) -> None:
    """The replica follows the leader of this notice and keeps its log below an offset."""
    notice, me = s.notice[epoch], s.replica[follower]
    me.high_watermark = least_of(keep, me.high_watermark)
    me.log.truncate(keep)
    me.leader = notice.leader
    me.leader_epoch = some(epoch)
    me.isr = notice.isr


def copy_next_record(s: State, follower: Broker, leader: Broker) -> None:
    """One record goes from the leader's log to the follower's, and the high watermark with it."""
    me, source = s.replica[follower], s.replica[leader]
    me.log.append(source.log[me.log.length])
    me.high_watermark = least_of(source.high_watermark, me.log.length)
