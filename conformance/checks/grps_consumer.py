"""GRPS: the consumer protocol: member epochs, who owns what, commits, and how members leave."""

from conformance.check import check
from conformance.consumers import (
    APIS,
    LEAVING_FOR_A_WHILE,
    Consumer,
    consumer,
)
from conformance.judge import at_least
from conformance.offsets import fetch_offset
from conformance.session import Session
from spec.wire.errors import ErrorCode

COMMITS = (*APIS, "OffsetCommit 9+", "OffsetFetch")
MEMBER_EPOCH_SINCE = 9
SEVERAL = 5
"""Heartbeats in which something must not happen."""


def moved_on(session: Session) -> Consumer:
    """A member that owns partition 0, and came into another epoch when a second one joined."""
    group, topic = session.group_name(), session.create_topic()
    found = consumer(session, group, topic, owns=1)
    joined = found.epoch
    consumer(session, group, topic)
    found.prepare_until(lambda: found.epoch > joined, "the member is in another epoch")
    return found


# GRPS-20: member epochs


@check("GRPS-20", apis=APIS)
def a_later_epoch_is_fenced(session: Session) -> None:
    """A heartbeat with a member epoch above the member's gets FENCED_MEMBER_EPOCH."""
    found = consumer(session, session.group_name(), session.create_topic(), owns=1)
    for ahead in (1, 100):
        code = found.heartbeat([0], epoch=found.epoch + ahead).error_code
        because = f"The epoch of the member is {found.epoch}."
        session.permit("the error code", code, {ErrorCode.FENCED_MEMBER_EPOCH}, because)


@check("GRPS-20", apis=APIS)
def an_earlier_epoch_is_fenced(session: Session) -> None:
    """The epoch before, without owned partitions, and epochs before that are fenced."""
    found = moved_on(session)
    first = found.epoch
    second = consumer(session, found.group, found.topic)
    found.prepare_until(lambda: found.epoch > first, "the member is in a third epoch")
    del second
    because = f"The epoch of the member is {found.epoch}."
    for epoch, owned in ((found.epoch - 1, None), (found.epoch - 2, [0])):
        code = found.heartbeat(owned, epoch=epoch).error_code
        what = f"the error code for epoch {epoch}"
        session.permit(what, code, {ErrorCode.FENCED_MEMBER_EPOCH}, because)


@check("GRPS-20", apis=APIS)
def an_answer_that_got_lost_is_repeated(session: Session) -> None:
    """The epoch before is taken from a member that owns nothing but what is assigned to it."""
    found = moved_on(session)
    current = found.epoch
    answer = found.heartbeat([0], epoch=current - 1)
    session.permit(
        "the error code and the member epoch",
        (answer.error_code, answer.member_epoch),
        [(ErrorCode.NONE, current)],
        "The answer with the new epoch may have been lost.",
    )


# GRPS-21 and GRPS-22: one owner at a time


def permit_nothing_of(session: Session, waiting: Consumer, held: frozenset[int]) -> None:
    """Judge, over several heartbeats, that a member is assigned nothing of what another holds."""
    for _ in range(SEVERAL):
        waiting.heartbeat(waiting.assigned)
        session.permit(
            "what is assigned of it to another member",
            sorted(waiting.assigned & held),
            [[]],
            "Its owner has not given it up.",
        )


def asked_to_give_up(session: Session) -> tuple[Consumer, Consumer]:
    """An owner of two partitions that knows that it must give up one, and who shall have it."""
    group, topic = session.group_name(), session.create_topic(partitions=2)
    owner = consumer(session, group, topic, owns=2)
    other = consumer(session, group, topic)

    def asked() -> bool:
        owner.heartbeat([0, 1])
        other.heartbeat(other.assigned)
        return len(owner.assigned) < 2

    session.poll_until(asked, "the owner is asked to give up a partition")
    return owner, other


