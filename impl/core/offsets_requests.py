"""OffsetCommit, TxnOffsetCommit, OffsetFetch and OffsetDelete.

Decides which commit is accepted from whom, and what is answered per partition. A client hears of
an offset, its own or another's, only when it is committed in the log of the coordinator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from impl.core.coordinator_log import AppendError
from impl.core.coordinator_shard import Shard, Shards
from impl.core.group import (
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    Group,
    Operation,
    refusal,
    state_of,
)
from impl.core.group_config import GroupConfig
from impl.core.group_messages import (
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
    TopicPartition,
)
from impl.core.group_rebalance import Rebalances
from impl.core.group_records import CommittedOffset, OffsetRecord
from spec.wire.errors import ErrorCode

COMMIT_GROUP_ID_NOT_FOUND_SINCE = 9


class OffsetRequests:
    def __init__(
        self,
        config: GroupConfig,
        shards: Shards,
        rebalances: Rebalances,
        answer: Callable[[Any, GroupReply], None],
        has_partition: Callable[[TopicPartition], bool],
    ) -> None:
        self._config = config
        self._shards = shards
        self._rebalances = rebalances
        self._answer = answer
        self._has_partition = has_partition

    # OffsetCommit

    def commit(self, token: Any, request: CommitOffsets) -> None:
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        known = {at: o for at, o in request.offsets.items() if self._has_partition(at)}
        errors = {at: ErrorCode.NONE if at in known else unknown for at in request.offsets}
        if not known:
            self._answer(token, CommitReply(errors))
            return
        shard, error = self._shards.find(request.group_id)
        group = None if shard is None else shard.groups.get(request.group_id)
        error = error or refuse_commit(group, request)
        if error or shard is None:
            self._answer(token, CommitReply(errors | dict.fromkeys(known, error)))
            return
        if group is not None and group.state in (STABLE, PREPARING_REBALANCE):
            member = group.members.get(request.member_id)
            if member is not None:
                self._rebalances.restart_session(group, member)
        self._store(token, shard, request, known, errors)

    def _store(
        self,
        token: Any,
        shard: Shard,
        request: CommitOffsets,
        known: Mapping[TopicPartition, OffsetToCommit],
        errors: dict[TopicPartition, ErrorCode],
    ) -> None:
        limit = self._config.offset_metadata_max_bytes
        records = []
        for at, offset in known.items():
            if len(offset.metadata or "") > limit:
                errors[at] = ErrorCode.OFFSET_METADATA_TOO_LARGE
            else:
                value = _committed(offset, request.retention_time_ms, self._shards.now_ms)
                records.append(OffsetRecord(request.group_id, at, value))

        def stored(error: ErrorCode) -> None:
            failed = {record.at: error for record in records} if error else {}
            self._answer(token, CommitReply(errors | failed))

        try:
            self._shards.write(shard, request.group_id, records, request.producer)
        except AppendError as failure:
            stored(failure.error)
        else:
            self._shards.when_committed([request.group_id], stored)

    # OffsetFetch

    def fetch(self, token: Any, request: FetchOffsets) -> None:
        fetched = tuple(self._fetch(each, request.require_stable) for each in request.groups)
        found = [each.group_id for each in fetched if not each.error]

        def committed(error: ErrorCode) -> None:
            # COORDINATOR_NOT_AVAILABLE would be fatal to consumers before 3.9: let them look
            # again.
            retry = ErrorCode.NOT_COORDINATOR
            groups = [
                FetchedGroup(each.group_id, retry) if error and not each.error else each
                for each in fetched
            ]
            self._answer(token, FetchReply(tuple(groups)))

        self._shards.when_committed(found, committed)

    def _fetch(self, wanted: OffsetsOfGroup, require_stable: bool) -> FetchedGroup:
        shard, error = self._shards.find(wanted.group_id)
        if shard is None:
            return FetchedGroup(wanted.group_id, error)
        partitions = wanted.partitions
        if partitions is None:
            partitions = tuple(shard.offsets.of_group(wanted.group_id))
        offsets = {
            at: _fetched(shard, wanted.group_id, at, require_stable=require_stable)
            for at in partitions
        }
        return FetchedGroup(wanted.group_id, offsets=offsets)

    # OffsetDelete

    def delete(self, token: Any, request: DeleteOffsets) -> None:
        if not request.group_id:
            self._answer(token, DeleteOffsetsReply(ErrorCode.INVALID_GROUP_ID))
            return
        shard, error = self._shards.find(request.group_id)
        group = None if shard is None else shard.groups.get(request.group_id)
        error = error or _refuse_delete(group)
        if error or shard is None or group is None:
            self._answer(token, DeleteOffsetsReply(error))
            return
        errors = {at: self._refuse_partition(group, at) for at in request.partitions}
        known = shard.offsets.known_partitions(request.group_id)
        gone = [at for at, each in errors.items() if not each and at in known]
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

    def _refuse_partition(self, group: Group, at: TopicPartition) -> ErrorCode:
        if not self._has_partition(at):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if group.subscribes_to(at.topic):
            return ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
        return ErrorCode.NONE


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


def _fetched(
    shard: Shard, group_id: str, at: TopicPartition, *, require_stable: bool
) -> FetchedOffset:
    """GRPS-14: the last commit, or -1 without an error."""
    if require_stable and shard.offsets.is_unstable(group_id, at):
        return FetchedOffset(error=ErrorCode.UNSTABLE_OFFSET_COMMIT)
    committed = shard.offsets.get(group_id, at)
    if committed is None:
        return FetchedOffset()
    return FetchedOffset(committed.offset, committed.leader_epoch, committed.metadata)
