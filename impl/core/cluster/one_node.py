"""The cluster of one node, as it was before nodes formed a quorum; until `Broker` has moved on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.configuring import LIST_TYPE, Describing, type_of
from impl.core.cluster.controller import Controller
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.electing import ElectLeaders, elect_leaders
from impl.core.cluster.messages import (
    APPEND,
    DELETE,
    SET,
    SUBTRACT,
    TOPIC_RESOURCE,
    AlterConfigs,
    AlteredConfigs,
    ConfigChange,
    CreatedPartitions,
    CreatedTopic,
    CreatedTopics,
    CreatePartitions,
    CreateTopics,
    DeletedTopic,
    DeletedTopics,
    DeleteTopics,
    DescribeConfigs,
    DescribedCluster,
    DescribedPartition,
    DescribedTopic,
    DescribeTopics,
    Endpoint,
    MorePartitions,
    NewTopic,
    Resource,
    ResourceOutcome,
    TopicOutcome,
)
from impl.core.cluster.metadata_records import ConfigRecord, MetadataRecord
from impl.core.cluster.topics import (
    INTERNAL_TOPICS,
    NO_TOPIC_ID,
    OFFSETS_TOPIC,
    TopicReference,
    name_problem,
)
from impl.core.config import Properties, TopicConfig, options
from impl.core.groups.config import GroupConfig
from impl.core.groups.lookup import (
    GROUP,
    FindCoordinators,
    FoundCoordinators,
    find_coordinators,
)
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

Commit: TypeAlias = Callable[[Sequence[MetadataRecord], int], None]

_OFFSETS_TOPIC_CONFIGS = (
    ("cleanup.policy", "compact"),
    ("compression.type", "producer"),
    ("segment.bytes", str(100 << 20)),
)


class Administration:
    def __init__(
        self,
        catalogue: Catalogue,
        controller: Controller,
        properties: Properties,
        endpoint: Endpoint,
        cluster_id: str,
        commit: Commit,
    ) -> None:
        self._catalogue = catalogue
        self._controller = controller
        self._properties = properties
        self._endpoint = endpoint
        self._cluster_id = cluster_id
        self._commit = commit
        self._describing = Describing(catalogue, CurrentOptions(properties, catalogue))

    def handle(self, request: Any, now_ms: int) -> Any:
        match request:
            case DescribeTopics():
                return self._describe(request, now_ms)
            case CreateTopics():
                return self._create_topics(request, now_ms)
            case DeleteTopics():
                return self._delete_topics(request, now_ms)
            case CreatePartitions():
                return self._create_partitions(request, now_ms)
            case FindCoordinators():
                return self._find_coordinators(request, now_ms)
            case DescribeConfigs():
                return self._describing.describe(request)
            case AlterConfigs():
                return self._alter_configs(request, now_ms)
            case ElectLeaders():
                return elect_leaders(self._catalogue, request)
        raise AssertionError(f"nobody serves {request!r}")

    # Metadata

    def _describe(self, request: DescribeTopics, now_ms: int) -> DescribedCluster:
        asked: Sequence[TopicReference] = (
            tuple(self._catalogue.topics) if request.topics is None else request.topics
        )
        may_create = (
            request.allow_auto_topic_creation and self._properties.broker.auto_create_topics_enable
        )
        return DescribedCluster(
            cluster_id=self._cluster_id,
            controller_id=self._endpoint.node_id,
            brokers=(self._endpoint,),
            topics=tuple(self._describe_topic(r, now_ms, may_create) for r in asked),
        )

    def _describe_topic(
        self, reference: TopicReference, now_ms: int, may_create: bool
    ) -> DescribedTopic:
        topic = self._catalogue.find(reference)
        if topic is not None:
            return _described(topic)
        if not isinstance(reference, str):  # TOPC-10
            return DescribedTopic(None, reference, ErrorCode.UNKNOWN_TOPIC_ID)
        is_internal = reference in INTERNAL_TOPICS
        error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if name_problem(reference):
            error = ErrorCode.INVALID_TOPIC_EXCEPTION
        elif may_create:  # TOPC-13
            try:
                return _described(self._auto_create(reference, now_ms))
            except KafkaError as refused:
                error = refused.error
        return DescribedTopic(reference, error=error, is_internal=is_internal)

    def _auto_create(self, name: str, now_ms: int) -> Topic:
        """Raises KafkaError."""
        asked = NewTopic(name)
        if name == OFFSETS_TOPIC:
            groups: GroupConfig = self._properties.others[GroupConfig]
            count = groups.offsets_topic_num_partitions
            asked = NewTopic(name, count, 1, configs=_OFFSETS_TOPIC_CONFIGS)
        self._commit(self._controller.create_topic(asked).records, now_ms)
        return self._catalogue.topics[name]

    # CreateTopics

    def _create_topics(self, request: CreateTopics, now_ms: int) -> CreatedTopics:
        times = Counter(topic.name for topic in request.topics)
        answers = []
        for asked in {topic.name: topic for topic in request.topics}.values():
            if times[asked.name] > 1:
                message = f"Topic '{asked.name}' is asked for more than once."
                answers.append(CreatedTopic(asked.name, ErrorCode.INVALID_REQUEST, message))
                continue
            answers.append(self._create_topic(asked, request.validate_only, now_ms))
        return CreatedTopics(tuple(answers))

    def _create_topic(self, asked: NewTopic, validate_only: bool, now_ms: int) -> CreatedTopic:
        try:
            planned = self._controller.create_topic(asked)
            if not validate_only:  # TOPC-06
                self._commit(planned.records, now_ms)
        except KafkaError as refused:
            return CreatedTopic(asked.name, refused.error, refused.message)
        return CreatedTopic(
            asked.name,
            topic_id=NO_TOPIC_ID if validate_only else planned.topic_id,
            num_partitions=len(planned.assignment),
            replication_factor=len(planned.assignment[0]),
            configs=self._describing.of_topic(planned.configs),
        )

    # DeleteTopics

    def _delete_topics(self, request: DeleteTopics, now_ms: int) -> DeletedTopics:
        times = Counter(request.topics)
        return DeletedTopics(
            tuple(
                self._delete_topic(reference, is_repeated=times[reference] > 1, now_ms=now_ms)
                for reference in times
            )
        )

    def _delete_topic(
        self, reference: TopicReference, *, is_repeated: bool, now_ms: int
    ) -> DeletedTopic:
        topic = self._catalogue.find(reference)
        by_name = isinstance(reference, str)
        name = topic.name if topic else reference if isinstance(reference, str) else None
        asked_id = NO_TOPIC_ID if isinstance(reference, str) else reference
        topic_id = topic.topic_id if topic else asked_id
        if is_repeated:
            what = "name" if by_name else "id"
            message = f"The topic {what} is asked for more than once."
            return DeletedTopic(name, topic_id, ErrorCode.INVALID_REQUEST, message)
        try:
            self._commit(self._controller.delete_topic(reference), now_ms)
        except KafkaError as refused:
            return DeletedTopic(name, topic_id, refused.error, refused.message)
        return DeletedTopic(name, topic_id)

    # CreatePartitions

    def _create_partitions(self, request: CreatePartitions, now_ms: int) -> CreatedPartitions:
        times = Counter(topic.name for topic in request.topics)
        answers = []
        for asked in {topic.name: topic for topic in request.topics}.values():
            if times[asked.name] > 1:
                message = f"Topic '{asked.name}' is asked for more than once."
                answers.append(TopicOutcome(asked.name, ErrorCode.INVALID_REQUEST, message))
                continue
            answers.append(self._add_partitions(asked, request.validate_only, now_ms))
        return CreatedPartitions(tuple(answers))

    def _add_partitions(
        self, asked: MorePartitions, validate_only: bool, now_ms: int
    ) -> TopicOutcome:
        try:
            records = self._controller.create_partitions(asked)
            if not validate_only:
                self._commit(records, now_ms)
        except KafkaError as refused:
            return TopicOutcome(asked.name, refused.error, refused.message)
        return TopicOutcome(asked.name)

    # FindCoordinator

    def _find_coordinators(self, request: FindCoordinators, now_ms: int) -> FoundCoordinators:
        """GRPS-27. The topic that decides is created when somebody first asks."""
        if request.key_type == GROUP and OFFSETS_TOPIC not in self._catalogue.topics:
            with suppress(KafkaError):  # what could not be created is not available
                self._auto_create(OFFSETS_TOPIC, now_ms)
        alive = {self._endpoint.node_id: self._endpoint}
        return find_coordinators(request, self._catalogue, alive)

    # Altering

    def _alter_configs(self, request: AlterConfigs, now_ms: int) -> AlteredConfigs:
        times = Counter(resource for resource, _ in request.changes)
        outcomes = []
        for resource, changes in dict(request.changes).items():
            try:
                if times[resource] > 1:
                    raise KafkaError(ErrorCode.INVALID_REQUEST, "The resource is named twice.")
                records = self._plan_configs(resource, changes, request.replaces_all)
                if not request.validate_only:
                    self._commit(records, now_ms)
            except KafkaError as refused:
                outcomes.append(ResourceOutcome(resource, refused.error, refused.message))
            else:
                outcomes.append(ResourceOutcome(resource))
        return AlteredConfigs(tuple(outcomes))

    def _plan_configs(
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
        if type_of(TopicConfig, definition) != LIST_TYPE:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {change.name} is not a list.")
        current = self._describing.topic_option(definition, topic.configs).value.split(",")
        given = change.value.split(",")
        if change.operation == APPEND:
            kept = current + [value for value in given if value not in current]
        else:
            kept = [value for value in current if value not in given]
        wanted[change.name] = ",".join(kept)


def _described(topic: Topic) -> DescribedTopic:
    return DescribedTopic(
        topic.name,
        topic.topic_id,
        is_internal=topic.name in INTERNAL_TOPICS,  # TOPC-14
        partitions=tuple(_described_partition(i, a) for i, a in topic.partitions.items()),
    )


def _described_partition(partition: int, assignment: Assignment) -> DescribedPartition:
    return DescribedPartition(
        partition,
        assignment.leader,
        assignment.leader_epoch,
        assignment.replicas,
        assignment.isr,
    )
