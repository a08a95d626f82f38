"""What any broker answers about the cluster: CLUS-09, CLUS-10, TOPC-13, GRPS-27."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from impl.core.cluster.administration import Administration
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.messages import (
    BROKER_RESOURCE,
    CreatedTopics,
    CreateTopics,
    DescribeConfigs,
    DescribedCluster,
    DescribedPartitions,
    DescribePartitions,
    DescribeTopics,
    Endpoint,
    NewTopic,
    PartitionCursor,
    Resource,
)
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import OFFSETS_TOPIC, TopicReference
from impl.core.events import Call, Reply, Send
from impl.core.groups.lookup import GROUP, FindCoordinators
from spec.wire.errors import ErrorCode
from tests.impl.controller_world import CLUSTER, START_MS, TOPIC, ControllerWorld

E = ErrorCode
CONTROLLER = Endpoint(9, "localhost", 9099)
OFFSETS = NewTopic(OFFSETS_TOPIC, 4, 3, configs=(("cleanup.policy", "compact"),))
CALL = Call(1, 1)


class Side:
    """Broker 1, which has read the log of a controller's world."""

    def __init__(self, world: ControllerWorld, node_id: int = 1) -> None:
        self.world = world
        self.standing = Standing(node_id, CLUSTER, controller=CONTROLLER)
        self.catalogue = Catalogue()
        options = CurrentOptions(world.properties, self.catalogue)
        self.administration = Administration(
            self.standing, self.catalogue, options, {OFFSETS_TOPIC: OFFSETS}
        )
        self._read = 0
        self.sent: list[Send] = []

    def catch_up(self) -> None:
        for record in self.world.log[self._read :]:
            self.catalogue.apply(record)
        self._read = len(self.world.log)

    def ask(self, request: Any) -> Any:
        reply, *sent = self.administration.handle(CALL, request, START_MS)
        assert isinstance(reply, Reply)
        for each in sent:
            assert isinstance(each, Send)
            self.sent.append(each)
        return reply.result

    def describe(self, *topics: TopicReference, create: bool = False) -> DescribedCluster:
        found: DescribedCluster = self.ask(DescribeTopics(topics, create))
        return found

    def asked_for(self) -> list[NewTopic]:
        assert all(isinstance(each.request, CreateTopics) for each in self.sent)
        return [topic for each in self.sent for topic in each.request.topics]


@pytest.fixture
def side() -> Side:
    world = ControllerWorld(brokers=3)
    side = Side(world)
    world.create(2, 1, 3)
    side.catch_up()
    return side


def test_every_leader_that_is_named_can_be_reached(side: Side) -> None:
    found = side.describe(TOPIC)
    assert [broker.node_id for broker in found.brokers] == [1, 2, 3]
    (partition,) = found.topics[0].partitions
    assert (partition.error, partition.leader, partition.offline_replicas) == (E.NONE, 2, ())


def test_a_partition_without_a_leader_says_so(side: Side) -> None:
    side.world.fall_silent(1, 2, 3)
    side.catch_up()
    found = side.describe(TOPIC)
    assert (found.brokers, found.controller_id) == ((), -1)
    assert [broker.node_id for broker in found.fenced] == [1, 2, 3]
    (partition,) = found.topics[0].partitions
    assert (partition.error, partition.leader) == (E.LEADER_NOT_AVAILABLE, -1)
    assert partition.replicas == partition.offline_replicas == (2, 1, 3)
    assert partition.eligible_leader_replicas == (3,)


def test_a_leader_that_was_unregistered_is_not_named(side: Side) -> None:
    """Between two records of one decision the log has such a leader."""
    broker = side.catalogue.brokers.pop(2)
    assert side.describe(TOPIC).topics[0].partitions[0].leader == -1
    side.catalogue.brokers[2] = broker
    assert side.describe(TOPIC).topics[0].partitions[0].leader == 2


def test_any_broker_that_is_alive_is_named_as_controller(side: Side) -> None:
    assert side.describe().controller_id == 1
    side.world.fall_silent(1)
    side.catch_up()
    assert side.describe().controller_id == 2


