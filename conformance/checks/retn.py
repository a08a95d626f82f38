"""RETN: what DeleteRecords does, and what it leaves alone; records from the future."""

from conformance import appends, requests, topics
from conformance.appends import HOUR_MS, now_ms
from conformance.check import check
from conformance.judge import at_least
from conformance.requests import EARLIEST, Topic
from conformance.session import Session
from conformance.wire import Struct
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

HIGH_WATERMARK = -1


def delete_records(session: Session, topic: Topic, offset: int) -> Struct:
    """DeleteRecords before an offset of partition 0; the partition's answer."""
    fields = requests.delete_records(topic, {0: offset})
    answer = session.leader(topic).call("DeleteRecords", **fields)
    found: Struct = answer.topics[0].partitions[0]
    return found


def permit_deleted(session: Session, topic: Topic, offset: int, low_watermark: int) -> None:
    """Delete, and judge the answer and the log start offset."""
    answer = delete_records(session, topic, offset)
    session.permit(
        f"the error code and the low watermark for offset {offset}",
        (answer.error_code, answer.low_watermark),
        [(ErrorCode.NONE, low_watermark)],
        "DeleteRecords moves the log start offset up to the offset, and never down.",
    )
    permit_start(session, topic, low_watermark)


def permit_start(session: Session, topic: Topic, offset: int) -> None:
    session.permit(
        "the log start offset",
        session.list_offset(topic, EARLIEST).offset,
        [offset],
        "It moves as DeleteRecords says, and no other way.",
    )


def filled_topic(session: Session, configs: dict[str, str] | None = None) -> Topic:
    """A topic with records at the offsets 0 to 5, in three batches."""
    topic = session.create_topic(configs=configs or {})
    records = [Record(b"value", b"key")] * 2
    appends.store(session, topic, *(build_batch(records) for _ in range(3)))
    return topic


# RETN-04: the log start offset


@check("RETN-04", apis=("DeleteRecords", "ListOffsets", "Produce"))
def the_log_start_does_not_move_down(session: Session) -> None:
    """DeleteRecords before an offset below the log start offset changes nothing."""
    topic = filled_topic(session)
    appends.cut(session, topic, 4)
    for lower in (2, 0):
        delete_records(session, topic, lower)
        permit_start(session, topic, 4)


@check("RETN-04", apis=("DeleteRecords", "ListOffsets", "Produce"), needs=("restart",))
def the_log_start_survives_a_restart(session: Session) -> None:
    """After a restart the log start offset is not below what it was."""
    topic = filled_topic(session)
    appends.cut(session, topic, 3)
    topics.restart(session, topic)
    session.permit(
        "the log start offset",
        session.list_offset(topic, EARLIEST).offset,
        at_least(3),
        "What has been deleted stays deleted.",
    )


# RETN-07: DeleteRecords


@check("RETN-07", apis=("DeleteRecords", "ListOffsets", "Produce"))
def records_are_deleted_up_to_an_offset(session: Session) -> None:
    """DeleteRecords makes the offset the log start offset, up to the high watermark."""
    topic = filled_topic(session)
    for offset in (2, 3, 6):
        permit_deleted(session, topic, offset, offset)


@check("RETN-07", apis=("DeleteRecords", "ListOffsets", "Produce"))
def deletion_may_mean_all(session: Session) -> None:
    """DeleteRecords with offset -1 deletes up to the high watermark."""
    topic = filled_topic(session)
    permit_deleted(session, topic, HIGH_WATERMARK, 6)


@check("RETN-07", apis=("DeleteRecords", "ListOffsets", "Produce"))
def deletion_of_what_is_gone_succeeds(session: Session) -> None:
    """DeleteRecords at or below the log start offset is no error and has no effect."""
    topic = filled_topic(session)
    permit_deleted(session, topic, 0, 0)
    permit_deleted(session, topic, 4, 4)
    for offset in (4, 1, 0):
        permit_deleted(session, topic, offset, 4)


