"""Who leads, who is in sync, who is eligible: REPL-06 to REPL-10, ELEC-01 to ELEC-13."""

from __future__ import annotations

from typing import Any

import pytest

from impl.core.cluster.broker_messages import AlterPartitions, IsrProposal
from impl.core.cluster.electing import PREFERRED, UNCLEAN, ElectLeaders
from impl.core.cluster.messages import (
    BROKER_RESOURCE,
    SET,
    TOPIC_RESOURCE,
    AlterConfigs,
    ConfigChange,
    Resource,
)
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import TOPIC, ControllerWorld

E = ErrorCode


@pytest.fixture
def world() -> ControllerWorld:
    return ControllerWorld(brokers=3)


def set_option(world: ControllerWorld, name: str, value: str, resource: Resource) -> ErrorCode:
    change = ConfigChange(name, SET, value)
    error: ErrorCode = world.ask(AlterConfigs(((resource, (change,)),))).resources[0].error
    return error


# Proposals


def test_a_leader_may_shrink_and_grow_the_in_sync_replicas(world: ControllerWorld) -> None:
    world.create(1, 2, 3)
    before = world.partition()
    altered = world.propose(1, 2)
    assert (altered.error, altered.isr, altered.leader) == (E.NONE, (1, 2), 1)
    assert altered.leader_epoch == before.leader_epoch
    assert altered.partition_epoch == before.partition_epoch + 1
    assert world.propose(1, 2, 3).isr == (1, 2, 3)


OUT_OF_DATE: dict[str, tuple[dict[str, Any], ErrorCode]] = {
    "leader epoch of the future": ({"leader_epoch": 9, "partition_epoch": 0}, E.NOT_CONTROLLER),
    "partition epoch of the future": (
        {"leader_epoch": 0, "partition_epoch": 9},
        E.NOT_CONTROLLER,
    ),
    "leader epoch of the past": ({"leader_epoch": 0}, E.FENCED_LEADER_EPOCH),
    "not the leader": ({"broker_id": 2, "partition_epoch": 0}, E.INVALID_REQUEST),
    "partition epoch of the past": ({"partition_epoch": 0}, E.INVALID_UPDATE_VERSION),
}


@pytest.mark.parametrize("case", OUT_OF_DATE)
def test_a_proposal_that_is_out_of_date_changes_nothing(world: ControllerWorld, case: str) -> None:
    changes, error = OUT_OF_DATE[case]
    world.create(3, 1, 2)
    world.fall_silent(3)
    log = len(world.log)
    assert world.propose(1, **changes).error is error
    assert len(world.log) == log


@pytest.mark.parametrize("isr", [(1, 4), (2, 3), (1, 1), ()])
def test_in_sync_are_replicas_and_the_leader_among_them(
    world: ControllerWorld, isr: tuple[int, ...]
) -> None:
    world.join(4)
    world.create(1, 2, 3)
    assert world.propose(*isr).error is E.INVALID_REQUEST


def test_a_dead_replica_stays_out(world: ControllerWorld) -> None:
    world.create(1, 2, 3)
    world.fall_silent(3)
    assert world.propose(1, 2, 3).error is E.INELIGIBLE_REPLICA


def test_a_leaving_replica_stays_out(world: ControllerWorld) -> None:
    world.create(3, 1, name="kept")
    world.create(1, 3)
    world.beat(3, wants_shut_down=True)
    assert world.catalogue.brokers[3].in_controlled_shutdown
    assert world.propose(1, 3).error is E.INELIGIBLE_REPLICA


def test_a_reborn_replica_stays_out_until_its_epoch_is_known(world: ControllerWorld) -> None:
    world.create(1, 3)
    former = world.epochs[3]
    world.fall_silent(3)
    world.come_back(3)
    assert world.propose(isr=((1, -1), (3, former))).error is E.INELIGIBLE_REPLICA
    assert world.propose(isr=((1, -1), (3, -1))).error is E.NONE


