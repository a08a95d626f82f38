"""Between the wire and the core: what a broker's data folder holds.

| API | versions | notes |
|---|---|---|
| DescribeLogDirs | 1-4 | error of the whole 3, sizes of the disk 4 (KIP-827): unknown |
"""

from __future__ import annotations

from itertools import groupby

from impl.api.translation import Translation
from impl.core.cluster.topics import TopicPartition
from impl.core.data.log_folders import DescribedLogFolder, DescribedLogSize, DescribeLogFolders
from impl.wire import Request, Struct


def _read_describe(request: Request, _client_host: str) -> DescribeLogFolders:
    asked = request.body.topics
    if asked is None:
        return DescribeLogFolders()
    return DescribeLogFolders(
        frozenset(TopicPartition(each.topic, index) for each in asked for index in each.partitions)
    )


def _topic_of(log: DescribedLogSize) -> str:
    return log.at.topic


def _write_described(_request: Request, folder: DescribedLogFolder) -> Struct:
    topics = [
        Struct(name=name, partitions=[_write_log(log) for log in logs])
        for name, logs in groupby(folder.logs, _topic_of)
    ]
    return Struct(results=[Struct(log_dir=folder.location, topics=topics)])


def _write_log(log: DescribedLogSize) -> Struct:
    return Struct(
        partition_index=log.at.partition, partition_size=log.size, offset_lag=log.offset_lag
    )


LOG_FOLDER_APIS = {"DescribeLogDirs": Translation(_read_describe, _write_described, range(1, 5))}
