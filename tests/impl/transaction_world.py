"""Brokers that do nothing but transactions, in virtual time, with their disks in memory.

Each node has the rooms that transactions consist of; what they ask of each other is carried by
`World`, at once or never. There is no controller: the tests say who leads what, and since when.
A follower copies its leader's log when a test lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID

import crc32c

from impl.api.group_records import decode_record, encode_record
from impl.api.transaction_records import TransactionRecords
from impl.core.cluster.broker_messages import AllocatedProducerIds, AllocateProducerIds
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import (
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import OFFSETS_TOPIC, TopicPartition
from impl.core.config import TopicConfig
from impl.core.data import reading
from impl.core.data.changes import take
from impl.core.data.config import ReplicationConfig
from impl.core.data.messages import (
    LATEST,
    READ_COMMITTED,
    READ_UNCOMMITTED,
    Fetch,
    FetchedPartition,
    FetchPartition,
    InitProducerId,
    Produce,
    RecordsForPartition,
)
from impl.core.data.offset_queries import find_offset
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Reply, Send
from impl.core.groups.config import GroupConfig
from impl.core.groups.coordination import Coordination
from impl.core.groups.lookup import TRANSACTIONS_TOPIC
from impl.core.groups.messages import CommitOffsets, GroupRequest
from impl.core.log.batch import (
    HEADER_SIZE,
    TRANSACTIONAL,
    BatchHeader,
    Record,
    read_records,
)
from impl.core.log.log import Platform
from impl.core.log.markers import ProducerIdentity
from impl.core.storage import Bytes, MemoryStorage
from impl.core.transactions.admitting import TransactionalCommits, TransactionalProducing
from impl.core.transactions.config import TransactionConfig
from impl.core.transactions.messages import AddPartitions
from impl.core.transactions.transactions import Transactions
from impl.core.transactions.verifying import Verifying
from impl.shell.compression import compress, decompress
from tests.impl.broker_world import START_MS, batch, headers
from tests.impl.replica_world import config_of

CONTROLLER = Endpoint(0, "controller", 9092)
TOPIC = "orders"
TOPIC_IDS = {TOPIC: UUID(int=7), TRANSACTIONS_TOPIC: UUID(int=8), OFFSETS_TOPIC: UUID(int=9)}
STATE = TopicPartition(TRANSACTIONS_TOPIC, 0)
OFFSETS = TopicPartition(OFFSETS_TOPIC, 0)
CLIENT = 1


class _GroupRecords:
    encode = staticmethod(encode_record)
    decode = staticmethod(decode_record)


@dataclass
class Message:
    sender: int
    life: int
    send: Send


class Node:
    """One broker, from its start to its end."""

    def __init__(self, world: World, node_id: int, life: int) -> None:
        self.node_id, self.life = node_id, life
        self.catalogue = Catalogue()
        self.applied = 0
        self.replies: dict[Call, Any] = {}
        self._asked: dict[Call, Message] = {}
        self._calls = count(1)
        platform = Platform(
            world.storages[node_id], crc32c.crc32c, decompress, compress, world.new_id
        )
        self.partitions = Partitions(
            platform, self.catalogue, world.config_of, node_id, ReplicationConfig()
        )
        standing = Standing(node_id, "cluster", life, CONTROLLER)
        config = world.config
        self.verifying = Verifying(
            self.catalogue, is_enabled=config.transaction_partition_verification_enable
        )
        self.producing = Producing(self.partitions)
        self.transactional = TransactionalProducing(
            self.partitions, self.producing, self.verifying
        )
        self.groups = Coordination(
            GroupConfig(),
            self.catalogue,
            self.partitions,
            _GroupRecords(),
            lambda _: None,
            world.new_id,
        )
        self.commits = TransactionalCommits(
            self.catalogue, self.partitions, self.groups, self.verifying
        )
        self.transactions = Transactions(
            config,
            self.catalogue,
            self.partitions,
            standing,
            TransactionRecords(),
            self.groups.transaction_ended,
            self.groups.partition_of,
            world.now_ms,
        )

    # Driving: all of these give back what is for other nodes

    def learn(self, records: Sequence[MetadataRecord], now_ms: int) -> list[Send]:
        changed = {}
        for record in records:
            topic = self.catalogue.apply(record)
            self.applied += 1
            if topic is not None:
                changed[topic.name] = topic
        for topic in changed.values():
            self.partitions.follow(topic, now_ms)
        if not changed:
            return []
        sends = self._note(self.groups.follow(self.partitions, now_ms))
        return sends + self._note(self.transactions.follow(self.partitions, now_ms))

    def call(
        self, request: Any, now_ms: int, message: Message | None = None
    ) -> tuple[Call, list[Send]]:
        connection_id = CLIENT if message is None else 100 + message.sender
        call = Call(connection_id, next(self._calls))
        if message is not None:
            self._asked[call] = message
        handle: Callable[[Call, Any, int], list[Output]] = self.transactions.handle
        if isinstance(request, Produce):
            handle = self.transactional.handle
        elif isinstance(request, CommitOffsets):
            handle = self.commits.handle
        elif isinstance(request, GroupRequest):
            handle = self.groups.handle
        return call, self._note(handle(call, request, now_ms))

    def answered(self, sent: Send, answer: Any, now_ms: int) -> list[Send]:
        if isinstance(sent.request, AddPartitions):
            return self._note(self.verifying.answered(sent, answer, now_ms))
        return self._note(self.transactions.answered(sent, answer, now_ms))

    def tick(self, now_ms: int) -> list[Send]:
        sends = self._note(self.producing.release(now_ms))
        sends += self._note(self.groups.tick(now_ms))
        return sends + self._note(self.transactions.tick(now_ms))

    def settle(self, now_ms: int) -> list[Send]:
        sends = []
        while take(self.partitions.changes.moved):
            sends += self.tick(now_ms)
        return sends

    def _note(self, outputs: Iterable[Output]) -> list[Send]:
        sends = []
        for output in outputs:
            if isinstance(output, Send):
                sends.append(output)
            else:
                assert isinstance(output, Reply)
                assert output.call not in self.replies, f"{output.call} is answered twice"
                self.replies[output.call] = output.result
        return sends

    def answers(self) -> list[tuple[Message, Any]]:
        """To the requests of other nodes, as far as they are there."""
        done = [call for call in self._asked if call in self.replies]
        return [(self._asked.pop(call), self.replies.pop(call)) for call in done]

    def next_deadline_ms(self) -> int:
        deadlines = (
            self.producing.next_deadline_ms(),
            self.groups.next_deadline_ms(),
            self.transactions.next_deadline_ms(),
        )
        return min(each for each in deadlines if each is not None)


class World:
    """Nodes 1 to `nodes`. Partitions of the topic are led in turn, the broker's topics by 1."""

    def __init__(
        self,
        nodes: int = 3,
        partitions: int = 2,
        config: TransactionConfig | None = None,
        **topic_options: Any,
    ) -> None:
        self.now_ms = START_MS
        self.config = config or TransactionConfig()
        self.config_of = config_of(TopicConfig(**topic_options))
        self.records: list[MetadataRecord] = []
        self.catalogue = Catalogue()
        self.losing: Callable[[Message], bool] = lambda _: False
        """Which requests between nodes get lost; the sender hears of it at once."""
        self.held: list[Message] | None = None
        """Requests between nodes that wait, in order, if they are to wait at all."""
        self._ids, self._lives, self._blocks = count(1), count(1), count(0)
        self.ids = tuple(range(1, nodes + 1))
        self.storages = {node_id: MemoryStorage() for node_id in self.ids}
        self.nodes: dict[int, Node] = {}
        for node_id in self.ids:
            endpoint = Endpoint(node_id, f"broker-{node_id}", 9092)
            self._decide(RegisterBrokerRecord(endpoint, self.new_id(), node_id, fenced=False))
        for name, number in ((TRANSACTIONS_TOPIC, 1), (OFFSETS_TOPIC, 1), (TOPIC, partitions)):
            self._decide(TopicRecord(name, TOPIC_IDS[name]))
            for index in range(number):
                leader = self.ids[(index + (name == TOPIC)) % nodes]
                self._decide(PartitionRecord(TOPIC_IDS[name], index, self.ids, (leader,), leader))
        for node_id in self.ids:
            self.start(node_id)

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids) << 64)

    def _decide(self, record: MetadataRecord) -> None:
        self.records.append(record)
        self.catalogue.apply(record)

    # Lives, and who leads

    def start(self, node_id: int) -> None:
        self.nodes[node_id] = Node(self, node_id, next(self._lives))
        self._learn()

    def kill(self, node_id: int) -> None:
        """The process dies; what it wrote stays, and what is for it is lost."""
        del self.nodes[node_id]

    def restart(self, node_id: int) -> None:
        """It dies and comes back, and leads again what it led, in a new epoch."""
        self.nodes.pop(node_id, None)
        for name, topic in list(self.catalogue.topics.items()):
            for index, assignment in topic.partitions.items():
                if assignment.leader == node_id:
                    change = PartitionChangeRecord(TOPIC_IDS[name], index, leader=node_id)
                    self._decide(change)
        self.start(node_id)
        self.run()

    def elect(self, at: TopicPartition, leader: int, *, keeps_tail: bool = True) -> None:
        """Another node leads, which has all of the log, or only what is committed."""
        old = self.partition(at)
        target = self.nodes[leader].partitions.find(*at)
        if target is not old:
            self._copy(old, target, old.log.log_end_offset if keeps_tail else old.high_watermark)
        change = PartitionChangeRecord(TOPIC_IDS[at.topic], at.partition, leader=leader)
        self._decide(replace(change, isr=(leader,)))
        self._learn()
        self.run()

    def _copy(self, source: Partition, target: Partition, end: int) -> None:
        target.truncate_to(end)
        start = target.log.log_end_offset
        if start < end:
            target.append_fetched(
                source.log.read(start, 1 << 30, end, at_least_one=False), self.now_ms
            )

    def demand_follower(self, at: TopicPartition, follower: int) -> None:
        """Nothing more is committed before the follower has it."""
        isr = (self.leader(at).node_id, follower)
        self._decide(PartitionChangeRecord(TOPIC_IDS[at.topic], at.partition, isr=isr))
        self._learn()

    def replicate(self, at: TopicPartition, follower: int) -> None:
        """The follower fetches until it has everything, and says so."""
        leader = self.partition(at)
        target = self.nodes[follower].partitions.find(*at)
        self._copy(leader, target, leader.log.log_end_offset)
        asked = FetchPartition(
            at.topic, at.partition, target.log.log_end_offset, 0, leader.leader_epoch
        )
        reading.note_fetch(
            leader, asked, Fetch(0, 0, 0, (asked,), replica_id=follower), self.now_ms
        )
        self.run()

    def leader(self, at: TopicPartition) -> Node:
        return self.nodes[self.catalogue.topics[at.topic].partitions[at.partition].leader]

    def partition(self, at: TopicPartition) -> Partition:
        return self.leader(at).partitions.find(*at)

    def coordinator(self) -> Node:
        return self.leader(STATE)

    def _learn(self) -> None:
        for node in self.nodes.values():
            self._carry_all(node, node.learn(self.records[node.applied :], self.now_ms))

    # Carrying

    def run(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(10_000):
            sends = [(node, node.settle(self.now_ms)) for node in self.nodes.values()]
            answers = [each for node in self.nodes.values() for each in node.answers()]
            for node, sent in sends:
                self._carry_all(node, sent)
            for message, answer in answers:
                self._hear(message, answer)
            if not answers and not any(sent for _, sent in sends):
                return
        raise AssertionError("the nodes never come to rest")

    def _carry_all(self, node: Node, sends: Iterable[Send]) -> None:
        for send in sends:
            message = Message(node.node_id, node.life, send)
            if self.held is not None and send.to != CONTROLLER:
                self.held.append(message)
            else:
                self.carry(message)

    def carry(self, message: Message) -> None:
        request = message.send.request
        if isinstance(request, AllocateProducerIds):
            first = next(self._blocks) * 1000
            self._hear(message, AllocatedProducerIds(first=first, count=1000))
        elif message.send.to.node_id not in self.nodes or self.losing(message):
            self._hear(message, None)
        else:
            target = self.nodes[message.send.to.node_id]
            _, sends = target.call(request, self.now_ms, message)
            self._carry_all(target, sends)

    def _hear(self, message: Message, answer: Any) -> None:
        node = self.nodes.get(message.sender)
        if node is not None and node.life == message.life:
            self._carry_all(node, node.answered(message.send, answer, self.now_ms))

    def release(self) -> None:
        """Carry what was held, and hold nothing from now on."""
        held, self.held = self.held or [], None
        for message in held:
            self.carry(message)
        self.run()

    def advance(self, milliseconds: int) -> None:
        """Let time pass, deadline by deadline."""
        end_ms = self.now_ms + milliseconds
        self.run()
        while self.nodes:
            due_ms = min(node.next_deadline_ms() for node in self.nodes.values())
            if due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            for node in list(self.nodes.values()):
                self._carry_all(node, node.tick(self.now_ms))
            self.run()
        self.now_ms = end_ms

    # Clients

    def send(self, request: Any, node: Node) -> Call:
        call, sends = node.call(request, self.now_ms)
        self._carry_all(node, sends)
        self.run()
        return call

    def ask(self, request: Any, node: Node | None = None) -> Any:
        """The answer of the coordinator, or of the node, or None while there is none."""
        node = node or self.coordinator()
        return node.replies.pop(self.send(request, node), None)

    def init(self, transactional_id: str | None = "t", /, **fields: Any) -> Any:
        return self.ask(InitProducerId(transactional_id, **fields))

    def produce(
        self,
        producer: ProducerIdentity,
        values: Sequence[bytes],
        index: int = 0,
        sequence: int = 0,
        transactional_id: str | None = "t",
        api_version: int = 12,
        attributes: int | None = None,
    ) -> Any:
        if attributes is None:
            attributes = 0 if transactional_id is None else TRANSACTIONAL
        records = batch(
            *values,
            timestamp=self.now_ms,
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            base_sequence=sequence,
            attributes=attributes,
        )
        asked = RecordsForPartition(TOPIC, index, records)
        request = Produce(-1, 10_000, (asked,), transactional_id, api_version=api_version)
        answer = self.ask(request, self.leader(TopicPartition(TOPIC, index)))
        return None if answer is None else answer.partitions[0]

    # Readers

    def fetch(
        self, at: TopicPartition, isolation_level: int = READ_COMMITTED, offset: int = 0
    ) -> FetchedPartition:
        asked = FetchPartition(at.topic, at.partition, offset, 1 << 30)
        request = Fetch(0, 1, 1 << 30, (asked,), isolation_level=isolation_level)
        return reading.read(self.partition(at), asked, request, 1 << 30, at_least_one=True)

    def committed(self, index: int = 0) -> list[bytes]:
        """What a reader of committed records hands to its application."""
        fetched = self.fetch(TopicPartition(TOPIC, index))
        aborted = sorted(fetched.aborted, key=lambda each: each[1])
        dropping: set[int] = set()
        found = []
        for header, records in stored(fetched.records):
            while aborted and aborted[0][1] <= header.last_offset:
                dropping.add(aborted.pop(0)[0])
            if header.is_control:
                dropping.discard(header.producer_id)
            elif not (header.is_transactional and header.producer_id in dropping):
                found += [bytes(record.value or b"") for record in records]
        return found

    def everything(self, index: int = 0) -> list[bytes | None]:
        """The values of all records; None stands for a marker."""
        fetched = self.fetch(TopicPartition(TOPIC, index), READ_UNCOMMITTED)
        return [
            None if header.is_control else bytes(record.value or b"")
            for header, records in stored(fetched.records)
            for record in records
        ]

    def stable_end(self, index: int = 0) -> int:
        """ListOffsets for the latest offset, by a reader of committed records."""
        partition = self.partition(TopicPartition(TOPIC, index))
        return find_offset(partition, LATEST, READ_COMMITTED).offset


def stored(content: Bytes) -> Iterator[tuple[BatchHeader, list[Record]]]:
    """The batches of an answer to a fetch."""
    position = 0
    for header in headers(content):
        payload = memoryview(content)[position + HEADER_SIZE : position + header.size]
        position += header.size
        yield header, list(read_records(header, payload))


def identity(granted: Any) -> ProducerIdentity:
    assert not granted.error, granted
    return ProducerIdentity(granted.producer_id, granted.producer_epoch)
