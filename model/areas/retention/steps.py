"""Retention of one partition: segments, the clock, and why records leave a log.

Modelled: a leader that appends records with timestamps of the producers' choice; segments that
roll; deletion of the oldest segment by age, by size, and after DeleteRecords, on each replica by
itself; the high watermark, and what a fetch tells a follower: records, high watermark, log start
offset; a change of leader; a consumer with `auto.offset.reset=earliest`.
Simplified: all replicas are in sync, so a record is committed when all have it. A fetch and its
answer are one step, and so are a change of leader and the truncation of the others, which
model/areas/replication.py has in full. A segment rolls by its size and its age, not for a full
index (STOR-07). A batch is one record and fills one unit of the size. What is done after a change
of leader about requests that still wait is left open: DeleteRecords may be answered late.
Not modelled: a follower that is out of sync and starts over, unclean election, restarts (they may
take the log start offset back, RETN-04), compaction, tiered storage, segments without timestamps.
Source: `UnifiedLog.deleteOldSegments`, `deletableSegments`, `maybeIncrementLogStartOffset`,
`updateHighWatermark`; `Partition.deleteRecordsOnLeader`, `lowWatermarkIfLeader`;
`ReplicaFetcherThread.processPartitionData`; KIP-107.
Clauses: RETN-01, RETN-02, RETN-03, RETN-04, RETN-07, RETN-10, RETN-11, REPL-14, STOR-07, STOR-12.
"""

from model.areas.retention.state import (
    Broker,
    Replica,
    State,
    active_segment,
    append,
    delete_for_size,
    delete_oldest_segment,
    end_of_oldest_segment,
    is_committed_and_not_empty,
    learn_from,
    low_watermark,
    oldest_segment,
    oldest_segment_has_expired,
    youngest_timestamp,
)
from model.contracts.retention import Offset, Time
from model.lang import (
    Bound,
    Machine,
    each,
    every,
    greatest_of,
    least_of,
    needs,
    set_of,
    some,
    those,
)

machine = Machine("retention", State, "retention: how records leave a log", "kafka-4")


@machine.initial
def one_empty_segment_on_each_replica(s: State) -> None:
    s.replica = each(
        Broker,
        lambda _: Replica(
            segments=set_of(Offset(0)),
            log_start_offset=Offset(0),
            high_watermark=Offset(0),
            log_end_offset=Offset(0),
        ),
    )


@machine.action()
def time_passes(s: State) -> None:
    """The clock of all brokers goes on by one tick."""
    needs(time_is_left=s.now < Bound("end_of_time"))
    s.now += 1


# Records come in.


@machine.action("STOR-01", "STOR-07", "RETN-11")
def leader_appends(s: State, timestamp: Time) -> None:
    """A record comes with a timestamp that its producer chose."""
    me = s.replica[s.leader]
    needs(
        log_has_room=s.timestamps.length < Bound("log_size"),
        is_not_too_far_in_the_future=timestamp <= s.now + Bound("timestamp_after_max"),
    )
    append(s, me, timestamp)
    s.timestamps.append(timestamp)


@machine.action("REPL-01")
def leader_advances_high_watermark(s: State) -> None:
    """The next record is committed when every replica has it."""
    me = s.replica[s.leader]
    needs(
        every_replica_has_the_record=every(
            Broker, lambda b: me.high_watermark < s.replica[b].log_end_offset
        )
    )
    me.high_watermark += 1


@machine.action("STOR-07", "REPL-01", "RETN-03")
def follower_fetches_record(s: State, follower: Broker) -> None:
    """A follower copies the next record, and learns what the leader knows."""
    me, leader = s.replica[follower], s.replica[s.leader]
    needs(leader_has_more=me.log_end_offset < leader.log_end_offset)
    append(s, me, s.timestamps[me.log_end_offset])
    learn_from(me, leader)


@machine.action("REPL-01", "RETN-03")
def follower_fetches_at_log_end(s: State, follower: Broker) -> None:
    """An answer without records also says what the leader knows."""
    me, leader = s.replica[follower], s.replica[s.leader]
    needs(
        leader_has_no_more=me.log_end_offset == leader.log_end_offset,
        learns_something=(me.high_watermark < leader.high_watermark)
        | (me.log_start_offset < leader.log_start_offset),
    )
    learn_from(me, leader)


