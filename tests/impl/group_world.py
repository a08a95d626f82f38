"""A coordinator in virtual time, with a log in memory: what the tests of groups have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.metadata_records import PartitionRecord, TopicRecord
from impl.core.groups.config import GroupConfig
from impl.core.groups.coordinator import Coordinator, Replies
from impl.core.groups.coordinator_log import AppendError, partition_of
from impl.core.groups.messages import (
    CommitOffsets,
    CommitReply,
    DescribedGroup,
    DescribeGroups,
    DescribeReply,
    FetchedOffset,
    FetchOffsets,
    FetchReply,
    GroupReply,
    GroupRequest,
    Heartbeat,
    HeartbeatReply,
    JoinGroup,
    JoinReply,
    LeaveGroup,
    LeaveReply,
    MemberIdentity,
    OffsetsOfGroup,
    OffsetToCommit,
    PartitionReference,
    ProducerIdentity,
    Protocol,
    SyncGroup,
    SyncReply,
)
from impl.core.groups.records import CoordinatorRecord
from spec.wire.errors import ErrorCode

GROUP = "g"
ORDERS = PartitionReference("orders", 0)
PAYMENTS = PartitionReference("payments", 0)
CONFIG = GroupConfig(offsets_topic_num_partitions=4)
SESSION_MS = 10_000
REBALANCE_MS = 60_000
RANGE = Protocol("range", b"orders")
ROUNDROBIN = Protocol("roundrobin", b"orders")


def catalogue_of(*names: str) -> Catalogue:
    """Topics with two partitions each, on one broker."""
    catalogue = Catalogue()
    for number, name in enumerate(names, 1):
        catalogue.apply(TopicRecord(name, UUID(int=number)))
        for partition in (0, 1):
            replicas = (1,)
            catalogue.apply(PartitionRecord(UUID(int=number), partition, replicas, replicas, 1))
    return catalogue


@dataclass
class Ticket:
    """A request in flight; `reply` fails while it is parked."""

    request: GroupRequest
    replies: list[GroupReply] = field(default_factory=list)

    @property
    def is_parked(self) -> bool:
        return not self.replies

    @property
    def reply(self) -> Any:
        assert len(self.replies) == 1, f"{self.request} has {len(self.replies)} replies"
        return self.replies[0]

    @property
    def error(self) -> ErrorCode:
        error = self.reply.error
        assert isinstance(error, ErrorCode)
        return error


@dataclass
class Written:
    offset: int
    record: CoordinatorRecord
    producer_id: int | None


class World:
    """Commits whatever is appended at once, unless `commits_at_once` is cleared."""

    def __init__(self, config: GroupConfig = CONFIG) -> None:
        self.config = config
        self.now_ms = 1_000_000
        self.commits_at_once = True
        self.refuses_appends: ErrorCode | None = None
        self.logs: dict[int, list[Written]] = {
            partition: [] for partition in range(config.offsets_topic_num_partitions)
        }
        self.catalogue = catalogue_of("orders", "payments")
        self._ids = count(1)
        self.coordinator = self._start()

    def _start(self) -> Coordinator:
        coordinator = Coordinator(
            self.config,
            append=self._append,
            new_id=lambda: f"{next(self._ids)}",
            catalogue=self.catalogue,
            read_subscription=lambda metadata: (
                frozenset(metadata.decode().split()) if metadata != b"?" else None
            ),
        )
        for partition, log in self.logs.items():
            coordinator.start_loading(partition)
            for entry in log:
                coordinator.replay(partition, entry.offset, entry.record, entry.producer_id)
            coordinator.finish_loading(partition, len(log), len(log), self.now_ms)
        return coordinator

    def restart(self) -> None:
        """Lose everything but the logs, and load them."""
        self.coordinator = self._start()

    def _append(
        self,
        partition: int,
        records: Sequence[CoordinatorRecord],
        producer: ProducerIdentity | None,
    ) -> int:
        if self.refuses_appends is not None:
            raise AppendError(self.refuses_appends)
        producer_id = None if producer is None else producer.producer_id
        log = self.logs[partition]
        for record in records:
            log.append(Written(len(log), record, producer_id))
        return len(log)

    # Driving

    def ask(self, request: GroupRequest) -> Ticket:
        ticket = Ticket(request)
        self._deliver(self.coordinator.handle(ticket, request, self.now_ms))
        return ticket

    def commit_log(self) -> None:
        for partition, log in self.logs.items():
            self._deliver(self.coordinator.committed(partition, len(log)))

    def pass_time(self, duration_ms: int) -> None:
        """Tick at every deadline on the way, as a broker does."""
        until_ms = self.now_ms + duration_ms
        while (due := self.coordinator.next_deadline_ms()) is not None and due <= until_ms:
            self.now_ms = max(self.now_ms, due)
            self._deliver(self.coordinator.tick(self.now_ms))
        self.now_ms = until_ms

    def unload(self, group_id: str = GROUP) -> None:
        self._deliver(self.coordinator.unload(self.partition(group_id)))

    def partition(self, group_id: str = GROUP) -> int:
        return partition_of(group_id, self.config.offsets_topic_num_partitions)

    def _deliver(self, replies: Replies) -> None:
        for ticket, reply in replies:
            ticket.replies.append(reply)
        if self.commits_at_once:
            self.commits_at_once = False
            self.commit_log()
            self.commits_at_once = True

    # Requests in a few words

    def join(self, member_id: str = "", **fields: Any) -> Ticket:
        defaults: dict[str, Any] = {
            "group_id": GROUP,
            "session_timeout_ms": SESSION_MS,
            "rebalance_timeout_ms": REBALANCE_MS,
            "protocol_type": "consumer",
            "protocols": (RANGE, ROUNDROBIN),
            "client_id": "client",
            "client_host": "/127.0.0.1",
        }
        return self.ask(JoinGroup(member_id=member_id, **(defaults | fields)))

    def first_join(self, **fields: Any) -> tuple[str, Ticket]:
        """Get a member id and join with it, as clients do since KIP-394."""
        told = self.join(**fields)
        assert told.error is ErrorCode.MEMBER_ID_REQUIRED
        return told.reply.member_id, self.join(told.reply.member_id, **fields)

    def sync(self, joined: Ticket, assignments: dict[str, bytes] | None = None) -> Ticket:
        reply = joined.reply
        assert isinstance(reply, JoinReply)
        return self.ask(
            SyncGroup(
                group_id=GROUP,
                generation_id=reply.generation_id,
                member_id=reply.member_id,
                assignments=assignments or {},
                protocol_type=reply.protocol_type,
                protocol_name=reply.protocol_name,
            )
        )

    def heartbeat(self, member_id: str, generation_id: int, **fields: Any) -> ErrorCode:
        ticket = self.ask(Heartbeat(GROUP, generation_id, member_id, **fields))
        assert isinstance(ticket.reply, HeartbeatReply)
        return ticket.error

    def leave(self, *members: MemberIdentity | str) -> list[ErrorCode]:
        who = tuple(m if isinstance(m, MemberIdentity) else MemberIdentity(m) for m in members)
        reply = self.ask(LeaveGroup(GROUP, who)).reply
        assert isinstance(reply, LeaveReply)
        return [reply.error] if reply.error else [error for _, error in reply.members]

    def commit(self, offset: int, at: PartitionReference = ORDERS, **fields: Any) -> ErrorCode:
        reply = self.ask_commit(offset, at, **fields).reply
        assert isinstance(reply, CommitReply)
        return reply.errors[at]

    def ask_commit(self, offset: int, at: PartitionReference = ORDERS, **fields: Any) -> Ticket:
        metadata = fields.pop("metadata", "")
        leader_epoch = fields.pop("leader_epoch", -1)
        group_id = fields.pop("group_id", GROUP)
        offsets = {at: OffsetToCommit(offset, leader_epoch, metadata)}
        return self.ask(CommitOffsets(group_id, offsets, **fields))

    def fetch(
        self, at: PartitionReference = ORDERS, group_id: str = GROUP, require_stable: bool = False
    ) -> FetchedOffset:
        wanted = OffsetsOfGroup(group_id, (at,))
        reply = self.ask(FetchOffsets((wanted,), require_stable)).reply
        assert isinstance(reply, FetchReply)
        assert not reply.groups[0].error
        return reply.groups[0].offsets[at]

    def describe(self, group_id: str = GROUP) -> DescribedGroup:
        reply = self.ask(DescribeGroups((group_id,))).reply
        assert isinstance(reply, DescribeReply)
        return reply.groups[0]

    @property
    def state(self) -> str:
        return self.describe().state

    def stable_group(self, size: int = 1, **fields: Any) -> list[Ticket]:
        """The joins of a group that has synced; the first is the leader's."""
        joins = [self.first_join(**fields)[1] for _ in range(size)]
        self.pass_time(self.config.group_initial_rebalance_delay_ms * size)
        return self.settle(*joins)

    def settle(self, *joins: Ticket) -> list[Ticket]:
        """Sync everybody, the leader first; each gets its own member id as its assignment."""
        ordered = sorted(joins, key=lambda j: j.reply.member_id != j.reply.leader)
        assignments = {j.reply.member_id: j.reply.member_id.encode() for j in joins}
        for join in ordered:
            synced = self.sync(join, assignments if join is ordered[0] else None)
            assert isinstance(synced.reply, SyncReply)
            assert synced.reply.assignment == assignments[join.reply.member_id]
        assert self.state == "Stable"
        return ordered
