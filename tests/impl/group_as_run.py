"""The machine of the classic group with what a run has more: a log, and who coordinates next.

What the coordinator knows of a group it writes to a log, and so does the next one: in a run an
assignment is proposed before it is given, since it must be stored first, and a coordinator that
takes over knows what was written, not what went on. A follower that joins a settled group again
is told its generation, without a rebalance. No limit of the machine is given up: nobody syncs,
is heard or commits under another generation than the group's, and who did not join is not in.

The log is as simple as can be: the last thing written, and the last that survives. When the one
becomes the other, and that a coordinator loses what did not survive, nobody sees (`HIDDEN`).

Clauses: GRPS-05, GRPS-06, GRPS-07, GRPS-14, GRPS-19.
"""

from model.areas.group.proof import machine as group
from model.areas.group.state import (
    Activity,
    Commit,
    Group,
    Phase,
    Standing,
    State,
    become,
    is_in_group,
    is_settled,
)
from model.contracts.group import Generation, Member
from model.lang import Option, Record, each, if_else, needs, none, some

HIDDEN = ("log_loses_what_does_not_survive", "log_replicates")


class Kept(Record):
    """What the log says of the group."""

    group: Group
    committed_by: Option[Member]


class AsRun(State):
    """A group, the log that a coordinator would load now, and what of it is sure to survive."""

    written: Kept
    stored: Kept


machine = group.extended(AsRun).variant(
    "as-run",
    "the classic group, with the log of its coordinators",
    without=("leader_assigns", "coordinator_accepts_commit"),
)


@machine.initial
def no_log(s: AsRun) -> None:
    s.group.phase = Phase.DEAD
    s.written.group.phase = Phase.DEAD
    s.stored.group.phase = Phase.DEAD


# The log


@machine.action("GRPS-19")
def log_replicates(s: AsRun) -> None:
    """What was written survives from now on."""
    needs(is_news=s.written != s.stored)
    s.stored = s.written


@machine.action("GRPS-19")
def log_loses_what_does_not_survive(s: AsRun) -> None:
    """The next coordinator has a log without what was written last."""
    needs(is_news=s.written != s.stored)
    s.written = s.stored


@machine.action("GRPS-05")
def coordinator_writes_empty_group(s: AsRun) -> None:
    """A group is there, or has lost its last member."""
    needs(has_no_members=(s.group.phase == Phase.DEAD) | (s.group.phase == Phase.EMPTY))
    s.group.phase = Phase.EMPTY
    s.written.group = Group(
        phase=Phase.EMPTY,
        generation=s.group.generation,
        leader=none(Member),
        standing=each(Member, lambda _: Standing.UNKNOWN),
        owner=none(Member),
    )


@machine.action("GRPS-19")
def another_coordinator_takes_over(s: AsRun) -> None:
    """It knows what is in the log: the last assignment, and the last commit."""
    s.group = s.written.group
    s.committed_by = s.written.committed_by


# The assignment


@machine.action("GRPS-06")
def leader_proposes(s: AsRun, leader: Member, owner: Member) -> None:
    """The leader's SyncGroup names who is to have the partition; the coordinator writes it."""
    needs(
        is_synchronising=s.client[leader].activity == Activity.SYNCING,
        is_the_leader=s.group.leader == some(leader),
        is_of_this_generation=s.client[leader].generation == s.group.generation,
        assignment_is_awaited=s.group.phase == Phase.COMPLETING_REBALANCE,
        owner_took_part=s.group.standing[owner] == Standing.JOINED,
    )
    took_part = each(
        Member,
        lambda m: if_else(
            s.group.standing[m] == Standing.JOINED, Standing.JOINED, Standing.UNKNOWN
        ),
    )
    s.written.group = Group(
        phase=Phase.STABLE,
        generation=s.group.generation,
        leader=some(leader),
        standing=took_part,
        owner=some(owner),
    )


@machine.action("GRPS-06")
def coordinator_gives_what_is_stored(s: AsRun) -> None:
    """What the leader of this generation proposed survives, so members may hear of it."""
    needs(
        assignment_is_awaited=s.group.phase == Phase.COMPLETING_REBALANCE,
        is_an_assignment=s.stored.group.phase == Phase.STABLE,
        is_of_this_generation=s.stored.group.generation == s.group.generation,
    )
    s.group.owner = s.stored.group.owner
    s.group.phase = Phase.STABLE


@machine.action("GRPS-06")
def coordinator_fails_to_store(s: AsRun) -> None:
    """The log does not take the assignment in time: all have to join again."""
    needs(assignment_is_awaited=s.group.phase == Phase.COMPLETING_REBALANCE)
    s.group.phase = Phase.PREPARING_REBALANCE


# Members


@machine.action("GRPS-05")
def member_is_told_its_generation_again(s: AsRun, member: Member) -> None:
    """Who joins a settled group again, and changed nothing, hears where it is; but the leader of
    a stable one begins a rebalance.
    """
    needs(
        is_settled=is_settled(s),
        took_part=s.group.standing[member] == Standing.JOINED,
        begins_no_rebalance=(s.group.phase != Phase.STABLE) | (s.group.leader != some(member)),
    )
    become(s, member, Activity.SYNCING, s.group.generation)


@machine.action("GRPS-07")
def coordinator_hears_member(s: AsRun, member: Member, generation: Generation) -> None:
    """A heartbeat is answered without error; all stays as it is."""
    needs(
        is_settled=is_settled(s),
        took_part=s.group.standing[member] == Standing.JOINED,
        is_of_this_generation=generation == s.group.generation,
    )
    s.group.standing[member] = Standing.JOINED


@machine.action("GRPS-10", "GRPS-11", commit=lambda s: s.commits)
def coordinator_accepts_commit(s: AsRun, commit: Commit) -> None:
    """A commit of a member of the current generation is written."""
    needs(
        is_of_a_member=is_in_group(s, commit.member),
        is_of_this_generation=commit.generation == s.group.generation,
        no_assignment_is_pending=s.group.phase != Phase.COMPLETING_REBALANCE,
    )
    s.commits.remove(commit)
    s.committed_by = some(commit.member)
    s.written.committed_by = some(commit.member)
