"""RECB: offsets, timestamps and content of the records that a broker stores."""

from collections.abc import Sequence

from conformance import appends, requests
from conformance.appends import HOUR_MS, now_ms, permit_accepted, permit_refused
from conformance.check import check
from conformance.judge import other_than
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire.compression import CODECS
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

OLD_MS = 1_000_000_000_000
"""September 2001."""
NO_TIMESTAMP = -1

# RECB-14 and RECB-15: offsets and atomicity


@check("RECB-14", apis=("Produce", "Fetch"))
def the_answer_names_the_base_offset(session: Session) -> None:
    """The base offset in the answer is that of the batch as Fetch delivers it."""
    topic = session.create_topic()
    for acks in (1, -1):
        for values in ([b"a", b"b", b"c"], [b"d"], [b"e", b"f"]):
            answer = session.produce(topic, values, acks=acks)
            if answer.error_code != ErrorCode.NONE:
                session.inconclusive("a batch was refused")
            records = session.read(topic, answer.base_offset, count=1).records
            session.permit(
                f"the offsets and values from offset {answer.base_offset} on",
                [(record.offset, record.value) for record in records],
                [list(enumerate(values, answer.base_offset))],
                "The first record has the offset of the answer, and the next ones follow.",
            )


@check("RECB-15", apis=("Produce",))
def a_batch_is_appended_as_a_whole(session: Session) -> None:
    """A batch with one bad record is appended with all of its records or with none."""
    topic = session.create_topic(configs={"message.timestamp.after.max.ms": str(HOUR_MS)})
    now = now_ms()
    times = (now, now + 24 * HOUR_MS, now)
    answer = session.produce(topic, build_batch([Record(b"v", timestamp=time) for time in times]))
    if answer.error_code != ErrorCode.NONE:
        appends.permit_nothing_appended(session, topic)
        return
    session.permit(
        "the values in the log",
        session.read(topic, count=len(times)).values,
        [[b"v"] * len(times)],
        "What is accepted is appended with all of its records.",
    )


@check("RECB-15", apis=("Produce", "Fetch"))
def batches_of_two_producers_do_not_mix(session: Session) -> None:
    """The records of one batch stand together, whoever else writes at the same time."""
    topic, rounds = session.create_topic(), 10
    clients = [session.connect(near=session.leader(topic)) for _ in range(2)]
    for number in range(rounds):
        for index, client in enumerate(clients):
            values = [b"%d/%d/%d" % (index, number, part) for part in range(3)]
            client.send("Produce", **requests.produce(topic, {0: values}))
    for client in clients * rounds:
        client.receive()
    records = session.read(topic, count=1).records
    for at in range(0, len(records), 3):
        first = records[at]
        stem = (first.value or b"").rpartition(b"/")[0]
        session.permit(
            f"the offsets and values from offset {first.offset} on",
            [(record.offset, record.value) for record in records[at : at + 3]],
            [[(first.offset + part, b"%s/%d" % (stem, part)) for part in range(3)]],
            "A batch is appended as a whole, with no foreign record in it.",
        )


# RECB-07 and RECB-08: timestamps


@check("RECB-07", apis=("Produce", "Fetch"))
def create_times_are_kept(session: Session) -> None:
    """Timestamps come back as the producer wrote them, in order or not, or none at all."""
    topic, now = session.create_topic(configs={"retention.ms": "-1"}), now_ms()
    for times in ((now, now - HOUR_MS, now - 5), (OLD_MS, 0, 1)):
        batch = build_batch([Record(b"v", timestamp=time) for time in times])
        permit_stored_times(session, topic, batch, times)


@check("RECB-07", apis=("Produce", "Fetch"))
def a_record_may_have_no_timestamp(session: Session) -> None:
    """Timestamp -1 is accepted and kept."""
    topic = session.create_topic(configs={"retention.ms": "-1"})
    batch = build_batch([Record(b"v")], base_timestamp=NO_TIMESTAMP, max_timestamp=NO_TIMESTAMP)
    permit_stored_times(session, topic, batch, [NO_TIMESTAMP])


