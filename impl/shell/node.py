"""A broker put together: identity, storage, codecs, core, listeners, peers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace

from impl.api.group_records import decode_record, encode_record, read_subscription
from impl.api.metadata_records import decode, encode
from impl.api.served import BROKER, CONTROLLER
from impl.api.transaction_records import TransactionRecords
from impl.core.broker import Broker, Codecs
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.coordinators import CoordinatorCodecs
from impl.core.groups.records import CoordinatorRecord
from impl.core.storage import Storage
from impl.shell.driver import Driver
from impl.shell.identity import claim
from impl.shell.network import Network
from impl.shell.peers import Peers, Reaches
from impl.shell.platform import now_ms, platform
from impl.shell.properties import NodeProperties
from impl.shell.server import Server, Tap


class MetadataRecords:
    def encode(self, record: MetadataRecord) -> bytes:
        return encode(record)

    def decode(self, value: bytes) -> MetadataRecord | None:
        return decode(value)


class GroupRecords:
    def encode(self, record: CoordinatorRecord) -> tuple[bytes, bytes | None]:
        return encode_record(record)

    def decode(self, key: bytes, value: bytes | None) -> CoordinatorRecord | None:
        return decode_record(key, value)


CODECS = Codecs(
    MetadataRecords(),
    CoordinatorCodecs(GroupRecords(), TransactionRecords(), read_subscription),
)


@dataclass(frozen=True, slots=True)
class Sockets:
    """Those that the node listens on, bound; `controller` only where the network has one."""

    clients: socket.socket
    controller: socket.socket | None = None

    def close(self) -> None:
        self.clients.close()
        if self.controller is not None:
            self.controller.close()


@dataclass(frozen=True, slots=True)
class Outside:
    """What a node has around it, for those who want another clock or network than that of now.

    `client_id`: as what it talks to other nodes, which are those that it `reaches`. A `tap` stands
    between what it is asked and itself.
    """

    clock: Callable[[], int] = now_ms
    client_id: str | None = None
    reaches: Reaches | None = None
    tap: Tap | None = None


class Node:
    def __init__(
        self,
        storage: Storage,
        node: NodeProperties,
        network: Network,
        sockets: Sockets,
        cluster_id: str | None,
        outside: Outside = Outside(),
    ) -> None:
        """To be made in the event loop. Raises ConfigError if the folder is another node's."""
        config = node.properties.broker
        self.advertised = replace(
            network.advertised, port=network.advertised.port or _port(sockets.clients)
        )
        endpoint = Endpoint(
            config.node_id, self.advertised.host, self.advertised.port, config.broker_rack or None
        )
        voters = network.voters or {config.node_id: endpoint}
        is_alone = voters.keys() == {config.node_id}
        cluster_id = claim(storage, config.node_id, cluster_id, may_invent=is_alone)
        self.core = Broker(
            platform(storage),
            CODECS,
            node.properties,
            endpoint,
            cluster_id,
            voters,
            outside.clock(),
        )
        self._peers = Peers(outside.client_id or f"node-{config.node_id}", outside.reaches)
        self._driver = Driver(self.core, self._peers, outside.clock)
        self._servers = [(Server(self._driver, BROKER, config, outside.tap), sockets.clients)]
        if sockets.controller is not None:
            server = Server(self._driver, CONTROLLER, config, outside.tap)
            self._servers.append((server, sockets.controller))
        self.ready = self._driver.ready
        self.may_stop = self._driver.may_stop
        self.failed = self._driver.failed

    async def start(self) -> None:
        for server, listener in self._servers:
            await server.start(listener)
        self._driver.start()

    def begin_shutdown(self) -> None:
        """Let others take over what this node leads, as far as they can."""
        self._driver.begin_shutdown()

    def clock_skipped(self, duration_ms: int) -> None:
        """The clock outside was set forward by so much."""
        self.core.skip(duration_ms)
        self._driver.wake()

    def reconnect(self) -> None:
        """Talk to other nodes on new connections."""
        self._peers.reconnect()

    def kill(self) -> None:
        """Be gone as a process that is killed: nobody is answered, nothing is put in order."""
        for server, _ in self._servers:
            server.abort()
        self._driver.stop()

    async def stop(self) -> None:
        for server, _ in self._servers:
            await server.stop()
        self._driver.stop()
        if not self.failed.is_set():
            self.core.stop()


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port
