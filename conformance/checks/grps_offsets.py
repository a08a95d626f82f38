"""GRPS: who may commit offsets, and what is returned of them."""

from dataclasses import replace

from conformance.check import check
from conformance.groups import completing_group, let_join, stable_group
from conformance.judge import Condition
from conformance.members import Member, new_member
from conformance.offsets import commit_from_outside, fetch_offset, prepare_offset
from conformance.requests import Topic
from conformance.session import Session
from conformance.settings import broker_limit
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

GROUP_APIS = ("JoinGroup", "SyncGroup", "OffsetCommit", "OffsetFetch")
NOT_COMMITTED = -1
NO_METADATA = ("", None)
GROUP_ID_NOT_FOUND_SINCE = 9


def permit_error(session: Session, got: int, error: ErrorCode, because: str) -> None:
    session.permit("the error code of OffsetCommit", got, {error}, because)


def permit_offset(
    session: Session, group: str, topic: Topic, offset: int, because: str, partition: int = 0
) -> None:
    session.permit(
        "the committed offset",
        fetch_offset(session, group, topic, partition).committed_offset,
        [offset],
        because,
    )


def member_with_offset(session: Session, topic: Topic, offset: int) -> Member:
    """The only member of a stable group, which has committed an offset."""
    (member,) = stable_group(session, 1)
    if member.commit(topic, 0, offset) != ErrorCode.NONE:
        session.inconclusive("a member could not commit")
    return member


# GRPS-10


@check("GRPS-10", apis=GROUP_APIS)
def a_wrong_generation_cannot_commit(session: Session) -> None:
    """OffsetCommit with another generation than the current is refused and changes nothing."""
    topic = session.create_topic()
    member = member_with_offset(session, topic, 5)
    for off in (-1, 1):
        zombie = replace(member, generation_id=member.generation_id + off)
        permit_error(
            session,
            zombie.commit(topic, 0, 3),
            ErrorCode.ILLEGAL_GENERATION,
            f"The current generation is {member.generation_id}.",
        )
    permit_offset(session, member.group, topic, 5, "A refused commit changes nothing.")


@check("GRPS-10", apis=GROUP_APIS)
def an_unknown_member_cannot_commit(session: Session) -> None:
    """OffsetCommit of a member that is not in the group is refused and changes nothing."""
    topic = session.create_topic()
    member = member_with_offset(session, topic, 5)
    permit_error(
        session,
        replace(member, member_id="made-up").commit(topic, 0, 3),
        ErrorCode.UNKNOWN_MEMBER_ID,
        "The group has no such member.",
    )
    permit_offset(session, member.group, topic, 5, "A refused commit changes nothing.")


@check("GRPS-10", apis=("OffsetCommit",))
def no_generation_of_an_unknown_group_can_commit(session: Session) -> None:
    """A commit with a generation to a group that does not exist is refused by its version."""
    topic, group = session.create_topic(), session.group_name()
    client = session.coordinator(group)
    partitions = [{"partition_index": 0, "committed_offset": 1}]
    for version in client.versions["OffsetCommit"]:
        answer = client.call(
            "OffsetCommit",
            version,
            group_id=group,
            generation_id_or_member_epoch=1,
            member_id="made-up",
            topics=[{"name": topic.name, "topic_id": topic.id, "partitions": partitions}],
        )
        is_new = version >= GROUP_ID_NOT_FOUND_SINCE
        session.permit(
            f"the error code by version {version}",
            answer.topics[0].partitions[0].error_code,
            {ErrorCode.GROUP_ID_NOT_FOUND if is_new else ErrorCode.ILLEGAL_GENERATION},
            "There is no group, and therefore no generation of it.",
        )


# GRPS-11


@check("GRPS-11", apis=GROUP_APIS)
def no_commit_while_the_assignment_is_awaited(session: Session) -> None:
    """OffsetCommit of the current generation in CompletingRebalance gets REBALANCE_IN_PROGRESS."""
    topic = session.create_topic()
    member, *_ = completing_group(session, 2)
    permit_error(
        session,
        member.commit(topic, 0, 5),
        ErrorCode.REBALANCE_IN_PROGRESS,
        "Nobody knows yet whose partition it is.",
    )
    permit_offset(session, member.group, topic, NOT_COMMITTED, "A refused commit changes nothing.")


