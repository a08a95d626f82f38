"""One broker in this process, from its sockets to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from impl.shell.files import FileStorage
from impl.shell.network import Address, Network, read_network
from impl.shell.node import Node, Sockets
from impl.shell.properties import NodeProperties

LONGEST_SHUTDOWN_S = 30.0
READY = "brokerspec broker ready on "


class InputError(Exception):
    """What the user gave cannot be; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one broker needs to run; `folder` None is a temporary one."""

    node: NodeProperties
    network: Network
    folder: Path | None
    cluster_id: str | None

    @property
    def node_id(self) -> int:
        return self.node.properties.broker.node_id


def plan(
    node: NodeProperties, default: Address, folder: str | None, cluster_id: str | None
) -> Plan:
    """Raises ConfigError."""
    node_id = node.properties.broker.node_id
    network = read_network(node.network, node_id, default)
    folder = folder or node.data_folder
    return Plan(node, network, Path(folder) if folder else None, cluster_id)


def bind(given: Plan) -> Sockets:
    """Listen on the addresses of a plan. Raises InputError."""
    backlog = given.node.network.socket_listen_backlog_size
    clients = listen(given.network.clients, backlog)
    if given.network.controller is None:
        return Sockets(clients)
    try:
        return Sockets(clients, listen(given.network.controller, backlog))
    except InputError:
        clients.close()
        raise


def listen(address: Address, backlog: int) -> socket.socket:
    if not 0 <= address.port <= 65_535:
        raise InputError(f"there is no port {address.port}.")
    try:
        if not address.host:
            dual = socket.has_dualstack_ipv6()
            family = socket.AF_INET6 if dual else socket.AF_INET
            return socket.create_server(
                ("", address.port), family=family, backlog=backlog, dualstack_ipv6=dual
            )
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        return socket.create_server(
            (address.host, address.port), family=found[0][0], backlog=backlog
        )
    except OSError as error:
        raise InputError(f"cannot listen on {address}: {reason(error)}.") from error


def reason(error: Exception) -> str:
    """What the system says, without its number or the Python around it."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error)


def run(given: Plan, sockets: Sockets, lifeline: int | None = None) -> int:
    """Run until a signal, until the broker fails, or until the other end of `lifeline` is gone.

    Raises InputError, ConfigError, FolderInUseError, KafkaError or StorageError.
    """
    with ExitStack() as stack:
        stack.callback(sockets.close)
        folder = given.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="brokerspec-"))
        )
        try:
            storage = FileStorage(folder)
        except OSError as error:
            raise InputError(
                f"the data folder {folder} cannot be used: {reason(error)}."
            ) from error
        stack.callback(storage.close)
        return asyncio.run(_serve(given, storage, sockets, lifeline))


async def _serve(given: Plan, storage: FileStorage, sockets: Sockets, lifeline: int | None) -> int:
    node = Node(storage, given.node, given.network, sockets, given.cluster_id)
    told, at_once = _endings(lifeline)
    ends = (told, at_once, node.failed)
    try:
        await node.start()
        await _first(node.ready, *ends)
        if node.ready.is_set():
            print(f"{READY}{node.advertised}", flush=True)
            await _first(*ends)
        if not at_once.is_set() and not node.failed.is_set():
            node.begin_shutdown()
            await _first(node.may_stop, at_once, node.failed, timeout_s=LONGEST_SHUTDOWN_S)
    finally:
        await node.stop()
    return 1 if node.failed.is_set() else 0


def _endings(lifeline: int | None) -> tuple[asyncio.Event, asyncio.Event]:
    """Told to end: by the first signal in order, by the second or by the lifeline at once."""
    told, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        (at_once if told.is_set() else told).set()

    def cut() -> None:
        loop.remove_reader(lifeline or 0)
        at_once.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    if lifeline is not None:
        loop.add_reader(lifeline, cut)
    return told, at_once


async def _first(*events: asyncio.Event, timeout_s: float | None = None) -> None:
    """Wait until one of the events has happened."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
