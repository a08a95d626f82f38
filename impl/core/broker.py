"""One broker: takes requests and the time, and says what to answer to whom.

Decides which part of the core deals with a request, and what has to happen elsewhere afterwards: a
write wakes readers, a deleted topic takes its offsets along. The caller's duties stand in
`impl.core`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.controller import Controller
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import MetadataCodec, MetadataRecord, RemoveTopicRecord
from impl.core.cluster.one_node import Administration
from impl.core.config import BrokerConfig, Properties
from impl.core.data.changes import take
from impl.core.data.deleting import Deleting
from impl.core.data.fetch_sessions import FetchSessions
from impl.core.data.fetching import Fetching
from impl.core.data.messages import (
    DeleteRecords,
    Fetch,
    InitProducerId,
    ListOffsets,
    OffsetsForLeaderEpochs,
    Produce,
    ProducerIdentityGranted,
)
from impl.core.data.offset_queries import epoch_ends, list_offsets
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Reply
from impl.core.groups.config import GroupConfig
from impl.core.groups.coordination import Coordination, CoordinatorCodec
from impl.core.groups.messages import GroupRequest
from impl.core.groups.rebalance import ReadSubscription
from impl.core.log.log import Platform
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records of the broker's own logs become bytes."""

    metadata: MetadataCodec
    coordinator: CoordinatorCodec
    read_subscription: ReadSubscription


