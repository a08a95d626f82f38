"""What the benchmark of brokers has clients do: write, read, and wait for answers, by librdkafka.

Each function runs in a process of its own, which does nothing else. They time themselves, from
when their connections stand; processor time is that of the brokers, whose ids they are told.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

PARTITIONS = 3
TIMEOUT_S = 60.0
AT_ONCE = 1000
SMALLEST = 100
MIB = 1 << 20
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# librdkafka says by itself what goes wrong with a broker that is just starting.
_QUIET = {"log_level": 0}


@dataclass(frozen=True)
class Cluster:
    """Where brokers are, and the processes that they are."""

    bootstrap: str
    process_ids: tuple[int, ...]

    def processor_s(self) -> float:
        """What they have computed so far."""
        return sum(map(_processor_s, self.process_ids))


@dataclass(frozen=True)
class Load:
    """Records of one size to a topic: `mebibytes` of them."""

    topic: str
    size: int
    mebibytes: int

    @property
    def count(self) -> int:
        return self.mebibytes * MIB // self.size


@dataclass
class Taken:
    """How long it took, and how long the brokers computed for it."""

    seconds: float = 0.0
    processor_s: float = 0.0


def _processor_s(process_id: int) -> float:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S  # in user and in system mode


@contextmanager
def _watch(cluster: Cluster) -> Iterator[Taken]:
    taken = Taken()
    began, computed = time.perf_counter(), cluster.processor_s()
    yield taken
    taken.seconds = time.perf_counter() - began
    taken.processor_s = cluster.processor_s() - computed


def create_topic(cluster: Cluster, name: str, replicas: int) -> None:
    """Written with acks=all, it is there on all but one of the replicas."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, **_QUIET})
    options = {"min.insync.replicas": str(max(replicas - 1, 1))}
    topic = NewTopic(name, PARTITIONS, replicas, config=options)
    for future in admin.create_topics([topic]).values():
        future.result(TIMEOUT_S)


def delete_topic(cluster: Cluster, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, **_QUIET})
    for future in admin.delete_topics([name]).values():
        future.result(TIMEOUT_S)


def _producer(cluster: Cluster, topic: str, acks: str, linger_ms: int) -> Producer:
    """One that has talked to the leaders of all partitions."""
    client = Producer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "acks": acks,
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
            **_QUIET,
        }
    )
    for partition in range(PARTITIONS):
        client.produce(topic, b"first", partition=partition)
    assert client.flush(TIMEOUT_S) == 0, "not everything was acknowledged"
    return client


def produce(cluster: Cluster, load: Load, acks: str) -> Taken:
    """Write as fast as it goes, until all is acknowledged."""
    client = _producer(cluster, load.topic, acks, linger_ms=5)
    record = {"value": os.urandom(load.size)}
    failures: list[KafkaError] = []

    def failed(error: KafkaError | None, _message: object) -> None:
        assert error is not None
        failures.append(error)

    with _watch(cluster) as taken:
        for start in range(0, load.count, AT_ONCE):
            records = [record] * min(AT_ONCE, load.count - start)
            partition = start // AT_ONCE % PARTITIONS
            queued = client.produce_batch(load.topic, records, partition, failed)
            assert queued == len(records), "the queue of the client is full"
            client.poll(0)
        assert client.flush(TIMEOUT_S) == 0, "not everything was acknowledged"
    assert not failures, failures[0]
    return taken


def consume(cluster: Cluster, load: Load) -> Taken:
    """Read from the beginning as fast as it goes; the time includes the connecting."""
    client = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            # Else the client takes breaks, whatever the broker does.
            "queued.min.messages": load.count,
            "queued.max.messages.kbytes": 2 * load.mebibytes << 10,
            **_QUIET,
        }
    )
    with _watch(cluster) as taken:
        client.assign([TopicPartition(load.topic, each, 0) for each in range(PARTITIONS)])
        seen = 0
        while seen < load.count:
            batch = client.consume(min(10 * AT_ONCE, load.count - seen), timeout=TIMEOUT_S)
            assert batch, "nothing more comes"
            seen += sum(message.error() is None for message in batch)
    client.close()
    return taken


def wait_for_answers(cluster: Cluster, topic: str, acks: str, count: int) -> list[float]:
    """Milliseconds from a record to its acknowledgement, one record after the other."""
    client = _producer(cluster, topic, acks, linger_ms=0)
    taken_ms = []
    for number in range(count):
        began = time.perf_counter()
        client.produce(topic, bytes(SMALLEST), partition=number % PARTITIONS)
        assert client.flush(TIMEOUT_S) == 0, "not everything was acknowledged"
        taken_ms.append((time.perf_counter() - began) * 1000)
    return taken_ms
