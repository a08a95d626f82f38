"""Options of brokers and topics: all are described, those of topics can be changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from typing import Any, get_type_hints

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.controller import Controller
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
    AlteredConfigs,
    ConfigChange,
    ConfigsOfResource,
    ConfigSynonym,
    DescribeConfigs,
    DescribedConfig,
    DescribedConfigs,
    Resource,
    ResourceOutcome,
)
from impl.core.cluster.metadata_records import ConfigRecord, MetadataRecord
from impl.core.config import (
    INT_MAX,
    BrokerConfig,
    Properties,
    TopicConfig,
    option_name,
    options,
    render_option,
)
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

_BOOLEAN, _STRING, _INT, _LONG, _DOUBLE, _LIST = 1, 2, 3, 5, 6, 7


class Configuring:
    def __init__(
        self,
        catalogue: Catalogue,
        controller: Controller,
        properties: Properties,
        node_id: int,
        commit: Callable[[Sequence[MetadataRecord], int], None],
    ) -> None:
        self._catalogue = catalogue
        self._controller = controller
        self._properties = properties
        self._node_id = node_id
        self._commit = commit

    # Describing

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
            return self.of_topic(self._controller.find(resource.name).configs)
        if resource.type == BROKER_RESOURCE and resource.name == "":
            return ()  # the options that all brokers share; none can be set at run time
        if resource.type == BROKER_RESOURCE and resource.name == str(self._node_id):
            return self._of_broker()
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"There is no resource {resource}.")

    def of_topic(self, overrides: Mapping[str, str]) -> tuple[DescribedConfig, ...]:
        return tuple(self._topic_option(d, overrides) for d in fields(TopicConfig))

    def _topic_option(
        self, definition: Field[Any], overrides: Mapping[str, str]
    ) -> DescribedConfig:
        """The value that counts, after which come those it hides."""
        name, broker_name = option_name(definition), definition.metadata["broker"]
        synonyms = []
        if name in overrides:
            synonyms.append(ConfigSynonym(name, overrides[name], SOURCE_TOPIC))
        if broker_name in self._properties.given:
            value = self._properties.given[broker_name]
            synonyms.append(ConfigSynonym(broker_name, value, SOURCE_STATIC_BROKER))
        default = render_option(definition.default)
        synonyms.append(ConfigSynonym(broker_name, default, SOURCE_DEFAULT))
        return DescribedConfig(
            name,
            synonyms[0].value,
            synonyms[0].source,
            _type_of(TopicConfig, definition),
            synonyms=tuple(synonyms),
        )

    def _of_broker(self) -> tuple[DescribedConfig, ...]:
        kinds: dict[type[Any], Any] = {
            BrokerConfig: self._properties.broker,
            **self._properties.others,
        }
        described = [
            self._broker_option(name, getattr(config, d.name), _type_of(kind, d))
            for kind, config in kinds.items()
            for name, d in options(kind).items()
        ]
        described += [
            self._broker_option(
                d.metadata["broker"],
                getattr(self._properties.topic_defaults, d.name),
                _type_of(TopicConfig, d),
            )
            for d in fields(TopicConfig)
        ]
        return tuple(described)

    def _broker_option(self, name: str, value: Any, type_: int) -> DescribedConfig:
        source = SOURCE_STATIC_BROKER if name in self._properties.given else SOURCE_DEFAULT
        text = render_option(value)
        synonyms = (ConfigSynonym(name, text, source),)
        return DescribedConfig(name, text, source, type_, is_read_only=True, synonyms=synonyms)

    # Altering

    def alter(self, request: AlterConfigs, now_ms: int) -> AlteredConfigs:
        times = Counter(resource for resource, _ in request.changes)
        outcomes = []
        for resource, changes in dict(request.changes).items():
            try:
                if times[resource] > 1:
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "The resource is named twice.")
                records = self._plan(resource, changes, request.replaces_all)
                if not request.validate_only:
                    self._commit(records, now_ms)
            except KafkaError as refused:
                outcomes.append(ResourceOutcome(resource, refused.error, refused.message))
            else:
                outcomes.append(ResourceOutcome(resource))
        return AlteredConfigs(tuple(outcomes))

    def _plan(
        self, resource: Resource, changes: Sequence[ConfigChange], replaces_all: bool
    ) -> list[ConfigRecord]:
        if resource.type != TOPIC_RESOURCE:
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, "Only the options of topics change while it runs."
            )
        if len({change.name for change in changes}) < len(changes):
            raise KafkaError(ErrorCode.INVALID_REQUEST, "An option is named twice.")
        topic = self._controller.find(resource.name)
        wanted = {} if replaces_all else dict(topic.configs)
        for change in changes:
            self._apply(change, topic, wanted)
        self._controller.check_topic_configs(wanted)
        names = [name for name in topic.configs if name not in wanted]
        names += [name for name, value in wanted.items() if topic.configs.get(name) != value]
        return [ConfigRecord(TOPIC_RESOURCE, topic.name, name, wanted.get(name)) for name in names]

    def _apply(self, change: ConfigChange, topic: Topic, wanted: dict[str, str]) -> None:
        definition = options(TopicConfig).get(change.name)
        if definition is None:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"There is no option {change.name}.")
        if change.operation == DELETE:
            wanted.pop(change.name, None)
            return
        if change.value is None:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {change.name} has no value.")
        if change.operation == SET:
            wanted[change.name] = change.value
            return
        if change.operation not in (APPEND, SUBTRACT):
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"No operation {change.operation}.")
        if _type_of(TopicConfig, definition) != _LIST:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {change.name} is not a list.")
        current = self._topic_option(definition, topic.configs).value.split(",")
        given = change.value.split(",")
        if change.operation == APPEND:
            kept = current + [value for value in given if value not in current]
        else:
            kept = [value for value in current if value not in given]
        wanted[change.name] = ",".join(kept)


def _type_of(kind: type[Any], definition: Field[Any]) -> int:
    type_ = get_type_hints(kind)[definition.name]
    if type_ is int:
        return _INT if definition.metadata.get("at_most") == INT_MAX else _LONG
    return {bool: _BOOLEAN, str: _STRING, float: _DOUBLE}.get(type_, _LIST)
