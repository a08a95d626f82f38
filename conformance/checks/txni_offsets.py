"""TXNI: committed offsets that wait for the end of a transaction."""

from dataclasses import replace

from conformance.check import check
from conformance.groups import stable_group
from conformance.offsets import BATCHED_OFFSET_FETCH, commit_from_outside, prepare_offset
from conformance.requests import Topic
from conformance.session import Session
from conformance.transactions import TV1, TV1_APIS, TV2, TV2_APIS, producer
from spec.wire.errors import ErrorCode

APIS = (*TV1_APIS, "AddOffsetsToTxn", "TxnOffsetCommit 0-4", "OffsetFetch")
STABLE_SINCE = 7
MEMBERS_SINCE = 3
NOTHING = -1


def offset_of(session: Session, group: str, topic: Topic, stable: bool = False) -> tuple[int, int]:
    """The committed offset of partition 0 with its error code; `stable` asks for requireStable."""
    client = session.coordinator(group)
    version = client.version("OffsetFetch", BATCHED_OFFSET_FETCH)
    asked = {"name": topic.name, "partition_indexes": [0]}
    answer = client.call(
        "OffsetFetch",
        version,
        group_id=group,
        topics=[asked],
        groups=[{"group_id": group, "topics": [asked]}],
        require_stable=stable,
    )
    of_group = answer.groups[0] if version >= BATCHED_OFFSET_FETCH else answer
    partition = of_group.topics[0].partitions[0]
    return int(partition.committed_offset), int(partition.error_code)


def permit_offset(session: Session, group: str, topic: Topic, offset: int, because: str) -> None:
    got = offset_of(session, group, topic)
    expected = [(offset, int(ErrorCode.NONE))]
    session.permit("the committed offset and its error code", got, expected, because)


def await_offset(session: Session, group: str, topic: Topic, offset: int, because: str) -> None:
    """Judge that the offset is this as soon as none is pending."""
    session.poll_until(
        lambda: offset_of(session, group, topic, stable=True)[1] == ErrorCode.NONE,
        "no offset is pending",
        demanded="The transaction has ended.",
    )
    permit_offset(session, group, topic, offset, because)


