"""What the cluster consists of, as the metadata log tells it.

A pure fold over records: the same records give the same catalogue, on every broker and after every
restart. Whether a record may be written is decided by `controller`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from impl.core.cluster.messages import TOPIC_RESOURCE
from impl.core.cluster.metadata_records import (
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from impl.core.cluster.topics import TopicReference


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who holds a partition, who leads it, and since which epochs."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int

    def changed_by(self, record: PartitionChangeRecord) -> Assignment:
        """ELEC-03, ELEC-04."""
        return replace(
            self,
            isr=self.isr if record.isr is None else record.isr,
            leader=self.leader if record.leader is None else record.leader,
            leader_epoch=self.leader_epoch + (record.leader is not None),
            partition_epoch=self.partition_epoch + 1,
        )


@dataclass(slots=True)
class Topic:
    name: str
    topic_id: UUID
    partitions: dict[int, Assignment] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)


class Catalogue:
    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.features: dict[str, int] = {}
        self.next_producer_id = 0
        self.removed_topic_ids: set[UUID] = set()
        self._by_id: dict[UUID, Topic] = {}

    def find(self, reference: TopicReference) -> Topic | None:
        if isinstance(reference, str):
            return self.topics.get(reference)
        return self._by_id.get(reference)

    def apply(self, record: MetadataRecord) -> Topic | None:
        """Take note; returns the topic that the record is about, if there is one."""
        match record:
            case TopicRecord(name, topic_id):
                self.topics[name] = self._by_id[topic_id] = Topic(name, topic_id)
            case PartitionRecord():
                self._by_id[record.topic_id].partitions[record.partition_id] = Assignment(
                    record.replicas,
                    record.isr,
                    record.leader,
                    record.leader_epoch,
                    record.partition_epoch,
                )
            case PartitionChangeRecord(topic_id, partition):
                partitions = self._by_id[topic_id].partitions
                partitions[partition] = partitions[partition].changed_by(record)
            case RemoveTopicRecord(topic_id):
                return self._remove(topic_id)
            case ConfigRecord(resource_type):
                return self._configure(record) if resource_type == TOPIC_RESOURCE else None
            case ProducerIdsRecord():
                self.next_producer_id = record.next_producer_id
                return None
            case FeatureLevelRecord(name, level):
                self.features[name] = level
                return None
        return self._by_id[record.topic_id]

    def _remove(self, topic_id: UUID) -> Topic:
        topic = self._by_id.pop(topic_id)
        del self.topics[topic.name]
        self.removed_topic_ids.add(topic_id)
        return topic

    def _configure(self, record: ConfigRecord) -> Topic:
        topic = self.topics[record.resource_name]
        if record.value is None:
            topic.configs.pop(record.name, None)
        else:
            topic.configs[record.name] = record.value
        return topic
