"""DescribeGroups, ListGroups and DeleteGroups: groups as an administrator sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from impl.core.groups.coordinator_log import AppendError
from impl.core.groups.group import (
    CONSUMER_PROTOCOL_TYPE,
    DEAD,
    STABLE,
    Group,
    Member,
    Operation,
    refusal,
)
from impl.core.groups.messages import (
    DeleteGroups,
    DeleteReply,
    DescribedGroup,
    DescribedMember,
    DescribeGroups,
    DescribeReply,
    GroupReply,
    ListedGroup,
    ListGroups,
    ListReply,
)
from impl.core.groups.records import CoordinatorRecord, GroupRecord, OffsetRecord
from impl.core.groups.shard import Shards, each_consumer_group, each_group
from spec.wire.errors import ErrorCode

DESCRIBE_GROUP_ID_NOT_FOUND_SINCE = 6
CLASSIC = "classic"
CONSUMER = "consumer"


class Administration:
    def __init__(self, shards: Shards, answer: Callable[[Any, GroupReply], None]) -> None:
        self._shards = shards
        self._answer = answer

    def describe(self, token: Any, request: DescribeGroups) -> None:
        found = (self._describe(each, request.api_version) for each in request.group_ids)
        self._answer(token, DescribeReply(tuple(found)))

    def _describe(self, group_id: str, api_version: int) -> DescribedGroup:
        shard, error = self._shards.find(group_id)
        if shard is None:
            return DescribedGroup(group_id, error)
        group = shard.groups.get(group_id)
        if group is None:
            # KIP-1043: older clients take an unknown group for one that exists and is dead.
            says_so = api_version >= DESCRIBE_GROUP_ID_NOT_FOUND_SINCE
            error = ErrorCode.GROUP_ID_NOT_FOUND if says_so else ErrorCode.NONE
            return DescribedGroup(group_id, error, state=DEAD)
        is_stable = group.state is STABLE
        return DescribedGroup(
            group_id,
            state=group.state,
            protocol_type=group.protocol_type or "",
            protocol_name=(group.protocol_name or "") if is_stable else "",
            members=tuple(_describe_member(group, member) for member in group.members.values()),
        )

    def list(self, token: Any, request: ListGroups) -> None:
        """Only what this broker coordinates; a client asks all brokers."""
        if any(shard.is_loading for shard in self._shards):
            self._answer(token, ListReply(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
            return
        states = {state.strip().lower() for state in request.states}
        types = {each.strip().lower() for each in request.types}
        groups = tuple(
            each
            for each in self._listed()
            if (not states or each.state.lower() in states)
            and (not types or each.group_type in types)
        )
        self._answer(token, ListReply(groups=groups))

    def _listed(self) -> Iterator[ListedGroup]:
        for _, group in each_group(self._shards):
            yield ListedGroup(group.group_id, group.protocol_type or "", group.state, CLASSIC)
        for _, consumers in each_consumer_group(self._shards):
            kind = CONSUMER_PROTOCOL_TYPE
            yield ListedGroup(consumers.group_id, kind, consumers.state, CONSUMER)

    def delete(self, token: Any, request: DeleteGroups) -> None:
        group_ids = dict.fromkeys(request.group_ids)
        errors = {group_id: self._delete(group_id) for group_id in group_ids}
        gone = [group_id for group_id, error in errors.items() if not error]

        def stored(error: ErrorCode) -> None:
            self._answer(
                token, DeleteReply(errors | (dict.fromkeys(gone, error) if error else {}))
            )

        self._shards.when_committed(gone, stored)

    def _delete(self, group_id: str) -> ErrorCode:
        shard, error = self._shards.find(group_id)
        if shard is None:
            return error
        consumers = shard.consumer_groups.get(group_id)
        if consumers is None:
            error = refusal(Operation.DELETE_GROUP, shard.groups.get(group_id))
        elif consumers.members:
            error = ErrorCode.NON_EMPTY_GROUP
        if error:
            return error
        last = [GroupRecord(group_id, None)] if consumers is None else consumers.tombstones()
        records: list[CoordinatorRecord] = [
            OffsetRecord(group_id, at, None) for at in shard.offsets.known_partitions(group_id)
        ]
        try:
            self._shards.write(shard, group_id, [*records, *last])
        except AppendError as failure:
            return failure.error
        return ErrorCode.NONE


def _describe_member(group: Group, member: Member) -> DescribedMember:
    return DescribedMember(
        member_id=member.member_id,
        group_instance_id=member.group_instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        metadata=member.metadata(group.protocol_name) if group.state is STABLE else b"",
        assignment=member.assignment,
    )
