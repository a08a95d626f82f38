"""Between the wire and the group coordinator: members, administration, the lookup.

| API | versions | notes |
|---|---|---|
| FindCoordinator | 0-6 | several keys since 4 (KIP-699) |
| JoinGroup | 0-9 | member id required since 4 (KIP-394), skip assignment since 9 (KIP-814) |
| SyncGroup | 0-5 | names the protocol since 5 (KIP-559) |
| Heartbeat | 0-4 | instance id since 3 (KIP-345) |
| LeaveGroup | 0-5 | several members since 3 (KIP-345) |
| DescribeGroups | 0-6 | an unknown group is an error since 6 (KIP-1043) |
| ListGroups | 0-5 | filter by state since 4 (KIP-518), by type since 5 (KIP-848) |
| DeleteGroups | 0-3 | KIP-229 |

Offsets are in `group_offsets`, the consumer protocol in `consumer_groups`, the records of the
coordinator's log in `group_records`. Each function translates and nothing else; what depends on a
version beyond the presence of a field is decided in the core, which is told the version.
"""

from __future__ import annotations

from typing import Any

from impl.api.consumer_groups import CONSUMER_GROUP_APIS
from impl.api.group_offsets import (
    read_offset_commit,
    read_offset_delete,
    read_offset_fetch,
    write_offset_commit,
    write_offset_delete,
    write_offset_fetch,
)
from impl.api.translation import Translation
from impl.core.groups.lookup import FindCoordinators, FoundCoordinator, FoundCoordinators
from impl.core.groups.messages import (
    DeleteGroups,
    DeleteReply,
    DescribedGroup,
    DescribeGroups,
    DescribeReply,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    LeaveReply,
    ListGroups,
    ListReply,
    MemberIdentity,
    Protocol,
    SyncGroup,
    SyncReply,
)
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

# FindCoordinator


def _read_find_coordinator(request: Request, _client_host: str) -> FindCoordinators:
    body = request.body
    keys = body.coordinator_keys if request.api_version >= 4 else [body.key]
    return FindCoordinators(body.key_type, tuple(keys))


def _write_find_coordinator(request: Request, reply: FoundCoordinators) -> Struct:
    if request.api_version < 4:
        return Struct(**_coordinator(reply.coordinators[0]))
    return Struct(
        coordinators=[Struct(key=each.key, **_coordinator(each)) for each in reply.coordinators]
    )


def _coordinator(found: FoundCoordinator) -> dict[str, Any]:
    broker = found.broker
    return {
        "node_id": -1 if broker is None else broker.node_id,
        "host": "" if broker is None else broker.host,
        "port": -1 if broker is None else broker.port,
        "error_code": found.error,
        "error_message": found.error.name if found.error else None,
    }


# JoinGroup, SyncGroup, Heartbeat, LeaveGroup


def _read_join_group(request: Request, client_host: str) -> JoinGroup:
    body = request.body
    timeout_ms = body.session_timeout_ms if request.api_version < 1 else body.rebalance_timeout_ms
    return JoinGroup(
        group_id=body.group_id,
        member_id=body.member_id,
        session_timeout_ms=body.session_timeout_ms,
        rebalance_timeout_ms=timeout_ms,
        protocol_type=body.protocol_type,
        protocols=tuple(Protocol(each.name, bytes(each.metadata)) for each in body.protocols),
        group_instance_id=body.group_instance_id,
        client_id=request.client_id or "",
        client_host=client_host,
        api_version=request.api_version,
    )


def _write_join_group(request: Request, reply: JoinReply) -> Struct:
    may_be_null = request.api_version >= 7
    return Struct(
        error_code=reply.error,
        generation_id=reply.generation_id,
        protocol_type=reply.protocol_type,
        protocol_name=reply.protocol_name if may_be_null else reply.protocol_name or "",
        leader=reply.leader,
        skip_assignment=reply.skip_assignment,
        member_id=reply.member_id,
        members=[
            Struct(
                member_id=each.member_id,
                group_instance_id=each.group_instance_id,
                metadata=each.metadata,
            )
            for each in reply.members
        ],
    )


def _read_sync_group(request: Request, _client_host: str) -> SyncGroup:
    body = request.body
    return SyncGroup(
        group_id=body.group_id,
        generation_id=body.generation_id,
        member_id=body.member_id,
        assignments={each.member_id: bytes(each.assignment) for each in body.assignments},
        group_instance_id=body.group_instance_id,
        protocol_type=body.protocol_type,
        protocol_name=body.protocol_name,
        api_version=request.api_version,
    )


