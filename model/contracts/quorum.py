"""What users of the metadata log may rely on, whatever the voters do: leaders, and what is
committed.

Each epoch has at most one leader. What is committed grows at its end and is never taken back, and
only the leader of the latest epoch in which something was committed adds to it. Hidden are votes,
replication and all that may still be lost.
Sources: chapter `cluster.md`, KIP-595. Clauses: CLUS-11, CLUS-12.
"""

from model.lang import (
    Bool,
    Bound,
    Machine,
    Map,
    Option,
    Range,
    Record,
    Seq,
    Sort,
    every,
    exists,
    implies,
    needs,
    some,
)


class Voter(Sort):
    """A controller that votes."""

    size = Bound("voters")


class Epoch(Range):
    """The number of an election; 0 before the first one."""

    low, high = 0, Bound("max_epoch")


class Offset(Range):
    """A position in the metadata log, or the end of one."""

    low, high = 0, Bound("log_size")


class Log(Seq[Epoch]):
    """A metadata log: of each record the epoch of the leader that wrote it, and nothing else."""

    capacity = Bound("log_size")


class State(Record):
    """Who was elected in each epoch, and what is committed."""

    elected: Map[Epoch, Option[Voter]]
    committed: Log


machine = Machine(
    "quorum-contract", State, "what users of the metadata log may rely on", "contract"
)


@machine.action("CLUS-11")
def voter_is_elected(s: State, voter: Voter, epoch: Epoch) -> None:
    """A voter becomes the leader of an epoch that has none."""
    needs(
        is_an_election=epoch > 0,
        has_no_leader=s.elected[epoch].is_none,
    )
    s.elected[epoch] = some(voter)


def may_follow(s: State, epoch: Epoch) -> Bool:
    """A record of this epoch may follow what is committed."""
    return s.committed.is_empty | (s.committed.last <= epoch)


@machine.action("CLUS-12")
def record_is_committed(s: State, epoch: Epoch) -> None:
    """A record of an elected leader is added at the end."""
    needs(
        log_has_room=s.committed.length < Bound("log_size"),
        goes_not_back=may_follow(s, epoch),
        is_of_a_leader=s.elected[epoch].is_some,
    )
    s.committed.append(epoch)


@machine.action("CLUS-12")
def two_records_are_committed(s: State, first: Epoch, last: Epoch) -> None:
    """Two records are added at once, the last of them of an elected leader: its high watermark
    passed both. (Logs of more than two records would need another action for more.)
    """
    needs(
        log_has_room=s.committed.length + 1 < Bound("log_size"),
        goes_not_back=may_follow(s, first),
        are_in_order=first <= last,
        is_of_a_leader=s.elected[last].is_some,
    )
    s.committed.append(first)
    s.committed.append(last)


@machine.always("CLUS-12", broken_by="record_is_committed.goes_not_back")
def epochs_of_committed_records_are_in_order(s: State) -> Bool:
    """No record of an earlier epoch follows one of a later epoch."""
    return every(
        Offset,
        lambda o: implies(
            (o > 0) & (o < s.committed.length), s.committed[o - 1] <= s.committed[o]
        ),
    )


@machine.sometimes("CLUS-11")
def a_later_leader_adds_to_an_earlier_ones_records(s: State) -> Bool:
    """Records of two epochs are committed."""
    return exists(
        Offset,
        lambda o: (o > 0) & (o < s.committed.length) & (s.committed[o - 1] < s.committed[o]),
    )


machine.proof("epochs_of_committed_records_are_in_order")

machine.scope("default", "as the quorum's own", states=100, voters=3, max_epoch=2, log_size=2)
machine.scope("tiny", "as the quorum's own", states=51, voters=2, max_epoch=2, log_size=2)
machine.scope("deep", "as the quorum's own", states=640, voters=3, max_epoch=3, log_size=2)
