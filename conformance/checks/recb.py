"""RECB: which batches a broker takes, and what it makes of those that it takes."""

from conformance import appends, topics
from conformance.appends import permit_accepted, permit_refused
from conformance.check import check
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire.records import CONTROL, LOG_APPEND_TIME, Record, build_batch
from spec.wire.errors import ErrorCode

LENGTH_AT, MAX_TIMESTAMP_AT = 8, 35
FIRST_WITH_ZSTD = 7
LIMIT = 1000
RECORDS = [Record(value=b"one"), Record(value=b"two"), Record(value=b"three")]
MARKER_KEY = b"\0\0\0\1"
"""Version 0 and type 1: that a transaction is committed."""


def flipped(batch: bytes, at: int) -> bytes:
    """The batch with one bit of one byte changed."""
    changed = bytearray(batch)
    changed[at] ^= 1
    return bytes(changed)


# RECB-01: checksum and length


@check("RECB-01", apis=("Produce",))
def a_damaged_batch_is_refused(session: Session) -> None:
    """A batch of which one bit changed after its checksum was computed is refused."""
    topic, batch = session.create_topic(), build_batch(RECORDS)
    for what, at in (("a value", -2), ("the max timestamp", MAX_TIMESTAMP_AT), ("the crc", 17)):
        permit_refused(
            session,
            topic,
            f"a damage in {what}",
            flipped(batch, at),
            {ErrorCode.CORRUPT_MESSAGE},
            "The checksum does not match the bytes.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-01", apis=("Produce",))
def a_length_that_no_batch_has_is_refused(session: Session) -> None:
    """A batch whose length field is smaller than the smallest batch is refused."""
    topic = session.create_topic()
    for length in (48, 20, 0, -1):
        permit_refused(
            session,
            topic,
            f"a length of {length}",
            build_batch(RECORDS, batch_length=length),
            {ErrorCode.CORRUPT_MESSAGE, ErrorCode.INVALID_RECORD},
            "The header alone has more bytes.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-01", apis=("Produce", "Fetch"))
def bytes_after_the_batch_are_ignored(session: Session) -> None:
    """Bytes after the batch that are no complete batch are neither an error nor stored."""
    topic, batch = session.create_topic(), build_batch(RECORDS)
    answer = session.produce(topic, batch + batch[:30])
    permit_accepted(session, answer, "Bytes after the last complete batch are ignored.")
    permit_accepted(session, session.produce(topic, [b"next"]), "The log is in order.")
    session.permit(
        "the values in the log",
        session.read(topic, count=4).values,
        [[b"one", b"two", b"three", b"next"]],
        "Bytes after the last complete batch are ignored.",
    )


# RECB-02: the leader's epoch


@check("RECB-02", apis=("Produce", "Fetch", "Metadata 7+"))
def the_leader_stamps_its_epoch(session: Session) -> None:
    """A stored batch has the leader's epoch, whatever the producer wrote, and a right checksum."""
    topic = session.create_topic()
    epoch = topics.look(session, {"name": topic.name})[0].partitions[0].leader_epoch
    written = (epoch + 1000, -1)
    appends.store(
        session, topic, *(build_batch(RECORDS, partition_leader_epoch=each) for each in written)
    )
    for batch in appends.read_batches(session, topic, len(written) * len(RECORDS)):
        session.permit(
            "the partition leader epoch of a stored batch",
            batch.partition_leader_epoch,
            [epoch],
            "It is the epoch of the leader that appended the batch.",
        )
        session.permit(
            "what is wrong with the batch", batch.findings, [[]], "The checksum stays valid."
        )


# RECB-03 to RECB-05: what a producer's data consists of


@check("RECB-03", apis=("Produce 3+",))
def data_without_a_complete_batch_is_refused(session: Session) -> None:
    """Data that is empty, or in which the batch is cut off, is refused with INVALID_RECORD."""
    topic, batch = session.create_topic(), build_batch(RECORDS)
    for size in (0, 1, 20, len(batch) - 1):
        permit_refused(
            session,
            topic,
            f"the first {size} bytes of a batch",
            batch[:size],
            {ErrorCode.INVALID_RECORD},
            "There is exactly one complete batch.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-03", apis=("Produce 3+",))
def two_batches_are_refused(session: Session) -> None:
    """Two batches for one partition in one request are refused with INVALID_RECORD."""
    topic = session.create_topic()
    permit_refused(
        session,
        topic,
        "two batches",
        build_batch(RECORDS) + build_batch(RECORDS),
        {ErrorCode.INVALID_RECORD},
        "There is exactly one batch.",
    )
    appends.permit_nothing_appended(session, topic)


@check("RECB-03", apis=("Produce 3+",))
def other_magic_is_refused(session: Session) -> None:
    """A batch with another magic than 2 is refused."""
    topic = session.create_topic()
    old, unknown = (
        {ErrorCode.INVALID_RECORD},
        {
            ErrorCode.INVALID_RECORD,
            ErrorCode.CORRUPT_MESSAGE,
        },
    )
    for magic, permitted in ((0, old), (1, old), (3, unknown), (127, unknown)):
        permit_refused(
            session,
            topic,
            f"magic {magic}",
            build_batch(RECORDS, magic=magic),
            permitted,
            "Produce of version 3 and above carries batches of magic 2.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-03", apis=("Produce 3+",))
def another_base_offset_is_refused(session: Session) -> None:
    """A batch with a base offset other than 0 is refused with INVALID_RECORD."""
    topic = session.create_topic()
    for base_offset in (1, 2**40):
        permit_refused(
            session,
            topic,
            f"the base offset {base_offset}",
            build_batch(RECORDS, base_offset=base_offset),
            {ErrorCode.INVALID_RECORD},
            "The leader assigns the offsets; a producer writes 0.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-04", apis=("Produce",))
