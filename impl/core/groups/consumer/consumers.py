"""ConsumerGroupHeartbeat and ConsumerGroupDescribe: GRPS-20 to GRPS-22, GRPS-24.

Puts one heartbeat together: who may come (`admission`), what changes (`draft`), when a member is
given up (sessions, and the time to give up partitions). The answer waits until the change is
committed, and for nothing else: no member waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from impl.core.groups.config import GroupConfig
from impl.core.groups.consumer.admission import (
    check_epoch,
    check_request,
    check_room,
    check_subscription,
    find_member,
    find_predecessor,
)
from impl.core.groups.consumer.describing import described
from impl.core.groups.consumer.draft import Draft
from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.consumer.messages import (
    JOINING,
    LEAVING,
    LEAVING_FOR_A_WHILE,
    ConsumerHeartbeat,
    ConsumerHeartbeatReply,
    DescribeConsumerGroups,
    DescribeConsumersReply,
    DescribedConsumerGroup,
)
from impl.core.groups.consumer.records import UNREVOKED_PARTITIONS, CurrentAssignment, Subscription
from impl.core.groups.consumer.topics import Topics
from impl.core.groups.coordinator_log import AppendError
from impl.core.groups.deadlines import Deadlines, MemberDeadline, RevocationDeadline
from impl.core.groups.group import EMPTY
from impl.core.groups.messages import GroupReply
from impl.core.groups.records import CoordinatorRecord, GroupRecord
from impl.core.groups.shard import Shard, Shards
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

# How long a member that timed out stays, where the log takes no records just then.
RETRY_MS = 500


class Consumers:
    def __init__(
        self,
        config: GroupConfig,
        shards: Shards,
        deadlines: Deadlines,
        topics: Topics,
        is_enabled: Callable[[], bool],
        answer: Callable[[Any, GroupReply], None],
        new_id: Callable[[], str],
    ) -> None:
        self._config = config
        self._shards = shards
        self._deadlines = deadlines
        self._topics = topics
        self._is_enabled = is_enabled
        self._answer = answer
        self._new_id = new_id

    # ConsumerGroupHeartbeat

    def heartbeat(self, token: Any, request: ConsumerHeartbeat) -> None:
        try:
            reply = self._hear(request)
        except (KafkaError, AppendError) as refused:
            self._answer(token, ConsumerHeartbeatReply(refused.error))
            return

        def committed(error: ErrorCode) -> None:
            self._answer(token, ConsumerHeartbeatReply(error) if error else reply)

        self._shards.when_committed([request.group_id], committed)

    def _hear(self, request: ConsumerHeartbeat) -> ConsumerHeartbeatReply:
        if not self._is_enabled():
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
        check_request(request, self._config)
        shard, error = self._shards.find(request.group_id)
        if shard is None:
            raise KafkaError(error)
        if request.member_epoch in (LEAVING, LEAVING_FOR_A_WHILE):
            return self._leave(shard, request)
        group, before = self._open(shard, request)
        check_room(group, request, self._config.group_consumer_max_size)
        request = replace(request, member_id=request.member_id or self._new_id())
        return self._advance(shard, group, before, request)

    def _open(
        self, shard: Shard, request: ConsumerHeartbeat
    ) -> tuple[ConsumerGroup, Sequence[CoordinatorRecord]]:
        """The group, and what has to be written before anything of it."""
        group = shard.consumer_groups.get(request.group_id)
        if group is not None:
            return group, ()
        classic = shard.groups.get(request.group_id)
        is_free = classic is None or classic.state is EMPTY
        if request.member_epoch != JOINING or not is_free:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
        before = () if classic is None else (GroupRecord(request.group_id, None),)
        return ConsumerGroup(request.group_id), before

    def _advance(
        self,
        shard: Shard,
        group: ConsumerGroup,
        before: Sequence[CoordinatorRecord],
        request: ConsumerHeartbeat,
    ) -> ConsumerHeartbeatReply:
        """One heartbeat: the member, then the group's epoch, its target, and the member's step."""
        draft = Draft(group, self._topics, self._deadlines.now_ms)
        replaced = self._admit(draft, request)
        had = _current(draft.group, request.member_id)
        has_changed = self._subscribe(draft, request)
        draft.refresh(subscriptions_changed=has_changed)
        draft.assign(self._config.group_consumer_assignors[0])
        step = draft.reconcile(request.member_id, request.owned)
        self._write(shard, draft, before)
        if replaced is not None:
            self._cancel(request.group_id, replaced)
        self._restart_session(request.group_id, request.member_id)
        if step != had:
            self._watch_revocation(draft.group, request.member_id)
        return ConsumerHeartbeatReply(
            member_id=request.member_id,
            member_epoch=step.member_epoch,
            heartbeat_interval_ms=self._config.group_consumer_heartbeat_interval_ms,
            assignment=step.assigned if request.is_full or step.assigned != had.assigned else None,
        )

    def _admit(self, draft: Draft, request: ConsumerHeartbeat) -> str | None:
        """See that the member may come; returns the member id whose place it takes, if any."""
        if request.member_epoch == JOINING:
            predecessor = find_predecessor(draft.group, request)
            if predecessor is None:
                return None
            draft.replace(predecessor, request.member_id)
            return predecessor.member_id
        check_epoch(find_member(draft.group, request), request)
        return None

    def _subscribe(self, draft: Draft, request: ConsumerHeartbeat) -> bool:
        """Who joins says everything, also where it takes the place of another."""
        check_subscription(request)
        member = draft.group.members.get(request.member_id)
        known = Subscription() if member is None else member.subscription
        if request.member_epoch == JOINING:
            known = Subscription()
        return draft.subscribe(request.member_id, _updated(known, request))

    def _leave(self, shard: Shard, request: ConsumerHeartbeat) -> ConsumerHeartbeatReply:
        """GRPS-24."""
        group = shard.consumer_groups.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND)
        member = find_member(group, request)
        if request.member_epoch == LEAVING:
            self._remove(shard, group, member.member_id)
        else:
            draft = Draft(group, self._topics, self._deadlines.now_ms)
            draft.leave_for_a_while(member)
            self._write(shard, draft)
            self._deadlines.cancel(RevocationDeadline(group.group_id, member.member_id))
        return ConsumerHeartbeatReply(
            member_id=request.member_id, member_epoch=request.member_epoch
        )

    def _remove(self, shard: Shard, group: ConsumerGroup, member_id: str) -> None:
        draft = Draft(group, self._topics, self._deadlines.now_ms)
        draft.remove(member_id)
        draft.refresh(subscriptions_changed=True)
        self._write(shard, draft)
        self._cancel(group.group_id, member_id)

    def _write(self, shard: Shard, draft: Draft, before: Sequence[CoordinatorRecord] = ()) -> None:
        group_id = draft.group.group_id
        self._shards.write(shard, group_id, [*before, *draft.records])
        shard.consumer_groups[group_id].metadata_revision = self._topics.revision

    # Time

    def _restart_session(self, group_id: str, member_id: str) -> None:
        session_ms = self._config.group_consumer_session_timeout_ms
        self._deadlines.set(MemberDeadline(group_id, member_id), session_ms)

    def _watch_revocation(self, group: ConsumerGroup, member_id: str) -> None:
        """A member has its rebalance timeout, from this step on, to give up partitions."""
        member, deadline = group.members[member_id], RevocationDeadline(group.group_id, member_id)
        if member.current.state is not UNREVOKED_PARTITIONS:
            self._deadlines.cancel(deadline)
        else:
            self._deadlines.set(deadline, max(member.subscription.rebalance_timeout_ms, 1))

    def _cancel(self, group_id: str, member_id: str) -> None:
        self._deadlines.cancel(MemberDeadline(group_id, member_id))
        self._deadlines.cancel(RevocationDeadline(group_id, member_id))

    def is_late(self, deadline: MemberDeadline | RevocationDeadline) -> None:
        """A member is silent, or does not give up partitions: the others go on without it."""
        shard, _ = self._shards.find(deadline.group_id)
        assert shard is not None, "a group takes its deadlines along"
        group = shard.consumer_groups[deadline.group_id]
        try:
            self._remove(shard, group, deadline.member_id)
        except AppendError:
            self._deadlines.set(deadline, RETRY_MS)

    def loaded(self, group: ConsumerGroup) -> None:
        """Members get a full session timeout to find the new coordinator."""
        for member_id in group.members:
            self._restart_session(group.group_id, member_id)
            self._watch_revocation(group, member_id)

    def forget(self, group: ConsumerGroup) -> None:
        for member_id in group.members:
            self._cancel(group.group_id, member_id)

    # ConsumerGroupDescribe

    def describe(self, token: Any, request: DescribeConsumerGroups) -> None:
        groups = tuple(self._describe(group_id) for group_id in request.group_ids)
        self._answer(token, DescribeConsumersReply(groups))

    def _describe(self, group_id: str) -> DescribedConsumerGroup:
        shard, error = self._shards.find(group_id)
        if shard is None:
            return DescribedConsumerGroup(group_id, error)
        group = shard.consumer_groups.get(group_id)
        if group is None:
            return DescribedConsumerGroup(group_id, ErrorCode.GROUP_ID_NOT_FOUND)
        return described(group, self._config.group_consumer_assignors[0], self._topics)


def _current(group: ConsumerGroup, member_id: str) -> CurrentAssignment:
    member = group.members.get(member_id)
    return CurrentAssignment() if member is None else member.current


def _updated(known: Subscription, request: ConsumerHeartbeat) -> Subscription:
    given = {
        "group_instance_id": request.group_instance_id,
        "rack_id": request.rack_id,
        "rebalance_timeout_ms": request.rebalance_timeout_ms,
        "topics": request.topics,
        "regex": request.regex,
        "assignor": request.assignor,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(known, client_id=request.client_id, client_host=request.client_host, **changes)
