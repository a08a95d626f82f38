"""What retention promises, what would break it, and how much of it is looked at.

The steps themselves, what they simplify and where they come from stand in
model/areas/retention_steps.py: read that first. Here are the claims about them, each with the
mistake that it excludes; the proofs for runs of any length; and what clients may observe, which is
model/contracts/retention.py.
"""

from model.areas.retention.state import (
    Broker,
    State,
    delete_for_size,
    delete_oldest_segment,
    end_of_oldest_segment,
    is_committed_and_not_empty,
    oldest_segment,
    oldest_segment_has_expired,
    youngest_timestamp,
)
from model.areas.retention.steps import machine
from model.contracts.retention import Offset, RetainedLog, contract
from model.lang import (
    Bool,
    Bound,
    every,
    exists,
    greatest_of,
    implies,
    leads_to,
    needs,
    set_of,
    some,
)
from model.lang.machine import LeadsTo

__all__ = ["machine"]

# What goes wrong otherwise.


@machine.mutant("replica_deletes_expired_segment")
def first_record_decides_the_age(s: State, broker: Broker) -> None:
    """The segment goes when its first record is old, though a later one may be young: timestamps
    need not be in order.
    """
    me = s.replica[broker]
    oldest = oldest_segment(me)
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        has_expired=s.timestamps[oldest] + Bound("retention_time") < s.now,
    )
    youngest = youngest_timestamp(s, oldest, end_of_oldest_segment(me))
    s.youngest_expired = some(greatest_of(youngest, s.youngest_expired.value))
    delete_oldest_segment(me)


@machine.mutant("replica_deletes_expired_segment")
def deletion_leaves_the_log_start_offset(s: State, broker: Broker) -> None:
    """The file goes, and the log start offset stays: a fetch below the file is not out of range,
    and is answered with what comes next.
    """
    me = s.replica[broker]
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        has_expired=oldest_segment_has_expired(s, me),
    )
    following = end_of_oldest_segment(me)
    me.segments = (me.segments - set_of(oldest_segment(me))) | set_of(following)


@machine.mutant("replica_deletes_expired_segment")
def deletion_makes_no_new_segment(s: State, broker: Broker) -> None:
    """The active segment goes, and no other takes its place."""
    me = s.replica[broker]
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        has_expired=oldest_segment_has_expired(s, me),
    )
    me.log_start_offset = greatest_of(me.log_start_offset, end_of_oldest_segment(me))
    me.segments -= set_of(oldest_segment(me))


@machine.mutant("replica_deletes_segment_of_a_log_too_large")
def size_retention_looks_at_the_log_before(s: State, broker: Broker) -> None:
    """The oldest segment goes when the log is larger than retention.bytes, though what remains is
    smaller.
    """
    me = s.replica[broker]
    size = me.log_end_offset - oldest_segment(me)
    needs(
        is_committed_and_not_empty=is_committed_and_not_empty(me),
        log_is_too_large=size > Bound("retention_size"),
    )
    delete_for_size(s, me)


# What must hold.


@machine.always("RETN-03", broken_by="leader_deletes_records.is_committed")
def log_start_never_passes_the_high_watermark(s: State) -> Bool:
    """No replica starts after what it knows to be committed."""
    return every(Broker, lambda b: s.replica[b].log_start_offset <= s.replica[b].high_watermark)


@machine.always("RETN-10", "STOR-12", broken_by="deletion_leaves_the_log_start_offset")
def every_offset_from_the_log_start_on_is_on_disk(s: State) -> Bool:
    """The first segment of a replica begins at its log start offset or before it."""
    return every(Broker, lambda b: oldest_segment(s.replica[b]) <= s.replica[b].log_start_offset)


@machine.always("RETN-01", broken_by="first_record_decides_the_age")
def nothing_younger_than_the_retention_expires(s: State) -> Bool:
    """Every record that was removed for its age is older than retention.ms."""
    return implies(
        s.youngest_expired.is_some,
        s.youngest_expired.value + Bound("retention_time") < s.now,
    )


@machine.always("RETN-02", broken_by="size_retention_looks_at_the_log_before")
def size_retention_leaves_at_least_the_limit(s: State) -> Bool:
    """Whenever a segment was removed for the size of the log, retention.bytes remained."""
    return ~s.too_little_remained


@machine.always(
    "RETN-07", "REPL-14", broken_by="leader_answers_delete_records.every_replica_starts_there"
)
def deleted_records_stay_deleted(s: State) -> Bool:
    """No replica, and so no later leader, starts before what DeleteRecords has answered."""
    return every(Broker, lambda b: s.low_watermark_answered <= s.replica[b].log_start_offset)


@machine.always("STOR-12", "STOR-03", broken_by="consumer_reads.is_not_below_log_start")
def consumers_skip_no_record_unaware(s: State) -> Bool:
    """A consumer that goes past a record has read it, or was told that it is out of range."""
    return ~s.a_record_was_skipped


@machine.always("RETN-01", broken_by="deletion_makes_no_new_segment")
def every_replica_has_an_active_segment(s: State) -> Bool:
    """There is a segment to append to, also when all records are gone."""
    return every(Broker, lambda b: exists(Offset, s.replica[b].segments.has))


@machine.always("RETN-11", broken_by="leader_appends.is_not_too_far_in_the_future")
def timestamps_are_not_far_in_the_future(s: State) -> Bool:
    """No record keeps its segment much longer than it would have kept it if it were new."""
    return every(
        Offset,
        lambda o: implies(
            o < s.timestamps.length, s.timestamps[o] <= s.now + Bound("timestamp_after_max")
        ),
    )


