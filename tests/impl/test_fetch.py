"""What a reader gets, and when: STOR, ELEC-09 to ELEC-11, WIRE-12, RETN-07 to RETN-09."""

from __future__ import annotations

import pytest

from impl.core.data.messages import (
    EARLIEST,
    EARLIEST_LOCAL,
    LATEST,
    LATEST_TIERED,
    MAXIMUM_TIMESTAMP,
    READ_COMMITTED,
    Fetch,
    FetchPartition,
    ListOffsets,
    OffsetsForLeaderEpochs,
    PartitionEpoch,
    PartitionTimestamp,
)
from impl.core.events import Call
from impl.core.log.leader_epochs import EpochEnd
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import START_MS, TOPIC, World, batch, values

E = ErrorCode


@pytest.fixture
def world() -> World:
    world = World()
    world.create(num_partitions=2)
    return world


def fetch(*partitions: FetchPartition, wait_ms: int = 0, **options: int) -> Fetch:
    limits = {"min_bytes": 1, "max_bytes": 1 << 20, **options}
    return Fetch(max_wait_ms=wait_ms, partitions=partitions, **limits)  # type: ignore[arg-type]


def first(offset: int = 0, max_bytes: int = 1 << 20) -> FetchPartition:
    return FetchPartition(TOPIC, 0, offset, max_bytes)


def second(offset: int = 0) -> FetchPartition:
    return FetchPartition(TOPIC, 1, offset, 1 << 20)


# Where


def test_a_read_returns_the_batch_that_holds_the_offset(world: World) -> None:
    world.produce(batch(b"a", b"b", b"c"))
    world.produce(batch(b"d"))
    assert world.values(1) == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]
    assert world.values(3) == [(3, b"d")]


@pytest.mark.parametrize("offset", [-1, 2, 1 << 40])
def test_a_read_outside_the_log_is_out_of_range(world: World, offset: int) -> None:
    world.produce(batch(b"a"))
    assert world.read(offset).error is E.OFFSET_OUT_OF_RANGE


def test_a_read_at_the_end_is_empty_and_no_error(world: World) -> None:
    world.produce(batch(b"a"))
    answer = world.read(1)
    assert (answer.error, bytes(answer.records), answer.high_watermark) == (E.NONE, b"", 1)


def test_an_unknown_topic_partition_or_id_is_told_apart(world: World) -> None:
    topic_id = world.describe().topic_id
    world.delete()
    assert world.read(topic=TOPIC).error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert world.read(topic=topic_id).error is E.UNKNOWN_TOPIC_ID


def test_a_topic_can_be_read_by_its_id(world: World) -> None:
    world.produce(batch(b"a"))
    assert values(world.read(topic=world.describe().topic_id).records) == [(0, b"a")]


# How much


def test_only_whole_batches_below_the_limits_are_returned(world: World) -> None:
    sizes = [len(batch(b"x" * 100))] * 3
    for _ in sizes:
        world.produce(batch(b"x" * 100))
    assert len(world.read(max_bytes=sum(sizes) - 1).records) == sum(sizes[:2])


def test_the_first_batch_is_returned_though_it_exceeds_the_limits(world: World) -> None:
    sent = batch(b"x" * 1_000)
    world.produce(sent)
    world.produce(sent, partition=1)
    answer = world.ask(fetch(first(max_bytes=1), second(), max_bytes=1))
    assert [len(p.records) for p in answer.partitions] == [len(sent), 0]


def test_partitions_are_filled_in_the_order_of_the_request(world: World) -> None:
    sent = batch(b"x")
    for partition in (0, 1):
        world.produce(sent, partition=partition)
    answer = world.ask(fetch(second(), first(), max_bytes=len(sent)))
    assert [(p.partition, len(p.records)) for p in answer.partitions] == [(1, len(sent)), (0, 0)]


def test_read_committed_lists_no_aborted_transactions(world: World) -> None:
    answer = world.ask(fetch(first(), isolation_level=READ_COMMITTED)).partitions[0]
    assert answer.lists_aborted_transactions
    assert answer.last_stable_offset == answer.high_watermark


# When


def test_a_fetch_waits_for_the_first_byte(world: World) -> None:
    call = world.send(fetch(first(), wait_ms=500))
    assert call not in world.replies
    world.produce(batch(b"a"))
    assert values(world.replies[call].partitions[0].records) == [(0, b"a")]


