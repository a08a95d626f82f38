"""The group coordinator in its place: its log is the partitions of `__consumer_offsets`.

Does the duties that `coordinator` gives its caller. What groups do is decided there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.topics import OFFSETS_TOPIC, TopicPartition
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.events import Call, Output, Reply
from impl.core.groups.config import GroupConfig
from impl.core.groups.coordinator import Coordinator, Replies
from impl.core.groups.coordinator_log import AppendError
from impl.core.groups.messages import GroupRequest, ProducerIdentity
from impl.core.groups.rebalance import ReadSubscription
from impl.core.groups.records import CoordinatorRecord
from impl.core.log import markers
from impl.core.log.batch import BatchHeader, read_records
from impl.core.log.producer_state import NOT_VERIFIED
from impl.core.refusal import KafkaError


class CoordinatorCodec(Protocol):
    """Turns coordinator records into key and value, and back; None is of no interest."""

    def encode(self, record: CoordinatorRecord) -> tuple[bytes, bytes | None]: ...

    def decode(self, key: bytes, value: bytes | None) -> CoordinatorRecord | None: ...


class Coordination:
    def __init__(
        self,
        config: GroupConfig,
        catalogue: Catalogue,
        partitions: Partitions,
        codec: CoordinatorCodec,
        read_subscription: ReadSubscription,
        new_id: Callable[[], UUID],
    ) -> None:
        self._partitions = partitions
        self._codec = codec
        self._now_ms = 0
        self._ticket = NOT_VERIFIED
        self._led: dict[int, int] = {}
        """The partitions of the log that are loaded, each with its leader epoch then."""
        self.coordinator = Coordinator(
            config,
            append=self._append,
            new_id=lambda: str(new_id()),
            catalogue=catalogue,
            read_subscription=read_subscription,
        )

    def handle(
        self, call: Call, request: GroupRequest, now_ms: int, ticket: int = NOT_VERIFIED
    ) -> list[Output]:
        """`ticket`: where offsets are committed in a transaction that begins with them."""
        self._now_ms = now_ms
        self._ticket = ticket
        replies = self.coordinator.handle(call, request, now_ms)
        self._ticket = NOT_VERIFIED
        return [*_outputs(replies), *self._committed()]

    def partition_of(self, group_id: str) -> TopicPartition:
        """Where the group's records are, or will be once the topic is created."""
        return TopicPartition(OFFSETS_TOPIC, self.coordinator.partition_of(group_id))

    def tick(self, now_ms: int) -> list[Output]:
        self._now_ms = now_ms
        return [*_outputs(self.coordinator.tick(now_ms)), *self._committed()]

    def next_deadline_ms(self) -> int | None:
        return self.coordinator.next_deadline_ms()

    # The log

    def _append(
        self,
        partition: int,
        records: Sequence[CoordinatorRecord],
        producer: ProducerIdentity | None,
    ) -> int:
        owner = None
        if producer is not None:
            owner = markers.ProducerIdentity(producer.producer_id, producer.producer_epoch)
        try:
            log = self._partitions.find(OFFSETS_TOPIC, partition)
            log.check_leader_epoch(self._led[partition])
            encoded = [self._codec.encode(record) for record in records]
            appended = log.append_own(encoded, self._now_ms, owner, self._ticket)
        except KafkaError as refused:
            raise AppendError(refused.error) from refused
        return appended.required_offset

    def _committed(self) -> list[Output]:
        """Tell how far each partition of the log is committed."""
        outputs: list[Output] = []
        for index in self._led:
            log = self._partitions.get(TopicPartition(OFFSETS_TOPIC, index))
            if log is not None:
                replies = self.coordinator.committed(index, log.high_watermark)
                outputs += _outputs(replies)
        return outputs

    # Following the catalogue

    def follow(self, partitions: Iterable[Partition], now_ms: int) -> list[Output]:
        """GRPS-19: load what this broker leads since, and leave what it leads no more."""
        self._now_ms = now_ms
        self.coordinator.metadata_changed()
        log = {
            p.at.partition: p for p in partitions if p.at.topic == OFFSETS_TOPIC and p.is_leader
        }
        outputs: list[Output] = []
        for index, epoch in list(self._led.items()):
            if index not in log or log[index].leader_epoch != epoch:
                del self._led[index]
                outputs += _outputs(self.coordinator.unload(index))
        for index in sorted(log.keys() - self._led.keys()):
            self._led[index] = log[index].leader_epoch
            outputs += self._load(log[index], now_ms)
        return outputs

    def _load(self, partition: Partition, now_ms: int) -> list[Output]:
        index = partition.at.partition
        self.coordinator.start_loading(index)
        for header, payload in partition.log.batches():
            marker = markers.read_marker(header, payload)
            if marker is not None:
                self.coordinator.end_transaction(index, header.producer_id, commit=marker.commits)
            elif not header.is_control:
                self._replay(index, header, payload)
        log_end_offset = partition.log.log_end_offset
        replies = self.coordinator.finish_loading(
            index, log_end_offset, partition.high_watermark, now_ms
        )
        return _outputs(replies)

    def _replay(self, index: int, header: BatchHeader, payload: bytes) -> None:
        producer_id = header.producer_id if header.is_transactional else None
        for record in read_records(header, payload):
            if record.key is None:
                continue
            value = None if record.value is None else bytes(record.value)
            decoded = self._codec.decode(bytes(record.key), value)
            if decoded is not None:
                offset = header.base_offset + record.offset_delta
                self.coordinator.replay(index, offset, decoded, producer_id)

    def transaction_ended(
        self, at: TopicPartition, producer_id: int, commits: bool, log_end_offset: int
    ) -> None:
        """A marker was written to a partition, which may be one of the log."""
        if at.topic == OFFSETS_TOPIC and at.partition in self._led:
            self.coordinator.end_transaction(
                at.partition, producer_id, commit=commits, log_end_offset=log_end_offset
            )

    def partitions_deleted(self, gone: Sequence[TopicPartition], now_ms: int) -> list[Output]:
        """TOPC-11: offsets of partitions that are gone go too."""
        self._now_ms = now_ms
        outputs: list[Output] = []
        for at in gone:
            if at.topic == OFFSETS_TOPIC and self._led.pop(at.partition, None) is not None:
                outputs += _outputs(self.coordinator.unload(at.partition))
        self.coordinator.partitions_deleted(at for at in gone if at.topic != OFFSETS_TOPIC)
        return outputs


def _outputs(replies: Replies) -> list[Output]:
    return [Reply(token, reply) for token, reply in replies]