def test_a_recovering_leader_is_alone(world: ControllerWorld) -> None:
    world.create(1, 2)
    assert world.propose(1, leader_recovery_state=1).error is E.INVALID_REQUEST
    world.fall_silent(1, 2)
    world.register(1)
    world.register(2)
    world.beat(2)
    world.beat(1)
    assert world.partition().leader_recovery_state == 1
    leader = world.partition().leader
    other = 3 - leader
    assert world.propose(leader, other, leader_recovery_state=1).error is E.INVALID_REQUEST
    assert world.propose(leader, other).error is E.NONE
    assert world.partition().leader_recovery_state == 0


def test_a_proposal_for_what_is_not_there_says_so(world: ControllerWorld) -> None:
    world.create(1)
    known = world.catalogue.topics[TOPIC].topic_id

    def ask(topic_id: Any, partition: int) -> ErrorCode:
        proposal = IsrProposal(topic_id, partition, 0, ((1, -1),), 0)
        answer = world.ask(AlterPartitions(1, world.epochs[1], (proposal,)))
        error: ErrorCode = answer.partitions[0].error
        return error

    assert ask(world.new_id(), 0) is E.UNKNOWN_TOPIC_ID
    assert ask(known, 5) is E.UNKNOWN_TOPIC_OR_PARTITION
    answer = world.ask(AlterPartitions(1, world.epochs[1] + 1, ()))
    assert answer.error is E.STALE_BROKER_EPOCH


# Eligible leader replicas


def test_whoever_leaves_below_the_minimum_stays_eligible(world: ControllerWorld) -> None:
    world.create(1, 2, 3, min_insync_replicas="2")
    world.propose(1, 2)
    assert world.partition().eligible_leader_replicas == ()
    world.propose(1)
    assert world.partition().eligible_leader_replicas == (2,)
    world.propose(1, 3)
    assert world.partition().eligible_leader_replicas == ()


def test_the_minimum_is_never_more_than_there_are_replicas(world: ControllerWorld) -> None:
    world.create(1, 2, min_insync_replicas="3")
    world.propose(1)
    world.propose(1, 2)
    assert world.partition().eligible_leader_replicas == ()


def test_with_nobody_in_sync_an_eligible_replica_is_elected(world: ControllerWorld) -> None:
    world.create(1, 2, 3, min_insync_replicas="2")
    world.fall_silent(1, 2, 3)
    dead = world.partition()
    assert (dead.leader, dead.isr, dead.eligible_leader_replicas) == (-1, (), (2, 3))
    world.come_back(1)
    assert world.partition().leader == -1
    world.come_back(3)
    back = world.partition()
    assert (back.leader, back.isr, back.eligible_leader_replicas) == (3, (3,), (2,))
    assert back.leader_recovery_state == 0


def test_a_smaller_minimum_leaves_nobody_eligible(world: ControllerWorld) -> None:
    world.create(1, 2, min_insync_replicas="2")
    world.propose(1)
    assert world.partition().eligible_leader_replicas == (2,)
    resource = Resource(TOPIC_RESOURCE, TOPIC)
    assert set_option(world, "min.insync.replicas", "1", resource) is E.NONE
    assert world.partition().eligible_leader_replicas == ()


# Clean and unclean


def test_the_first_candidate_in_the_list_wins_and_the_leader_stays(
    world: ControllerWorld,
) -> None:
    world.create(3, 1, 2)
    world.fall_silent(3)
    assert world.partition().leader == 1
    world.come_back(3)
    world.propose(1, 2, 3)
    assert world.partition().leader == 1


def struck(world: ControllerWorld) -> None:
    """Partition 0 of replicas 1 and 2 with 1 in sync, which is dead and is not eligible."""
    world.propose(1)
    world.fall_silent(1)


