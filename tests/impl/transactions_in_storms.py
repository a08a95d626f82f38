"""Transactions of a simulated cluster in trouble, and what must be true of them afterwards.

Two producers write transactions over both partitions of a topic, whose logs are read along by who
wants all records and by who wants only what was committed. When everything has settled:

- what was committed is there once, in both partitions, in order (TXNI-14, PROD-02);
- what was aborted, or left open, nobody was given who asked for committed records (TXNI-12);
- a transaction of which nobody told the producer is there in both partitions or in neither;
- no transaction is open any more (TXNI-15).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from impl.core.data.messages import READ_COMMITTED
from impl.simulation.clients import Consumer
from impl.simulation.faults import KINDS, draw
from impl.simulation.transactional import Outcome, TransactionalProducer
from tests.impl.cluster_storm import PARTITIONS, PROPERTIES, TOPIC, Weathered

TRANSACTIONAL = {
    **PROPERTIES,
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
}
LONGEST_PATIENCE_MS = 30_000


class TransactionStorm(Weathered):
    def start_clients(self, pause_ms: int) -> None:
        self.producers = [
            TransactionalProducer(self.simulation, client_id, TOPIC, PARTITIONS, pause_ms=pause_ms)
            for client_id in (1_001, 1_002)
        ]
        self.consumers = [
            Consumer(self.simulation, 1_011 + n, TOPIC, n, isolation_level=READ_COMMITTED)
            for n in PARTITIONS
        ]

    def stop_clients(self) -> None:
        """Whoever has stopped leaves a transaction open, which ends by its timeout. One that was
        to begin in the storm may do so only now: brokers ask each other with long patience.
        """
        for producer in self.producers:
            producer.is_stopped = True
        self.simulation.run(LONGEST_PATIENCE_MS)

    def problems(self) -> list[str]:
        return [
            *self.unsettled(),
            *self._still_open(),
            *(p for producer in self.producers for p in self._problems(producer)),
        ]

    def _still_open(self) -> list[str]:
        partitions = [
            node.broker.partitions.find(TOPIC, n)
            for node in self.simulation.nodes.values()
            if node.broker is not None
            for n in PARTITIONS
        ]
        return [
            f"partition {each.at.partition}: a transaction is open"
            for each in partitions
            if each.is_leader and each.last_stable_offset < each.high_watermark
        ]

    def _problems(self, producer: TransactionalProducer) -> list[str]:
        mine = b"%d-" % producer.client_id
        seen = [
            [each.value for each in consumer.history if each.value.startswith(mine)]
            for consumer in self.consumers
        ]
        found = []
        for transaction in producer.history:
            copies = [values.count(transaction.value) for values in seen]
            permitted = {
                Outcome.COMMITTED: ([1, 1],),
                Outcome.ABORTED: ([0, 0],),
                Outcome.UNKNOWN: ([1, 1], [0, 0]),
            }[transaction.outcome]
            if copies not in permitted:
                found.append(f"{transaction} is there {copies} times")
        order = [each.value for each in producer.history]
        if any(values != sorted(values, key=order.index) for values in seen):
            found.append(f"producer {producer.client_id}: values are out of order")
        return found


def transaction_storm(
    seed: int,
    duration_ms: int = 25_000,
    kinds: Sequence[str] = KINDS,
    *,
    pause_ms: int = 200,
) -> TransactionStorm:
    faults = draw(Random(seed), (1, 2, 3), duration_ms, kinds=kinds, mean_pause_ms=4_000)
    return TransactionStorm(seed, faults, duration_ms, pause_ms=pause_ms, properties=TRANSACTIONAL)
