"""WIRE: how long a fetch waits, and fetch sessions."""

from conformance import requests
from conformance.check import check
from conformance.fetch_sessions import CLOSE, FetchSession, open_session, reported
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

LONG_WAIT_MS = 30_000
"""Longer than the patience of a client."""
SESSIONS = ("Fetch 7+",)
TOPIC_IDS_SINCE = 13
SOME_SESSION_ID = 1_234_567_890


def store(session: Session, topic: Topic, *values: bytes, partition: int = 0) -> None:
    """Records that the check needs to be visible."""
    if session.produce(topic, values, partition).error_code != ErrorCode.NONE:
        session.inconclusive("the records could not be stored")
    session.read(topic, partition=partition, count=len(values))


def permit_records(session: Session, partition: Struct, because: str) -> None:
    session.permit("whether there are records", bool(partition.records), [True], because)


# WIRE-12


@check("WIRE-12", apis=("Fetch",))
def a_fetch_ends_when_its_time_is_over(session: Session) -> None:
    """A Fetch for which there is no data is answered when max_wait_ms has passed."""
    topic = session.create_topic()
    answer = session.leader(topic).call(
        "Fetch",
        demanded="300 ms have passed, and nobody asked to wait longer.",
        **requests.fetch(topic, {0: 0}, max_wait_ms=300),
    )
    session.permit(
        "the error code of the partition",
        reported(answer)[0].error_code,
        {ErrorCode.NONE},
        "No data is no error.",
    )


@check("WIRE-12", apis=("Fetch",))
def a_fetch_that_need_not_wait_is_answered_at_once(session: Session) -> None:
    """A Fetch with max_wait_ms 0 or min_bytes 0 is answered at once, without data."""
    topic = session.create_topic()
    for max_wait_ms, min_bytes in ((0, 2**20), (LONG_WAIT_MS, 0)):
        session.leader(topic).call(
            "Fetch",
            demanded=f"Nobody asked for {'bytes' if max_wait_ms else 'time'}.",
            **requests.fetch(topic, {0: 0}, max_wait_ms=max_wait_ms, min_bytes=min_bytes),
        )


@check("WIRE-12", apis=("Fetch",))
def data_that_is_there_is_delivered_at_once(session: Session) -> None:
    """A Fetch is answered at once when min_bytes are available over all its partitions."""
    topic = session.create_topic(partitions=2)
    if session.leader(topic, 0) is not session.leader(topic, 1):
        session.inconclusive("the partitions have different leaders")
    for partition in (0, 1):
        store(session, topic, b"x" * 600, partition=partition)
    answer = session.leader(topic).call(
        "Fetch",
        demanded="Both partitions together have the 1000 bytes.",
        **requests.fetch(topic, {0: 0, 1: 0}, max_wait_ms=LONG_WAIT_MS, min_bytes=1000),
    )
    for partition in (0, 1):
        permit_records(session, reported(answer)[partition], "The bytes of both are delivered.")


@check("WIRE-12", apis=("Fetch",))
def an_error_is_reported_at_once(session: Session) -> None:
    """A Fetch with a partition that has an error is answered at once."""
    topic = session.create_topic()
    answer = session.leader(topic).call(
        "Fetch",
        demanded="The offset is out of range, now and later.",
        **requests.fetch(topic, {0: 1000}, max_wait_ms=LONG_WAIT_MS),
    )
    session.permit(
        "the error code of the partition",
        reported(answer)[0].error_code,
        {ErrorCode.OFFSET_OUT_OF_RANGE},
        "The log ends at offset 0.",
    )


@check("WIRE-12", apis=("Fetch", "Produce"))
def data_that_arrives_completes_a_waiting_fetch(session: Session) -> None:
    """A Fetch that waits is answered as soon as min_bytes have arrived."""
    topic = session.create_topic()
    waiting = session.connect(near=session.leader(topic))
    waiting.call("Metadata", topics=[])  # so that the Fetch is there before the data
    waiting.send("Fetch", **requests.fetch(topic, {0: 0}, max_wait_ms=LONG_WAIT_MS))
    if session.produce(topic, [b"arrives"]).error_code != ErrorCode.NONE:
        session.inconclusive("the record could not be stored")
    answer = waiting.receive(demanded="The byte that was asked for is there.")
    permit_records(session, reported(answer)[0], "The data completed the fetch.")


