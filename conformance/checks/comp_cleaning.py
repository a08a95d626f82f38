"""COMP: what a cleaning leaves of a log, as readers see it."""

from conformance.appends import HOUR_MS, now_ms
from conformance.check import check
from conformance.compaction import Compacted, compacted, table
from conformance.judge import Condition, at_least
from conformance.session import Session
from conformance.wire.records import Batch, Record, build_batch

APIS = ("Produce", "Fetch 4+")
DELETE_HORIZON = 0x40
DAY_MS = 24 * HOUR_MS


def one(value: bytes | None, key: bytes = b"a") -> Record:
    return Record(value, key)


def permit_there(
    session: Session, log: Compacted, expected: set[tuple[bytes, bytes | None]], because: str
) -> None:
    """Judge that these keys and values are in the log, whatever else is."""
    session.permit(
        "the keys and values in the log",
        [(record.key, record.value) for record in log.records()],
        Condition(f"{sorted(expected, key=str)} among them", lambda got: expected <= set(got)),
        because,
    )


@check("COMP-01", apis=APIS)
def the_last_record_of_each_key_stays(session: Session) -> None:
    """Of each key the record with the highest offset is there after a cleaning."""
    log = compacted(session)
    log.segment(one(b"1"), one(b"1", b"b"), one(b"1", b""))
    log.segment(one(b"2"), one(b"1", b"c"), one(b"2"), one(b"3"))
    log.segment(one(b"2", b"b"))
    log.clean()
    expected: set[tuple[bytes, bytes | None]] = {
        (b"a", b"3"),
        (b"b", b"2"),
        (b"c", b"1"),
        (b"", b"1"),
    }
    permit_there(session, log, expected, "They are the last values of their keys.")


@check("COMP-02", apis=APIS)
def what_stays_is_unchanged(session: Session) -> None:
    """Offset, key, value, headers and timestamp of a record that stays are what they were."""
    log = compacted(session)
    headers = ((b"h", b"1"), (b"h", None))
    for codec in ("none", "gzip"):
        records = [one(b"1"), Record(b"kept", codec.encode(), headers), one(b"2"), one(None, b"d")]
        times = [log.clock_ms + 1000 * number for number in range(len(records))]
        timed = [
            Record(r.value, r.key, r.headers, timestamp=t)
            for r, t in zip(records, times, strict=True)
        ]
        session.produce(log.topic, build_batch(timed, codec=codec))
        log.segment(one(b"3"))
    before = {record.offset: record for record in log.records()}
    if len(before) != 10:
        session.inconclusive("not all records came back")
    log.clean()
    after = [record for record in log.records() if record.offset in before]
    session.permit(
        "the records that are left",
        after,
        [[before[record.offset] for record in after]],
        "A cleaning removes records, and changes none.",
    )
    offsets = [record.offset for record in log.records()]
    session.permit("their offsets", offsets, [sorted(offsets)], "Their order stays.")


def frame(batch: Batch) -> tuple[int, ...]:
    """What a batch keeps of its header, however many of its records go."""
    producer = (batch.producer_id, batch.producer_epoch, batch.base_sequence)
    return batch.base_offset, batch.last_offset, *producer


@check("COMP-02", apis=(*APIS, "InitProducerId"))
def batches_keep_their_frame(session: Session) -> None:
    """A batch that loses records keeps its first and last offset, producer id and sequence."""
    log = compacted(session)
    producer_id, epoch = session.new_producer()
    log.segment(
        *(one(b"1"), one(b"1", b"b"), one(b"2")),
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=0,
    )
    before = frame(log.batches()[0])
    log.segment(one(b"3"))
    log.clean()
    (after,) = (batch for batch in log.batches() if batch.base_offset <= 1 <= batch.last_offset)
    session.permit(
        "first and last offset, producer id, epoch and sequence of the batch",
        frame(after),
        [before],
        "The header stays, although records within are gone.",
    )


@check("COMP-03", apis=APIS)
def the_active_segment_is_not_compacted(session: Session) -> None:
    """Of the records in the active segment none is removed."""
    log = compacted(session)
    log.segment(one(b"1"), one(b"2"))
    log.segment(one(b"3"), one(b"4"), one(b"5"))
    compacted(session).clean()  # a cleaner that was here before the active segment comes again
    got = [value for value in log.values(b"a") if value and value > b"2"]
    because = "The active segment is not compacted."
    session.permit("the values in the active segment", got, [[b"3", b"4", b"5"]], because)


