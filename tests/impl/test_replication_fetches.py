"""What followers fetch, and what a leader has deleted: REPL-11, REPL-14, REPL-15."""

from __future__ import annotations

from typing import Any

import pytest

from impl.core.cluster.topics import TopicPartition
from impl.core.data import reading
from impl.core.data.messages import (
    DeleteRecords,
    DeleteRecordsBefore,
    Fetch,
    FetchedPartition,
    FetchPartition,
    Produce,
    RecordsForPartition,
)
from impl.core.data.partition import Partition
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC, batch
from tests.impl.replica_world import AT, PAST_LAG_MS, Replicas, apart, follower_fetch

E = ErrorCode


# Fetches of followers


def test_only_replicas_fetch_like_replicas() -> None:
    world = Replicas(nodes=2)
    assert follower_fetch(9, 0, world).error is E.UNKNOWN_LEADER_EPOCH
    answer = follower_fetch(9, 0, world, current_leader_epoch=-1)
    assert answer.error is E.NOT_LEADER_OR_FOLLOWER
    assert answer.current_leader == (1, 0)
    assert follower_fetch(2, 0, world, current_leader_epoch=1).error is E.UNKNOWN_LEADER_EPOCH
    world.elect(1)
    world.learn()
    answer = follower_fetch(2, 0, world)
    assert answer.error is E.FENCED_LEADER_EPOCH
    assert answer.current_leader == (1, 1)


def test_a_follower_in_the_wrong_branch_does_not_count() -> None:
    """REPL-11."""
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.elect(1)
    world.run()
    world.cut.add(apart(1, 2))
    world.advance(2_000)
    for value in (b"b", b"c"):
        world.produce(value, acks=1)
    answer = follower_fetch(2, 3, world, current_leader_epoch=1, last_fetched_epoch=0)
    assert answer.diverging_epoch == (0, 1)
    assert world.nodes[1].partition().high_watermark == 1
    follower_fetch(2, 3, world, current_leader_epoch=1, last_fetched_epoch=1)
    assert world.nodes[1].partition().high_watermark == 3


def test_any_replica_serves_a_consumer_that_knows_of_it() -> None:
    """ELEC-14, REPL-04."""
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.advance(1_000)
    assert world.consume(2) == [(0, b"a")]
    asked = FetchPartition(TOPIC, 0, 0, 1 << 20)
    old = world.ask(Fetch(0, 1, 1 << 20, (asked,)), 2).partitions[0]
    assert old.error is E.NOT_LEADER_OR_FOLLOWER
    world.nodes[2].partition().high_watermark = 0
    assert world.consume(2) == []


def test_a_consumer_waits_at_the_high_watermark_and_not_at_the_log_end() -> None:
    world = Replicas(nodes=2)
    world.cut.add(apart(1, 2))
    asked = FetchPartition(TOPIC, 0, 0, 1 << 20)
    call = world.nodes[1].call(Fetch(5_000, 1, 1 << 20, (asked,)), world.now_ms)
    world.produce(b"a", acks=1)
    assert call not in world.nodes[1].replies
    world.cut.clear()
    world.advance(2_000)
    assert world.nodes[1].replies[call].partitions[0].high_watermark == 1


def test_a_batch_that_was_damaged_on_the_way_is_fetched_again() -> None:
    world = Replicas(nodes=2)
    world.cut.add(apart(1, 2))
    world.produce(b"a", acks=1)
    world.produce(b"b", acks=1)
    world.cut.clear()
    damaged = 0
    while world.log(2) != [(0, b"a"), (1, b"b")]:
        world.now_ms += 500
        world.tick()
        world.collect()
        while world.messages:
            message = world.messages[0]
            if message.is_answer and message.answer.partitions:
                fetched = message.answer.partitions[0]
                if fetched.records and not damaged:
                    damaged = 1
                    records = bytearray(fetched.records)
                    records[-1] ^= 1
                    object.__setattr__(fetched, "records", bytes(records))
            world.carry(message)
            world.collect()
            if damaged == 1:
                damaged = 2
                assert world.log(2) == [(0, b"a")]
    assert damaged == 2