@check("GRPS-21", apis=APIS)
def a_partition_has_one_owner_at_a_time(session: Session) -> None:
    """A partition is not assigned before its owner confirmed that it gave it up, and then is."""
    group, topic = session.group_name(), session.create_topic(partitions=2)
    owner = consumer(session, group, topic, owns=2)
    other = consumer(session, group, topic)
    permit_nothing_of(session, other, frozenset((0, 1)))

    def asked() -> bool:
        owner.heartbeat([0, 1])
        return len(owner.assigned) < 2

    session.poll_until(asked, "the owner is asked to give up a partition")
    permit_nothing_of(session, other, frozenset((0, 1)))
    owner.heartbeat(owner.assigned)
    other.prepare_until(lambda: bool(other.assigned), "the other member owns something")
    expected = frozenset((0, 1)) - owner.assigned
    session.permit("what it owns", other.assigned, [expected], "The first member has the rest.")


@check("GRPS-22", apis=APIS)
def who_has_to_give_up_stays_in_its_epoch(session: Session) -> None:
    """A member is told a later epoch only when it has confirmed what it gave up."""
    group, topic = session.group_name(), session.create_topic(partitions=2)
    owner = consumer(session, group, topic, owns=2)
    before = owner.epoch
    consumer(session, group, topic)

    def asked() -> bool:
        owner.heartbeat([0, 1])
        session.permit("the member epoch", owner.epoch, [before], "It still owns both.")
        return len(owner.assigned) < 2

    session.poll_until(asked, "the owner is asked to give up a partition")
    for _ in range(SEVERAL):
        answer = owner.heartbeat([0, 1])
        session.permit("the member epoch", answer.member_epoch, [before], "It still owns both.")
    owner.prepare_until(lambda: owner.epoch > before, "the owner is in another epoch")
    session.permit("how many partitions it owns", len(owner.assigned), [1], "It gave up one.")


@check("GRPS-22", apis=COMMITS)
def commits_are_valid_until_all_is_given_up(session: Session) -> None:
    """Until it has confirmed, a member commits for the partition that it is about to lose."""
    owner, _ = asked_to_give_up(session)
    (lost,) = frozenset((0, 1)) - owner.assigned
    code = owner.commit(7, lost)
    because = "It has not confirmed that it gave the partition up."
    session.permit("the error code", code, {ErrorCode.NONE}, because)
    got = fetch_offset(session, owner.group, owner.topic, lost).committed_offset
    session.permit("the committed offset", got, [7], because)


# GRPS-23: commits


def permit_committed(session: Session, member: Consumer, offset: int) -> None:
    got = fetch_offset(session, member.group, member.topic).committed_offset
    because = "A commit that was refused changes nothing."
    session.permit("the committed offset", got, [offset], because)


@check("GRPS-23", apis=COMMITS)
def a_commit_of_a_later_epoch_is_refused(session: Session) -> None:
    """OffsetCommit with a member epoch above the member's gets STALE_MEMBER_EPOCH."""
    found = moved_on(session)
    if found.commit(3) != ErrorCode.NONE:
        session.inconclusive("the member could not commit in its own epoch")
    for version in found.coordinator.versions["OffsetCommit"]:
        if version >= MEMBER_EPOCH_SINCE:
            fields = {"generation_id_or_member_epoch": found.epoch + 1}
            code = found.commit_with(version, 7, fields=fields)
            because = f"The epoch of the member is {found.epoch}."
            session.permit("the error code", code, {ErrorCode.STALE_MEMBER_EPOCH}, because)
    permit_committed(session, found, 3)


@check("GRPS-23", apis=COMMITS)
def who_lost_a_partition_does_not_commit_for_it(session: Session) -> None:
    """With the epoch in which a member owned what it lost, OffsetCommit is STALE_MEMBER_EPOCH."""
    owner, _ = asked_to_give_up(session)
    before = owner.epoch
    (lost,) = frozenset((0, 1)) - owner.assigned
    owner.prepare_until(lambda: owner.epoch > before, "the owner is in another epoch")
    code = owner.commit(7, lost, generation_id_or_member_epoch=before)
    because = "The partition may be another member's by now."
    session.permit("the error code", code, {ErrorCode.STALE_MEMBER_EPOCH}, because)
    got = fetch_offset(session, owner.group, owner.topic, lost).committed_offset
    session.permit("the committed offset", got, [-1], because)


