"""What a producer may observe of one partition, and what it may rely on.

A record is stored, or not; it becomes committed; until then a failure may take it away. The
producer is told of success, or has to leave the outcome open. With `acks=all` success means that
the record is committed, for good, at the offset of the answer. With idempotence each record is
stored once at most, and records stand in the order in which they were sent.
Refuses to know: messages and their loss, sequence numbers, and what the broker remembers.
Clauses: ACKS-02, ACKS-04, ACKS-05, ACKS-08, ACKS-10, PROD-03, PROD-04, PROD-09, PROD-14.
"""

from model.lang import (
    Bool,
    Bound,
    Enum,
    Machine,
    Map,
    Option,
    Range,
    Record,
    Seq,
    Value,
    every,
    exists,
    implies,
    needs,
    some,
)


class RecordId(Range):
    """A record, by its place in the order in which the producer sent them first."""

    low, high = 0, Bound("records") - 1


class NextRecordId(Range):
    """The record that is sent next."""

    low, high = 0, Bound("records")


class Offset(Range):
    """A position in the log, or the end of it."""

    low, high = 0, Bound("log_size")


class Log(Seq[RecordId]):
    """The records that are stored, in the order of their offsets."""

    capacity = Bound("log_size")


class Acks(Enum):
    """The setting `acks` of the producer."""

    NOT_SET = Value()
    ZERO = Value()
    ONE = Value()
    ALL = Value()


class Outcome(Enum):
    """What the application knows of a record; with acks=0 sending alone is success."""

    NOT_SENT = Value()
    WAITING = Value()
    SUCCEEDED = Value()
    OPEN = Value()


class Delivery(Record):
    """The producer's settings, what it knows, and the partition."""

    acks: Acks
    idempotent: Bool
    next_record: NextRecordId
    outcome: Map[RecordId, Outcome]
    told: Map[RecordId, Option[Offset]]
    log: Log
    high_watermark: Offset


contract = Machine("delivery", Delivery, "what a producer may rely on", "contract")


def is_stored(log: Log, record: RecordId) -> Bool:
    """The record is in the log."""
    return exists(Offset, lambda o: (o < log.length) & (log[o] == record))


def is_committed_at(log: Log, high_watermark: Offset, record: RecordId, offset: Offset) -> Bool:
    """The record is in the log at this offset, below the high watermark."""
    return (offset < high_watermark) & (log[offset] == record)


@contract.action("PROD-10")
def producer_is_set_up(s: Delivery, acks: Acks, idempotent: Bool) -> None:
    """The settings are made before the first record, once; idempotence needs acks=all."""
    needs(
        has_no_settings=s.acks == Acks.NOT_SET,
        is_a_setting=acks != Acks.NOT_SET,
        idempotence_has_all=implies(idempotent, acks == Acks.ALL),
    )
    s.acks = acks
    s.idempotent = idempotent


@contract.action("ACKS-02")
def record_is_sent(s: Delivery, outcome: Outcome) -> None:
    """The application hands over a record; with acks=0 that is all it learns."""
    record = RecordId.of(s.next_record)
    needs(
        has_settings=s.acks != Acks.NOT_SET,
        records_are_left=s.next_record < Bound("records"),
        waits_for_an_answer=(outcome == Outcome.WAITING) & (s.acks != Acks.ZERO)
        | (outcome == Outcome.SUCCEEDED) & (s.acks == Acks.ZERO),
    )
    s.outcome[record] = outcome
    s.next_record += 1


@contract.action("PROD-03", "PROD-04", "PROD-09", "PROD-14")
def record_is_stored(s: Delivery, record: RecordId) -> None:
    """A record goes to the end of the log; one of an idempotent producer only where no later one,
    nor itself, is stored.
    """
    needs(
        log_has_room=s.log.length < Bound("log_size"),
        was_sent=record < s.next_record,
        is_in_order=implies(
            s.idempotent & ~s.log.is_empty,
            s.log.last < record,
        ),
    )
    s.log.append(record)


@contract.action("REPL-01")
def record_is_committed(s: Delivery) -> None:
    """The next record is on all in-sync replicas."""
    needs(there_is_one=s.high_watermark < s.log.length)
    s.high_watermark += 1


@contract.action("REPL-13", "ACKS-10")
def uncommitted_records_are_lost(s: Delivery, log_end_offset: Offset) -> None:
    """A failure takes away records from the end, as far as they are not committed."""
    needs(
        nothing_committed_is_lost=s.high_watermark <= log_end_offset,
        something_is_lost=log_end_offset < s.log.length,
    )
    s.log.truncate(log_end_offset)


@contract.action("ACKS-04", "ACKS-05")
def success_is_told(s: Delivery, record: RecordId, offset: Offset) -> None:
    """The producer learns the offset of its record; with acks=1 the record may be gone by then."""
    needs(
        is_waiting=s.outcome[record] == Outcome.WAITING,
        is_an_offset=offset < Bound("log_size"),
        all_have_the_record=implies(
            s.acks == Acks.ALL, is_committed_at(s.log, s.high_watermark, record, offset)
        ),
    )
    s.outcome[record] = Outcome.SUCCEEDED
    s.told[record] = some(offset)


@contract.action("ACKS-08")
def outcome_stays_open(s: Delivery, record: RecordId) -> None:
    """The producer stops to wait; the record may be stored, or may be later."""
    needs(is_waiting=s.outcome[record] == Outcome.WAITING)
    s.outcome[record] = Outcome.OPEN


@contract.always("ACKS-05", "ACKS-10", broken_by="success_is_told.all_have_the_record")
def success_with_all_is_for_good(s: Delivery) -> Bool:
    """What acks=all was told to be stored is committed, at the offset it was told."""
    return implies(
        s.acks == Acks.ALL,
        every(
            RecordId,
            lambda r: implies(
                s.outcome[r] == Outcome.SUCCEEDED,
                s.told[r].is_some & is_committed_at(s.log, s.high_watermark, r, s.told[r].value),
            ),
        ),
    )


@contract.always("PROD-03", "PROD-09", "PROD-14", broken_by="record_is_stored.is_in_order")
def idempotent_records_are_stored_once_and_in_order(s: Delivery) -> Bool:
    """From one offset to the next the records of an idempotent producer go up."""
    return implies(
        s.idempotent,
        every(
            Offset,
            lambda o: implies((o > 0) & (o < s.log.length), s.log[o - 1] < s.log[o]),
        ),
    )


contract.scope(
    "default",
    why="three records, and room for one of them to be stored twice",
    states=134_703,
    records=3,
    log_size=4,
)
