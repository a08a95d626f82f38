"""The vocabulary of retention: the replicas of one partition, their segments, and the clock.

Decides what a segment is: one of the base offsets of a replica, as its file is known by name; it
reaches to the next base offset, or to the log end. A record is a timestamp, and its size is 1.
"""

from model.contracts.retention import LeaderEpoch, Offset, Time, Timestamps
from model.lang import (
    Bool,
    Bound,
    Map,
    Option,
    Record,
    Set,
    Sort,
    every,
    exists,
    greatest_of,
    if_else,
    implies,
    largest,
    least_of,
    set_of,
    smallest,
)


class Broker(Sort):
    """A broker that holds a replica of the partition."""

    size = Bound("brokers")


class Replica(Record):
    """What one broker has of the partition: the base offsets of its segments, and three marks."""

    segments: Set[Offset]
    log_start_offset: Offset
    high_watermark: Offset
    log_end_offset: Offset


class State(Record):
    """The partition, a consumer at its position, and what DeleteRecords has asked for and been
    answered at most.

    The last three fields are nobody's knowledge and serve the claims: the largest timestamp of the
    records that any replica removed for their age, whether one for its size left less than
    retention.bytes, and whether the consumer went past a record unaware.
    """

    now: Time
    leader: Broker
    leader_epoch: LeaderEpoch
    timestamps: Timestamps
    replica: Map[Broker, Replica]
    deletion_requested: Offset
    low_watermark_answered: Offset
    position: Offset
    youngest_expired: Option[Time]
    too_little_remained: Bool
    a_record_was_skipped: Bool


# What actions and properties ask of a state.


def oldest_segment(replica: Replica) -> Offset:
    """The base offset of the first segment."""
    return smallest(Offset, replica.segments.has, otherwise=replica.log_end_offset)


def active_segment(replica: Replica) -> Offset:
    """The base offset of the last segment, the one that is appended to."""
    return largest(
        Offset,
        lambda o: (o < replica.log_end_offset + 1) & replica.segments.has(o),
        otherwise=replica.log_end_offset,
    )


def end_of_oldest_segment(replica: Replica) -> Offset:
    """The base offset of the second segment, or the log end where there is none."""
    oldest = oldest_segment(replica)
    return smallest(
        Offset,
        lambda o: replica.segments.has(o) & (o > oldest),
        otherwise=replica.log_end_offset,
    )


def is_committed_and_not_empty(replica: Replica) -> Bool:
    """The first segment has records, and the replica knows all of them to be committed: what every
    deletion asks first.
    """
    end = end_of_oldest_segment(replica)
    return (oldest_segment(replica) < end) & (end <= replica.high_watermark)


def oldest_segment_has_expired(s: State, replica: Replica) -> Bool:
    """Every record of the first segment, and so the one with its largest timestamp, is older than
    retention.ms.
    """
    oldest, end = oldest_segment(replica), end_of_oldest_segment(replica)
    return every(
        Offset,
        lambda o: implies(
            (oldest <= o) & (o < end), s.timestamps[o] + Bound("retention_time") < s.now
        ),
    )


def youngest_timestamp(s: State, start: Offset, end: Offset) -> Time:
    """The largest timestamp of the records from one offset to before another; none of them is
    further in the future than was allowed.
    """
    in_the_future = Bound("timestamp_after_max") + 1
    return largest(
        Time,
        lambda t: (
            (t < s.now + in_the_future)
            & exists(Offset, lambda o: (start <= o) & (o < end) & (s.timestamps[o] == t))
        ),
        otherwise=Time(0),
    )


def low_watermark(s: State) -> Offset:
    """The smallest log start offset of all replicas."""
    return smallest(
        Offset,
        lambda o: exists(Broker, lambda b: s.replica[b].log_start_offset == o),
        otherwise=Offset(0),
    )


# Updates that several steps share.


def append(s: State, replica: Replica, timestamp: Time) -> None:
    """The next record goes to the active segment, or to a new one, if that one is full or older
    than segment.ms: from the timestamp of its first record to that of the next.
    """
    active, end = active_segment(replica), replica.log_end_offset
    is_full = active + Bound("segment_size") <= end
    is_old = (active < end) & (s.timestamps[active] + Bound("segment_time") < timestamp)
    replica.segments = if_else(is_full | is_old, replica.segments | set_of(end), replica.segments)
    replica.log_end_offset += 1


def delete_for_size(s: State, replica: Replica) -> None:
    """The first segment goes, and it is noted if less than retention.bytes remains."""
    delete_oldest_segment(replica)
    remaining = replica.log_end_offset - oldest_segment(replica)
    s.too_little_remained |= remaining < Bound("retention_size")


def learn_from(follower: Replica, leader: Replica) -> None:
    """A follower takes over the leader's high watermark, which does not fall below its own log
    start offset, and then the leader's log start offset.
    """
    reached = least_of(leader.high_watermark, follower.log_end_offset)
    follower.high_watermark = greatest_of(follower.log_start_offset, reached)
    follower.log_start_offset = greatest_of(follower.log_start_offset, leader.log_start_offset)


def delete_oldest_segment(replica: Replica) -> None:
    """The first segment goes, and the log starts no earlier than the next one; where there is no
    next one, it is made.
    """
    following = end_of_oldest_segment(replica)
    replica.log_start_offset = greatest_of(replica.log_start_offset, following)
    replica.segments = (replica.segments - set_of(oldest_segment(replica))) | set_of(following)
