"""Kafka's small text files: a version line, a count line, then one entry a line.

0
1
orders 0 42
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from impl.core.cluster.topics import TopicPartition
from impl.core.log.leader_epochs import EpochStart
from impl.core.storage import Storage

_VERSION = "0"
_MAXIMUM_SIZE = 64 << 20


def write_entries(entries: Iterable[str]) -> bytes:
    lines = list(entries)
    return "\n".join([_VERSION, str(len(lines)), *lines, ""]).encode()


def read_entries(storage: Storage, path: str) -> list[list[str]]:
    """The entries of a file, split at spaces. A file that is missing or cut short has none."""
    if storage.size(path) is None:
        return []
    lines = storage.read(path, 0, _MAXIMUM_SIZE).decode(errors="replace").splitlines()
    if len(lines) < 2 or lines[0] != _VERSION or lines[1] != str(len(lines) - 2):
        return []
    return [line.split() for line in lines[2:]]


def read_leader_epochs(storage: Storage, path: str) -> list[EpochStart]:
    return [EpochStart(int(epoch), int(start)) for epoch, start in read_entries(storage, path)]


def write_leader_epochs(storage: Storage, path: str, entries: Iterable[EpochStart]) -> None:
    """Not flushed: batches carry their epochs, so this costs only epochs without a record."""
    lines = (f"{entry.epoch} {entry.start_offset}" for entry in entries)
    storage.replace(path, write_entries(lines), durable=False)


class OffsetCheckpoint:
    """One offset for each partition of the data folder, in one file."""

    def __init__(self, storage: Storage, path: str) -> None:
        self._storage = storage
        self._path = path
        self._offsets = {
            TopicPartition(topic, int(partition)): int(offset)
            for topic, partition, offset in read_entries(storage, path)
        }

    def get(self, partition: TopicPartition) -> int:
        return self._offsets.get(partition, 0)

    def update(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._offsets.update(offsets)
        self._write()

    def lower(self, partition: TopicPartition, offset: int) -> None:
        if self.get(partition) > offset:
            self.update({partition: offset})

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        if [p for p in partitions if self._offsets.pop(p, None) is not None]:
            self._write()

    def _write(self) -> None:
        lines = (f"{at.topic} {at.partition} {offset}" for at, offset in self._offsets.items())
        self._storage.replace(self._path, write_entries(lines))