def test_a_fetch_does_not_wait_when_there_is_enough(world: World) -> None:
    world.produce(batch(b"a"))
    assert world.ask(fetch(first(), wait_ms=500)).partitions[0].records


def test_a_fetch_waits_for_its_minimum_over_all_partitions(world: World) -> None:
    size = len(batch(b"a"))
    call = world.send(fetch(first(), second(), wait_ms=500, min_bytes=2 * size))
    world.produce(batch(b"a"))
    assert call not in world.replies
    world.produce(batch(b"a"), partition=1)
    assert [len(p.records) for p in world.replies[call].partitions] == [size, size]


def test_a_fetch_ends_at_its_maximum_wait_with_what_there_is(world: World) -> None:
    call = world.send(fetch(first(), wait_ms=500, min_bytes=1_000))
    world.produce(batch(b"a"))
    world.advance(499)
    assert call not in world.replies
    world.advance(1)
    assert values(world.replies[call].partitions[0].records) == [(0, b"a")]


def test_an_error_is_not_waited_out(world: World) -> None:
    answer = world.ask(fetch(first(), FetchPartition("nowhere", 0, 0, 1), wait_ms=500))
    assert [p.error for p in answer.partitions] == [E.NONE, E.UNKNOWN_TOPIC_OR_PARTITION]


def test_deleting_the_topic_ends_the_wait(world: World) -> None:
    call = world.send(fetch(first(), wait_ms=500))
    world.delete()
    assert world.replies[call].partitions[0].error is E.UNKNOWN_TOPIC_OR_PARTITION


def test_who_disconnects_is_not_waited_for(world: World) -> None:
    call = world.send(fetch(first(), wait_ms=500), connection_id=7)
    world.broker.disconnected(7)
    world.produce(batch(b"a"))
    world.advance(1_000)
    assert call not in world.replies


def test_two_readers_wait_for_one_partition_and_both_are_woken(world: World) -> None:
    calls = [world.send(fetch(first(), wait_ms=500), connection_id=i) for i in (1, 2)]
    world.produce(batch(b"a"))
    assert [call for call in calls if call in world.replies] == calls
    assert isinstance(calls[0], Call)


# Leader epochs


def test_the_leader_epoch_of_a_request_is_compared(world: World) -> None:
    world.restart()
    epoch = world.leader_epoch()
    assert epoch > 0
    assert world.read(current_leader_epoch=epoch).error is E.NONE
    assert world.read(current_leader_epoch=epoch - 1).error is E.FENCED_LEADER_EPOCH
    assert world.read(current_leader_epoch=epoch + 1).error is E.UNKNOWN_LEADER_EPOCH
    assert world.offset_at(LATEST, epoch - 1).error is E.FENCED_LEADER_EPOCH


def end_of(world: World, leader_epoch: int) -> EpochEnd:
    asked = OffsetsForLeaderEpochs((PartitionEpoch(TOPIC, 0, leader_epoch),))
    end: EpochEnd = world.ask(asked).partitions[0].end
    return end


def test_the_end_of_each_leader_epoch_is_known(world: World) -> None:
    world.produce(batch(b"a", b"b"))
    old = world.leader_epoch()
    world.restart()
    world.produce(batch(b"c"))
    new = world.leader_epoch()
    assert end_of(world, old) == (old, 2)
    assert end_of(world, new) == (new, 3)
    assert end_of(world, new + 1) == (-1, -1)


def test_an_epoch_without_records_has_an_end(world: World) -> None:
    """ELEC-07. It ends where the next begins, which takes its place in the history."""
    world.produce(batch(b"a"))
    first = world.leader_epoch()
    world.restart()
    second = world.leader_epoch()
    assert end_of(world, second) == (second, 1)
    world.restart(cleanly=False)
    assert end_of(world, second) == (first, 1)


def test_a_reader_of_another_history_is_told_where_it_diverges(world: World) -> None:
    world.produce(batch(b"a"))
    old = world.leader_epoch()
    world.restart()
    world.produce(batch(b"b"))
    answer = world.read(2, last_fetched_epoch=old)
    assert answer.diverging_epoch == (old, 1)
    assert not answer.records
    assert world.read(1, last_fetched_epoch=old).diverging_epoch is None


# Offsets by time


