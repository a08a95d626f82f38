"""STOR: which offsets records get, and what a Fetch brings."""

from typing import Any

from conformance import appends, requests, topics
from conformance.check import check
from conformance.judge import Condition, at_least
from conformance.requests import Topic
from conformance.session import Session
from conformance.verdict import Broken
from conformance.wire import Struct, Unreadable
from conformance.wire.records import Batch, read_batches
from spec.wire.errors import ErrorCode

SEGMENT_BYTES = 1_048_576
"""The smallest segment.bytes that Apache Kafka 4.x takes."""


def fetch(session: Session, topic: Topic, offset: int, **limits: int) -> Struct:
    """One Fetch of partition 0 that hardly waits, with these limits; its partition's answer."""
    fields = requests.fetch(topic, {0: offset}, max_wait_ms=20)
    if "partition_max_bytes" in limits:
        asked = fields["topics"][0]["partitions"][0]
        asked["partition_max_bytes"] = limits.pop("partition_max_bytes")
    answer = session.leader(topic).call("Fetch", **{**fields, **limits})
    found: Struct = answer.responses[0].partitions[0]
    return found


def batches_of(answer: Struct) -> list[Batch]:
    try:
        return list(read_batches(answer.records or b""))
    except Unreadable as error:
        raise Broken(f"the records cannot be read: {error}") from None


# STOR-01: offsets


@check("STOR-01", apis=("Produce", "Fetch"))
def offsets_start_at_zero_and_follow(session: Session) -> None:
    """The first batch of a topic gets offset 0, and each other the offsets that follow."""
    topic, expected = session.create_topic(), 0
    for count in (1, 3, 2, 10, 1):
        (answer,) = appends.store(session, topic, [b"v"] * count)
        session.permit(
            "the base offset",
            answer.base_offset,
            [expected],
            "Each batch gets the offsets that follow those of the batch before it.",
        )
        expected += count
    session.permit(
        "the offsets that Fetch delivers",
        session.read(topic, count=expected).offsets,
        [list(range(expected))],
        "Offsets start at 0 and follow the order of appending.",
    )


@check("STOR-01", apis=("Produce", "Fetch"), needs=("restart",))
def offsets_survive_a_restart(session: Session) -> None:
    """After a restart every record has the offset that it had, and new ones follow."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    topics.restart(session, topic)
    appends.store(session, topic, [b"d"])
    records = session.read(topic, count=4).records
    session.permit(
        "the offsets and values",
        [(record.offset, record.value) for record in records],
        [list(enumerate([b"a", b"b", b"c", b"d"]))],
        "A restart renumbers nothing.",
    )


# STOR-03: where a Fetch begins


@check("STOR-03", apis=("Produce", "Fetch"))
def fetch_begins_with_the_batch_of_the_offset(session: Session) -> None:
    """A Fetch at any offset begins with the batch in which it lies, whole."""
    topic, sizes = session.create_topic(), (3, 1, 4)
    appends.store(session, topic, *([b"v"] * size for size in sizes))
    ranges = [range(sum(sizes[:n]), sum(sizes[: n + 1])) for n in range(len(sizes))]
    for offset in range(sum(sizes)):
        held = next(each for each in ranges if offset in each)
        first = batches_of(fetch(session, topic, offset))[:1]
        session.permit(
            f"the offsets of the first batch for offset {offset}",
            [record.offset for batch in first for record in batch.records],
            [list(held)],
            "The answer begins with the batch in which the offset lies, and it comes whole.",
        )


@check("STOR-03", apis=("Produce", "Fetch"))
def fetch_leaves_no_batch_out(session: Session) -> None:
    """Fetches in a loop, each within small limits, deliver every batch once and in order."""
    topic, count = session.create_topic(), 12
    appends.store(session, topic, *([b"%d" % n] * (n % 3 + 1) for n in range(count)))
    offset, values = 0, list[bytes | None]()
    while batches := batches_of(fetch(session, topic, offset, partition_max_bytes=250)):
        values += [record.value for batch in batches for record in batch.records]
        offset = batches[-1].last_offset + 1
    session.permit(
        "the values in the order of delivery",
        values,
        [[b"%d" % n for n in range(count) for _ in range(n % 3 + 1)]],
        "Batches follow each other in the order of their offsets, and none is left out.",
    )


# STOR-08: batches and segments


def segmented_topic(session: Session) -> Topic:
    return session.create_topic(
        configs={"segment.bytes": str(SEGMENT_BYTES), "max.message.bytes": str(2 * SEGMENT_BYTES)}
    )


@check("STOR-08", apis=("Produce",))
def a_batch_larger_than_a_segment_is_refused(session: Session) -> None:
    """A batch of one byte more than segment.bytes is refused with RECORD_LIST_TOO_LARGE."""
    topic = segmented_topic(session)
    appends.permit_refused(
        session,
        topic,
        "a batch that fits into no segment",
        appends.batch_of(SEGMENT_BYTES + 1),
        {ErrorCode.RECORD_LIST_TOO_LARGE},
        "It is not larger than max.message.bytes, but than a segment.",
    )
    appends.permit_nothing_appended(session, topic)


@check("STOR-08", apis=("Produce",))
def a_batch_as_large_as_a_segment_is_accepted(session: Session) -> None:
    """A batch of exactly segment.bytes is accepted."""
    topic = segmented_topic(session)
    answer = session.produce(topic, appends.batch_of(SEGMENT_BYTES))
    appends.permit_accepted(session, answer, "A segment may be as large as segment.bytes.")


# STOR-12: out of range


@check("STOR-12", apis=("Fetch", "Produce"))
def beyond_the_end_is_out_of_range(session: Session) -> None:
    """A Fetch above the log end offset is answered with OFFSET_OUT_OF_RANGE."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"])
    for offset in (3, 1000):
        permit_out_of_range(session, topic, offset, "The log ends at offset 2.")


