"""The group coordinator of a broker: both group protocols, committed offsets, and their log.

Sans-IO: a request goes in with a token and the time, and (token, reply) pairs come out, now or
from a later call. Every method that returns `Replies` may answer requests that waited.

Duties of the caller:
1. `start_loading`, `replay` for every record in order, `finish_loading`, when this broker becomes
   the leader of a partition of `__consumer_offsets`; `unload` when it stops being that.
2. `append`, given at the start, writes to that partition before it returns; `committed` follows
   whenever the high watermark of the partition has moved.
3. `tick` is called at `next_deadline_ms` at the latest. Time never runs backwards.
4. A token whose connection is gone may be answered all the same; the reply is then dropped.
5. `metadata_changed` when a topic may have come, gone or got more partitions.
6. `end_transaction` when the marker of a transaction was written to the partition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.topics import OFFSETS_TOPIC, TopicPartition
from impl.core.groups.administration import Administration
from impl.core.groups.config import GroupConfig
from impl.core.groups.consumer.consumers import Consumers
from impl.core.groups.consumer.messages import ConsumerHeartbeat, DescribeConsumerGroups
from impl.core.groups.consumer.topics import Topics
from impl.core.groups.coordinator_log import Append, AppendError, CoordinatorLog
from impl.core.groups.deadlines import (
    CommitDeadline,
    Deadline,
    Deadlines,
    JoinDeadline,
    MemberDeadline,
    RetentionDeadline,
    RevocationDeadline,
    SessionDeadline,
    SyncDeadline,
)
from impl.core.groups.group import EMPTY, Group
from impl.core.groups.membership import Memberships
from impl.core.groups.messages import (
    CommitOffsets,
    DeleteGroups,
    DeleteOffsets,
    DescribeGroups,
    FetchOffsets,
    GroupReply,
    GroupRequest,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    LeaveReply,
    ListGroups,
    SyncGroup,
    SyncReply,
)
from impl.core.groups.offsets import expired, expired_of_consumers
from impl.core.groups.offsets_requests import OffsetRequests
from impl.core.groups.rebalance import ReadSubscription, Rebalances
from impl.core.groups.records import CoordinatorRecord, GroupRecord, OffsetRecord
from impl.core.groups.shard import Shard, Shards, each_consumer_group, each_group
from spec.wire.errors import ErrorCode

GROUP_VERSION = "group.version"

Replies: TypeAlias = list[tuple[Any, GroupReply]]


class Coordinator:
    def __init__(
        self,
        config: GroupConfig,
        *,
        append: Append,
        new_id: Callable[[], str],
        catalogue: Catalogue,
        read_subscription: ReadSubscription,
    ) -> None:
        self.config = config
        self._catalogue = catalogue
        self._replies: Replies = []
        self._deadlines = Deadlines()
        self._log = CoordinatorLog(
            append,
            self._num_partitions,
            self._deadlines,
            config.offsets_commit_timeout_ms,
        )
        self._rebalances = Rebalances(
            config, self._deadlines, self._log, self._answer, read_subscription
        )
        self._memberships = Memberships(
            config, self._deadlines, self._log, self._rebalances, self._answer, new_id
        )
        self._shards = Shards(self._log, self._deadlines, self._rebalances)
        self._offsets = OffsetRequests(
            config, self._shards, self._rebalances, self._answer, catalogue
        )
        self._administration = Administration(self._shards, self._answer)
        self._topics = Topics(catalogue)
        self._consumers = Consumers(
            config,
            self._shards,
            self._deadlines,
            self._topics,
            self._serves_consumer_protocol,
            self._answer,
            new_id,
        )

    def _serves_consumer_protocol(self) -> bool:
        """The feature is the cluster's, the option the broker's."""
        is_known = self._catalogue.features.get(GROUP_VERSION, 0) >= 1
        return is_known and "consumer" in self.config.group_coordinator_rebalance_protocols

    def _num_partitions(self) -> int:
        """The option counts for the creation of the topic; afterwards the topic itself does."""
        topic = self._catalogue.topics.get(OFFSETS_TOPIC)
        if topic is None:
            return self.config.offsets_topic_num_partitions
        return len(topic.partitions)

    def partition_of(self, group_id: str) -> int:
        """Where the group's records are, or will be once the topic is created."""
        return self._log.partition_of(group_id)

    # Requests

    def handle(self, token: Any, request: GroupRequest, now_ms: int) -> Replies:
        self._pass_time(now_ms)
        match request:
            case JoinGroup():
                self._join(token, request)
            case SyncGroup() | Heartbeat() | LeaveGroup():
                self._as_member(token, request)
            case CommitOffsets():
                self._offsets.commit(token, request)
            case FetchOffsets():
                self._offsets.fetch(token, request)
            case DeleteOffsets():
                self._offsets.delete(token, request)
            case DescribeGroups():
                self._administration.describe(token, request)
            case ListGroups():
                self._administration.list(token, request)
            case DeleteGroups():
                self._administration.delete(token, request)
            case ConsumerHeartbeat():
                self._consumers.heartbeat(token, request)
            case DescribeConsumerGroups():
                self._consumers.describe(token, request)
        return self.tick(now_ms)

    def _join(self, token: Any, request: JoinGroup) -> None:
        shard, error = self._shards.find(request.group_id)
        if shard is None:
            self._answer(token, JoinReply(error, request.member_id))
            return
        group = shard.groups.get(request.group_id)
        consumer_group = shard.consumer_groups.get(request.group_id)
        if consumer_group is not None and consumer_group.members:
            error = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
            self._answer(token, JoinReply(error, request.member_id))
            return
        refused = self._memberships.refuse_join(group, request)
        if refused is not None:
            self._answer(token, refused)
            return
        try:
            group = group or self._create(shard, request.group_id)
        except AppendError as failure:
            self._answer(token, JoinReply(failure.error, request.member_id))
        else:
            self._memberships.join(token, group, request)

    def _create(self, shard: Shard, group_id: str) -> Group:
        """The group may have been one of the consumer protocol, whose last member has left."""
        stored = Group(group_id, self._deadlines.now_ms).stored(())
        former = shard.consumer_groups.get(group_id)
        gone = () if former is None else former.tombstones()
        self._shards.write(shard, group_id, [*gone, GroupRecord(group_id, stored)])
        return shard.groups[group_id]

    def _as_member(self, token: Any, request: SyncGroup | Heartbeat | LeaveGroup) -> None:
        shard, error = self._shards.find(request.group_id)
        group = None if shard is None else shard.groups.get(request.group_id)
        match request:
            case SyncGroup() if error:
                self._answer(token, SyncReply(error))
            case Heartbeat() if error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
                # Nobody can tell yet; an error would only make the member rejoin for nothing.
                self._answer(token, HeartbeatReply())
            case Heartbeat() if error:
                self._answer(token, HeartbeatReply(error))
            case LeaveGroup() if error:
                self._answer(token, LeaveReply(error))
            case SyncGroup():
                self._memberships.sync(token, group, request)
            case Heartbeat():
                self._memberships.heartbeat(token, group, request)
            case LeaveGroup():
                self._memberships.leave(token, group, request)

    # Time

    def next_deadline_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> Replies:
        self._pass_time(now_ms)
        return self._take_replies()

    def _pass_time(self, now_ms: int) -> None:
        for deadline in self._deadlines.pass_until(now_ms):
            self._meet(deadline)

    def _meet(self, deadline: Deadline) -> None:
        if isinstance(deadline, CommitDeadline):
            self._log.timed_out(deadline)
            return
        if isinstance(deadline, RetentionDeadline):
            self._expire_offsets()
            return
        if isinstance(deadline, MemberDeadline | RevocationDeadline):
            self._consumers.is_late(deadline)
            return
        group = self._shards.group(deadline.group_id)
        assert group is not None, "a group takes its deadlines along"
        match deadline:
            case SessionDeadline(member_id=member_id):
                self._rebalances.session_expired(group, member_id)
            case JoinDeadline():
                self._rebalances.join_phase_is_over(group)
            case SyncDeadline():
                self._rebalances.sync_phase_is_over(group)

    def _expire_offsets(self) -> None:
        """A group that is empty and has no offsets left goes with the last of them."""
        self._watch_retention()
        now_ms, retention_ms = self._deadlines.now_ms, self.config.offsets_retention_ms
        for shard, group in each_group(s for s in self._shards if not s.is_loading):
            gone, is_last = expired(group, shard.offsets, retention_ms, now_ms)
            records: list[CoordinatorRecord] = [
                OffsetRecord(group.group_id, at, None) for at in gone
            ]
            if is_last and group.state is EMPTY:
                records.append(GroupRecord(group.group_id, None))
            self._write_or_leave(shard, group.group_id, records)
        for shard, consumers in each_consumer_group(s for s in self._shards if not s.is_loading):
            gone, is_last = expired_of_consumers(consumers, shard.offsets, retention_ms, now_ms)
            records = [OffsetRecord(consumers.group_id, at, None) for at in gone]
            if is_last and not consumers.members:
                records += consumers.tombstones()
            self._write_or_leave(shard, consumers.group_id, records)

    def _watch_retention(self) -> None:
        interval_ms = self.config.offsets_retention_check_interval_ms
        self._deadlines.set(RetentionDeadline(), interval_ms)

    def _write_or_leave(
        self, shard: Shard, group_id: str, records: list[CoordinatorRecord]
    ) -> None:
        """Housekeeping: what the log refuses now is found again at the next check."""
        try:
            self._shards.write(shard, group_id, records)
        except AppendError:
            return

    # The log

    def start_loading(self, partition: int) -> None:
        self._shards.open(partition)

    def replay(
        self,
        partition: int,
        offset: int,
        record: CoordinatorRecord,
        producer_id: int | None = None,
    ) -> None:
        self._shards.apply(self._shards.at(partition), record, offset, producer_id)

    def finish_loading(
        self, partition: int, log_end_offset: int, high_watermark: int, now_ms: int
    ) -> Replies:
        """Members get a full session timeout to find the new coordinator."""
        self._pass_time(now_ms)
        shard = self._shards.loaded(partition, log_end_offset, high_watermark)
        self._watch_retention()
        for group in shard.groups.values():
            for member in group.members.values():
                self._rebalances.restart_session(group, member)
            if len(group.members) > self.config.group_max_size:
                self._rebalances.prepare(group)
        for consumer_group in shard.consumer_groups.values():
            self._consumers.loaded(consumer_group)
        return self._take_replies()

    def unload(self, partition: int) -> Replies:
        shard = self._shards.close(partition)
        for group in [] if shard is None else shard.groups.values():
            self._rebalances.unload(group)
        for consumer_group in [] if shard is None else shard.consumer_groups.values():
            self._consumers.forget(consumer_group)
        return self._take_replies()

    def committed(self, partition: int, high_watermark: int) -> Replies:
        self._log.committed(partition, high_watermark)
        return self._take_replies()

    def end_transaction(
        self, partition: int, producer_id: int, *, commit: bool, log_end_offset: int = 0
    ) -> None:
        """TXNI-16. The marker is written, and is committed when the log is, up to its end."""
        self._log.note_written(partition, log_end_offset)
        self._shards.at(partition).offsets.end_transaction(producer_id, commit=commit)

    def metadata_changed(self) -> None:
        """Groups of the consumer protocol look at their topics at the next heartbeat."""
        self._topics.revision += 1

    def partitions_deleted(self, deleted: Iterable[TopicPartition]) -> None:
        """Offsets of partitions that are gone mean nothing, even when the topic comes back."""
        for at in deleted:
            for shard in self._shards:
                for group_id in shard.offsets.groups_with(at):
                    self._write_or_leave(shard, group_id, [OffsetRecord(group_id, at, None)])

    # Replies

    def _answer(self, token: Any, reply: GroupReply) -> None:
        self._replies.append((token, reply))

    def _take_replies(self) -> Replies:
        replies, self._replies = self._replies, []
        return replies
