"""What the data folder holds: the size of each log, for who has to know how full the disk is.

There is one folder. Partitions that are not held here are left out, whether they are anywhere or
not, as Kafka does.
"""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.topics import TopicPartition
from impl.core.data.partitions import Partitions


@dataclass(frozen=True, slots=True)
class DescribeLogFolders:
    """None asks for all partitions that are held."""

    partitions: frozenset[TopicPartition] | None = None


@dataclass(frozen=True, slots=True)
class DescribedLogSize:
    """`offset_lag`: how far a follower's log is behind what it knows to be committed."""

    at: TopicPartition
    size: int
    offset_lag: int


@dataclass(frozen=True, slots=True)
class DescribedLogFolder:
    location: str
    logs: tuple[DescribedLogSize, ...]


def described_log_folder(
    location: str, partitions: Partitions, request: DescribeLogFolders
) -> DescribedLogFolder:
    asked = request.partitions
    logs = (
        DescribedLogSize(
            each.at, each.log.size, max(each.high_watermark - each.log.log_end_offset, 0)
        )
        for each in sorted(partitions, key=lambda partition: partition.at)
        if asked is None or each.at in asked
    )
    return DescribedLogFolder(location, tuple(logs))
