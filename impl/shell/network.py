"""Where a node listens, what it tells others of that, and who the voters are.

Reads Apache Kafka's options for it. There is one listener for clients and brokers, and one for the
quorum if there is more than one voter; both without encryption and authentication. What asks for
more is refused with a sentence.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from impl.core.cluster.messages import Endpoint
from impl.core.config import ConfigError, option

PLAINTEXT = "PLAINTEXT"
_OTHER_PROTOCOLS = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
_UNROUTABLE = ("0.0.0.0", "::")

_ADDRESS = re.compile(
    r"(?P<name>[^:/@]+)://(?:\[(?P<ipv6>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>-?\d+)"
)
_VOTER = re.compile(r"(?P<id>\d+)@(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    advertised_listeners: str = option("")
    controller_listener_names: str = option("")
    controller_quorum_bootstrap_servers: str = option("")
    controller_quorum_voters: str = option("")
    inter_broker_listener_name: str = option("")
    listener_security_protocol_map: str = option("")
    listeners: str = option("")
    process_roles: str = option("")
    security_inter_broker_protocol: str = option(PLAINTEXT)
    socket_listen_backlog_size: int = option(512, at_least=1)


@dataclass(frozen=True, slots=True)
class Address:
    """An empty host is every address of this machine; port 0 is a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Network:
    """Where to listen, and `advertised` what others are told: port 0 is the one that is taken."""

    clients: Address
    advertised: Address
    controller: Address | None = None
    voters: Mapping[int, Endpoint] = field(default_factory=dict)
    """By node id; none means that this node is the only one."""