def test_idle_partitions_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not named in a session, and not read when one asks or when others move."""
    world = Replicas(nodes=2, partitions=100)
    world.advance(2_000)
    reads: list[TopicPartition] = []
    read = reading.read

    def counted(partition: Partition, *args: Any, **kwargs: Any) -> FetchedPartition:
        reads.append(partition.at)
        return read(partition, *args, **kwargs)

    monkeypatch.setattr(reading, "read", counted)
    world.carried.clear()
    world.produce(b"a", index=42)
    world.advance(2_000)
    assert world.log(2, 42) == [(0, b"a")]
    asked = [m.send.request for m in world.carried if not m.is_answer]
    assert len(asked) > 3
    assert sum(len(request.partitions) for request in asked) == 1
    assert {at.partition for at in reads} == {42}
    assert len(reads) < 8


def test_a_leader_that_is_not_there_is_asked_again_after_a_while() -> None:
    world = Replicas(nodes=2)
    world.cut.add(apart(1, 2))
    world.produce(b"a", acks=1)
    world.carried.clear()
    world.advance(10_000)
    fetches = [m for m in world.carried if isinstance(m.send.request, Fetch)]
    assert 8 <= len(fetches) <= 12


# What a leader has deleted


def test_delete_records_waits_for_the_replicas() -> None:
    """REPL-14."""
    world = Replicas()
    for value in (b"a", b"b"):
        world.produce(value)
    world.cut.add(apart(1, 3))
    world.advance(2_000)
    asked = DeleteRecordsBefore(TOPIC, 0, 1)
    call = world.nodes[1].call(DeleteRecords((asked,), 5_000), world.now_ms)
    world.advance(2_000)
    assert world.nodes[2].partition().log.log_start_offset == 1
    assert call not in world.nodes[1].replies
    world.cut.clear()
    world.advance(2_000)
    answer = world.nodes[1].replies[call].partitions[0]
    assert (answer.error, answer.low_watermark) == (E.NONE, 1)
    assert world.log(3) == [(1, b"b")]


def test_delete_records_does_not_wait_for_ever_and_not_for_the_dead() -> None:
    """REPL-14."""
    world = Replicas()
    for value in (b"a", b"b"):
        world.produce(value)
    world.advance(1_000)
    world.cut.add(apart(1, 3))
    world.advance(2_000)
    asked = DeleteRecordsBefore(TOPIC, 0, 1)
    call = world.nodes[1].call(DeleteRecords((asked,), 5_000), world.now_ms)
    world.advance(5_000)
    answer = world.nodes[1].replies[call].partitions[0]
    assert (answer.error, answer.low_watermark) == (E.REQUEST_TIMED_OUT, 0)
    assert world.nodes[1].partition().log.log_start_offset == 1
    world.fence(3)
    world.run()
    answer = world.ask(DeleteRecords((asked,), 5_000)).partitions[0]
    assert (answer.error, answer.low_watermark) == (E.NONE, 1)


def test_a_follower_begins_anew_where_the_leader_deleted_what_comes_next() -> None:
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.cut.add(apart(1, 2))
    for value in (b"b", b"c", b"d"):
        world.produce(value, acks=1)
    world.advance(PAST_LAG_MS)
    asked = DeleteRecordsBefore(TOPIC, 0, 3)
    world.nodes[1].call(DeleteRecords((asked,), 0), world.now_ms)
    world.cut.clear()
    world.advance(3_000)
    log = world.nodes[2].partition().log
    assert (log.log_start_offset, world.log(2)) == (3, [(3, b"d")])
    assert world.isr() == (1, 2)
    world.kill(2)
    world.restart(2)
    assert world.nodes[2].partition().log.log_start_offset == 3


def test_a_follower_may_begin_within_a_batch() -> None:
    """The leader deleted the first records of it; the log begins with the batch as a whole."""
    world = Replicas(nodes=2)
    world.cut.add(apart(1, 2))
    asked = RecordsForPartition(TOPIC, 0, batch(b"a", b"b", b"c"))
    world.nodes[1].call(Produce(1, 1_000, (asked,)), world.now_ms)
    world.advance(PAST_LAG_MS)
    world.nodes[1].call(DeleteRecords((DeleteRecordsBefore(TOPIC, 0, 2),), 0), world.now_ms)
    world.cut.clear()
    world.advance(3_000)
    log = world.nodes[2].partition().log
    assert (log.log_start_offset, log.log_end_offset) == (2, 3)
    assert [header.base_offset for header, _ in log.batches()] == [0]
    assert world.consume(2, offset=2) == world.consume(1, offset=2)
    assert world.isr() == (1, 2)
    world.kill(2)
    world.cut.add(apart(1, 2))
    world.restart(2)
    log = world.nodes[2].partition().log
    assert (log.log_start_offset, log.log_end_offset) == (2, 3)


def test_a_replica_that_is_none_any_more_gives_its_data_back() -> None:
    """REPL-15."""
    world = Replicas()
    world.produce(b"a")
    world.controller.change(replicas=(1, 2), isr=(1, 2))
    world.run()
    assert AT.folder not in world.storages[3].folders()
    assert AT not in [p.at for p in world.nodes[3].partitions]
    asked = FetchPartition(TOPIC, 0, 0, 1 << 20)
    answer = world.ask(Fetch(0, 1, 1 << 20, (asked,)), 3).partitions[0]
    assert answer.error is E.NOT_LEADER_OR_FOLLOWER
    assert answer.current_leader == (1, 0)
    world.controller.change(replicas=(1, 2, 3))
    world.advance(2_000)
    assert world.isr() == (1, 2, 3)
    assert world.log(3) == [(0, b"a")]


def test_a_data_folder_of_a_former_replica_goes_at_the_start() -> None:
    world = Replicas()
    world.produce(b"a")
    world.kill(3)
    world.controller.change(replicas=(1, 2), isr=(1, 2))
    world.restart(3)
    world.nodes[3].partitions.load(world.now_ms)
    assert AT.folder not in world.storages[3].folders()
