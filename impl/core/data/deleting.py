"""DeleteRecords: cut the log of the leader at its start, and wait until the replicas did the same.

REPL-14, RETN-07 to RETN-09. The log start is durable before the answer: it never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from impl.core.cluster.topics import INTERNAL_TOPICS
from impl.core.data.messages import (
    DeleteRecords,
    DeleteRecordsBefore,
    LowWatermark,
    LowWatermarks,
)
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


@dataclass(slots=True)
class ParkedDeletion:
    partitions: list[LowWatermark]
    pending: dict[int, int]
    """Index in `partitions`, and the low watermark that it waits for."""
    deadline_ms: int


class Deleting:
    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._parked: dict[Call, ParkedDeletion] = {}

    def handle(self, call: Call, request: DeleteRecords, now_ms: int) -> list[Output]:
        parked = ParkedDeletion([], {}, now_ms + request.timeout_ms)
        for asked in request.partitions:
            self._delete(asked, parked)
        self._parked[call] = parked
        return self.release(now_ms)

    def _delete(self, asked: DeleteRecordsBefore, parked: ParkedDeletion) -> None:
        answer = LowWatermark(asked.topic, asked.partition)
        try:
            if asked.topic in INTERNAL_TOPICS:  # RETN-08
                raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
            partition = self._partitions.find(asked.topic, asked.partition)
            parked.pending[len(parked.partitions)] = partition.delete_records(asked.offset)
            self._partitions.log_start_moved(partition)
        except KafkaError as refused:
            answer = replace(answer, error=refused.error)
        parked.partitions.append(answer)

    def release(self, now_ms: int) -> list[Output]:
        """Answer the requests that need not wait any longer."""
        outputs: list[Output] = []
        for call, parked in list(self._parked.items()):
            for index, offset in list(parked.pending.items()):
                self._settle(parked, index, offset, is_due=now_ms >= parked.deadline_ms)
            if not parked.pending:
                del self._parked[call]
                outputs.append(Reply(call, LowWatermarks(tuple(parked.partitions))))
        return outputs

    def _settle(self, parked: ParkedDeletion, index: int, offset: int, *, is_due: bool) -> None:
        answer = parked.partitions[index]
        try:
            partition = self._partitions.find(answer.topic, answer.partition)
            low_watermark = partition.low_watermark
        except KafkaError as refused:
            parked.partitions[index] = replace(answer, error=refused.error)
        else:
            if low_watermark < offset and not is_due:
                return
            is_done = low_watermark >= offset  # REPL-14
            parked.partitions[index] = replace(
                answer,
                error=ErrorCode.NONE if is_done else ErrorCode.REQUEST_TIMED_OUT,
                low_watermark=low_watermark,
            )
        del parked.pending[index]

    def next_deadline_ms(self) -> int | None:
        return min((parked.deadline_ms for parked in self._parked.values()), default=None)

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._parked if c.connection_id == connection_id]:
            del self._parked[call]