def permit_stored_times(
    session: Session, topic: Topic, batch: bytes, times: Sequence[int]
) -> None:
    answer = session.produce(topic, batch)
    permit_accepted(session, answer, "The bounds permit these timestamps.")
    records = session.read(topic, answer.base_offset, count=len(times)).records
    session.permit(
        "the timestamps",
        [record.timestamp for record in records],
        [list(times)],
        "With CreateTime the producer's timestamps are delivered.",
    )


@check("RECB-07", apis=("Produce", "Fetch"))
def the_max_timestamp_is_the_largest(session: Session) -> None:
    """The max timestamp of a stored batch is that of its records, whatever the producer wrote."""
    topic, now = session.create_topic(), now_ms()
    records = [Record(b"v", timestamp=now - back) for back in (20, 10, 30)]
    for wrong in (now - 15, now + 5):
        appends.store(session, topic, build_batch(records, max_timestamp=wrong))
    for batch in appends.read_batches(session, topic, 2 * len(records)):
        session.permit(
            "the max timestamp",
            batch.max_timestamp,
            [now - 10],
            "It is the largest of the records.",
        )
        session.permit("what is wrong with the batch", batch.findings, [[]], "It can be read.")


@check("RECB-07", apis=("Produce",))
def timestamps_too_old_are_refused(session: Session) -> None:
    """A record older than message.timestamp.before.max.ms refuses its batch."""
    topic = session.create_topic(configs={"message.timestamp.before.max.ms": str(HOUR_MS)})
    permit_refused(
        session,
        topic,
        "a record that is a day old",
        build_batch([Record(b"v", timestamp=now_ms() - 24 * HOUR_MS)]),
        {ErrorCode.INVALID_TIMESTAMP},
        "The topic takes no records older than an hour.",
    )
    appends.permit_nothing_appended(session, topic)


def append_time_topic(session: Session) -> Topic:
    return session.create_topic(configs={"message.timestamp.type": "LogAppendTime"})


@check("RECB-08", apis=("Produce", "Fetch"))
def append_time_is_stored_and_reported(session: Session) -> None:
    """With LogAppendTime a batch is stored with the broker's time, and Produce reports it."""
    topic = append_time_topic(session)
    records = [Record(b"v", timestamp=OLD_MS + back) for back in (0, 7)]
    for codec in ("none", "gzip"):
        (answer,) = appends.store(session, topic, build_batch(records, codec=codec))
        (batch,) = appends.read_batches_from(session, topic, answer.base_offset)
        session.permit(
            "whether the batch says LogAppendTime", batch.is_log_append_time, [True], "It is so."
        )
        session.permit(
            "the max timestamp",
            batch.max_timestamp,
            other_than(OLD_MS, OLD_MS + 7, NO_TIMESTAMP),
            "It is the broker's time, not the producer's.",
        )
        session.permit(
            "logAppendTimeMs of the answer",
            answer.log_append_time_ms,
            [batch.max_timestamp],
            "The answer reports the time that was stored.",
        )
        session.permit("what is wrong with the batch", batch.findings, [[]], "It can be read.")


@check("RECB-08", apis=("Produce",))
def append_time_knows_no_bounds(session: Session) -> None:
    """With LogAppendTime the producer's timestamps are not held against any bound."""
    topic = append_time_topic(session)
    for timestamp in (now_ms() + 1000 * HOUR_MS, 0, NO_TIMESTAMP):
        batch = build_batch([Record(b"v")], base_timestamp=timestamp)
        answer = session.produce(topic, batch)
        permit_accepted(session, answer, "Under LogAppendTime these timestamps mean nothing.")


@check("RECB-08", apis=("Produce",))
def create_time_reports_no_append_time(session: Session) -> None:
    """With CreateTime the field logAppendTimeMs of the Produce answer is -1."""
    topic = session.create_topic()
    (answer,) = appends.store(session, topic, [b"a", b"b"])
    session.permit(
        "logAppendTimeMs", answer.log_append_time_ms, [NO_TIMESTAMP], "Nothing was stamped."
    )


# RECB-10 to RECB-12: content


