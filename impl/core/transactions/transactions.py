"""All that a broker does for transactions, in one room: coordinator, markers, producer ids.

Decides which part deals with a request or an answer. `tick` is to be called also when the high
watermark of a partition moved, `follow` when the catalogue says who leads what.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from impl.core.cluster.broker_messages import AllocateProducerIds
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.standing import Standing
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply, Send
from impl.core.transactions.config import TransactionConfig
from impl.core.transactions.coordinator import Coordinator, PartitionOf
from impl.core.transactions.inspection import (
    describe_producers,
    describe_transactions,
    list_transactions,
)
from impl.core.transactions.marker_writing import Ended, MarkerWriting
from impl.core.transactions.messages import (
    DescribeProducers,
    DescribeTransactions,
    ListTransactions,
    WriteMarkers,
)
from impl.core.transactions.producer_ids import ProducerIds
from impl.core.transactions.state_log import TransactionCodec


class Transactions:
    def __init__(
        self,
        config: TransactionConfig,
        catalogue: Catalogue,
        partitions: Partitions,
        standing: Standing,
        codec: TransactionCodec,
        ended: Ended,
        partition_of: PartitionOf,
        now_ms: int,
    ) -> None:
        """`ended` hears of every marker that is written here; `partition_of` is for groups."""
        self._partitions = partitions
        self._producer_ids = ProducerIds(standing)
        self._coordinator = Coordinator(
            config, catalogue, partitions, codec, self._producer_ids, partition_of, now_ms
        )
        self._marker_writing = MarkerWriting(partitions, ended)

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        match request:
            case WriteMarkers():
                return self._marker_writing.handle(call, request, now_ms)
            case ListTransactions():
                log = self._coordinator.log
                return [Reply(call, list_transactions(log, request, now_ms))]
            case DescribeTransactions():
                return [Reply(call, describe_transactions(self._coordinator.log, request))]
            case DescribeProducers():
                return [Reply(call, describe_producers(self._partitions, request))]
        return self._coordinator.handle(call, request, now_ms)

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        if isinstance(sent.request, AllocateProducerIds):
            return self._producer_ids.answered(sent, answer, now_ms)
        return self._coordinator.answered(sent, answer, now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        return [
            *self._producer_ids.tick(now_ms),
            *self._marker_writing.tick(now_ms),
            *self._coordinator.tick(now_ms),
        ]

    def markers_moved(self, now_ms: int) -> list[Output]:
        """A marker that was written here may be committed now."""
        return self._marker_writing.tick(now_ms)

    def follow(self, partitions: Iterable[Partition], now_ms: int) -> list[Output]:
        return self._coordinator.follow(list(partitions), now_ms)

    def next_deadline_ms(self) -> int:
        rooms = (self._producer_ids, self._marker_writing, self._coordinator)
        deadlines = [room.next_deadline_ms() for room in rooms]
        return min(d for d in deadlines if d is not None)

    def forget(self, connection_id: int) -> None:
        self._marker_writing.forget(connection_id)
