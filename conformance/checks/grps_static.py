"""GRPS: static members, who have a group instance id and keep their place."""

from dataclasses import replace

from conformance.check import check
from conformance.groups import assignment_of, make_stable
from conformance.judge import other_than
from conformance.members import Member, form_group, new_member
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

PROMPT_S = 6.0
STATIC = ("JoinGroup 5+", "SyncGroup 3+", "Heartbeat 3+")


def group_with_static_member(session: Session) -> tuple[Member, Member]:
    """A dynamic and a static member of a stable group."""
    group = session.group_name()
    dynamic = new_member(session, group)
    static = new_member(session, group, instance_id="instance")
    form_group(session, [dynamic, static])
    make_stable([dynamic, static])
    return dynamic, static


def come_back(session: Session, static: Member) -> tuple[Member, Struct]:
    """A new process of a static member, which knows the instance id alone, and its answer."""
    returned = new_member(session, static.group, instance_id=static.instance_id)
    returned.send_join()
    demanded = "In a stable group no rebalance is needed, and nobody to be waited for."
    return returned, returned.receive_join(timeout=PROMPT_S, demanded=demanded)


def replaced_member(session: Session) -> tuple[Member, Member]:
    """A static member whose place was taken, and who took it."""
    _, static = group_with_static_member(session)
    returned, answer = come_back(session, static)
    if answer.error_code != ErrorCode.NONE or answer.member_id == static.member_id:
        session.inconclusive("the place was not given to a new member id")
    returned.send_sync()
    returned.receive_sync()
    return static, returned


@check("GRPS-18", apis=STATIC)
def a_static_member_gets_a_new_member_id(session: Session) -> None:
    """JoinGroup with a known instance id and an empty member id gives the place to a new id."""
    _, static = group_with_static_member(session)
    _, answer = come_back(session, static)
    session.permit(
        "the error code of JoinGroup",
        answer.error_code,
        {ErrorCode.NONE},
        "The group knows the instance id.",
    )
    session.permit(
        "the member id",
        answer.member_id,
        other_than("", static.member_id),
        "The place is given to a new member id.",
    )


@check("GRPS-18", apis=STATIC)
def a_static_member_comes_back_without_a_rebalance(session: Session) -> None:
    """In a stable group the return of a static member leaves generation and members alone."""
    dynamic, static = group_with_static_member(session)
    _, answer = come_back(session, static)
    session.permit(
        "the generation that it gets",
        answer.generation_id,
        [static.generation_id],
        "The chosen protocol stays the same, so nothing is dealt out anew.",
    )
    session.permit(
        "the error code of the other member's heartbeat",
        dynamic.heartbeat(),
        {ErrorCode.NONE},
        "The other members notice nothing.",
    )


@check("GRPS-18", apis=STATIC)
def a_static_member_gets_its_assignment_again(session: Session) -> None:
    """SyncGroup of a static member that came back hands it the former assignment."""
    _, static = group_with_static_member(session)
    returned, answer = come_back(session, static)
    if answer.generation_id != static.generation_id:
        session.inconclusive("there was a rebalance")
    returned.send_sync()
    session.permit(
        "the assignment",
        returned.receive_sync().assignment,
        [assignment_of(static)],
        "Assignments stay, and belong to the instance id.",
    )


@check("GRPS-18", apis=STATIC)
def the_former_member_id_is_fenced(session: Session) -> None:
    """The former member id with the instance id gets FENCED_INSTANCE_ID from now on."""
    former, _ = replaced_member(session)
    because = "The instance id belongs to another member id now."
    fenced = {ErrorCode.FENCED_INSTANCE_ID}
    session.permit("the error code of Heartbeat", former.heartbeat(), fenced, because)
    former.send_sync()
    session.permit(
        "the error code of SyncGroup", former.receive_sync().error_code, fenced, because
    )
    former.send_join()
    session.permit(
        "the error code of JoinGroup", former.receive_join().error_code, fenced, because
    )


@check("GRPS-18", apis=(*STATIC, "OffsetCommit 7+"))
def the_former_member_id_cannot_commit(session: Session) -> None:
    """OffsetCommit of the former member id with the instance id gets FENCED_INSTANCE_ID."""
    topic: Topic = session.create_topic()
    former, _ = replaced_member(session)
    session.permit(
        "the error code of OffsetCommit",
        former.commit(topic, 0, 1),
        {ErrorCode.FENCED_INSTANCE_ID},
        "The instance id belongs to another member id now.",
    )


@check("GRPS-18", apis=STATIC)
def the_former_member_id_alone_is_unknown(session: Session) -> None:
    """The former member id without the instance id gets UNKNOWN_MEMBER_ID."""
    former, _ = replaced_member(session)
    session.permit(
        "the error code of Heartbeat",
        replace(former, instance_id=None).heartbeat(),
        {ErrorCode.UNKNOWN_MEMBER_ID},
        "No member has this id any more.",
    )


@check("GRPS-18", apis=STATIC)
def an_unknown_instance_with_a_member_id_is_unknown(session: Session) -> None:
    """A member id with an instance id that the group does not know gets UNKNOWN_MEMBER_ID."""
    _, static = group_with_static_member(session)
    stranger = replace(static, instance_id="another instance")
    because = "The group does not know the instance id."
    unknown = {ErrorCode.UNKNOWN_MEMBER_ID}
    session.permit("the error code of Heartbeat", stranger.heartbeat(), unknown, because)
    stranger.send_join()
    session.permit(
        "the error code of JoinGroup", stranger.receive_join().error_code, unknown, because
    )
