"""Between the wire and the group coordinator: committed offsets.

| API | versions | notes |
|---|---|---|
| OffsetCommit | 2-10 | retention time 2-4, leader epoch since 6 (KIP-320), topic ids since 10 |
| TxnOffsetCommit | 0-6 | group membership since 3 (KIP-447), topic ids since 6 |
| OffsetFetch | 1-10 | stable since 7 (KIP-447), groups since 8, members since 9, ids since 10 |
| OffsetDelete | 0 | KIP-496 |

A response repeats the topics and partitions of its request in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from impl.api.translation import Translation
from impl.core.cluster.topics import TopicReference
from impl.core.groups.messages import (
    NO_GENERATION,
    CommitOffsets,
    CommitReply,
    DeleteOffsets,
    DeleteOffsetsReply,
    FetchedGroup,
    FetchedOffset,
    FetchOffsets,
    FetchReply,
    OffsetsOfGroup,
    OffsetToCommit,
    PartitionReference,
    ProducerIdentity,
)
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

TOPIC_IDS_SINCE = {"OffsetCommit": 10, "TxnOffsetCommit": 6, "OffsetFetch": 10}
GROUP_ERROR_SINCE = 2
SEVERAL_GROUPS_SINCE = 8
MEMBER_SINCE = 9


def _refers_by_id(request: Request) -> bool:
    return request.api_version >= TOPIC_IDS_SINCE.get(request.api_name, request.api_version + 1)


def _reference(request: Request, topic: Struct) -> TopicReference:
    reference: TopicReference = topic.topic_id if _refers_by_id(request) else topic.name
    return reference


def _topic(request: Request, reference: TopicReference, partitions: list[Struct]) -> Struct:
    if _refers_by_id(request):
        return Struct(topic_id=reference, partitions=partitions)
    return Struct(name=reference, partitions=partitions)


# OffsetCommit, TxnOffsetCommit


def _offsets(request: Request) -> dict[PartitionReference, OffsetToCommit]:
    return {
        PartitionReference(_reference(request, topic), each.partition_index): OffsetToCommit(
            each.committed_offset, each.committed_leader_epoch, each.committed_metadata
        )
        for topic in request.body.topics
        for each in topic.partitions
    }


def read_offset_commit(request: Request, _client_host: str) -> CommitOffsets:
    body = request.body
    return CommitOffsets(
        group_id=body.group_id,
        offsets=_offsets(request),
        generation_id=body.generation_id_or_member_epoch,
        member_id=body.member_id,
        group_instance_id=body.group_instance_id,
        retention_time_ms=body.retention_time_ms,
        api_version=request.api_version,
    )


def read_txn_offset_commit(request: Request, _client_host: str) -> CommitOffsets:
    body = request.body
    return CommitOffsets(
        group_id=body.group_id,
        offsets=_offsets(request),
        generation_id=body.generation_id_or_member_epoch,
        member_id=body.member_id,
        group_instance_id=body.group_instance_id,
        producer=ProducerIdentity(body.producer_id, body.producer_epoch),
        transactional_id=body.transactional_id,
        api_version=request.api_version,
    )


def write_offset_commit(request: Request, reply: CommitReply) -> Struct:
    return Struct(topics=_errors(request, reply.errors))


def _errors(request: Request, errors: Mapping[PartitionReference, ErrorCode]) -> list[Struct]:
    topics = []
    for topic in request.body.topics:
        reference = _reference(request, topic)
        partitions = [
            Struct(
                partition_index=each.partition_index,
                error_code=errors[PartitionReference(reference, each.partition_index)],
            )
            for each in topic.partitions
        ]
        topics.append(_topic(request, reference, partitions))
    return topics


# OffsetFetch


def read_offset_fetch(request: Request, _client_host: str) -> FetchOffsets:
    body = request.body
    groups = body.groups if request.api_version >= SEVERAL_GROUPS_SINCE else [body]
    return FetchOffsets(
        groups=tuple(
            OffsetsOfGroup(
                group.group_id,
                _partitions(request, group.topics),
                group.member_id if request.api_version >= MEMBER_SINCE else None,
                group.member_epoch if request.api_version >= MEMBER_SINCE else NO_GENERATION,
            )
            for group in groups
        ),
        require_stable=body.require_stable,
        refers_by_id=_refers_by_id(request),
    )


def _partitions(
    request: Request, topics: Iterable[Struct] | None
) -> tuple[PartitionReference, ...] | None:
    if topics is None:
        return None
    return tuple(
        PartitionReference(_reference(request, topic), partition)
        for topic in topics
        for partition in topic.partition_indexes
    )


def write_offset_fetch(request: Request, reply: FetchReply) -> Struct:
    if request.api_version >= SEVERAL_GROUPS_SINCE:
        groups = [
            Struct(group_id=group.group_id, **_write_group(request, group))
            for group in reply.groups
        ]
        return Struct(groups=groups)
    (group,) = reply.groups
    if group.error and request.api_version < GROUP_ERROR_SINCE:
        # No place for an error of the group: every partition that was asked for has it.
        asked = _partitions(request, request.body.topics) or ()
        group = replace(group, offsets=dict.fromkeys(asked, FetchedOffset(error=group.error)))
    return Struct(**_write_group(request, group))


def _write_group(request: Request, group: FetchedGroup) -> dict[str, Any]:
    by_topic: dict[TopicReference, list[Struct]] = {}
    for (topic, partition), offset in group.offsets.items():
        by_topic.setdefault(topic, []).append(_write_offset(partition, offset))
    topics = [_topic(request, topic, partitions) for topic, partitions in by_topic.items()]
    return {"error_code": group.error, "topics": topics}


def _write_offset(partition: int, offset: FetchedOffset) -> Struct:
    return Struct(
        partition_index=partition,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
        error_code=offset.error,
    )


# OffsetDelete


def read_offset_delete(request: Request, _client_host: str) -> DeleteOffsets:
    partitions = (
        PartitionReference(topic.name, each.partition_index)
        for topic in request.body.topics
        for each in topic.partitions
    )
    return DeleteOffsets(request.body.group_id, tuple(partitions))


def write_offset_delete(request: Request, reply: DeleteOffsetsReply) -> Struct:
    if reply.error:
        no_topics: list[Any] = []
        return Struct(error_code=reply.error, topics=no_topics)
    return Struct(error_code=reply.error, topics=_errors(request, reply.errors))


TRANSACTIONAL_GROUP_APIS = {
    "TxnOffsetCommit": Translation(read_txn_offset_commit, write_offset_commit, range(7)),
}
