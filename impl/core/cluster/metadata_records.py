"""The records of the metadata log: each says one thing that became true of the cluster.

Their bytes are Kafka's own and the business of `impl.api`; what follows from them, of `catalogue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FeatureLevelRecord:
    name: str
    feature_level: int


@dataclass(frozen=True, slots=True)
class TopicRecord:
    name: str
    topic_id: UUID


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    topic_id: UUID
    partition_id: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int = 0
    partition_epoch: int = 0


@dataclass(frozen=True, slots=True)
class PartitionChangeRecord:
    """None: no change. A leader, even the same, begins a new leader epoch."""

    topic_id: UUID
    partition_id: int
    isr: tuple[int, ...] | None = None
    leader: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveTopicRecord:
    topic_id: UUID


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    resource_type: int
    resource_name: str
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class ProducerIdsRecord:
    broker_id: int
    next_producer_id: int


MetadataRecord: TypeAlias = (
    FeatureLevelRecord
    | TopicRecord
    | PartitionRecord
    | PartitionChangeRecord
    | RemoveTopicRecord
    | ConfigRecord
    | ProducerIdsRecord
)


class MetadataCodec(Protocol):
    """Turns records into values of the metadata log, and back; None is of no interest."""

    def encode(self, record: MetadataRecord) -> bytes: ...

    def decode(self, value: bytes) -> MetadataRecord | None: ...
