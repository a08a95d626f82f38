"""GRPS: groups and offsets that are deleted, and groups that outlive their coordinator."""

from conformance.check import check
from conformance.groups import assignment_of, stable_group, subscribed_member
from conformance.offsets import commit_from_outside, fetch_offset, prepare_offset
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

JOINED = ("JoinGroup", "SyncGroup")
NOT_COMMITTED = -1


def delete_group(session: Session, group: str) -> int:
    answer = session.coordinator(group).call("DeleteGroups", groups_names=[group])
    return int(answer.results[0].error_code)


def delete_offset(session: Session, group: str, topic: Topic, partition: int = 0) -> Struct:
    topics = [{"name": topic.name, "partitions": [{"partition_index": partition}]}]
    return session.coordinator(group).call("OffsetDelete", group_id=group, topics=topics)


def permit_offset(
    session: Session, group: str, topic: Topic, offset: int, because: str, partition: int = 0
) -> None:
    session.permit(
        "the committed offset",
        fetch_offset(session, group, topic, partition).committed_offset,
        [offset],
        because,
    )


# GRPS-17


@check("GRPS-17", apis=(*JOINED, "DeleteGroups", "Heartbeat"))
def a_group_with_members_is_not_deleted(session: Session) -> None:
    """DeleteGroups of a group that has members gets NON_EMPTY_GROUP, and the group lives on."""
    (member,) = stable_group(session, 1)
    session.permit(
        "the error code of DeleteGroups",
        delete_group(session, member.group),
        {ErrorCode.NON_EMPTY_GROUP},
        "The group has a member.",
    )
    session.permit(
        "the error code of the member's heartbeat",
        member.heartbeat(),
        {ErrorCode.NONE},
        "The group was not deleted.",
    )


@check("GRPS-17", apis=("DeleteGroups",))
def an_unknown_group_cannot_be_deleted(session: Session) -> None:
    """DeleteGroups of a group that does not exist gets GROUP_ID_NOT_FOUND."""
    session.permit(
        "the error code of DeleteGroups",
        delete_group(session, session.group_name()),
        {ErrorCode.GROUP_ID_NOT_FOUND},
        "There is no such group.",
    )


