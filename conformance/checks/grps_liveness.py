"""GRPS: heartbeats, and the members from which nothing is heard."""

from conformance.check import check
from conformance.groups import completing_group, join_again, let_join, stable_group
from conformance.judge import Condition
from conformance.members import Member, form_group, join_first, new_member, synchronise
from conformance.session import Session
from conformance.settings import broker_number
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

DEFAULT_LEAST_SESSION_TIMEOUT_MS = 6000
PATIENCE_S = 6.0
"""How much later than a timeout its effect may show before a check gives up."""


def permit_heartbeat(session: Session, member: Member, error: ErrorCode, because: str) -> None:
    session.permit("the error code of Heartbeat", member.heartbeat(), {error}, because)


# GRPS-07


@check("GRPS-07", apis=("Heartbeat",))
def nobody_is_known_in_an_unknown_group(session: Session) -> None:
    """Heartbeat for a group that does not exist gets UNKNOWN_MEMBER_ID."""
    stranger = new_member(session, session.group_name())
    stranger.member_id, stranger.generation_id = "made-up", 1
    permit_heartbeat(
        session, stranger, ErrorCode.UNKNOWN_MEMBER_ID, "There is no group, and no member of it."
    )


@check("GRPS-07", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_stranger_is_told_so(session: Session) -> None:
    """Heartbeat of a member id that is not in the group gets UNKNOWN_MEMBER_ID."""
    (member,) = stable_group(session, 1)
    stranger = new_member(session, member.group)
    stranger.member_id, stranger.generation_id = "made-up", member.generation_id
    permit_heartbeat(
        session, stranger, ErrorCode.UNKNOWN_MEMBER_ID, "The group has no such member."
    )


@check("GRPS-07", apis=("JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup"))
def a_member_that_left_is_unknown(session: Session) -> None:
    """Heartbeat of a member that left gets UNKNOWN_MEMBER_ID."""
    members = stable_group(session, 2)
    members[1].leave()
    permit_heartbeat(
        session, members[1], ErrorCode.UNKNOWN_MEMBER_ID, "The member left the group."
    )


@check("GRPS-07", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_wrong_generation_is_told_so(session: Session) -> None:
    """Heartbeat with a generation that is not the current one gets ILLEGAL_GENERATION."""
    (member,) = stable_group(session, 1)
    current = member.generation_id
    for generation_id in (current - 1, current + 1):
        member.generation_id = generation_id
        permit_heartbeat(
            session,
            member,
            ErrorCode.ILLEGAL_GENERATION,
            f"The current generation is {current}.",
        )


@check("GRPS-07", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def heartbeats_tell_of_a_rebalance(session: Session) -> None:
    """Heartbeats get REBALANCE_IN_PROGRESS while the group waits for its members to join."""
    (member,) = stable_group(session, 1)
    newcomer = new_member(session, member.group)
    join_first(newcomer)
    session.poll_until(
        lambda: member.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS,
        "the heartbeat gets REBALANCE_IN_PROGRESS",
        timeout=PATIENCE_S,
        demanded="A newcomer waits to join, so the group is in PreparingRebalance.",
    )


@check("GRPS-07", apis=("JoinGroup", "Heartbeat"))
def heartbeats_are_good_while_the_assignment_is_awaited(session: Session) -> None:
    """Heartbeat in CompletingRebalance gets no error."""
    for member in completing_group(session, 2):
        permit_heartbeat(
            session, member, ErrorCode.NONE, "The member is in the generation that is completing."
        )


@check("GRPS-07", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def heartbeats_are_good_in_a_stable_group(session: Session) -> None:
    """Heartbeat in Stable gets no error."""
    for member in stable_group(session, 2):
        permit_heartbeat(session, member, ErrorCode.NONE, "Nothing has happened to the group.")


# GRPS-08


def shortest_session_ms(session: Session) -> int:
    """The least session timeout that the broker allows."""
    least = broker_number(session, "group.min.session.timeout.ms")
    return DEFAULT_LEAST_SESSION_TIMEOUT_MS if least is None else max(least, 1)


@check("GRPS-08", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_silent_member_is_removed(session: Session) -> None:
    """When a member's session times out it is unknown, and the others learn of a rebalance."""
    group, shortest_ms = session.group_name(), shortest_session_ms(session)
    alive, silent = new_member(session, group), new_member(session, group)
    silent.session_timeout_ms = shortest_ms
    leader = form_group(session, [alive, silent])
    synchronise([alive, silent], {leader.member_id: b"everything"})
    session.poll_until(
        lambda: alive.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS,
        "the heartbeat of the other member gets REBALANCE_IN_PROGRESS",
        timeout=shortest_ms / 1000 + PATIENCE_S,
        demanded=f"Nothing was heard of a member with a session timeout of {shortest_ms} ms.",
    )
    permit_heartbeat(
        session, silent, ErrorCode.UNKNOWN_MEMBER_ID, "The silent member was removed."
    )


@check("GRPS-08", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def a_member_that_waits_is_not_silent(session: Session) -> None:
    """A member is not removed while its JoinGroup waits for the others."""
    group, shortest_ms = session.group_name(), shortest_session_ms(session)
    slow, waiting = new_member(session, group), new_member(session, group)
    waiting.session_timeout_ms = shortest_ms
    slow.rebalance_timeout_ms = 4 * shortest_ms
    leader = form_group(session, [slow, waiting])
    synchronise([slow, waiting], {leader.member_id: b"everything"})
    newcomer = new_member(session, group)
    let_join(session, [waiting], newcomer)
    waiting.send_join()
    waiting.client.expect_nothing(
        2 * shortest_ms / 1000, because="The group waits for a member that has not joined again."
    )
    slow.send_join()
    session.permit(
        "the error code of the JoinGroup that waited",
        waiting.receive_join().error_code,
        {ErrorCode.NONE},
        "A member that waits for the answer to JoinGroup is not silent.",
    )


# GRPS-09


@check("GRPS-09", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def who_does_not_join_again_is_left_out(session: Session) -> None:
    """A rebalance completes at its timeout without the member that did not join again."""
    group = session.group_name()
    present, absent, newcomer = (new_member(session, group) for _ in range(3))
    for member in (present, absent, newcomer):
        member.rebalance_timeout_ms = 500
    leader = form_group(session, [present, absent])
    synchronise([present, absent], {leader.member_id: b"everything"})
    let_join(session, [present], newcomer)
    answers = join_again([present], newcomer)
    permit_without(session, answers, absent)
    permit_heartbeat(
        session, absent, ErrorCode.UNKNOWN_MEMBER_ID, "The member did not join again in time."
    )


def permit_without(session: Session, answers: list[Struct], absent: Member) -> None:
    for answer in answers:
        session.permit(
            "the error code of JoinGroup",
            answer.error_code,
            {ErrorCode.NONE},
            "When the rebalance timeout is over the rebalance completes with those who joined.",
        )
    session.permit(
        "the members that the leader is told",
        [member.member_id for answer in answers for member in answer.members],
        Condition(f"without {absent.member_id}", lambda ids: absent.member_id not in ids),
        "A member that did not join again is not part of the new generation.",
    )


@check("GRPS-09", apis=("JoinGroup", "SyncGroup", "Heartbeat"))
def the_longest_rebalance_timeout_counts(session: Session) -> None:
    """A rebalance waits as long as the largest timeout that any of its members asked for."""
    group = session.group_name()
    hasty, slow, newcomer = (new_member(session, group) for _ in range(3))
    hasty.rebalance_timeout_ms = newcomer.rebalance_timeout_ms = 300
    leader = form_group(session, [hasty, slow])
    synchronise([hasty, slow], {leader.member_id: b"everything"})
    let_join(session, [hasty], newcomer)
    hasty.send_join()
    hasty.client.expect_nothing(
        1.0, because=f"The other member asked for {slow.rebalance_timeout_ms} ms."
    )
    slow.send_join()
    session.permit(
        "the error codes of JoinGroup",
        [member.receive_join().error_code for member in (hasty, slow, newcomer)],
        [[ErrorCode.NONE] * 3],
        "The member came back within the rebalance timeout that it had asked for.",
    )
