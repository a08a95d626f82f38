"""Markers as the leader of a partition writes them: WriteTxnMarkers.

TXNI-10, TXNI-14, TXNI-21. An answer waits until every marker is committed: only then may the
coordinator forget that it has to tell. Which marker a partition takes is decided by
`producer_state`. Offsets that a group committed in the transaction are the group coordinator's
business, which is told through `ended`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from impl.core.cluster.topics import TopicPartition
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply
from impl.core.log.markers import Marker
from impl.core.refusal import KafkaError
from impl.core.transactions.messages import MarkersOfTransaction, WriteMarkers, WrittenMarkers
from impl.core.transactions.transaction import WITH_EPOCH_BUMP
from spec.wire.errors import ErrorCode

WAIT_MS = 30_000

# A marker of this producer was written to the partition, up to the log end offset.
Ended: TypeAlias = Callable[[TopicPartition, int, bool, int], None]

_Place = tuple[int, TopicPartition]


@dataclass(slots=True)
class _Parked:
    until_ms: int
    errors: dict[int, dict[TopicPartition, ErrorCode]] = field(default_factory=dict)
    pending: dict[_Place, int] = field(default_factory=dict)
    """The high watermark that each marker waits for."""


class MarkerWriting:
    def __init__(self, partitions: Partitions, ended: Ended) -> None:
        self._partitions = partitions
        self._ended = ended
        self._parked: dict[Call, _Parked] = {}

    def handle(self, call: Call, request: WriteMarkers, now_ms: int) -> list[Output]:
        parked = self._parked[call] = _Parked(now_ms + WAIT_MS)
        for transaction in request.transactions:
            parked.errors.setdefault(transaction.producer.producer_id, {})
            for at in transaction.partitions:
                self._write(parked, transaction, at, now_ms)
        return self.tick(now_ms)

    def _write(
        self, parked: _Parked, transaction: MarkersOfTransaction, at: TopicPartition, now_ms: int
    ) -> None:
        producer_id = transaction.producer.producer_id
        marker = Marker(transaction.commits, transaction.coordinator_epoch)
        try:
            partition = self._partitions.find(*at)
            appended = partition.append_marker(
                marker,
                transaction.producer,
                now_ms,
                has_own_epoch=transaction.version >= WITH_EPOCH_BUMP,
            )
        except KafkaError as refused:
            parked.errors[producer_id][at] = refused.error
            return
        parked.pending[producer_id, at] = appended.required_offset
        self._ended(at, producer_id, transaction.commits, appended.required_offset)

    def tick(self, now_ms: int) -> list[Output]:
        """To be called also when a partition's high watermark moved."""
        outputs: list[Output] = []
        for call, parked in list(self._parked.items()):
            for place, required_offset in list(parked.pending.items()):
                self._settle(parked, place, required_offset, now_ms)
            if not parked.pending:
                del self._parked[call]
                outputs.append(Reply(call, WrittenMarkers(parked.errors)))
        return outputs

    def _settle(self, parked: _Parked, place: _Place, required_offset: int, now_ms: int) -> None:
        producer_id, at = place
        error: ErrorCode | None
        try:
            error = self._partitions.find(*at).acknowledgement(required_offset)
        except KafkaError as refused:
            error = refused.error
        if error is None and now_ms < parked.until_ms:
            return
        del parked.pending[place]
        parked.errors[producer_id][at] = ErrorCode.REQUEST_TIMED_OUT if error is None else error

    def next_deadline_ms(self) -> int | None:
        return min((parked.until_ms for parked in self._parked.values()), default=None)

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._parked if c.connection_id == connection_id]:
            del self._parked[call]
