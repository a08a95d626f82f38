"""The properties of a node: which there are, and what becomes of those that do nothing here.

Every name of Apache Kafka's broker is accepted, so that its property files can be used as they
are. A name that Kafka does not know is a slip and is refused, and so is a value that asks for
something that this broker cannot do and that others may rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from impl.core.config import ConfigError, Properties, idle_options, known_names, parse_properties
from impl.core.data.config import ReplicationConfig
from impl.core.groups.config import GroupConfig
from impl.core.quorum.config import QuorumConfig
from impl.core.transactions.config import TransactionConfig
from impl.shell.kafka_options import is_kafka_option, nearest_option
from impl.shell.network import NetworkConfig

# All dataclasses of options beside the broker's own; who adds one to the core names it here.
OPTION_KINDS: tuple[type[Any], ...] = (
    GroupConfig,
    NetworkConfig,
    QuorumConfig,
    ReplicationConfig,
    TransactionConfig,
)

DATA_FOLDER_OPTIONS = ("log.dirs", "log.dir", "metadata.log.dir")

# What may be relied upon when it is asked for: the values that do no harm, and what is missing.
_UNSUPPORTED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "alter.config.policy.class.name": ((), "no policy is asked before options change"),
    "authorizer.class.name": ((), "there is no authorization"),
    "client.quota.callback.class": ((), "there are no quotas"),
    "config.providers": ((), "values are taken as they stand"),
    "create.topic.policy.class.name": ((), "no policy is asked before a topic is created"),
    "remote.log.storage.system.enable": (("false",), "there is no tiered storage"),
    "transaction.two.phase.commit.enable": (("false",), "there is no two-phase commit"),
}


@dataclass(frozen=True, slots=True)
class NodeProperties:
    """`ignored`: the names of Kafka that have no effect here, sorted."""

    properties: Properties
    network: NetworkConfig
    data_folder: str | None
    ignored: tuple[str, ...]


def read_properties(given: Mapping[str, str]) -> NodeProperties:
    """Raises ConfigError."""
    known, idle = known_names(*OPTION_KINDS), idle_options()
    values: dict[str, str] = {}
    ignored: list[str] = []
    for name, text in given.items():
        if name in known:
            values[name] = text
            ignored += [name] if name in idle else []
        elif name not in DATA_FOLDER_OPTIONS:
            _check_ignored(name, text)
            ignored.append(name)
    properties = parse_properties(values, *OPTION_KINDS)
    properties.topic_defaults.check_lags()
    network: NetworkConfig = properties.others[NetworkConfig]
    return NodeProperties(properties, network, _data_folder(given), tuple(sorted(ignored)))


def _check_ignored(name: str, text: str) -> None:
    if not is_kafka_option(name):
        meant = nearest_option(name)
        suggestion = f"; {meant} is one" if meant else ""
        raise ConfigError(f"{name} is not a property of Kafka 4{suggestion}.")
    harmless, missing = _UNSUPPORTED.get(name, ((text.strip(),), ""))
    if text.strip() not in ("", *harmless):
        raise ConfigError(f"{name}={text.strip()} is not supported: {missing}.")


def _data_folder(given: Mapping[str, str]) -> str | None:
    text = given.get("log.dirs") or given.get("log.dir") or ""
    folders = [folder.strip() for folder in text.split(",") if folder.strip()]
    if len(folders) > 1:
        raise ConfigError("log.dirs names several folders, and one is supported.")
    folder = folders[0] if folders else None
    metadata_folder = given.get("metadata.log.dir", "").strip()
    if metadata_folder and metadata_folder != folder:
        raise ConfigError("metadata.log.dir is another folder than log.dirs; one is supported.")
    return folder
