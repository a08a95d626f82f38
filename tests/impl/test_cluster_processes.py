"""`brokerspec broker --cluster 3` from the outside: three processes that are one cluster."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from impl.wire import Struct
from spec.wire.errors import ErrorCode
from tests.impl.broker_process import PATIENCE_S, Client, Process, broker
from tests.impl.broker_world import batch, values

POLL_INTERVAL_S = 0.02
NODES = (1, 2, 3)
FAST = (
    "--set=broker.heartbeat.interval.ms=100",
    "--set=broker.session.timeout.ms=1000",
    "--set=controller.quorum.election.timeout.ms=500",
    "--set=controller.quorum.fetch.timeout.ms=1000",
    "--set=min.insync.replicas=2",
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Process]:
    with broker("--cluster", "3", *FAST, folder=tmp_path) as running:
        yield running


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_INTERVAL_S)


def create(port: int, name: str) -> None:
    topic = Struct(name=name, num_partitions=3, replication_factor=3)
    with Client(port) as client:
        answer = client.ask("CreateTopics", 7, topics=[topic], timeout_ms=10_000)
    assert answer.topics[0].error_code == ErrorCode.NONE


def leaders(port: int, name: str) -> dict[int, int]:
    """The leader of each partition of a topic, as one broker sees it."""
    with Client(port) as client:
        answer = client.ask("Metadata", 9, topics=[Struct(name=name)])
    return {each.partition_index: each.leader_id for each in answer.topics[0].partitions}


def are_led_by(nodes: set[int], port: int, name: str) -> bool:
    return set(leaders(port, name).values()) == nodes


def produce(port: int, name: str, text: bytes, partition: int = 0) -> int:
    """The error of a write that all in-sync replicas are to have."""
    data = [Struct(name=name, partition_data=[Struct(index=partition, records=batch(text))])]
    with Client(port) as client:
        answer = client.ask("Produce", 9, acks=-1, timeout_ms=10_000, topic_data=data)
    return int(answer.responses[0].partition_responses[0].error_code)


def read(port: int, name: str) -> list[bytes | None]:
    topics = [Struct(topic=name, partitions=[Struct(partition=0, partition_max_bytes=1 << 20)])]
    with Client(port) as client:
        answer = client.ask("Fetch", 12, max_wait_ms=0, max_bytes=1 << 20, topics=topics)
    return [value for _, value in values(answer.responses[0].partitions[0].records or b"")]


def process_of(folder: Path, node_id: int) -> int:
    return int((folder / f"broker-{node_id}" / ".lock").read_text())


def port_of(cluster: Process, node_id: int) -> int:
    return cluster.ports[node_id - 1]


def test_all_brokers_are_one_cluster_and_any_of_them_can_be_asked(cluster: Process) -> None:
    """CLUS-10: two of the three forward what only the controller can do."""
    for port in cluster.ports:
        create(port, f"asked-at-{port}")
    for port in cluster.ports:
        with Client(port) as client:
            answer = client.ask("Metadata", 9, topics=[])
        assert {(b.node_id, b.port) for b in answer.brokers} == set(
            zip(NODES, cluster.ports, strict=True)
        )
        for other in cluster.ports:
            until(partial(are_led_by, {1, 2, 3}, port, f"asked-at-{other}"))
    log = Struct(topic_name="__cluster_metadata", partitions=[Struct(partition_index=0)])
    for port in cluster.ports:
        with Client(port) as client:
            answer = client.ask("DescribeQuorum", 2, topics=[log])
        [described] = answer.topics[0].partitions
        assert described.error_code == ErrorCode.NONE
        assert [each.replica_id for each in described.current_voters] == list(NODES)


def test_what_was_acknowledged_survives_the_death_of_its_leader(
    cluster: Process, tmp_path: Path
) -> None:
    create(cluster.port, "orders")
    until(lambda: 0 in leaders(cluster.port, "orders"))
    dead = leaders(cluster.port, "orders")[0]
    until(lambda: produce(port_of(cluster, dead), "orders", b"a") == ErrorCode.NONE)
    os.kill(process_of(tmp_path, dead), signal.SIGKILL)
    alive = next(node_id for node_id in NODES if node_id != dead)
    until(lambda: leaders(port_of(cluster, alive), "orders")[0] not in (dead, -1))
    leader = port_of(cluster, leaders(port_of(cluster, alive), "orders")[0])
    until(lambda: produce(leader, "orders", b"b") == ErrorCode.NONE)
    assert read(leader, "orders") == [b"a", b"b"]


def test_a_broker_that_is_told_to_stop_leaves_its_leaderships_to_others(
    cluster: Process, tmp_path: Path
) -> None:
    """CLUS-08: and comes back by the properties that are kept for it."""
    create(cluster.port, "orders")
    until(partial(are_led_by, {1, 2, 3}, cluster.port, "orders"))
    number = process_of(tmp_path, 3)
    os.kill(number, signal.SIGTERM)
    assert cluster.running.stderr is not None
    assert cluster.running.stderr.readline().endswith("broker 3 ended with status 0.\n")
    for port in cluster.ports[:2]:
        until(partial(are_led_by, {1, 2}, port, "orders"))
    properties = str(tmp_path / "broker-3.properties")
    with broker(properties, port=None) as again:
        assert again.port == cluster.ports[2]
        until(lambda: set(leaders(again.port, "orders")) == {0, 1, 2})


def test_the_end_of_a_cluster_leaves_nobody_behind(cluster: Process, tmp_path: Path) -> None:
    numbers = [process_of(tmp_path, node_id) for node_id in NODES]
    cluster.running.terminate()
    assert cluster.running.wait(PATIENCE_S) == 0
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
