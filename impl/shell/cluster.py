"""Several brokers on this machine: their ids, ports and folders, before any of them runs.

`cluster.properties` in the data folder keeps what must not change: the cluster's id and the voters
with their ports. Beside it stand the properties of each broker, with which one can be started
alone. How they are run is the business of `processes`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from impl.core.cluster.messages import Endpoint
from impl.core.config import ConfigError
from impl.shell.identity import random_id
from impl.shell.java_properties import parse_java_properties, render_java_properties
from impl.shell.network import Address, parse_voters
from impl.shell.node import Sockets
from impl.shell.properties import DATA_FOLDER_OPTIONS, read_properties
from impl.shell.running import InputError, Plan, listen, plan, reason

_FILE = "cluster.properties"
_LOOPBACK = "127.0.0.1"
_BACKLOG = 512
# What each broker is given here, and nobody else can give.
ASSIGNED = frozenset(
    {
        "advertised.listeners",
        "broker.id",
        "controller.listener.names",
        "controller.quorum.bootstrap.servers",
        "controller.quorum.voters",
        "inter.broker.listener.name",
        "listener.security.protocol.map",
        "listeners",
        "node.id",
        "process.roles",
        *DATA_FOLDER_OPTIONS,
    }
)


def plan_cluster(
    given: Mapping[str, str], size: int, first: Address, folder: Path, cluster_id: str | None
) -> list[tuple[Plan, Sockets]]:
    """Brokers 1 to `size` with their sockets, on the ports from that of `first` on (0: free ones).

    The sockets are bound for all of them at once, so that each can reach the others as soon as it
    runs. Raises InputError or ConfigError.
    """
    taken = sorted(ASSIGNED & given.keys())
    if taken:
        raise ConfigError(f"{taken[0]} is not to be given with --cluster, which sets it itself.")
    with ExitStack() as bound:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            cluster_id, controllers = _controllers(folder, size, cluster_id, bound)
            voters = _render_voters(controllers)
            brokers = []
            for node_id, controller in controllers.items():
                port = first.port + node_id - 1 if first.port else 0
                clients = bound.enter_context(listen(Address(first.host, port), _BACKLOG))
                sockets = Sockets(clients, controller)
                address = Address(first.host, bound_to(clients).port)
                properties = {
                    **given,
                    **_assigned(node_id, address, bound_to(controller), voters, folder),
                }
                (folder / f"broker-{node_id}.properties").write_text(
                    render_java_properties(properties)
                )
                planned = plan(read_properties(properties), first, None, cluster_id)
                brokers.append((planned, sockets))
            kept = {"cluster.id": cluster_id, "controller.quorum.voters": voters}
            (folder / _FILE).write_text(render_java_properties(kept))
        except OSError as error:
            raise InputError(f"{folder} cannot be used: {reason(error)}.") from error
        bound.pop_all()
    return brokers


def _controllers(
    folder: Path, size: int, cluster_id: str | None, bound: ExitStack
) -> tuple[str, dict[int, socket.socket]]:
    """The cluster's id, and where the voters listen: as the folder says, or anew."""
    if not (folder / _FILE).exists():
        addresses = {node_id: Address(_LOOPBACK, 0) for node_id in range(1, size + 1)}
        cluster_id = cluster_id or random_id()
    else:
        stored_id, voters = _stored(folder)
        if len(voters) != size:
            raise ConfigError(f"{folder} holds a cluster of {len(voters)} brokers, not {size}.")
        if cluster_id not in (None, stored_id):
            raise ConfigError(f"{folder} holds cluster {stored_id}, not {cluster_id}.")
        addresses = {node_id: Address(to.host, to.port) for node_id, to in voters.items()}
        cluster_id = stored_id
    return cluster_id, {
        node_id: bound.enter_context(listen(address, _BACKLOG))
        for node_id, address in addresses.items()
    }


def _stored(folder: Path) -> tuple[str, Mapping[int, Endpoint]]:
    stored = parse_java_properties((folder / _FILE).read_text(errors="replace"))
    if not stored.keys() >= {"cluster.id", "controller.quorum.voters"}:
        raise ConfigError(f"{folder / _FILE} lacks cluster.id or controller.quorum.voters.")
    return stored["cluster.id"], parse_voters(stored["controller.quorum.voters"])


def _render_voters(controllers: Mapping[int, socket.socket]) -> str:
    return ",".join(f"{node_id}@{bound_to(each)}" for node_id, each in controllers.items())


def _assigned(
    node_id: int, clients: Address, controller: Address, voters: str, folder: Path
) -> dict[str, str]:
    return {
        "node.id": str(node_id),
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://{clients},CONTROLLER://{controller}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": voters,
        "log.dirs": str(folder / f"broker-{node_id}"),
    }


def bound_to(listener: socket.socket) -> Address:
    host, port = listener.getsockname()[:2]
    return Address(host, port)
