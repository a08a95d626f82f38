"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup: what each does to the group that it names.

Decides who is let in, under which member id, and when a request sets off a rebalance. The refusals
by state are tables in `group`, the rebalance itself is in `group_rebalance`. Requests get here
once the coordinator has made sure that the group is its own, and loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from impl.core.groups.config import NEW_MEMBER_JOIN_TIMEOUT_MS, GroupConfig
from impl.core.groups.coordinator_log import AppendError, CoordinatorLog
from impl.core.groups.deadlines import Deadlines, SessionDeadline
from impl.core.groups.group import (
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    Group,
    Member,
    Operation,
    refusal,
)
from impl.core.groups.messages import (
    NO_MEMBER_ID,
    GroupReply,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    LeaveReply,
    MemberIdentity,
    SyncGroup,
    SyncReply,
)
from impl.core.groups.rebalance import Rebalances
from impl.core.groups.records import GroupRecord
from spec.wire.errors import ErrorCode

JOIN_NEEDS_MEMBER_ID_SINCE = 4
JOIN_MAY_SKIP_ASSIGNMENT_SINCE = 9
SYNC_NAMES_PROTOCOL_SINCE = 5


class Memberships:
    def __init__(
        self,
        config: GroupConfig,
        deadlines: Deadlines,
        log: CoordinatorLog,
        rebalances: Rebalances,
        answer: Callable[[Any, GroupReply], None],
        new_id: Callable[[], str],
    ) -> None:
        self._config = config
        self._deadlines = deadlines
        self._log = log
        self._rebalances = rebalances
        self._answer = answer
        self._new_id = new_id

    # JoinGroup

    def refuse_join(self, group: Group | None, request: JoinGroup) -> JoinReply | None:
        """The answer to a joiner that is turned away, or None if it may come in."""
        shortest_ms = self._config.group_min_session_timeout_ms
        longest_ms = self._config.group_max_session_timeout_ms
        if not request.group_id:
            return JoinReply(ErrorCode.INVALID_GROUP_ID, request.member_id)
        if not shortest_ms <= request.session_timeout_ms <= longest_ms:
            return JoinReply(ErrorCode.INVALID_SESSION_TIMEOUT, request.member_id)
        if group is None:
            if request.member_id:
                return JoinReply(ErrorCode.UNKNOWN_MEMBER_ID, request.member_id)
            group = Group(request.group_id, self._deadlines.now_ms)
        if not group.has_room_for(request.member_id, self._config.group_max_size):
            self._shed(group, request.member_id)
            return JoinReply(ErrorCode.GROUP_MAX_SIZE_REACHED)
        if not group.supports(request.protocol_type, request.protocols):
            return JoinReply(ErrorCode.INCONSISTENT_GROUP_PROTOCOL, request.member_id)
        if request.member_id and not self._is_pending(group, request):
            error = group.membership_error(request.member_id, request.group_instance_id)
            error = error or refusal(Operation.REJOIN, group)
            return JoinReply(error, request.member_id) if error else None
        return None

    def _shed(self, group: Group, member_id: str) -> None:
        """GRPS-04: the group was larger than its limit, or too many were asked to come again."""
        group.remove(member_id)
        self._deadlines.cancel(SessionDeadline(group.group_id, member_id))
        self._rebalances.complete_if_all_joined(group)

    @staticmethod
    def _is_pending(group: Group, request: JoinGroup) -> bool:
        """Only dynamic members are asked to come again with a member id."""
        return request.group_instance_id is None and request.member_id in group.pending_joins

    def join(self, token: Any, group: Group, request: JoinGroup) -> None:
        if self._is_pending(group, request):
            self._add(token, group, request, request.member_id)
        elif request.member_id:
            self._rejoin(token, group, group.members[request.member_id], request)
        elif request.group_instance_id is not None:
            member_id = f"{request.group_instance_id}-{self._new_id()}"
            known = group.static_members.get(request.group_instance_id)
            if known is None:
                self._add(token, group, request, member_id)
            else:
                self._replace(token, group, group.members[known], member_id, request)
        else:
            member_id = f"{request.client_id}-{self._new_id()}"
            if request.api_version >= JOIN_NEEDS_MEMBER_ID_SINCE:
                self._ask_to_come_again(token, group, request, member_id)
            else:
                self._add(token, group, request, member_id)

    def _ask_to_come_again(
        self, token: Any, group: Group, request: JoinGroup, member_id: str
    ) -> None:
        """GRPS-01: a joiner that never hears of its member id must not count as a member."""
        group.pending_joins.add(member_id)
        deadline = SessionDeadline(group.group_id, member_id)
        self._deadlines.set(deadline, request.session_timeout_ms)
        self._answer(token, JoinReply(ErrorCode.MEMBER_ID_REQUIRED, member_id))

    def _add(self, token: Any, group: Group, request: JoinGroup, member_id: str) -> None:
        member = Member(
            member_id=member_id,
            group_instance_id=request.group_instance_id,
            client_id=request.client_id,
            client_host=request.client_host,
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=request.rebalance_timeout_ms,
            protocols=request.protocols,
            is_new=True,
            parked_join=token,
        )
        if group.is_initial_rebalance:
            group.new_member_added = True
        group.add(member, request.protocol_type)
        self._rebalances.restart_session(group, member, NEW_MEMBER_JOIN_TIMEOUT_MS)
        self._rebalances.rebalance(group)

    def _rejoin(self, token: Any, group: Group, member: Member, request: JoinGroup) -> None:
        """A leader sets off a rebalance by coming back, a follower only when it changed."""
        is_unchanged = member.protocols == request.protocols
        leads_stable = group.state is STABLE and group.is_leader(member.member_id)
        if group.state is not PREPARING_REBALANCE and is_unchanged and not leads_stable:
            self._answer(token, self._rebalances.current_generation(group, member.member_id))
            return
        _update(member, request)
        self._rebalances.park_join(member, token)
        self._rebalances.rebalance(group)

    def _replace(
        self, token: Any, group: Group, old: Member, member_id: str, request: JoinGroup
    ) -> None:
        """GRPS-18: the newcomer takes the place of the member with its instance id."""
        new = replace(old, member_id=member_id, parked_join=None, parked_sync=None)
        fenced = ErrorCode.FENCED_INSTANCE_ID
        self._rebalances.answer_join(old, JoinReply(fenced, old.member_id))
        self._rebalances.answer_sync(old, SyncReply(fenced))
        self._deadlines.cancel(SessionDeadline(group.group_id, old.member_id))
        old_leader = group.leader or NO_MEMBER_ID
        group.replace(old.member_id, new)
        _update(new, request)
        self._rebalances.restart_session(group, new)
        if group.state is STABLE and group.select_protocol() == group.protocol_name:
            self._store_replacement(token, group, old, new, old_leader, request)
        else:
            self._rebalances.park_join(new, token)
            self._rebalances.rebalance(group)

    def _store_replacement(
        self,
        token: Any,
        group: Group,
        old: Member,
        new: Member,
        old_leader: str,
        request: JoinGroup,
    ) -> None:
        """No rebalance; but the new member id must survive this broker before it is told."""
        if request.api_version >= JOIN_MAY_SKIP_ASSIGNMENT_SINCE:
            reply = self._rebalances.current_generation(group, new.member_id, skip_assignment=True)
        else:
            # An older client that reads that it leads would assign anew, in a group that is
            # stable: it is told of the leader that was.
            reply = replace(
                self._rebalances.current_generation(group, new.member_id),
                leader=old_leader,
                members=(),
            )
        self._rebalances.park_join(new, token)

        def stored(error: ErrorCode) -> None:
            if new.parked_join is token:
                self._rebalances.answer_join(new, JoinReply(error) if error else reply)

        members = [m.stored(group.protocol_name, m.assignment) for m in group.members.values()]
        try:
            self._log.write(group.group_id, [GroupRecord(group.group_id, group.stored(members))])
        except AppendError as failure:
            stored(failure.error)
            self._deadlines.cancel(SessionDeadline(group.group_id, new.member_id))
            group.replace(new.member_id, old)
            self._rebalances.restart_session(group, old)
        else:
            self._log.when_committed([group.group_id], stored)

    # SyncGroup

    def sync(self, token: Any, group: Group | None, request: SyncGroup) -> None:
        error = _refuse_sync(group, request)
        if error or group is None:
            self._answer(token, SyncReply(error))
            return
        member = group.members[request.member_id]
        self._rebalances.sync_received(group, member.member_id)
        if group.state is STABLE:
            self._answer(token, self._rebalances.assignment_of(group, member))
            return
        self._rebalances.park_sync(member, token)
        if group.is_leader(member.member_id):
            self._rebalances.store_assignments(group, request.assignments)

    # Heartbeat

    def heartbeat(self, token: Any, group: Group | None, request: Heartbeat) -> None:
        self._answer(token, HeartbeatReply(self._hear(group, request)))

    def _hear(self, group: Group | None, request: Heartbeat) -> ErrorCode:
        if not request.group_id:
            return ErrorCode.INVALID_GROUP_ID
        if group is None:
            return refusal(Operation.HEARTBEAT, group)
        member_id, instance_id = request.member_id, request.group_instance_id
        error = group.fence(member_id, instance_id, request.generation_id)
        if error:
            return error
        self._rebalances.restart_session(group, group.members[member_id])
        return refusal(Operation.HEARTBEAT, group)

    # LeaveGroup

    def leave(self, token: Any, group: Group | None, request: LeaveGroup) -> None:
        if not request.group_id:
            self._answer(token, LeaveReply(ErrorCode.INVALID_GROUP_ID))
            return
        results = tuple((who, self._let_go(group, who)) for who in request.members)
        if group is not None and any(not error for _, error in results):
            self._rebalances.members_left(group)
        self._answer(token, LeaveReply(members=results))

    def _let_go(self, group: Group | None, who: MemberIdentity) -> ErrorCode:
        """An administrator names a static member by its instance id alone."""
        if group is None:
            return refusal(Operation.LEAVE, group)
        member_id = who.member_id
        if member_id in group.pending_joins:
            self._deadlines.cancel(SessionDeadline(group.group_id, member_id))
            group.remove(member_id)
            return ErrorCode.NONE
        if not member_id and who.group_instance_id is not None:
            member_id = group.static_members.get(who.group_instance_id, NO_MEMBER_ID)
        error = group.membership_error(member_id, who.group_instance_id)
        if not error:
            self._rebalances.dismiss(group, group.members[member_id])
        return error


def _update(member: Member, request: JoinGroup) -> None:
    member.protocols = request.protocols
    member.session_timeout_ms = request.session_timeout_ms
    member.rebalance_timeout_ms = request.rebalance_timeout_ms


def _refuse_sync(group: Group | None, request: SyncGroup) -> ErrorCode:
    names = (request.protocol_type, request.protocol_name)
    if request.api_version >= SYNC_NAMES_PROTOCOL_SINCE and None in names:
        return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    if not request.group_id:
        return ErrorCode.INVALID_GROUP_ID
    if group is None or group.state is EMPTY:
        return refusal(Operation.SYNC, group)
    error = group.fence(request.member_id, request.group_instance_id, request.generation_id)
    if error:
        return error
    for claimed, actual in zip(names, (group.protocol_type, group.protocol_name), strict=True):
        if claimed is not None and actual is not None and claimed != actual:
            return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    return refusal(Operation.SYNC, group)
