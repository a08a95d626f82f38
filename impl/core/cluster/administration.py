"""What any broker answers about the cluster, and the topics that come into being by the way.

Metadata, coordinators and options are told from what this broker has read of the metadata log;
it decides nothing. A topic that is missing is asked for at the controller, and whoever wanted it
is told to ask again (TOPC-13, GRPS-27).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.configuring import Describing
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.describing import described_partitions, described_topic, unknown_topic
from impl.core.cluster.messages import (
    CreateTopics,
    DescribeConfigs,
    DescribedCluster,
    DescribedTopic,
    DescribePartitions,
    DescribeTopics,
    NewTopic,
)
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import TopicReference
from impl.core.events import Call, Output, Reply, Send
from impl.core.groups.lookup import COORDINATOR_TOPICS, FindCoordinators, find_coordinators
from spec.wire.errors import ErrorCode

ADMINISTRATION_REQUESTS = (DescribeTopics, DescribePartitions, FindCoordinators, DescribeConfigs)
LANE = "administration"
CREATION_TIMEOUT_MS = 10_000
NO_BROKER = -1


class Administration:
    def __init__(
        self,
        standing: Standing,
        catalogue: Catalogue,
        options: CurrentOptions,
        internal_topics: Mapping[str, NewTopic],
    ) -> None:
        """`internal_topics`: how each of the broker's own topics is to be created."""
        self._standing = standing
        self._catalogue = catalogue
        self._options = options
        self._internal_topics = internal_topics
        self._describing = Describing(catalogue, options)
        self._being_created: dict[Send, frozenset[str]] = {}

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        del now_ms
        match request:
            case DescribeTopics():
                return [Reply(call, self._describe(request)), *self._create_asked(request)]
            case DescribePartitions():
                return [Reply(call, described_partitions(self._catalogue, request))]
            case FindCoordinators():
                found = find_coordinators(request, self._catalogue, self._catalogue.alive)
                topic = COORDINATOR_TOPICS.get(request.key_type)
                return [Reply(call, found), *self._create([topic] if topic else [])]
            case DescribeConfigs():
                return [Reply(call, self._describing.describe(request))]
        raise AssertionError(f"nobody serves {request!r}")

    # Metadata

    def _describe(self, request: DescribeTopics) -> DescribedCluster:
        asked: Sequence[TopicReference] = (
            tuple(self._catalogue.topics) if request.topics is None else request.topics
        )
        alive = self._catalogue.alive
        brokers = sorted(self._catalogue.brokers.items())
        return DescribedCluster(
            cluster_id=self._standing.cluster_id,
            controller_id=self._some_broker(alive),
            brokers=tuple(alive.values()),
            topics=tuple(self._describe_topic(reference) for reference in asked),
            fenced=tuple(b.endpoint for broker_id, b in brokers if broker_id not in alive),
        )

    def _some_broker(self, alive: Iterable[int]) -> int:
        """Any will do: each passes on what is for the controller."""
        known = tuple(alive)
        if self._standing.node_id in known:
            return self._standing.node_id
        return known[0] if known else NO_BROKER

    def _describe_topic(self, reference: TopicReference) -> DescribedTopic:
        topic = self._catalogue.find(reference)
        if topic is not None:
            return described_topic(self._catalogue, topic)
        if not isinstance(reference, str):  # TOPC-10
            return DescribedTopic(None, reference, ErrorCode.UNKNOWN_TOPIC_ID)
        return unknown_topic(reference)

    # Topics that come into being by the way

    def _create_asked(self, request: DescribeTopics) -> list[Output]:
        """TOPC-13."""
        may_create = self._options.broker.auto_create_topics_enable
        if not may_create or not request.allow_auto_topic_creation or request.topics is None:
            return []
        return self._create(name for name in request.topics if isinstance(name, str))

    def _create(self, names: Iterable[str]) -> list[Output]:
        """Ask the controller for those that are missing and were not asked for already."""
        asked = frozenset().union(*self._being_created.values())
        missing = {
            name: self._new_topic(name)
            for name in names
            if name not in self._catalogue.topics
            and name not in asked
            and unknown_topic(name).error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        }
        if not missing or self._standing.controller is None:
            return []
        request = CreateTopics(tuple(missing.values()))
        send = Send(self._standing.controller, LANE, request, CREATION_TIMEOUT_MS)
        self._being_created[send] = frozenset(missing)
        return [send]

    def _new_topic(self, name: str) -> NewTopic:
        """The broker's own topics get fewer replicas than they should where brokers are few.

        Kafka refuses to create them then; but this broker is also used alone.
        """
        if name in self._internal_topics:
            internal = self._internal_topics[name]
            brokers = max(len(self._catalogue.alive), 1)
            return replace(internal, replication_factor=min(internal.replication_factor, brokers))
        config = self._options.broker
        return NewTopic(name, config.num_partitions, config.default_replication_factor)

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        """Whatever came of it: whoever still wants the topic asks again."""
        del answer, now_ms
        self._being_created.pop(sent, None)
        return []