@check("RETN-07", apis=("DeleteRecords", "ListOffsets", "Produce"))
def deletion_above_the_high_watermark_is_refused(session: Session) -> None:
    """DeleteRecords above the high watermark, or below -1, gives OFFSET_OUT_OF_RANGE."""
    topic = filled_topic(session)
    for offset in (7, 2**40, -2):
        answer = delete_records(session, topic, offset)
        session.permit(
            f"the error code and the low watermark for offset {offset}",
            (answer.error_code, answer.low_watermark),
            [(ErrorCode.OFFSET_OUT_OF_RANGE, -1)],
            "The high watermark is 6.",
        )
    permit_start(session, topic, 0)


@check("RETN-07", apis=("DeleteRecords", "Fetch", "Produce"))
def what_was_deleted_is_out_of_range(session: Session) -> None:
    """After DeleteRecords a Fetch below the log start offset fails, and one at it does not."""
    topic = filled_topic(session)
    appends.cut(session, topic, 3)
    for offset, error in (
        (0, ErrorCode.OFFSET_OUT_OF_RANGE),
        (2, ErrorCode.OFFSET_OUT_OF_RANGE),
        (3, ErrorCode.NONE),
    ):
        session.permit(
            f"the error code at offset {offset}",
            session.fetch(topic, offset, max_wait_ms=20).error_code,
            {error},
            "The log starts at offset 3.",
        )
    session.permit(
        "the offsets that are left",
        session.read(topic, 3, count=3).offsets,
        [[3, 4, 5]],
        "What lies at the offset and above is left.",
    )


# RETN-08 and RETN-09: where nothing is deleted


@check("RETN-08", apis=("DeleteRecords", "ListOffsets", "FindCoordinator"))
def internal_topics_are_not_deleted_from(session: Session) -> None:
    """DeleteRecords for an internal topic gives INVALID_TOPIC_EXCEPTION and deletes nothing."""
    topic = topics.offsets_topic(session)
    before = session.list_offset(topic, EARLIEST).offset
    answer = delete_records(session, topic, HIGH_WATERMARK)
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.INVALID_TOPIC_EXCEPTION},
        "Committed offsets live there.",
    )
    permit_start(session, topic, before)


@check("RETN-09", apis=("DeleteRecords", "ListOffsets", "Produce"))
def compacted_topics_are_not_deleted_from(session: Session) -> None:
    """DeleteRecords for a topic that is only compacted gives POLICY_VIOLATION."""
    topic = filled_topic(session, {"cleanup.policy": "compact"})
    session.permit(
        "the error code",
        delete_records(session, topic, 2).error_code,
        {ErrorCode.POLICY_VIOLATION},
        "The topic keeps the last value of each key.",
    )
    permit_start(session, topic, 0)


@check("RETN-09", apis=("DeleteRecords", "ListOffsets", "Produce"))
def topics_with_both_policies_are_deleted_from(session: Session) -> None:
    """DeleteRecords for a topic with cleanup.policy=compact,delete is carried out."""
    topic = filled_topic(session, {"cleanup.policy": "compact,delete"})
    permit_deleted(session, topic, 2, 2)


# RETN-11: the future


@check("RETN-11", apis=("Produce",))
def timestamps_from_the_future_are_refused(session: Session) -> None:
    """A record further ahead than message.timestamp.after.max.ms refuses its batch."""
    topic = session.create_topic(configs={"message.timestamp.after.max.ms": str(HOUR_MS)})
    for ahead in (24 * HOUR_MS, 200 * 365 * 24 * HOUR_MS):
        times = (now_ms(), now_ms() + ahead)
        appends.permit_refused(
            session,
            topic,
            f"a record {ahead // HOUR_MS} hours ahead",
            build_batch([Record(b"v", timestamp=time) for time in times]),
            {ErrorCode.INVALID_TIMESTAMP},
            "One such record would keep its segment for as long.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RETN-11", apis=("Produce",))
def timestamps_a_little_ahead_are_accepted(session: Session) -> None:
    """A record less ahead than message.timestamp.after.max.ms is accepted."""
    topic = session.create_topic(configs={"message.timestamp.after.max.ms": str(24 * HOUR_MS)})
    batch = build_batch([Record(b"v", timestamp=now_ms() + 12 * HOUR_MS)])
    appends.permit_accepted(session, session.produce(topic, batch), "It is within the limit.")
