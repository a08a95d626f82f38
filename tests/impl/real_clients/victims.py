"""Whom to kill."""

from __future__ import annotations

from tests.impl.real_clients.cluster import GROUP, NODES, TRANSACTION, Cluster, until
from tests.impl.real_clients.scenarios import PROCESSOR, READERS, SOURCE


def leader(cluster: Cluster) -> int:
    return cluster.leader(SOURCE)


def leader_ahead(cluster: Cluster) -> int:
    """A leader that was given records of which its followers, which are stopped, know nothing."""
    node_id = leader(cluster)
    log = cluster.folder / f"broker-{node_id}" / f"{SOURCE}-0" / f"{0:020}.log"
    for other in set(NODES) - {node_id}:
        cluster.pause(other)
    size = log.stat().st_size
    until(lambda: log.stat().st_size > size, f"broker {node_id} is ahead of the others")
    return node_id


def controller(cluster: Cluster) -> int:
    return cluster.controller()


def of_transactions(cluster: Cluster) -> int:
    """The coordinator of the transactional producer."""
    return cluster.coordinator(PROCESSOR, TRANSACTION)


def of_group(cluster: Cluster) -> int:
    """The coordinator of the group."""
    return cluster.coordinator(READERS, GROUP)


def leader_beside_group(cluster: Cluster) -> int:
    """A leader that does not coordinate the group."""
    return min(_leaders(cluster) - {of_group(cluster)})


def leader_beside_transactions(cluster: Cluster) -> int:
    """A leader that does not coordinate the transactional producer."""
    return min(_leaders(cluster) - {of_transactions(cluster)})


def _leaders(cluster: Cluster) -> set[int]:
    return {int(each.leader_id) for each in cluster.partitions(SOURCE).values()}