@machine.always("REPL-01", broken_by="leader_advances_high_watermark.every_replica_has_the_record")
def every_replica_has_what_one_knows_to_be_committed(s: State) -> Bool:
    """No log ends before the high watermark of any replica."""
    return every(
        Broker,
        lambda a: every(
            Broker, lambda b: s.replica[a].high_watermark <= s.replica[b].log_end_offset
        ),
    )


@machine.eventually(
    "RETN-01",
    fair=["replica_deletes_expired_segment(broker)"],
    broken_by="fair replica_deletes_expired_segment(broker)",
)
def what_has_expired_goes(s: State) -> LeadsTo:
    """An oldest segment that has expired, and is committed, does not stay the oldest for ever,
    unless a young record comes into it.
    """
    me = s.replica[s.leader]
    expired = is_committed_and_not_empty(me) & oldest_segment_has_expired(s, me)
    return leads_to(expired, ~expired)


@machine.eventually(
    "RETN-07",
    "REPL-14",
    fair=["follower_fetches_record(follower)", "follower_fetches_at_log_end(follower)"],
    broken_by="fair follower_fetches_at_log_end(follower)",
)
def replicas_learn_where_the_log_starts(s: State) -> LeadsTo:
    """What the leader has deleted, a follower does not keep for ever."""
    start = s.replica[s.leader].log_start_offset
    known = every(Broker, lambda b: start <= s.replica[b].log_start_offset)
    return leads_to(~known, known)


# What the proofs need to know besides.


@machine.lemma
def the_leaders_log_is_what_was_written(s: State) -> Bool:
    """The leader has all records, and no replica has more."""
    return every(Broker, lambda b: s.replica[b].log_end_offset <= s.timestamps.length) & (
        s.replica[s.leader].log_end_offset == s.timestamps.length
    )


# One invariant carries all proofs: each of these needs the others, if only to know that the steps
# stay within the scope.
INVARIANT = [
    "log_start_never_passes_the_high_watermark",
    "every_offset_from_the_log_start_on_is_on_disk",
    "every_replica_has_an_active_segment",
    "every_replica_has_what_one_knows_to_be_committed",
    "the_leaders_log_is_what_was_written",
]
for goal in (
    "log_start_never_passes_the_high_watermark",
    "every_offset_from_the_log_start_on_is_on_disk",
    "deleted_records_stay_deleted",
    "nothing_younger_than_the_retention_expires",
    "size_retention_leaves_at_least_the_limit",
    "consumers_skip_no_record_unaware",
):
    machine.proof(goal, by=[name for name in INVARIANT if name != goal])


# Witnesses: what must be able to happen.


@machine.sometimes("RETN-01")
def all_records_have_expired(s: State) -> Bool:
    """Everything was committed and is gone, the active segment included."""
    me = s.replica[s.leader]
    return (me.log_start_offset == Bound("log_size")) & (me.high_watermark == Bound("log_size"))


@machine.sometimes("RETN-01")
def an_old_record_waits_for_a_young_one(s: State) -> Bool:
    """A record older than retention.ms is still there, as a younger one is in its segment."""
    me = s.replica[s.leader]
    oldest, end = oldest_segment(me), end_of_oldest_segment(me)
    return ~oldest_segment_has_expired(s, me) & exists(
        Offset,
        lambda o: (oldest <= o) & (o < end) & (s.timestamps[o] + Bound("retention_time") < s.now),
    )


@machine.sometimes("RETN-04")
def a_new_leader_starts_before_the_former_one(s: State) -> Bool:
    """After an orderly change of leader the log start offset that clients see has gone down: the
    new leader has not yet deleted what the former one had.
    """
    return exists(
        Broker,
        lambda b: (
            (s.leader_epoch > 0)
            & (s.replica[s.leader].log_start_offset < s.replica[b].log_start_offset)
        ),
    )


@machine.sometimes("RETN-07")
def the_log_starts_within_a_segment(s: State) -> Bool:
    """DeleteRecords has deleted the first record of a file that stays."""
    me = s.replica[s.leader]
    return (oldest_segment(me) < me.log_start_offset) & (
        me.log_start_offset < end_of_oldest_segment(me)
    )


machine.scope(
    "default",
    why="two segments, closed by size or by time; young records among old ones; another leader",
    states=280_823,
    brokers=2,
    log_size=3,
    segment_size=2,
    segment_time=1,
    end_of_time=2,
    timestamp_after_max=0,
    retention_time=0,
    retention_size=1,
    max_leader_epoch=1,
)
machine.scope(
    "tiny",
    why="two records, in one segment or, when the second is younger, in two",
    states=3_655,
    brokers=2,
    log_size=2,
    segment_size=2,
    segment_time=0,
    end_of_time=1,
    timestamp_after_max=0,
    retention_time=0,
    retention_size=1,
    max_leader_epoch=1,
)
machine.scope(
    "deep",
    why="settings that are not the least possible, and a record from the future",
    states=1_548_367,
    brokers=2,
    log_size=3,
    segment_size=2,
    segment_time=1,
    end_of_time=3,
    timestamp_after_max=1,
    retention_time=1,
    retention_size=2,
    max_leader_epoch=2,
)


@machine.refines(contract)
def as_clients_see_it(s: State) -> RetainedLog:
    """Clients see the leader: its marks, and the records that it has accepted."""
    leader = s.replica[s.leader]
    return RetainedLog(
        now=s.now,
        leader_epoch=s.leader_epoch,
        timestamps=s.timestamps,
        log_start_offset=leader.log_start_offset,
        visible_end=leader.high_watermark,
        deletion_requested=s.deletion_requested,
        low_watermark_answered=s.low_watermark_answered,
        position=s.position,
    )