@check("STOR-12", apis=("Fetch", "Produce", "DeleteRecords"))
def before_the_log_start_is_out_of_range(session: Session) -> None:
    """A Fetch below the log start offset is answered with OFFSET_OUT_OF_RANGE."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    appends.cut(session, topic, 2)
    for offset in (0, 1):
        permit_out_of_range(session, topic, offset, "The log starts at offset 2.")


def permit_out_of_range(session: Session, topic: Topic, offset: int, because: str) -> None:
    answer = fetch(session, topic, offset)
    session.permit(
        f"the error code at offset {offset}",
        answer.error_code,
        {ErrorCode.OFFSET_OUT_OF_RANGE},
        because,
    )
    session.permit("the records", answer.records or b"", [b""], "There are none there.")


@check("STOR-12", apis=("Fetch", "Produce"))
def the_end_is_in_range(session: Session) -> None:
    """A Fetch at the visible end is answered without an error and without records."""
    topic = session.create_topic()
    for end in (0, 2):
        answer = fetch(session, topic, end)
        session.permit(
            f"the error code and the records at the end, offset {end}",
            (answer.error_code, answer.records or b""),
            [(ErrorCode.NONE, b"")],
            "A reader that has read everything waits there.",
        )
        appends.store(session, topic, [b"a", b"b"])


# STOR-13 and STOR-14: limits


@check("STOR-13", apis=("Fetch 3+", "Produce"))
def a_batch_larger_than_the_limits_is_delivered(session: Session) -> None:
    """Fetch returns the first batch whole, however small the limits are."""
    topic = session.create_topic()
    appends.store(session, topic, [b"x" * 5000])
    small: tuple[dict[str, int], ...] = (
        {"partition_max_bytes": 100},
        {"max_bytes": 100},
        {"partition_max_bytes": 0},
        {"max_bytes": 0},
    )
    for limits in small:
        batches = batches_of(fetch(session, topic, 0, **limits))
        session.permit(
            f"the sizes of the values with {limits}",
            [len(record.value or b"") for batch in batches for record in batch.records],
            [[5000]],
            "Otherwise a reader with small limits would ask for it for ever.",
        )


@check("STOR-13", apis=("Fetch 3+", "Produce"))
def the_first_partition_with_data_delivers(session: Session) -> None:
    """An empty partition before it does not keep a large batch from being delivered."""
    topic = session.create_topic(2)
    if session.leader(topic, 0).address != session.leader(topic, 1).address:
        session.inconclusive("the two partitions have different leaders")
    if session.produce(topic, [b"x" * 5000], 1).error_code != ErrorCode.NONE:
        session.inconclusive("a batch was refused")
    fields: dict[str, Any] = requests.fetch(topic, {0: 0, 1: 0}, max_bytes=100, max_wait_ms=20)
    answer = session.leader(topic).call("Fetch", **fields)
    sizes = {
        partition.partition_index: [len(batch.records) for batch in batches_of(partition)]
        for each in answer.responses
        for partition in each.partitions
    }
    session.permit(
        "the records in each batch of partition 1",
        sizes.get(1, []),
        [[1]],
        "The first partition that has anything to deliver delivers one batch.",
    )


@check("STOR-14", apis=("Fetch 3+", "Produce"))
def a_torn_batch_is_the_beginning_of_the_next(session: Session) -> None:
    """What comes within any limit is a whole batch and the true beginning of more."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a" * 200], [b"b" * 200], [b"c" * 200])
    everything = fetch(session, topic, 0).records or b""
    first, second, *_ = [batch.size_bytes for batch in read_batches(everything)]
    for limit in (first, first + 5, first + 40, first + second - 1):
        records = fetch(session, topic, 0, partition_max_bytes=limit).records or b""
        session.permit(
            f"the number of bytes within {limit}", len(records), at_least(first), "One is whole."
        )
        session.permit(
            f"what comes within {limit} bytes",
            records,
            Condition("the beginning of the log", everything.startswith),
            "Torn bytes are the true beginning of the next batch.",
        )