def _write_sync_group(_request: Request, reply: SyncReply) -> Struct:
    return Struct(
        error_code=reply.error,
        protocol_type=reply.protocol_type,
        protocol_name=reply.protocol_name,
        assignment=reply.assignment,
    )


def _read_heartbeat(request: Request, _client_host: str) -> Heartbeat:
    body = request.body
    return Heartbeat(body.group_id, body.generation_id, body.member_id, body.group_instance_id)


def _write_heartbeat(_request: Request, reply: HeartbeatReply) -> Struct:
    return Struct(error_code=reply.error)


def _read_leave_group(request: Request, _client_host: str) -> LeaveGroup:
    body = request.body
    if request.api_version < 3:
        return LeaveGroup(body.group_id, (MemberIdentity(body.member_id),))
    members = (MemberIdentity(each.member_id, each.group_instance_id) for each in body.members)
    return LeaveGroup(body.group_id, tuple(members))


def _write_leave_group(request: Request, reply: LeaveReply) -> Struct:
    if request.api_version < 3:
        # One member, and no place for its error but the top.
        return Struct(error_code=reply.error or reply.members[0][1])
    return Struct(
        error_code=reply.error,
        members=[
            Struct(
                member_id=who.member_id,
                group_instance_id=who.group_instance_id,
                error_code=error,
            )
            for who, error in reply.members
        ],
    )


# DescribeGroups, ListGroups, DeleteGroups


def _read_describe_groups(request: Request, _client_host: str) -> DescribeGroups:
    return DescribeGroups(tuple(request.body.groups), request.api_version)


def _write_describe_groups(_request: Request, reply: DescribeReply) -> Struct:
    return Struct(groups=[_write_described(each) for each in reply.groups])


def _write_described(group: DescribedGroup) -> Struct:
    return Struct(
        error_code=group.error,
        error_message=_message(group.error, group.group_id),
        group_id=group.group_id,
        group_state=str(group.state),
        protocol_type=group.protocol_type,
        protocol_data=group.protocol_name,
        members=[
            Struct(
                member_id=each.member_id,
                group_instance_id=each.group_instance_id,
                client_id=each.client_id,
                client_host=each.client_host,
                member_metadata=each.metadata,
                member_assignment=each.assignment,
            )
            for each in group.members
        ],
    )


def _message(error: ErrorCode, group_id: str) -> str | None:
    if error is ErrorCode.GROUP_ID_NOT_FOUND:
        return f"There is no group {group_id}."
    return error.name if error else None


def _read_list_groups(request: Request, _client_host: str) -> ListGroups:
    body = request.body
    return ListGroups(frozenset(body.states_filter), frozenset(body.types_filter))


def _write_list_groups(_request: Request, reply: ListReply) -> Struct:
    return Struct(
        error_code=reply.error,
        groups=[
            Struct(
                group_id=each.group_id,
                protocol_type=each.protocol_type,
                group_state=str(each.state),
                group_type=each.group_type,
            )
            for each in reply.groups
        ],
    )


def _read_delete_groups(request: Request, _client_host: str) -> DeleteGroups:
    return DeleteGroups(tuple(request.body.groups_names))


def _write_delete_groups(_request: Request, reply: DeleteReply) -> Struct:
    return Struct(
        results=[
            Struct(group_id=group_id, error_code=error, error_message=_message(error, group_id))
            for group_id, error in reply.errors.items()
        ]
    )


GROUP_APIS: dict[str, Translation] = {
    **CONSUMER_GROUP_APIS,
    "FindCoordinator": Translation(_read_find_coordinator, _write_find_coordinator, range(7)),
    "JoinGroup": Translation(_read_join_group, _write_join_group, range(10)),
    "SyncGroup": Translation(_read_sync_group, _write_sync_group, range(6)),
    "Heartbeat": Translation(_read_heartbeat, _write_heartbeat, range(5)),
    "LeaveGroup": Translation(_read_leave_group, _write_leave_group, range(6)),
    "DescribeGroups": Translation(_read_describe_groups, _write_describe_groups, range(7)),
    "ListGroups": Translation(_read_list_groups, _write_list_groups, range(6)),
    "DeleteGroups": Translation(_read_delete_groups, _write_delete_groups, range(4)),
    "OffsetCommit": Translation(read_offset_commit, write_offset_commit, range(2, 11)),
    "OffsetFetch": Translation(read_offset_fetch, write_offset_fetch, range(1, 11)),
    "OffsetDelete": Translation(read_offset_delete, write_offset_delete, range(1)),
}
