"""How the classic consumer group is shown to be right: mutants that its claims catch, proofs for
runs of any length, what happens sooner or later, and the contract that it keeps.

The argument in words. Nobody owns the partition while the assignment is awaited, for whoever took
part gave it up before joining again and whoever did not is out; then the leader gives it once. A
commit that names the current generation can only have been sent by that owner.
"""

from model.areas.group.state import (
    Activity,
    Phase,
    Standing,
    State,
    begin_rebalance,
    complete_rebalance,
    is_in_group,
    is_settled,
    knows_its_generation,
    may_rebalance,
    presumes_ownership,
    waits,
)
from model.areas.group.steps import machine, may_lead
from model.contracts import group as contract
from model.contracts.group import Member
from model.lang import Bool, Bound, each, every, if_else, implies, leads_to, needs, some, those
from model.lang.machine import LeadsTo

__all__ = ["machine"]


# Mutants: mistakes that could be made.


@machine.mutant("coordinator_completes_rebalance")
def completion_keeps_who_did_not_rejoin(s: State, leader: Member) -> None:
    """The rebalance completes, and members that did not join again stay in the group."""
    needs(
        is_under_way=s.group.phase == Phase.PREPARING_REBALANCE,
        leader_joined=may_lead(s, leader),
    )
    before = s.group.standing
    kept = each(Member, lambda m: if_else(waits(s, m), Standing.JOINED, before[m]))
    complete_rebalance(s, Phase.COMPLETING_REBALANCE, some(leader))
    s.group.standing = kept


@machine.mutant()
def coordinator_loses_a_generation(s: State) -> None:
    """Another broker becomes coordinator, from a copy in which the last generation is missing."""
    needs(
        is_settled=is_settled(s),
        a_generation_was_written=s.group.generation > 0,
    )
    s.group.generation -= 1


@machine.mutant("member_rejoins")
def member_rejoins_and_keeps_the_partition(s: State, member: Member) -> None:
    """A member joins again and goes on consuming meanwhile, under whichever generation comes."""
    me = s.client[member]
    needs(
        is_alive=me.activity != Activity.NOT_IN_GROUP,
        took_part=s.group.standing[member] == Standing.JOINED,
        generations_are_left=may_rebalance(s),
    )
    begin_rebalance(s)
    s.group.standing[member] = Standing.WAITS
    me.activity = Activity.JOINING


# Lemmas: what the proofs need to know besides.


@machine.lemma
def a_member_that_owns_the_partition_was_given_it(s: State) -> Bool:
    """A member of the group that believes it owns the partition is its owner."""
    return every(
        Member,
        lambda m: implies(is_in_group(s, m) & presumes_ownership(s, m), s.group.owner == some(m)),
    )


@machine.lemma
def nothing_is_given_before_the_leader_assigns(s: State) -> Bool:
    """While the assignment is awaited, the partition has no owner."""
    return implies(s.group.phase == Phase.COMPLETING_REBALANCE, s.group.owner.is_none)


@machine.lemma
def who_owns_the_partition_consumes(s: State) -> Bool:
    """Only a member that has its assignment owns the partition, and only an owner commits."""
    return every(
        Member,
        lambda m: (
            implies(s.client[m].owns, s.client[m].activity == Activity.CONSUMING)
            & implies(s.client[m].has_committed, s.client[m].owns)
        ),
    )


@machine.lemma
def who_waits_does_nothing_else(s: State) -> Bool:
    """A member whose JoinGroup waits knows no generation; an id alone is not used yet."""
    return every(
        Member,
        lambda m: (
            implies(waits(s, m), ~knows_its_generation(s, m))
            & implies(
                s.group.standing[m] == Standing.HAS_ID,
                s.client[m].activity == Activity.NOT_IN_GROUP,
            )
        ),
    )


@machine.lemma
def commits_of_this_generation_come_from_the_owner(s: State) -> Bool:
    """A commit on its way from a member of the group is not of a later generation, and if it is
    of this one its sender is the owner; none was sent with an id that is not used yet.
    """
    return every(
        s.commits,
        lambda commit: (
            (s.group.standing[commit.member] != Standing.HAS_ID)
            & implies(
                is_in_group(s, commit.member),
                (commit.generation <= s.group.generation)
                & implies(
                    commit.generation == s.group.generation,
                    s.group.owner == some(commit.member),
                ),
            )
        ),
    )


@machine.lemma
def a_rebalance_has_a_generation_to_come(s: State) -> Bool:
    """A rebalance that is under way can complete in this scope."""
    return implies(
        s.group.phase == Phase.PREPARING_REBALANCE, s.group.generation < Bound("max_generation")
    )


OWNER = [
    "a_rebalance_has_a_generation_to_come",
    "a_member_that_owns_the_partition_was_given_it",
    "nothing_is_given_before_the_leader_assigns",
    "who_owns_the_partition_consumes",
    "who_waits_does_nothing_else",
]
machine.proof("a_completed_rebalance_has_only_members_that_rejoined", by=[OWNER[0], OWNER[4]])
machine.proof("a_partition_has_one_owner_in_a_generation", by=OWNER)
machine.proof(
    "the_commit_of_the_owner_stands",
    by=[
        *OWNER,
        "commits_of_this_generation_come_from_the_owner",
        "a_completed_rebalance_has_only_members_that_rejoined",
    ],
)


# What happens sooner or later.


@machine.eventually(
    "GRPS-09",
    fair=["coordinator_completes_rebalance"],
    strongly_fair=["coordinator_finds_nobody_joined"],
    broken_by="fair coordinator_completes_rebalance",
    broken_at="tiny",
)
def a_rebalance_completes(s: State) -> LeadsTo:
    """A rebalance that has begun completes, whoever comes and goes: its timeout runs on."""
    under_way = s.group.phase == Phase.PREPARING_REBALANCE
    return leads_to(under_way, ~under_way)


@machine.eventually(
    "GRPS-08",
    fair=["coordinator_removes_silent_member(member)"],
    broken_by="fair coordinator_removes_silent_member(member)",
    broken_at="tiny",
)
def an_assignment_is_not_awaited_for_ever(s: State) -> LeadsTo:
    """A leader that does not assign is removed, and another rebalance begins, as long as
    generations are left.
    """
    awaited = s.group.phase == Phase.COMPLETING_REBALANCE
    return leads_to(awaited & may_rebalance(s), ~awaited)


# Contract.


@machine.refines(contract.machine)
def what_members_may_rely_on(s: State) -> contract.State:
    """Whoever the coordinator knows and believes that it owns the partition holds it."""
    return contract.State(
        generation=s.group.generation,
        owner=s.group.owner,
        holders=those(Member, lambda m: is_in_group(s, m) & presumes_ownership(s, m)),
        committed_by=s.committed_by,
    )
