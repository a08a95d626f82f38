"""What the classic consumer group speaks of: members, generations, phases, and the state of one
group.

This file decides the shape of a state and the words for what holds in it. It keeps apart what the
coordinator knows of a member (its standing) and what the member believes (its client): all that
can go wrong in a group is a difference of the two. It refuses to know which steps there are: that
is `group`.
"""

from model.contracts.group import Generation, Member
from model.lang import (
    Bag,
    Bool,
    Bound,
    Enum,
    Map,
    Option,
    Record,
    Value,
    each,
    exists,
    if_else,
    none,
    some,
)


class Phase(Enum):
    """The state of a group, as chapter `groups.md` names them. A group that does not exist is
    dead.
    """

    DEAD = Value()
    EMPTY = Value()
    PREPARING_REBALANCE = Value()
    COMPLETING_REBALANCE = Value()
    STABLE = Value()


class Standing(Enum):
    """What the coordinator knows of a member."""

    UNKNOWN = Value()
    HAS_ID = Value()  # it was given a member id, and has not joined with it yet
    WAITS = Value()  # its JoinGroup waits for the rebalance to complete
    JOINED = Value()  # it took part in the last rebalance that completed


class Activity(Enum):
    """What a member is doing, as it knows itself."""

    NOT_IN_GROUP = Value()  # there is no such process, or it has dropped the id
    JOINING = Value()  # it has sent JoinGroup
    SYNCING = Value()  # it knows its generation, and has sent SyncGroup
    CONSUMING = Value()  # it has its assignment


class Group(Record):
    """What the coordinator knows. One partition stands for all: `owner` is the member to which
    the leader of this generation gave it.
    """

    phase: Phase
    generation: Generation
    leader: Option[Member]
    standing: Map[Member, Standing]
    owner: Option[Member]


class Client(Record):
    """What a member believes; it may be wrong. `has_committed` says that in this generation a
    commit of it was answered without error.
    """

    activity: Activity
    generation: Generation
    owns: Bool
    has_committed: Bool


class Commit(Record):
    """An OffsetCommit request on its way, with the generation in which it was sent."""

    member: Member
    generation: Generation


class Commits(Bag[Commit]):
    """The requests on their way: each may be late, or never arrive."""

    capacity = Bound("commits_on_their_way")


class State(Record):
    """A group: the coordinator, the members, commits on their way, and whose commit is stored."""

    group: Group
    client: Map[Member, Client]
    commits: Commits
    committed_by: Option[Member]


# What actions and properties ask of a state.


def is_in_group(s: State, member: Member) -> Bool:
    """The coordinator knows the member, and not merely an id that it gave out."""
    standing = s.group.standing[member]
    return (standing == Standing.WAITS) | (standing == Standing.JOINED)


def waits(s: State, member: Member) -> Bool:
    """The member has joined the rebalance that is under way."""
    return s.group.standing[member] == Standing.WAITS


def is_settled(s: State) -> Bool:
    """A rebalance has completed and no other has begun: every member belongs to the generation."""
    return (s.group.phase == Phase.COMPLETING_REBALANCE) | (s.group.phase == Phase.STABLE)


def may_rebalance(s: State) -> Bool:
    """A rebalance is under way, or a generation is left for another one."""
    under_way = s.group.phase == Phase.PREPARING_REBALANCE
    return under_way | (s.group.generation < Bound("max_generation"))


def knows_its_generation(s: State, member: Member) -> Bool:
    """The member was told in which generation it is."""
    activity = s.client[member].activity
    return (activity == Activity.SYNCING) | (activity == Activity.CONSUMING)


def presumes_ownership(s: State, member: Member) -> Bool:
    """The member believes that the partition is its own; it may be wrong."""
    return s.client[member].owns


def id_is_free(s: State, member: Member) -> Bool:
    """Nothing in the group remembers this id."""
    return (
        (s.group.standing[member] == Standing.UNKNOWN)
        & (s.client[member].activity == Activity.NOT_IN_GROUP)
        & ~exists(s.commits, lambda commit: commit.member == member)
    )


# Updates that several actions share.


def begin_rebalance(s: State) -> None:
    """Members are collected; a rebalance that is under way goes on."""
    s.group.phase = Phase.PREPARING_REBALANCE


def remove(s: State, member: Member) -> None:
    """The coordinator drops a member; the others have to rebalance, unless they already do."""
    took_part = s.group.standing[member] == Standing.JOINED
    s.group.phase = if_else(is_settled(s) & took_part, Phase.PREPARING_REBALANCE, s.group.phase)
    s.group.leader = if_else(s.group.leader == some(member), none(Member), s.group.leader)
    s.group.standing[member] = Standing.UNKNOWN


def complete_rebalance(s: State, phase: Phase, leader: Option[Member]) -> None:
    """The next generation begins with those who joined; an id that was given out stays valid."""
    before = s.group.standing
    s.group.standing = each(
        Member,
        lambda m: if_else(
            waits(s, m),
            Standing.JOINED,
            if_else(before[m] == Standing.HAS_ID, Standing.HAS_ID, Standing.UNKNOWN),
        ),
    )
    s.group.generation += 1
    s.group.phase = phase
    s.group.leader = leader
    s.group.owner = none(Member)


def become(s: State, member: Member, activity: Activity, generation: Generation) -> None:
    """The member's life goes on like this, without the partition."""
    s.client[member] = Client(
        activity=activity, generation=generation, owns=Bool(False), has_committed=Bool(False)
    )
