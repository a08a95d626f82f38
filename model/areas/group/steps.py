"""The classic consumer group: one coordinator, its members, and who may commit.

Modelled: the five phases; a new member that first gets an id; joining, leaving, being removed;
the leader that assigns; members that crash and come back under another id, that do not know yet
that they are out, or that a rebalance has begun; commits that arrive late, or never; a group that
is deleted and begins again with generation 0 while members of its former life are still there.
Simplified: one partition stands for all of them, since an assignment treats each by itself. Time
is not measured: a timeout may be over at any moment, so the rebalance timeout and "all have
joined" are one step, and so are the session timeout and the one for a missing SyncGroup. Only
commits are ever on their way: an answer that is late is one on which the member has not acted yet,
one that is lost is followed by another request, and a SyncGroup that waits is one that comes
later. What a member learns from an answer it acts on at once. Any member may join again without a
reason, where Kafka answers one that changed nothing without a rebalance; a leader always gives
the partition to somebody; who waits for JoinGroup is not removed, where Kafka's new members are in
the end. What only keeps the model finite is called `generations_are_left` and `there_is_room`.
Not modelled: static members (GRPS-18), cooperative rebalancing, the choice of a protocol, versions
of JoinGroup that give no id first, commits of transactions or from outside of the group (GRPS-12),
the offsets themselves, an assignment whose write fails, a change of the coordinator (GRPS-19).
How to read a machine: `model/README.md`.
Source: `GroupMetadataManager` and `ClassicGroup` of Apache Kafka 4.0; KIP-62, KIP-394. Clauses:
GRPS-01, GRPS-05, GRPS-06, GRPS-07, GRPS-08, GRPS-09, GRPS-10, GRPS-11, GRPS-17.
"""

from model.areas.group.state import (
    Activity,
    Commit,
    Group,
    Phase,
    Standing,
    State,
    become,
    begin_rebalance,
    complete_rebalance,
    id_is_free,
    is_in_group,
    is_settled,
    knows_its_generation,
    may_rebalance,
    presumes_ownership,
    remove,
    waits,
)
from model.contracts.group import Generation, Member
from model.lang import (
    Bool,
    Bound,
    Machine,
    each,
    every,
    exists,
    if_else,
    implies,
    needs,
    none,
    some,
)

machine = Machine("group", State, "the classic consumer group", "classic")


@machine.initial
def no_group(s: State) -> None:
    s.group.phase = Phase.DEAD


# Joining.


@machine.action("GRPS-01")
def coordinator_gives_member_id(s: State, member: Member) -> None:
    """The first JoinGroup of a consumer is answered with an id, and starts no rebalance; the
    answer may be lost.
    """
    needs(id_is_free=id_is_free(s, member))
    s.group.standing[member] = Standing.HAS_ID
    s.group.phase = if_else(s.group.phase == Phase.DEAD, Phase.EMPTY, s.group.phase)


@machine.action("GRPS-01")
def consumer_joins(s: State, member: Member) -> None:
    """A consumer joins with the id that it was given, and waits; a rebalance begins."""
    needs(
        has_the_id=s.group.standing[member] == Standing.HAS_ID,
        generations_are_left=may_rebalance(s),
    )
    begin_rebalance(s)
    s.group.standing[member] = Standing.WAITS
    become(s, member, Activity.JOINING, Generation(0))


@machine.action("GRPS-05", "GRPS-07")
def member_rejoins(s: State, member: Member) -> None:
    """A member gives up the partition and joins again, with or without a reason: it heard of a
    rebalance, or begins one. (Kafka answers a follower that changed nothing without a rebalance.)
    """
    needs(
        is_alive=s.client[member].activity != Activity.NOT_IN_GROUP,
        took_part=s.group.standing[member] == Standing.JOINED,
        generations_are_left=may_rebalance(s),
    )
    begin_rebalance(s)
    s.group.standing[member] = Standing.WAITS
    become(s, member, Activity.JOINING, Generation(0))


# The rebalance.


