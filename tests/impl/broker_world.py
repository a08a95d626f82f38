"""A broker in virtual time with its disk in memory: what the tests of the core have in common."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

import crc32c

from impl.core.broker import Broker
from impl.core.cluster.messages import (
    CreatedTopic,
    CreateTopics,
    DeletedTopic,
    DeleteTopics,
    DescribedTopic,
    DescribeTopics,
    Endpoint,
    NewTopic,
)
from impl.core.cluster.topics import TopicReference
from impl.core.config import parse_properties
from impl.core.data.messages import (
    DeleteRecords,
    DeleteRecordsBefore,
    Fetch,
    FetchedPartition,
    FetchPartition,
    InitProducerId,
    ListedOffset,
    ListOffsets,
    LowWatermark,
    PartitionTimestamp,
    Produce,
    ProducedPartition,
    RecordsForPartition,
)
from impl.core.events import Call, Close, Output, Reply
from impl.core.log.batch import (
    HEADER_SIZE,
    BatchHeader,
    build_batch,
    read_header,
    read_records,
    with_checksum,
    write_header,
)
from impl.core.log.log import Platform
from impl.core.storage import Bytes, MemoryStorage
from impl.shell.compression import compress, decompress
from impl.shell.node import CODECS
from impl.shell.properties import OPTION_KINDS

START_MS = 1_700_000_000_000
TOPIC = "orders"


def batch(*values: bytes | None, timestamp: int = START_MS, **header: int) -> bytes:
    """A client's batch of keyless records; `header` overrides fields, the checksum stays right."""
    return keyed_batch([(None, value) for value in values], timestamp, **header)


def keyed_batch(
    records: Sequence[tuple[bytes | None, bytes | None]], timestamp: int = START_MS, **header: int
) -> bytes:
    plain = build_batch(records, timestamp, crc32c.crc32c)
    return with_header(plain, read_header(plain)._replace(**header))


def with_header(plain: bytes, header: BatchHeader) -> bytes:
    payload = plain[HEADER_SIZE:]
    return write_header(with_checksum(header, payload, crc32c.crc32c)) + payload


def headers(records: Bytes) -> list[BatchHeader]:
    found, position = [], 0
    while position < len(records):
        found.append(read_header(records, position))
        position += found[-1].size
    return found


def values(records: Bytes) -> list[tuple[int, bytes | None]]:
    """Offset and value of every record."""
    found, position = [], 0
    for header in headers(records):
        payload = memoryview(records)[position + HEADER_SIZE : position + header.size]
        position += header.size
        for record in read_records(header, payload):
            value = None if record.value is None else bytes(record.value)
            found.append((header.base_offset + record.offset_delta, value))
    return found


class World:
    def __init__(self, storage: MemoryStorage | None = None, **properties: str) -> None:
        self.storage = storage or MemoryStorage()
        self.now_ms = START_MS
        self._calls = count(1)
        self._ids = count(1)
        self._properties = {name.replace("_", "."): value for name, value in properties.items()}
        self.replies: dict[Call, Any] = {}
        self.closed: list[Call] = []
        self.broker = self._start()

    def _start(self) -> Broker:
        platform = Platform(self.storage, crc32c.crc32c, decompress, compress, self._new_id)
        properties = parse_properties(self._properties, *OPTION_KINDS)
        endpoint = Endpoint(properties.broker.node_id, "localhost", 9092)
        voters = {endpoint.node_id: endpoint}
        broker = Broker(platform, CODECS, properties, endpoint, "cluster", voters, self.now_ms)
        self._note(broker.tick(self.now_ms))
        return broker

    def _new_id(self) -> UUID:
        return UUID(int=next(self._ids) << 64)

    # Driving

    def send(self, request: Any, connection_id: int = 1) -> Call:
        call = Call(connection_id, next(self._calls))
        self._note(self.broker.handle(call, request, self.now_ms))
        return call

    def ask(self, request: Any) -> Any:
        """The answer to a request that does not wait."""
        return self.replies.pop(self.send(request))

    def advance(self, milliseconds: int) -> None:
        """Let time pass, deadline by deadline."""
        end_ms = self.now_ms + milliseconds
        while (deadline_ms := self.broker.next_deadline_ms()) <= end_ms:
            self.now_ms = max(self.now_ms, deadline_ms)
            self._note(self.broker.tick(self.now_ms))
        self.now_ms = end_ms

    def _note(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Reply):
                assert output.call not in self.replies, f"{output.call} is answered twice"
                self.replies[output.call] = output.result
            elif isinstance(output, Close):
                self.closed.append(output.call)

    def restart(self, *, cleanly: bool = True) -> None:
        """Stop, or be killed, and start again on the same files."""
        if cleanly:
            self.broker.stop()
        self.broker = self._start()

    def lose_power(self) -> None:
        self.storage.crash()
        self.broker = self._start()

    # Requests

    def create(self, name: str = TOPIC, num_partitions: int = 1, **configs: str) -> CreatedTopic:
        options = tuple((key.replace("_", "."), value) for key, value in configs.items())
        asked = NewTopic(name, num_partitions, 1, configs=options)
        created: CreatedTopic = self.ask(CreateTopics((asked,))).topics[0]
        return created

    def delete(self, topic: TopicReference = TOPIC) -> DeletedTopic:
        deleted: DeletedTopic = self.ask(DeleteTopics((topic,))).topics[0]
        return deleted

    def describe(self, topic: TopicReference = TOPIC, *, create: bool = False) -> DescribedTopic:
        described: DescribedTopic = self.ask(DescribeTopics((topic,), create)).topics[0]
        return described

    def produce(
        self,
        records: Bytes | None,
        acks: int = -1,
        topic: TopicReference = TOPIC,
        partition: int = 0,
    ) -> ProducedPartition:
        asked = RecordsForPartition(topic, partition, records)
        produced: ProducedPartition = self.ask(Produce(acks, 1_000, (asked,))).partitions[0]
        return produced

    def read(
        self,
        offset: int = 0,
        topic: TopicReference = TOPIC,
        max_bytes: int = 1 << 20,
        current_leader_epoch: int = -1,
        last_fetched_epoch: int = -1,
    ) -> FetchedPartition:
        asked = FetchPartition(
            topic, 0, offset, max_bytes, current_leader_epoch, last_fetched_epoch
        )
        fetched: FetchedPartition = self.ask(Fetch(0, 1, 1 << 20, (asked,))).partitions[0]
        return fetched

    def values(self, offset: int = 0) -> list[tuple[int, bytes | None]]:
        return values(self.read(offset).records)

    def offset_at(self, timestamp: int, current_leader_epoch: int = -1) -> ListedOffset:
        asked = PartitionTimestamp(TOPIC, 0, timestamp, current_leader_epoch)
        listed: ListedOffset = self.ask(ListOffsets((asked,))).partitions[0]
        return listed

    def delete_records(self, offset: int, topic: str = TOPIC) -> LowWatermark:
        asked = DeleteRecordsBefore(topic, 0, offset)
        answer: LowWatermark = self.ask(DeleteRecords((asked,))).partitions[0]
        return answer

    def producer_id(self) -> int:
        granted = self.ask(InitProducerId(None))
        assert granted.producer_epoch == 0
        return int(granted.producer_id)

    def leader_epoch(self) -> int:
        return self.describe().partitions[0].leader_epoch
