"""Topics come, grow and go: what is permitted, and the records that make it so.

TOPC-01 to TOPC-10. Topics of one request are dealt with one after the other, so that each sees
those before it, and a topic that is refused does not hinder the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.configuring import Describing
from impl.core.cluster.messages import (
    TOPIC_RESOURCE,
    USE_DEFAULT,
    CreatedPartitions,
    CreatedTopic,
    CreatedTopics,
    CreatePartitions,
    CreateTopics,
    DeletedTopic,
    DeletedTopics,
    DeleteTopics,
    MorePartitions,
    NewTopic,
    TopicOutcome,
)
from impl.core.cluster.metadata_records import (
    ConfigRecord,
    MetadataRecord,
    PartitionRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from impl.core.cluster.topics import (
    METADATA_TOPIC,
    NO_TOPIC_ID,
    TopicReference,
    collision_key,
    name_problem,
)
from impl.core.controller.cluster import Cluster
from impl.core.controller.configs import check_topic_configs
from impl.core.controller.placement import Replicas, drawing, place
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

MAXIMUM_PARTITIONS = 10_000

Asked = TypeVar("Asked", NewTopic, MorePartitions)


@dataclass(frozen=True, slots=True)
class _PlannedTopic:
    topic_id: UUID
    assignment: tuple[Replicas, ...]
    configs: dict[str, str]
    records: tuple[MetadataRecord, ...]


class Topics:
    def __init__(
        self, cluster: Cluster, describing: Describing, new_id: Callable[[], UUID]
    ) -> None:
        self._cluster = cluster
        self._describing = describing
        self._new_id = new_id
        self._draw = drawing(new_id)

    @property
    def _catalogue(self) -> Catalogue:
        return self._cluster.catalogue

    # CreateTopics

    def create(self, request: CreateTopics) -> CreatedTopics:
        answers = []
        for asked, is_repeated in _once(request.topics):
            if is_repeated:
                message = f"Topic '{asked.name}' is asked for more than once."
                answers.append(CreatedTopic(asked.name, ErrorCode.INVALID_REQUEST, message))
                continue
            answers.append(self._create(asked, request.validate_only))
        return CreatedTopics(tuple(answers))

    def _create(self, asked: NewTopic, validate_only: bool) -> CreatedTopic:
        try:
            planned = self._plan(asked)
        except KafkaError as refused:
            return CreatedTopic(asked.name, refused.error, refused.message)
        if not validate_only:  # TOPC-06
            self._cluster.ledger.write(*planned.records)
        return CreatedTopic(
            asked.name,
            topic_id=NO_TOPIC_ID if validate_only else planned.topic_id,
            num_partitions=len(planned.assignment),
            replication_factor=len(planned.assignment[0]),
            configs=self._describing.of_topic(planned.configs),
        )

    def _plan(self, asked: NewTopic) -> _PlannedTopic:
        self._check_name(asked.name)
        assignment = self._assignment(asked)
        configs = self._configs(asked.configs)
        topic_id = self._new_topic_id()
        records: list[MetadataRecord] = [TopicRecord(asked.name, topic_id)]
        records += [
            ConfigRecord(TOPIC_RESOURCE, asked.name, name, value)
            for name, value in configs.items()
        ]
        records += self._partition_records(topic_id, 0, assignment)
        return _PlannedTopic(topic_id, assignment, configs, tuple(records))

    def _check_name(self, name: str) -> None:
        if (problem := name_problem(name)) is not None:  # TOPC-01
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, problem)
        if name == METADATA_TOPIC:
            raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "The topic is the cluster's.")
        if name in self._catalogue.topics:  # TOPC-03
            raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        for other in self._catalogue.topics:
            if collision_key(other) == collision_key(name):  # TOPC-02
                raise KafkaError(
                    ErrorCode.INVALID_TOPIC_EXCEPTION,
                    f"Topic '{name}' collides with topic '{other}'.",
                )

    def _new_topic_id(self) -> UUID:
        """TOPC-09: never zero and never one that was there before."""
        used = {topic.topic_id for topic in self._catalogue.topics.values()}
        used |= self._catalogue.removed_topic_ids | {NO_TOPIC_ID}
        while (topic_id := self._new_id()) in used:
            pass
        return topic_id

    def _configs(self, asked: Sequence[tuple[str, str | None]]) -> dict[str, str]:
        configs: dict[str, str] = {}
        for name, value in asked:
            if value is None:  # TOPC-08
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {name} has no value.")
            configs[name] = value
        check_topic_configs(self._cluster.options, configs)
        return configs

    # Where partitions go

    def _assignment(self, asked: NewTopic) -> tuple[Replicas, ...]:
        if asked.assignment:
            return self._manual_assignment(asked)
        count, factor = asked.num_partitions, asked.replication_factor  # TOPC-04
        if factor == 0 or factor < USE_DEFAULT:
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                "The replication factor is at least 1, or -1 for the default.",
            )
        if count == 0 or count < USE_DEFAULT or count > MAXIMUM_PARTITIONS:
            raise KafkaError(
                ErrorCode.INVALID_PARTITIONS,
                f"A topic has 1 to {MAXIMUM_PARTITIONS} partitions, or -1 for the default.",
            )
        defaults = self._cluster.options.broker
        return self._place(
            defaults.num_partitions if count == USE_DEFAULT else count,
            defaults.default_replication_factor if factor == USE_DEFAULT else factor,
        )

    def _place(self, num_partitions: int, replication_factor: int) -> tuple[Replicas, ...]:
        registered = sorted(self._catalogue.brokers.items())
        usable = [b for _, b in registered if b.fenced or not b.in_controlled_shutdown]
        return place(usable, num_partitions, replication_factor, self._draw)

    def _manual_assignment(self, asked: NewTopic) -> tuple[Replicas, ...]:
        """TOPC-05."""
        if (asked.num_partitions, asked.replication_factor) != (USE_DEFAULT, USE_DEFAULT):
            raise KafkaError(
                ErrorCode.INVALID_REQUEST, "An assignment and counts exclude each other."
            )
        by_partition = dict(asked.assignment)
        if len(by_partition) < len(asked.assignment):
            raise _bad_assignment("A partition is assigned twice.")
        if sorted(by_partition) != list(range(len(by_partition))):
            raise _bad_assignment("The partitions are not numbered from 0 without a gap.")
        assignment = tuple(by_partition[i] for i in range(len(by_partition)))
        self._check_manual(assignment, len(assignment[0]))
        return assignment

    def _check_manual(self, assignment: Sequence[Replicas], replication_factor: int) -> None:
        check_replicas(self._catalogue, assignment)
        for replicas in assignment:
            if len(replicas) != replication_factor:
                raise _bad_assignment("All partitions have the same number of replicas.")
            if not any(map(self._catalogue.is_active, replicas)):
                raise _bad_assignment(f"None of the brokers {list(replicas)} is alive.")

    def _partition_records(
        self, topic_id: UUID, first: int, assignment: Sequence[Replicas]
    ) -> list[PartitionRecord]:
        records = []
        for partition, replicas in enumerate(assignment, first):
            isr = tuple(filter(self._catalogue.is_active, replicas))
            records.append(PartitionRecord(topic_id, partition, replicas, isr, leader=isr[0]))
        return records

    # DeleteTopics

    def delete(self, request: DeleteTopics) -> DeletedTopics:
        times = Counter(request.topics)
        return DeletedTopics(
            tuple(self._delete(reference, times[reference] > 1) for reference in times)
        )

    def _delete(self, reference: TopicReference, is_repeated: bool) -> DeletedTopic:
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
            found = self._find(reference)
            if not self._cluster.options.broker.delete_topic_enable:
                raise KafkaError(ErrorCode.TOPIC_DELETION_DISABLED)
        except KafkaError as refused:
            return DeletedTopic(name, topic_id, refused.error, refused.message)
        self._cluster.ledger.write(RemoveTopicRecord(found.topic_id))
        return DeletedTopic(name, topic_id)

    def _find(self, reference: TopicReference) -> Topic:
        topic = self._catalogue.find(reference)
        if topic is not None:
            return topic
        if isinstance(reference, UUID):  # TOPC-10
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    # CreatePartitions

    def add_partitions(self, request: CreatePartitions) -> CreatedPartitions:
        answers = []
        for asked, is_repeated in _once(request.topics):
            if is_repeated:
                message = f"Topic '{asked.name}' is asked for more than once."
                answers.append(TopicOutcome(asked.name, ErrorCode.INVALID_REQUEST, message))
                continue
            try:
                records = self._plan_more(asked)
            except KafkaError as refused:
                answers.append(TopicOutcome(asked.name, refused.error, refused.message))
                continue
            if not request.validate_only:
                self._cluster.ledger.write(*records)
            answers.append(TopicOutcome(asked.name))
        return CreatedPartitions(tuple(answers))

    def _plan_more(self, asked: MorePartitions) -> Sequence[MetadataRecord]:
        """TOPC-07."""
        topic = self._find(asked.name)
        have, added = len(topic.partitions), asked.count - len(topic.partitions)
        if added <= 0 or asked.count > MAXIMUM_PARTITIONS:
            raise KafkaError(
                ErrorCode.INVALID_PARTITIONS,
                f"Topic '{asked.name}' has {have} partitions; {asked.count} are not more,"
                f" or more than {MAXIMUM_PARTITIONS}.",
            )
        replication_factor = len(topic.partitions[0].replicas)
        if asked.assignments is None:
            assignment = self._place(added, replication_factor)
        elif len(asked.assignments) != added:
            raise _bad_assignment(f"{added} new partitions need as many assignments.")
        else:
            assignment = asked.assignments
            self._check_manual(assignment, replication_factor)
        return self._partition_records(topic.topic_id, have, assignment)


def check_replicas(catalogue: Catalogue, assignment: Iterable[Replicas]) -> None:
    """Raises KafkaError if these cannot be the replicas of partitions."""
    for replicas in assignment:
        if not replicas:
            raise _bad_assignment("A partition has at least one replica.")
        if len(set(replicas)) < len(replicas):
            raise _bad_assignment("A broker holds at most one replica of a partition.")
        if unknown := set(replicas) - catalogue.brokers.keys():
            raise _bad_assignment(f"There is no broker {min(unknown)}.")


def _bad_assignment(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)


def _once(topics: Iterable[Asked]) -> list[tuple[Asked, bool]]:
    """Each name once, and whether it was there more than once."""
    asked = tuple(topics)
    times = Counter(each.name for each in asked)
    return [(each, times[each.name] > 1) for each in {each.name: each for each in asked}.values()]
