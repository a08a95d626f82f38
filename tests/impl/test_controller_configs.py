"""Options that change while brokers run, and what a broker then goes by."""

from __future__ import annotations

import pytest

from impl.core.cluster.configuring import Describing
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.messages import (
    APPEND,
    BROKER_RESOURCE,
    DELETE,
    SET,
    SOURCE_DEFAULT,
    SOURCE_DYNAMIC_BROKER,
    SOURCE_DYNAMIC_DEFAULT_BROKER,
    SOURCE_STATIC_BROKER,
    SOURCE_TOPIC,
    SUBTRACT,
    TOPIC_RESOURCE,
    AlterConfigs,
    ConfigChange,
    DescribeConfigs,
    DescribedConfig,
    Resource,
)
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import TOPIC, ControllerWorld

E = ErrorCode
ALL = Resource(BROKER_RESOURCE, "")
ONE = Resource(BROKER_RESOURCE, "1")
TWO = Resource(BROKER_RESOURCE, "2")
ORDERS = Resource(TOPIC_RESOURCE, TOPIC)


@pytest.fixture
def world() -> ControllerWorld:
    return ControllerWorld(brokers=3, log_retention_ms="4")


def alter(
    world: ControllerWorld,
    resource: Resource,
    name: str,
    value: str | None,
    operation: int = SET,
    *,
    replaces_all: bool = False,
    validate_only: bool = False,
) -> ErrorCode:
    change = ConfigChange(name, operation, value)
    asked = AlterConfigs(((resource, (change,)),), validate_only, replaces_all)
    error: ErrorCode = world.ask(asked).resources[0].error
    return error


def current(world: ControllerWorld) -> CurrentOptions:
    """As broker 1 has them, once it has read the log."""
    return CurrentOptions(world.properties, world.catalogue)


def describe(world: ControllerWorld, resource: Resource) -> dict[str, DescribedConfig]:
    describing = Describing(world.catalogue, current(world))
    answer = describing.describe(DescribeConfigs(((resource, None),))).resources[0]
    assert answer.error is E.NONE
    return {each.name: each for each in answer.configs}


def test_the_nearest_value_counts_and_shows_what_it_hides(world: ControllerWorld) -> None:
    world.create(1, retention_ms="1")
    alter(world, ONE, "log.retention.ms", "2")
    alter(world, ALL, "log.retention.ms", "3")
    found = describe(world, ORDERS)["retention.ms"]
    assert (found.value, found.source) == ("1", SOURCE_TOPIC)
    assert [(each.value, each.source) for each in found.synonyms] == [
        ("1", SOURCE_TOPIC),
        ("2", SOURCE_DYNAMIC_BROKER),
        ("3", SOURCE_DYNAMIC_DEFAULT_BROKER),
        ("4", SOURCE_STATIC_BROKER),
        (str(7 * 24 * 3_600_000), SOURCE_DEFAULT),
    ]


def test_a_broker_goes_by_what_was_set_for_it(world: ControllerWorld) -> None:
    world.create(1)
    options = current(world)
    assert options.topic_defaults.retention_ms == 4
    alter(world, ALL, "log.retention.ms", "3")
    alter(world, TWO, "log.retention.ms", "9")
    options = current(world)
    assert options.topic_defaults.retention_ms == 3
    assert options.of_topic(world.catalogue.topics[TOPIC]).retention_ms == 3
    alter(world, ONE, "producer.id.expiration.ms", "77")
    alter(world, ALL, "log.retention.ms", None, DELETE)
    options = current(world)
    assert options.broker.producer_id_expiration_ms == 77
    assert options.topic_defaults.retention_ms == 4


def test_a_broker_notices_a_change_by_itself(world: ControllerWorld) -> None:
    catalogue = world.catalogue
    options = CurrentOptions(world.properties, catalogue)
    assert options.topic_defaults.retention_ms == 4
    alter(world, ONE, "log.retention.ms", "3")
    catalogue.apply(world.log[-1])
    assert options.topic_defaults.retention_ms == 3


