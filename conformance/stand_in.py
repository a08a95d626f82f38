"""A broker that is played by the check: registered at the controller, alive as long as it says so.

Topics can be placed on it, and then the check is a follower whose every fetch it decides, against
a real leader; or it is the leader, which nobody reaches, and proposes in-sync replicas. Heartbeats
are sent by hand: call `heartbeat`, or let `await_while_alive` do it, also for the stand-ins beside
it. It is unregistered when the check is over.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from conformance import cluster
from conformance.client import Client
from conformance.probe import ask
from conformance.requests import Fields, Topic
from conformance.session import Session, preparing
from conformance.verdict import Broken, Inconclusive
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

NEEDS = ("cluster", "controller")
PLAINTEXT = 0
SECOND_ID, NODE_ID = sorted(cluster.STAND_INS)
CAUGHT_UP = 2**60
"""A metadata offset that nobody has yet reached: who says so has seen everything."""
UNKNOWN_EPOCH = -1
NEWEST_PARTITION_EPOCH = 50
"""Beyond what the few changes of one check can lead to."""


class StandIn:
    """The registration, the fetches and the proposals of one broker id.

    `wants_fence`, `wants_shut_down`: what its heartbeats say until they are told otherwise.
    """

    def __init__(self, session: Session, node_id: int = NODE_ID) -> None:
        self.session = session
        self.node_id = node_id
        self.incarnation = uuid.uuid4()
        self.epoch = UNKNOWN_EPOCH
        self.wants_fence = False
        self.wants_shut_down = False
        self.metadata_offset = CAUGHT_UP
        self.beside: list[StandIn] = []
        self.controller: Client = session.controller(cluster.quorum_leader(session))
        metadata = session.broker.call("Metadata", topics=[])
        self.cluster_id: str = metadata.cluster_id
        self._features = [
            {
                "name": each.name,
                "min_supported_version": each.min_version,
                "max_supported_version": each.max_version,
            }
            for each in ask(session.broker.address, 4, session.patience).supported_features
        ]

    def register(self, **fields: Any) -> Struct:
        """BrokerRegistration; the broker epoch is taken from a good answer."""
        listener = {
            "name": "PLAINTEXT",
            "host": "127.0.0.1",
            "port": 9,
            "security_protocol": PLAINTEXT,
        }
        request: Fields = {
            "broker_id": self.node_id,
            "cluster_id": self.cluster_id,
            "incarnation_id": self.incarnation,
            "listeners": [listener],
            "features": self._features,
            "log_dirs": [uuid.uuid4()],
        }
        answer = self.controller.call("BrokerRegistration", **{**request, **fields})
        if answer.error_code == ErrorCode.NONE:
            self.epoch = answer.broker_epoch
        return answer

    def heartbeat(self, **fields: Any) -> Struct:
        request: Fields = {
            "broker_id": self.node_id,
            "broker_epoch": self.epoch,
            "current_metadata_offset": self.metadata_offset,
            "want_fence": self.wants_fence,
            "want_shut_down": self.wants_shut_down,
        }
        return self.controller.call("BrokerHeartbeat", **{**request, **fields})

    def fence(self) -> None:
        """Ask to be fenced, and wait until no broker is told of it any more."""
        self.wants_fence = True
        with preparing("fencing the stand-in"):
            self.heartbeat()
            cluster.await_fenced(self.session, self.node_id)

    def unfence(self) -> None:
        self.wants_fence = False
        with preparing("unfencing the stand-in"):
            self.session.poll_until(
                lambda: not self.heartbeat().is_fenced, "the stand-in is unfenced"
            )
            self.session.poll_until(
                lambda: all_know(self.session, self), "all brokers know the stand-in"
            )

    def come_back(self, previous_broker_epoch: int) -> None:
        """Register as a process that was started anew, which says in which epoch it stopped."""
        self.incarnation = uuid.uuid4()
        with preparing("registering the stand-in again"):
            self.session.poll_until(
                lambda: (
                    self.register(previous_broker_epoch=previous_broker_epoch).error_code
                    == ErrorCode.NONE
                ),
                "the session of the former life is over",
            )

    def propose(
        self,
        topic: Topic,
        *isr: int,
        leader_epoch: int = 0,
        partition_epoch: int = 0,
        broker_epochs: Mapping[int, int] | None = None,
        leader_recovery_state: int = 0,
        broker_epoch: int | None = None,
    ) -> Struct:
        """AlterPartition of partition 0; the answer, or the partition's part of it."""
        epochs = broker_epochs or {}
        proposal = {
            "partition_index": 0,
            "leader_epoch": leader_epoch,
            "new_isr": list(isr),
            "new_isr_with_epochs": [
                {"broker_id": each, "broker_epoch": epochs.get(each, UNKNOWN_EPOCH)}
                for each in isr
            ],
            "leader_recovery_state": leader_recovery_state,
            "partition_epoch": partition_epoch,
        }
        answer = self.controller.call(
            "AlterPartition",
            broker_id=self.node_id,
            broker_epoch=self.epoch if broker_epoch is None else broker_epoch,
            topics=[{"topic_id": topic.id, "partitions": [proposal]}],
        )
        if answer.error_code != ErrorCode.NONE:
            return answer
        found: Struct = answer.topics[0].partitions[0]
        return found

    def propose_now(self, topic: Topic, *isr: int, **fields: Any) -> Struct:
        """`propose` with the partition epoch that holds, which only the controller knows."""
        for partition_epoch in range(NEWEST_PARTITION_EPOCH):
            answer = self.propose(topic, *isr, partition_epoch=partition_epoch, **fields)
            if answer.error_code != ErrorCode.INVALID_UPDATE_VERSION:
                break
        return answer

    def fetch(
        self,
        topic: Topic,
        offset: int,
        *,
        last_epoch: int = -1,
        log_start_offset: int = 0,
        leader_epoch: int = -1,
        partition: int = 0,
    ) -> Struct:
        """One Fetch of a follower from the leader, which does not wait; its partition's answer."""
        self.heartbeat()
        leader = self.session.leader(topic, partition)
        asked = {
            "partition": partition,
            "current_leader_epoch": leader_epoch,
            "fetch_offset": offset,
            "last_fetched_epoch": last_epoch,
            "log_start_offset": log_start_offset,
            "partition_max_bytes": 2**20,
        }
        answer = leader.call(
            "Fetch",
            replica_id=self.node_id,
            replica_state={"replica_id": self.node_id, "replica_epoch": self.epoch},
            max_wait_ms=0,
            min_bytes=0,
            topics=[{"topic": topic.name, "topic_id": topic.id, "partitions": [asked]}],
        )
        if not (answer.responses and answer.responses[0].partitions):
            self.session.inconclusive(f"Fetch answers {name_of(answer.error_code)}")
        found: Struct = answer.responses[0].partitions[0]
        return found

    def await_while_alive(
        self,
        condition: Callable[[], bool],
        what: str,
        *,
        timeout: float = 20.0,
        demanded: str = "",
    ) -> None:
        """`session.poll_until`, with heartbeats meanwhile, also of those beside it."""

        def beaten() -> bool:
            for each in (self, *self.beside):
                each.heartbeat()
            return condition()

        self.session.poll_until(beaten, what, timeout=timeout, demanded=demanded)

    def placed(self, *others: int, configs: dict[str, str | None] | None = None) -> Topic:
        """A topic with these replicas and the stand-in behind them, all in sync."""
        self.heartbeat()
        return cluster.placed(self.session, [*others, self.node_id], configs=configs)

    def led(
        self,
        *others: int,
        isr: Sequence[int] = (),
        configs: dict[str, str | None] | None = None,
    ) -> Topic:
        """A topic that the stand-in leads, with these replicas behind it.

        All are in sync; with `isr` the stand-in itself and these alone.
        """
        with preparing("making a topic that the stand-in leads"):
            for each in (self, *self.beside):
                each.heartbeat()
            replicas = [self.node_id, *others]
            topic = cluster.placed(self.session, replicas, configs=configs, is_served=False)
            if others and set(isr) != set(others):
                code = self.propose(topic, self.node_id, *isr).error_code
                if code != ErrorCode.NONE:
                    self.session.inconclusive(f"AlterPartition answers {name_of(code)}")
                cluster.await_isr(self.session, topic, [self.node_id, *isr])
        return topic


