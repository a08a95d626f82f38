"""A controller in virtual time, over a log that commits at once or when it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

from impl.core.cluster.broker_messages import (
    AlteredPartition,
    AlterPartitions,
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    IsrProposal,
    RegisterBroker,
)
from impl.core.cluster.catalogue import Assignment, Catalogue
from impl.core.cluster.electing import ElectLeaders
from impl.core.cluster.messages import (
    AlterReassignments,
    CreatedTopic,
    CreateTopics,
    Endpoint,
    NewTopic,
    Reassignment,
)
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.config import parse_properties
from impl.core.controller.controller import Controller
from impl.core.events import Call, Output, Reply
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

START_MS = 1_700_000_000_000
CLUSTER = "cluster"
TOPIC = "orders"


class ControllerWorld:
    def __init__(self, brokers: int = 0, **properties: str) -> None:
        given = {name.replace("_", "."): value for name, value in properties.items()}
        self.properties = parse_properties(given)
        self.now_ms = START_MS
        self.log: list[MetadataRecord] = []
        self.writes: list[Sequence[MetadataRecord]] = []
        self.commits_at_once = True
        self.is_leader = True
        self.replies: dict[Call, Any] = {}
        self.epochs: dict[int, int] = {}
        self._ids = count(1)
        self._calls = count(1)
        self.controller = self.take_office()
        for broker_id in range(1, brokers + 1):
            self.join(broker_id)

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids) << 64)

    def take_office(self) -> Controller:
        """A controller on another node takes over with the log as it is."""
        self.controller = Controller(self.properties, CLUSTER, self.new_id, self._append)
        self.controller.activate(1, enumerate(tuple(self.log)), self.now_ms)
        self.controller.committed(len(self.log))
        return self.controller

    def _append(self, records: Sequence[MetadataRecord], _now_ms: int) -> int:
        if not self.is_leader:
            raise KafkaError(ErrorCode.NOT_CONTROLLER)
        self.log += records
        self.writes.append(records)
        return len(self.log)

    # Driving

    def send(self, request: Any, connection_id: int = 1, *, is_forwarded: bool = False) -> Call:
        call = Call(connection_id, next(self._calls))
        controller = self.controller
        self.note(controller.handle(call, request, self.now_ms, is_forwarded=is_forwarded))
        if self.commits_at_once:
            self.commit()
        return call

    def ask(self, request: Any) -> Any:
        return self.replies.pop(self.send(request))

    def commit(self) -> None:
        self.note(self.controller.committed(len(self.log)))

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self.note(self.controller.tick(self.now_ms))

    def note(self, outputs: list[Output]) -> None:
        for output in outputs:
            assert isinstance(output, Reply)
            assert output.call not in self.replies
            self.replies[output.call] = output.result

    # What is so

    @property
    def catalogue(self) -> Catalogue:
        """From the records alone, as every broker reads them."""
        catalogue = Catalogue()
        for record in self.log:
            catalogue.apply(record)
        return catalogue

    def partition(self, index: int = 0, topic: str = TOPIC) -> Assignment:
        return self.catalogue.topics[topic].partitions[index]

    # Brokers

    def register(
        self,
        broker_id: int,
        incarnation_id: UUID | None = None,
        previous_broker_epoch: int = -1,
        rack: str | None = None,
        cluster_id: str = CLUSTER,
    ) -> BrokerRegistered:
        endpoint = Endpoint(broker_id, "localhost", 9090 + broker_id, rack)
        incarnation = incarnation_id or self.new_id()
        registered: BrokerRegistered = self.ask(
            RegisterBroker(endpoint, cluster_id, incarnation, previous_broker_epoch)
        )
        if registered.error is ErrorCode.NONE:
            self.epochs[broker_id] = registered.broker_epoch
        return registered

    def beat(self, broker_id: int, metadata_offset: int | None = None, **wishes: bool) -> Any:
        offset = len(self.log) - 1 if metadata_offset is None else metadata_offset
        reply: BrokerHeartbeatReply = self.ask(
            BrokerHeartbeat(broker_id, self.epochs[broker_id], offset, **wishes)
        )
        return reply

    def join(self, broker_id: int, rack: str | None = None) -> None:
        assert self.register(broker_id, rack=rack).error is ErrorCode.NONE
        assert not self.beat(broker_id).is_fenced

    def fall_silent(self, *broker_ids: int) -> None:
        """Their sessions run out; the others are heard of in time."""
        self.pass_time(8_000)
        for broker_id, broker in self.catalogue.brokers.items():
            if broker_id not in broker_ids and not broker.fenced:
                self.beat(broker_id)
        self.pass_time(1_000)

    def come_back(self, broker_id: int, *, cleanly: bool = True) -> None:
        """As another process, which knows its former broker epoch after an orderly stop."""
        former = self.epochs[broker_id] if cleanly else -1
        assert self.register(broker_id, previous_broker_epoch=former).error is ErrorCode.NONE
        assert not self.beat(broker_id).is_fenced

    # Topics

    def create(self, *replicas: int, name: str = TOPIC, **configs: str) -> CreatedTopic:
        """A topic of one partition with these replicas."""
        options = tuple((key.replace("_", "."), value) for key, value in configs.items())
        asked = NewTopic(name, assignment=((0, replicas),), configs=options)
        created: CreatedTopic = self.ask(CreateTopics((asked,))).topics[0]
        return created

    def spread(self, num_partitions: int, replication_factor: int, name: str = TOPIC) -> Any:
        asked = NewTopic(name, num_partitions, replication_factor)
        return self.ask(CreateTopics((asked,))).topics[0]

    def propose(self, *isr: int, broker_id: int | None = None, **changes: Any) -> AlteredPartition:
        """The leader of partition 0 proposes in-sync replicas."""
        topic = self.catalogue.topics[TOPIC]
        present = topic.partitions[0]
        leader = present.leader if broker_id is None else broker_id
        plain: dict[str, Any] = {
            "leader_epoch": present.leader_epoch,
            "isr": tuple((replica, self.epochs.get(replica, -1)) for replica in isr),
            "partition_epoch": present.partition_epoch,
        }
        proposal = IsrProposal(topic.topic_id, 0, **{**plain, **changes})
        answer = self.ask(AlterPartitions(leader, self.epochs[leader], (proposal,)))
        altered: AlteredPartition = answer.partitions[0]
        return altered

    def elect(self, kind: int, partition: int = 0) -> ErrorCode:
        held = self.ask(ElectLeaders(kind, [(TOPIC, [partition])]))
        error: ErrorCode = held.topics[0][1][0].error
        return error

    def reassign(self, *replicas: int, cancel: bool = False, resize: bool = True) -> ErrorCode:
        asked = Reassignment(TOPIC, 0, None if cancel else replicas)
        answer = self.ask(AlterReassignments((asked,), resize))
        error: ErrorCode = answer.outcomes[0].error
        return error