def permit_same_content(
    session: Session, records: Sequence[Record], got: Sequence[Record], because: str
) -> None:
    session.permit(
        "what came back as key, value and headers",
        [(record.key, record.value, record.headers) for record in got],
        [[(record.key, record.value, record.headers) for record in records]],
        because,
    )


@check("RECB-10", apis=("Produce", "Fetch"))
def headers_are_kept_in_order(session: Session) -> None:
    """Headers come back in order, with duplicates, null, empty and binary values."""
    topic = session.create_topic()
    headers = (
        (b"b", b"1"),
        (b"a", None),
        (b"b", b"2"),
        (b"", b""),
        ("é".encode(), bytes(range(256))),
        (b"b", b"1"),
    )
    records = [Record(b"v", headers=headers), Record(b"w"), Record(b"x", headers=headers[:1])]
    answer = session.produce(topic, build_batch(records))
    permit_accepted(session, answer, "Every header but one without a name is allowed.")
    got = session.read(topic, count=len(records)).records
    permit_same_content(session, records, got, "Headers are delivered as they were produced.")


@check("RECB-10", apis=("Produce",))
def a_header_has_a_name(session: Session) -> None:
    """A batch with a header whose name is null is refused with INVALID_RECORD."""
    topic = session.create_topic()
    # length 8; attributes, both deltas; key and value null; 1 header: key and value null
    record = bytes([16, 0, 0, 0, 1, 1, 2, 1, 1])
    permit_refused(
        session,
        topic,
        "a header without a name",
        build_batch([Record()], payload=record),
        {ErrorCode.INVALID_RECORD},
        "The name of a header is not null.",
    )
    appends.permit_nothing_appended(session, topic)


@check("RECB-11", apis=("Produce", "Fetch"))
def null_is_not_empty(session: Session) -> None:
    """Null and empty keys and values come back as what they were."""
    topic = session.create_topic()
    records = [Record(key=key, value=value) for key in (None, b"") for value in (None, b"")]
    for codec in ("none", "gzip"):
        answer = session.produce(topic, build_batch(records, codec=codec))
        permit_accepted(session, answer, "Keys and values may be null or empty.")
        got = session.read(topic, answer.base_offset, count=len(records)).records
        permit_same_content(session, records, got, "Null and empty are different.")


RICH = [
    Record(b"one", b"key", ((b"h", b"1"), (b"h", None)), timestamp=OLD_MS),
    Record(None, b"key", timestamp=OLD_MS - 5),
    Record(b"three" * 100, None, timestamp=OLD_MS + 5),
]


def permit_codec(session: Session, topic: Topic, sent: str, stored: str) -> None:
    (answer,) = appends.store(session, topic, build_batch(RICH, codec=sent))
    batches = appends.read_batches_from(session, topic, answer.base_offset)
    session.permit(
        f"the codec of a batch that was sent with {sent}",
        {batch.codec for batch in batches},
        [{stored}],
        "compression.type says with which codec batches are stored.",
    )
    records = [record for batch in batches for record in batch.records]
    permit_same_content(session, RICH, records, "The records come out as they went in.")
    session.permit(
        "the timestamps",
        [record.timestamp for record in records],
        [[record.timestamp for record in RICH]],
        "The records come out as they went in.",
    )
    found = [finding for batch in batches for finding in batch.findings]
    session.permit("what is wrong with the batch", found, [[]], "It can be read.")


@check("RECB-12", apis=("Produce 7+", "Fetch 10+"))
def the_producers_codec_is_kept(session: Session) -> None:
    """With compression.type=producer a batch is stored with the codec of the producer."""
    topic = session.create_topic(configs={"retention.ms": "-1"})
    for codec in CODECS:
        permit_codec(session, topic, codec, codec)


@check("RECB-12", apis=("Produce 7+", "Fetch 10+"))
def the_topics_codec_is_used(session: Session) -> None:
    """With another compression.type batches are stored with that codec."""
    for stored in ("gzip", "none"):
        setting = "uncompressed" if stored == "none" else stored
        configs = {"retention.ms": "-1", "compression.type": setting}
        topic = session.create_topic(configs=configs)
        for sent in ("none", "gzip"):
            permit_codec(session, topic, sent, stored)