@check("WIRE-12", apis=("Fetch",))
def too_little_data_is_delivered_in_the_end(session: Session) -> None:
    """Fewer bytes than min_bytes are delivered when max_wait_ms is over."""
    topic = session.create_topic()
    store(session, topic, b"a few bytes")
    answer = session.leader(topic).call(
        "Fetch",
        demanded="300 ms have passed, and nobody asked to wait longer.",
        **requests.fetch(topic, {0: 0}, max_wait_ms=300, min_bytes=2**20),
    )
    permit_records(session, reported(answer)[0], "What there is is delivered.")


# WIRE-10


def permit_refused(session: Session, answer: Struct, error: ErrorCode, because: str) -> None:
    session.permit("the error code of the whole request", answer.error_code, {error}, because)
    session.permit("the partitions", sorted(reported(answer)), [[]], "Nothing is read for it.")


def permit_not_found(session: Session, session_id: int) -> None:
    topic = session.create_topic()
    stranger = FetchSession(session, session.leader(topic), topic, session_id)
    permit_refused(
        session,
        stranger.send({0: 0}, epoch=1),
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        "The broker gave no session with this id.",
    )


@check("WIRE-10", apis=SESSIONS)
def an_unknown_session_is_not_found(session: Session) -> None:
    """An incremental Fetch in a session that does not exist gets FETCH_SESSION_ID_NOT_FOUND."""
    permit_not_found(session, SOME_SESSION_ID)


@check("WIRE-10", apis=SESSIONS)
def the_greatest_session_id_is_not_found_either(session: Session) -> None:
    """An incremental Fetch in session 2147483647 gets FETCH_SESSION_ID_NOT_FOUND too."""
    permit_not_found(session, 2**31 - 1)


@check("WIRE-10", apis=SESSIONS)
def a_wrong_session_epoch_is_refused(session: Session) -> None:
    """An incremental Fetch whose epoch is not the next one gets INVALID_FETCH_SESSION_EPOCH."""
    topic = session.create_topic()
    store(session, topic, b"a")
    opened = open_session(session, topic, {0: 0})
    for epoch in (2, 7):
        answer = opened.send({}, epoch=epoch)
        forgotten = answer.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND
        if forgotten:
            session.inconclusive("the broker forgot the session, which it may")
        permit_refused(
            session, answer, ErrorCode.INVALID_FETCH_SESSION_EPOCH, "Epoch 1 comes next."
        )
    permit_records(session, opened.fetch()[0], "A refused request does not change the session.")


@check("WIRE-10", apis=SESSIONS)
def an_epoch_cannot_be_used_twice(session: Session) -> None:
    """An incremental Fetch with the epoch of the one before is refused."""
    topic = session.create_topic()
    opened = open_session(session, topic, {0: 0})
    opened.fetch()
    answer = opened.send({}, epoch=opened.epoch)
    if answer.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
        session.inconclusive("the broker forgot the session, which it may")
    permit_refused(session, answer, ErrorCode.INVALID_FETCH_SESSION_EPOCH, "Epoch 2 comes next.")


@check("WIRE-10", apis=SESSIONS)
def a_closed_session_is_unknown(session: Session) -> None:
    """After a full Fetch with the session's id and epoch -1 the session does not exist."""
    topic = session.create_topic()
    opened = open_session(session, topic, {0: 0})
    closing = opened.send({0: 0}, epoch=CLOSE)
    if closing.error_code != ErrorCode.NONE:
        session.inconclusive("the session could not be closed")
    permit_refused(
        session,
        opened.send({}, epoch=1),
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        "The client closed this session.",
    )


@check("WIRE-10", apis=("Fetch 7-12", "Fetch 13+"))
def names_and_ids_do_not_mix(session: Session) -> None:
    """A session that was opened by names cannot go on with topic ids, nor the other way round."""
    topic = session.create_topic()
    client = session.leader(topic)
    by_name, by_id = client.version("Fetch", at_most=TOPIC_IDS_SINCE - 1), client.version("Fetch")
    for opening, following in ((by_name, by_id), (by_id, by_name)):
        opened = open_session(session, topic, {0: 0}, version=opening)
        answer = opened.send({0: 0}, epoch=1, version=following)
        if answer.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
            session.inconclusive("the broker forgot the session, which it may")
        permit_refused(
            session,
            answer,
            ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
            f"The session was opened with version {opening}.",
        )


# WIRE-11


