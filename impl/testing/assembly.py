"""How the brokers of the double are put together: ports, disks, properties, what is between."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from impl.core.cluster.messages import Endpoint
from impl.core.config import ConfigError
from impl.core.storage import Storage
from impl.shell.cluster import ASSIGNED
from impl.shell.identity import random_id
from impl.shell.java_properties import parse_java_properties
from impl.shell.network import Address
from impl.shell.network import Network as Listeners
from impl.shell.node import Node, Outside, Sockets
from impl.shell.properties import NodeProperties, read_properties
from impl.testing.clock import Clock
from impl.testing.defaults import default_properties
from impl.testing.disk import Disk, FolderDisk, MemoryDisk
from impl.testing.faults import Faults
from impl.testing.journal import Journal
from impl.testing.machine import HOST, ClusterError, Machine, bind
from impl.testing.network import Network
from impl.testing.tap import Tap


class Assembly:
    """The machines by their ids, and what they share."""

    def __init__(
        self,
        brokers: int,
        properties: Mapping[str, object],
        broker_properties: Mapping[int, Mapping[str, object]],
        folder: Path | None,
        port: int,
    ) -> None:
        """All are down. Raises ClusterError."""
        if brokers < 1:
            raise ClusterError(f"a cluster has at least one broker, and not {brokers}.")
        ids = range(1, brokers + 1)
        strangers = sorted(broker_properties.keys() - set(ids))
        if strangers:
            raise ClusterError(f"there is no broker {strangers[0]} that could have properties.")
        configs = {
            node_id: _read(node_id, brokers, {**properties, **broker_properties.get(node_id, {})})
            for node_id in ids
        }
        self.network = Network()
        self.faults = Faults()
        self.journal = Journal()
        self.taps = {
            n: Tap(n, self.network, self.faults, self.journal, self._is_client) for n in ids
        }
        self._cluster_id = _known_cluster_id(folder) or random_id()
        self._own = random_id()
        sockets = _bind_all(ids, port)
        self._voters = {
            node_id: Endpoint(node_id, HOST, each.controller.getsockname()[1])
            for node_id, each in sockets.items()
            if each.controller is not None
        }
        self.machines = {
            node_id: self._machine(configs[node_id], sockets[node_id], _disk(folder, node_id))
            for node_id in ids
        }

    def _machine(self, config: NodeProperties, sockets: Sockets, disk: Disk) -> Machine:
        node_id = config.properties.broker.node_id

        def make_node(storage: Storage, sockets: Sockets, clock: Clock) -> Node:
            clients = Address(HOST, sockets.clients.getsockname()[1])
            outside = Outside(
                clock,
                self.client_id(f"node-{node_id}"),
                lambda other: self.network.hear_each_other(node_id, other),
                self.taps[node_id],
            )
            listeners = Listeners(clients, clients, voters=self._voters)
            return Node(storage, config, listeners, sockets, self._cluster_id, outside)

        return Machine(node_id, make_node, disk, sockets)

    # Who asks

    def client_id(self, name: str) -> str:
        """That of somebody who belongs to the cluster, which nobody else can have."""
        return f"{name}@{self._own}"

    def _is_client(self, client_id: str | None) -> bool:
        return client_id is None or not client_id.endswith(f"@{self._own}")


def _read(node_id: int, brokers: int, given: Mapping[str, object]) -> NodeProperties:
    taken = sorted(ASSIGNED & given.keys())
    if taken:
        raise ClusterError(f"{taken[0]} is set by the cluster itself.")
    texts = {name: text_of(value) for name, value in given.items()}
    defaults = default_properties(brokers)
    try:
        return read_properties({**defaults, **texts, "node.id": str(node_id)})
    except ConfigError as error:
        raise ClusterError(str(error)) from error


def text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bind_all(ids: range, port: int) -> dict[int, Sockets]:
    """A port for clients each, and where there are several brokers one for the quorum."""
    with ExitStack() as bound:
        sockets = {}
        for node_id in ids:
            try:
                clients = bound.enter_context(bind(port + node_id - 1 if port else 0))
            except OSError as error:
                at = port + node_id - 1
                raise ClusterError(f"port {at} cannot be used: {error.strerror}.") from error
            controller = bound.enter_context(bind(0)) if len(ids) > 1 else None
            sockets[node_id] = Sockets(clients, controller)
        bound.pop_all()
    return sockets


def _known_cluster_id(folder: Path | None) -> str | None:
    """Whose data a folder holds that was used before."""
    kept = None if folder is None else _folder_of(folder, 1) / "meta.properties"
    if kept is None or not kept.exists():
        return None
    return parse_java_properties(kept.read_text()).get("cluster.id")


def _folder_of(folder: Path, node_id: int) -> Path:
    return folder / f"broker-{node_id}"


def _disk(folder: Path | None, node_id: int) -> Disk:
    return MemoryDisk() if folder is None else FolderDisk(_folder_of(folder, node_id))