@contextmanager
def playing(
    session: Session, node_id: int = NODE_ID, beside: StandIn | None = None
) -> Iterator[StandIn]:
    """A stand-in that is registered and unfenced; unregistered in the end."""
    with preparing("registering a stand-in"):
        found = StandIn(session, node_id)
        if beside is not None:
            beside.beside.append(found)
            beside.heartbeat()
        answer = found.register()
        if answer.error_code != ErrorCode.NONE:
            session.inconclusive(f"BrokerRegistration answers {name_of(answer.error_code)}")
    try:
        with preparing("unfencing the stand-in"):
            session.poll_until(lambda: not found.heartbeat().is_fenced, "the stand-in is unfenced")
            session.poll_until(lambda: all_know(session, found), "all brokers know the stand-in")
        yield found
    finally:
        retire(session, node_id)


def all_know(session: Session, stand_in: StandIn) -> bool:
    stand_in.heartbeat()
    real = [each for each in cluster.alive(session) if each not in cluster.STAND_INS]
    return all(stand_in.node_id in cluster.alive(session, session.node(each)) for each in real)


def retire(session: Session, node_id: int) -> None:
    """Take a broker out of the cluster, as far as the cluster can be asked to."""
    try:
        if "UnregisterBroker" in session.target.versions:
            session.broker.call("UnregisterBroker", broker_id=node_id)
            cluster.await_fenced(session, node_id)
    except (Broken, Inconclusive):
        return
