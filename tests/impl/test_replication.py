"""What is committed, and who may fetch what: spec/replication.md, spec/acks.md."""

from __future__ import annotations

from impl.core.data.config import ReplicationConfig
from impl.core.data.messages import (
    LATEST,
    Fetch,
    FetchPartition,
    ListOffsets,
    PartitionTimestamp,
)
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC
from tests.impl.replica_world import PAST_LAG_MS, TOPIC_ID, Replicas, apart

E = ErrorCode


# The high watermark


def test_followers_copy_what_the_leader_writes_and_the_producer_hears_of_it() -> None:
    world = Replicas()
    answer = world.produced(world.produce(b"a"))
    assert answer is not None
    assert (answer.error, answer.base_offset) == (E.NONE, 0)
    assert world.log(1) == world.log(2) == world.log(3) == [(0, b"a")]
    assert world.consume() == [(0, b"a")]


def test_the_high_watermark_waits_for_the_slowest_in_sync_replica() -> None:
    """REPL-01, REPL-04, ACKS-04, ACKS-05."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.advance(2_000)
    slow, fast = world.produce(b"a"), world.produce(b"b", acks=1)
    assert world.produced(slow) is None
    assert world.produced(fast) is not None
    assert world.nodes[1].partition().high_watermark == 0
    assert world.consume() == []
    world.cut.clear()
    world.advance(2_000)
    answer = world.produced(slow)
    assert answer is not None
    assert answer.error is E.NONE
    assert world.consume() == [(0, b"a"), (1, b"b")]


def test_a_write_that_is_not_committed_in_time_may_be_so_later() -> None:
    """ACKS-08."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    call = world.produce(b"a")
    world.advance(10_000)
    answer = world.produced(call)
    assert answer is not None
    assert answer.error is E.REQUEST_TIMED_OUT
    world.cut.clear()
    world.advance(2_000)
    assert world.consume() == [(0, b"a")]


def test_followers_learn_the_high_watermark_and_keep_it_over_a_restart() -> None:
    world = Replicas()
    world.produce(b"a")
    world.advance(6_000)
    assert [node.partition().high_watermark for node in world.nodes.values()] == [1, 1, 1]
    world.kill(2)
    world.restart(2)
    assert world.nodes[2].partition().high_watermark == 1


def test_what_was_noted_as_committed_is_no_more_than_what_is_there() -> None:
    world = Replicas()
    world.produce(b"a")
    world.advance(6_000)
    world.kill(2)
    world.storages[2].crash()
    world.restart(2)
    node = world.nodes[2].partition()
    assert node.high_watermark == node.log.log_end_offset == 0


# The minimum


def test_below_the_minimum_the_high_watermark_stands_still() -> None:
    """REPL-02, REPL-03, ACKS-04, ACKS-06."""
    world = Replicas(nodes=2, min_insync_replicas=5)
    world.cut.add(apart(1, 2))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1,)
    refused = world.produced(world.produce(b"b"))
    assert refused is not None
    assert refused.error is E.NOT_ENOUGH_REPLICAS
    accepted = world.produced(world.produce(b"c", acks=1))
    assert accepted is not None
    assert accepted.error is E.NONE
    assert world.consume() == []
    world.cut.clear()
    world.advance(2_000)
    assert world.isr() == (1, 2)
    assert world.consume() == [(0, b"a"), (1, b"c")]


def test_losing_the_minimum_after_the_append_is_no_success() -> None:
    """ACKS-07: in one step the high watermark passes the records and the set gets too small."""
    world = Replicas(nodes=2, min_insync_replicas=2)
    world.cut.add(apart(1, 2))
    world.advance(2_000)
    call = world.produce(b"a")
    node = world.nodes[1]
    asked = FetchPartition(TOPIC_ID, 0, 1, 1 << 20, 0, 0)
    fetch = Fetch(0, 1, 1 << 20, (asked,), replica_id=2, replica_epoch=world.broker_epochs[2])
    node.call(fetch, world.now_ms)
    world.controller.change(isr=(1,))
    world.run()
    answer = world.produced(call)
    assert answer is not None
    assert answer.error is E.NOT_ENOUGH_REPLICAS_AFTER_APPEND


def test_a_write_ends_when_the_leadership_does() -> None:
    """ACKS-05, ELEC-14: with whom to ask instead."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    call = world.produce(b"a")
    world.elect(2)
    world.run()
    answer = world.nodes[1].replies[call]
    assert answer.partitions[0].error is E.NOT_LEADER_OR_FOLLOWER
    assert answer.partitions[0].current_leader == (2, 1)
    assert [(e.node_id, e.host) for e in answer.endpoints] == [(2, "broker-2")]


# Offsets


def test_a_new_leader_does_not_give_away_an_old_end() -> None:
    """ELEC-11; replicas may know it."""
    world = Replicas(nodes=3)
    for value in (b"a", b"b"):
        world.produce(value)
    world.cut = {apart(2, 1), apart(2, 3)}
    world.elect(2)
    world.nodes[2].partition().high_watermark = 1
    world.run()
    asked = (PartitionTimestamp(TOPIC, 0, LATEST),)
    by_time = (PartitionTimestamp(TOPIC, 0, world.now_ms + 1),)
    for version, error in ((10, E.OFFSET_NOT_AVAILABLE), (4, E.LEADER_NOT_AVAILABLE)):
        answer = world.ask(ListOffsets(asked, version=version), 2).partitions[0]
        assert answer.error is error
        answer = world.ask(ListOffsets(by_time, version=version), 2).partitions[0]
        assert answer.error is error
    answer = world.ask(ListOffsets(asked, replica_id=3), 2).partitions[0]
    assert (answer.error, answer.offset) == (E.NONE, 2)
    world.cut.clear()
    world.advance(2_000)
    assert world.ask(ListOffsets(asked), 2).partitions[0].offset == 2


def test_the_lag_time_is_an_option() -> None:
    world = Replicas(nodes=2, config=ReplicationConfig(replica_lag_time_max_ms=4_000))
    world.cut.add(apart(1, 2))
    world.produce(b"a", acks=1)
    world.advance(7_000)
    assert world.isr() == (1,)
