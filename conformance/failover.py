"""Coordinators that go away: which broker coordinates a key, and when the next one serves it.

`take_away` and what it is built of are preparations. Where partitions lie, and who leads them, is
the business of `cluster`.
"""

from collections.abc import Callable

from conformance import cluster
from conformance.client import Client
from conformance.lookup import FIRST_BATCHED_FIND_COORDINATOR, GROUP
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode


def find(session: Session, key: str, kind: int = GROUP, asked: Client | None = None) -> Struct:
    """What a broker says of the coordinator of a key."""
    client = asked or session.broker
    version = client.version("FindCoordinator")
    answer = client.call(
        "FindCoordinator", version, key=key, key_type=kind, coordinator_keys=[key]
    )
    return answer.coordinators[0] if version >= FIRST_BATCHED_FIND_COORDINATOR else answer


def coordinator_of(session: Session, key: str, kind: int = GROUP) -> int:
    """The broker that coordinates a key, once it does."""
    cluster.three(session)
    session.coordinator(key, kind)
    return int(find(session, key, kind).node_id)


def take_away(
    session: Session,
    key: str,
    kind: int = GROUP,
    how: Callable[[int], None] | None = None,
) -> int:
    """Stop the coordinator of a key, or do something else to it, and wait for the next one."""
    former = coordinator_of(session, key, kind)
    (how or session.stop_node)(former)
    await_another(session, former, key, kind)
    session.coordinator(key, kind)
    return former


def await_another(session: Session, former: int, key: str, kind: int = GROUP) -> None:
    """Wait until another broker than before is named as the coordinator of a key."""

    def moved() -> bool:
        found = find(session, key, kind)
        session.forget_leaders()
        return bool(found.error_code == ErrorCode.NONE and found.node_id != former)

    session.poll_until(
        lambda: cluster.attempt(moved),
        f"another broker coordinates {key}",
        timeout=cluster.FAILOVER_S,
    )


def without_leader(session: Session, topic: Topic) -> None:
    """Stop the leader of partition 0 cleanly, and wait until another replica serves it."""
    placement = cluster.look(session, topic)
    session.stop_node(placement.leader)
    others = [each for each in placement.replicas if each != placement.leader]
    cluster.await_leader(session, topic, others)
    cluster.await_served(session, topic)
