"""Brokers that read Kafka's properties: one node, or several that form a cluster.

Every node is a process that is broker and controller in one, with a folder, a port for clients and
a port for controllers. Each can be killed, paused, stopped and started by itself; `heal` brings
back whatever is away. Which program reads the properties is the business of the targets.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from conformance.broker import TargetError
from conformance.client import Address, Versions
from conformance.probe import versions_of
from conformance.targets.process import Process, free_port
from conformance.targets.target import ANSWER_TIMEOUT_S, START_TIMEOUT_S, Target

LOOPBACK = "127.0.0.1"
CLUSTER_ID = "YnJva2Vyc3BlYy1vbmUtMQ"
LISTENER = "CONTROLLER"
NODES_CAN = frozenset({"cluster", "config", "controller", "faults", "kill", "restart"})
"""What the suite can do with nodes; see `conformance.check.NEEDS`."""
# The least replication that survives the loss of one node, also for the topics of the brokers.
REPLICATED = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}
ALONE = dict.fromkeys(REPLICATED, "1")
# A follower that says nothing is given up well before its broker is, so that both can be seen.
IMPATIENT = {
    "broker.heartbeat.interval.ms": "300",
    "broker.session.timeout.ms": "4000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "replica.fetch.wait.max.ms": "200",
    "replica.lag.time.max.ms": "1500",
}


@dataclass
class Node:
    """One process of a cluster, and whether the suite has paused it."""

    node_id: int
    port: int
    controller_port: int
    process: Process
    paused: bool = False

    @property
    def address(self) -> Address:
        return LOOPBACK, self.port

    @property
    def controller_address(self) -> Address:
        return LOOPBACK, self.controller_port

    @property
    def is_up(self) -> bool:
        return self.process.running and not self.paused


class Nodes(Target):
    """A number of nodes that form a cluster; with one it is a broker like any other."""

    program_settings: Mapping[str, str] = {}
    """What the suite sets for this kind of broker, whatever the number of nodes."""

    def __init__(self, settings: Mapping[str, str] | None = None, count: int = 1) -> None:
        super().__init__()
        self.settings = dict(settings or {})
        self.count = count
        self._nodes: dict[int, Node] = {}
        self._controller_versions: Versions | None = None

    @abstractmethod
    def node_command(self, properties: Path) -> list[str]:
        """The command that runs the node of this property file."""

    def prepare(self, properties: Path) -> None:
        """Do once for a node what has to be done before it first starts. Raises TargetError."""

    # What a target is

    @property
    def address(self) -> Address:
        """The first node that is up: what a client would find that knows them all."""
        nodes = sorted(self._nodes.values(), key=lambda node: not node.is_up)
        return nodes[0].address if nodes else (LOOPBACK, 0)

    @property
    def process(self) -> Process:
        if not self._nodes:
            raise TargetError(f"{self.profile.name} is not started")
        return next(iter(self._nodes.values())).process

    @property
    def process_ids(self) -> list[int]:
        """Of all nodes, in the order of their ids. Raises TargetError if one is not running."""
        return [node.process.process_id for node in self._nodes.values()]

    @property
    def selector(self) -> list[str]:
        several = ["--nodes", str(self.count)] if self.count > 1 else []
        return [*super().selector, *several]

    def start(self) -> None:
        for node_id in range(1, self.count + 1):
            what = self.profile.name + (f" node {node_id}" if self.count > 1 else "")
            self._nodes[node_id] = Node(node_id, free_port(), free_port(), Process(what))
        with ThreadPoolExecutor(self.count) as pool:
            list(pool.map(self._prepare, self._nodes.values()))
        self._run()

    def stop(self) -> None:
        for node in self._nodes.values():
            node.process.remove()
        self._nodes.clear()

    def restart(self) -> None:
        with ThreadPoolExecutor(self.count) as pool:
            list(pool.map(lambda node: node.process.stop(), self._nodes.values()))
        self._run()

    def crash(self) -> None:
        for node in self._nodes.values():
            node.process.stop(kill=True)
        self._run()

    def revive(self) -> None:
        self.stop()
        self.start()

    def under(self, settings: Mapping[str, str], nodes: int = 1) -> Target:
        return type(self)(settings, nodes)

    # One node

    def kill(self, node_id: int) -> None:
        self._node(node_id).process.stop(kill=True)
        self._node(node_id).paused = False

    def stop_node(self, node_id: int) -> None:
        self._node(node_id).process.stop()

    def start_node(self, node_id: int) -> None:
        self._start_all([self._node(node_id)])

    def pause(self, node_id: int) -> None:
        self._node(node_id).process.pause()
        self._node(node_id).paused = True

    def resume(self, node_id: int) -> None:
        self._node(node_id).process.resume()
        self._node(node_id).paused = False

    def heal(self) -> None:
        """Bring every node back, and wait until each knows of all."""
        for node in self._nodes.values():
            if node.paused:
                self.resume(node.node_id)
        self._start_all([n for n in self._nodes.values() if not n.process.running])
        self._await_each_other()

    def controller(self, node_id: int) -> tuple[Address, Versions]:
        """Where a node listens as a controller, and which versions both sides know there."""
        address = self._node(node_id).controller_address
        if self._controller_versions is None:
            self._controller_versions = versions_of(address, ANSWER_TIMEOUT_S)
        return address, self._controller_versions

    # Inside

    def _node(self, node_id: int) -> Node:
        if node_id not in self._nodes:
            raise TargetError(f"{self.profile.name} has no node {node_id}")
        return self._nodes[node_id]

    def _prepare(self, node: Node) -> None:
        folder = node.process.folder
        properties = folder / "server.properties"
        properties.write_text("".join(f"{k}={v}\n" for k, v in self._properties(node)))
        self.prepare(properties)
        node.process.command = self.node_command(properties)

    def _properties(self, node: Node) -> Iterator[tuple[str, str]]:
        voters = {each.node_id: each.controller_port for each in self._nodes.values()}
        told = place(node.node_id, node.port, voters, node.process.folder / "data")
        several = {**REPLICATED, **IMPATIENT} if self.count > 1 else ALONE
        yield from {**told, **self.program_settings, **several, **self.settings}.items()

    def _run(self) -> None:
        self._start_all(self._nodes.values())
        self._await_each_other()

    def _start_all(self, nodes: Iterable[Node]) -> None:
        """Start several at once, for one alone may wait for a majority before it answers."""
        started: Sequence[Node] = list(nodes)
        for node in started:
            node.process.start()
            node.paused = False
        for node in started:
            node.process.await_answer(node.address, START_TIMEOUT_S)

    def _await_each_other(self) -> None:
        for node in self._nodes.values():
            self._cluster = node.process.await_brokers(node.address, self.count, START_TIMEOUT_S)


def place(node_id: int, port: int, voters: Mapping[int, int], folder: Path) -> dict[str, str]:
    """The properties that say who a node is; `voters` has the controllers' ports by node."""
    clients = f"PLAINTEXT://{LOOPBACK}:{port}"
    controllers = f"{LISTENER}://{LOOPBACK}:{voters[node_id]}"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node_id),
        "controller.listener.names": LISTENER,
        "controller.quorum.voters": ",".join(f"{v}@{LOOPBACK}:{p}" for v, p in voters.items()),
        "listeners": f"{clients},{controllers}",
        "advertised.listeners": clients,
        "log.dirs": str(folder),
    }
