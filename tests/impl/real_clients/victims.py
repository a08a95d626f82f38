"""Whom to kill."""

from __future__ import annotations

from tests.impl.real_clients.cluster import GROUP, NODES, TRANSACTION, Cluster, until
from tests.impl.real_clients.scenarios import PROCESSOR, READERS, SOURCE

LOOKS = 10


def leader(cluster: Cluster) -> int:
    return cluster.leader(SOURCE)


def leader_ahead(cluster: Cluster) -> int:
    """A leader that was given records of which its followers, which are stopped, know nothing."""
    node_id = leader(cluster)
    until(lambda: _gets_ahead(cluster, node_id), f"broker {node_id} is ahead of the others")
    return node_id


def _gets_ahead(cluster: Cluster, node_id: int) -> bool:
    """Stop the followers until the leader has been given, and has said, all that there is.

    That may be nothing, where the client waits for what it sent before: then they go on.
    """
    followers = sorted(set(NODES) - {node_id})
    for each in followers:
        cluster.pause(each)
    known = max(_log_size(cluster, each) for each in followers)
    sizes: list[int] = []

    def is_quiet() -> bool:
        sizes.append(_log_size(cluster, node_id))
        return sizes.count(sizes[-1]) > LOOKS

    until(is_quiet, f"broker {node_id} has nothing to do")
    if sizes[-1] > known:
        return True
    cluster.resume()
    return False


def _log_size(cluster: Cluster, node_id: int) -> int:
    log = cluster.folder / f"broker-{node_id}" / f"{SOURCE}-0" / f"{0:020}.log"
    return log.stat().st_size


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