@check("TXNI-16", apis=APIS)
def offsets_come_with_the_commit(session: Session) -> None:
    """OffsetFetch returns what TxnOffsetCommit brought after the commit and not before."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 3)
    found = producer(session)
    found.prepare_offset(group, topic, 7)
    permit_offset(session, group, topic, 3, "The transaction is not decided.")
    found.prepare_end(True)
    await_offset(session, group, topic, 7, "The transaction is committed.")


@check("TXNI-16", apis=APIS)
def offsets_go_with_the_abort(session: Session) -> None:
    """What TxnOffsetCommit brought vanishes when the transaction aborts."""
    topic, group = session.create_topic(), session.group_name()
    for before in (NOTHING, 3):
        if before != NOTHING:
            prepare_offset(session, group, topic, before)
        found = producer(session)
        found.prepare_offset(group, topic, 7)
        found.prepare_end(False)
        await_offset(session, group, topic, before, "The transaction is aborted.")


@check("TXNI-16", apis=APIS)
def offsets_need_a_group_that_was_added(session: Session) -> None:
    """TxnOffsetCommit below version 5 without AddOffsetsToTxn before is refused."""
    topic, group = session.create_topic(), session.group_name()
    found = producer(session)
    because = "The group is not part of a transaction."
    for version in session.coordinator(group).versions["TxnOffsetCommit"]:
        if version <= 4:
            found.protocol = replace(TV1, commit_offsets=version)
            code = found.commit_offset(group, topic, 7)
            expected = (
                ErrorCode.TRANSACTION_ABORTABLE if version == 4 else ErrorCode.INVALID_TXN_STATE
            )
            session.permit(f"the error code of version {version}", code, {expected}, because)
    permit_offset(session, group, topic, NOTHING, because)


@check("TXNI-16", apis=(*TV2_APIS, "TxnOffsetCommit 5+", "OffsetFetch"))
def the_broker_adds_the_group_under_tv2(session: Session) -> None:
    """TxnOffsetCommit 5 needs nothing before it, and its offsets wait for the end as well."""
    topic, group = session.create_topic(), session.group_name()
    for committed, before, after in ((True, NOTHING, 7), (False, 7, 7)):
        found = producer(session, TV2)
        code = found.commit_offset(group, topic, 7 if committed else 9)
        because = "The broker adds the group to the transaction."
        session.permit("the error code", code, {ErrorCode.NONE}, because)
        permit_offset(session, group, topic, before, "The transaction is not decided.")
        found.prepare_end(committed)
        await_offset(session, group, topic, after, "The first was committed, the second aborted.")


@check("TXNI-16", apis=APIS)
def the_later_record_of_a_commit_wins(session: Session) -> None:
    """A plain commit after an offset that is pending stands when the transaction commits."""
    topic, group = session.create_topic(), session.group_name()
    found = producer(session)
    found.prepare_offset(group, topic, 30)
    prepare_offset(session, group, topic, 25)
    permit_offset(session, group, topic, 25, "The plain commit holds at once.")
    found.prepare_end(True)
    await_offset(session, group, topic, 25, "The plain commit has the later record.")


@check("TXNI-17", apis=(*APIS, "TxnOffsetCommit 3+", "JoinGroup"))
def strangers_do_not_commit_in_transactions(session: Session) -> None:
    """Another generation is ILLEGAL_GENERATION, an unknown member id UNKNOWN_MEMBER_ID."""
    topic = session.create_topic()
    (member,) = stable_group(session, 1)
    found = producer(session)
    if found.add_offsets(member.group) != ErrorCode.NONE:
        session.inconclusive("the group could not be added")
    current = {
        "member_id": member.member_id,
        "generation_id_or_member_epoch": member.generation_id,
    }
    wrong = {
        ErrorCode.ILLEGAL_GENERATION: {
            **current,
            "generation_id_or_member_epoch": member.generation_id + 1,
        },
        ErrorCode.UNKNOWN_MEMBER_ID: {**current, "member_id": "nobody"},
    }
    for error, fields in wrong.items():
        code = found.commit_offset(member.group, topic, 7, fields)
        session.permit("the error code", code, {error}, "Only members may commit.")
    found.prepare_end(True)
    because = "Commits that were refused have no effect."
    await_offset(session, member.group, topic, NOTHING, because)


@check("TXNI-17", apis=(*APIS, "TxnOffsetCommit 3+", "JoinGroup"))
def members_commit_in_transactions(session: Session) -> None:
    """The present generation and member id are accepted, and so is a commit without both."""
    topic = session.create_topic()
    (member,) = stable_group(session, 1)
    found = producer(session)
    if found.add_offsets(member.group) != ErrorCode.NONE:
        session.inconclusive("the group could not be added")
    fields = {"member_id": member.member_id, "generation_id_or_member_epoch": member.generation_id}
    code = found.commit_offset(member.group, topic, 7, fields)
    session.permit("the error code", code, {ErrorCode.NONE}, "It is a member.")
    other = session.group_name()
    if found.add_offsets(other) != ErrorCode.NONE:
        session.inconclusive("the second group could not be added")
    code = found.commit_offset(other, topic, 8)
    session.permit("the error code", code, {ErrorCode.NONE}, "It names no member.")
    found.prepare_end(True)
    await_offset(session, member.group, topic, 7, "The transaction is committed.")
    await_offset(session, other, topic, 8, "The transaction is committed.")


@check("TXNI-18", apis=(*APIS, f"OffsetFetch {STABLE_SINCE}+"))
def pending_offsets_can_be_waited_for(session: Session) -> None:
    """requireStable gives UNSTABLE_OFFSET_COMMIT while an offset is pending, and else the last."""
    topic, group = session.create_topic(), session.group_name()
    prepare_offset(session, group, topic, 3)
    for committed, after in ((False, 3), (True, 7)):
        found = producer(session)
        found.prepare_offset(group, topic, 7)
        session.permit(
            "the error code with requireStable",
            offset_of(session, group, topic, stable=True)[1],
            {ErrorCode.UNSTABLE_OFFSET_COMMIT},
            "A transaction holds an offset that is not decided.",
        )
        permit_offset(session, group, topic, 3, "Without the flag it is the last committed one.")
        found.prepare_end(committed)
        await_offset(session, group, topic, after, "The transaction is decided.")


@check("TXNI-18", apis=(*APIS, f"OffsetFetch {STABLE_SINCE}+"))
def a_plain_commit_does_not_make_an_offset_stable(session: Session) -> None:
    """While a transaction holds an offset, requireStable waits, whoever else has committed."""
    topic, group = session.create_topic(), session.group_name()
    producer(session).prepare_offset(group, topic, 7)
    if commit_from_outside(session, group, topic, 5) != ErrorCode.NONE:
        session.inconclusive("an offset could not be committed")
    session.permit(
        "the error code with requireStable",
        offset_of(session, group, topic, stable=True)[1],
        {ErrorCode.UNSTABLE_OFFSET_COMMIT},
        "The transaction is not decided.",
    )
