"""A simulated cluster in trouble, with clients that go on, and what must be true of it afterwards.

Three brokers, two partitions with three replicas and `min.insync.replicas=2`; one partition is
written by an idempotent producer, the other by one that is not. Faults end, everybody gets time to
settle, and then:

- what was acknowledged is there, at its offset (ACKS-05, ELEC-01);
- nothing that an idempotent producer wrote is there twice or out of order (PROD-02 to PROD-04);
- who read along from the beginning has read just what is there (REPL-04, REPL-13);
- all replicas hold the same, and are all in sync again (REPL-12, REPL-05).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random

from impl.core.cluster.messages import CreateTopics, NewTopic
from impl.core.log.batch import read_records
from impl.simulation.clients import CLIENT_LANE, Consumer, Producer
from impl.simulation.cluster import Simulation
from impl.simulation.faults import KINDS, Fault, draw, inject
from spec.wire.errors import ErrorCode

TOPIC = "storm"
PARTITIONS = (0, 1)
PROPERTIES = {
    "auto.leader.rebalance.enable": "false",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.retention.check.interval.ms": "3600000",
    "min.insync.replicas": "2",
    "replica.fetch.backoff.ms": "200",
    "replica.lag.time.max.ms": "4000",
    "replica.socket.timeout.ms": "3000",
}
SETTLE_MS = 20_000
IDEMPOTENT = 1


class Weathered(ABC):
    """A cluster with a topic, clients that go on, and faults that end."""

    partitions: tuple[int, ...] = PARTITIONS

    def __init__(
        self,
        seed: int,
        faults: Sequence[Fault],
        duration_ms: int,
        *,
        pause_ms: int = 100,
        properties: Mapping[str, str] = PROPERTIES,
    ) -> None:
        self.simulation = Simulation(seed, properties=properties)
        self._begin()
        self.start_clients(pause_ms)
        inject(self.simulation, faults)
        self.simulation.run(duration_ms)
        self.simulation.mend()
        self.simulation.run(SETTLE_MS)
        self.stop_clients()
        self.simulation.run(5_000)

    @abstractmethod
    def start_clients(self, pause_ms: int, /) -> None:
        """Who rests, rests for `pause_ms`."""

    @abstractmethod
    def stop_clients(self) -> None:
        """Those that would write on for ever."""

    @abstractmethod
    def problems(self) -> list[str]:
        """What is not as it must be."""

    def _begin(self) -> None:
        while not self.simulation.is_whole:
            self.simulation.run(500)
        request = CreateTopics((NewTopic(TOPIC, len(self.partitions), 3),))
        self.simulation.network.ask(1_000, 1, CLIENT_LANE, request, 5_000, lambda _: None)
        self.simulation.run(1_000)

    # What is there

    def log(self, node_id: int, partition: int) -> list[tuple[int, bytes]]:
        broker = self.simulation.nodes[node_id].broker
        assert broker is not None
        log = broker.partitions.find(TOPIC, partition).log
        return [
            (header.base_offset + record.offset_delta, bytes(record.value or b""))
            for header, payload in log.batches()
            if not header.is_control
            for record in read_records(header, payload)
        ]

    def unsettled(self) -> list[str]:
        found = [
            f"broker {node_id} does not come back"
            for node_id, node in self.simulation.nodes.items()
            if node.broker is None or not node.broker.is_ready
        ]
        return found or ([] if self.simulation.is_whole else ["not all replicas are in sync"])


class Storm(Weathered):
    def start_clients(self, pause_ms: int) -> None:
        self.producers = [
            Producer(
                self.simulation,
                1_001 + n,
                TOPIC,
                n,
                is_idempotent=n == IDEMPOTENT,
                pause_ms=pause_ms,
            )
            for n in PARTITIONS
        ]
        self.consumers = [Consumer(self.simulation, 1_011 + n, TOPIC, n) for n in PARTITIONS]

    def stop_clients(self) -> None:
        for producer in self.producers:
            producer.is_stopped = True

    def problems(self) -> list[str]:
        return [*self.unsettled(), *(p for n in PARTITIONS for p in self._problems(n))]

    def _problems(self, partition: int) -> list[str]:
        producer, consumer = self.producers[partition], self.consumers[partition]
        logs = {node_id: self.log(node_id, partition) for node_id in self.simulation.nodes}
        log = logs[1]
        there = dict(log)
        found = [
            f"{each.value!r}, acknowledged at {each.offset}, is {there.get(each.offset)!r} there"
            for each in producer.history
            if each.error is ErrorCode.NONE
            and each.offset is not None
            and there.get(each.offset) != each.value
        ]
        values = [value for _, value in log]
        if partition == IDEMPOTENT and values != list(dict.fromkeys(values)):
            found.append("a value is there twice")
        if partition == IDEMPOTENT and values != sorted(values, key=_number):
            found.append("values are out of order")
        if any(each != log for each in logs.values()):
            found.append("replicas differ")
        read = [(each.offset, each.value) for each in consumer.history]
        if read != log[: len(read)]:
            found.append("a reader has seen something else")
        if len(read) < len(log):
            found.append("a reader was left behind")
        return [f"partition {partition}: {each}" for each in found]


def storm(
    seed: int,
    duration_ms: int = 25_000,
    kinds: Sequence[str] = KINDS,
    *,
    pause_ms: int = 100,
    properties: Mapping[str, str] = PROPERTIES,
) -> Storm:
    """The storm of a seed; its producers rest for `pause_ms` after each answer."""
    faults = draw(Random(seed), (1, 2, 3), duration_ms, kinds=kinds, mean_pause_ms=4_000)
    return Storm(seed, faults, duration_ms, pause_ms=pause_ms, properties=properties)


def _number(value: bytes) -> int:
    return int(value.rpartition(b"-")[2])