def read_network(config: NetworkConfig, node_id: int, default: Address) -> Network:
    """`default`: where clients are served if the properties do not say it. Raises ConfigError."""
    _check_roles(config)
    listeners = _listeners("listeners", config.listeners)
    if not listeners:
        listeners = {PLAINTEXT: default}
    controllers = _names(config.controller_listener_names)
    _check_protocols(config, [*listeners, *controllers])
    client = _client_listener(config, listeners, controllers)
    return Network(
        listeners[client],
        _advertised(config, client, listeners),
        _controller_listener(listeners, controllers),
        _voters(config, node_id, has_controller=any(name in listeners for name in controllers)),
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _check_roles(config: NetworkConfig) -> None:
    roles = set(_names(config.process_roles)) or {"broker"}
    if not roles <= {"broker", "controller"}:
        raise ConfigError(
            f"process.roles is broker, or broker,controller, and not {config.process_roles}."
        )
    if "broker" not in roles:
        raise ConfigError(
            "a node that is only a controller is not supported: process.roles is broker, "
            "or broker,controller."
        )


def _listeners(option_name: str, text: str) -> dict[str, Address]:
    listeners: dict[str, Address] = {}
    for entry in _names(text):
        found = _ADDRESS.fullmatch(entry)
        if found is None or int(found["port"]) not in range(65_536):
            raise ConfigError(
                f"{option_name} is a list of NAME://HOST:PORT, and {entry!r} is none."
            )
        if found["name"] in listeners:
            raise ConfigError(f"{option_name} names {found['name']} twice.")
        listeners[found["name"]] = Address(
            found["ipv6"] or found["host"] or "", int(found["port"])
        )
    return listeners


def _check_protocols(config: NetworkConfig, names: list[str]) -> None:
    """As in Kafka, a controller's listener needs no entry as long as there are none at all."""
    given = {}
    for entry in _names(config.listener_security_protocol_map):
        name, separator, protocol = entry.partition(":")
        if not separator or protocol not in (PLAINTEXT, *_OTHER_PROTOCOLS):
            raise ConfigError(
                "listener.security.protocol.map is a list of NAME:PROTOCOL, "
                f"and {entry!r} is none."
            )
        given[name] = protocol
    controllers = _names(config.controller_listener_names)
    for name in names:
        asked = given.get(name) if given else _protocol_by_name(name, controllers)
        if asked is None:
            raise ConfigError(f"listener.security.protocol.map lacks the listener {name}.")
        if asked != PLAINTEXT:
            raise ConfigError(
                f"the listener {name} asks for {asked}, which is not supported: "
                "neither encryption nor authentication is, only PLAINTEXT."
            )
    if config.security_inter_broker_protocol != PLAINTEXT:
        raise ConfigError(
            f"security.inter.broker.protocol asks for {config.security_inter_broker_protocol}, "
            "which is not supported: only PLAINTEXT is."
        )


def _protocol_by_name(name: str, controllers: list[str]) -> str | None:
    if name in (PLAINTEXT, *_OTHER_PROTOCOLS):
        return name
    return PLAINTEXT if name in controllers else None


def _client_listener(
    config: NetworkConfig, listeners: Mapping[str, Address], controllers: list[str]
) -> str:
    clients = [name for name in listeners if name not in controllers]
    if not clients:
        raise ConfigError("listeners has no listener for clients beside that of the controller.")
    if len(clients) > 1:
        raise ConfigError(
            f"listeners has several listeners for clients, {', '.join(clients)}, "
            "and one is supported: clients and brokers are all told the same address."
        )
    (client,) = clients
    if config.inter_broker_listener_name not in ("", client):
        raise ConfigError(
            f"inter.broker.listener.name is {config.inter_broker_listener_name}, "
            f"and the one listener for brokers is {client}."
        )
    return client


def _advertised(config: NetworkConfig, client: str, listeners: Mapping[str, Address]) -> Address:
    given = _listeners("advertised.listeners", config.advertised_listeners)
    unknown = [name for name in given if name not in listeners]
    if unknown:
        raise ConfigError(f"advertised.listeners names {unknown[0]}, which listeners does not.")
    address = given.get(client, listeners[client])
    if address.host in _UNROUTABLE:
        raise ConfigError(
            f"nobody can connect to {address.host}: "
            "advertised.listeners needs an address that others can reach."
        )
    return Address(address.host or socket.getfqdn(), address.port)


def _controller_listener(
    listeners: Mapping[str, Address], controllers: list[str]
) -> Address | None:
    found = [listeners[name] for name in controllers if name in listeners]
    if len(found) > 1:
        raise ConfigError("listeners has several listeners of the controller; one is supported.")
    return found[0] if found else None


def parse_voters(text: str) -> Mapping[int, Endpoint]:
    """The value of controller.quorum.voters by node id. Raises ConfigError."""
    voters: dict[int, Endpoint] = {}
    for entry in _names(text):
        found = _VOTER.fullmatch(entry)
        if found is None or int(found["port"]) not in range(1, 65_536):
            raise ConfigError(
                f"controller.quorum.voters is a list of ID@HOST:PORT, and {entry!r} is none."
            )
        voter_id = int(found["id"])
        if voter_id in voters:
            raise ConfigError(f"controller.quorum.voters names node {voter_id} twice.")
        host = found["ipv6"] or found["host"]
        voters[voter_id] = Endpoint(voter_id, host, int(found["port"]))
    return voters


def _voters(
    config: NetworkConfig, node_id: int, *, has_controller: bool
) -> Mapping[int, Endpoint]:
    voters = parse_voters(config.controller_quorum_voters)
    roles = _names(config.process_roles)
    if not voters:
        _check_alone(config, roles)
        return {}
    if roles and ("controller" in roles) != (node_id in voters):
        raise ConfigError(
            f"process.roles is {','.join(roles)}, and node {node_id} is "
            f"{'' if node_id in voters else 'not '}among controller.quorum.voters."
        )
    if node_id in voters and not has_controller:
        raise ConfigError(
            "a voter needs a listener for the quorum: one of listeners that "
            "controller.listener.names names."
        )
    if node_id not in voters and has_controller:
        raise ConfigError(f"node {node_id} is no voter, and has a listener of the controller.")
    return voters


def _check_alone(config: NetworkConfig, roles: list[str]) -> None:
    """Without voters this node is a quorum of one, if nothing says that there are others."""
    servers = _names(config.controller_quorum_bootstrap_servers)
    if len(servers) > 1 or (roles and "controller" not in roles):
        raise ConfigError(
            "the voters have to be given: a quorum that changes its voters while it runs "
            "(KIP-853) is not supported, so controller.quorum.bootstrap.servers is not enough. "
            "Set controller.quorum.voters=ID@HOST:PORT,... on every node."
        )
