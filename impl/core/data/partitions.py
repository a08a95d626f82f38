"""The partitions that this broker holds: opened, led or followed, cut, deleted, flushed.

Keeps on disk, in Kafka's checkpoint files, how far each of them is committed, deleted and flushed.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.topics import (
    METADATA_TOPIC,
    TopicPartition,
    TopicReference,
    partition_of_folder,
)
from impl.core.config import TopicConfig
from impl.core.data.changes import Changes
from impl.core.data.config import ReplicationConfig
from impl.core.data.partition import Partition, Surroundings
from impl.core.log.checkpoints import OffsetCheckpoint
from impl.core.log.log import Log, Platform
from impl.core.refusal import KafkaError
from impl.core.storage import StorageError
from spec.wire.errors import ErrorCode

# KIP-951: who gets one of these learns with it whom to ask.
ERRORS_THAT_NAME_THE_LEADER = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)

_CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
_CLEAN_SHUTDOWN_CONTENT = '{{"version":0,"brokerEpoch":{}}}'
_CLEAN_SHUTDOWN_EPOCH = re.compile(rb'"brokerEpoch":\s*(-?\d+)')


def metadata_file(topic_id: UUID) -> bytes:
    name = urlsafe_b64encode(topic_id.bytes).rstrip(b"=").decode()
    return f"version: 0\ntopic_id: {name}".encode()


class Partitions:
    def __init__(
        self,
        platform: Platform,
        catalogue: Catalogue,
        config_of: Callable[[Topic], TopicConfig],
        node_id: int,
        config: ReplicationConfig | None = None,
    ) -> None:
        """`config_of`: the options that hold for a topic now."""
        self.changes = Changes()
        self._platform = platform
        self._storage = platform.storage
        self._catalogue = catalogue
        self._config_of = config_of
        self._node_id = node_id
        self._config = config or ReplicationConfig()
        self._surroundings = Surroundings(
            node_id, platform, catalogue.brokers, self._config, self.changes
        )
        self._open: dict[TopicPartition, Partition] = {}
        self._log_starts = OffsetCheckpoint(platform.storage, "log-start-offset-checkpoint")
        self._recovery_points = OffsetCheckpoint(
            platform.storage, "recovery-point-offset-checkpoint"
        )
        self._high_watermarks = OffsetCheckpoint(platform.storage, "replication-offset-checkpoint")
        self._next_checkpoint_ms = 0
        self._next_recovery_point_ms = 0
        self.cleaned = OffsetCheckpoint(platform.storage, "cleaner-offset-checkpoint")

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._open.values())

    # Finding

    def find(self, topic: TopicReference, partition: int) -> Partition:
        """Raises KafkaError."""
        known = self._catalogue.find(topic)
        if known is None:
            if isinstance(topic, UUID):  # TOPC-10
                raise KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        found = self._open.get(TopicPartition(known.name, partition))
        if found is None:
            if partition in known.partitions:  # ELEC-14
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return found

    def get(self, at: TopicPartition) -> Partition | None:
        return self._open.get(at)

    def leader_of(self, topic: TopicReference, partition: int) -> tuple[int, int] | None:
        """Id and epoch of who leads, as far as this broker knows; id -1 where nobody does."""
        known = self._catalogue.find(topic)
        if known is None or partition not in known.partitions:
            return None
        assignment = known.partitions[partition]
        return assignment.leader, assignment.leader_epoch

    def endpoints(self, leaders: Iterable[tuple[int, int] | None]) -> tuple[Endpoint, ...]:
        """Where the brokers are that are named as leaders (KIP-951)."""
        brokers = self._catalogue.brokers
        ids = sorted({leader[0] for leader in leaders if leader is not None})
        return tuple(brokers[i].endpoint for i in ids if i in brokers)

    # Following the catalogue

    def load(self, now_ms: int) -> None:
        """Open what the catalogue knows, at the start; remove what it knows to be deleted.

        Raises StorageError for the data of a topic of which the metadata log never heard: that
        log was damaged, and who went on would write over the data as soon as somebody creates a
        topic of that name. Folders that are not of a broker are left alone.
        """
        removed = {metadata_file(topic_id) for topic_id in self._catalogue.removed_topic_ids}
        known = {metadata_file(topic.topic_id) for topic in self._catalogue.topics.values()}
        for folder in self._storage.folders():
            at, found = partition_of_folder(folder), self._metadata_of(folder)
            if at is None or at.topic == METADATA_TOPIC:
                continue
            if found in removed or (found in known and not self._is_replica(at)):
                self._storage.delete(folder)
                self._forget([at])
            elif found is not None and found not in known:
                raise StorageError(
                    f"the data folder holds {folder}, of which its metadata log knows nothing. "
                    f"Bring that log back, or move {folder} to another place"
                )
        for topic in self._catalogue.topics.values():
            self.follow(topic, now_ms)
        self._storage.delete(_CLEAN_SHUTDOWN)

    def _is_replica(self, at: TopicPartition) -> bool:
        assignment = self._catalogue.topics[at.topic].partitions.get(at.partition)
        return assignment is not None and self._node_id in assignment.replicas

    def _metadata_of(self, folder: str) -> bytes | None:
        path = f"{folder}/partition.metadata"
        size = self._storage.size(path)
        return None if size is None else self._storage.read(path, 0, size)

    def follow(self, topic: Topic, now_ms: int) -> None:
        """Bring the partitions of a topic in line with the catalogue."""
        config = self._config_of(topic)
        for index, assignment in topic.partitions.items():
            at = TopicPartition(topic.name, index)
            if self._node_id not in assignment.replicas:
                self._close([at])  # REPL-15
                continue
            if at not in self._open:
                self._open[at] = self._open_partition(at, topic.topic_id, config, now_ms)
            self._open[at].log.config = config
            self._open[at].assume(assignment, now_ms)

    def _open_partition(
        self, at: TopicPartition, topic_id: UUID, config: TopicConfig, now_ms: int
    ) -> Partition:
        wanted, found = metadata_file(topic_id), self._metadata_of(at.folder)
        if found != wanted:
            self._storage.replace(f"{at.folder}/partition.metadata", wanted)
        log = Log(
            self._platform,
            at.folder,
            config,
            now_ms,
            log_start_offset=self._log_starts.get(at),
            recovery_point=self._recovery_points.get(at),
            before_truncation=partial(self._before_truncation, at),
        )
        high_watermark = self._high_watermarks.get(at)
        return Partition(at, topic_id, self._surroundings, log, high_watermark)

    def _before_truncation(self, at: TopicPartition, offset: int) -> None:
        """What is written there next is not what these offsets were noted for."""
        for checkpoint in (self._log_starts, self._recovery_points, self.cleaned):
            checkpoint.lower(at, offset)

    def remove(self, topic: Topic) -> list[TopicPartition]:
        """Delete the data of a topic; returns the partitions that are gone."""
        gone = [at for at in self._open if at.topic == topic.name]
        self._close(gone)
        return gone

    def _close(self, partitions: list[TopicPartition]) -> None:
        gone = [at for at in partitions if at in self._open]
        for at in gone:
            self._open.pop(at).close()
            self._storage.delete(at.folder)
        self._forget(gone)

    def _forget(self, gone: list[TopicPartition]) -> None:
        self._log_starts.forget(gone)
        self._recovery_points.forget(gone)
        self._high_watermarks.forget(gone)
        self.cleaned.forget(gone)

    # Durability

    def log_start_moved(self, partition: Partition) -> None:
        self._log_starts.update({partition.at: partition.log.log_start_offset})
        partition.note_change()

    def tick(self, now_ms: int) -> None:
        """Write down from time to time how far everything is committed, and how far flushed."""
        if now_ms >= self._next_checkpoint_ms:
            interval_ms = self._config.replica_high_watermark_checkpoint_interval_ms
            self._next_checkpoint_ms = now_ms + interval_ms
            _note(self._high_watermarks, {p.at: p.high_watermark for p in self})
        if now_ms >= self._next_recovery_point_ms:
            interval_ms = self._config.log_flush_offset_checkpoint_interval_ms
            self._next_recovery_point_ms = now_ms + interval_ms
            _note(self._recovery_points, {p.at: p.log.recovery_point for p in self})

    def next_deadline_ms(self) -> int:
        return min(self._next_checkpoint_ms, self._next_recovery_point_ms)

    def previous_broker_epoch(self) -> int:
        """That of the life before, if it ended in order; else -1 (ELEC-15)."""
        if self._storage.size(_CLEAN_SHUTDOWN) is None:
            return -1
        found = _CLEAN_SHUTDOWN_EPOCH.search(self._storage.read(_CLEAN_SHUTDOWN, 0, 1024))
        return int(found[1]) if found else -1

    def stop(self, broker_epoch: int) -> None:
        """Flush everything, so that the next start has nothing to check."""
        for partition in self:
            partition.log.flush()
        _note(self._high_watermarks, {p.at: p.high_watermark for p in self})
        _note(self._recovery_points, {p.at: p.log.recovery_point for p in self})
        content = _CLEAN_SHUTDOWN_CONTENT.format(broker_epoch).encode()
        self._storage.replace(_CLEAN_SHUTDOWN, content)


def _note(checkpoint: OffsetCheckpoint, offsets: Mapping[TopicPartition, int]) -> None:
    """What is new of it."""
    moved = {at: offset for at, offset in offsets.items() if checkpoint.get(at) != offset}
    if moved:
        checkpoint.update(moved)
