"""A ghost for the proof of replication: a log of what was committed, and in which epoch.

This file decides what is kept in the ghost, and the words in which lemmas speak of it. It refuses
to know which lemmas there are. No guard reads the ghost, so the machine does what it did without.
The commit epoch of a record is the lowest epoch whose leader raised its high watermark over it: it
turns "nothing was committed in between" into one line.
"""

from collections.abc import Callable

from model.areas.replication.claims import machine as replication
from model.areas.replication.state import (
    Broker,
    Entry,
    Epoch,
    Notice,
    Offset,
    State,
    is_older,
    presumes_leadership,
)
from model.lang import Bool, Map, Record, every, exists, if_else, implies, least_of, some


class Commit(Record):
    """A committed record, and the lowest epoch whose leader raised its high watermark over it."""

    entry: Entry
    committed_in: Epoch


class GhostState(State):
    """The partition, and the log of what was committed: `committed` below `committed_end`."""

    committed: Map[Offset, Commit]
    committed_end: Offset


machine = replication.extended(GhostState)


@machine.also("leader_advances_high_watermark")
def record_is_committed(s: GhostState, leader: Broker) -> None:
    """The record under the high watermark is committed now, or was before."""
    me = s.replica[leader]
    offset, epoch = me.high_watermark, me.leader_epoch.value
    known, is_new = s.committed[offset], me.high_watermark >= s.committed_end
    entry = if_else(is_new, me.log[offset], known.entry)
    committed_in = if_else(is_new, epoch, least_of(known.committed_in, epoch))
    s.committed_end += if_else(is_new, Offset(1), Offset(0))
    s.committed[offset] = Commit(entry=entry, committed_in=committed_in)


# What the lemmas ask of a state.


def has_reached(s: GhostState, broker: Broker, epoch: Epoch) -> Bool:
    """The broker is in this epoch or in a later one."""
    return ~is_older(s.replica[broker].leader_epoch, epoch)


def has_passed(s: GhostState, broker: Broker, epoch: Epoch) -> Bool:
    """The broker is in a later epoch."""
    mine = s.replica[broker].leader_epoch
    return mine.is_some & (mine.value > epoch)


def is_issued(s: GhostState, epoch: Epoch) -> Bool:
    """The controller gave this epoch out."""
    return epoch < s.next_epoch


def is_last(s: GhostState, epoch: Epoch) -> Bool:
    """It is the last epoch that the controller gave out."""
    return epoch + 1 == s.next_epoch


def has_taken_office(s: GhostState, epoch: Epoch) -> Bool:
    """The notice of this epoch names a leader, who has reached the epoch."""
    return exists(Broker, lambda b: (s.notice[epoch].leader == some(b)) & has_reached(s, b, epoch))


def is_awaited(s: GhostState, epoch: Epoch) -> Bool:
    """The notice of this epoch names a leader, who has not reached the epoch."""
    return exists(
        Broker, lambda b: (s.notice[epoch].leader == some(b)) & ~has_reached(s, b, epoch)
    )


def holds(s: GhostState, broker: Broker, offset: Offset) -> Bool:
    """The broker has the record that was committed at this offset."""
    log = s.replica[broker].log
    return (offset < log.length) & (log[offset] == s.committed[offset].entry)


def every_commit(s: GhostState, claim: Callable[[Offset, Epoch], Bool]) -> Bool:
    """The claim holds for the offset and the commit epoch of all that was committed."""
    return every(
        Offset, lambda o: implies(o < s.committed_end, claim(o, s.committed[o].committed_in))
    )


def every_presumed_leader(s: GhostState, claim: Callable[[Broker, Epoch], Bool]) -> Bool:
    """The claim holds for all that believe they lead, and the epoch in which they do."""
    return every(
        Broker,
        lambda b: implies(presumes_leadership(s, b), claim(b, s.replica[b].leader_epoch.value)),
    )


def every_notice(s: GhostState, claim: Callable[[Epoch, Notice], Bool]) -> Bool:
    """The claim holds for all epochs that were given out."""
    return every(Epoch, lambda e: implies(is_issued(s, e), claim(e, s.notice[e])))
