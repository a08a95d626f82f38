"""How a group gets from one generation to the next.

A rebalance has a join phase, in which members come back and wait (`parked_join`), and a sync
phase, in which they wait for the leader's assignment (`parked_sync`). This file decides when a
phase starts, when it ends, and who is dropped on the way: GRPS-05, GRPS-06, GRPS-08, GRPS-09.
Which request may come is decided by `group` and `group_membership`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from impl.core.groups.config import GroupConfig
from impl.core.groups.coordinator_log import AppendError, CoordinatorLog
from impl.core.groups.deadlines import Deadlines, JoinDeadline, SessionDeadline, SyncDeadline
from impl.core.groups.group import (
    COMPLETING_REBALANCE,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    Group,
    Member,
)
from impl.core.groups.messages import GroupReply, JoinReply, SyncReply
from impl.core.groups.records import GroupRecord
from spec.wire.errors import ErrorCode

Answer: TypeAlias = Callable[[Any, GroupReply], None]

# The topics that a consumer's subscription names, or None when it cannot be read.
ReadSubscription: TypeAlias = Callable[[bytes], frozenset[str] | None]


class Rebalances:
    """The rebalances of all groups of a broker."""

    def __init__(
        self,
        config: GroupConfig,
        deadlines: Deadlines,
        log: CoordinatorLog,
        answer: Answer,
        read_subscription: ReadSubscription,
    ) -> None:
        self._config = config
        self._deadlines = deadlines
        self._log = log
        self._answer = answer
        self._read_subscription = read_subscription

    # Answers to parked requests

    def answer_join(self, member: Member, reply: JoinReply) -> None:
        token, member.parked_join = member.parked_join, None
        if token is not None:
            self._answer(token, reply)

    def answer_sync(self, member: Member, reply: SyncReply) -> None:
        token, member.parked_sync = member.parked_sync, None
        if token is not None:
            self._answer(token, reply)

    def park_join(self, member: Member, token: Any) -> None:
        """A second JoinGroup of the same member takes the place of the first, which may retry."""
        error = ErrorCode.REBALANCE_IN_PROGRESS
        self.answer_join(member, JoinReply(error, member_id=member.member_id))
        member.parked_join = token

    def park_sync(self, member: Member, token: Any) -> None:
        self.answer_sync(member, SyncReply(ErrorCode.REBALANCE_IN_PROGRESS))
        member.parked_sync = token

    def current_generation(
        self, group: Group, member_id: str, *, skip_assignment: bool = False
    ) -> JoinReply:
        """GRPS-05: all hear the same leader and protocol; only the leader hears of the others."""
        leads = group.is_leader(member_id)
        return JoinReply(
            member_id=member_id,
            generation_id=group.generation_id,
            protocol_type=group.protocol_type,
            protocol_name=group.protocol_name,
            leader=group.leader or "",
            members=group.joined_members() if leads else (),
            skip_assignment=skip_assignment and leads,
        )

    # Sessions

    def restart_session(self, group: Group, member: Member, timeout_ms: int | None = None) -> None:
        deadline = SessionDeadline(group.group_id, member.member_id)
        self._deadlines.set(deadline, timeout_ms or member.session_timeout_ms)

    def session_expired(self, group: Group, member_id: str) -> None:
        """GRPS-08: a member that was silent for its session timeout is out."""
        if member_id in group.pending_joins:
            group.remove(member_id)
            self.complete_if_all_joined(group)
            return
        member = group.members.get(member_id)
        if member is not None and not member.is_excused_from_heartbeats:
            self.dismiss(group, member)
            self.members_left(group)

    def dismiss(
        self, group: Group, member: Member, error: ErrorCode = ErrorCode.UNKNOWN_MEMBER_ID
    ) -> None:
        """Remove a member; what it waits for is answered, so that it can come back if it lives."""
        self.answer_join(member, JoinReply(error))
        self.answer_sync(member, SyncReply(error))
        self._deadlines.cancel(SessionDeadline(group.group_id, member.member_id))
        group.remove(member.member_id)

    def members_left(self, group: Group) -> None:
        if group.state in (STABLE, COMPLETING_REBALANCE):
            self.prepare(group)
        else:
            self.complete_if_all_joined(group)

    # The join phase

    def rebalance(self, group: Group) -> None:
        """Start a rebalance, or see whether the one that runs has everybody now."""
        if group.state is PREPARING_REBALANCE:
            self.complete_if_all_joined(group)
        else:
            self.prepare(group)

    def prepare(self, group: Group) -> None:
        if group.state is COMPLETING_REBALANCE:
            self._withdraw_assignments(group, ErrorCode.REBALANCE_IN_PROGRESS)
        group.pending_syncs.clear()
        self._deadlines.cancel(SyncDeadline(group.group_id))
        group.transition(PREPARING_REBALANCE, self._deadlines.now_ms)
        if group.is_initial_rebalance:
            delay_ms = self._config.group_initial_rebalance_delay_ms
            group.initial_delay_left_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
            self._deadlines.set(JoinDeadline(group.group_id), delay_ms)
        elif group.all_have_joined:
            self.complete(group)
        else:
            self._wait_for_members(group)

    def _wait_for_members(self, group: Group) -> None:
        # Clients may name a timeout of zero or less; time has to move all the same.
        self._deadlines.set(JoinDeadline(group.group_id), max(group.rebalance_timeout_ms, 1))

    def complete_if_all_joined(self, group: Group) -> None:
        """The initial rebalance always takes its delay: others may be about to join (KIP-134)."""
        is_rebalance = group.state is PREPARING_REBALANCE and not group.is_initial_rebalance
        if is_rebalance and group.all_have_joined:
            self.complete(group)

    def join_phase_is_over(self, group: Group) -> None:
        if group.is_initial_rebalance and group.new_member_added and group.initial_delay_left_ms:
            group.new_member_added = False
            delay_ms = min(
                self._config.group_initial_rebalance_delay_ms, group.initial_delay_left_ms
            )
            group.initial_delay_left_ms -= delay_ms
            self._deadlines.set(JoinDeadline(group.group_id), delay_ms)
        elif group.state is PREPARING_REBALANCE:
            self.complete(group)

    def complete(self, group: Group) -> None:
        """GRPS-09: who is not back is dropped, save static members: their session decides."""
        self._deadlines.cancel(JoinDeadline(group.group_id))
        for member in list(group.members.values()):
            if member.parked_join is None and not member.is_static:
                self.dismiss(group, member)
        if not group.members:
            self._become_empty(group)
        elif not group.awaiting_join:
            self._wait_for_members(group)
        else:
            self._start_generation(group)

    def _become_empty(self, group: Group) -> None:
        group.generation_id += 1
        group.protocol_name = None
        group.transition(EMPTY, self._deadlines.now_ms)
        self.learn_subscription(group)
        try:
            self._log.write(group.group_id, [GroupRecord(group.group_id, group.stored(()))])
        except AppendError:
            # If this broker fails now, the last generation comes back without its members, which
            # time out: the group ends up empty again.
            return

    def _start_generation(self, group: Group) -> None:
        leader = group.members[group.leader] if group.leader is not None else None
        if leader is None or leader.parked_join is None:
            group.leader = group.awaiting_join[0].member_id
        group.generation_id += 1
        group.protocol_name = group.select_protocol()
        group.transition(COMPLETING_REBALANCE, self._deadlines.now_ms)
        group.new_member_added = False
        self.learn_subscription(group)
        for member in group.members.values():
            self.answer_join(member, self.current_generation(group, member.member_id))
            self.restart_session(group, member)
            member.is_new = False
        group.pending_syncs = set(group.members)
        self._deadlines.set(SyncDeadline(group.group_id), max(group.rebalance_timeout_ms, 1))

    def learn_subscription(self, group: Group) -> None:
        if not group.uses_consumer_protocol:
            group.subscribed_topics = None
            return
        metadata = [m.metadata(group.protocol_name) for m in group.members.values()]
        topics = [self._read_subscription(each) for each in metadata]
        known = [each for each in topics if each is not None]
        group.subscribed_topics = frozenset().union(*known) if len(known) == len(topics) else None

    # The sync phase

    def sync_received(self, group: Group, member_id: str) -> None:
        group.pending_syncs.discard(member_id)
        if not group.pending_syncs:
            self._deadlines.cancel(SyncDeadline(group.group_id))

    def sync_phase_is_over(self, group: Group) -> None:
        """Who joined a generation and never asked for its assignment is dropped."""
        missing = [group.members[member_id] for member_id in sorted(group.pending_syncs)]
        for member in missing:
            self.dismiss(group, member)
        if missing:
            self.prepare(group)

    def store_assignments(self, group: Group, assignments: Mapping[str, bytes]) -> None:
        """The group is stable once the assignment is committed; until then its members wait."""
        generation_id = group.generation_id
        members = [
            m.stored(group.protocol_name, assignments.get(m.member_id, b""))
            for m in group.members.values()
        ]

        def stored(error: ErrorCode) -> None:
            # A rebalance may have overtaken the append; then its members have been sent away
            # already.
            if group.state is not COMPLETING_REBALANCE or group.generation_id != generation_id:
                return
            if error:
                self._withdraw_assignments(group, error)
                self.prepare(group)
            else:
                self._hand_out(group, assignments)

        try:
            self._log.write(group.group_id, [GroupRecord(group.group_id, group.stored(members))])
        except AppendError as failure:
            stored(failure.error)
        else:
            self._log.when_committed([group.group_id], stored)

    def _hand_out(self, group: Group, assignments: Mapping[str, bytes]) -> None:
        group.transition(STABLE, self._deadlines.now_ms)
        for member in group.members.values():
            member.assignment = assignments.get(member.member_id, b"")
            if member.parked_sync is not None:
                self.answer_sync(member, self.assignment_of(group, member))
                self.restart_session(group, member)

    def assignment_of(self, group: Group, member: Member) -> SyncReply:
        return SyncReply(
            protocol_type=group.protocol_type,
            protocol_name=group.protocol_name,
            assignment=member.assignment,
        )

    def _withdraw_assignments(self, group: Group, error: ErrorCode) -> None:
        for member in group.members.values():
            member.assignment = b""
            if member.parked_sync is not None:
                self.answer_sync(member, SyncReply(error))
                self.restart_session(group, member)

    # The end

    def unload(self, group: Group) -> None:
        """The group lives on another broker now; its members have to look for it there."""
        for member in list(group.members.values()):
            self.dismiss(group, member, ErrorCode.NOT_COORDINATOR)
        self.forget(group)

    def forget(self, group: Group) -> None:
        for member_id in (*group.members, *group.pending_joins):
            self._deadlines.cancel(SessionDeadline(group.group_id, member_id))
        self._deadlines.cancel(JoinDeadline(group.group_id))
        self._deadlines.cancel(SyncDeadline(group.group_id))
        group.transition(DEAD, self._deadlines.now_ms)