@check("GRPS-11", apis=(*GROUP_APIS, "Heartbeat"))
def members_commit_before_they_join_again(session: Session) -> None:
    """OffsetCommit of the current generation in PreparingRebalance is accepted."""
    topic = session.create_topic()
    (member,) = stable_group(session, 1)
    let_join(session, [member], new_member(session, member.group))
    permit_error(
        session,
        member.commit(topic, 0, 5),
        ErrorCode.NONE,
        "The partition is the member's until it joins again.",
    )
    permit_offset(session, member.group, topic, 5, "The commit was accepted.")


@check("GRPS-11", apis=GROUP_APIS)
def members_of_a_stable_group_commit(session: Session) -> None:
    """OffsetCommit of the current generation in Stable is accepted."""
    topic = session.create_topic()
    (member,) = stable_group(session, 1)
    permit_error(
        session, member.commit(topic, 0, 5), ErrorCode.NONE, "The member has the partition."
    )
    permit_offset(session, member.group, topic, 5, "The commit was accepted.")


# GRPS-12


@check("GRPS-12", apis=("OffsetCommit", "OffsetFetch"))
def anybody_commits_to_a_new_group(session: Session) -> None:
    """OffsetCommit without generation to a group that does not exist is accepted."""
    topic, group = session.create_topic(), session.group_name()
    permit_error(
        session,
        commit_from_outside(session, group, topic, 5),
        ErrorCode.NONE,
        "The group is created for its offsets.",
    )
    permit_offset(session, group, topic, 5, "The commit was accepted.")


@check("GRPS-12", apis=(*GROUP_APIS, "LeaveGroup"))
def anybody_commits_to_a_group_that_became_empty(session: Session) -> None:
    """OffsetCommit without generation is accepted when the last member has left."""
    topic = session.create_topic()
    member = member_with_offset(session, topic, 5)
    member.leave()
    permit_error(
        session,
        commit_from_outside(session, member.group, topic, 3),
        ErrorCode.NONE,
        "The group is empty.",
    )
    permit_offset(session, member.group, topic, 3, "The commit was accepted.")


@check("GRPS-12", apis=GROUP_APIS)
def nobody_commits_from_outside_to_a_living_group(session: Session) -> None:
    """OffsetCommit without generation is refused while the group has members."""
    topic = session.create_topic()
    member = member_with_offset(session, topic, 5)
    permit_error(
        session,
        commit_from_outside(session, member.group, topic, 3),
        ErrorCode.UNKNOWN_MEMBER_ID,
        "The group has members.",
    )
    permit_offset(session, member.group, topic, 5, "A refused commit changes nothing.")


@check("GRPS-12", apis=GROUP_APIS)
def a_member_commits_with_its_generation_only(session: Session) -> None:
    """OffsetCommit that names a member and no generation gets ILLEGAL_GENERATION."""
    topic = session.create_topic()
    member = member_with_offset(session, topic, 5)
    permit_error(
        session,
        commit_from_outside(session, member.group, topic, 3, member_id=member.member_id),
        ErrorCode.ILLEGAL_GENERATION,
        "A member has a generation.",
    )


# GRPS-13


@check("GRPS-13", apis=("OffsetCommit", "OffsetFetch"))
def too_long_metadata_is_refused(session: Session) -> None:
    """Commit metadata longer than offset.metadata.max.bytes is refused, and the offset stays."""
    limit = broker_limit(session, "offset.metadata.max.bytes")
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 5)
    permit_error(
        session,
        commit_from_outside(session, group, topic, 9, metadata="x" * (limit + 1)),
        ErrorCode.OFFSET_METADATA_TOO_LARGE,
        f"The limit is {limit} bytes.",
    )
    permit_offset(session, group, topic, 5, "A refused commit changes nothing.")


