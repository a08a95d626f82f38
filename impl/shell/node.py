"""A broker put together: identity, storage, codecs, core, server."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from uuid import uuid4

from impl.api.group_records import decode_record, encode_record, read_subscription
from impl.api.metadata_records import decode, encode
from impl.core.broker import Broker, Codecs
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.config import ConfigError, Properties
from impl.core.groups.records import CoordinatorRecord
from impl.core.storage import Storage
from impl.shell.platform import now_ms, platform
from impl.shell.server import Server

_META_PROPERTIES = "meta.properties"


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


CODECS = Codecs(MetadataRecords(), GroupRecords(), read_subscription)


class Node:
    def __init__(self, storage: Storage, properties: Properties, host: str, port: int) -> None:
        """Raises ConfigError if the data folder belongs to another node."""
        config = properties.broker
        endpoint = Endpoint(config.node_id, host, port, config.broker_rack or None)
        cluster_id = _cluster_id(storage, config.node_id)
        self._broker = Broker(
            platform(storage), CODECS, properties, endpoint, cluster_id, now_ms()
        )
        self.server = Server(self._broker)

    async def stop(self) -> None:
        await self.server.stop()
        self._broker.stop()


def _cluster_id(storage: Storage, node_id: int) -> str:
    """Read the identity that the data folder was given when it was new, or give it one."""
    size = storage.size(_META_PROPERTIES)
    if size is None:
        cluster_id = _random_id()
        content = {
            "version": "1",
            "cluster.id": cluster_id,
            "node.id": str(node_id),
            "directory.id": _random_id(),
        }
        lines = "".join(f"{name}={value}\n" for name, value in content.items())
        storage.replace(_META_PROPERTIES, lines.encode())
        return cluster_id
    text = storage.read(_META_PROPERTIES, 0, size).decode(errors="replace")
    stored = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    if not stored.keys() >= {"node.id", "cluster.id"}:
        raise ConfigError(f"{_META_PROPERTIES} in the data folder lacks node.id or cluster.id.")
    if stored["node.id"] != str(node_id):
        raise ConfigError(
            f"the data folder belongs to node {stored['node.id']}, and this is node {node_id}."
        )
    return stored["cluster.id"]


def _random_id() -> str:
    return urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()
