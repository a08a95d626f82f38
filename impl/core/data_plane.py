"""What a node does with records: take, give out, copy from leaders, delete, compact.

Decides which room deals with a request, and who has to hear of it when a partition moved. Who
leads what comes from the catalogue.
"""

from __future__ import annotations

from typing import Any

from impl.core.cluster.broker_messages import AlterPartitions
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.standing import Standing
from impl.core.cluster.topics import TopicPartition
from impl.core.data.changes import take
from impl.core.data.config import ReplicationConfig
from impl.core.data.deleting import Deleting
from impl.core.data.fetch_sessions import FetchSessions
from impl.core.data.fetching import Fetching
from impl.core.data.following import Following
from impl.core.data.isr import Isr
from impl.core.data.log_folders import DescribeLogFolders, described_log_folder
from impl.core.data.messages import (
    DeleteRecords,
    Fetch,
    ListOffsets,
    OffsetsForLeaderEpochs,
    Produce,
)
from impl.core.data.offset_queries import epoch_ends, list_offsets
from impl.core.data.partitions import Partitions
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Reply, Send
from impl.core.log.cleaner import Cleaner
from impl.core.log.log import Platform

DATA_REQUESTS = (
    Produce,
    Fetch,
    ListOffsets,
    OffsetsForLeaderEpochs,
    DeleteRecords,
    DescribeLogFolders,
)


class DataPlane:
    def __init__(
        self,
        platform: Platform,
        catalogue: Catalogue,
        options: CurrentOptions,
        standing: Standing,
        now_ms: int,
    ) -> None:
        broker = options.broker
        replication = options.of(ReplicationConfig)
        self._options = options
        self._location = platform.storage.location
        self.partitions = Partitions(
            platform, catalogue, options.of_topic, standing.node_id, replication
        )
        sessions = FetchSessions(broker.max_incremental_fetch_session_cache_slots, platform.new_id)
        self.producing = Producing(self.partitions)
        self._fetching = Fetching(self.partitions, sessions, broker.fetch_max_bytes)
        self._deleting = Deleting(self.partitions)
        self._following = Following(self.partitions, catalogue, standing, replication)
        self._isr = Isr(self.partitions, standing, replication, now_ms)
        self._cleaner = Cleaner(platform, broker, self.partitions.cleaned, now_ms)
        self._next_retention_ms = now_ms + broker.log_retention_check_interval_ms

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        match request:
            case Produce():
                return self.producing.handle(call, request, now_ms)
            case Fetch():
                return self._fetching.handle(call, request, now_ms)
            case DeleteRecords():
                return self._deleting.handle(call, request, now_ms)
            case ListOffsets():
                return [Reply(call, list_offsets(self.partitions, request))]
            case OffsetsForLeaderEpochs():
                return [Reply(call, epoch_ends(self.partitions, request))]
            case DescribeLogFolders():
                folder = described_log_folder(self._location, self.partitions, request)
                return [Reply(call, folder)]
        raise AssertionError(f"nobody serves {request!r}")

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        if isinstance(sent.request, AlterPartitions):
            return self._isr.answered(sent, answer, now_ms)
        return self._following.answered(sent, answer, now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        self.partitions.tick(now_ms)
        self._cleaner.tick(now_ms, self.partitions)
        if now_ms >= self._next_retention_ms:
            self._next_retention_ms = now_ms + self._options.broker.log_retention_check_interval_ms
            self._expire(now_ms)
        return [
            *self.producing.release(now_ms),
            *self._deleting.release(now_ms),
            *self._fetching.release(now_ms),
        ]

    def next_deadline_ms(self) -> int:
        rooms = (
            self.producing,
            self._deleting,
            self._fetching,
            self._following,
            self._isr,
            self._cleaner,
            self.partitions,
        )
        deadlines = [room.next_deadline_ms() for room in rooms]
        return min(d for d in (*deadlines, self._next_retention_ms) if d is not None)

    def forget(self, connection_id: int) -> None:
        self.producing.forget(connection_id)
        self._deleting.forget(connection_id)
        self._fetching.forget(connection_id)

    def _expire(self, now_ms: int) -> None:
        """Give back what is kept for a limited time only: old segments, silent producers."""
        before_ms = now_ms - self._options.broker.producer_id_expiration_ms
        for partition in self.partitions:
            partition.expire_producers(before_ms)
            if partition.log.apply_retention(now_ms, partition.high_watermark):
                self.partitions.log_start_moved(partition)

    # What follows

    @property
    def has_moved(self) -> bool:
        """Whether a partition moved since `settle`."""
        return bool(self.partitions.changes.moved)

    def settle(self, now_ms: int) -> tuple[list[TopicPartition], list[Output]]:
        """The partitions that moved since the last time, and what that means to who waits here."""
        changes = self.partitions.changes
        moved, followed = take(changes.moved), take(changes.followed)
        outputs: list[Output] = []
        if moved:
            outputs += self.producing.release(now_ms)
            outputs += self._fetching.changed(moved)
        if moved or followed:
            outputs += self._deleting.release(now_ms)
        outputs += self._following.tick(now_ms)
        outputs += self._isr.tick(now_ms)
        return moved, outputs
