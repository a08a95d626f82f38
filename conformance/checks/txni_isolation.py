"""TXNI: what readers see of transactions: the last stable offset, aborted ones and markers."""

from conformance import appends
from conformance.check import check
from conformance.judge import Condition
from conformance.requests import LATEST, Topic
from conformance.session import Session
from conformance.transactions import (
    ABORT_MARKER,
    COMMIT_MARKER,
    COMMITTED,
    TV1_APIS,
    committed_values,
    fetch_committed,
    last_stable_offset,
    marker_of,
    producer,
    write_once,
)
from conformance.wire.records import read_batches

READING = (*TV1_APIS, "Fetch", "ListOffsets 2+")


def permit_stable(session: Session, topic: Topic, offset: int, because: str) -> None:
    """Judge the last stable offset: what is told of it, and what is returned below it."""
    told = last_stable_offset(session, topic)
    session.permit("the end that ListOffsets tells", told, [offset], because)
    answer = fetch_committed(session, topic)
    session.permit("the last stable offset", answer.last_stable_offset, [offset], because)
    above = [
        record.offset
        for batch in read_batches(answer.records or b"")
        for record in batch.records
        if record.offset >= offset
    ]
    session.permit("the offsets at or above it that are returned", above, [[]], because)


# TXNI-12: the last stable offset


@check("TXNI-12", apis=READING)
def an_open_transaction_holds_up_committed_readers(session: Session) -> None:
    """read_committed stops at the first record of an open transaction, also for other records."""
    topic = session.create_topic()
    appends.store(session, topic, [b"before"])
    found = producer(session)
    found.prepare_write(topic, [b"open"])
    appends.store(session, topic, [b"after"])
    permit_stable(session, topic, 1, "Offset 1 is in a transaction that is not decided.")
    found.prepare_end(True)
    permit_stable(session, topic, 4, "Every transaction is decided.")


@check("TXNI-12", apis=READING)
def without_transactions_the_stable_end_is_the_end(session: Session) -> None:
    """Where no transaction is open the last stable offset is the high watermark."""
    topic = session.create_topic()
    permit_stable(session, topic, 0, "The partition is empty.")
    appends.store(session, topic, [b"a", b"b"])
    permit_stable(session, topic, 2, "No transaction is open.")


@check("TXNI-12", apis=READING)
def the_first_of_several_open_transactions_counts(session: Session) -> None:
    """With two open transactions the last stable offset is the first offset of the earlier."""
    topic = session.create_topic()
    first, second = producer(session), producer(session)
    first.prepare_write(topic, [b"first"])
    second.prepare_write(topic, [b"second"])
    first.prepare_write(topic, [b"first"])
    permit_stable(session, topic, 0, "Both are open, and the first begins at offset 0.")
    first.prepare_end(False)
    permit_stable(session, topic, 1, "The second is open, and begins at offset 1.")
    second.prepare_end(True)
    permit_stable(session, topic, 5, "Both are decided: three records and two markers.")


@check("TXNI-12", apis=READING)
def uncommitted_readers_are_not_held_up(session: Session) -> None:
    """ListOffsets with isolation level 0 tells the high watermark, whatever is open."""
    topic = session.create_topic()
    producer(session).prepare_write(topic, [b"open", b"open"])
    end = session.list_offset(topic, LATEST).offset
    session.permit("the end", end, [2], "The records are committed as far as replicas go.")


# TXNI-13: aborted transactions


@check("TXNI-13", apis=READING)
def aborted_transactions_are_listed(session: Session) -> None:
    """A Fetch with isolation level 1 names each aborted transaction with its first offset."""
    topic = session.create_topic()
    appends.store(session, topic, [b"plain"])
    aborted = []
    for offset in (1, 4):
        found = write_once(session, topic, [b"a", b"b"], committed=False)
        aborted.append((found.producer_id, offset))
    permit_listed(session, topic, 0, aborted)
    permit_listed(session, topic, 2, aborted)
    permit_listed(session, topic, 4, aborted[1:])


def permit_listed(
    session: Session, topic: Topic, offset: int, aborted: list[tuple[int, int]]
) -> None:
    """Judge that at least these are listed in an answer from an offset on."""
    answer = fetch_committed(session, topic, offset)
    got = [(each.producer_id, each.first_offset) for each in answer.aborted_transactions or []]
    session.permit(
        f"the aborted transactions in a fetch from offset {offset}",
        got,
        Condition(f"{aborted}, and perhaps others", lambda got: set(aborted) <= set(got)),
        "They have records in the range that is returned.",
    )


