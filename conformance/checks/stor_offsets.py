"""STOR: what ListOffsets finds, by time and by the special timestamps."""

from conformance import appends
from conformance.check import check
from conformance.requests import EARLIEST, LATEST, Topic
from conformance.session import Session
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

LARGEST_TIMESTAMP = -3
UNHEARD_OF_TIMESTAMP = -100
NOTHING = (-1, -1)
FOREVER = {"retention.ms": "-1"}
"""For records that are old from the start."""

# STOR-10: by time


def permit_found(session: Session, topic: Topic, expected: dict[int, tuple[int, int]]) -> None:
    """Judge offset and timestamp that ListOffsets gives for each target."""
    for target, place in expected.items():
        answer = session.list_offset(topic, target)
        session.permit(
            f"the error code, the offset and the timestamp for target {target}",
            (answer.error_code, answer.offset, answer.timestamp),
            [(ErrorCode.NONE, *place)],
            "It is the first record, by offset, that is as young as the target or younger.",
        )


TIMES = (10, 30, 20)
BY_TIME = {5: (0, 10), 10: (0, 10), 15: (1, 30), 20: (1, 30), 30: (1, 30), 31: NOTHING}


@check("STOR-10", apis=("ListOffsets 1+", "Produce"))
def a_time_is_found_within_a_batch(session: Session) -> None:
    """ListOffsets by time finds the first record that is young enough inside of a batch."""
    for codec in ("none", "gzip"):
        topic = session.create_topic(configs=FOREVER)
        records = [Record(b"v", timestamp=time) for time in TIMES]
        appends.store(session, topic, build_batch(records, codec=codec))
        permit_found(session, topic, BY_TIME)


@check("STOR-10", apis=("ListOffsets 1+", "Produce"))
def a_time_is_found_across_batches(session: Session) -> None:
    """ListOffsets by time finds the first batch with a record that is young enough."""
    topic = session.create_topic(configs=FOREVER)
    batches = [build_batch([Record(b"v", timestamp=time)]) for time in TIMES]
    appends.store(session, topic, *batches)
    permit_found(session, topic, BY_TIME)


@check("STOR-10", apis=("ListOffsets 1+",))
def a_time_is_not_found_in_an_empty_log(session: Session) -> None:
    """ListOffsets by time answers -1 and -1, without an error, where there is no record."""
    permit_found(session, session.create_topic(), {0: NOTHING, 5: NOTHING})


@check("STOR-10", apis=("ListOffsets 1+", "Produce", "DeleteRecords"))
def a_time_is_not_found_before_the_log_start(session: Session) -> None:
    """ListOffsets by time does not find records below the log start offset."""
    topic = session.create_topic(configs=FOREVER)
    appends.store(session, topic, build_batch([Record(b"v", timestamp=time) for time in TIMES]))
    appends.cut(session, topic, 2)
    permit_found(session, topic, {5: (2, 20), 15: (2, 20), 25: NOTHING})


@check("STOR-10", apis=("ListOffsets 4+", "Produce", "Metadata 7+"))
def the_leader_epoch_comes_with_the_time(session: Session) -> None:
    """From version 4 on ListOffsets by time tells the leader epoch of the record."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"])
    asked = session.broker.call("Metadata", topics=[{"name": topic.name}])
    session.permit(
        "the leader epoch",
        session.list_offset(topic, 0).leader_epoch,
        [asked.topics[0].partitions[0].leader_epoch],
        "It is the epoch in which the record was appended.",
    )


# STOR-11: special timestamps


@check("STOR-11", apis=("ListOffsets 1+", "Produce", "DeleteRecords"))
def earliest_is_the_log_start(session: Session) -> None:
    """ListOffsets of timestamp -2 gives the log start offset, and timestamp -1."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    permit_special(session, topic, EARLIEST, 0)
    appends.cut(session, topic, 1)
    permit_special(session, topic, EARLIEST, 1)


@check("STOR-11", apis=("ListOffsets 1+", "Produce"))
def latest_is_the_visible_end(session: Session) -> None:
    """ListOffsets of timestamp -1 gives the visible end, and timestamp -1."""
    topic = session.create_topic()
    permit_special(session, topic, LATEST, 0)
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    permit_special(session, topic, LATEST, 3)


def permit_special(session: Session, topic: Topic, timestamp: int, offset: int) -> None:
    for isolation_level in (0, 1):
        answer = session.list_offset(topic, timestamp, isolation_level=isolation_level)
        session.permit(
            f"the error code, the offset and the timestamp for {timestamp}",
            (answer.error_code, answer.offset, answer.timestamp),
            [(ErrorCode.NONE, offset, -1)],
            "-2 asks for the log start offset and -1 for the visible end.",
        )


@check("STOR-11", apis=("ListOffsets 7+", "Produce"))
def the_largest_timestamp_is_found(session: Session) -> None:
    """ListOffsets of timestamp -3 gives a record with the largest timestamp."""
    topic = session.create_topic(configs=FOREVER)
    for times in ((10, 30, 20), (25,)):
        appends.store(session, topic, build_batch([Record(b"v", timestamp=t) for t in times]))
    permit_found(session, topic, {LARGEST_TIMESTAMP: (1, 30)})
    appends.store(session, topic, build_batch([Record(b"v", timestamp=t) for t in (35, 40, 15)]))
    permit_found(session, topic, {LARGEST_TIMESTAMP: (5, 40)})


@check("STOR-11", apis=("ListOffsets 7+",))
def an_empty_log_has_no_largest_timestamp(session: Session) -> None:
    """ListOffsets of timestamp -3 gives -1 and -1 for an empty log."""
    permit_found(session, session.create_topic(), {LARGEST_TIMESTAMP: NOTHING})


@check("STOR-11", apis=("ListOffsets 1+",))
def unknown_special_timestamps_are_refused(session: Session) -> None:
    """A negative timestamp that the version does not know gives UNSUPPORTED_VERSION."""
    topic = session.create_topic()
    asked = [(UNHEARD_OF_TIMESTAMP, session.leader(topic).version("ListOffsets"))]
    asked += [
        (LARGEST_TIMESTAMP, v) for v in session.leader(topic).versions["ListOffsets"] if 0 < v < 7
    ]
    for timestamp, version in asked:
        session.permit(
            f"the error code for timestamp {timestamp} in version {version}",
            session.list_offset(topic, timestamp, version=version).error_code,
            {ErrorCode.UNSUPPORTED_VERSION},
            "This version knows no such timestamp.",
        )
