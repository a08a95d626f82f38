"""What the cluster consists of, as the metadata log tells it.

A pure fold over records: the same records give the same catalogue, on every broker and after every
restart. Whether a record may be written is decided by `controller`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from impl.core.cluster.messages import BROKER_RESOURCE, TOPIC_RESOURCE, Endpoint
from impl.core.cluster.metadata_records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
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
    adding_replicas: tuple[int, ...] = ()
    removing_replicas: tuple[int, ...] = ()
    leader_recovery_state: int = 0
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()

    def changed_by(self, record: PartitionChangeRecord) -> Assignment:
        """ELEC-03, ELEC-04."""
        given = {name: getattr(record, name) for name in _CHANGEABLE}
        return replace(
            self,
            **{name: value for name, value in given.items() if value is not None},
            leader_epoch=self.leader_epoch + (record.leader is not None),
            partition_epoch=self.partition_epoch + 1,
        )


_CHANGEABLE = (
    "replicas",
    "isr",
    "leader",
    "adding_replicas",
    "removing_replicas",
    "leader_recovery_state",
    "eligible_leader_replicas",
    "last_known_elr",
)


@dataclass(frozen=True, slots=True)
class Registration:
    """A broker that registered: where it is, in which life, and whether it counts as alive."""

    endpoint: Endpoint
    incarnation_id: UUID
    broker_epoch: int
    fenced: bool
    in_controlled_shutdown: bool

    @property
    def is_active(self) -> bool:
        """May lead, and be in sync."""
        return not self.fenced and not self.in_controlled_shutdown


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
        self.brokers: dict[int, Registration] = {}
        # Options that were set at run time, for one broker by its id and for all by "".
        self.broker_configs: dict[str, dict[str, str]] = {}
        self.next_producer_id = 0
        self.removed_topic_ids: set[UUID] = set()
        self._by_id: dict[UUID, Topic] = {}

    @property
    def alive(self) -> dict[int, Endpoint]:
        """The brokers that clients may hear of, in the order of their ids (CLUS-05)."""
        return {
            broker_id: self.brokers[broker_id].endpoint
            for broker_id in sorted(self.brokers)
            if not self.brokers[broker_id].fenced
        }

    def is_active(self, broker_id: int) -> bool:
        return broker_id in self.brokers and self.brokers[broker_id].is_active

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
                    record.adding_replicas,
                    record.removing_replicas,
                    record.leader_recovery_state,
                    record.eligible_leader_replicas,
                    record.last_known_elr,
                )
            case PartitionChangeRecord(topic_id, partition):
                partitions = self._by_id[topic_id].partitions
                partitions[partition] = partitions[partition].changed_by(record)
            case RemoveTopicRecord(topic_id):
                return self._remove(topic_id)
            case ConfigRecord():
                return self._configure(record)
            case ProducerIdsRecord():
                self.next_producer_id = record.next_producer_id
                return None
            case FeatureLevelRecord(name, level):
                self.features[name] = level
                return None
            case _:
                self._apply_broker(record)
                return None
        return self._by_id[record.topic_id]

    def _apply_broker(
        self,
        record: RegisterBrokerRecord | BrokerRegistrationChangeRecord | UnregisterBrokerRecord,
    ) -> None:
        match record:
            case RegisterBrokerRecord(endpoint):
                self.brokers[endpoint.node_id] = Registration(
                    endpoint,
                    record.incarnation_id,
                    record.broker_epoch,
                    record.fenced,
                    record.in_controlled_shutdown,
                )
            case BrokerRegistrationChangeRecord(broker_id):
                known = self.brokers[broker_id]
                leaves = record.in_controlled_shutdown
                self.brokers[broker_id] = replace(
                    known,
                    fenced=known.fenced if record.fenced is None else record.fenced,
                    in_controlled_shutdown=(
                        known.in_controlled_shutdown if leaves is None else leaves
                    ),
                )
            case UnregisterBrokerRecord(broker_id):
                self.brokers.pop(broker_id, None)

    def _remove(self, topic_id: UUID) -> Topic:
        topic = self._by_id.pop(topic_id)
        del self.topics[topic.name]
        self.removed_topic_ids.add(topic_id)
        return topic

    def _configure(self, record: ConfigRecord) -> Topic | None:
        topic, configs = None, None
        if record.resource_type == TOPIC_RESOURCE:
            topic = self.topics[record.resource_name]
            configs = topic.configs
        elif record.resource_type == BROKER_RESOURCE:
            configs = self.broker_configs.setdefault(record.resource_name, {})
        if configs is not None and record.value is None:
            configs.pop(record.name, None)
        elif configs is not None and record.value is not None:
            configs[record.name] = record.value
        return topic