@check("TXNI-13", apis=READING)
def uncommitted_readers_get_aborted_and_open_records(session: Session) -> None:
    """A Fetch with isolation level 0 returns all records, and lists no transactions."""
    topic = session.create_topic()
    write_once(session, topic, [b"aborted"], committed=False)
    producer(session).prepare_write(topic, [b"open"])
    read = session.read(topic, count=2)
    because = "Isolation level 0 does not ask what becomes of transactions."
    session.permit("the values", read.values, [[b"aborted", b"open"]], because)
    listed = session.fetch(topic).aborted_transactions
    session.permit("the aborted transactions", listed or [], [[]], because)


@check("TXNI-13", apis=READING)
def interleaved_transactions_can_be_told_apart(session: Session) -> None:
    """Of transactions whose records are mixed, a reader can leave out just the aborted one."""
    topic = session.create_topic()
    kept, dropped = producer(session), producer(session)
    for number in (b"1", b"2"):
        kept.prepare_write(topic, [b"kept " + number])
        dropped.prepare_write(topic, [b"dropped " + number])
        appends.store(session, topic, [b"plain " + number])
    dropped.prepare_end(False)
    kept.prepare_end(True)
    appends.store(session, topic, [b"last"])
    session.permit(
        "what a consumer hands out",
        committed_values(session, topic),
        [[b"kept 1", b"plain 1", b"kept 2", b"plain 2", b"last"]],
        "Records of an aborted transaction are not shown to a reader with read_committed.",
    )


@check("TXNI-13", apis=READING)
def a_producer_may_commit_after_an_abort(session: Session) -> None:
    """Of one producer's transactions, just the aborted ones are left out."""
    topic = session.create_topic()
    found = producer(session)
    for number, committed in enumerate((True, False, True, False, True)):
        found.prepare_write(topic, [b"%d" % number])
        found.prepare_end(committed)
    session.permit(
        "what a consumer hands out",
        committed_values(session, topic),
        [[b"0", b"2", b"4"]],
        "The second and the fourth transaction were aborted.",
    )


# TXNI-14: markers


@check("TXNI-14", apis=READING)
def a_marker_takes_an_offset(session: Session) -> None:
    """After a transaction of three records the end of the log is four further, twice."""
    topic = session.create_topic()
    for transaction, committed in enumerate((True, False), start=1):
        write_once(session, topic, [b"a", b"b", b"c"], committed)
        end = session.list_offset(topic, LATEST).offset
        because = "Every marker has an offset of its own."
        session.permit("the end of the log", end, [4 * transaction], because)


@check("TXNI-14", apis=READING)
def markers_are_delivered_as_control_batches(session: Session) -> None:
    """Fetch returns each marker, at either level, in a transactional control batch."""
    topic = session.create_topic()
    ends = {True: COMMIT_MARKER, False: ABORT_MARKER}
    expected: list[tuple[int, bool, tuple[int, int]]] = []
    for committed, kind in ends.items():
        found = write_once(session, topic, [b"a"], committed)
        expected.append((len(expected) * 2 + 1, True, (found.producer_id, kind)))
    for level in (0, COMMITTED):
        batches = [b for b in session.read(topic, isolation_level=level).batches if b.is_control]
        session.permit(
            "the control batches: offset, transactional, producer id and kind",
            [(b.base_offset, b.is_transactional, marker_of(b)) for b in batches],
            [expected],
            "Markers are delivered by Fetch.",
        )


@check("TXNI-14", apis=READING)
def a_transaction_marks_every_partition_that_took_part(session: Session) -> None:
    """Each partition that was added gets one marker, with records or without; no other does."""
    topic = session.create_topic(partitions=3)
    found = producer(session)
    found.prepare_write(topic, [b"a"], 0)
    if found.add(topic, 1)[1]:
        session.inconclusive("partition 1 could not be added")
    found.prepare_end(True)
    for partition, end in ((0, 2), (1, 1), (2, 0)):
        got = session.list_offset(topic, LATEST, partition).offset
        because = "It has the record and its marker, the marker alone, or nothing."
        session.permit(f"the end of partition {partition}", got, [end], because)