@check("WIRE-11", apis=SESSIONS)
def new_records_are_reported(session: Session) -> None:
    """An incremental Fetch reports the partition that has new records."""
    topic = session.create_topic(partitions=2)
    opened = open_session(session, topic, {0: 0})
    opened.fetch()
    store(session, topic, b"new")
    got = opened.fetch()
    session.permit("the partitions in the answer", sorted(got), [[0]], "Partition 0 has records.")
    permit_records(session, got[0], "They are to be delivered at the position of the session.")


@check("WIRE-11", apis=SESSIONS)
def records_are_delivered_until_the_position_moves(session: Session) -> None:
    """The same records are delivered again until the client sends a new position."""
    topic = session.create_topic()
    store(session, topic, b"a", b"b")
    opened = open_session(session, topic, {0: 0})
    for _ in range(2):
        got = opened.fetch()
        session.permit("the partitions", sorted(got), [[0]], "The position is still 0.")
        permit_records(session, got[0], "The position is still 0.")
    got = opened.fetch({0: 2})
    session.permit(
        "whether there are records",
        any(partition.records for partition in got.values()),
        [False],
        "The position is 2 now, the end of the log.",
    )


@check("WIRE-11", apis=SESSIONS)
def forgotten_partitions_leave_the_session(session: Session) -> None:
    """A partition in the list of forgotten ones is not in later answers."""
    topic = session.create_topic(partitions=2)
    if session.leader(topic, 0) is not session.leader(topic, 1):
        session.inconclusive("the partitions have different leaders")
    for partition in (0, 1):
        store(session, topic, b"a", partition=partition)
    opened = open_session(session, topic, {0: 0, 1: 0})
    because = "Partition 1 has left the session, and partition 0 has records."
    session.permit("the partitions", sorted(opened.fetch(forgotten=[1])), [[0]], because)
    session.permit("the partitions afterwards", sorted(opened.fetch()), [[0]], because)


@check("WIRE-11", apis=SESSIONS)
def added_partitions_join_the_session(session: Session) -> None:
    """A partition that an incremental Fetch names is in the session from then on."""
    topic = session.create_topic(partitions=2)
    if session.leader(topic, 0) is not session.leader(topic, 1):
        session.inconclusive("the partitions have different leaders")
    store(session, topic, b"a", partition=1)
    opened = open_session(session, topic, {0: 0})
    because = "Partition 1 was added and has records."
    permit_records(session, opened.fetch({1: 0}).get(1, Struct(records=None)), because)
    permit_records(session, opened.fetch().get(1, Struct(records=None)), because)


@check("WIRE-11", apis=(*SESSIONS, "DeleteRecords"))
def a_new_log_start_is_reported(session: Session) -> None:
    """An incremental Fetch reports a partition whose log start offset has changed."""
    topic = session.create_topic()
    store(session, topic, b"a", b"b")
    opened = open_session(session, topic, {0: 2})
    opened.fetch()
    partitions = [{"partition_index": 0, "offset": 1}]
    deleted = session.leader(topic).call(
        "DeleteRecords", topics=[{"name": topic.name, "partitions": partitions}], timeout_ms=5000
    )
    if deleted.topics[0].partitions[0].error_code != ErrorCode.NONE:
        session.inconclusive("the record could not be deleted")
    session.permit(
        "the log start offsets that are reported",
        [partition.log_start_offset for partition in opened.fetch().values()],
        [[1]],
        "It was 0 when it was last reported.",
    )


@check("WIRE-11", apis=SESSIONS)
def a_new_high_watermark_is_reported(session: Session) -> None:
    """An incremental Fetch reports a new high watermark."""
    topic = session.create_topic()
    store(session, topic, b"a")
    opened = open_session(session, topic, {0: 1})
    opened.fetch()
    store(session, topic, b"b", b"c")
    session.permit(
        "the high watermarks that are reported",
        [partition.high_watermark for partition in opened.fetch({0: 3}).values()],
        [[3]],
        "It was 1 when it was last reported.",
    )


@check("WIRE-11", apis=SESSIONS)
def an_error_is_reported_in_a_session(session: Session) -> None:
    """An incremental Fetch reports a partition that has an error, every time."""
    topic = session.create_topic()
    opened = open_session(session, topic, {0: 0})
    opened.fetch({0: 1000})
    session.permit(
        "the error codes that are reported",
        [partition.error_code for partition in opened.fetch().values()],
        [[ErrorCode.OFFSET_OUT_OF_RANGE]],
        "The position of the session is out of range.",
    )
