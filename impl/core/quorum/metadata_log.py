"""The metadata log `__cluster_metadata-0` of one node: what is in it, and how it grows and is cut.

What was appended or cut is durable on return: others count on it at once. Refuses to know who
leads and what is committed. An empty log has the last epoch 0, as Kafka's has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from impl.core.cluster.metadata_records import MetadataCodec, MetadataRecord
from impl.core.cluster.topics import METADATA_TOPIC, TopicPartition
from impl.core.config import TopicConfig
from impl.core.log.batch import (
    CONTROL,
    HEADER_SIZE,
    MAGIC,
    MINIMUM_LENGTH,
    BatchHeader,
    build_batch,
    checksum_is_right,
    read_header,
    read_records,
    with_checksum,
)
from impl.core.log.leader_epochs import EpochEnd
from impl.core.log.log import Log, Platform
from impl.core.quorum.leader_change import leader_change
from impl.core.storage import Bytes

FOLDER = TopicPartition(METADATA_TOPIC, 0).folder


class MetadataLog:
    def __init__(self, platform: Platform, codec: MetadataCodec, now_ms: int) -> None:
        self._log = Log(platform, FOLDER, TopicConfig(), now_ms)
        self._checksum = platform.checksum
        self._codec = codec

    @property
    def log_end_offset(self) -> int:
        return self._log.log_end_offset

    @property
    def last_epoch(self) -> int:
        """The epoch of the last record; 0 where there is none."""
        return self.epoch_at(self.log_end_offset - 1)

    def epoch_at(self, offset: int) -> int:
        return max(self._log.epochs.epoch_at(offset), 0)

    def end_of(self, epoch: int) -> EpochEnd:
        """The last epoch up to this one that the log has records of, and where it ends."""
        end = self._log.epochs.end_of(min(epoch, self.last_epoch), self.log_end_offset)
        return EpochEnd(max(end.epoch, 0), max(end.end_offset, 0))

    # Growing

    def append(self, records: Sequence[MetadataRecord], epoch: int, now_ms: int) -> int:
        """All of them or none, as one batch; the log end after them. Raises KafkaError."""
        if records:
            values = [(None, self._codec.encode(record)) for record in records]
            self._append_new(build_batch(values, now_ms, self._checksum), 0, epoch, now_ms)
        return self.log_end_offset

    def append_leader_change(
        self,
        leader_id: int,
        voters: Collection[int],
        granting: Collection[int],
        epoch: int,
        now_ms: int,
    ) -> None:
        """Raises KafkaError."""
        record = leader_change(leader_id, voters, granting)
        batch = build_batch([record], now_ms, self._checksum)
        self._append_new(batch, CONTROL, epoch, now_ms)

    def _append_new(self, batch: bytes, attributes: int, epoch: int, now_ms: int) -> None:
        payload = memoryview(batch)[HEADER_SIZE:]
        header = read_header(batch)._replace(
            base_offset=self.log_end_offset, partition_leader_epoch=epoch, attributes=attributes
        )
        self._log.append(with_checksum(header, payload, self._checksum), payload, now_ms)
        self._log.flush()

    def append_fetched(self, records: Bytes, leader_epoch: int, now_ms: int) -> bool:
        """Append what a leader sent; says whether all of it was right. Raises KafkaError.

        Batches from the first on that is damaged, or does not follow the one before it, are left
        out. One that is cut short after others is no mistake: an answer has a limit.
        """
        position, size = 0, len(records)
        is_right = True
        while is_right and size - position >= HEADER_SIZE:
            header = read_header(records, position)
            batch = memoryview(records)[position : position + max(header.size, 0)]
            if header.batch_length >= MINIMUM_LENGTH and len(batch) < header.size:
                break
            is_right = self._is_next(header, batch, leader_epoch)
            if is_right:
                self._log.append(header, batch[HEADER_SIZE:], now_ms)
                position += header.size
        if position:
            self._log.flush()
        return is_right and (position > 0 or size == 0)

    def _is_next(self, header: BatchHeader, batch: Bytes, leader_epoch: int) -> bool:
        return (
            header.magic == MAGIC
            and header.batch_length >= MINIMUM_LENGTH
            and header.base_offset == self.log_end_offset
            and self.last_epoch <= header.partition_leader_epoch <= leader_epoch
            and checksum_is_right(header, batch, self._checksum)
        )

    def truncate_to(self, offset: int) -> None:
        self._log.truncate_to(offset)

    # Reading

    def read(self, offset: int, max_bytes: int) -> Bytes:
        """Whole batches from the offset on, at least one if there is one."""
        return self._log.read(offset, max_bytes, self.log_end_offset, at_least_one=True)

    def records(
        self, start_offset: int = 0, end_offset: int | None = None
    ) -> Iterator[tuple[int, MetadataRecord]]:
        """Records with their offsets, without those of no interest to anybody but the quorum."""
        end = self.log_end_offset if end_offset is None else end_offset
        for segment, position, header in self._log.headers_from(start_offset):
            if header.base_offset >= end:
                return
            if header.is_control:
                continue
            for record in read_records(header, self._log.payload(segment, position, header)):
                offset = header.base_offset + record.offset_delta
                if record.value is None or not start_offset <= offset < end:
                    continue
                decoded = self._codec.decode(bytes(record.value))
                if decoded is not None:
                    yield offset, decoded
