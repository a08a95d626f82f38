"""The leader in the answer of who does not lead, and where it is (KIP-951)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from impl.core.cluster.messages import Endpoint
from impl.wire import Struct


def current_leader(leader: tuple[int, int] | None) -> dict[str, Any]:
    """The field of one partition; none if there is nothing to say."""
    if leader is None:
        return {}
    return {"current_leader": Struct(leader_id=leader[0], leader_epoch=leader[1])}


def node_endpoints(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    nodes = [Struct(node_id=e.node_id, host=e.host, port=e.port, rack=e.rack) for e in endpoints]
    return {"node_endpoints": nodes} if nodes else {}
