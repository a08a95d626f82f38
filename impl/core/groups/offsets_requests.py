"""OffsetCommit, TxnOffsetCommit, OffsetFetch and OffsetDelete.

Decides which commit is accepted from whom, and what is answered per partition. A client hears of
an offset, its own or another's, only when it is committed in the log of the coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.topics import TopicPartition
from impl.core.groups.config import GroupConfig
from impl.core.groups.consumer import admission
from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.coordinator_log import AppendError
from impl.core.groups.group import (
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    Group,
    Operation,
    refusal,
    state_of,
)
from impl.core.groups.messages import (
    NO_RETENTION_TIME,
    CommitOffsets,
    CommitReply,
    DeleteOffsets,
    DeleteOffsetsReply,
    FetchedGroup,
    FetchedOffset,
    FetchOffsets,
    FetchReply,
    GroupReply,
    OffsetsOfGroup,
    OffsetToCommit,
    PartitionReference,
)
from impl.core.groups.rebalance import Rebalances
from impl.core.groups.records import CommittedOffset, OffsetRecord
from impl.core.groups.shard import Shard, Shards
from spec.wire.errors import ErrorCode

COMMIT_GROUP_ID_NOT_FOUND_SINCE = 9


class OffsetRequests:
    def __init__(
        self,
        config: GroupConfig,
        shards: Shards,
        rebalances: Rebalances,
        answer: Callable[[Any, GroupReply], None],
        catalogue: Catalogue,
    ) -> None:
        self._config = config
        self._shards = shards
        self._rebalances = rebalances
        self._answer = answer
        self._catalogue = catalogue

    def _resolve(
        self, partitions: Iterable[PartitionReference]
    ) -> tuple[dict[PartitionReference, TopicPartition], dict[PartitionReference, ErrorCode]]:
        """The partitions that exist, and for each reference whether it does."""
        found, errors = {}, {}
        for reference in partitions:
            topic = self._catalogue.find(reference.topic)
            if topic is not None and reference.partition in topic.partitions:
                found[reference] = TopicPartition(topic.name, reference.partition)
                errors[reference] = ErrorCode.NONE
            elif topic is None and not isinstance(reference.topic, str):
                errors[reference] = ErrorCode.UNKNOWN_TOPIC_ID
            else:
                errors[reference] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return found, errors

    # OffsetCommit

    def commit(self, token: Any, request: CommitOffsets) -> None:
        found, errors = self._resolve(request.offsets)
        if not found:
            self._answer(token, CommitReply(errors))
            return
        shard, error = self._shards.find(request.group_id)
        group = None if shard is None else shard.groups.get(request.group_id)
        consumers = None if shard is None else shard.consumer_groups.get(request.group_id)
        if consumers is not None:
            error = error or admission.refuse_commit(consumers, request)
        else:
            error = error or refuse_commit(group, request)
        if error or shard is None:
            self._answer(token, CommitReply(errors | dict.fromkeys(found, error)))
            return
        if group is not None and group.state in (STABLE, PREPARING_REBALANCE):
            member = group.members.get(request.member_id)
            if member is not None:
                self._rebalances.restart_session(group, member)
        for reference in found:
            metadata = request.offsets[reference].metadata or ""
            if len(metadata) > self._config.offset_metadata_max_bytes:
                errors[reference] = ErrorCode.OFFSET_METADATA_TOO_LARGE
        fitting = {each: at for each, at in found.items() if not errors[each]}
        self._store(token, shard, request, fitting, errors)

    def _store(
        self,
        token: Any,
        shard: Shard,
        request: CommitOffsets,
        found: Mapping[PartitionReference, TopicPartition],
        errors: Mapping[PartitionReference, ErrorCode],
    ) -> None:
        retention_time_ms, now_ms = request.retention_time_ms, self._shards.now_ms
        records = [
            OffsetRecord(
                request.group_id,
                at,
                _committed(request.offsets[reference], retention_time_ms, now_ms),
            )
            for reference, at in found.items()
        ]

        def stored(error: ErrorCode) -> None:
            self._answer(token, CommitReply({**errors, **dict.fromkeys(found, error)}))

        try:
            self._shards.write(shard, request.group_id, records, request.producer)
        except AppendError as failure:
            stored(failure.error)
        else:
            self._shards.when_committed([request.group_id], stored)

    # OffsetFetch

    def fetch(self, token: Any, request: FetchOffsets) -> None:
        fetched = tuple(self._fetch(each, request) for each in request.groups)
        found = [each.group_id for each in fetched if not each.error]

        def committed(error: ErrorCode) -> None:
            # Consumers before 3.9 give up on COORDINATOR_NOT_AVAILABLE: let them look again.
            retry = ErrorCode.NOT_COORDINATOR
            groups = (
                FetchedGroup(each.group_id, retry) if error and not each.error else each
                for each in fetched
            )
            self._answer(token, FetchReply(tuple(groups)))

        self._shards.when_committed(found, committed)

    def _fetch(self, wanted: OffsetsOfGroup, request: FetchOffsets) -> FetchedGroup:
        shard, error = self._shards.find(wanted.group_id)
        consumers = None if shard is None else shard.consumer_groups.get(wanted.group_id)
        if consumers is not None:
            error = admission.refuse_fetch(consumers, wanted)
        if error or shard is None:
            return FetchedGroup(wanted.group_id, error)
        partitions = wanted.partitions
        if partitions is None:
            stored = shard.offsets.of_group(wanted.group_id)
            partitions = tuple(self._references(stored, refers_by_id=request.refers_by_id))
        offsets = {
            each: self._fetch_one(shard, wanted.group_id, each, request.require_stable)
            for each in partitions
        }
        return FetchedGroup(wanted.group_id, offsets=offsets)

    def _references(
        self, partitions: Iterable[TopicPartition], *, refers_by_id: bool
    ) -> Iterator[PartitionReference]:
        for at in partitions:
            if not refers_by_id:
                yield PartitionReference(*at)
            elif (topic := self._catalogue.find(at.topic)) is not None:
                yield PartitionReference(topic.topic_id, at.partition)

    def _fetch_one(
        self, shard: Shard, group_id: str, wanted: PartitionReference, require_stable: bool
    ) -> FetchedOffset:
        """GRPS-14: the last commit, or -1 without an error."""
        name = wanted.topic
        if not isinstance(name, str):
            topic = self._catalogue.find(name)
            if topic is None:
                return FetchedOffset(error=ErrorCode.UNKNOWN_TOPIC_ID)
            name = topic.name
        at = TopicPartition(name, wanted.partition)
        if require_stable and shard.offsets.is_unstable(group_id, at):
            return FetchedOffset(error=ErrorCode.UNSTABLE_OFFSET_COMMIT)
        committed = shard.offsets.get(group_id, at)
        if committed is None:
            return FetchedOffset()
        return FetchedOffset(committed.offset, committed.leader_epoch, committed.metadata)

    # OffsetDelete

    def delete(self, token: Any, request: DeleteOffsets) -> None:
        if not request.group_id:
            self._answer(token, DeleteOffsetsReply(ErrorCode.INVALID_GROUP_ID))
            return
        shard, error = self._shards.find(request.group_id)
        group: Group | ConsumerGroup | None = None
        if shard is not None and (group := shard.consumer_groups.get(request.group_id)) is None:
            group = shard.groups.get(request.group_id)
            error = _refuse_delete(group)
        if error or shard is None or group is None:
            self._answer(token, DeleteOffsetsReply(error))
            return
        found, errors = self._resolve(request.partitions)
        for reference, at in found.items():
            if group.subscribes_to(at.topic):
                errors[reference] = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
        known = shard.offsets.known_partitions(request.group_id)
        gone = [at for reference, at in found.items() if not errors[reference] and at in known]
        records = [OffsetRecord(request.group_id, at, None) for at in gone]

        def stored(error: ErrorCode) -> None:
            reply = DeleteOffsetsReply(error) if error else DeleteOffsetsReply(errors=errors)
            self._answer(token, reply)

        try:
            self._shards.write(shard, request.group_id, records)
        except AppendError as failure:
            stored(failure.error)
        else:
            self._shards.when_committed([request.group_id], stored)


def refuse_commit(group: Group | None, request: CommitOffsets) -> ErrorCode:
    """GRPS-10, GRPS-11, GRPS-12: members of the generation commit; anybody while it is empty."""
    if request.generation_id < 0 and state_of(group) in (EMPTY, DEAD):
        return ErrorCode.NONE
    claims = request.generation_id >= 0 or request.member_id or request.group_instance_id
    if request.producer is not None:
        operation = Operation.COMMIT_IN_TRANSACTION
    elif claims:
        operation = Operation.COMMIT
    else:
        operation = Operation.COMMIT_AS_SIMPLE_CONSUMER
    if group is None:
        error = refusal(operation, None)
        is_old = request.api_version < COMMIT_GROUP_ID_NOT_FOUND_SINCE
        if error is ErrorCode.GROUP_ID_NOT_FOUND and is_old:
            return ErrorCode.ILLEGAL_GENERATION
        return error
    if claims:
        who = (request.member_id, request.group_instance_id)
        error = group.fence(*who, request.generation_id)
        if error:
            return error
    return refusal(operation, group)


def _refuse_delete(group: Group | None) -> ErrorCode:
    if group is not None and group.uses_consumer_protocol:
        return refusal(Operation.DELETE_OFFSETS_OF_CONSUMERS, group)
    return refusal(Operation.DELETE_OFFSETS, group)


def _committed(offset: OffsetToCommit, retention_time_ms: int, now_ms: int) -> CommittedOffset:
    expires = retention_time_ms != NO_RETENTION_TIME
    return CommittedOffset(
        offset=offset.offset,
        leader_epoch=offset.leader_epoch,
        metadata=offset.metadata or "",
        commit_timestamp_ms=now_ms,
        expire_timestamp_ms=now_ms + retention_time_ms if expires else None,
    )
