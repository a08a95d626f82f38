"""COMP: what a cleaning does with transactions: open ones, aborted ones and their markers."""

from conformance.check import check
from conformance.compaction import CLOSING, compacted, table
from conformance.session import Session
from conformance.transactions import (
    COMMIT_MARKER,
    TV1_APIS,
    committed_values,
    markers,
    producer,
)
from conformance.wire.records import Record

APIS = (*TV1_APIS, "Fetch 4+")


def one(value: bytes | None, key: bytes = b"a") -> Record:
    return Record(value, key)


@check("COMP-03", apis=APIS)
def what_is_undecided_replaces_nothing(session: Session) -> None:
    """A record that an open transaction seems to replace is there when that was aborted."""
    log = compacted(session)
    found = producer(session)
    log.segment(one(b"1"))
    shown = log.show()
    found.prepare_write(log.topic, log.timed(one(b"2")))
    log.segment(CLOSING)
    log.await_cleaned(shown)
    because = "Above the last stable offset nothing is decided, so nothing is compacted."
    session.permit("the values of the key", log.values(b"a"), [[b"1", b"2"]], because)
    found.prepare_end(False)
    got = [value for value in committed_values(session, log.topic) if value == b"1"]
    session.permit("what a committed reader gets of the key", got, [[b"1"]], because)


@check("COMP-07", apis=APIS)
def a_marker_outlives_the_records(session: Session) -> None:
    """The marker of a transaction stays when all its records are gone, as a tombstone would."""
    log = compacted(session)
    found = producer(session)
    log.transaction(found, one(b"1"), committed=True)
    log.transaction(found, one(b"1", b"b"), committed=True)  # whose batch is the last one
    log.segment(one(b"2"))
    for _ in range(2):
        log.clean()
    session.permit("the values of the key", log.values(b"a"), [[b"2"]], "The first is replaced.")
    session.permit(
        "the markers",
        markers(session, log.topic),
        [[(found.producer_id, COMMIT_MARKER)] * 2],
        "Who reads the records just now needs their marker.",
    )


@check("COMP-08", apis=APIS)
def aborted_records_go_and_replace_nothing(session: Session) -> None:
    """After a cleaning nothing of an aborted transaction is left, and all that it replaced is."""
    log = compacted(session)
    log.segment(one(b"1"), one(b"1", b"b"))
    log.transaction(producer(session), one(b"2"), one(b"2", b"c"), one(None, b"b"))
    log.clean()
    left = table(log.records())
    session.permit(
        "what is left of the keys",
        {key: left.get(key) for key in (b"a", b"b", b"c")},
        [{b"a": b"1", b"b": b"1", b"c": None}],
        "The transaction was aborted.",
    )


@check("COMP-12", apis=APIS)
def who_reads_what_is_committed_has_its_table(session: Session) -> None:
    """A reader with read_committed has the last committed value of every key after a cleaning."""
    log = compacted(session)
    found = producer(session)
    expected = []
    for number in range(6):
        value = b"%d" % number
        log.transaction(found, one(value), one(value, value), committed=number % 3 != 1)
        if number % 3 != 1:
            expected.append(value)
    log.clean()
    values = set(committed_values(session, log.topic))
    session.permit(
        "the values that were committed",
        sorted(value for value in values if value and value.isdigit()),
        [expected],
        "Each is the last committed one of a key.",
    )