@machine.action("ELEC-01")
def follower_becomes_leader(s: State, follower: Broker) -> None:
    """Another replica leads, with the marks it has; the others cut what goes past its log end."""
    needs(
        epochs_are_left=s.leader_epoch < Bound("max_leader_epoch"),
        is_a_change=follower != s.leader,
    )
    end = s.replica[follower].log_end_offset
    s.leader = follower
    s.leader_epoch += 1
    s.timestamps.truncate(end)
    s.replica = each(
        Broker,
        lambda b: Replica(
            segments=s.replica[b].segments & those(Offset, lambda o: o <= end),
            log_start_offset=s.replica[b].log_start_offset,
            high_watermark=s.replica[b].high_watermark,
            log_end_offset=least_of(s.replica[b].log_end_offset, end),
        ),
    )


# Records go.


@machine.action("RETN-01", "RETN-03")
def replica_deletes_expired_segment(s: State, broker: Broker) -> None:
    """The oldest segment goes when all its records are older than retention.ms, also when it is
    the active one: then an empty one takes its place.
    """
    me = s.replica[broker]
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        has_expired=oldest_segment_has_expired(s, me),
    )
    youngest = youngest_timestamp(s, oldest_segment(me), end_of_oldest_segment(me))
    s.youngest_expired = some(greatest_of(youngest, s.youngest_expired.value))
    delete_oldest_segment(me)


@machine.action("RETN-02", "RETN-03")
def replica_deletes_segment_of_a_log_too_large(s: State, broker: Broker) -> None:
    """The oldest segment goes when what remains is at least retention.bytes."""
    me = s.replica[broker]
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        enough_remains=end_of_oldest_segment(me) + Bound("retention_size") <= me.log_end_offset,
    )
    delete_for_size(s, me)


@machine.action("RETN-07")
def leader_deletes_records(s: State, offset: Offset) -> None:
    """DeleteRecords moves the log start offset at once; files go later."""
    me = s.replica[s.leader]
    needs(
        is_above_log_start=me.log_start_offset < offset,
        is_committed=offset <= me.high_watermark,
    )
    me.log_start_offset = offset
    s.deletion_requested = greatest_of(offset, s.deletion_requested)


@machine.action("RETN-07", "RETN-03")
def replica_deletes_segment_before_log_start(s: State, broker: Broker) -> None:
    """The oldest segment goes when the log starts after it."""
    me = s.replica[broker]
    needs(
        is_closed=oldest_segment(me) < active_segment(me),
        log_starts_after_it=end_of_oldest_segment(me) <= me.log_start_offset,
    )
    delete_oldest_segment(me)


@machine.action("REPL-14", "RETN-07")
def leader_answers_delete_records(s: State, offset: Offset) -> None:
    """DeleteRecords is answered when every replica starts where it asked for or later, with the
    smallest of their log start offsets.
    """
    needs(
        is_waiting=s.low_watermark_answered < s.deletion_requested,
        is_what_was_asked_for=s.deletion_requested <= offset,
        every_replica_starts_there=offset == low_watermark(s),
    )
    s.low_watermark_answered = offset


# The consumer.


@machine.action("STOR-03", "STOR-12")
def consumer_reads(s: State) -> None:
    """A fetch is answered with the record at the position or, where the file has no such record,
    with the first one after it.
    """
    me = s.replica[s.leader]
    needs(
        is_not_below_log_start=me.log_start_offset <= s.position,
        is_committed=s.position < me.high_watermark,
    )
    found = greatest_of(s.position, oldest_segment(me))
    s.a_record_was_skipped |= found > s.position
    s.position = found + 1


@machine.action("STOR-12", "RETN-07")
def consumer_is_out_of_range(s: State) -> None:
    """A fetch below the log start offset gets OFFSET_OUT_OF_RANGE; the consumer asks where the log
    starts, and goes there.
    """
    me = s.replica[s.leader]
    needs(is_below_log_start=s.position < me.log_start_offset)
    s.position = me.log_start_offset
