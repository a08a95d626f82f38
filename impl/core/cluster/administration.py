"""Topics and coordinators: described from the catalogue, changed through the controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from impl.core.cluster import configuring
from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.controller import Controller
from impl.core.cluster.electing import ElectLeaders, elect_leaders
from impl.core.cluster.messages import (
    AlterConfigs,
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
    TopicOutcome,
)
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.cluster.topics import (
    INTERNAL_TOPICS,
    NO_TOPIC_ID,
    OFFSETS_TOPIC,
    TopicReference,
    name_problem,
)
from impl.core.config import Properties
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
        self._configuring = configuring.Configuring(
            catalogue, controller, properties, endpoint.node_id, commit
        )

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
                return self._configuring.describe(request)
            case AlterConfigs():
                return self._configuring.alter(request, now_ms)
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
            configs=self._configuring.of_topic(planned.configs),
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
