"""Options of topics and brokers: which may be set while brokers run, and to what.

A change of `min.insync.replicas`, or of `unclean.leader.election.enable`, also changes partitions:
whom the former minimum made eligible is not eligible any more where the new one is reached, and
what had no leader may get one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from impl.core.cluster.catalogue import Topic
from impl.core.cluster.configuring import LIST_TYPE, Describing, type_of
from impl.core.cluster.current_options import (
    ALL_BROKERS,
    MIN_INSYNC_REPLICAS,
    CurrentOptions,
    dynamic_options,
)
from impl.core.cluster.messages import (
    APPEND,
    BROKER_RESOURCE,
    DELETE,
    SET,
    SUBTRACT,
    TOPIC_RESOURCE,
    AlterConfigs,
    AlteredConfigs,
    ConfigChange,
    Resource,
    ResourceOutcome,
)
from impl.core.cluster.metadata_records import ConfigRecord
from impl.core.config import (
    ConfigError,
    TopicConfig,
    options,
    parse_options,
    parse_properties,
    topic_options_of_broker,
)
from impl.core.controller.cluster import Cluster
from impl.core.controller.leadership import elect_leaderless
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


def check_topic_configs(current: CurrentOptions, configs: Mapping[str, str]) -> None:
    """TOPC-08. Raises KafkaError."""
    try:
        parse_options(TopicConfig, configs, current.topic_defaults).check_lags()
    except ConfigError as problem:
        raise KafkaError(ErrorCode.INVALID_CONFIG, str(problem)) from problem


class Configs:
    def __init__(self, cluster: Cluster, describing: Describing) -> None:
        self._cluster = cluster
        self._describing = describing

    def alter(self, request: AlterConfigs) -> AlteredConfigs:
        times = Counter(resource for resource, _ in request.changes)
        outcomes = []
        for resource, changes in dict(request.changes).items():
            try:
                if times[resource] > 1:
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "The resource is named twice.")
                records = self._plan(resource, changes, request.replaces_all)
            except KafkaError as refused:
                outcomes.append(ResourceOutcome(resource, refused.error, refused.message))
                continue
            if not request.validate_only:
                self._write(records)
            outcomes.append(ResourceOutcome(resource))
        return AlteredConfigs(tuple(outcomes))

    # What is to be written

    def _plan(
        self, resource: Resource, changes: Sequence[ConfigChange], replaces_all: bool
    ) -> list[ConfigRecord]:
        if len({change.name for change in changes}) < len(changes):
            raise KafkaError(ErrorCode.INVALID_REQUEST, "An option is named twice.")
        if resource.type == TOPIC_RESOURCE:
            present, current_list = self._of_topic(resource.name)
        elif resource.type == BROKER_RESOURCE:
            present, current_list = self._of_brokers(resource.name)
        else:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"There is no resource {resource}.")
        wanted = {} if replaces_all else dict(present)
        for change in changes:
            _apply(change, wanted, current_list)
        if resource.type == TOPIC_RESOURCE:
            check_topic_configs(self._cluster.options, wanted)
        else:
            self._check_broker(resource.name, present, wanted)
        names = [name for name in present if name not in wanted]
        names += [name for name, value in wanted.items() if present.get(name) != value]
        return [ConfigRecord(resource.type, resource.name, n, wanted.get(n)) for n in names]

    def _of_topic(self, name: str) -> tuple[Mapping[str, str], Callable[[str], str | None]]:
        topic = self._cluster.catalogue.topics.get(name)
        if topic is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

        def current_list(option: str) -> str | None:
            definition = options(TopicConfig).get(option)
            if definition is None:
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"There is no option {option}.")
            if type_of(TopicConfig, definition) != LIST_TYPE:
                return None
            return self._describing.topic_option(definition, topic.configs).value

        return topic.configs, current_list

    def _of_brokers(self, name: str) -> tuple[Mapping[str, str], Callable[[str], str | None]]:
        catalogue = self._cluster.catalogue
        if name != ALL_BROKERS and name not in map(str, catalogue.brokers):
            raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"There is no broker {name}.")
        present = catalogue.broker_configs.get(name, {})
        topic_options = topic_options_of_broker()

        def current_list(option: str) -> str | None:
            definition = options(TopicConfig).get(topic_options.get(option, ""))
            if definition is None or type_of(TopicConfig, definition) != LIST_TYPE:
                return None
            default = self._describing.topic_option(definition, {}).value
            return present.get(option, default)

        return present, current_list

    def _check_broker(self, name: str, present: Mapping[str, str], wanted: dict[str, str]) -> None:
        if fixed := sorted(wanted.keys() - dynamic_options()):
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, f"Option {fixed[0]} cannot change while a broker runs."
            )
        if self._cluster.has_eligible and (
            present.get(MIN_INSYNC_REPLICAS) != wanted.get(MIN_INSYNC_REPLICAS)
            and (name != ALL_BROKERS or MIN_INSYNC_REPLICAS not in wanted)
        ):
            # Who is eligible to lead depends on it, so all must go by one and the same value.
            raise KafkaError(
                ErrorCode.INVALID_CONFIG,
                f"Option {MIN_INSYNC_REPLICAS} is one for all brokers, and cannot be removed.",
            )
        try:
            static = self._cluster.options.static
            properties = parse_properties({**static.given, **wanted}, *static.others)
            properties.topic_defaults.check_lags()
        except ConfigError as problem:
            raise KafkaError(ErrorCode.INVALID_REQUEST, str(problem)) from problem

    # What follows

    def _write(self, records: Sequence[ConfigRecord]) -> None:
        before = self._options_by_topic()
        self._cluster.ledger.write(*records)
        for topic in tuple(self._cluster.catalogue.topics.values()):
            now, former = self._cluster.options.of_topic(topic), before[topic.name]
            if now.min_insync_replicas != former.min_insync_replicas:
                self._reconsider_eligible(topic)
            if now.unclean_leader_election_enable and not former.unclean_leader_election_enable:
                elect_leaderless(self._cluster, topic)

    def _options_by_topic(self) -> dict[str, TopicConfig]:
        topics = self._cluster.catalogue.topics.values()
        return {topic.name: self._cluster.options.of_topic(topic) for topic in topics}

    def _reconsider_eligible(self, topic: Topic) -> None:
        for index, assignment in tuple(topic.partitions.items()):
            if assignment.eligible_leader_replicas:
                self._cluster.change(topic, index, assignment)


def _apply(
    change: ConfigChange, wanted: dict[str, str], current_list: Callable[[str], str | None]
) -> None:
    if change.operation == DELETE:
        current_list(change.name)  # refuses a name that is none
        wanted.pop(change.name, None)
        return
    if change.value is None:
        raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {change.name} has no value.")
    if change.operation == SET:
        wanted[change.name] = change.value
        return
    if change.operation not in (APPEND, SUBTRACT):
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"No operation {change.operation}.")
    listed = current_list(change.name)
    if listed is None:
        raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {change.name} is not a list.")
    current, given = listed.split(","), change.value.split(",")
    if change.operation == APPEND:
        kept = current + [value for value in given if value not in current]
    else:
        kept = [value for value in current if value not in given]
    wanted[change.name] = ",".join(kept)
