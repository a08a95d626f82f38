"""Replicas of one partition in virtual time, with a controller of a few lines between them.

The nodes have the rooms that replication consists of, on disks in memory; what they ask of each
other is carried by `Replicas`, at once, late, or never. The controller decides by the rules of
REPL-06, REPL-08 and REPL-09 and writes records that each node may learn of at another time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from uuid import UUID

import crc32c

from impl.core.cluster.broker_messages import (
    AlteredPartition,
    AlteredPartitions,
    AlterPartitions,
    IsrProposal,
)
from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import (
    BrokerRegistrationChangeRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import TopicPartition
from impl.core.config import TopicConfig, parse_options
from impl.core.data.changes import take
from impl.core.data.config import ReplicationConfig
from impl.core.data.deleting import Deleting
from impl.core.data.fetch_sessions import FetchSessions
from impl.core.data.fetching import Fetching
from impl.core.data.following import Following
from impl.core.data.isr import Isr
from impl.core.data.messages import (
    DeleteRecords,
    Fetch,
    FetchedPartition,
    FetchPartition,
    ListOffsets,
    Produce,
    ProducedPartition,
    RecordsForPartition,
)
from impl.core.data.offset_queries import list_offsets
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Reply, Send
from impl.core.log.log import Platform
from impl.core.storage import MemoryStorage
from impl.shell.compression import compress, decompress
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import START_MS, TOPIC, batch, values

CONTROLLER = Endpoint(0, "controller", 9092)
TOPIC_ID = UUID(int=7)
AT = TopicPartition(TOPIC, 0)
CLIENT = 1


def config_of(defaults: TopicConfig) -> Callable[[Topic], TopicConfig]:
    return lambda topic: parse_options(TopicConfig, topic.configs, defaults)


@dataclass
class Message:
    """A request on its way (`answer` is not there yet), or its answer on the way back."""

    sender: int
    life: int
    send: Send
    answer: Any = None
    is_answer: bool = False


class Node:
    """One broker, from its start to its end."""

    def __init__(self, world: Replicas, node_id: int, life: int) -> None:
        self.node_id, self.life = node_id, life
        self.catalogue = Catalogue()
        self.applied = 0
        self._calls = count(1)
        self._asked: dict[Call, Message] = {}
        self.replies: dict[Call, Any] = {}
        storage = world.storages[node_id]
        platform = Platform(storage, crc32c.crc32c, decompress, compress, world.new_id)
        config = world.config
        self.partitions = Partitions(platform, self.catalogue, world.config_of, node_id, config)
        self.standing = Standing(node_id, "cluster", world.broker_epochs[node_id], CONTROLLER)
        self.producing = Producing(self.partitions)
        self.deleting = Deleting(self.partitions)
        sessions = FetchSessions(100, world.new_id)
        self.fetching = Fetching(self.partitions, sessions, 1 << 20)
        self.following = Following(self.partitions, self.catalogue, self.standing, config)
        self.isr = Isr(self.partitions, self.standing, config, world.now_ms)

    def partition(self, index: int = 0) -> Partition:
        return self.partitions.find(TOPIC, index)

    def learn(self, records: Iterable[MetadataRecord], now_ms: int) -> None:
        changed = {}
        for record in records:
            topic = self.catalogue.apply(record)
            self.applied += 1
            if topic is not None and isinstance(record, RemoveTopicRecord):
                self.partitions.remove(topic)
            elif topic is not None:
                changed[topic.name] = topic
        for topic in changed.values():
            self.partitions.follow(topic, now_ms)

    def call(self, request: Any, now_ms: int, message: Message | None = None) -> Call:
        connection_id = CLIENT if message is None else 100 + message.sender
        call = Call(connection_id, next(self._calls))
        if message is not None:
            self._asked[call] = message
        match request:
            case Produce():
                outputs = self.producing.handle(call, request, now_ms)
            case Fetch():
                outputs = self.fetching.handle(call, request, now_ms)
            case ListOffsets():
                outputs = [Reply(call, list_offsets(self.partitions, request))]
            case DeleteRecords():
                outputs = self.deleting.handle(call, request, now_ms)
            case _:
                raise AssertionError(request)
        self._note(outputs)
        return call

    def _note(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            assert isinstance(output, Reply)
            self.replies[output.call] = output.result

    def tick(self, now_ms: int) -> list[Send]:
        self._note(self.producing.release(now_ms))
        self._note(self.deleting.release(now_ms))
        self._note(self.fetching.release(now_ms))
        self.partitions.tick(now_ms)
        return self.settle(now_ms)

    def settle(self, now_ms: int) -> list[Send]:
        sends = [*self.following.tick(now_ms), *self.isr.tick(now_ms)]
        changes = self.partitions.changes
        while changes.moved or changes.followed:
            moved, _ = take(changes.moved), take(changes.followed)
            self._note(self.producing.release(now_ms))
            self._note(self.fetching.changed(moved))
            self._note(self.deleting.release(now_ms))
        assert all(isinstance(send, Send) for send in sends)
        return sends  # type: ignore[return-value]

    def answers(self) -> list[Message]:
        """To the requests of other nodes, as far as they are there."""
        done = [call for call in self._asked if call in self.replies]
        messages = [(self._asked.pop(call), self.replies.pop(call)) for call in done]
        return [replace(message, answer=a, is_answer=True) for message, a in messages]

    def answered(self, send: Send, answer: Any, now_ms: int) -> list[Output]:
        if isinstance(send.request, AlterPartitions):
            return self.isr.answered(send, answer, now_ms)
        return self.following.answered(send, answer, now_ms)

    def next_deadline_ms(self) -> int:
        deadlines = (
            self.producing.next_deadline_ms(),
            self.deleting.next_deadline_ms(),
            self.fetching.next_deadline_ms(),
            self.following.next_deadline_ms(),
            self.isr.next_deadline_ms(),
            self.partitions.next_deadline_ms(),
        )
        return min(d for d in deadlines if d is not None)


@dataclass
class FakeController:
    records: list[MetadataRecord] = field(default_factory=list)
    catalogue: Catalogue = field(default_factory=Catalogue)
    refuses_with: ErrorCode | None = None
    asked: list[AlterPartitions] = field(default_factory=list)

    def decide(self, record: MetadataRecord) -> None:
        self.records.append(record)
        self.catalogue.apply(record)

    def assignment(self, index: int = 0) -> Assignment:
        return self.catalogue.topics[TOPIC].partitions[index]

    def change(self, index: int = 0, **fields: Any) -> None:
        self.decide(PartitionChangeRecord(TOPIC_ID, index, **fields))

    def alter(self, request: AlterPartitions) -> AlteredPartitions:
        self.asked.append(request)
        if self.catalogue.brokers[request.broker_id].broker_epoch != request.broker_epoch:
            return AlteredPartitions(ErrorCode.STALE_BROKER_EPOCH)
        return AlteredPartitions(
            partitions=[self._alter(request.broker_id, p) for p in request.proposals]
        )

    def _alter(self, broker_id: int, proposal: IsrProposal) -> AlteredPartition:
        error = self._problem(broker_id, proposal)
        if error:
            return AlteredPartition(proposal.topic_id, proposal.partition, error)
        isr = tuple(b for b, _ in proposal.isr)
        self.change(proposal.partition, isr=isr)
        now = self.assignment(proposal.partition)
        return AlteredPartition(
            proposal.topic_id,
            proposal.partition,
            leader=now.leader,
            leader_epoch=now.leader_epoch,
            isr=now.isr,
            partition_epoch=now.partition_epoch,
        )

    def _problem(self, broker_id: int, proposal: IsrProposal) -> ErrorCode:
        if self.refuses_with is not None:
            return self.refuses_with
        known = self.assignment(proposal.partition)
        if proposal.leader_epoch < known.leader_epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if broker_id != known.leader:
            return ErrorCode.INVALID_REQUEST
        if proposal.partition_epoch < known.partition_epoch:
            return ErrorCode.INVALID_UPDATE_VERSION
        for member, epoch in proposal.isr:
            registered = self.catalogue.brokers[member]
            if not registered.is_active or epoch not in (-1, registered.broker_epoch):
                return ErrorCode.INELIGIBLE_REPLICA
        return ErrorCode.NONE


class Replicas:
    def __init__(
        self,
        nodes: int = 3,
        partitions: int = 1,
        config: ReplicationConfig | None = None,
        **topic_options: Any,
    ) -> None:
        self.now_ms = START_MS
        self.config = config or ReplicationConfig()
        self.config_of = config_of(TopicConfig(**topic_options))
        self.controller = FakeController()
        self.messages: list[Message] = []
        self.carried: list[Message] = []
        self.cut: set[frozenset[int]] = set()
        """Pairs of nodes between which nothing gets through; 0 is the controller."""
        self.learns_at_once = True
        self._ids = count(1)
        self._lives = count(1)
        ids = tuple(range(1, nodes + 1))
        self.storages = {node_id: MemoryStorage() for node_id in ids}
        self.broker_epochs: dict[int, int] = {}
        self.nodes: dict[int, Node] = {}
        for node_id in ids:
            self._register(node_id)
        self.controller.decide(TopicRecord(TOPIC, TOPIC_ID))
        for index in range(partitions):
            self.controller.decide(PartitionRecord(TOPIC_ID, index, ids, ids, leader=1))
        for node_id in ids:
            self.start(node_id)
        self.run()

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids) << 64)

    # Lives

    def _register(self, node_id: int) -> None:
        epoch = len(self.controller.records)
        self.broker_epochs[node_id] = epoch
        endpoint = Endpoint(node_id, f"broker-{node_id}", 9092)
        record = RegisterBrokerRecord(endpoint, self.new_id(), epoch, fenced=False)
        self.controller.decide(record)

    def start(self, node_id: int) -> None:
        node = Node(self, node_id, next(self._lives))
        node.learn(self.controller.records, self.now_ms)
        self.nodes[node_id] = node

    def kill(self, node_id: int) -> None:
        """The process dies; what it wrote stays, and what is for it is lost."""
        del self.nodes[node_id]

    def fence(self, node_id: int) -> None:
        """The controller misses the heartbeats: out of the set, unless alone in it (REPL-08)."""
        registered = self.controller.catalogue.brokers[node_id]
        self.controller.decide(
            BrokerRegistrationChangeRecord(node_id, registered.broker_epoch, fenced=True)
        )
        for index, known in self.controller.catalogue.topics[TOPIC].partitions.items():
            isr = tuple(b for b in known.isr if b != node_id) or known.isr
            if known.leader == node_id:
                leader = next((b for b in isr if b != node_id), -1)
                self.controller.change(index, leader=leader, isr=isr)
            elif isr != known.isr:
                self.controller.change(index, isr=isr)

    def restart(self, node_id: int) -> None:
        """A new life after `kill` and `fence`; where nobody leads, an in-sync replica does."""
        self._register(node_id)
        self.start(node_id)
        for index, known in self.controller.catalogue.topics[TOPIC].partitions.items():
            if known.leader < 0 and node_id in known.isr:
                self.controller.change(index, leader=node_id)

    # Carrying

    def run(self) -> None:
        """Carry everything that gets through, until nothing moves without time passing."""
        for _ in range(10_000):
            if self.learns_at_once:
                self.learn()
            self.collect()
            if not self.messages:
                return
            self.carry(self.messages[0])
        raise AssertionError("the nodes never come to rest")

    def learn(self, *node_ids: int) -> None:
        for node_id in node_ids or self.nodes:
            if (node := self.nodes.get(node_id)) is not None:
                node.learn(self.controller.records[node.applied :], self.now_ms)

    def collect(self) -> None:
        """What all have to say by now."""
        for node in self.nodes.values():
            for send in node.settle(self.now_ms):
                self.messages.append(Message(node.node_id, node.life, send))
            self.messages += node.answers()

    def carry(self, message: Message) -> None:
        self.messages.remove(message)
        self.carried.append(message)
        ends = frozenset((message.sender, message.send.to.node_id))
        if ends in self.cut:
            self.lose(message)
            return
        if message.is_answer:
            self._hear(message, message.answer)
        elif message.send.to.node_id == CONTROLLER.node_id:
            answer = self.controller.alter(message.send.request)
            self.messages.append(replace(message, answer=answer, is_answer=True))
        elif (target := self.nodes.get(message.send.to.node_id)) is not None:
            target.call(message.send.request, self.now_ms, message)
        else:
            self.lose(message)

    def lose(self, message: Message) -> None:
        """The sender hears that there is no answer."""
        if message in self.messages:
            self.messages.remove(message)
        self._hear(message, None)

    def give_up(self, message: Message) -> None:
        """The sender hears that there is no answer; what it asked stays on its way."""
        self._hear(message, None)

    def _hear(self, message: Message, answer: Any) -> None:
        node = self.nodes.get(message.sender)
        if node is not None and node.life == message.life:
            for output in node.answered(message.send, answer, self.now_ms):
                assert isinstance(output, Send)
                self.messages.append(Message(node.node_id, node.life, output))

    def advance(self, milliseconds: int) -> None:
        """Let time pass, deadline by deadline."""
        end_ms = self.now_ms + milliseconds
        self.run()
        while self.nodes:
            due_ms = min(node.next_deadline_ms() for node in self.nodes.values())
            if due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            self.tick()
            self.run()
        self.now_ms = end_ms

    def tick(self) -> None:
        for node in list(self.nodes.values()):
            for send in node.tick(self.now_ms):
                self.messages.append(Message(node.node_id, node.life, send))

    # Clients

    def produce(self, value: bytes, node_id: int = 1, acks: int = -1, index: int = 0) -> Call:
        asked = RecordsForPartition(TOPIC, index, batch(value, timestamp=self.now_ms))
        call = self.nodes[node_id].call(Produce(acks, 10_000, (asked,)), self.now_ms)
        self.run()
        return call

    def produced(self, call: Call, node_id: int = 1) -> ProducedPartition | None:
        answer = self.nodes[node_id].replies.get(call)
        return None if answer is None else answer.partitions[0]

    def ask(self, request: Any, node_id: int = 1) -> Any:
        call = self.nodes[node_id].call(request, self.now_ms)
        self.run()
        return self.nodes[node_id].replies.pop(call, None)

    def consume(self, node_id: int = 1, offset: int = 0) -> list[tuple[int, bytes | None]]:
        asked = FetchPartition(TOPIC, 0, offset, 1 << 20)
        fetched = self.ask(Fetch(0, 1, 1 << 20, (asked,), may_read_from_follower=True), node_id)
        return values(fetched.partitions[0].records)

    # What is there

    def log(self, node_id: int, index: int = 0) -> list[tuple[int, bytes | None]]:
        log = self.nodes[node_id].partition(index).log
        everything = log.read(
            log.log_start_offset, 1 << 20, log.log_end_offset, at_least_one=False
        )
        return values(everything)

    def isr(self) -> tuple[int, ...]:
        return self.controller.assignment().isr

    def elect(self, leader: int, isr: tuple[int, ...] | None = None) -> None:
        self.controller.change(leader=leader, isr=isr)


# What tests say often

LAG_MS = 30_000
PAST_LAG_MS = LAG_MS + LAG_MS // 2 + 1_000


def apart(*nodes: int) -> frozenset[int]:
    return frozenset(nodes)


def follower_fetch(
    replica_id: int, offset: int, world: Replicas, **fields: Any
) -> FetchedPartition:
    """What node 1 answers to a fetch that a replica might send."""
    replica_epoch = fields.pop("replica_epoch", world.broker_epochs.get(replica_id, -1))
    fields = {"current_leader_epoch": 0, "last_fetched_epoch": -1, **fields}
    asked = FetchPartition(TOPIC_ID, 0, offset, 1 << 20, **fields)
    request = Fetch(0, 1, 1 << 20, (asked,), replica_id=replica_id, replica_epoch=replica_epoch)
    answer: FetchedPartition = world.ask(request).partitions[0]
    return answer
