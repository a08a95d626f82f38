"""What clients may observe of one partition, however many replicas keep it: its committed log.

A record is committed when its producer may be told so (`acks` -1) and readers may be given it.
From then on it stays at its offset, before whatever is committed later, whoever leads. How much of
it a reader is given at a moment may go back when the leader changes, since the next one may not
know yet how far the high watermark was; what is given is always a beginning of the same log.
Hidden are the steps by which readers see more or less (`HIDDEN`); a record becomes committed in
the sight of its producer. Records that were appended and are not committed are nobody's to see.
Refuses to know: replicas, elections, unclean ones among them, retention, and acks 0 and 1, which
promise nothing that outlives the leader.
Clauses: ACKS-05, ACKS-10, REPL-01, REPL-04, REPL-13, RECB-02, ELEC-03.
"""

from typing import Final

from model.areas.replication.state import Entry, Epoch, Log, Offset, RecordId
from model.lang import Bool, Bound, Machine, Record, every, exists, implies, needs


class PartitionLog(Record):
    """The committed log, and the offset below which readers are given its records."""

    committed: Log
    readable: Offset


machine = Machine("partition-log", PartitionLog, "what clients see of a partition", "contract")

HIDDEN: Final = ("readers_see_more", "readers_see_less")


@machine.initial
def nothing_is_committed(s: PartitionLog) -> None:
    s.readable = Offset(0)


@machine.action("ACKS-05", "ACKS-10", "REPL-13")
def record_is_committed(s: PartitionLog, record_id: RecordId, epoch: Epoch) -> None:
    """The next record of the log is committed; the leader that commits it gives it to readers."""
    needs(
        has_room=s.committed.length < Bound("log_size"),
        is_new=~exists(
            Offset, lambda o: (o < s.committed.length) & (s.committed[o].record_id == record_id)
        ),
        epochs_go_up=s.committed.is_empty | (s.committed.last.epoch <= epoch),
    )
    s.committed.append(Entry(record_id=record_id, epoch=epoch))
    s.readable = Offset.of(s.committed.length)


@machine.action("REPL-04")
def readers_see_more(s: PartitionLog, end: Offset) -> None:
    """A leader learns, or finds again, that more of the log is committed."""
    needs(is_more=s.readable < end, is_committed=end <= s.committed.length)
    s.readable = end


@machine.action("REPL-01")
def readers_see_less(s: PartitionLog, end: Offset) -> None:
    """The leader that gave most is no more; another does not know yet how much is committed."""
    needs(is_less=end < s.readable)
    s.readable = end


@machine.always("REPL-04", broken_by="readers_see_more.is_committed")
def readers_see_only_what_is_committed(s: PartitionLog) -> Bool:
    """Nobody is given a record that is not committed."""
    return s.readable <= s.committed.length


@machine.always("REPL-13", broken_by="record_is_committed.is_new")
def a_record_is_committed_at_one_offset(s: PartitionLog) -> Bool:
    """No two offsets hold the same record."""
    return every(
        Offset,
        lambda one: every(
            Offset,
            lambda two: implies(
                (one < two) & (two < s.committed.length),
                s.committed[one].record_id != s.committed[two].record_id,
            ),
        ),
    )


@machine.always("RECB-02", "ELEC-03", broken_by="record_is_committed.epochs_go_up")
def leader_epochs_go_up_along_the_log(s: PartitionLog) -> Bool:
    """No record has an older leader epoch than the one before it."""
    return every(
        Offset,
        lambda o: implies(
            (o > 0) & (o < s.committed.length),
            s.committed[o - 1].epoch <= s.committed[o].epoch,
        ),
    )


@machine.sometimes("REPL-01")
def readers_see_nothing_of_what_is_committed(s: PartitionLog) -> Bool:
    """After a change of leader the committed log is there and nobody is given it yet."""
    return (s.readable == 0) & (s.committed.length == Bound("log_size"))


@machine.sometimes("ACKS-10")
def records_of_two_leaders_are_committed(s: PartitionLog) -> Bool:
    """The log goes on under another leader."""
    return (s.committed.length > 1) & (s.committed[0].epoch < s.committed.last.epoch)


machine.proof("readers_see_only_what_is_committed")
machine.proof("a_record_is_committed_at_one_offset")
machine.proof("leader_epochs_go_up_along_the_log")

machine.scope(
    "default",
    why="that of replication, as seen by clients",
    states=49,
    log_size=2,
    max_records=2,
    max_leader_epoch=2,
)
machine.scope(
    "longer",
    why="a record between two others; more leaders than records",
    states=12_341,
    log_size=4,
    max_records=4,
    max_leader_epoch=4,
)