def test_no_unclean_election_unless_permitted(world: ControllerWorld) -> None:
    world.create(1, 2)
    struck(world)
    assert world.partition().leader == -1
    assert world.elect(UNCLEAN) is E.NONE
    elected = world.partition()
    assert (elected.leader, elected.isr, elected.leader_recovery_state) == (2, (2,), 1)
    assert elected.eligible_leader_replicas == ()


def test_a_topic_may_permit_unclean_elections(world: ControllerWorld) -> None:
    world.create(1, 2, unclean_leader_election_enable="true")
    struck(world)
    assert (world.partition().leader, world.partition().isr) == (2, (2,))


@pytest.mark.parametrize(
    "resource",
    [Resource(TOPIC_RESOURCE, TOPIC), Resource(BROKER_RESOURCE, "")],
    ids=["topic", "all brokers"],
)
def test_permission_that_comes_late_is_used_at_once(
    world: ControllerWorld, resource: Resource
) -> None:
    world.create(1, 2)
    struck(world)
    assert set_option(world, "unclean.leader.election.enable", "true", resource) is E.NONE
    assert world.partition().leader == 2


def test_a_preferred_election(world: ControllerWorld) -> None:
    world.create(3, 1, 2)
    assert world.elect(PREFERRED) is E.ELECTION_NOT_NEEDED
    world.fall_silent(3)
    assert world.elect(PREFERRED) is E.PREFERRED_LEADER_NOT_AVAILABLE
    world.come_back(3)
    assert world.elect(PREFERRED) is E.PREFERRED_LEADER_NOT_AVAILABLE
    world.propose(1, 2, 3)
    assert world.elect(PREFERRED) is E.NONE
    assert world.partition().leader == 3
    assert world.elect(PREFERRED, partition=9) is E.UNKNOWN_TOPIC_OR_PARTITION


def test_an_unclean_election_needs_somebody_alive(world: ControllerWorld) -> None:
    world.create(1, 2)
    assert world.elect(UNCLEAN) is E.ELECTION_NOT_NEEDED
    world.fall_silent(1, 2)
    assert world.elect(UNCLEAN) is E.ELIGIBLE_LEADERS_NOT_AVAILABLE


def test_an_election_for_all_leaves_out_what_needs_none(world: ControllerWorld) -> None:
    world.create(1, 2)
    world.create(3, 2, name="moved")
    world.fall_silent(3)
    held = world.ask(ElectLeaders(PREFERRED, None))
    assert [(name, [each.error for each in found]) for name, found in held.topics] == [
        (TOPIC, []),
        ("moved", [E.PREFERRED_LEADER_NOT_AVAILABLE]),
    ]
    assert world.ask(ElectLeaders(7, None)).error is E.INVALID_REQUEST


# Of the controller's own accord


def moved_away(world: ControllerWorld) -> None:
    world.create(3, 1)
    world.fall_silent(3)
    world.come_back(3)
    world.propose(1, 3)
    assert world.partition().leader == 1


def keep_alive(world: ControllerWorld, milliseconds: int) -> None:
    for _ in range(milliseconds // 5_000):
        world.pass_time(5_000)
        for broker_id in (1, 2, 3):
            world.beat(broker_id)


def test_leaderships_return_to_the_preferred_replicas_in_time(world: ControllerWorld) -> None:
    moved_away(world)
    keep_alive(world, 300_000)
    assert world.partition().leader == 3


def test_leaderships_stay_where_nobody_moves_them_back() -> None:
    world = ControllerWorld(brokers=3, auto_leader_rebalance_enable="false")
    moved_away(world)
    keep_alive(world, 400_000)
    assert world.partition().leader == 1


def test_a_broker_that_lacks_few_leaderships_is_left_alone() -> None:
    world = ControllerWorld(brokers=3, leader_imbalance_per_broker_percentage="50")
    world.create(3, name="held")
    moved_away(world)
    keep_alive(world, 400_000)
    assert world.partition().leader == 1
