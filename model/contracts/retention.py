"""What clients may observe of retention in one partition: why a record can vanish, and what they
are told of it.

A record that was visible goes for one of three reasons: it and all before it are too old, what
comes after it is large enough, or a client asked for it. The log start offset moves up, except
that another leader may still have what the former one had deleted for its age or size; never does
anything come back that DeleteRecords has answered. A consumer reads record after record, or is
told that it is out of range.
Refuses to know: segments, replicas, and when exactly the deletion happens that is permitted.
Clauses: RETN-01, RETN-02, RETN-03, RETN-04, RETN-07, REPL-14, STOR-12.
"""

from model.lang import (
    Bool,
    Bound,
    Machine,
    Range,
    Record,
    Seq,
    every,
    greatest_of,
    implies,
    needs,
)


class Offset(Range):
    """A position in the log, or the end of it."""

    low, high = 0, Bound("log_size")


class Time(Range):
    """A reading of the clock, or the timestamp of a record; `retention_time` counts the same
    ticks.
    """

    low, high = 0, Bound("end_of_time")


class LeaderEpoch(Range):
    """How many leaders there have been before this one."""

    low, high = 0, Bound("max_leader_epoch")


class Timestamps(Seq[Time]):
    """The timestamps of the records that were accepted, by offset; those of deleted ones stay."""

    capacity = Bound("log_size")


class RetainedLog(Record):
    """The log, a consumer's position in it, and what DeleteRecords has asked for and been answered
    at most. Records from `visible_end` on were accepted and are not visible.
    """

    now: Time
    leader_epoch: LeaderEpoch
    timestamps: Timestamps
    log_start_offset: Offset
    visible_end: Offset
    deletion_requested: Offset
    low_watermark_answered: Offset
    position: Offset


contract = Machine(
    "retained-log", RetainedLog, "why records leave a log, as clients see it", "contract"
)


@contract.action()
def time_passes(s: RetainedLog) -> None:
    """The clock goes on."""
    needs(time_is_left=s.now < Bound("end_of_time"))
    s.now += 1


@contract.action("STOR-01", "RETN-11")
def record_is_accepted(s: RetainedLog, timestamp: Time) -> None:
    """A record gets the next offset."""
    needs(
        log_has_room=s.timestamps.length < Bound("log_size"),
        is_not_too_far_in_the_future=timestamp <= s.now + Bound("timestamp_after_max"),
    )
    s.timestamps.append(timestamp)


@contract.action("REPL-01")
def record_becomes_visible(s: RetainedLog) -> None:
    """The next record is committed."""
    needs(there_is_one=s.visible_end < s.timestamps.length)
    s.visible_end += 1


def starts_later(s: RetainedLog, offset: Offset) -> Bool:
    """The log start offset would move up, and stay within what is visible."""
    return (s.log_start_offset < offset) & (offset <= s.visible_end)


@contract.action("RETN-01", "RETN-03")
def old_records_go(s: RetainedLog, offset: Offset) -> None:
    """All that goes is older than retention.ms."""
    needs(
        is_visible=starts_later(s, offset),
        has_expired=every(
            Offset,
            lambda o: implies(
                (s.log_start_offset <= o) & (o < offset),
                s.timestamps[o] + Bound("retention_time") < s.now,
            ),
        ),
    )
    s.log_start_offset = offset


@contract.action("RETN-02", "RETN-03")
def records_of_a_log_too_large_go(s: RetainedLog, offset: Offset) -> None:
    """What remains is at least retention.bytes."""
    needs(
        is_visible=starts_later(s, offset),
        enough_remains=offset + Bound("retention_size") <= s.timestamps.length,
    )
    s.log_start_offset = offset


@contract.action("RETN-07")
def records_are_deleted_on_request(s: RetainedLog, offset: Offset) -> None:
    """A client deletes all records before an offset."""
    needs(is_visible=starts_later(s, offset))
    s.log_start_offset = offset
    s.deletion_requested = greatest_of(offset, s.deletion_requested)


@contract.action("REPL-14", "RETN-07")
def deletion_is_answered(s: RetainedLog, low_watermark: Offset) -> None:
    """DeleteRecords is answered: what lies before the low watermark never comes back."""
    needs(
        is_waiting=s.low_watermark_answered < s.deletion_requested,
        is_what_was_asked_for=s.deletion_requested <= low_watermark,
        is_deleted=low_watermark <= s.log_start_offset,
    )
    s.low_watermark_answered = low_watermark


@contract.action("RETN-04", "REPL-13")
def another_leader_takes_over(
    s: RetainedLog, log_start_offset: Offset, visible_end: Offset, log_end_offset: Offset
) -> None:
    """Records that are not visible may be lost; the new leader may not yet know all that is
    visible, nor all that was deleted.
    """
    needs(
        epochs_are_left=s.leader_epoch < Bound("max_leader_epoch"),
        nothing_visible_is_lost=s.visible_end <= log_end_offset,
        log_does_not_grow=log_end_offset <= s.timestamps.length,
        answered_deletions_stay=s.low_watermark_answered <= log_start_offset,
        start_is_visible=log_start_offset <= visible_end,
        end_is_in_the_log=visible_end <= log_end_offset,
    )
    s.leader_epoch += 1
    s.timestamps.truncate(log_end_offset)
    s.log_start_offset = log_start_offset
    s.visible_end = visible_end


@contract.action("STOR-03", "STOR-12")
def consumer_reads(s: RetainedLog) -> None:
    """The record at the position is returned."""
    needs(
        is_not_below_log_start=s.log_start_offset <= s.position,
        is_visible=s.position < s.visible_end,
    )
    s.position += 1


@contract.action("STOR-12")
def consumer_is_out_of_range(s: RetainedLog) -> None:
    """The consumer is told that what it asked for is gone, and goes on from the log start."""
    needs(is_below_log_start=s.position < s.log_start_offset)
    s.position = s.log_start_offset


@contract.always("RETN-03", broken_by="records_are_deleted_on_request.is_visible")
def log_start_never_passes_the_visible_end(s: RetainedLog) -> Bool:
    """What is not visible is not deleted."""
    return s.log_start_offset <= s.visible_end


@contract.always(
    "RETN-07", "REPL-14", broken_by="another_leader_takes_over.answered_deletions_stay"
)
def what_was_answered_stays_deleted(s: RetainedLog) -> Bool:
    """The log starts where DeleteRecords has answered, or after it."""
    return s.low_watermark_answered <= s.log_start_offset


@contract.sometimes("RETN-04")
def a_consumer_has_read_what_is_not_visible(s: RetainedLog) -> Bool:
    """Another leader does not yet know that a record is committed which a consumer has read."""
    return s.visible_end < s.position


contract.scope(
    "default",
    why="three records, one reason each to go; one change of leader",
    states=16_290,
    log_size=3,
    end_of_time=2,
    max_leader_epoch=1,
    timestamp_after_max=0,
    retention_time=0,
    retention_size=1,
)