def may_lead(s: State, member: Member) -> Bool:
    """The leader stays if it joined again; otherwise any member that joined may become leader."""
    stays = s.group.leader.is_some & waits(s, s.group.leader.value)
    return waits(s, member) & (~stays | (s.group.leader == some(member)))


@machine.action("GRPS-05", "GRPS-09")
def coordinator_completes_rebalance(s: State, leader: Member) -> None:
    """All have joined, or the rebalance timeout is over: the next generation has those who
    joined, and nobody else.
    """
    needs(
        is_under_way=s.group.phase == Phase.PREPARING_REBALANCE,
        leader_joined=may_lead(s, leader),
    )
    complete_rebalance(s, Phase.COMPLETING_REBALANCE, some(leader))


@machine.action("GRPS-05")
def coordinator_finds_nobody_joined(s: State) -> None:
    """Nobody joined, because the rebalance timeout is over or the last member left: a generation
    without members begins.
    """
    needs(
        is_under_way=s.group.phase == Phase.PREPARING_REBALANCE,
        nobody_joined=~exists(Member, lambda m: waits(s, m)),
    )
    complete_rebalance(s, Phase.EMPTY, none(Member))


@machine.action("GRPS-05")
def member_learns_generation(s: State, member: Member) -> None:
    """A member gets the answer to JoinGroup, perhaps only when it asks again."""
    needs(
        has_asked=s.client[member].activity == Activity.JOINING,
        took_part=s.group.standing[member] == Standing.JOINED,
    )
    become(s, member, Activity.SYNCING, s.group.generation)


@machine.action("GRPS-06")
def leader_assigns(s: State, leader: Member, owner: Member) -> None:
    """The leader's SyncGroup gives the partition to a member of its generation."""
    needs(
        is_synchronising=s.client[leader].activity == Activity.SYNCING,
        is_the_leader=s.group.leader == some(leader),
        is_of_this_generation=s.client[leader].generation == s.group.generation,
        assignment_is_awaited=s.group.phase == Phase.COMPLETING_REBALANCE,
        owner_took_part=s.group.standing[owner] == Standing.JOINED,
    )
    s.group.owner = some(owner)
    s.group.phase = Phase.STABLE


@machine.action("GRPS-06")
def member_gets_assignment(s: State, member: Member) -> None:
    """A member's SyncGroup is answered with what the leader gave it."""
    me = s.client[member]
    needs(
        is_synchronising=me.activity == Activity.SYNCING,
        is_in_group=is_in_group(s, member),
        is_of_this_generation=me.generation == s.group.generation,
        assignment_is_there=s.group.phase == Phase.STABLE,
    )
    me.activity = Activity.CONSUMING
    me.owns = s.group.owner == some(member)


# Going, and being gone.


@machine.action("GRPS-05")
def member_leaves(s: State, member: Member) -> None:
    """A member says that it goes."""
    needs(
        is_alive=s.client[member].activity != Activity.NOT_IN_GROUP,
        is_in_group=is_in_group(s, member),
        generations_are_left=may_rebalance(s),
    )
    remove(s, member)
    become(s, member, Activity.NOT_IN_GROUP, Generation(0))


@machine.action()
def member_crashes(s: State, member: Member) -> None:
    """A member is gone, and the coordinator does not know it; commits on their way stay so."""
    needs(is_alive=s.client[member].activity != Activity.NOT_IN_GROUP)
    become(s, member, Activity.NOT_IN_GROUP, Generation(0))


@machine.action("GRPS-08")
def coordinator_removes_silent_member(s: State, member: Member) -> None:
    """Nothing was heard of a member for its session timeout, or no SyncGroup for the rebalance
    timeout; who waits for the answer to JoinGroup is not silent. It may be alive.
    """
    needs(
        is_not_waiting=(s.group.standing[member] == Standing.HAS_ID)
        | (s.group.standing[member] == Standing.JOINED),
        generations_are_left=may_rebalance(s),
    )
    remove(s, member)


