"""Brokers register, are heard of, fall silent, and stop: CLUS-01 to CLUS-08, ELEC-15."""

from __future__ import annotations

import pytest

from impl.core.cluster.broker_messages import AllocateProducerIds, BrokerHeartbeat
from impl.core.cluster.messages import CreateTopics, Endpoint, NewTopic, UnregisterBroker
from impl.core.cluster.metadata_records import BrokerRegistrationChangeRecord
from impl.core.controller.refusals import Undecided
from impl.core.events import NOT_CONTROLLER
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import ControllerWorld

E = ErrorCode


@pytest.fixture
def world() -> ControllerWorld:
    return ControllerWorld(brokers=3)


# Registration


def test_a_broker_of_another_cluster_is_turned_away(world: ControllerWorld) -> None:
    assert world.register(4, cluster_id="another").error is E.INCONSISTENT_CLUSTER_ID
    assert 4 not in world.catalogue.brokers


def test_an_id_that_is_in_use_is_refused_until_its_session_runs_out(
    world: ControllerWorld,
) -> None:
    assert world.register(3).error is E.DUPLICATE_BROKER_REGISTRATION
    world.fall_silent(3)
    assert world.register(3).error is E.NONE


def test_an_id_is_in_use_before_its_broker_is_unfenced() -> None:
    world = ControllerWorld()
    world.register(1)
    assert world.register(1).error is E.DUPLICATE_BROKER_REGISTRATION


def test_who_was_told_that_it_may_stop_does_not_keep_its_id_in_use(
    world: ControllerWorld,
) -> None:
    assert world.beat(3, wants_shut_down=True).should_shut_down
    assert world.register(3).error is E.NONE


def test_the_broker_epoch_is_the_offset_of_the_registration_and_grows(
    world: ControllerWorld,
) -> None:
    former = world.epochs[3]
    world.fall_silent(3)
    registered_at = len(world.log)
    assert world.register(3).broker_epoch == registered_at > former


def test_an_incarnation_keeps_its_epoch_and_its_standing() -> None:
    world = ControllerWorld()
    incarnation_id = world.new_id()
    first = world.register(1, incarnation_id)
    world.beat(1)
    assert world.register(1, incarnation_id).broker_epoch == first.broker_epoch
    assert world.catalogue.brokers[1].is_active


def test_messages_of_a_former_life_change_nothing(world: ControllerWorld) -> None:
    world.fall_silent(3)
    former = world.epochs[3]
    world.register(3)
    log = tuple(world.log)
    assert world.ask(BrokerHeartbeat(3, former, 10**6)).error is E.STALE_BROKER_EPOCH
    assert world.ask(BrokerHeartbeat(9, 0, 10**6)).error is E.STALE_BROKER_EPOCH
    assert world.ask(AllocateProducerIds(3, former)).error is E.STALE_BROKER_EPOCH
    assert tuple(world.log) == log


def test_a_broker_may_come_back_at_another_address_and_the_cluster_hears_of_it() -> None:
    world = ControllerWorld()
    world.register(1, rack="a")
    world.fall_silent(1)
    world.register(1, rack="b")
    assert world.catalogue.brokers[1].endpoint == Endpoint(1, "localhost", 9091, "b")


# Fencing


def test_a_broker_is_fenced_until_it_has_read_of_its_registration() -> None:
    world = ControllerWorld()
    world.register(1)
    early = world.beat(1, world.epochs[1] - 1)
    assert (early.is_caught_up, early.is_fenced) == (False, True)
    late = world.beat(1, world.epochs[1])
    assert (late.is_caught_up, late.is_fenced) == (True, False)


def test_a_broker_that_wants_to_be_fenced_is_fenced(world: ControllerWorld) -> None:
    assert world.beat(3, wants_fence=True).is_fenced
    assert world.beat(3, wants_fence=True).is_fenced
    assert world.catalogue.brokers[3].fenced


def test_a_silent_broker_is_fenced_when_its_session_runs_out(world: ControllerWorld) -> None:
    world.pass_time(8_999)
    assert not world.catalogue.brokers[3].fenced
    world.beat(1)
    world.beat(2)
    assert world.controller.next_deadline_ms() == world.now_ms + 1
    world.pass_time(1)
    assert {b: r.fenced for b, r in world.catalogue.brokers.items()} == {
        1: False,
        2: False,
        3: True,
    }


def test_fencing_takes_leaderships_away_in_the_same_step(world: ControllerWorld) -> None:
    world.create(3, 1, 2)
    before = world.partition()
    world.writes.clear()
    world.fall_silent(3)
    (written,) = world.writes
    assert isinstance(written[0], BrokerRegistrationChangeRecord)
    after = world.partition()
    assert (after.leader, after.isr) == (1, (1, 2))
    assert after.leader_epoch == before.leader_epoch + 1
    assert after.partition_epoch == before.partition_epoch + 1


def test_a_broker_that_returns_leads_what_nobody_led(world: ControllerWorld) -> None:
    world.create(3)
    world.fall_silent(3)
    assert world.partition().leader == -1
    world.come_back(3)
    assert (world.partition().leader, world.partition().isr) == (3, (3,))


def test_a_new_controller_gives_everybody_a_session(world: ControllerWorld) -> None:
    world.pass_time(8_000)
    world.take_office()
    world.pass_time(8_000)
    assert not any(broker.fenced for broker in world.catalogue.brokers.values())
    world.pass_time(1_000)
    assert all(broker.fenced for broker in world.catalogue.brokers.values())


# Stopping