def test_all_topics_and_unknown_ones(side: Side) -> None:
    everything = side.ask(DescribeTopics(None, allow_auto_topic_creation=True))
    assert [topic.name for topic in everything.topics] == [TOPIC]
    found = side.describe("none", "a b", UUID(int=99))
    assert [topic.error for topic in found.topics] == [
        E.UNKNOWN_TOPIC_OR_PARTITION,
        E.INVALID_TOPIC_EXCEPTION,
        E.UNKNOWN_TOPIC_ID,
    ]
    assert not side.sent


# Topics that come into being by the way


def test_a_missing_topic_is_asked_for_once(side: Side) -> None:
    for _ in range(2):
        found = side.describe("new", "a b", TOPIC, create=True)
        assert found.topics[0].error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert side.asked_for() == [NewTopic("new", 1, 1)]
    assert side.sent[0].to == CONTROLLER
    answered = side.administration.answered(side.sent[0], CreatedTopics(()), START_MS)
    assert answered == []
    side.describe("new", create=True)
    assert len(side.sent) == 2


def test_a_topic_is_not_created_where_one_side_forbids_it() -> None:
    world = ControllerWorld(brokers=1, auto_create_topics_enable="false")
    side = Side(world)
    side.catch_up()
    side.describe("new", create=True)
    side.describe("new", create=False)
    assert not side.sent


def test_a_topic_is_not_created_while_nobody_is_controller(side: Side) -> None:
    side.standing.controller = None
    assert side.describe("new", create=True).topics[0].error is E.UNKNOWN_TOPIC_OR_PARTITION
    assert not side.sent
    side.standing.controller = CONTROLLER
    side.describe("new", create=True)
    assert side.asked_for() == [NewTopic("new", 1, 1)]


def test_the_topic_of_the_coordinators_is_created_when_somebody_looks(side: Side) -> None:
    found = side.ask(FindCoordinators(GROUP, ("g",)))
    assert found.coordinators[0].error is E.COORDINATOR_NOT_AVAILABLE
    assert side.asked_for() == [OFFSETS]
    assert side.world.ask(side.sent[0].request).topics[0].error is E.NONE
    side.catch_up()
    found = side.ask(FindCoordinators(GROUP, ("g",)))
    assert found.coordinators[0].broker in side.describe().brokers


def test_few_brokers_hold_fewer_copies_of_internal_topics() -> None:
    world = ControllerWorld(brokers=1)
    side = Side(world)
    side.catch_up()
    side.describe(OFFSETS_TOPIC, create=True)
    assert [topic.replication_factor for topic in side.asked_for()] == [1]


# Page by page


def page(side: Side, limit: int, *topics: str, cursor: PartitionCursor | None = None) -> Any:
    found: DescribedPartitions = side.ask(DescribePartitions(topics, limit, cursor))
    described = [
        (topic.name, [each.partition for each in topic.partitions]) for topic in found.topics
    ]
    return described, found.next_cursor


def test_partitions_are_described_page_by_page(side: Side) -> None:
    side.world.spread(3, 1, name="b")
    side.world.spread(2, 1, name="a")
    side.catch_up()
    assert page(side, 2) == ([("a", [0, 1])], PartitionCursor("b", 0))
    assert page(side, 2, cursor=PartitionCursor("b", 0)) == (
        [("b", [0, 1])],
        PartitionCursor("b", 2),
    )
    assert page(side, 2, cursor=PartitionCursor("b", 2)) == ([("b", [2]), (TOPIC, [0])], None)
    assert page(side, 0, "b") == ([("b", [0])], PartitionCursor("b", 1))
    assert page(side, 9, "b", "none", "a") == (
        [("a", [0, 1]), ("b", [0, 1, 2]), ("none", [])],
        None,
    )


def test_a_cursor_before_the_first_partition_is_refused(side: Side) -> None:
    asked = DescribePartitions((TOPIC,), 1, PartitionCursor(TOPIC, -1))
    assert side.ask(asked).error is E.INVALID_REQUEST


# Options


def test_a_broker_describes_itself_and_no_other(side: Side) -> None:
    own, other = Resource(BROKER_RESOURCE, "1"), Resource(BROKER_RESOURCE, "2")
    answer = side.ask(DescribeConfigs(((own, ("node.id",)), (other, None))))
    assert [each.error for each in answer.resources] == [E.NONE, E.INVALID_REQUEST]
    assert [config.name for config in answer.resources[0].configs] == ["node.id"]
