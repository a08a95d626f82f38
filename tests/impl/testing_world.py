"""A plain client of the double's brokers: exact requests, and answers looked at field by field."""

from __future__ import annotations

from typing import Any

from impl.testing import Cluster
from impl.wire import Struct
from spec.wire.errors import ErrorCode
from tests.impl.broker_process import Client
from tests.impl.broker_world import batch, values

TOPIC = "orders"
PATIENCE_MS = 30_000


def client(cluster: Cluster, broker: int = 1) -> Client:
    return Client(int(cluster.address(broker).rpartition(":")[2]))


def produce_body(*texts: bytes, acks: int = -1, timeout_ms: int = PATIENCE_MS) -> dict[str, Any]:
    data = [Struct(name=TOPIC, partition_data=[Struct(index=0, records=batch(*texts))])]
    return {"acks": acks, "timeout_ms": timeout_ms, "topic_data": data}


def produce(
    cluster: Cluster, *texts: bytes, to: int | None = None, acks: int = -1, timeout_ms: int = 5_000
) -> ErrorCode:
    """Write to the leader, or to the broker that is given."""
    body = produce_body(*texts, acks=acks, timeout_ms=timeout_ms)
    with client(cluster, to or cluster.leader(TOPIC) or 1) as asking:
        answer = asking.ask("Produce", 9, **body)
    return ErrorCode(answer.responses[0].partition_responses[0].error_code)


def fetch_body(offset: int = 0) -> dict[str, Any]:
    partition = Struct(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    topics = [Struct(topic=TOPIC, partitions=[partition])]
    return {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 1 << 20, "topics": topics}


def read(cluster: Cluster, broker: int | None = None) -> list[bytes | None]:
    """All that consumers may see, from the leader."""
    with client(cluster, broker or cluster.leader(TOPIC) or 1) as asking:
        answer = asking.ask("Fetch", 12, **fetch_body())
    (partition,) = answer.responses[0].partitions
    assert partition.error_code == ErrorCode.NONE, ErrorCode(partition.error_code)
    return [value for _, value in values(partition.records or b"")]


def first_offset(cluster: Cluster) -> int:
    partitions = [Struct(partition_index=0, timestamp=-2)]
    with client(cluster, cluster.leader(TOPIC) or 1) as asking:
        answer = asking.ask("ListOffsets", 4, topics=[Struct(name=TOPIC, partitions=partitions)])
    return int(answer.topics[0].partitions[0].offset)


def are_all_in_sync(cluster: Cluster) -> bool:
    return len(cluster.in_sync_replicas(TOPIC)) == len(cluster.brokers)
