"""The fields of the long nested requests, and the records of a Fetch in a loop.

Each function gives the fields of one request for every version at once: those that a version does
not have are left out when it is encoded. Nothing here sends anything or judges an answer.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.wire import Struct
from conformance.wire.records import Batch, Record, build_batch, read_batches

Fields = dict[str, Any]

REQUEST_TIMEOUT_MS = 5000
LATEST, EARLIEST = -1, -2
NO_TOPIC_ID = uuid.UUID(int=0)
CONSUMER = -1
"""The replica id of who is no replica; in ListOffsets it is not the default."""


@dataclass(frozen=True)
class Topic:
    """A topic that exists."""

    name: str
    id: uuid.UUID
    partitions: int


@dataclass
class Read:
    """What a loop of Fetches returned, from the offset that was asked for on."""

    next_offset: int
    batches: list[Batch] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    partition: Struct = field(default_factory=Struct)

    def take(self, data: bytes | None) -> None:
        """Add what one answer brought; records below the offset asked for are left out."""
        for batch in read_batches(data or b""):
            self.batches.append(batch)
            if not batch.is_control:
                self.records += [r for r in batch.records if r.offset >= self.next_offset]
            self.next_offset = max(self.next_offset, batch.last_offset + 1)

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    @property
    def offsets(self) -> list[int]:
        return [record.offset for record in self.records]


def create_topic(
    name: str, partitions: int, replication_factor: int, configs: Mapping[str, str | None]
) -> Fields:
    topic = {
        "name": name,
        "num_partitions": partitions,
        "replication_factor": replication_factor,
        "configs": [{"name": key, "value": value} for key, value in configs.items()],
    }
    return {"topics": [topic], "timeout_ms": REQUEST_TIMEOUT_MS}


def delete_topics(names: Iterable[str]) -> Fields:
    names = list(names)
    return {
        "topics": [{"name": name} for name in names],
        "topic_names": names,
        "timeout_ms": REQUEST_TIMEOUT_MS,
    }


def produce(
    topic: Topic,
    data: Mapping[int, bytes | Collection[bytes]],
    acks: int = -1,
    transactional_id: str | None = None,
    timeout_ms: int = REQUEST_TIMEOUT_MS,
) -> Fields:
    """Produce to partitions of one topic: an encoded batch, or the values of its records."""
    partitions = [{"index": index, "records": batch(value)} for index, value in data.items()]
    return {
        "transactional_id": transactional_id,
        "acks": acks,
        "timeout_ms": timeout_ms,
        "topic_data": [{"name": topic.name, "topic_id": topic.id, "partition_data": partitions}],
    }


def fetch(
    topic: Topic,
    offsets: Mapping[int, int],
    *,
    isolation_level: int = 0,
    max_wait_ms: int = 500,
    min_bytes: int = 1,
    max_bytes: int = 2**20,
    session_id: int = 0,
    session_epoch: int = -1,
) -> Fields:
    """Fetch partitions of one topic from given offsets; without a fetch session by default."""
    partitions = [
        {"partition": index, "fetch_offset": offset, "partition_max_bytes": max_bytes}
        for index, offset in offsets.items()
    ]
    return {
        "max_wait_ms": max_wait_ms,
        "min_bytes": min_bytes,
        "max_bytes": max_bytes,
        "isolation_level": isolation_level,
        "session_id": session_id,
        "session_epoch": session_epoch,
        "topics": [{"topic": topic.name, "topic_id": topic.id, "partitions": partitions}],
    }


def list_offsets(topic: Topic, timestamps: Mapping[int, int], isolation_level: int = 0) -> Fields:
    partitions = [
        {"partition_index": index, "timestamp": timestamp}
        for index, timestamp in timestamps.items()
    ]
    return {
        "replica_id": CONSUMER,
        "isolation_level": isolation_level,
        "topics": [{"name": topic.name, "partitions": partitions}],
        "timeout_ms": REQUEST_TIMEOUT_MS,
    }


def delete_records(topic: Topic, offsets: Mapping[int, int]) -> Fields:
    """Delete what lies before these offsets of partitions of one topic."""
    partitions = [
        {"partition_index": index, "offset": offset} for index, offset in offsets.items()
    ]
    return {
        "topics": [{"name": topic.name, "partitions": partitions}],
        "timeout_ms": REQUEST_TIMEOUT_MS,
    }


def batch(data: bytes | Collection[bytes]) -> bytes:
    """An encoded batch as it is, or one plain batch of records with these values."""
    if isinstance(data, bytes):
        return data
    return build_batch([Record(value=value) for value in data])
