"""RETN: retention by time and by size, and the topics that are spared.

Records may be as old as a producer says, so nobody has to wait until they are; what has to be
awaited is that retention looks. It has looked when it deleted from another topic, twice.
"""

from conformance import appends
from conformance.appends import HOUR_MS, now_ms
from conformance.check import check
from conformance.judge import at_most
from conformance.requests import EARLIEST, LATEST, Topic
from conformance.session import Session
from conformance.wire.records import Record, build_batch

OFTEN = {"log.retention.check.interval.ms": "100"}
FOR_AN_HOUR = {"retention.ms": str(HOUR_MS)}
SEGMENT_BYTES = 1_048_576
"""The smallest segment.bytes that Apache Kafka 4.x takes."""
IN_SEGMENTS = {"segment.bytes": str(SEGMENT_BYTES)}
VALUE_BYTES = 700_000
"""Of two such batches no segment can hold both."""


def aged(*hours: int, value: bytes = b"v") -> bytes:
    """A batch of records that are so many hours old."""
    times = [now_ms() - each * HOUR_MS for each in hours]
    return build_batch([Record(value, b"key", timestamp=time) for time in times])


def segment(hours: int, mark: bytes = b"v") -> bytes:
    """A batch that takes a segment for itself."""
    return aged(hours, value=mark.ljust(VALUE_BYTES, b"."))


def start(session: Session, topic: Topic) -> int:
    return int(session.list_offset(topic, EARLIEST).offset)


def await_retention(session: Session) -> None:
    """Return when retention has looked at every log since the call."""
    other = session.create_topic(configs=FOR_AN_HOUR)
    for _ in range(2):
        appends.store(session, other, aged(2))
        session.poll_until(lambda: is_empty(session, other), "retention has deleted old records")


def is_empty(session: Session, topic: Topic) -> bool:
    return start(session, topic) == int(session.list_offset(topic, LATEST).offset)


def permit_start(session: Session, topic: Topic, offset: int, because: str) -> None:
    session.permit("the log start offset", start(session, topic), [offset], because)


@check("RETN-01", apis=("ListOffsets", "Produce"), settings=OFTEN)
def time_retention_stops_at_the_first_young_segment(session: Session) -> None:
    """Time retention deletes from the oldest segment on, up to the first that is not too old."""
    topic = session.create_topic(configs={**FOR_AN_HOUR, **IN_SEGMENTS})
    appends.store(session, topic, segment(2), segment(0), segment(2), segment(0))
    session.poll_until(lambda: start(session, topic) > 0, "the oldest segment is deleted")
    await_retention(session)
    permit_start(session, topic, 1, "The second segment is young, and the third comes after it.")


@check("RETN-01", apis=("ListOffsets", "Produce"), settings=OFTEN)
def one_young_record_keeps_its_segment(session: Session) -> None:
    """A segment stays as long as its youngest record is not too old, wherever that stands."""
    topics = []
    for ages in ((2, 0), (0, 2)):
        topics.append(session.create_topic(configs=FOR_AN_HOUR))
        appends.store(session, topics[-1], aged(*ages))
    await_retention(session)
    for topic in topics:
        permit_start(session, topic, 0, "One of the two records is young.")


@check("RETN-02", apis=("ListOffsets", "Produce"), settings=OFTEN)
def size_retention_leaves_the_limit(session: Session) -> None:
    """What size retention leaves of a partition is not smaller than retention.bytes."""
    limit, count = 1_500_000, 5
    topic = session.create_topic(configs={"retention.bytes": str(limit), **IN_SEGMENTS})
    appends.store(session, topic, *[segment(0)] * count)
    session.poll_until(lambda: start(session, topic) > 0, "the oldest segment is deleted")
    await_retention(session)
    session.permit(
        "the log start offset",
        start(session, topic),
        at_most(count - limit // VALUE_BYTES - 1),
        f"Of {count} segments of {VALUE_BYTES} bytes so many stay that they have {limit} bytes.",
    )


@check("RETN-05", apis=("ListOffsets", "Produce"), settings=OFTEN)
def without_limits_nothing_is_deleted(session: Session) -> None:
    """With retention.ms and retention.bytes at -1 nothing is deleted, however old and large."""
    unlimited = {"retention.ms": "-1", "retention.bytes": "-1"}
    topic = session.create_topic(configs={**unlimited, **IN_SEGMENTS})
    appends.store(session, topic, segment(24 * 365), segment(24 * 365), segment(0))
    await_retention(session)
    permit_start(session, topic, 0, "-1 means no limit.")


@check("RETN-06", apis=("ListOffsets", "Produce"), settings=OFTEN)
def compaction_alone_has_no_retention(session: Session) -> None:
    """From a topic with cleanup.policy=compact nothing is deleted for its age or size."""
    limits = {"retention.ms": "1000", "retention.bytes": "1", "cleanup.policy": "compact"}
    topic = session.create_topic(configs={**limits, **IN_SEGMENTS})
    appends.store(session, topic, segment(2), segment(2), segment(2))
    await_retention(session)
    permit_start(session, topic, 0, "The last value of a key that nobody touches stays.")


@check("RETN-10", apis=("ListOffsets", "Produce", "Fetch"), settings=OFTEN)
def what_retention_leaves_is_unchanged(session: Session) -> None:
    """After retention the records that remain have the offsets and values that they had."""
    topic = session.create_topic(configs={**FOR_AN_HOUR, **IN_SEGMENTS})
    appends.store(session, topic, segment(2, b"0"), segment(0, b"1"), segment(0, b"2"))
    session.poll_until(lambda: start(session, topic) > 0, "the oldest segment is deleted")
    session.permit(
        "the offsets and how the values begin",
        [(record.offset, (record.value or b"")[:1]) for record in session.read(topic, 1).records],
        [[(1, b"1"), (2, b"2")]],
        "Retention does not change what remains.",
    )
    session.permit(
        "the end", session.list_offset(topic, LATEST).offset, [3], "Nothing was added or taken."
    )
