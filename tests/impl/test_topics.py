"""Topics come, grow, change and go: TOPC, and DescribeConfigs."""

from __future__ import annotations

from typing import Any

import pytest

from impl.core.cluster.messages import (
    APPEND,
    BROKER_RESOURCE,
    DELETE,
    SET,
    SOURCE_DEFAULT,
    SOURCE_STATIC_BROKER,
    SOURCE_TOPIC,
    SUBTRACT,
    TOPIC_RESOURCE,
    AlterConfigs,
    ConfigChange,
    CreatePartitions,
    CreateTopics,
    DeleteTopics,
    DescribeConfigs,
    DescribedConfig,
    MorePartitions,
    NewTopic,
    Resource,
)
from impl.core.cluster.topics import NO_TOPIC_ID
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC, World, batch

E = ErrorCode
ORDERS = Resource(TOPIC_RESOURCE, TOPIC)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 250])
def test_a_bad_name_is_refused(world: World, name: str) -> None:
    assert world.create(name).error is E.INVALID_TOPIC_EXCEPTION


@pytest.mark.parametrize("name", ["x" * 249, "a.b", "-", "...", "A_9"])
def test_a_good_name_is_taken(world: World, name: str) -> None:
    assert world.create(name).error is E.NONE


def test_the_name_of_the_metadata_log_is_not_for_clients(world: World) -> None:
    assert world.create("__cluster_metadata").error is E.TOPIC_AUTHORIZATION_FAILED


def test_names_that_differ_in_dot_and_underscore_collide(world: World) -> None:
    world.create("a.b")
    assert world.create("a_b").error is E.INVALID_TOPIC_EXCEPTION


def test_a_topic_is_created_once(world: World) -> None:
    assert world.create().error is E.NONE
    assert world.create().error is E.TOPIC_ALREADY_EXISTS


def test_a_topic_that_is_asked_for_twice_in_one_request_is_not_created(world: World) -> None:
    answer = world.ask(CreateTopics((NewTopic("twice"), NewTopic("twice"), NewTopic("once"))))
    assert {t.name: t.error for t in answer.topics} == {
        "twice": E.INVALID_REQUEST,
        "once": E.NONE,
    }


BAD_SHAPES: dict[str, tuple[dict[str, Any], ErrorCode]] = {
    "no partitions": ({"num_partitions": 0}, E.INVALID_PARTITIONS),
    "fewer than none": ({"num_partitions": -2}, E.INVALID_PARTITIONS),
    "no replicas": ({"replication_factor": 0}, E.INVALID_REPLICATION_FACTOR),
    "more replicas than brokers": ({"replication_factor": 2}, E.INVALID_REPLICATION_FACTOR),
    "a gap": ({"assignment": ((0, (1,)), (2, (1,)))}, E.INVALID_REPLICA_ASSIGNMENT),
    "a stranger": ({"assignment": ((0, (9,)),)}, E.INVALID_REPLICA_ASSIGNMENT),
    "one broker twice": ({"assignment": ((0, (1, 1)),)}, E.INVALID_REPLICA_ASSIGNMENT),
    "one partition twice": (
        {"assignment": ((0, (1,)), (0, (1,)))},
        E.INVALID_REPLICA_ASSIGNMENT,
    ),
    "nobody": ({"assignment": ((0, ()),)}, E.INVALID_REPLICA_ASSIGNMENT),
    "both ways": ({"assignment": ((0, (1,)),), "num_partitions": 1}, E.INVALID_REQUEST),
    "no such option": ({"configs": (("no.such.option", "1"),)}, E.INVALID_CONFIG),
    "no value": ({"configs": (("retention.ms", None),)}, E.INVALID_CONFIG),
    "no number": ({"configs": (("retention.ms", "soon"),)}, E.INVALID_CONFIG),
    "too small": ({"configs": (("segment.bytes", "13"),)}, E.INVALID_CONFIG),
    "no such codec": ({"configs": (("compression.type", "rar"),)}, E.INVALID_CONFIG),
    "no such policy": ({"configs": (("cleanup.policy", "burn"),)}, E.INVALID_CONFIG),
}


@pytest.mark.parametrize("what", BAD_SHAPES)
def test_a_bad_shape_is_refused_and_creates_nothing(world: World, what: str) -> None:
    fields, error = BAD_SHAPES[what]
    answer = world.ask(CreateTopics((NewTopic(TOPIC, **fields),)))
    assert answer.topics[0].error is error
    assert answer.topics[0].message
    assert world.describe().error is E.UNKNOWN_TOPIC_OR_PARTITION


def test_minus_one_means_the_default() -> None:
    world = World(num_partitions="4")
    created = world.ask(CreateTopics((NewTopic(TOPIC),))).topics[0]
    assert (created.num_partitions, created.replication_factor) == (4, 1)
    assert len(world.describe().partitions) == 4