def test_offsets_are_found_by_time(world: World) -> None:
    for time in (10, 20, 20, 30):
        world.produce(batch(b"x", timestamp=time))
    found = {t: world.offset_at(t) for t in (0, 10, 11, 20, 30, 31)}
    assert {t: (f.timestamp, f.offset) for t, f in found.items()} == {
        0: (10, 0),
        10: (10, 0),
        11: (20, 1),
        20: (20, 1),
        30: (30, 3),
        31: (-1, -1),
    }


def test_special_times_have_their_offsets(world: World) -> None:
    for time in (10, 30, 30, 20):
        world.produce(batch(b"x", timestamp=time))
    world.delete_records(1)
    offsets = {t: world.offset_at(t) for t in range(LATEST_TIERED, 0)}
    assert {t: (o.timestamp, o.offset) for t, o in offsets.items()} == {
        LATEST: (-1, 4),
        EARLIEST: (-1, 1),
        MAXIMUM_TIMESTAMP: (30, 1),
        EARLIEST_LOCAL: (-1, 1),
        LATEST_TIERED: (-1, -1),
    }


def test_an_empty_partition_has_no_youngest_record(world: World) -> None:
    assert world.offset_at(MAXIMUM_TIMESTAMP).offset == -1
    assert world.offset_at(LATEST).offset == world.offset_at(EARLIEST).offset == 0


def test_a_special_time_is_refused_before_its_version(world: World) -> None:
    asked = (PartitionTimestamp(TOPIC, 0, MAXIMUM_TIMESTAMP),)
    answer = world.ask(ListOffsets(asked, version=6))
    assert answer.partitions[0].error is E.UNSUPPORTED_VERSION


def test_asking_twice_for_one_partition_is_refused(world: World) -> None:
    asked = PartitionTimestamp(TOPIC, 0, LATEST)
    answer = world.ask(ListOffsets((asked, asked)))
    assert [p.error for p in answer.partitions] == [E.INVALID_REQUEST] * 2


def test_offsets_are_found_across_many_segments() -> None:
    world = World()
    world.create(segment_bytes="400", index_interval_bytes="0")
    for i in range(50):
        world.produce(batch(b"x" * 100, timestamp=START_MS - 50 + i))
    for i in range(50):
        assert world.offset_at(START_MS - 50 + i).offset == i
        assert world.values(i)[0][0] == i
    assert world.offset_at(MAXIMUM_TIMESTAMP).offset == 49


# DeleteRecords


def test_deleted_records_are_gone_and_stay_gone(world: World) -> None:
    for value in (b"a", b"b", b"c"):
        world.produce(batch(value))
    assert world.delete_records(2).low_watermark == 2
    assert world.read(1).error is E.OFFSET_OUT_OF_RANGE
    world.lose_power()
    assert world.offset_at(EARLIEST).offset == 2
    assert world.delete_records(1).low_watermark == 2


def test_half_a_batch_can_be_deleted(world: World) -> None:
    world.produce(batch(b"a", b"b", b"c"))
    assert world.delete_records(1).low_watermark == 1
    assert world.read(0).error is E.OFFSET_OUT_OF_RANGE
    assert world.values(1)[0] == (0, b"a")
    assert world.offset_at(0).offset == 1


def test_the_history_of_epochs_begins_at_the_log_start(world: World) -> None:
    world.produce(batch(b"a"))
    world.restart()
    world.produce(batch(b"b"))
    epoch = world.leader_epoch()
    world.delete_records(2)
    content = world.storage.read(f"{TOPIC}-0/leader-epoch-checkpoint", 0, 100)
    assert content == b"0\n1\n%d 2\n" % epoch
    assert world.offset_at(EARLIEST).leader_epoch == epoch


def test_deleting_up_to_minus_one_means_all(world: World) -> None:
    world.produce(batch(b"a", b"b"))
    assert world.delete_records(-1).low_watermark == 2
    assert world.read(2).error is E.NONE


def test_deleting_beyond_the_end_is_refused(world: World) -> None:
    assert world.delete_records(1).error is E.OFFSET_OUT_OF_RANGE


def test_records_of_internal_and_of_compacted_topics_are_not_deleted(world: World) -> None:
    world.create("compacted", cleanup_policy="compact")
    assert world.delete_records(-1, "compacted").error is E.POLICY_VIOLATION
    assert world.delete_records(-1, "__consumer_offsets").error is E.INVALID_TOPIC_EXCEPTION
