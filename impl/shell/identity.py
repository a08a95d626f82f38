"""Whose data a folder holds: `meta.properties`, as Apache Kafka's StorageTool writes it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from uuid import uuid4

from impl.core.config import ConfigError
from impl.core.storage import Storage
from impl.shell.java_properties import parse_java_properties

_FILE = "meta.properties"


def claim(storage: Storage, node_id: int, cluster_id: str | None, *, may_invent: bool) -> str:
    """The cluster id of a folder; a new folder is given one. Raises ConfigError.

    A cluster of several nodes has to be told its id: each node would invent another one.
    """
    size = storage.size(_FILE)
    if size is None:
        if cluster_id is None and not may_invent:
            raise ConfigError(
                "the data folder is new and the cluster has other nodes: give all of them "
                f"the same --cluster-id, such as {random_id()}."
            )
        cluster_id = cluster_id or random_id()
        _write(storage, node_id, cluster_id)
        return cluster_id
    text = storage.read(_FILE, 0, size).decode(errors="replace")
    stored = parse_java_properties(text)
    if not stored.keys() >= {"node.id", "cluster.id"}:
        raise ConfigError(f"{_FILE} in the data folder lacks node.id or cluster.id.")
    if stored["node.id"] != str(node_id):
        raise ConfigError(
            f"the data folder belongs to node {stored['node.id']}, and this is node {node_id}."
        )
    if cluster_id not in (None, stored["cluster.id"]):
        raise ConfigError(
            f"the data folder belongs to cluster {stored['cluster.id']}, and not to {cluster_id}."
        )
    return stored["cluster.id"]


def _write(storage: Storage, node_id: int, cluster_id: str) -> None:
    content = {
        "version": "1",
        "cluster.id": cluster_id,
        "node.id": str(node_id),
        "directory.id": random_id(),
    }
    lines = "".join(f"{name}={value}\n" for name, value in content.items())
    storage.replace(_FILE, lines.encode())


def random_id() -> str:
    return urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()