def test_an_assignment_may_be_given(world: World) -> None:
    assigned = NewTopic(TOPIC, assignment=((1, (1,)), (0, (1,))))
    assert world.ask(CreateTopics((assigned,))).topics[0].num_partitions == 2


def test_validate_only_changes_nothing(world: World) -> None:
    answer = world.ask(CreateTopics((NewTopic(TOPIC),), validate_only=True)).topics[0]
    assert (answer.error, answer.topic_id) == (E.NONE, NO_TOPIC_ID)
    assert world.describe().error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert world.storage.folders() == ["__cluster_metadata-0"]


def test_a_recreated_topic_is_another_one_and_empty(world: World) -> None:
    before = world.create().topic_id
    world.produce(batch(b"a"))
    assert world.delete().error is E.NONE
    after = world.create().topic_id
    assert len({before, after, NO_TOPIC_ID}) == 3
    assert world.values() == []
    assert world.produce(batch(b"b")).base_offset == 0


def test_a_recreated_topic_does_not_inherit_the_log_start(world: World) -> None:
    world.create()
    world.produce(batch(b"a"))
    world.delete_records(1)
    world.delete()
    world.create()
    world.produce(batch(b"b"))
    world.restart(cleanly=False)
    assert world.values() == [(0, b"b")]


def test_a_topic_is_deleted_by_name_or_by_id(world: World) -> None:
    topic_id = world.create().topic_id
    deleted = world.delete(topic_id)
    assert (deleted.name, deleted.error) == (TOPIC, E.NONE)
    assert world.delete(topic_id).error is E.UNKNOWN_TOPIC_ID
    assert world.delete(TOPIC).error is E.UNKNOWN_TOPIC_OR_PARTITION


def test_deleting_a_topic_twice_in_one_request_is_refused(world: World) -> None:
    world.create()
    answer = world.ask(DeleteTopics((TOPIC, TOPIC)))
    assert [t.error for t in answer.topics] == [E.INVALID_REQUEST]
    assert world.describe().error is E.NONE


def test_deletion_can_be_disabled() -> None:
    world = World(delete_topic_enable="false")
    world.create()
    assert world.delete().error is E.TOPIC_DELETION_DISABLED


def test_a_deleted_topic_leaves_no_files(world: World) -> None:
    world.create(num_partitions=3)
    world.delete()
    assert world.storage.folders() == ["__cluster_metadata-0"]


def grow(world: World, count: int, *assignments: tuple[int, ...]) -> ErrorCode:
    asked = MorePartitions(TOPIC, count, assignments or None)
    error: ErrorCode = world.ask(CreatePartitions((asked,))).topics[0].error
    return error


def test_partitions_only_grow(world: World) -> None:
    world.create(num_partitions=2)
    world.produce(batch(b"a"))
    assert [grow(world, n) for n in (0, 1, 2)] == [E.INVALID_PARTITIONS] * 3
    assert grow(world, 4) is E.NONE
    assert len(world.describe().partitions) == 4
    assert world.values() == [(0, b"a")]
    assert world.produce(batch(b"b"), partition=3).error is E.NONE


def test_new_partitions_need_fitting_assignments(world: World) -> None:
    world.create()
    assert grow(world, 3, (1,)) is E.INVALID_REPLICA_ASSIGNMENT
    assert grow(world, 2, (9,)) is E.INVALID_REPLICA_ASSIGNMENT
    assert grow(world, 2, (1,)) is E.NONE


# Metadata


def test_a_missing_topic_is_created_if_both_sides_allow_it(world: World) -> None:
    assert world.describe().error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert world.describe(create=True).error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert world.describe().error is E.NONE, "whoever wants it asks again"
    forbidding = World(auto_create_topics_enable="false")
    assert forbidding.describe(create=True).error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert forbidding.describe().error is E.UNKNOWN_TOPIC_OR_PARTITION


def test_a_bad_name_is_not_created_by_metadata(world: World) -> None:
    assert world.describe("a b", create=True).error is E.INVALID_TOPIC_EXCEPTION


def test_internal_topics_are_flagged(world: World) -> None:
    assert world.describe("__consumer_offsets", create=True).is_internal
    assert not world.describe(create=True).is_internal


# Options


def configs(
    world: World, resource: Resource = ORDERS, names: tuple[str, ...] | None = None
) -> dict[str, DescribedConfig]:
    answer = world.ask(DescribeConfigs(((resource, names),))).resources[0]
    assert answer.error is E.NONE
    return {config.name: config for config in answer.configs}


def alter(world: World, *changes: ConfigChange, **options: bool) -> ErrorCode:
    answer = world.ask(AlterConfigs(((ORDERS, changes),), **options))
    error: ErrorCode = answer.resources[0].error
    return error