def test_a_stop_hands_over_what_can_be_and_waits_until_the_others_know(
    world: ControllerWorld,
) -> None:
    world.create(3, 1)
    world.create(3, name="alone")
    before = len(world.log) - 1
    assert not world.beat(3, wants_shut_down=True).should_shut_down
    assert (world.partition().leader, world.partition().isr) == (1, (1,))
    assert world.partition(topic="alone").leader == -1
    world.beat(1)
    world.beat(2, before)
    assert not world.beat(3, wants_shut_down=True).should_shut_down
    world.beat(2)
    assert world.beat(3, wants_shut_down=True).should_shut_down
    assert world.catalogue.brokers[3].fenced


def test_a_broker_that_leads_nothing_may_stop_at_once(world: ControllerWorld) -> None:
    world.create(1, 3)
    assert world.beat(3, wants_shut_down=True).should_shut_down
    assert world.partition().isr == (1,)


def test_a_fenced_broker_may_stop_at_once(world: ControllerWorld) -> None:
    world.fall_silent(3)
    log = len(world.log)
    assert world.beat(3, wants_shut_down=True).should_shut_down
    assert len(world.log) == log


def test_a_new_controller_knows_who_is_about_to_stop(world: ControllerWorld) -> None:
    world.create(3, 1)
    world.beat(3, wants_shut_down=True)
    world.take_office()
    assert not world.beat(3, wants_shut_down=True).should_shut_down
    world.beat(1)
    world.beat(2)
    assert world.beat(3, wants_shut_down=True).should_shut_down


def test_the_only_broker_may_stop() -> None:
    world = ControllerWorld(brokers=1)
    world.create(1)
    world.beat(1, wants_shut_down=True)
    assert world.beat(1, wants_shut_down=True).should_shut_down
    assert world.partition().leader == -1
    world.come_back(1)
    assert world.partition().leader == 1


def test_a_broker_that_is_unregistered_is_gone(world: ControllerWorld) -> None:
    world.create(3, 1)
    assert world.ask(UnregisterBroker(3)).error is E.NONE
    assert 3 not in world.catalogue.brokers
    assert world.partition().leader == 1
    assert world.ask(UnregisterBroker(3)).error is E.BROKER_ID_NOT_REGISTERED
    assert world.ask(BrokerHeartbeat(3, world.epochs[3], 10**6)).error is E.STALE_BROKER_EPOCH


# Coming back from an unclean stop


def test_a_broker_back_from_an_unclean_stop_is_struck_off(world: ControllerWorld) -> None:
    world.create(1, 2, min_insync_replicas="2")
    world.fall_silent(1, 2)
    assert world.partition().eligible_leader_replicas == (1, 2)
    world.come_back(1, cleanly=False)
    assert world.partition().leader == -1
    assert world.partition().eligible_leader_replicas == (2,)
    world.come_back(2)
    assert (world.partition().leader, world.partition().isr) == (2, (2,))


def test_a_broker_back_from_an_orderly_stop_stays_eligible(world: ControllerWorld) -> None:
    world.create(1, 2, min_insync_replicas="2")
    world.fall_silent(1, 2)
    world.come_back(1)
    assert (world.partition().leader, world.partition().isr) == (1, (1,))
    assert world.partition().eligible_leader_replicas == (2,)


def test_the_last_leader_leads_again_when_nobody_is_eligible(world: ControllerWorld) -> None:
    world.create(3)
    world.fall_silent(3)
    world.register(3)
    struck = world.partition()
    assert (struck.isr, struck.eligible_leader_replicas) == ((), ())
    assert (struck.leader, struck.last_known_elr) == (-1, (3,))
    world.beat(3)
    back = world.partition()
    assert (back.leader, back.isr, back.last_known_elr) == (3, (3,), ())
    assert back.leader_recovery_state == 1


# Answers


def test_an_answer_waits_until_all_it_was_decided_by_is_committed(world: ControllerWorld) -> None:
    world.commits_at_once = False
    create = CreateTopics((NewTopic("late", 1, 1),))
    first = world.send(create)
    second = world.send(create)
    assert not world.replies
    world.commit()
    assert world.replies[first].topics[0].error is E.NONE
    assert world.replies[second].topics[0].error is E.TOPIC_ALREADY_EXISTS


def test_who_loses_office_says_so_to_all_that_wait(world: ControllerWorld) -> None:
    world.commits_at_once = False
    create = CreateTopics((NewTopic("late", 1, 1),))
    forwarded = world.send(create, is_forwarded=True)
    client = world.send(create)
    broker = world.send(AllocateProducerIds(1, world.epochs[1]))
    world.note(world.controller.deactivate())
    assert world.replies[forwarded] == NOT_CONTROLLER
    assert world.replies[client] == Undecided(create)
    assert world.replies[broker].error is E.NOT_CONTROLLER
    assert not world.controller.is_active
    assert world.ask(AllocateProducerIds(1, world.epochs[1])).error is E.NOT_CONTROLLER


def test_who_cannot_write_has_lost_office(world: ControllerWorld) -> None:
    world.is_leader = False
    create = CreateTopics((NewTopic("late", 1, 1),))
    assert world.ask(create) == Undecided(create)
    assert not world.controller.is_active


def test_a_connection_that_is_gone_gets_no_answer(world: ControllerWorld) -> None:
    world.commits_at_once = False
    world.send(CreateTopics((NewTopic("late", 1, 1),)), connection_id=7)
    world.controller.forget(7)
    world.commit()
    assert not world.replies


def test_a_block_of_producer_ids_is_given_once(world: ControllerWorld) -> None:
    first = world.ask(AllocateProducerIds(1, world.epochs[1]))
    world.take_office()
    second = world.ask(AllocateProducerIds(2, world.epochs[2]))
    assert (first.first, first.count, second.first) == (0, 1000, 1000)


def test_a_new_cluster_says_what_it_can_do() -> None:
    assert ControllerWorld().catalogue.features == {
        "metadata.version": 25,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "transaction.version": 2,
    }
