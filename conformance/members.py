"""Members of a classic consumer group, each on a connection of its own, without threads.

`Member` keeps what the protocol makes a client remember (member id, generation) and fills in the
requests; `form_group` and `synchronise` bring several into one generation. They are preparations:
a check of JoinGroup or SyncGroup sends through `member.client`, or judges what `receive_join` and
`receive_sync` return. No assignment logic: assignments are bytes that the check chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conformance.client import Client
from conformance.requests import Fields, Topic
from conformance.session import Session, preparing
from conformance.verdict import Inconclusive
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

GROUP_ANSWER_TIMEOUT_S = 15.0
"""Brokers delay the first rebalance of a group, by three seconds unless configured otherwise."""


@dataclass
class Member:
    """A member, or member to be, of a group; `protocols` maps names to metadata, best first."""

    session: Session
    group: str
    client: Client
    member_id: str = ""
    instance_id: str | None = None
    generation_id: int = -1
    protocol_type: str = "consumer"
    protocols: Mapping[str, bytes] = field(default_factory=lambda: {"range": b""})
    session_timeout_ms: int = 10000
    rebalance_timeout_ms: int = 10000
    is_leader: bool = False

    @property
    def identity(self) -> Fields:
        """The fields by which a request of this member says who it is."""
        return {
            "group_id": self.group,
            "member_id": self.member_id,
            "group_instance_id": self.instance_id,
        }

    def send_join(self, version: int | None = None) -> None:
        self.client.send(
            "JoinGroup",
            version,
            group_id=self.group,
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            protocol_type=self.protocol_type,
            protocols=[{"name": n, "metadata": m} for n, m in self.protocols.items()],
            session_timeout_ms=self.session_timeout_ms,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
        )

    def receive_join(
        self, *, timeout: float = GROUP_ANSWER_TIMEOUT_S, demanded: str = ""
    ) -> Struct:
        """The answer to JoinGroup; member id and generation are taken from it.

        No answer at all is a Violation where `demanded` says what demands one.
        """
        answer = self.client.receive(timeout=timeout, demanded=demanded)
        if answer.error_code in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            self.member_id = answer.member_id
        if answer.error_code == ErrorCode.NONE:
            self.generation_id = answer.generation_id
            self.is_leader = answer.leader == answer.member_id
        return answer

    def send_sync(self, assignments: Mapping[str, bytes] | None = None) -> None:
        """SyncGroup; `assignments` (by member id) come from the leader only."""
        items = [{"member_id": m, "assignment": a} for m, a in (assignments or {}).items()]
        self.client.send(
            "SyncGroup",
            protocol_type=self.protocol_type,
            protocol_name=next(iter(self.protocols)),
            assignments=items,
            generation_id=self.generation_id,
            **self.identity,
        )

    def receive_sync(self) -> Struct:
        return self.client.receive(timeout=GROUP_ANSWER_TIMEOUT_S)

    def heartbeat(self) -> int:
        """The error code of a Heartbeat."""
        answer = self.client.call("Heartbeat", generation_id=self.generation_id, **self.identity)
        return int(answer.error_code)

    def commit(self, topic: Topic, partition: int, offset: int, metadata: str = "") -> int:
        """OffsetCommit of one partition as this member; the partition's error code."""
        committed = {
            "partition_index": partition,
            "committed_offset": offset,
            "committed_metadata": metadata,
        }
        topics = [{"name": topic.name, "topic_id": topic.id, "partitions": [committed]}]
        answer = self.client.call(
            "OffsetCommit",
            topics=topics,
            generation_id_or_member_epoch=self.generation_id,
            **self.identity,
        )
        return int(answer.topics[0].partitions[0].error_code)

    def leave(self) -> Struct:
        member = {"member_id": self.member_id, "group_instance_id": self.instance_id}
        return self.client.call(
            "LeaveGroup", group_id=self.group, member_id=self.member_id, members=[member]
        )


def new_member(session: Session, group: str, instance_id: str | None = None) -> Member:
    """A member to be, connected to the coordinator; nothing of the group's is sent yet."""
    client = session.connect(near=session.coordinator(group))
    return Member(session, group, client, instance_id=instance_id)


def form_group(session: Session, members: Sequence[Member]) -> Member:
    """Bring new members into one generation, and say who leads it; no SyncGroup is sent.

    They join one after the other. The earlier ones, synchronised as clients do, rejoin once a
    heartbeat tells them to, so that no generation waits for anybody's timeout.
    """
    with preparing(f"forming the group {members[0].group}"):
        for count, member in enumerate(members, start=1):
            join_first(member)
            earlier = members[: count - 1]
            if earlier:
                await_rebalance(session, earlier[0])
            for other in earlier:
                other.send_join()
            joined = members[:count]
            for each in joined:
                expect_none(each.receive_join(), "JoinGroup")
            if count < len(members):
                synchronise(joined)
    if len({member.generation_id for member in members}) != 1:
        raise Inconclusive(f"the members of {members[0].group} are not in one generation")
    return next(member for member in members if member.is_leader)


def await_rebalance(session: Session, member: Member) -> None:
    """Wait until heartbeats tell a member to rejoin."""
    session.poll_until(
        lambda: member.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS,
        "the group rebalances for its new member",
    )


def join_first(member: Member) -> None:
    """Send the first JoinGroup of a dynamic or static member; its last answer is still to come."""
    version = member.client.version("JoinGroup")
    if member.instance_id is None and version >= 4:
        member.send_join(version)
        answer = member.receive_join()
        if answer.error_code not in (ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED):
            raise Inconclusive(f"the first JoinGroup gets {name_of(answer.error_code)}")
    member.send_join(version)


def synchronise(members: Sequence[Member], assignments: Mapping[str, bytes] | None = None) -> None:
    """SyncGroup of all members, the leader first, so that the group is stable."""
    with preparing(f"synchronising the group {members[0].group}"):
        for member in sorted(members, key=lambda m: not m.is_leader):
            member.send_sync(assignments if member.is_leader else None)
        for member in members:
            expect_none(member.receive_sync(), "SyncGroup")


def expect_none(answer: Struct, api: str) -> None:
    """Inconclusive if a preparation was refused."""
    if answer.error_code != ErrorCode.NONE:
        raise Inconclusive(f"{api} answers {name_of(answer.error_code)}")