def test_a_broker_tells_its_own_options_and_those_of_all(world: ControllerWorld) -> None:
    alter(world, ALL, "log.segment.bytes", "1000")
    alter(world, ONE, "message.max.bytes", "2000")
    own = describe(world, ONE)
    sources = {
        name: own[name].source
        for name in ("log.segment.bytes", "message.max.bytes", "log.retention.ms", "node.id")
    }
    assert list(sources.values()) == [
        SOURCE_DYNAMIC_DEFAULT_BROKER,
        SOURCE_DYNAMIC_BROKER,
        SOURCE_STATIC_BROKER,
        SOURCE_DEFAULT,
    ]
    assert own["node.id"].is_read_only
    assert not own["log.segment.bytes"].is_read_only
    assert set(describe(world, ALL)) == {"log.segment.bytes", "min.insync.replicas"}


def test_lists_of_a_broker_grow_and_shrink(world: ControllerWorld) -> None:
    assert alter(world, ALL, "log.cleanup.policy", "compact", APPEND) is E.NONE
    assert current(world).topic_defaults.cleanup_policy == ("delete", "compact")
    assert alter(world, ALL, "log.cleanup.policy", "delete", SUBTRACT) is E.NONE
    assert current(world).topic_defaults.cleanup_policy == ("compact",)


def test_replacing_all_options_of_a_broker_forgets_the_others(world: ControllerWorld) -> None:
    alter(world, ONE, "log.retention.ms", "2")
    assert alter(world, ONE, "message.max.bytes", "7", replaces_all=True) is E.NONE
    assert world.catalogue.broker_configs["1"] == {"message.max.bytes": "7"}


@pytest.mark.parametrize(
    ("resource", "name", "value", "error"),
    [
        (ONE, "node.id", "7", E.INVALID_REQUEST),
        (ALL, "no.such.option", "7", E.INVALID_REQUEST),
        (ONE, "log.retention.ms", "soon", E.INVALID_REQUEST),
        (ONE, "log.retention.ms", None, E.INVALID_CONFIG),
        (Resource(BROKER_RESOURCE, "9"), "log.retention.ms", "7", E.BROKER_ID_NOT_REGISTERED),
        (Resource(32, "group"), "log.retention.ms", "7", E.INVALID_REQUEST),
        (ORDERS, "retention.ms", "7", E.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_a_bad_change_is_refused(
    world: ControllerWorld, resource: Resource, name: str, value: str | None, error: ErrorCode
) -> None:
    log = len(world.log)
    assert alter(world, resource, name, value) is error
    assert len(world.log) == log


def test_throttles_of_reassignments_can_be_set_and_cleared(world: ControllerWorld) -> None:
    world.create(1, 2)
    for resource, name, value in (
        (ORDERS, "leader.replication.throttled.replicas", "0:1,0:2"),
        (ORDERS, "follower.replication.throttled.replicas", "*"),
        (ONE, "leader.replication.throttled.rate", "1000"),
        (TWO, "follower.replication.throttled.rate", "1000"),
    ):
        assert alter(world, resource, name, None, DELETE) is E.NONE
        assert alter(world, resource, name, value) is E.NONE
    assert describe(world, ORDERS)["leader.replication.throttled.replicas"].value == "0:1,0:2"
    assert describe(world, ONE)["leader.replication.throttled.rate"].value == "1000"


def test_validation_sets_nothing(world: ControllerWorld) -> None:
    log = len(world.log)
    assert alter(world, ALL, "log.retention.ms", "7", validate_only=True) is E.NONE
    assert len(world.log) == log


def test_the_minimum_of_in_sync_replicas_is_one_for_all_brokers() -> None:
    world = ControllerWorld(brokers=2, min_insync_replicas="2")
    assert describe(world, ALL)["min.insync.replicas"].value == "2"
    assert alter(world, ONE, "min.insync.replicas", "1") is E.INVALID_CONFIG
    assert alter(world, ALL, "min.insync.replicas", None, DELETE) is E.INVALID_CONFIG
    world.create(1, 2)
    world.propose(1)
    assert world.partition().eligible_leader_replicas == (2,)
    assert alter(world, ALL, "min.insync.replicas", "1") is E.NONE
    assert world.partition().eligible_leader_replicas == ()
