"""The metadata log `__cluster_metadata-0`: written and durable before anybody acts on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from impl.core.cluster.metadata_records import MetadataCodec, MetadataRecord
from impl.core.cluster.topics import METADATA_TOPIC, TopicPartition
from impl.core.config import TopicConfig
from impl.core.log.batch import HEADER_SIZE, build_batch, read_header, read_records
from impl.core.log.log import Log, Platform


class MetadataLog:
    def __init__(self, platform: Platform, codec: MetadataCodec, now_ms: int) -> None:
        folder = TopicPartition(METADATA_TOPIC, 0).folder
        self._log = Log(platform, folder, TopicConfig(), now_ms)
        self._checksum = platform.checksum
        self._codec = codec
        self._epoch = self._log.epochs.latest + 1
        self._log.begin_epoch(self._epoch)

    @property
    def is_new(self) -> bool:
        return self._log.log_end_offset == 0

    def replay(self) -> Iterator[MetadataRecord]:
        for header, payload in self._log.batches():
            for record in [] if header.is_control else read_records(header, payload):
                if record.value is not None:
                    decoded = self._codec.decode(bytes(record.value))
                    if decoded is not None:
                        yield decoded

    def append(self, records: Sequence[MetadataRecord], now_ms: int) -> None:
        """All of them or none; they survive the loss of power on return. Raises KafkaError."""
        values = [(None, self._codec.encode(record)) for record in records]
        batch = build_batch(values, now_ms, self._checksum)
        header = read_header(batch)._replace(
            base_offset=self._log.log_end_offset, partition_leader_epoch=self._epoch
        )
        self._log.append(header, memoryview(batch)[HEADER_SIZE:], now_ms)
        self._log.flush()
