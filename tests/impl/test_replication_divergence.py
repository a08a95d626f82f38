"""How logs that parted get equal again: REPL-12, and what a follower does with late answers."""

from __future__ import annotations

from impl.core.data.messages import Fetch, Produce, RecordsForPartition
from impl.core.log.leader_epochs import EpochStart
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC, batch
from tests.impl.replica_world import Replicas, apart


def epochs(world: Replicas, node_id: int) -> list[EpochStart]:
    return world.nodes[node_id].partition().log.epochs.entries


def values(world: Replicas, node_id: int) -> list[bytes | None]:
    return [value for _, value in world.log(node_id)]


def alone(world: Replicas, node_id: int) -> None:
    """Nothing gets to the node or away from it, but what the controller says."""
    world.cut = {apart(node_id, other) for other in (1, 2, 3) if other != node_id}


def test_what_reached_nobody_else_is_cut() -> None:
    world = Replicas()
    world.produce(b"a")
    alone(world, 1)
    for value in (b"lost", b"lost too"):
        world.produce(value, acks=1)
    world.elect(2)
    world.run()
    world.produce(b"b", node_id=2, acks=1)
    world.cut.clear()
    world.advance(3_000)
    assert values(world, 1) == values(world, 2) == values(world, 3) == [b"a", b"b"]
    assert epochs(world, 1) == epochs(world, 2) == epochs(world, 3)


def test_two_quick_elections_leave_no_logs_apart() -> None:
    """REPL-12, KIP-279: the epoch that the leader knew and skipped must not hide a difference."""
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.cut = {apart(1, 2)}
    world.produce(b"only on 1", acks=1)
    world.elect(2)
    world.run()
    for value in (b"only on 2", b"and this"):
        world.produce(value, node_id=2, acks=1)
    world.elect(1)
    world.run()
    world.elect(2)
    world.run()
    assert epochs(world, 1) == [(0, 0), (2, 2)]
    world.produce(b"b", node_id=2, acks=1)
    world.cut.clear()
    world.advance(3_000)
    assert values(world, 1) == values(world, 2) == [b"a", b"only on 2", b"and this", b"b"]
    assert epochs(world, 1) == epochs(world, 2)


def test_an_epoch_that_the_follower_lacks_is_asked_about_once_more() -> None:
    """REPL-12: cut at the end of the largest epoch below, and ask again."""
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.cut = {apart(1, 2)}
    world.produce(b"0 on 1", acks=1)
    world.produce(b"0 on 1 as well", acks=1)
    world.elect(2)
    world.run()
    world.produce(b"1 on 2", node_id=2, acks=1)
    world.elect(1)
    world.run()
    world.produce(b"2 on 1", acks=1)
    world.elect(2)
    world.run()
    assert epochs(world, 1) == [(0, 0), (2, 3)]
    assert epochs(world, 2) == [(0, 0), (1, 1), (3, 2)]
    world.carried.clear()
    world.cut.clear()
    world.advance(3_000)
    assert values(world, 1) == values(world, 2) == [b"a", b"1 on 2"]
    ends = [
        message.answer.partitions[0].diverging_epoch
        for message in world.carried
        if message.is_answer and message.answer.partitions
    ]
    assert [end for end in ends if end is not None] == [(1, 2), (0, 1)]


def test_a_leader_that_wrote_nothing_forgets_its_epoch() -> None:
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.cut = {apart(1, 2)}
    world.elect(1)
    world.run()
    assert epochs(world, 1) == [(0, 0), (1, 1)]
    world.nodes[2].catalogue.brokers.pop(1)
    world.elect(2)
    world.run()
    world.cut.clear()
    world.advance(3_000)
    world.produce(b"b", node_id=2)
    assert epochs(world, 1) == epochs(world, 2) == [(0, 0), (2, 1)]
    assert values(world, 1) == [b"a", b"b"]


def test_after_an_unclean_election_what_the_leader_lacks_is_void() -> None:
    """ELEC-06: even what was committed."""
    world = Replicas()
    alone(world, 3)
    world.advance(1_000)
    for value in (b"a", b"b"):
        world.produce(value, acks=1)
    world.advance(46_000)
    assert world.isr() == (1, 2)
    assert world.nodes[1].partition().high_watermark == 2
    world.elect(3, isr=(3,))
    world.run()
    world.produce(b"c", node_id=3)
    world.cut.clear()
    world.advance(3_000)
    assert values(world, 1) == values(world, 2) == values(world, 3) == [b"c"]
    assert sorted(world.isr()) == [1, 2, 3]


def test_a_follower_whose_history_the_leader_cannot_place_ends_where_the_leader_does() -> None:
    """As Kafka: the leader answers OFFSET_OUT_OF_RANGE, and is asked where its log ends."""
    world = Replicas(nodes=2)
    world.produce(b"a")
    world.cut = {apart(1, 2)}
    world.produce(b"b", acks=1)
    world.nodes[1].partition().log.epochs.entries.append(EpochStart(9, 2))
    world.elect(2)
    world.run()
    world.cut.clear()
    world.advance(3_000)
    errors = [
        message.answer.partitions[0].error
        for message in world.carried
        if message.is_answer
        and isinstance(message.send.request, Fetch)
        and message.answer.partitions
    ]
    assert ErrorCode.OFFSET_OUT_OF_RANGE in errors
    assert values(world, 1) == values(world, 2) == [b"a"]


def test_an_answer_from_another_epoch_is_not_appended() -> None:
    """The log was cut, and the same leader leads again, while the answer was on its way."""
    world = Replicas(nodes=3, partitions=2)
    world.produce(b"a")
    world.advance(100)
    follower = world.nodes[2].partition()
    asked = RecordsForPartition(TOPIC, 0, batch(b"b"))
    world.nodes[1].call(Produce(1, 1_000, (asked,)), world.now_ms)
    world.collect()
    (late,) = (m for m in world.messages if m.is_answer and m.sender == 2)
    assert late.answer.partitions[0].records
    world.messages.remove(late)
    for leader in (3, 1):
        world.controller.change(leader=leader)
        world.learn()
        world.nodes[2].settle(world.now_ms)
    follower.truncate_to(0)
    world.messages.append(late)
    world.carry(late)
    assert follower.log.log_end_offset == 0
    world.advance(3_000)
    assert values(world, 2) == values(world, 1) == [b"a", b"b"]