@machine.action("GRPS-07")
def member_learns_that_it_is_out(s: State, member: Member) -> None:
    """A heartbeat, or any other request of the group, is answered with UNKNOWN_MEMBER_ID: the
    member drops its id, and all else.
    """
    needs(
        is_alive=s.client[member].activity != Activity.NOT_IN_GROUP,
        is_unknown=~is_in_group(s, member),
    )
    become(s, member, Activity.NOT_IN_GROUP, Generation(0))


@machine.action("GRPS-17")
def coordinator_deletes_group(s: State) -> None:
    """An empty group is deleted with its offsets, and with the ids that were given out."""
    needs(has_no_members=s.group.phase == Phase.EMPTY)
    s.group = Group(
        phase=Phase.DEAD,
        generation=Generation(0),
        leader=none(Member),
        standing=each(Member, lambda _: Standing.UNKNOWN),
        owner=none(Member),
    )
    s.committed_by = none(Member)


# Commits.


@machine.action("GRPS-10")
def member_sends_commit(s: State, member: Member) -> None:
    """A member that believes it owns the partition sends a commit, with its generation."""
    needs(
        presumes_ownership=presumes_ownership(s, member),
        there_is_room=s.commits.size < Bound("commits_on_their_way"),
    )
    s.commits.add(Commit(member=member, generation=s.client[member].generation))


@machine.action("GRPS-10", "GRPS-11", commit=lambda s: s.commits)
def coordinator_accepts_commit(s: State, commit: Commit) -> None:
    """A commit of a member of the current generation is stored, and answered."""
    sender = s.client[commit.member]
    needs(
        is_of_a_member=is_in_group(s, commit.member),
        is_of_this_generation=commit.generation == s.group.generation,
        no_assignment_is_pending=s.group.phase != Phase.COMPLETING_REBALANCE,
    )
    s.commits.remove(commit)
    s.committed_by = some(commit.member)
    sender.has_committed = sender.has_committed | (
        sender.owns & (sender.generation == commit.generation)
    )


@machine.action("GRPS-10", commit=lambda s: s.commits)
def coordinator_refuses_commit(s: State, commit: Commit) -> None:
    """A commit is refused, or it, valid or not, is lost: it changes nothing."""
    s.commits.remove(commit)


# What must hold.


@machine.always("GRPS-05", broken_by="coordinator_loses_a_generation")
def no_member_is_ahead_of_the_coordinator(s: State) -> Bool:
    """The coordinator's generation is the latest: no member that it knows was told a later one."""
    return every(
        Member,
        lambda m: implies(is_in_group(s, m), s.client[m].generation <= s.group.generation),
    )


@machine.always("GRPS-09", broken_by="completion_keeps_who_did_not_rejoin")
def a_completed_rebalance_has_only_members_that_rejoined(s: State) -> Bool:
    """Whoever the coordinator counts as a member, and knows its generation, is in the current
    one.
    """
    return every(
        Member,
        lambda m: implies(
            is_in_group(s, m) & knows_its_generation(s, m),
            s.client[m].generation == s.group.generation,
        ),
    )


@machine.always("GRPS-06", broken_by="leader_assigns.assignment_is_awaited")
def a_partition_has_one_owner_in_a_generation(s: State) -> Bool:
    """No two members of the group own the partition; one that was removed may still think so."""
    return every(
        Member,
        lambda m: every(
            Member,
            lambda n: implies(
                is_in_group(s, m) & is_in_group(s, n) & presumes_ownership(s, m),
                (m == n) | ~presumes_ownership(s, n),
            ),
        ),
    )


@machine.always("GRPS-06", broken_by="member_gets_assignment.assignment_is_there")
def members_of_a_stable_group_hold_what_the_leader_gave(s: State) -> Bool:
    """In a stable group a member that has its assignment owns the partition if the leader of this
    generation gave it to this member, and only then.
    """
    return every(
        Member,
        lambda m: implies(
            (s.group.phase == Phase.STABLE)
            & is_in_group(s, m)
            & (s.client[m].activity == Activity.CONSUMING),
            s.client[m].owns == (s.group.owner == some(m)),
        ),
    )