@check("GRPS-13", apis=("OffsetCommit", "OffsetFetch"))
def the_longest_metadata_is_stored(session: Session) -> None:
    """Commit metadata of exactly offset.metadata.max.bytes is stored."""
    longest = "x" * broker_limit(session, "offset.metadata.max.bytes")
    topic, group = session.create_topic(), session.group_name()
    permit_error(
        session,
        commit_from_outside(session, group, topic, 5, metadata=longest),
        ErrorCode.NONE,
        "Exactly the limit is allowed.",
    )
    got = fetch_offset(session, group, topic).metadata
    session.permit("the metadata", got, [longest], "It was committed.")


@check("GRPS-13", apis=("OffsetCommit", "OffsetFetch"))
def no_metadata_is_empty_metadata(session: Session) -> None:
    """Null as commit metadata counts as empty."""
    topic, group = session.create_topic(), session.group_name()
    permit_error(
        session,
        commit_from_outside(session, group, topic, 5, metadata=None),
        ErrorCode.NONE,
        "Null counts as empty.",
    )
    got = fetch_offset(session, group, topic).metadata
    session.permit("the metadata", got, NO_METADATA, "Null counts as empty.")


# GRPS-14


@check("GRPS-14", apis=("OffsetCommit", "OffsetFetch"))
def every_version_returns_the_last_commit(session: Session) -> None:
    """OffsetFetch of every version returns offset and metadata of the last commit."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 4)
    if commit_from_outside(session, group, topic, 7, metadata="note") != ErrorCode.NONE:
        session.inconclusive("the offset could not be committed")
    for version in session.broker.versions["OffsetFetch"]:
        got = fetch_offset(session, group, topic, version=version)
        session.permit(
            f"error, offset and metadata by version {version}",
            (got.error_code, got.committed_offset, got.metadata),
            [(ErrorCode.NONE, 7, "note")],
            "This is what the last successful commit said.",
        )


@check("GRPS-14", apis=("OffsetCommit 6+", "OffsetFetch 5+"))
def the_leader_epoch_is_returned(session: Session) -> None:
    """OffsetFetch returns the leader epoch of the last commit."""
    topic, group = session.create_topic(), session.group_name()
    if commit_from_outside(session, group, topic, 7, leader_epoch=3) != ErrorCode.NONE:
        session.inconclusive("the offset could not be committed")
    session.permit(
        "the leader epoch",
        fetch_offset(session, group, topic).committed_leader_epoch,
        [3],
        "This is what the last successful commit said.",
    )


@check("GRPS-14", apis=("OffsetCommit", "OffsetFetch"))
def a_group_may_go_back(session: Session) -> None:
    """A commit of a smaller offset replaces a larger one."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 9)
    permit_error(
        session,
        commit_from_outside(session, group, topic, 2),
        ErrorCode.NONE,
        "The order of commits counts, and not the larger offset.",
    )
    permit_offset(session, group, topic, 2, "It is the last commit.")


@check("GRPS-14", apis=("OffsetCommit", "OffsetFetch"))
def every_partition_has_its_own_offset(session: Session) -> None:
    """A commit for one partition says nothing about another, or another group."""
    topic = session.create_topic(partitions=2)
    group, other = session.group_name(), session.group_name()
    prepare_offset(session, group, topic, 5)
    for of_group, partition in ((group, 1), (other, 0)):
        permit_nothing(session, fetch_offset(session, of_group, topic, partition))


def permit_nothing(session: Session, got: Struct) -> None:
    session.permit(
        "error, offset, leader epoch and metadata",
        (got.error_code, got.committed_offset, got.committed_leader_epoch, got.metadata),
        Condition(
            "NONE, -1, -1 and empty",
            lambda four: (
                four[:3] == (ErrorCode.NONE, NOT_COMMITTED, -1) and four[3] in NO_METADATA
            ),
        ),
        "Nothing is committed there.",
    )


@check("GRPS-14", apis=("OffsetFetch",))
def an_unknown_group_has_no_offsets(session: Session) -> None:
    """OffsetFetch of a group that does not exist returns -1 and no error, in every version."""
    topic, group = session.create_topic(), session.group_name()
    for version in session.broker.versions["OffsetFetch"]:
        permit_nothing(session, fetch_offset(session, group, topic, version=version))