class Broker:
    def __init__(
        self,
        platform: Platform,
        codecs: Codecs,
        properties: Properties,
        endpoint: Endpoint,
        cluster_id: str,
        now_ms: int,
    ) -> None:
        """Load what the storage holds, and begin to lead. Raises KafkaError or StorageError."""
        self.endpoint = endpoint
        self.config: BrokerConfig = properties.broker
        self.catalogue = Catalogue()
        self.partitions = Partitions(
            platform, self.catalogue, properties.topic_defaults, endpoint.node_id
        )
        self._controller = Controller(
            self.catalogue, properties.broker, properties.topic_defaults, platform.new_id
        )
        self._producing = Producing(self.partitions)
        self._deleting = Deleting(self.partitions)
        sessions = FetchSessions(
            self.config.max_incremental_fetch_session_cache_slots, platform.new_id
        )
        self._fetching = Fetching(self.partitions, sessions, self.config.fetch_max_bytes)
        group_config: GroupConfig = properties.others[GroupConfig]
        self._groups = Coordination(
            group_config,
            self.catalogue,
            self.partitions,
            codecs.coordinator,
            codecs.read_subscription,
            platform.new_id,
            lambda _at: None,
        )
        self._administration = Administration(
            self.catalogue, self._controller, properties, endpoint, cluster_id, self.commit
        )
        self._producer_ids = range(0)
        self._next_cleaning_ms = now_ms + self.config.log_retention_check_interval_ms
        self._outputs: list[Output] = []
        self._metadata_log = MetadataLog(platform, codecs.metadata, now_ms)
        self._metadata_epoch = self._metadata_log.last_epoch + 1
        self._start(now_ms)

    def _start(self, now_ms: int) -> None:
        for _, record in self._metadata_log.records():
            self.catalogue.apply(record)
        records = self._controller.begin_leader_epochs(self.endpoint.node_id)
        if records:
            self._metadata_log.append(records, self._metadata_epoch, now_ms)
            for record in records:
                self.catalogue.apply(record)
        self.partitions.load(now_ms)
        self._outputs += self._groups.follow(self.partitions, now_ms)

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        """What follows from a request, for its own call and for others that waited."""
        match request:
            case Produce():
                self._outputs += self._producing.handle(call, request, now_ms)
            case Fetch():
                self._outputs += self._fetching.handle(call, request, now_ms)
            case ListOffsets():
                self._reply(call, list_offsets(self.partitions, request))
            case OffsetsForLeaderEpochs():
                self._reply(call, epoch_ends(self.partitions, request))
            case DeleteRecords():
                self._outputs += self._deleting.handle(call, request, now_ms)
            case InitProducerId():
                self._reply(call, self._init_producer_id(request, now_ms))
            case _ if isinstance(request, GroupRequest):
                self._outputs += self._groups.handle(call, request, now_ms)
            case _:
                self._reply(call, self._administration.handle(request, now_ms))
        return self._settle(now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        """What follows from the time alone. To be called at `next_deadline_ms` at the latest."""
        self._outputs += self._producing.release(now_ms)
        self._outputs += self._deleting.release(now_ms)
        self._outputs += self._fetching.release(now_ms)
        self.partitions.tick(now_ms)
        self._outputs += self._groups.tick(now_ms)
        if now_ms >= self._next_cleaning_ms:
            self._next_cleaning_ms = now_ms + self.config.log_retention_check_interval_ms
            self._clean(now_ms)
        return self._settle(now_ms)

    def next_deadline_ms(self) -> int:
        deadlines = (
            self._producing.next_deadline_ms(),
            self._deleting.next_deadline_ms(),
            self._fetching.next_deadline_ms(),
            self.partitions.next_deadline_ms(),
            self._groups.next_deadline_ms(),
        )
        return min(d for d in (*deadlines, self._next_cleaning_ms) if d is not None)

    def _clean(self, now_ms: int) -> None:
        """Give back what is kept for a limited time only: old segments, silent producers."""
        for partition in self.partitions:
            partition.expire_producers(now_ms - self.config.producer_id_expiration_ms)
            if partition.log.apply_retention(now_ms, partition.high_watermark):
                self.partitions.log_start_moved(partition)

    def disconnected(self, connection_id: int) -> None:
        """Nobody waits for the answers to this connection's requests any more."""
        self._producing.forget(connection_id)
        self._deleting.forget(connection_id)
        self._fetching.forget(connection_id)

    def stop(self) -> None:
        """Make all that was written durable. The broker is not to be used after this."""
        self.partitions.stop()

    def _reply(self, call: Call, result: Any) -> None:
        self._outputs.append(Reply(call, result))

    def _settle(self, now_ms: int) -> list[Output]:
        """Let others see what was written, until nothing more follows."""
        while moved := take(self.partitions.changes.moved):
            self._outputs += self._producing.release(now_ms)
            self._outputs += self._deleting.release(now_ms)
            self._outputs += self._fetching.changed(moved)
        outputs, self._outputs = self._outputs, []
        return outputs

    # Metadata

    def commit(self, records: Sequence[MetadataRecord], now_ms: int) -> None:
        """Write the records, and do what they say. Raises KafkaError, having done nothing."""
        if not records:
            return
        self._metadata_log.append(records, self._metadata_epoch, now_ms)
        changed: dict[str, Topic] = {}
        for record in records:
            topic = self.catalogue.apply(record)
            if topic is None:
                continue
            if isinstance(record, RemoveTopicRecord):
                changed.pop(topic.name, None)
                self._remove(topic, now_ms)
            else:
                changed[topic.name] = topic
        for topic in changed.values():
            self.partitions.follow(topic, now_ms)
        self._outputs += self._groups.follow(self.partitions, now_ms)

    def _remove(self, topic: Topic, now_ms: int) -> None:
        gone = self.partitions.remove(topic)
        self._outputs += self._groups.partitions_deleted(gone, now_ms)
        self._outputs += self._fetching.changed(gone)

    def _init_producer_id(self, request: InitProducerId, now_ms: int) -> ProducerIdentityGranted:
        """PROD-01. Transactions are not served, and whoever asks for one is told at once."""
        if request.transactional_id is not None:
            return ProducerIdentityGranted(ErrorCode.INVALID_REQUEST)
        if not self._producer_ids:
            block, record = self._controller.allocate_producer_ids(self.endpoint.node_id)
            try:
                self.commit([record], now_ms)
            except KafkaError as refused:
                return ProducerIdentityGranted(refused.error)
            self._producer_ids = block
        producer_id, self._producer_ids = self._producer_ids[0], self._producer_ids[1:]
        return ProducerIdentityGranted(producer_id=producer_id, producer_epoch=0)
