"""The reference broker beside Apache Kafka, with one client: `python -m tests.bench.brokers`.

Both are started as the suite starts them, and librdkafka writes and reads the same records on
both, in turns: a round of one, a round of the other. Medians over the rounds and their ratio are
printed; above 1 the reference broker is better. Start-up is the time until the first answer,
memory the resident set of all processes after the load.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tabulate import tabulate

from conformance.targets.apache_kafka import ApacheKafka
from conformance.targets.nodes import Nodes
from conformance.targets.reference import Reference

SMALL, LARGE = 100, 10 << 10
SIZES = {SMALL: "100 B", LARGE: "10 KiB"}
PARTITIONS = 3
TIMEOUT_S = 60.0
MIB = 1 << 20
# librdkafka says by itself what goes wrong with a broker that is just starting.
QUIET = {"log_level": 0}


@dataclass
class Side:
    """One broker, and what was measured of it: by row, a figure for each round."""

    name: str
    target: Nodes
    figures: dict[str, list[float]] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        return ":".join(map(str, self.target.address))

    def note(self, row: str, figure: float) -> None:
        self.figures.setdefault(row, []).append(figure)


def records(size: int, mebibytes: float) -> int:
    return int(mebibytes * MIB) // size


def start(side: Side) -> None:
    began = time.perf_counter()
    side.target.start()
    side.note("start-up s", time.perf_counter() - began)


def create_topic(side: Side, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": side.bootstrap, **QUIET})
    for future in admin.create_topics([NewTopic(name, PARTITIONS)]).values():
        future.result(TIMEOUT_S)


def producer(side: Side, acks: str, **options: object) -> Producer:
    return Producer(
        {
            "bootstrap.servers": side.bootstrap,
            "acks": acks,
            "queue.buffering.max.messages": 1_000_000,
            **QUIET,
            **options,
        }
    )


def produce(side: Side, topic: str, size: int, acks: str, mebibytes: float) -> None:
    """Write so many MiB as fast as it goes."""
    value, count = os.urandom(size), records(size, mebibytes)
    client = producer(side, acks, **{"linger.ms": 5})
    client.list_topics(topic, TIMEOUT_S)
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(error)

    began = time.perf_counter()
    for number in range(count):
        client.produce(topic, value, partition=number % PARTITIONS, on_delivery=delivered)
        if number % 1000 == 0:
            client.poll(0)
    assert client.flush(TIMEOUT_S) == 0, "not everything was acknowledged"
    assert not failures, failures[0]
    seconds = time.perf_counter() - began
    side.note(f"produce MiB/s, {SIZES[size]}, acks={acks}", size * count / MIB / seconds)


def consume(side: Side, topic: str, size: int, mebibytes: float) -> None:
    """Read so many MiB from the beginning as fast as it goes."""
    count = records(size, mebibytes)
    client = Consumer({"bootstrap.servers": side.bootstrap, "group.id": "bench", **QUIET})
    client.assign([TopicPartition(topic, each, 0) for each in range(PARTITIONS)])
    began, seen = time.perf_counter(), 0
    while seen < count:
        batch = client.consume(min(10_000, count - seen), timeout=TIMEOUT_S)
        assert batch, "nothing more comes"
        seen += sum(message.error() is None for message in batch)
    seconds = time.perf_counter() - began
    client.close()
    side.note(f"consume MiB/s, {SIZES[size]}", size * count / MIB / seconds)


def latency(side: Side, topic: str, count: int) -> None:
    """The time from a record to its acknowledgement, one record after the other."""
    client = producer(side, "all", **{"linger.ms": 0})
    client.list_topics(topic, TIMEOUT_S)
    taken = []
    for number in range(count):
        began = time.perf_counter()
        client.produce(topic, bytes(SMALL), partition=number % PARTITIONS)
        assert client.flush(TIMEOUT_S) == 0, "not everything was acknowledged"
        taken.append((time.perf_counter() - began) * 1000)
    quantiles = statistics.quantiles(taken, n=100)
    side.note("latency ms p50, acks=all", quantiles[49])
    side.note("latency ms p99, acks=all", quantiles[98])


def memory(side: Side) -> None:
    side.note("memory MiB", sum(map(resident_mebibytes, family(side.target.process.process_id))))


def family(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def resident_mebibytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def one_round(side: Side, number: int, mebibytes: float) -> None:
    for size in SIZES:
        for acks in ("1", "all"):
            topic = f"bench-{number}-{size}-{acks}"
            create_topic(side, topic)
            produce(side, topic, size, acks, mebibytes)
        consume(side, topic, size, mebibytes)
    latency(side, topic, 200)


LESS_IS_BETTER = ("start-up", "latency", "memory")


def table(ours: Mapping[str, list[float]], theirs: Mapping[str, list[float]]) -> str:
    rows = []
    for row in ours:
        mine, other = statistics.median(ours[row]), statistics.median(theirs[row])
        ratio = other / mine if row.startswith(LESS_IS_BETTER) else mine / other
        rows.append((row, mine, other, ratio))
    headers = ("median", "reference", "Apache Kafka", "ratio")
    return tabulate(rows, headers, floatfmt=("", ".2f", ".2f", ".2f"))


def bench(make: tuple[Callable[[], Nodes], Callable[[], Nodes]], rounds: int, mib: float) -> str:
    ours, theirs = Side("reference", make[0]()), Side("apache-kafka", make[1]())
    try:
        for side in (ours, theirs):
            start(side)
        for number in range(rounds):
            for side in (ours, theirs):
                one_round(side, number, mib)
        for side in (ours, theirs):
            memory(side)
    finally:
        for side in (ours, theirs):
            side.target.stop()
    return table(ours.figures, theirs.figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mebibytes", type=float, default=20.0, help="in each measurement")
    options = parser.parse_args()
    print(bench((Reference, ApacheKafka), options.rounds, options.mebibytes))


if __name__ == "__main__":
    main()
