"""Topics over several brokers: where replicas go, and who may hold one. TOPC-04, 05, 07."""

from __future__ import annotations

from collections import Counter

import pytest

from impl.core.cluster.messages import CreatePartitions, CreateTopics, MorePartitions, NewTopic
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import TOPIC, ControllerWorld

E = ErrorCode


@pytest.fixture
def world() -> ControllerWorld:
    return ControllerWorld(brokers=3)


def rows(world: ControllerWorld) -> list[tuple[int, ...]]:
    return [each.replicas for each in world.catalogue.topics[TOPIC].partitions.values()]


def grow(world: ControllerWorld, count: int, *assignments: tuple[int, ...]) -> ErrorCode:
    asked = MorePartitions(TOPIC, count, assignments or None)
    error: ErrorCode = world.ask(CreatePartitions((asked,))).topics[0].error
    return error


def test_leaders_and_replicas_are_spread_evenly(world: ControllerWorld) -> None:
    assert world.spread(6, 2).error is E.NONE
    placed = rows(world)
    assert Counter(leader for leader, *_ in placed) == {1: 2, 2: 2, 3: 2}
    assert Counter(replica for row in placed for replica in row) == {1: 4, 2: 4, 3: 4}
    for each in world.catalogue.topics[TOPIC].partitions.values():
        assert (each.leader, each.isr) == (each.replicas[0], each.replicas)


def test_each_partition_has_a_replica_in_every_rack() -> None:
    world = ControllerWorld()
    racks = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c", 6: "c"}
    for broker_id, rack in racks.items():
        world.join(broker_id, rack)
    world.spread(12, 3)
    for row in rows(world):
        assert {racks[replica] for replica in row} == {"a", "b", "c"}
    led = Counter(row[0] for row in rows(world))
    assert led.keys() == racks.keys()
    assert Counter(racks[row[0]] for row in rows(world)) == {"a": 4, "b": 4, "c": 4}


def test_racks_without_enough_brokers_give_all_they_have() -> None:
    world = ControllerWorld()
    for broker_id, rack in {1: "a", 2: "b", 3: "b"}.items():
        world.join(broker_id, rack)
    world.spread(2, 3)
    assert [sorted(row) for row in rows(world)] == [[1, 2, 3], [1, 2, 3]]


def test_one_broker_holds_everything() -> None:
    world = ControllerWorld(brokers=1)
    world.spread(5, 1)
    assert rows(world) == [(1,)] * 5


def test_a_fenced_broker_is_taken_last_and_does_not_lead(world: ControllerWorld) -> None:
    world.fall_silent(2)
    world.spread(4, 2)
    assert all(set(row) == {1, 3} for row in rows(world))
    assert grow(world, 5, (2, 1)) is E.NONE
    held = world.partition(4)
    assert (held.replicas, held.isr, held.leader) == ((2, 1), (1,), 1)


def test_a_fenced_broker_is_taken_where_it_is_needed(world: ControllerWorld) -> None:
    world.fall_silent(2)
    assert world.spread(3, 3).error is E.NONE
    for index, row in enumerate(rows(world)):
        assert row[2] == 2
        assert world.partition(index).isr == row[:2]


def test_a_broker_that_is_about_to_stop_gets_nothing(world: ControllerWorld) -> None:
    world.create(3, 1, name="led")
    world.beat(3, wants_shut_down=True)
    assert world.spread(2, 3).error is E.INVALID_REPLICATION_FACTOR
    world.spread(4, 2)
    assert all(set(row) == {1, 2} for row in rows(world))


def test_more_replicas_than_brokers_are_refused(world: ControllerWorld) -> None:
    assert world.spread(1, 4).error is E.INVALID_REPLICATION_FACTOR
    assert world.catalogue.topics == {}


def test_without_a_broker_alive_there_is_no_topic() -> None:
    world = ControllerWorld()
    assert world.spread(1, 1).error is E.INVALID_REPLICATION_FACTOR
    world.register(1)
    assert world.spread(1, 1).error is E.INVALID_REPLICATION_FACTOR
    assert world.create(1).error is E.INVALID_REPLICA_ASSIGNMENT


def test_the_counts_that_nobody_gives_are_the_options() -> None:
    world = ControllerWorld(brokers=3, num_partitions="4", default_replication_factor="2")
    created = world.spread(-1, -1)
    assert (created.num_partitions, created.replication_factor) == (4, 2)
    assert [len(row) for row in rows(world)] == [2] * 4


@pytest.mark.parametrize(
    "assignment",
    [
        ((0, (1, 4)),),
        ((0, (1, 1)),),
        ((0, (1,)), (1, (1, 2))),
        ((0, ()),),
        ((0, (1,)), (2, (1,))),
    ],
)
def test_a_bad_assignment_is_refused(world: ControllerWorld, assignment: object) -> None:
    asked = NewTopic(TOPIC, assignment=assignment)  # type: ignore[arg-type]
    answer = world.ask(CreateTopics((asked,)))
    assert answer.topics[0].error is E.INVALID_REPLICA_ASSIGNMENT
    assert world.catalogue.topics == {}


def test_new_partitions_have_as_many_replicas_as_the_others(world: ControllerWorld) -> None:
    world.spread(1, 2)
    assert grow(world, 3) is E.NONE
    assert [len(row) for row in rows(world)] == [2, 2, 2]
    assert grow(world, 4, (1,)) is E.INVALID_REPLICA_ASSIGNMENT
    assert grow(world, 4, (1, 9)) is E.INVALID_REPLICA_ASSIGNMENT
    assert grow(world, 3) is E.INVALID_PARTITIONS


def test_the_same_history_gives_the_same_placement() -> None:
    placed = []
    for _ in range(2):
        world = ControllerWorld(brokers=3)
        world.spread(20, 2)
        placed.append(rows(world))
    assert placed[0] == placed[1]


def test_validation_writes_nothing(world: ControllerWorld) -> None:
    log = len(world.log)
    asked = CreateTopics((NewTopic(TOPIC, 2, 2),), validate_only=True)
    assert world.ask(asked).topics[0].error is E.NONE
    assert len(world.log) == log
