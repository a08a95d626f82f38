"""Whom to kill."""

from __future__ import annotations

from tests.impl.real_clients.cluster import GROUP, TRANSACTION, Cluster
from tests.impl.real_clients.scenarios import PROCESSOR, READERS, SOURCE


def leader(cluster: Cluster) -> int:
    return cluster.leader(SOURCE)


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
    leaders = {int(each.leader_id) for each in cluster.partitions(SOURCE).values()}
    return min(leaders - {of_group(cluster)})
