"""What the broker is asked about the cluster and its topics, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from impl.core.cluster.topics import NO_TOPIC_ID, TopicReference
from spec.wire.errors import ErrorCode

USE_DEFAULT = -1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker, and where clients reach it."""

    node_id: int
    host: str
    port: int
    rack: str | None = None


# Metadata


@dataclass(frozen=True, slots=True)
class DescribeTopics:
    """None asks for all topics."""

    topics: tuple[TopicReference, ...] | None
    allow_auto_topic_creation: bool = False


@dataclass(frozen=True, slots=True)
class DescribedPartition:
    partition: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    error: ErrorCode = ErrorCode.NONE
    offline_replicas: tuple[int, ...] = ()
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedTopic:
    name: str | None
    topic_id: UUID = NO_TOPIC_ID
    error: ErrorCode = ErrorCode.NONE
    is_internal: bool = False
    partitions: tuple[DescribedPartition, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedCluster:
    """`fenced`: brokers that are registered and not alive; few ask for them."""

    cluster_id: str
    controller_id: int
    brokers: tuple[Endpoint, ...]
    topics: tuple[DescribedTopic, ...] = ()
    fenced: tuple[Endpoint, ...] = ()


# DescribeTopicPartitions


@dataclass(frozen=True, slots=True)
class PartitionCursor:
    """The first partition that is still to be described."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class DescribePartitions:
    """No topics: all. At most `limit` partitions are described, from the cursor on."""

    topics: tuple[str, ...]
    limit: int
    cursor: PartitionCursor | None = None


@dataclass(frozen=True, slots=True)
class DescribedPartitions:
    error: ErrorCode = ErrorCode.NONE
    topics: tuple[DescribedTopic, ...] = ()
    next_cursor: PartitionCursor | None = None


# CreateTopics, DeleteTopics, CreatePartitions


@dataclass(frozen=True, slots=True)
class NewTopic:
    """An assignment maps partition to replicas; it excludes the two counts."""

    name: str
    num_partitions: int = USE_DEFAULT
    replication_factor: int = USE_DEFAULT
    assignment: tuple[tuple[int, tuple[int, ...]], ...] = ()
    configs: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class CreateTopics:
    topics: tuple[NewTopic, ...]
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class CreatedTopic:
    name: str
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None
    topic_id: UUID = NO_TOPIC_ID
    num_partitions: int = -1
    replication_factor: int = -1
    configs: tuple[DescribedConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class CreatedTopics:
    topics: tuple[CreatedTopic, ...]


@dataclass(frozen=True, slots=True)
class DeleteTopics:
    topics: tuple[TopicReference, ...]


@dataclass(frozen=True, slots=True)
class DeletedTopic:
    name: str | None
    topic_id: UUID
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


@dataclass(frozen=True, slots=True)
class DeletedTopics:
    topics: tuple[DeletedTopic, ...]


@dataclass(frozen=True, slots=True)
class MorePartitions:
    """`assignments`: the replicas of each new partition; None leaves them to the broker."""

    name: str
    count: int
    assignments: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class CreatePartitions:
    topics: tuple[MorePartitions, ...]
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    name: str
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


@dataclass(frozen=True, slots=True)
class CreatedPartitions:
    topics: tuple[TopicOutcome, ...]


# AlterPartitionReassignments, ListPartitionReassignments


@dataclass(frozen=True, slots=True)
class Reassignment:
    """Where a partition is to be; None takes back what was asked for before."""

    topic: str
    partition: int
    replicas: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class AlterReassignments:
    reassignments: tuple[Reassignment, ...]
    allow_replication_factor_change: bool = True


@dataclass(frozen=True, slots=True)
class ReassignmentOutcome:
    topic: str
    partition: int
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


@dataclass(frozen=True, slots=True)
class AlteredReassignments:
    outcomes: tuple[ReassignmentOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class ListReassignments:
    """Partitions by topic; None asks for all that are being reassigned."""

    topics: tuple[tuple[str, tuple[int, ...]], ...] | None


@dataclass(frozen=True, slots=True)
class OngoingReassignment:
    topic: str
    partition: int
    replicas: tuple[int, ...]
    adding_replicas: tuple[int, ...]
    removing_replicas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListedReassignments:
    reassignments: tuple[OngoingReassignment, ...] = ()


# UnregisterBroker


@dataclass(frozen=True, slots=True)
class UnregisterBroker:
    broker_id: int


@dataclass(frozen=True, slots=True)
class BrokerUnregistered:
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


# DescribeConfigs, AlterConfigs, IncrementalAlterConfigs

TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4

SOURCE_TOPIC = 1
SOURCE_DYNAMIC_BROKER = 2
SOURCE_DYNAMIC_DEFAULT_BROKER = 3
SOURCE_STATIC_BROKER = 4
SOURCE_DEFAULT = 5


@dataclass(frozen=True, slots=True)
class Resource:
    type: int
    name: str


@dataclass(frozen=True, slots=True)
class ConfigSynonym:
    name: str
    value: str
    source: int


@dataclass(frozen=True, slots=True)
class DescribedConfig:
    name: str
    value: str
    source: int
    type: int
    is_read_only: bool = False
    synonyms: tuple[ConfigSynonym, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribeConfigs:
    """For each resource the names of the options to describe; None asks for all."""

    resources: tuple[tuple[Resource, tuple[str, ...] | None], ...]


@dataclass(frozen=True, slots=True)
class ConfigsOfResource:
    resource: Resource
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None
    configs: tuple[DescribedConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedConfigs:
    resources: tuple[ConfigsOfResource, ...]


SET, DELETE, APPEND, SUBTRACT = range(4)


@dataclass(frozen=True, slots=True)
class ConfigChange:
    name: str
    operation: int
    value: str | None


@dataclass(frozen=True, slots=True)
class AlterConfigs:
    """With `replaces_all` the options that are not named go back to their defaults."""

    changes: tuple[tuple[Resource, tuple[ConfigChange, ...]], ...]
    validate_only: bool = False
    replaces_all: bool = False


@dataclass(frozen=True, slots=True)
class ResourceOutcome:
    resource: Resource
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


@dataclass(frozen=True, slots=True)
class AlteredConfigs:
    resources: tuple[ResourceOutcome, ...]
