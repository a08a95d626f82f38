"""Which changes of topics are permitted, and the records that make them.

TOPC-01 to TOPC-09. Decides against the catalogue and writes nothing itself: the caller commits the
records that come back, one topic after the other, so that each sees the ones before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.messages import TOPIC_RESOURCE, USE_DEFAULT, MorePartitions, NewTopic
from impl.core.cluster.metadata_records import (
    ConfigRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
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
from impl.core.config import BrokerConfig, ConfigError, TopicConfig, parse_options
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

PRODUCER_IDS_PER_BLOCK = 1000
MAXIMUM_PARTITIONS = 10_000

Replicas = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PlannedTopic:
    topic_id: UUID
    assignment: tuple[Replicas, ...]
    configs: dict[str, str]
    records: tuple[MetadataRecord, ...]


class Controller:
    def __init__(
        self,
        catalogue: Catalogue,
        config: BrokerConfig,
        topic_defaults: TopicConfig,
        new_id: Callable[[], UUID],
    ) -> None:
        self._catalogue = catalogue
        self._config = config
        self._topic_defaults = topic_defaults
        self._new_id = new_id
        self._live_brokers = (config.node_id,)

    # Topics

    def create_topic(self, asked: NewTopic) -> PlannedTopic:
        """Raises KafkaError."""
        self._check_name(asked.name)
        assignment = self._assignment(asked)
        configs = self._configs(asked.configs)
        topic_id = self._new_topic_id()
        records: list[MetadataRecord] = [TopicRecord(asked.name, topic_id)]
        records += [
            ConfigRecord(TOPIC_RESOURCE, asked.name, name, value)
            for name, value in configs.items()
        ]
        records += _partition_records(topic_id, 0, assignment)
        return PlannedTopic(topic_id, assignment, configs, tuple(records))

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

    def _assignment(self, asked: NewTopic) -> tuple[Replicas, ...]:
        if asked.assignment:
            return self._manual_assignment(asked)
        count, factor = asked.num_partitions, asked.replication_factor  # TOPC-04
        if count == 0 or count < USE_DEFAULT or count > MAXIMUM_PARTITIONS:
            raise KafkaError(
                ErrorCode.INVALID_PARTITIONS,
                f"A topic has 1 to {MAXIMUM_PARTITIONS} partitions, or -1 for the default.",
            )
        if factor == 0 or factor < USE_DEFAULT:
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                "The replication factor is at least 1, or -1 for the default.",
            )
        if count == USE_DEFAULT:
            count = self._config.num_partitions
        if factor == USE_DEFAULT:
            factor = self._config.default_replication_factor
        return (self._place(factor),) * count

    def _place(self, replication_factor: int) -> Replicas:
        if replication_factor > len(self._live_brokers):
            raise KafkaError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"{replication_factor} replicas need as many brokers;"
                f" there are {len(self._live_brokers)}.",
            )
        return self._live_brokers[:replication_factor]

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
        self._check_replicas(assignment, len(assignment[0]))
        return assignment

    def _check_replicas(self, assignment: Iterable[Replicas], replication_factor: int) -> None:
        for replicas in assignment:
            if not replicas:
                raise _bad_assignment("A partition has at least one replica.")
            if len(set(replicas)) < len(replicas):
                raise _bad_assignment("A broker holds at most one replica of a partition.")
            if unknown := set(replicas) - set(self._live_brokers):
                raise _bad_assignment(f"There is no broker {min(unknown)}.")
            if len(replicas) != replication_factor:
                raise _bad_assignment("All partitions have the same number of replicas.")

    def _configs(self, asked: Sequence[tuple[str, str | None]]) -> dict[str, str]:
        configs: dict[str, str] = {}
        for name, value in asked:
            if value is None:  # TOPC-08
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Option {name} has no value.")
            configs[name] = value
        self.check_topic_configs(configs)
        return configs

    def check_topic_configs(self, configs: dict[str, str]) -> TopicConfig:
        """Raises KafkaError."""
        try:
            return parse_options(TopicConfig, configs, self._topic_defaults)
        except ConfigError as problem:
            raise KafkaError(ErrorCode.INVALID_CONFIG, str(problem)) from problem

    def find(self, reference: TopicReference) -> Topic:
        """Raises KafkaError."""
        topic = self._catalogue.find(reference)
        if topic is not None:
            return topic
        if isinstance(reference, UUID):  # TOPC-10
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    def delete_topic(self, reference: TopicReference) -> tuple[MetadataRecord, ...]:
        """Raises KafkaError."""
        topic = self.find(reference)
        if not self._config.delete_topic_enable:
            raise KafkaError(ErrorCode.TOPIC_DELETION_DISABLED)
        return (RemoveTopicRecord(topic.topic_id),)

    def create_partitions(self, asked: MorePartitions) -> tuple[MetadataRecord, ...]:
        """TOPC-07. Raises KafkaError."""
        topic = self.find(asked.name)
        have, added = len(topic.partitions), asked.count - len(topic.partitions)
        if added <= 0 or asked.count > MAXIMUM_PARTITIONS:
            raise KafkaError(
                ErrorCode.INVALID_PARTITIONS,
                f"Topic '{asked.name}' has {have} partitions; {asked.count} are not more,"
                f" or more than {MAXIMUM_PARTITIONS}.",
            )
        replication_factor = len(topic.partitions[0].replicas)
        if asked.assignments is None:
            assignment = (self._place(replication_factor),) * added
        elif len(asked.assignments) != added:
            raise _bad_assignment(f"{added} new partitions need as many assignments.")
        else:
            assignment = asked.assignments
            self._check_replicas(assignment, replication_factor)
        return tuple(_partition_records(topic.topic_id, have, assignment))

    # Leaders and producer ids

    def begin_leader_epochs(self, node_id: int) -> tuple[MetadataRecord, ...]:
        """A broker that comes back may have lost the end of its logs: it leads in new epochs."""
        return tuple(
            PartitionChangeRecord(topic.topic_id, partition, leader=node_id)
            for topic in self._catalogue.topics.values()
            for partition, assignment in topic.partitions.items()
            if assignment.leader == node_id
        )

    def allocate_producer_ids(self, node_id: int) -> tuple[range, ProducerIdsRecord]:
        first = self._catalogue.next_producer_id
        block = range(first, first + PRODUCER_IDS_PER_BLOCK)
        return block, ProducerIdsRecord(node_id, block.stop)


def _partition_records(
    topic_id: UUID, first: int, assignment: Iterable[Replicas]
) -> list[PartitionRecord]:
    return [
        PartitionRecord(topic_id, partition, replicas, isr=replicas, leader=replicas[0])
        for partition, replicas in enumerate(assignment, start=first)
    ]


def _bad_assignment(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
