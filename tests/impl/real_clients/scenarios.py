"""What every client has to go through: one broker of three is killed under load and comes back.

A scenario gets functions that use a client in a thread of their own; see the modules beside this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tests.impl.real_clients.cluster import PATIENCE_S, Cluster, until
from tests.impl.real_clients.judge import (
    PARTITIONS,
    Ledger,
    Seen,
    assert_exactly_once,
    everything,
)

MORE = 200
SOURCE, TARGET, READERS = "orders", "bills", "readers"
PROCESSOR = "processor"
"""The topics, the group and the transactional id of all scenarios."""

Write = Callable[[str, str, Ledger], None]
"""Address, topic, ledger."""
Read = Callable[[str, str, str, Seen], None]
"""Address, topic, group, what was seen."""
Process = Callable[[str, str, str, str, Seen], None]
"""Address, source, target, group, what was processed."""
Victim = Callable[[Cluster], int]


def writes_survive(cluster: Cluster, write: Write, victim: Victim) -> None:
    """For producers that are idempotent or transactional: what they write is there once."""
    cluster.create(SOURCE)
    ledger = Ledger()
    with in_thread(write, ledger.is_over, cluster.bootstrap, SOURCE, ledger):
        strike(cluster, victim, SOURCE, lambda: len(ledger.acknowledged))
    assert not ledger.failures
    assert_exactly_once(everything(cluster.bootstrap, SOURCE), ledger.acknowledged)


def a_group_sees_all(
    cluster: Cluster, write: Write, read: Read, victim: Victim, members: int = 2
) -> None:
    """Each value comes to a member of the group at least once."""
    cluster.create(SOURCE)
    seen = Seen()
    ledger = Ledger(seen)
    with ExitStack() as stack:
        for _ in range(members):
            reading = in_thread(read, seen.is_over, cluster.bootstrap, SOURCE, READERS, seen)
            stack.enter_context(reading)
        with in_thread(write, ledger.is_over, cluster.bootstrap, SOURCE, ledger):
            strike(cluster, victim, SOURCE, lambda: len(seen.values))
        until(lambda: seen.has(ledger.acknowledged), "the group has seen everything")
    assert not ledger.failures
    assert_exactly_once(everything(cluster.bootstrap, SOURCE), ledger.acknowledged)


def processing_is_exactly_once(
    cluster: Cluster, write: Write, process: Process, victim: Victim
) -> None:
    """Each value is read, and what follows from it is written once."""
    cluster.create(SOURCE)
    cluster.create(TARGET)
    seen = Seen()
    ledger = Ledger(seen)
    address = cluster.bootstrap
    with in_thread(process, seen.is_over, address, SOURCE, TARGET, READERS, seen):
        with in_thread(write, ledger.is_over, address, SOURCE, ledger):
            strike(cluster, victim, TARGET, lambda: len(seen.values))
        until(lambda: seen.has(ledger.acknowledged), "everything is processed")
    assert not ledger.failures
    assert_exactly_once(everything(address, TARGET), ledger.acknowledged)


@contextmanager
def in_thread(
    work: Callable[..., None], over: threading.Event, *arguments: object
) -> Iterator[None]:
    """Work that goes on during the block and ends after it; its failure is the test's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(*arguments)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)
        if failures:
            raise failures[0]
    assert not thread.is_alive(), "it does not come to an end"


def strike(cluster: Cluster, victim: Victim, topic: str, progress: Callable[[], int]) -> None:
    """Kill a broker under load; see that it goes on without it, and after its return with it."""
    advance(progress, "before")
    node_id = victim(cluster)
    cluster.kill(node_id)
    advance(progress, f"without broker {node_id}")
    cluster.restart(node_id)
    until(lambda: cluster.is_whole(topic, PARTITIONS), f"broker {node_id} is in sync again")
    advance(progress, f"with broker {node_id} again")


def advance(progress: Callable[[], int], when: str) -> None:
    enough = progress() + MORE
    until(lambda: progress() >= enough, f"{MORE} more values are through {when}")
