"""What members may rely on, whatever protocol a group uses: one partition of one group.

In each generation the partition is given to at most one member; nobody else holds it, and only
that member's commits count. Hidden are the phases, timeouts and requests by which a group finds a
generation. A member that was removed is no longer part of the group; what it believes is its own
affair, and so the contract says only that its commits do not count.
Sources: chapters `groups.md` and `consumer.md`. Clauses: GRPS-05, GRPS-06, GRPS-10, GRPS-17.
"""

from model.lang import (
    Bool,
    Bound,
    Machine,
    Option,
    Range,
    Record,
    Set,
    Sort,
    every,
    exists,
    needs,
    no_element,
    none,
    set_of,
    some,
)


class Member(Sort):
    """One life of a consumer under one member id; after a crash it comes back as another member.

    An id that nobody remembers any more is as good as a new one.
    """

    size = Bound("members")


class Generation(Range):
    """The number of a completed rebalance; 0 before the first one."""

    low, high = 0, Bound("max_generation")


class State(Record):
    """To whom this generation gave the partition, who holds it, and whose commit is stored."""

    generation: Generation
    owner: Option[Member]
    holders: Set[Member]
    committed_by: Option[Member]


machine = Machine("group-contract", State, "what members of a group may rely on", "contract")


@machine.initial
def nothing_is_given(s: State) -> None:
    s.generation = Generation(0)


@machine.action("GRPS-05")
def generation_begins(s: State) -> None:
    """A rebalance completes: whoever had the partition has it no more."""
    needs(generations_are_left=s.generation < Bound("max_generation"))
    s.generation += 1
    s.owner = none(Member)
    s.holders = no_element(Member)


@machine.action("GRPS-06")
def partition_is_given(s: State, member: Member) -> None:
    """The partition is given to a member, once in a generation."""
    needs(is_not_given=s.owner.is_none)
    s.owner = some(member)


@machine.action("GRPS-06")
def member_takes_partition(s: State, member: Member) -> None:
    """A member learns that the partition is its own."""
    needs(is_the_owner=s.owner == some(member))
    s.holders |= set_of(member)


@machine.action("GRPS-05")
def member_gives_up_partition(s: State, member: Member) -> None:
    """A member lets go of the partition, or is removed from the group."""
    needs(holds_it=s.holders.has(member))
    s.holders -= set_of(member)


@machine.action("GRPS-10")
def commit_is_stored(s: State, member: Member) -> None:
    """A commit of the owner takes the place of the last one."""
    needs(is_of_the_owner=s.owner == some(member))
    s.committed_by = some(member)


@machine.action("GRPS-17")
def group_is_deleted(s: State) -> None:
    """A group that nobody uses is deleted with its commits; generations begin anew."""
    needs(is_not_given=s.owner.is_none)
    s.generation = Generation(0)
    s.committed_by = none(Member)


@machine.always("GRPS-06", broken_by="member_takes_partition.is_the_owner")
def only_the_owner_holds_the_partition(s: State) -> Bool:
    """Whoever holds the partition is the one to whom this generation gave it."""
    return every(s.holders, lambda m: s.owner == some(m))


@machine.sometimes("GRPS-10")
def a_commit_outlives_its_owner(s: State) -> Bool:
    """The partition has another owner than the one whose commit is stored."""
    return exists(s.holders, lambda m: s.committed_by.is_some & (s.committed_by != some(m)))


machine.proof("only_the_owner_holds_the_partition")

machine.scope("default", "as the group's own", states=69, members=3, max_generation=2)
machine.scope("tiny", "as the group's own", states=39, members=2, max_generation=2)
machine.scope("deep", "as the group's own", states=107, members=4, max_generation=2)