@check("GRPS-17", apis=("DeleteGroups", "OffsetCommit", "OffsetFetch"))
def a_deleted_group_has_no_offsets(session: Session) -> None:
    """DeleteGroups of an empty group removes it with its offsets."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 5)
    session.permit(
        "the error code of DeleteGroups",
        delete_group(session, group),
        {ErrorCode.NONE},
        "The group has no members.",
    )
    permit_offset(session, group, topic, NOT_COMMITTED, "The group was deleted.")


@check("GRPS-17", apis=(*JOINED, "OffsetCommit", "OffsetFetch", "OffsetDelete"))
def offsets_of_subscribed_topics_are_not_deleted(session: Session) -> None:
    """OffsetDelete for a topic to which a living group is subscribed is refused."""
    topic = session.create_topic()
    member = subscribed_member(session, topic)
    if member.commit(topic, 0, 5) != ErrorCode.NONE:
        session.inconclusive("the member could not commit")
    answer = delete_offset(session, member.group, topic)
    if answer.error_code != ErrorCode.NONE:
        session.inconclusive("OffsetDelete was refused as a whole")
    session.permit(
        "the error code of the partition",
        answer.topics[0].partitions[0].error_code,
        {ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC},
        "A member is subscribed to the topic.",
    )
    permit_offset(session, member.group, topic, 5, "A refused deletion removes nothing.")


@check("GRPS-17", apis=(*JOINED, "OffsetCommit", "OffsetFetch", "OffsetDelete"))
def offsets_of_other_topics_are_deleted(session: Session) -> None:
    """OffsetDelete for a topic to which a living group is not subscribed removes the offset."""
    topic, other = session.create_topic(), session.create_topic()
    member = subscribed_member(session, other)
    if member.commit(topic, 0, 5) != ErrorCode.NONE:
        session.inconclusive("the member could not commit")
    permit_deleted(session, member.group, topic)


def permit_deleted(session: Session, group: str, topic: Topic) -> None:
    answer = delete_offset(session, group, topic)
    session.permit(
        "the error code of OffsetDelete",
        answer.error_code,
        {ErrorCode.NONE},
        "Nothing is wrong with the request as a whole.",
    )
    session.permit(
        "the error code of the partition",
        answer.topics[0].partitions[0].error_code,
        {ErrorCode.NONE},
        "Nobody in the group is subscribed to the topic.",
    )
    permit_offset(session, group, topic, NOT_COMMITTED, "The offset was deleted.")


@check("GRPS-17", apis=("OffsetCommit", "OffsetFetch", "OffsetDelete"))
def offsets_of_an_empty_group_are_deleted(session: Session) -> None:
    """OffsetDelete of an empty group removes the offset asked for, and no other."""
    topic, group = session.create_topic(partitions=2), session.group_name()
    prepare_offset(session, group, topic, 5)
    if commit_from_outside(session, group, topic, 6, partition=1) != ErrorCode.NONE:
        session.inconclusive("an offset could not be committed")
    permit_deleted(session, group, topic)
    permit_offset(session, group, topic, 6, "It was not asked for.", partition=1)


@check("GRPS-17", apis=("OffsetDelete",))
def offsets_of_an_unknown_group_are_not_found(session: Session) -> None:
    """OffsetDelete of a group that does not exist gets GROUP_ID_NOT_FOUND."""
    topic = session.create_topic()
    session.permit(
        "the error code of OffsetDelete",
        delete_offset(session, session.group_name(), topic).error_code,
        {ErrorCode.GROUP_ID_NOT_FOUND},
        "There is no such group.",
    )


# GRPS-19


@check("GRPS-19", apis=("OffsetCommit", "OffsetFetch"), needs=("restart",))
def offsets_survive_a_restart(session: Session) -> None:
    """Committed offsets are returned after a restart of the coordinator as before."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 5)
    if commit_from_outside(session, group, topic, 3, metadata="note") != ErrorCode.NONE:
        session.inconclusive("the offset could not be committed")
    session.restart()
    got = fetch_offset(session, group, topic)
    session.permit(
        "error, offset and metadata",
        (got.error_code, got.committed_offset, got.metadata),
        [(ErrorCode.NONE, 3, "note")],
        "The commit was acknowledged before the restart.",
    )


@check("GRPS-19", apis=("OffsetCommit", "OffsetFetch"), needs=("kill",))
def offsets_survive_a_crash(session: Session) -> None:
    """Committed offsets are returned after a crash of the coordinator's process as before."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 5)
    session.crash()
    permit_offset(session, group, topic, 5, "The commit was acknowledged before the crash.")


@check("GRPS-19", apis=(*JOINED, "Heartbeat"), needs=("restart",))
def members_survive_a_restart(session: Session) -> None:
    """After a restart of the coordinator the members find generation and assignment as before."""
    members = stable_group(session, 2)
    session.restart()
    for member in members:
        member.client = session.connect(near=session.coordinator(member.group))
        session.permit(
            "the error code of Heartbeat",
            member.heartbeat(),
            {ErrorCode.NONE},
            "Members that were in the group find themselves in it and need not join again.",
        )
        member.send_sync()
        session.permit(
            "the assignment",
            member.receive_sync().assignment,
            [assignment_of(member)],
            "The assignment was acknowledged before the restart.",
        )


@check("GRPS-19", apis=("DeleteGroups", "OffsetCommit", "OffsetFetch"), needs=("restart",))
def deleted_offsets_stay_deleted_over_a_restart(session: Session) -> None:
    """Offsets of a group that was deleted do not come back with a restart."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 5)
    if delete_group(session, group) != ErrorCode.NONE:
        session.inconclusive("the group could not be deleted")
    session.restart()
    permit_offset(session, group, topic, NOT_COMMITTED, "The group was deleted.")