@check("COMP-04", apis=APIS)
def young_records_are_left_alone(session: Session) -> None:
    """A record younger than min.compaction.lag.ms is not removed, while older ones are."""
    log = compacted(session, {"min.compaction.lag.ms": str(10 * HOUR_MS)})
    log.clock_ms = now_ms() - 30 * HOUR_MS
    shown = log.show()
    log.clock_ms = now_ms() - 5 * HOUR_MS
    log.segment(one(b"1"), one(b"2"))
    log.segment(one(b"3"))
    log.await_cleaned(shown)
    got = log.values(b"a")
    because = "They are five hours old, and the lag is ten."
    session.permit("the values of the key", got, [[b"1", b"2", b"3"]], because)


@check("COMP-05", apis=APIS)
def a_tombstone_stays_for_a_time(session: Session) -> None:
    """Before delete.retention.ms is over, no cleaning removes a tombstone."""
    log = compacted(session, {"delete.retention.ms": str(DAY_MS)})
    log.segment(one(b"1"))
    log.segment(one(None))
    for _ in range(2):
        log.clean()
    because = "Who has seen the key needs the tombstone to learn that it is gone."
    session.permit("the last value of the key", log.values(b"a")[-1:], [[None]], because)


@check("COMP-05", apis=APIS)
def the_delete_horizon_is_written_down(session: Session) -> None:
    """The first cleaning that reaches a tombstone marks its batch with when it may go."""
    log = compacted(session, {"delete.retention.ms": str(DAY_MS)})
    before_ms = now_ms()
    offset = log.segment(one(None))
    log.clean()
    (batch,) = (each for each in log.batches() if each.base_offset == offset)
    because = "The tombstone may go a day after the first cleaning that reached it."
    marked = bool(batch.attributes & DELETE_HORIZON)
    session.permit("bit 6 of the attributes", marked, [True], because)
    horizon = at_least(before_ms + DAY_MS - HOUR_MS)
    session.permit("the base timestamp of the batch", batch.base_timestamp, horizon, because)


@check("COMP-06", apis=APIS)
def a_tombstone_goes_in_the_end(session: Session) -> None:
    """A cleaning after delete.retention.ms removes a tombstone that an earlier one reached."""
    log = compacted(session, {"delete.retention.ms": "0"})
    log.segment(one(b"1"))
    log.segment(one(None))
    for _ in range(2):
        log.clean()
    because = "Its time was over when the second cleaning came."
    session.permit("the values of the key", log.values(b"a"), [[]], because)


@check("COMP-09", apis=(*APIS, "InitProducerId"))
def the_last_batch_of_a_producer_is_kept(session: Session) -> None:
    """The last batch of a producer stays when its records go, with its sequence numbers."""
    log = compacted(session)
    producer_id, epoch = session.new_producer()
    producer = {"producer_id": producer_id, "producer_epoch": epoch}
    log.segment(one(b"1"), **producer, base_sequence=0)
    log.segment(one(b"2"), one(b"3"), **producer, base_sequence=1)
    log.segment(one(b"4"))
    log.clean()
    last = [
        (batch.producer_epoch, batch.base_sequence, batch.base_offset, batch.last_offset)
        for batch in log.batches()
        if batch.producer_id == producer_id
    ]
    session.permit(
        "epoch, first sequence, first and last offset of the producer's last batch",
        last[-1:],
        [[(epoch, 1, 1, 2)]],
        "Who rebuilds the state from the log learns the last sequence there.",
    )


@check("COMP-12", apis=APIS)
def who_reads_to_the_end_has_the_table(session: Session) -> None:
    """A reader from the beginning has the last value of every key, before and after cleanings."""
    log = compacted(session)
    written: list[Record] = []
    for number in range(24):
        key = b"key %d" % (number * number % 7)
        written.append(one(None if number % 5 == 4 else b"%d" % number, key))
        log.segment(written[-1], one(b"%d" % number, b"key %d" % number))
        written.append(one(b"%d" % number, b"key %d" % number))
        if number % 12 == 11:
            log.clean()
    expected = table(written)
    got = {key: value for key, value in table(log.records()).items() if key in expected}
    because = "Compaction keeps the last value of each key."
    session.permit("the table", got, [expected], because)
    deleted = {record.key for record in written} - expected.keys()
    kept = deleted & table(log.records()).keys()
    session.permit("the keys that were deleted and are there", kept, [set()], because)
