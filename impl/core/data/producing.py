"""Produce: append to each partition, and answer when what `acks` demands has happened.

ACKS-01 to ACKS-09, ELEC-14. What one partition takes is decided by `partition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from impl.core.cluster.topics import INTERNAL_TOPICS
from impl.core.data.messages import Produce, Produced, ProducedPartition, RecordsForPartition
from impl.core.data.partition import ALL_REPLICAS
from impl.core.data.partitions import ERRORS_THAT_NAME_THE_LEADER, Partitions
from impl.core.events import Call, Close, NoReply, Output, Reply
from impl.core.log.producer_state import NOT_VERIFIED
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

NO_ACKS, LEADER_ONLY = 0, 1


class Admission(NamedTuple):
    """What was found out about a transactional batch before it is appended (TXNI-11)."""

    ticket: int = NOT_VERIFIED
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None


@dataclass(slots=True)
class ParkedProduce:
    """A request whose batches are written; those in `pending` are not committed yet."""

    partitions: list[ProducedPartition]
    pending: dict[int, int]
    """Index in `partitions`, and the high watermark that it waits for."""
    deadline_ms: int


class Producing:
    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._parked: dict[Call, ParkedProduce] = {}

    def handle(
        self,
        call: Call,
        request: Produce,
        now_ms: int,
        admissions: Mapping[int, Admission] | None = None,
    ) -> list[Output]:
        """`admissions`: by the index of the partition in the request, where there are any."""
        if request.acks not in (NO_ACKS, LEADER_ONLY, ALL_REPLICAS):  # ACKS-01
            error = ErrorCode.INVALID_REQUIRED_ACKS
            answers = [self._failed(p, error) for p in request.partitions]
            return [Reply(call, Produced(tuple(answers)))]
        parked = ParkedProduce([], {}, now_ms + request.timeout_ms)
        for index, asked in enumerate(request.partitions):  # ACKS-09
            admission = (admissions or {}).get(index, Admission())
            self._append(asked, request, admission, parked, now_ms)
        if request.acks == NO_ACKS:
            failed = any(p.error for p in parked.partitions)
            return [Close(call) if failed else NoReply(call)]  # ACKS-03, ACKS-02
        if request.acks == LEADER_ONLY:  # ACKS-04
            parked.pending.clear()
        self._parked[call] = parked
        return self.release(now_ms)

    def _append(
        self,
        asked: RecordsForPartition,
        request: Produce,
        admission: Admission,
        parked: ParkedProduce,
        now_ms: int,
    ) -> None:
        try:
            if admission.error:
                raise KafkaError(admission.error, admission.message)
            partition = self._partitions.find(asked.topic, asked.partition)
            if partition.at.topic in INTERNAL_TOPICS:  # TOPC-12
                raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, "The topic is internal.")
            appended = partition.append(
                asked.records,
                request.acks,
                now_ms,
                may_use_zstd=request.may_use_zstd,
                ticket=admission.ticket,
            )
        except KafkaError as refused:
            parked.partitions.append(self._failed(asked, refused.error, refused.message))
            return
        parked.pending[len(parked.partitions)] = appended.required_offset
        parked.partitions.append(
            ProducedPartition(
                asked.topic,
                asked.partition,
                base_offset=appended.base_offset,
                log_append_time_ms=appended.log_append_time_ms,
                log_start_offset=partition.log.log_start_offset,
            )
        )

    def release(self, now_ms: int) -> list[Output]:
        """Answer the requests that need not wait any longer."""
        outputs: list[Output] = []
        for call, parked in list(self._parked.items()):
            for index, required_offset in list(parked.pending.items()):
                self._settle(parked, index, required_offset, now_ms)
            if not parked.pending:
                del self._parked[call]
                outputs.append(Reply(call, self._produced(parked)))
        return outputs

    def _settle(
        self, parked: ParkedProduce, index: int, required_offset: int, now_ms: int
    ) -> None:
        answer = parked.partitions[index]
        error = self._progress(answer, required_offset)
        if error is None and now_ms < parked.deadline_ms:
            return
        if error is None:
            error = ErrorCode.REQUEST_TIMED_OUT  # ACKS-08
        del parked.pending[index]
        if error:
            parked.partitions[index] = self._failed(answer, error)

    def _progress(self, answer: ProducedPartition, required_offset: int) -> ErrorCode | None:
        """How the append ended, or None while that is open."""
        try:
            partition = self._partitions.find(answer.topic, answer.partition)
        except KafkaError as refused:
            return refused.error
        return partition.acknowledgement(required_offset)

    def _produced(self, parked: ParkedProduce) -> Produced:
        leaders = [answer.current_leader for answer in parked.partitions]
        return Produced(tuple(parked.partitions), self._partitions.endpoints(leaders))

    def _failed(
        self,
        asked: RecordsForPartition | ProducedPartition,
        error: ErrorCode,
        message: str | None = None,
    ) -> ProducedPartition:
        leader = None
        if error in ERRORS_THAT_NAME_THE_LEADER:
            leader = self._partitions.leader_of(asked.topic, asked.partition)
        return ProducedPartition(
            asked.topic, asked.partition, error, message=message, current_leader=leader
        )

    def next_deadline_ms(self) -> int | None:
        return min((parked.deadline_ms for parked in self._parked.values()), default=None)

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._parked if c.connection_id == connection_id]:
            del self._parked[call]
