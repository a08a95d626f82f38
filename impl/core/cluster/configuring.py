"""Options as clients see them: each with its value, its source, and what the value hides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, get_type_hints

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.current_options import ALL_BROKERS, CurrentOptions, dynamic_options
from impl.core.cluster.messages import (
    BROKER_RESOURCE,
    SOURCE_DEFAULT,
    SOURCE_DYNAMIC_BROKER,
    SOURCE_DYNAMIC_DEFAULT_BROKER,
    SOURCE_STATIC_BROKER,
    SOURCE_TOPIC,
    TOPIC_RESOURCE,
    ConfigsOfResource,
    ConfigSynonym,
    DescribeConfigs,
    DescribedConfig,
    DescribedConfigs,
    Resource,
)
from impl.core.config import (
    INT_MAX,
    LONG_MAX,
    BrokerConfig,
    TopicConfig,
    option_name,
    options,
    render_option,
    topic_options_of_broker,
)
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

LIST_TYPE = 7
_BOOLEAN, _STRING, _INT, _LONG, _DOUBLE = 1, 2, 3, 5, 6


def type_of(kind: type[Any], definition: Field[Any]) -> int:
    type_ = get_type_hints(kind)[definition.name]
    if type_ is int:
        return _INT if definition.metadata.get("at_most", LONG_MAX) <= INT_MAX else _LONG
    return {bool: _BOOLEAN, str: _STRING, float: _DOUBLE}.get(type_, LIST_TYPE)


class Describing:
    def __init__(self, catalogue: Catalogue, current: CurrentOptions) -> None:
        self._catalogue = catalogue
        self._current = current

    def describe(self, request: DescribeConfigs) -> DescribedConfigs:
        return DescribedConfigs(
            tuple(self._describe_resource(r, names) for r, names in request.resources)
        )

    def _describe_resource(
        self, resource: Resource, names: tuple[str, ...] | None
    ) -> ConfigsOfResource:
        try:
            configs = self._configs_of(resource)
        except KafkaError as refused:
            return ConfigsOfResource(resource, refused.error, refused.message)
        chosen = tuple(c for c in configs if names is None or c.name in names)
        return ConfigsOfResource(resource, configs=chosen)

    def _configs_of(self, resource: Resource) -> tuple[DescribedConfig, ...]:
        if resource.type == TOPIC_RESOURCE:
            topic = self._catalogue.find(resource.name)
            if topic is None:
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            return self.of_topic(topic.configs)
        if resource.type == BROKER_RESOURCE and resource.name == ALL_BROKERS:
            # Of the options that all brokers share, only those that were set are anybody's.
            shared = self._current.of_all_brokers
            return tuple(each for each in self._of_broker(own={}) if each.name in shared)
        if resource.type == BROKER_RESOURCE and resource.name == self._node_name:
            return tuple(self._of_broker(self._current.of_this_broker))
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"There is no resource {resource} here.")

    @property
    def _node_name(self) -> str:
        return str(self._current.static.broker.node_id)

    # Topics

    def of_topic(self, overrides: Mapping[str, str]) -> tuple[DescribedConfig, ...]:
        return tuple(self.topic_option(d, overrides) for d in fields(TopicConfig))

    def topic_option(
        self, definition: Field[Any], overrides: Mapping[str, str]
    ) -> DescribedConfig:
        name = option_name(definition)
        synonyms = self._synonyms(
            definition.metadata["broker"] or name,
            render_option(definition.default),
            self._current.of_this_broker,
        )
        if name in overrides:
            synonyms.insert(0, ConfigSynonym(name, overrides[name], SOURCE_TOPIC))
        type_ = type_of(TopicConfig, definition)
        counts = synonyms[0]
        return DescribedConfig(name, counts.value, counts.source, type_, synonyms=tuple(synonyms))

    # Brokers

    def _of_broker(self, own: Mapping[str, str]) -> Iterator[DescribedConfig]:
        may_change = dynamic_options()
        for name, type_, default in self._broker_options():
            synonyms = tuple(self._synonyms(name, default, own))
            yield DescribedConfig(
                name,
                synonyms[0].value,
                synonyms[0].source,
                type_,
                is_read_only=name not in may_change,
                synonyms=synonyms,
            )

    def _broker_options(self) -> Iterator[tuple[str, int, str]]:
        kinds: tuple[type[Any], ...] = (BrokerConfig, *self._current.static.others)
        for kind in kinds:
            for name, definition in options(kind).items():
                yield name, type_of(kind, definition), render_option(definition.default)
        topic_options = options(TopicConfig)
        for name, topic_option in topic_options_of_broker().items():
            definition = topic_options[topic_option]
            yield name, type_of(TopicConfig, definition), render_option(definition.default)

    def _synonyms(self, name: str, default: str, own: Mapping[str, str]) -> list[ConfigSynonym]:
        """The value that counts, after which come those that it hides."""
        sources = (
            (own, SOURCE_DYNAMIC_BROKER),
            (self._current.of_all_brokers, SOURCE_DYNAMIC_DEFAULT_BROKER),
            (self._current.static.given, SOURCE_STATIC_BROKER),
            ({name: default}, SOURCE_DEFAULT),
        )
        return [
            ConfigSynonym(name, values[name], source)
            for values, source in sources
            if name in values
        ]
