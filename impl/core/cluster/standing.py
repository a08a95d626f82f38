"""What a broker currently is in the cluster; one object, which the rooms of a broker share.

Written by those who learn it (`Membership`, the quorum); everybody else only reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.messages import Endpoint

NO_BROKER_EPOCH = -1


@dataclass(slots=True)
class Standing:
    """`controller`: the active controller, as far as this node knows, where it can be asked."""

    node_id: int
    cluster_id: str
    broker_epoch: int = NO_BROKER_EPOCH
    controller: Endpoint | None = None
