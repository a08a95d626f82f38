"""Replication as clients see it: the contract of a partition's log, and how each design keeps it.

A replica forgets what was committed: a leader that loses its office takes over the high watermark
of the next one, which may be lower, so the state alone does not say what clients have seen. So the
machine gets one field more, which no action reads: the log that leaders have given out. It is what
some leader held below its high watermark, and it becomes the log of another leader where that one
gives out more, or something else. In a sound design it only grows; a design that loses committed
records replaces them, and that is a step which the contract does not have.
Clauses: ACKS-10, REPL-13.
"""

from typing import Any

from model.areas.replication.claims import machine as current
from model.areas.replication.state import (
    Broker,
    Epoch,
    Log,
    Offset,
    Replica,
    State,
    presumes_leadership,
)
from model.contracts.partition_log import PartitionLog
from model.contracts.partition_log import machine as partition_log
from model.lang import Bool, Machine, every, exists, if_else, implies, largest


class Observed(State):
    """The partition, and what its leaders have given out so far."""

    given: Log


def observed(design: Machine[Any]) -> Machine[Observed]:
    """A design of replication with what clients have seen of it, and the contract that it keeps
    or breaks.
    """
    machine = design.extended(Observed)

    @machine.also("leader_advances_high_watermark")
    def leader_gives_one_record_more(s: Observed, leader: Broker) -> None:
        me = s.replica[leader]
        give(s, me, me.high_watermark + 1)

    @machine.also("replica_becomes_leader")
    def new_leader_gives_what_it_knows(s: Observed, epoch: Epoch) -> None:
        me = s.replica[s.notice[epoch].leader.value]
        give(s, me, me.high_watermark)

    @machine.refines(partition_log)
    def seen_by_clients(s: Observed) -> PartitionLog:
        """Committed is what leaders have given out; readable is what the one that knows most of
        those who take themselves for the leader gives out now.
        """
        return PartitionLog(committed=s.given, readable=readable(s))

    return machine


def give(s: Observed, leader: Replica, end: Offset) -> None:
    """A leader gives out its log below an offset: only news if nobody gave it out before."""
    known = every(Offset, lambda o: implies(o < end, is_given(s, leader, o)))
    s.given = if_else(known, s.given, leader.log.upto(end))


def is_given(s: Observed, leader: Replica, offset: Offset) -> Bool:
    """The leader's record at an offset is the one that was given out there."""
    return (offset < s.given.length) & (s.given[offset] == leader.log[offset])


def readable(s: Observed) -> Offset:
    """The greatest high watermark of those who take themselves for the leader; 0 without one."""
    return largest(
        Offset,
        lambda end: exists(
            Broker, lambda b: presumes_leadership(s, b) & (s.replica[b].high_watermark == end)
        ),
        otherwise=Offset(0),
    )


machine = observed(current)