def test_an_option_tells_where_its_value_comes_from() -> None:
    world = World(log_retention_hours="1")
    world.create(segment_bytes="1000")
    found = configs(world)
    assert found["segment.bytes"].value == "1000"
    sources = {name: found[name].source for name in ("segment.bytes", "retention.ms")}
    assert sources == {"segment.bytes": SOURCE_TOPIC, "retention.ms": SOURCE_STATIC_BROKER}
    assert found["retention.ms"].value == "3600000"
    assert found["cleanup.policy"].source == SOURCE_DEFAULT
    assert configs(world, names=("cleanup.policy",)).keys() == {"cleanup.policy"}


def test_the_smaller_unit_of_a_broker_option_wins() -> None:
    for world in (
        World(log_retention_ms="7", log_retention_hours="1"),
        World(log_retention_hours="1", log_retention_ms="7"),
    ):
        world.create()
        assert configs(world)["retention.ms"].value == "7"


def test_a_broker_tells_its_options() -> None:
    world = World(num_partitions="3", group_max_size="5")
    found = configs(world, Resource(BROKER_RESOURCE, "1"))
    assert {n: found[n].value for n in ("num.partitions", "group.max.size", "node.id")} == {
        "num.partitions": "3",
        "group.max.size": "5",
        "node.id": "1",
    }


def test_an_option_tells_its_type(world: World) -> None:
    world.create()
    found = configs(world)
    types = {
        "preallocate": 1,
        "compression.type": 2,
        "segment.bytes": 3,
        "retention.ms": 5,
        "min.cleanable.dirty.ratio": 6,
        "cleanup.policy": 7,
    }
    assert {name: found[name].type for name in types} == types


def test_options_are_set_and_deleted_while_the_topic_is_in_use(world: World) -> None:
    world.create()
    assert alter(world, ConfigChange("max.message.bytes", SET, "10")) is E.NONE
    assert world.produce(batch(b"a")).error is E.MESSAGE_TOO_LARGE
    world.restart()
    assert world.produce(batch(b"a")).error is E.MESSAGE_TOO_LARGE
    assert alter(world, ConfigChange("max.message.bytes", DELETE, None)) is E.NONE
    assert world.produce(batch(b"a")).error is E.NONE


@pytest.mark.parametrize("broker", ["1", ""])
def test_a_default_that_is_set_while_brokers_run_holds_at_once(world: World, broker: str) -> None:
    world.create()
    change = ConfigChange("message.max.bytes", SET, "10")
    asked = AlterConfigs(((Resource(BROKER_RESOURCE, broker), (change,)),))
    assert world.ask(asked).resources[0].error is E.NONE
    assert world.produce(batch(b"a")).error is E.MESSAGE_TOO_LARGE
    world.create("later")
    assert world.produce(batch(b"a"), topic="later").error is E.MESSAGE_TOO_LARGE
    world.restart()
    assert world.produce(batch(b"a")).error is E.MESSAGE_TOO_LARGE
    alter(world, ConfigChange("max.message.bytes", SET, "1000"))
    assert world.produce(batch(b"a")).error is E.NONE


def test_an_option_and_a_later_default_may_contradict_each_other(world: World) -> None:
    world.create(min_compaction_lag_ms="200")
    shared = Resource(BROKER_RESOURCE, "")
    change = ConfigChange("log.cleaner.max.compaction.lag.ms", SET, "100")
    assert world.ask(AlterConfigs(((shared, (change,)),))).resources[0].error is E.NONE
    own = Resource(BROKER_RESOURCE, "1")
    change = ConfigChange("log.cleaner.min.compaction.lag.ms", SET, "300")
    assert world.ask(AlterConfigs(((own, (change,)),))).resources[0].error is E.NONE
    assert world.produce(batch(b"a")).error is E.NONE
    assert alter(world, ConfigChange("retention.ms", SET, "1")) is E.INVALID_CONFIG


def test_lists_grow_and_shrink(world: World) -> None:
    world.create()
    assert alter(world, ConfigChange("cleanup.policy", APPEND, "compact")) is E.NONE
    assert configs(world)["cleanup.policy"].value == "delete,compact"
    assert alter(world, ConfigChange("cleanup.policy", SUBTRACT, "delete")) is E.NONE
    assert configs(world)["cleanup.policy"].value == "compact"


def test_replacing_all_options_forgets_the_others(world: World) -> None:
    world.create(retention_ms="1", segment_bytes="1000")
    change = ConfigChange("retention.ms", SET, "2")
    assert alter(world, change, replaces_all=True) is E.NONE
    assert configs(world)["segment.bytes"].source == SOURCE_DEFAULT
    assert configs(world)["retention.ms"].value == "2"


@pytest.mark.parametrize(
    "change",
    [
        ConfigChange("no.such.option", SET, "1"),
        ConfigChange("retention.ms", SET, None),
        ConfigChange("retention.ms", APPEND, "1"),
        ConfigChange("retention.ms", SET, "soon"),
    ],
)
def test_a_bad_change_is_refused(world: World, change: ConfigChange) -> None:
    world.create()
    assert alter(world, change) is E.INVALID_CONFIG
    assert all(c.source != SOURCE_TOPIC for c in configs(world).values())
