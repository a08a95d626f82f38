"""Members of a group of the consumer protocol (KIP-848), heartbeat by heartbeat.

`Consumer` keeps what the protocol makes a client remember: member id, member epoch, and what it
was told to own. What a heartbeat says of the partitions that it owns is up to the check. Methods
named `prepare_...` are preparations; the others return what the broker says.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from conformance.client import Client
from conformance.requests import Fields, Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

JOINING, LEAVING, LEAVING_FOR_A_WHILE = 0, -1, -2
APIS = ("ConsumerGroupHeartbeat 1+",)
REBALANCE_TIMEOUT_MS = 30_000
PASSING = (
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)


@dataclass
class Consumer:
    """A member that subscribes to one topic; `assigned` are the partitions it was told to own."""

    session: Session
    group: str
    topic: Topic
    instance_id: str | None = None
    member_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    epoch: int = JOINING
    assigned: frozenset[int] = frozenset()

    @property
    def coordinator(self) -> Client:
        return self.session.coordinator(self.group)

    def heartbeat(
        self, owned: Collection[int] | None = None, *, epoch: int | None = None
    ) -> Struct:
        """One heartbeat; without `owned` it says nothing of the partitions that it owns."""
        fields: Fields = {"member_epoch": self.epoch if epoch is None else epoch}
        if owned is not None:
            partitions = [{"topic_id": self.topic.id, "partitions": sorted(owned)}]
            fields["topic_partitions"] = partitions if owned else []
        return self._send(fields)

    def join(self) -> Struct:
        fields: Fields = {"member_epoch": JOINING, "topic_partitions": []}
        fields["rebalance_timeout_ms"] = REBALANCE_TIMEOUT_MS
        return self._send({**fields, "subscribed_topic_names": [self.topic.name]})

    def leave(self, epoch: int = LEAVING) -> Struct:
        return self._send({"member_epoch": epoch})

    def commit(self, offset: int, partition: int = 0, **fields: int | str) -> int:
        """OffsetCommit of one partition as this member; the partition's error code."""
        return self.commit_with(
            self.coordinator.version("OffsetCommit"), offset, partition, fields
        )

    def commit_with(
        self, version: int, offset: int, partition: int = 0, fields: Fields | None = None
    ) -> int:
        committed = {"partition_index": partition, "committed_offset": offset}
        topic = {"name": self.topic.name, "topic_id": self.topic.id, "partitions": [committed]}
        request: Fields = {
            "group_id": self.group,
            "member_id": self.member_id,
            "generation_id_or_member_epoch": self.epoch,
            "topics": [topic],
        }
        answer = self.coordinator.call("OffsetCommit", version, **{**request, **(fields or {})})
        return int(answer.topics[0].partitions[0].error_code)

    def _send(self, fields: Fields) -> Struct:
        """What a good answer tells of epoch and assignment is remembered."""
        who = {
            "group_id": self.group,
            "member_id": self.member_id,
            "instance_id": self.instance_id,
        }
        answer = self.coordinator.call("ConsumerGroupHeartbeat", **{**who, **fields})
        if answer.error_code == ErrorCode.NONE:
            self.epoch = answer.member_epoch
            if answer.assignment is not None:
                partitions = answer.assignment.topic_partitions
                self.assigned = frozenset(p for each in partitions for p in each.partitions)
        return answer

    # Preparations

    def prepare(self) -> "Consumer":
        """Become a member."""

        def joined() -> bool:
            return self._is_good(self.join())

        self.session.poll_until(joined, "a member has joined")
        return self

    def prepare_until(self, condition: Callable[[], bool], what: str) -> None:
        """Send heartbeats, doing at once what they tell, until something is so."""

        def so() -> bool:
            return self._is_good(self.heartbeat(self.assigned)) and condition()

        self.session.poll_until(so, what)

    def _is_good(self, answer: Struct) -> bool:
        if answer.error_code not in (ErrorCode.NONE, *PASSING):
            self.session.inconclusive(
                f"ConsumerGroupHeartbeat answers {name_of(answer.error_code)}"
            )
        return bool(answer.error_code == ErrorCode.NONE)


def consumer(session: Session, group: str, topic: Topic, owns: int = 0) -> Consumer:
    """A new member, as soon as it owns so many partitions."""
    found = Consumer(session, group, topic).prepare()
    found.prepare_until(lambda: len(found.assigned) >= owns, f"a member owns {owns} partitions")
    return found
