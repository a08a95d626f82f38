"""A broker that is played by the check: registered at the controller, alive as long as it says so.

Topics can be placed on it, and then the check is a follower whose every fetch it decides, against
a real leader. Heartbeats are sent by hand: call `heartbeat`, or let `await_while_alive` do it. It
is unregistered when the check is over.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
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
NODE_ID = 99
CAUGHT_UP = 2**60
"""A metadata offset that nobody has yet reached: who says so has seen everything."""
UNKNOWN_EPOCH = -1
REPLICA_STATE_SINCE = 15


class StandIn:
    """The registration and the fetches of one broker id."""

    def __init__(self, session: Session, node_id: int = NODE_ID) -> None:
        self.session = session
        self.node_id = node_id
        self.incarnation = uuid.uuid4()
        self.epoch = UNKNOWN_EPOCH
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
            "current_metadata_offset": CAUGHT_UP,
        }
        return self.controller.call("BrokerHeartbeat", **{**request, **fields})

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
        """`session.poll_until`, with heartbeats meanwhile."""

        def beaten() -> bool:
            self.heartbeat()
            return condition()

        self.session.poll_until(beaten, what, timeout=timeout, demanded=demanded)

    def placed(self, *others: int, configs: dict[str, str | None] | None = None) -> Topic:
        """A topic with these replicas and the stand-in behind them, all in sync."""
        self.heartbeat()
        return cluster.placed(self.session, [*others, self.node_id], configs=configs)


@contextmanager
def playing(session: Session, node_id: int = NODE_ID) -> Iterator[StandIn]:
    """A stand-in that is registered and unfenced; unregistered in the end."""
    with preparing("registering a stand-in"):
        found = StandIn(session, node_id)
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
    real = [each for each in cluster.alive(session) if each != stand_in.node_id]
    return all(stand_in.node_id in cluster.alive(session, session.node(each)) for each in real)


def retire(session: Session, node_id: int) -> None:
    """Take a broker out of the cluster, as far as the cluster can be asked to."""
    try:
        if "UnregisterBroker" in session.target.versions:
            session.broker.call("UnregisterBroker", broker_id=node_id)
    except (Broken, Inconclusive):
        return


def isr_of(answer: Struct) -> Sequence[int]:
    """The in-sync replicas in an answer to AlterPartition."""
    return sorted(answer.topics[0].partitions[0].isr)
