"""The options that hold now: a node's properties, below what was changed while it runs.

What counts is, in this order: the topic's own value, the value set for this broker, the value set
for all brokers, the broker's property, the default. Whether a value may be set is decided by
`impl.core.controller.configs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.config import (
    BrokerConfig,
    Properties,
    TopicConfig,
    parse_options,
    parse_properties,
    topic_options_of_broker,
)

ALL_BROKERS = ""
MIN_INSYNC_REPLICAS = "min.insync.replicas"

Options = TypeVar("Options")


def dynamic_options() -> frozenset[str]:
    """The broker options that can be set while brokers run: the defaults of topics, and a few."""
    return frozenset(topic_options_of_broker()) | {
        "follower.replication.throttled.rate",
        "leader.replication.throttled.rate",
        "producer.id.expiration.ms",
    }


class CurrentOptions:
    def __init__(self, properties: Properties, catalogue: Catalogue) -> None:
        self.static = properties
        self._catalogue = catalogue
        self._node = str(properties.broker.node_id)
        self._dynamic: dict[str, str] = {}
        self._effective = properties

    @property
    def of_all_brokers(self) -> Mapping[str, str]:
        return self._catalogue.broker_configs.get(ALL_BROKERS, {})

    @property
    def of_this_broker(self) -> Mapping[str, str]:
        return self._catalogue.broker_configs.get(self._node, {})

    @property
    def properties(self) -> Properties:
        """Read anew when something was changed."""
        dynamic = {**self.of_all_brokers, **self.of_this_broker}
        if dynamic != self._dynamic:
            known = {name: dynamic[name] for name in dynamic if name in dynamic_options()}
            given = {**self.static.given, **known}
            self._effective = parse_properties(given, *self.static.others)
            self._dynamic = dynamic
        return self._effective

    @property
    def broker(self) -> BrokerConfig:
        return self.properties.broker

    @property
    def topic_defaults(self) -> TopicConfig:
        return self.properties.topic_defaults

    def of(self, kind: type[Options]) -> Options:
        """The options of a room, by the dataclass that it gave to `parse_properties`."""
        found: Options = self.properties.others[kind]
        return found

    def of_topic(self, topic: Topic) -> TopicConfig:
        return parse_options(TopicConfig, topic.configs, self.topic_defaults)