@machine.always("GRPS-10", broken_by="coordinator_accepts_commit.is_of_this_generation")
def the_commit_of_the_owner_stands(s: State) -> Bool:
    """What a member of the group has committed in its generation is not written over by another:
    neither by a former owner nor by one of a former life of the group.
    """
    return every(
        Member,
        lambda m: implies(
            is_in_group(s, m) & s.client[m].has_committed, s.committed_by == some(m)
        ),
    )


@machine.always("GRPS-05", broken_by="coordinator_completes_rebalance.leader_joined")
def the_leader_is_a_member_of_its_generation(s: State) -> Bool:
    """Once a rebalance has completed somebody leads, and took part in it."""
    return implies(
        is_settled(s),
        s.group.leader.is_some & (s.group.standing[s.group.leader.value] == Standing.JOINED),
    )


@machine.always("GRPS-06", broken_by="leader_assigns.owner_took_part")
def the_owner_is_a_member_of_its_generation(s: State) -> Bool:
    """Once a rebalance has completed, the partition is given to somebody who took part, if it is
    given at all.
    """
    return implies(
        is_settled(s) & s.group.owner.is_some,
        s.group.standing[s.group.owner.value] == Standing.JOINED,
    )


@machine.always("GRPS-05", broken_by="coordinator_finds_nobody_joined.nobody_joined")
def a_group_without_members_is_empty_or_dead(s: State) -> Bool:
    """An empty group, and one that does not exist, has no members, and no partition is given."""
    return implies(
        (s.group.phase == Phase.EMPTY) | (s.group.phase == Phase.DEAD),
        every(Member, lambda m: ~is_in_group(s, m)) & s.group.owner.is_none,
    )


# Witnesses: what must be able to happen.


@machine.sometimes("GRPS-10")
def a_former_owner_still_consumes(s: State) -> Bool:
    """A member that was removed believes in its old generation while another owns the partition in
    a later one.
    """
    return exists(
        Member,
        lambda m: exists(
            Member,
            lambda n: (
                presumes_ownership(s, m)
                & presumes_ownership(s, n)
                & ~is_in_group(s, m)
                & is_in_group(s, n)
                & (s.client[m].generation < s.client[n].generation)
            ),
        ),
    )


@machine.sometimes("GRPS-10")
def a_member_meets_its_own_late_commit(s: State) -> Bool:
    """A commit arrives after its sender has gone on to a later generation."""
    return exists(
        s.commits,
        lambda commit: (
            is_in_group(s, commit.member)
            & (commit.generation < s.client[commit.member].generation)
        ),
    )


@machine.sometimes("GRPS-17")
def a_former_life_has_the_same_generation(s: State) -> Bool:
    """A member of a group that was deleted believes in a generation whose number is current
    again, in the next life of the group: only its unknown id gives it away.
    """
    return exists(
        Member,
        lambda m: (
            is_settled(s)
            & ~is_in_group(s, m)
            & presumes_ownership(s, m)
            & (s.client[m].generation == s.group.generation)
            & (s.group.owner != some(m))
        ),
    )


@machine.sometimes("GRPS-01")
def an_id_is_never_used(s: State) -> Bool:
    """A group is stable while an id that was given out waits to be used."""
    return (s.group.phase == Phase.STABLE) & exists(
        Member, lambda m: s.group.standing[m] == Standing.HAS_ID
    )


machine.scope(
    "default",
    why="a former owner, an owner and a bystander; a later generation than the first; a late "
    "commit and a current one",
    states=152_439,
    members=3,
    max_generation=2,
    commits_on_their_way=2,
)
machine.scope(
    "tiny",
    why="two members take the partition from each other once",
    states=5_511,
    members=2,
    max_generation=2,
    commits_on_their_way=2,
)
machine.scope(
    "deep",
    why="one more member: rebalances that overlap in every way that three joiners allow",
    states=3_562_014,
    members=4,
    max_generation=2,
    commits_on_their_way=2,
)