def the_record_count_and_the_last_offset_agree(session: Session) -> None:
    """A batch whose record count is not the last offset delta plus one is refused."""
    topic = session.create_topic()
    for count, delta in ((3, 5), (3, 1), (2, 2), (4, 2)):
        permit_refused(
            session,
            topic,
            f"{count} records with the last offset delta {delta}",
            build_batch(RECORDS, count=count, last_offset_delta=delta),
            {ErrorCode.INVALID_RECORD},
            "The last offset delta plus one is the number of records.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-04", apis=("Produce",))
def a_batch_has_records(session: Session) -> None:
    """A batch without records is refused with INVALID_RECORD."""
    topic = session.create_topic()
    permit_refused(
        session,
        topic,
        "no records",
        build_batch([], count=0, last_offset_delta=-1),
        {ErrorCode.INVALID_RECORD},
        "Only compaction leaves batches without records.",
    )
    appends.permit_nothing_appended(session, topic)


@check("RECB-04", apis=("Produce",))
def as_many_records_follow_as_are_told(session: Session) -> None:
    """A batch with more or fewer records than its header says is refused."""
    topic = session.create_topic()
    for told in (2, 4):
        permit_refused(
            session,
            topic,
            f"3 records where the header says {told}",
            build_batch(RECORDS, count=told, last_offset_delta=told - 1),
            {ErrorCode.INVALID_RECORD},
            "As many records follow as the header says.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-05", apis=("Produce",))
def clients_do_not_write_control_batches(session: Session) -> None:
    """A batch with the control bit, a marker or not, is refused with INVALID_RECORD."""
    topic = session.create_topic()
    marker = Record(key=MARKER_KEY, value=b"\0\0\0\0\0\0")
    for what, records in (("a marker", [marker]), ("plain records", RECORDS)):
        permit_refused(
            session,
            topic,
            f"{what} in a control batch",
            build_batch(records, flags=CONTROL),
            {ErrorCode.INVALID_RECORD},
            "A forged marker would end a transaction.",
        )
    appends.permit_nothing_appended(session, topic)


# RECB-06: size


def limited_topic(session: Session) -> Topic:
    return session.create_topic(configs={"max.message.bytes": str(LIMIT)})


@check("RECB-06", apis=("Produce",))
def a_batch_above_the_limit_is_refused(session: Session) -> None:
    """A batch of one byte more than max.message.bytes is refused with MESSAGE_TOO_LARGE."""
    topic = limited_topic(session)
    for records in (1, 5):
        permit_refused(
            session,
            topic,
            f"{LIMIT + 1} bytes in a batch of {records}",
            appends.batch_of(LIMIT + 1, records),
            {ErrorCode.MESSAGE_TOO_LARGE},
            "The limit is for the batch as a whole, with offset and length.",
        )
    appends.permit_nothing_appended(session, topic)


@check("RECB-06", apis=("Produce",))
def a_batch_at_the_limit_is_accepted(session: Session) -> None:
    """A batch of exactly max.message.bytes is accepted."""
    topic = limited_topic(session)
    answer = session.produce(topic, appends.batch_of(LIMIT))
    permit_accepted(session, answer, "The limit itself is permitted.")


@check("RECB-06", apis=("Produce",))
def the_compressed_size_is_what_counts(session: Session) -> None:
    """A batch that is small enough when compressed is accepted, however large its records."""
    topic = limited_topic(session)
    answer = session.produce(topic, build_batch([Record(value=bytes(9 * LIMIT))], codec="gzip"))
    permit_accepted(session, answer, "The size is that of the batch as it is stored.")


# RECB-09: the type of timestamps


@check("RECB-09", apis=("Produce",))
def producers_do_not_claim_append_time(session: Session) -> None:
    """On a topic with LogAppendTime a batch that is marked so already is refused."""
    topic = session.create_topic(configs={"message.timestamp.type": "LogAppendTime"})
    permit_refused(
        session,
        topic,
        "a batch marked LogAppendTime",
        build_batch(RECORDS, flags=LOG_APPEND_TIME),
        {ErrorCode.INVALID_TIMESTAMP},
        "The mark is the broker's to set.",
    )
    appends.permit_nothing_appended(session, topic)


# RECB-13: Zstandard


@check("RECB-13", apis=("Produce 3-6",))
def zstd_is_refused_in_old_requests(session: Session) -> None:
    """A batch compressed with zstd is refused in a Produce below version 7."""
    topic = session.create_topic()
    version = session.leader(topic).version("Produce", at_most=FIRST_WITH_ZSTD - 1)
    permit_refused(
        session,
        topic,
        f"zstd in Produce {version}",
        build_batch(RECORDS, codec="zstd"),
        {ErrorCode.UNSUPPORTED_COMPRESSION_TYPE},
        "Consumers of that time could not read it.",
        version=version,
    )
    appends.permit_nothing_appended(session, topic)


@check("RECB-13", apis=("Produce 7+", "Fetch 10+"))
def zstd_is_accepted_and_delivered(session: Session) -> None:
    """A batch compressed with zstd is accepted from Produce 7 on, and delivered."""
    topic = session.create_topic()
    batch = build_batch(RECORDS, codec="zstd")
    answer = session.produce(topic, batch, version=FIRST_WITH_ZSTD)
    permit_accepted(session, answer, "From version 7 on zstd is accepted.")
    session.permit(
        "the values that Fetch delivers",
        session.read(topic, count=len(RECORDS)).values,
        [[record.value for record in RECORDS]],
        "What was accepted is delivered.",
    )
