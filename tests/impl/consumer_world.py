"""Members of the consumer protocol over a coordinator in virtual time.

`Consumer` does what a client does: it says what it owns, takes what it is told, and joins again
when it is fenced. The log passes through its bytes, so that what is loaded has been written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from impl.api.group_records import decode_record, encode_record
from impl.core.cluster.metadata_records import (
    FeatureLevelRecord,
    PartitionRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.consumer.messages import (
    JOINING,
    LEAVING,
    LEAVING_FOR_A_WHILE,
    ConsumerHeartbeat,
    ConsumerHeartbeatReply,
    DescribeConsumerGroups,
    DescribeConsumersReply,
    DescribedConsumerGroup,
)
from impl.core.groups.consumer.records import Partitions, TopicIdPartition
from impl.core.groups.messages import ProducerIdentity
from impl.core.groups.records import CoordinatorRecord
from spec.wire.errors import ErrorCode
from tests.impl.group_world import CONFIG, GROUP, Ticket, World

REBALANCE_TIMEOUT_MS = 60_000
SESSION_TIMEOUT_MS = CONFIG.group_consumer_session_timeout_ms
FENCED = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID)


def through_bytes(record: CoordinatorRecord) -> CoordinatorRecord:
    decoded = decode_record(*encode_record(record))
    assert decoded == record
    return decoded


class ConsumerWorld(World):
    """`batches` are the log end offsets after each append."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.batches: dict[int, list[int]] = {partition: [0] for partition in self.logs}
        self.catalogue.apply(FeatureLevelRecord("group.version", 1))
        self._topic_ids = count(100)
        self._names = count(1)

    def _append(
        self,
        partition: int,
        records: Sequence[CoordinatorRecord],
        producer: ProducerIdentity | None,
    ) -> int:
        written = [through_bytes(record) for record in records]
        end = super()._append(partition, written, producer)
        if hasattr(self, "batches"):
            self.batches[partition].append(end)
        return end

    # Topics

    def create_topic(self, name: str, num_partitions: int = 2) -> None:
        self.catalogue.apply(TopicRecord(name, UUID(int=next(self._topic_ids))))
        self.grow_topic(name, num_partitions)

    def grow_topic(self, name: str, num_partitions: int) -> None:
        topic = self.catalogue.topics[name]
        for partition in range(len(topic.partitions), num_partitions):
            record = PartitionRecord(topic.topic_id, partition, (1,), (1,), 1)
            self.catalogue.apply(record)
        self.coordinator.metadata_changed()

    def delete_topic(self, name: str) -> None:
        self.catalogue.apply(RemoveTopicRecord(self.catalogue.topics[name].topic_id))
        self.coordinator.metadata_changed()

    def partitions(self, *names: str) -> Partitions:
        topics = (self.catalogue.topics[name] for name in names)
        return frozenset(TopicIdPartition(t.topic_id, p) for t in topics for p in t.partitions)

    def at(self, name: str, partition: int) -> TopicIdPartition:
        return TopicIdPartition(self.catalogue.topics[name].topic_id, partition)

    # The group

    def consumer(self, *topics: str, **fields: Any) -> Consumer:
        return Consumer(self, f"m{next(self._names)}", frozenset(topics or ("orders",)), **fields)

    def group(self, group_id: str = GROUP) -> ConsumerGroup:
        groups = {
            each: group
            for shard in self.coordinator._shards
            for each, group in shard.consumer_groups.items()
        }
        return groups[group_id]

    def describe_consumers(self, group_id: str = GROUP) -> DescribedConsumerGroup:
        reply = self.ask(DescribeConsumerGroups((group_id,))).reply
        assert isinstance(reply, DescribeConsumersReply)
        return reply.groups[0]


@dataclass
class Consumer:
    """A client. `owned` is what it uses; `told` what it was last told to use."""

    world: ConsumerWorld
    member_id: str
    topics: frozenset[str]
    group_instance_id: str | None = None
    regex: str | None = None
    assignor: str | None = None
    member_epoch: int = JOINING
    owned: Partitions = frozenset()
    told: Partitions = frozenset()
    says_all: bool = False
    errors: list[ErrorCode] = field(default_factory=list)

    def request(self, **fields: Any) -> ConsumerHeartbeat:
        """What a client says: all when it joins or missed an answer, and always what it owns."""
        said: dict[str, Any] = {
            "group_id": GROUP,
            "member_id": self.member_id,
            "member_epoch": self.member_epoch,
            "group_instance_id": self.group_instance_id,
            "owned": self.owned,
            "client_id": "client",
            "client_host": "/127.0.0.1",
        }
        if self.member_epoch == JOINING or self.says_all:
            said["rebalance_timeout_ms"] = REBALANCE_TIMEOUT_MS
            said["topics"], said["regex"] = self.topics, self.regex
            said["assignor"] = self.assignor
        return ConsumerHeartbeat(**(said | fields))

    def ask(self, **fields: Any) -> Ticket:
        return self.world.ask(self.request(**fields))

    def beat(self, **fields: Any) -> ErrorCode:
        """A heartbeat whose answer arrives and is obeyed at once."""
        reply = self.ask(**fields).reply
        self.hear(reply)
        self.obey()
        return ErrorCode(reply.error)

    def hear(self, reply: ConsumerHeartbeatReply) -> None:
        if reply.error:
            self.errors.append(reply.error)
        if reply.error in FENCED:
            self.member_epoch, self.owned, self.told = JOINING, frozenset(), frozenset()
        elif not reply.error and reply.member_epoch >= JOINING:
            self.member_epoch = reply.member_epoch
            if reply.assignment is not None:
                self.told = reply.assignment

    def obey(self) -> None:
        """Give up what is no more to be used, and use what is new."""
        self.owned = self.told

    def leave(self, epoch: int = LEAVING) -> ErrorCode:
        reply = self.ask(member_epoch=epoch, owned=None).reply
        self.member_epoch, self.owned, self.told = JOINING, frozenset(), frozenset()
        return ErrorCode(reply.error)

    def leave_for_a_while(self) -> ErrorCode:
        return self.leave(LEAVING_FOR_A_WHILE)

    def numbers(self, topic: str = "orders") -> list[int]:
        """What it owns of a topic."""
        topic_id = self.world.catalogue.topics[topic].topic_id
        return sorted(at.partition for at in self.owned if at.topic_id == topic_id)


def settle(*consumers: Consumer) -> None:
    """Heartbeats of all, until each has the target of the newest epoch."""
    for _ in range(8):
        for consumer in consumers:
            consumer.beat()
    group = consumers[0].world.group()
    assert group.state == "Stable"
    for consumer in consumers:
        assert consumer.member_epoch == group.epoch
        assert consumer.owned == group.target_of(consumer.member_id)