@check("GRPS-23", apis=COMMITS)
def a_commit_of_a_stranger_is_refused(session: Session) -> None:
    """OffsetCommit with a member id that is not in the group gets UNKNOWN_MEMBER_ID."""
    found = consumer(session, session.group_name(), session.create_topic(), owns=1)
    code = found.commit(7, member_id="nobody")
    session.permit("the error code", code, {ErrorCode.UNKNOWN_MEMBER_ID}, "It is no member.")
    permit_committed(session, found, -1)


@check("GRPS-23", apis=(*COMMITS, "OffsetCommit 2-8"))
def older_commits_know_no_member_epoch(session: Session) -> None:
    """OffsetCommit below version 9 of a member of this protocol gets UNSUPPORTED_VERSION."""
    found = consumer(session, session.group_name(), session.create_topic(), owns=1)
    for version in found.coordinator.versions["OffsetCommit"]:
        if version < MEMBER_EPOCH_SINCE:
            code = found.commit_with(version, 7)
            because = "The field was a generation then."
            session.permit(
                f"the error code of version {version}",
                code,
                {ErrorCode.UNSUPPORTED_VERSION},
                because,
            )


# GRPS-24: leaving


@check("GRPS-24", apis=APIS)
def who_leaves_frees_its_partitions(session: Session) -> None:
    """A heartbeat with epoch -1 removes the member, and others get what it had."""
    group, topic = session.group_name(), session.create_topic()
    leaving = consumer(session, group, topic, owns=1)
    other = consumer(session, group, topic)
    former = leaving.epoch
    code = leaving.leave().error_code
    session.permit("the error code of leaving", code, {ErrorCode.NONE}, "A member may leave.")
    code = leaving.heartbeat([0], epoch=former).error_code
    because = "It is no member any more."
    session.permit("the error code afterwards", code, {ErrorCode.UNKNOWN_MEMBER_ID}, because)

    def owns() -> bool:
        other.heartbeat(other.assigned)
        return other.assigned == {0}

    session.poll_until(
        owns, "the other member owns the partition", timeout=10, demanded="It was free at once."
    )


def static_owner(session: Session) -> tuple[Consumer, Consumer]:
    """A static member that owns the one partition, and another member."""
    group, topic = session.group_name(), session.create_topic()
    owner = Consumer(session, group, topic, instance_id="static").prepare()
    owner.prepare_until(lambda: owner.assigned == {0}, "the static member owns the partition")
    return owner, consumer(session, group, topic)


@check("GRPS-24", apis=APIS)
def who_leaves_for_a_while_keeps_its_partitions(session: Session) -> None:
    """After epoch -2 nobody else gets a static member's partitions, and it has them again."""
    owner, other = static_owner(session)
    answer = owner.leave(LEAVING_FOR_A_WHILE)
    session.permit("the error code", answer.error_code, {ErrorCode.NONE}, "A member may leave.")
    permit_nothing_of(session, other, frozenset((0,)))
    returned = Consumer(session, owner.group, owner.topic, instance_id=owner.instance_id)
    answer = returned.join()
    because = "Another member id may take the place of a static member that left."
    session.permit("the error code of joining", answer.error_code, {ErrorCode.NONE}, because)
    session.permit("its epoch", returned.epoch, at_least(1), because)
    returned.prepare_until(lambda: bool(returned.assigned), "the returned member owns something")
    session.permit("what it owns", returned.assigned, [frozenset((0,))], because)


@check("GRPS-24", apis=APIS)
def the_place_of_an_active_static_member_is_taken(session: Session) -> None:
    """Joining with the instance id of an active member gets UNRELEASED_INSTANCE_ID."""
    owner, _ = static_owner(session)
    thief = Consumer(session, owner.group, owner.topic, instance_id=owner.instance_id)
    code = thief.join().error_code
    because = "Its owner has not left."
    session.permit("the error code", code, {ErrorCode.UNRELEASED_INSTANCE_ID}, because)
    code = owner.heartbeat([0]).error_code
    session.permit("the error code of the owner", code, {ErrorCode.NONE}, "Nothing has changed.")
