"""GRPS: how a rebalance of a classic group makes a generation, and what its members get."""

from collections.abc import Mapping
from typing import Any

from conformance.check import check
from conformance.groups import (
    assignment_of,
    completing_group,
    join_again,
    let_join,
    stable_group,
)
from conformance.members import Member, new_member
from conformance.requests import Fields
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

QUIET_S = 0.3


def three_join(session: Session, *protocols: Mapping[str, bytes]) -> tuple[int, list[Struct]]:
    """The generation of a stable group of two, and the answers when a third member joins."""
    members = stable_group(session, 2)
    newcomer = new_member(session, members[0].group)
    for member, offered in zip((*members, newcomer), protocols, strict=False):
        member.protocols = offered
    before = members[0].generation_id
    let_join(session, members, newcomer)
    answers = join_again(members, newcomer)
    if any(answer.error_code != ErrorCode.NONE for answer in answers):
        session.inconclusive("a member could not join")
    return before, answers


# GRPS-05


@check("GRPS-05", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_rebalance_raises_the_generation_by_one(session: Session) -> None:
    """The generation after a rebalance is that before it plus one."""
    before, answers = three_join(session)
    session.permit(
        "the generations of the three members",
        [answer.generation_id for answer in answers],
        [[before + 1] * 3],
        f"The generation before was {before}, and one rebalance was completed.",
    )


@check("GRPS-05", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def all_members_learn_of_one_leader(session: Session) -> None:
    """All members of a generation are told the same leader, who is one of them."""
    _, answers = three_join(session)
    leaders = {answer.leader for answer in answers}
    session.permit("the number of leaders", len(leaders), [1], "A generation has one leader.")
    session.permit(
        "the leader",
        leaders.pop(),
        [answer.member_id for answer in answers],
        "The leader is a member.",
    )


@check("GRPS-05", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def the_protocol_is_one_that_all_offered(session: Session) -> None:
    """All members get the same protocol, one that each of them offered."""
    _, answers = three_join(
        session,
        {"range": b"", "first": b""},
        {"second": b"", "range": b""},
        {"third": b"", "range": b"", "first": b""},
    )
    session.permit(
        "the protocols of the three members",
        [answer.protocol_name for answer in answers],
        [["range"] * 3],
        "range is the only protocol that all three offered.",
    )


@check("GRPS-05", apis=("JoinGroup", "SyncGroup", "Heartbeat"), level="SHOULD")
def the_protocol_is_the_one_that_most_prefer(session: Session) -> None:
    """Among several common protocols the one is chosen that most members name first."""
    range_first = {"range": b"", "sticky": b""}
    sticky_first = {"sticky": b"", "range": b""}
    _, answers = three_join(session, range_first, sticky_first, sticky_first)
    session.permit(
        "the protocol",
        answers[0].protocol_name,
        ["sticky"],
        "Two of three members prefer sticky.",
    )


@check("GRPS-05", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def only_the_leader_gets_the_members(session: Session) -> None:
    """The leader gets all members with their metadata for the protocol; the others get none."""
    offered: list[Mapping[str, bytes]] = [
        {"range": b"range %d" % number, f"own {number}": b"other"} for number in range(3)
    ]
    _, answers = three_join(session, *offered)
    listed = {answer.member_id: b"range %d" % number for number, answer in enumerate(answers)}
    for answer in answers:
        is_leader = answer.member_id == answer.leader
        session.permit(
            f"the members that the {'leader' if is_leader else 'follower'} is told",
            {member.member_id: member.metadata for member in answer.members},
            [listed if is_leader else {}],
            "The leader, and only it, gets the list of all members with their metadata.",
        )


# GRPS-06


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def every_member_gets_its_own_assignment(session: Session) -> None:
    """After the leader's SyncGroup every member gets the bytes that the leader gave for it."""
    members = completing_group(session, 3)
    leader = members[0]
    leader.send_sync({member.member_id: assignment_of(member) for member in members})
    permit_assignment(session, leader, assignment_of(leader))
    for follower in members[1:]:
        follower.send_sync()
        permit_assignment(session, follower, assignment_of(follower))


def permit_assignment(session: Session, member: Member, assignment: bytes) -> None:
    answer = member.receive_sync()
    session.permit(
        "the error code of SyncGroup",
        answer.error_code,
        {ErrorCode.NONE},
        "The leader's assignment is there.",
    )
    session.permit(
        "the assignment",
        answer.assignment,
        [assignment],
        "A member gets exactly what the leader assigned to it.",
    )


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def followers_wait_for_the_leader(session: Session) -> None:
    """SyncGroup of a follower is answered when the leader's SyncGroup has come, not before."""
    leader, follower = completing_group(session, 2)
    follower.send_sync()
    follower.client.expect_nothing(QUIET_S, because="Nobody has assigned anything yet.")
    leader.send_sync({follower.member_id: b"for the follower", leader.member_id: b"mine"})
    permit_assignment(session, leader, b"mine")
    permit_assignment(session, follower, b"for the follower")


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def a_member_that_is_left_out_gets_nothing(session: Session) -> None:
    """A member for which the leader gave no assignment gets one of length 0."""
    leader, follower = completing_group(session, 2)
    leader.send_sync({leader.member_id: b"everything"})
    leader.receive_sync()
    follower.send_sync()
    permit_assignment(session, follower, b"")


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def a_follower_assigns_nothing(session: Session) -> None:
    """Assignments in the SyncGroup of a member that does not lead are ignored."""
    leader, follower = completing_group(session, 2)
    follower.send_sync({follower.member_id: b"all mine", leader.member_id: b"nothing"})
    follower.client.expect_nothing(QUIET_S, because="Its assignments count for nothing.")
    leader.send_sync({follower.member_id: b"half", leader.member_id: b"other half"})
    permit_assignment(session, leader, b"other half")
    permit_assignment(session, follower, b"half")


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def a_stable_group_keeps_its_assignments(session: Session) -> None:
    """SyncGroup in a stable group returns the assignment again, whatever it brings."""
    members = stable_group(session, 2)
    for member in members:
        member.send_sync({each.member_id: b"too late" for each in members})
        permit_assignment(session, member, assignment_of(member))


def permit_sync_error(
    session: Session, member: Member, error: ErrorCode, because: str, **changed: Any
) -> None:
    """Judge a SyncGroup of a member in which some fields are changed."""
    fields: Fields = {
        **member.identity,
        "generation_id": member.generation_id,
        "protocol_type": member.protocol_type,
        "protocol_name": next(iter(member.protocols)),
        "assignments": [],
        **changed,
    }
    answer = member.client.call("SyncGroup", **fields)
    session.permit("the error code of SyncGroup", answer.error_code, {error}, because)


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def an_unknown_member_cannot_synchronise(session: Session) -> None:
    """SyncGroup of a member id that is not in the group gets UNKNOWN_MEMBER_ID."""
    (member,) = stable_group(session, 1)
    permit_sync_error(
        session,
        member,
        ErrorCode.UNKNOWN_MEMBER_ID,
        "The group has no such member.",
        member_id="made-up",
    )


@check("GRPS-06", apis=("JoinGroup", "SyncGroup"))
def another_generation_cannot_synchronise(session: Session) -> None:
    """SyncGroup with a generation that is not the current one gets ILLEGAL_GENERATION."""
    (member,) = stable_group(session, 1)
    for off in (-1, 1):
        permit_sync_error(
            session,
            member,
            ErrorCode.ILLEGAL_GENERATION,
            f"The current generation is {member.generation_id}.",
            generation_id=member.generation_id + off,
        )


@check("GRPS-06", apis=("JoinGroup", "SyncGroup 5+"))
def another_protocol_cannot_synchronise(session: Session) -> None:
    """SyncGroup with another protocol type or name, or none, gets INCONSISTENT_GROUP_PROTOCOL."""
    (member,) = stable_group(session, 1)
    for name in ("protocol_type", "protocol_name"):
        for value in ("another", None):
            permit_sync_error(
                session,
                member,
                ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
                "The group is of type consumer and uses range.",
                **{name: value},
            )


@check("GRPS-06", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_rebalancing_group_cannot_synchronise(session: Session) -> None:
    """SyncGroup while members join again gets REBALANCE_IN_PROGRESS."""
    (member,) = stable_group(session, 1)
    let_join(session, [member], new_member(session, member.group))
    permit_sync_error(
        session,
        member,
        ErrorCode.REBALANCE_IN_PROGRESS,
        "The group waits for its members to join.",
    )


@check("GRPS-06", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_waiting_member_learns_of_the_next_rebalance(session: Session) -> None:
    """A SyncGroup that waits gets REBALANCE_IN_PROGRESS when another rebalance begins."""
    leader, follower = completing_group(session, 2)
    follower.send_sync()
    let_join(session, [leader], new_member(session, leader.group))
    session.permit(
        "the error code of the waiting SyncGroup",
        follower.receive_sync().error_code,
        {ErrorCode.REBALANCE_IN_PROGRESS},
        "No assignment of this generation will come any more.",
    )
