"""Replicas move: REPL-15."""

from __future__ import annotations

import pytest

from impl.core.cluster.messages import ListReassignments, OngoingReassignment
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import TOPIC, ControllerWorld

E = ErrorCode


@pytest.fixture
def world() -> ControllerWorld:
    return ControllerWorld(brokers=5)


def ongoing(world: ControllerWorld) -> tuple[OngoingReassignment, ...]:
    found: tuple[OngoingReassignment, ...] = world.ask(ListReassignments(None)).reassignments
    return found


def test_no_replica_goes_before_all_new_ones_are_in_sync(world: ControllerWorld) -> None:
    world.create(1, 2, 3)
    assert world.reassign(2, 4, 5) is E.NONE
    began = world.partition()
    assert began.replicas == (2, 4, 5, 1, 3)
    assert (began.adding_replicas, began.removing_replicas) == ((4, 5), (1, 3))
    assert began.leader == 1
    world.propose(1, 2, 3, 4)
    assert world.partition().replicas == (2, 4, 5, 1, 3)
    assert world.propose(1, 2, 3, 4, 5).error is E.NEW_LEADER_ELECTED
    done = world.partition()
    assert (done.replicas, done.isr, done.leader) == ((2, 4, 5), (2, 4, 5), 2)
    assert (done.adding_replicas, done.removing_replicas) == ((), ())
    assert done.leader_epoch == began.leader_epoch + 1


def test_replicas_that_go_raise_the_leader_epoch(world: ControllerWorld) -> None:
    world.create(1, 2, 3)
    before = world.partition()
    assert world.reassign(1, 2) is E.NONE
    after = world.partition()
    assert (after.replicas, after.leader) == ((1, 2), 1)
    assert after.leader_epoch == before.leader_epoch + 1


def test_another_order_is_there_at_once(world: ControllerWorld) -> None:
    world.create(1, 2, 3)
    assert world.reassign(3, 2, 1) is E.NONE
    assert (world.partition().replicas, world.partition().leader) == ((3, 2, 1), 1)
    assert ongoing(world) == ()


def test_ongoing_reassignments_are_listed(world: ControllerWorld) -> None:
    world.create(1, 2)
    world.create(1, 2, name="quiet")
    world.reassign(2, 3)
    listed = (OngoingReassignment(TOPIC, 0, (2, 3, 1), (3,), (1,)),)
    assert ongoing(world) == listed
    asked = ListReassignments(((TOPIC, (0, 9)), ("quiet", (0,)), ("none", (0,))))
    assert world.ask(asked).reassignments == listed
    assert world.ask(ListReassignments(((TOPIC, (9,)),))).reassignments == ()


def test_a_cancellation_restores_what_was_there(world: ControllerWorld) -> None:
    world.create(1, 2)
    assert world.reassign(cancel=True) is E.NO_REASSIGNMENT_IN_PROGRESS
    world.reassign(3, 4)
    world.propose(1, 2, 3)
    assert world.reassign(cancel=True) is E.NONE
    restored = world.partition()
    assert sorted(restored.replicas) == [1, 2]
    assert (restored.isr, restored.leader) == ((1, 2), 1)
    assert ongoing(world) == ()


def test_a_reassignment_that_replaces_another_remembers_the_first_replicas(
    world: ControllerWorld,
) -> None:
    world.create(1, 2)
    world.reassign(1, 3)
    world.propose(1, 2)
    world.reassign(1, 4)
    assert set(world.partition().replicas) == {1, 2, 3, 4}
    assert world.reassign(cancel=True) is E.NONE
    assert sorted(world.partition().replicas) == [1, 2]


def test_a_reassignment_that_replaces_another_ends_with_its_own_replicas(
    world: ControllerWorld,
) -> None:
    world.create(1, 2)
    world.reassign(1, 3)
    world.reassign(1, 4)
    world.propose(1, 2, 4)
    assert (world.partition().replicas, world.partition().isr) == ((1, 4), (1, 4))


@pytest.mark.parametrize("permitted", [True, False])
def test_a_cancellation_that_would_be_unclean_needs_permission(
    world: ControllerWorld, permitted: bool
) -> None:
    world.create(1, unclean_leader_election_enable=str(permitted).lower())
    world.reassign(2, 3)
    world.propose(1, 2)
    world.fall_silent(1)
    assert world.partition().leader == 2
    if permitted:
        assert world.reassign(cancel=True) is E.NONE
        assert (world.partition().replicas, world.partition().isr) == ((1,), (1,))
    else:
        assert world.reassign(cancel=True) is E.INVALID_REPLICA_ASSIGNMENT
        assert world.partition().leader == 2


@pytest.mark.parametrize("replicas", [(), (1, 1), (1, 9)])
def test_replicas_that_cannot_be_are_refused(
    world: ControllerWorld, replicas: tuple[int, ...]
) -> None:
    world.create(1, 2)
    assert world.reassign(*replicas) is E.INVALID_REPLICA_ASSIGNMENT


def test_another_number_of_replicas_needs_permission(world: ControllerWorld) -> None:
    world.create(1, 2)
    assert world.reassign(1, 2, 3, resize=False) is E.INVALID_REPLICATION_FACTOR
    assert world.reassign(1, 3, resize=False) is E.NONE
    assert world.reassign(1, 4, resize=False) is E.NONE
    assert world.reassign(1, 2, 3) is E.NONE


def test_a_partition_that_is_not_there_is_not_moved(world: ControllerWorld) -> None:
    assert world.reassign(1) is E.UNKNOWN_TOPIC_OR_PARTITION
