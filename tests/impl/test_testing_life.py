"""Brokers of the double come and go, and a cluster leaves nothing behind."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from impl.testing import Cluster, ClusterError
from spec.wire.errors import ErrorCode
from tests.impl.broker_process import PATIENCE_S
from tests.impl.testing_world import TOPIC, are_all_in_sync, client, produce, read

three_brokers = pytest.mark.parametrize("cluster", [3], indirect=True)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with Cluster(getattr(request, "param", 1)) as running:
        yield running


def is_refused(cluster: Cluster, broker: int) -> bool:
    host, _, port = cluster.address(broker).rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    return False


# Beginning and end


def test_a_cluster_is_ready_at_once(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    assert produce(cluster, b"a") == ErrorCode.NONE
    assert read(cluster) == [b"a"]


@three_brokers
def test_brokers_know_each_other(cluster: Cluster) -> None:
    assert cluster.brokers == {1: "up", 2: "up", 3: "up"}
    for broker in cluster.brokers:
        with client(cluster, broker) as asking:
            answer = asking.ask("Metadata", 9, topics=[])
        known = {each.node_id: f"{each.host}:{each.port}" for each in answer.brokers}
        assert known == {each: cluster.address(each) for each in cluster.brokers}
    assert cluster.bootstrap_servers == ",".join(known.values())


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts the open files of Linux")
def test_nothing_is_left_of_a_cluster() -> None:
    with Cluster(2):  # what Python opens at first use stays open
        pass
    threads, files = threading.active_count(), handles()
    with Cluster(3) as cluster:
        cluster.create_topic(TOPIC)
        produce(cluster, b"a")
        cluster.pause(1)
        cluster.kill(2)
        cluster.partition({1}, {3})
        assert threading.active_count() == threads + 3
        assert handles() > files
    assert (threading.active_count(), handles()) == (threads, files)


def test_a_cluster_that_nobody_closed_closes_at_the_end_of_the_process() -> None:
    script = "from impl.testing import Cluster; Cluster(2).pause(1); print('done')"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_clusters_do_not_know_of_each_other() -> None:
    with Cluster() as one, Cluster() as other:
        one.create_topic(TOPIC)
        produce(one, b"a")
        other.create_topic(TOPIC)
        assert (read(one), read(other)) == ([b"a"], [])
        one.kill(1)
        assert read(other) == []


def test_a_folder_holds_what_the_next_cluster_begins_with(tmp_path: Path) -> None:
    with Cluster(3, folder=tmp_path) as cluster:
        cluster.create_topic(TOPIC)
        produce(cluster, b"a")
    assert (tmp_path / "broker-1" / f"{TOPIC}-0" / f"{0:020}.log").exists()
    with Cluster(3, folder=tmp_path) as again:
        again.wait_until(lambda: again.leader(TOPIC) is not None)
        assert read(again) == [b"a"]


def test_a_port_may_be_given() -> None:
    with Cluster() as cluster:
        port = int(cluster.bootstrap_servers.rpartition(":")[2])
        with pytest.raises(ClusterError, match=f"port {port} cannot be used"):
            Cluster(port=port)
    with Cluster(port=port) as again:
        assert again.bootstrap_servers == f"127.0.0.1:{port}"


def test_properties_are_those_of_kafka() -> None:
    properties = {"num.partitions": 3, "auto.create.topics.enable": False}
    with Cluster(2, properties=properties, broker_properties={2: {"broker.rack": "b"}}) as cluster:
        with client(cluster) as asking:
            answer = asking.ask("Metadata", 9, topics=None)
        assert [each.rack for each in answer.brokers] == [None, "b"]
        cluster.create_topic(TOPIC, partitions=-1, retention_ms=5)
        assert cluster.leader(TOPIC, 2) is not None


# Death and return


@three_brokers
def test_the_death_of_a_leader_loses_nothing_that_was_acknowledged(
    cluster: Cluster,
) -> None:
    cluster.create_topic(TOPIC)
    produce(cluster, b"a")
    dead = cluster.leader(TOPIC)
    assert dead is not None
    cluster.kill(dead)
    assert cluster.brokers[dead] == "down"
    assert is_refused(cluster, dead)
    cluster.wait_until(lambda: cluster.leader(TOPIC) not in (dead, None))
    assert produce(cluster, b"b") == ErrorCode.NONE
    assert dead not in cluster.in_sync_replicas(TOPIC)
    cluster.start(dead)
    cluster.wait_until(partial(are_all_in_sync, cluster))
    cluster.elect(TOPIC, leader=dead)
    assert read(cluster, dead) == [b"a", b"b"]


@three_brokers
def test_the_death_of_the_controller_makes_another_one(cluster: Cluster) -> None:
    dead = cluster.controller
    assert dead is not None
    cluster.kill(dead)
    cluster.wait_until(lambda: cluster.controller not in (dead, None))
    cluster.create_topic(TOPIC, replication_factor=2)


@three_brokers
def test_a_cluster_without_majority_comes_back_with_it(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    produce(cluster, b"a")
    cluster.kill(1, 2, 3)
    cluster.start(2)
    assert cluster.controller is None
    cluster.start()
    assert set(cluster.brokers.values()) == {"up"}
    cluster.wait_until(lambda: cluster.leader(TOPIC) is not None)
    assert read(cluster) == [b"a"]


def test_a_process_that_dies_keeps_what_it_wrote_and_a_machine_does_not(
    cluster: Cluster,
) -> None:
    cluster.create_topic(TOPIC)
    produce(cluster, b"a")
    cluster.kill(1)
    cluster.start(1)
    assert read(cluster) == [b"a"]
    cluster.lose_power(1)
    cluster.start(1)
    assert read(cluster) == []


@three_brokers
def test_other_replicas_have_what_one_lost_with_its_power(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    produce(cluster, b"a")
    lost = cluster.leader(TOPIC)
    assert lost is not None
    cluster.lose_power(lost)
    cluster.wait_until(lambda: cluster.leader(TOPIC) not in (lost, None))
    cluster.start(lost)
    cluster.wait_until(partial(are_all_in_sync, cluster))
    cluster.elect(TOPIC, leader=lost)
    assert read(cluster, lost) == [b"a"]


@three_brokers
def test_a_broker_that_is_stopped_hands_over_before_it_goes(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    leaving = cluster.leader(TOPIC)
    assert leaving is not None
    cluster.stop(leaving)
    assert cluster.leader(TOPIC) not in (leaving, None)
    assert is_refused(cluster, leaving)
    assert produce(cluster, b"a") == ErrorCode.NONE


# Standing still


@three_brokers
def test_a_broker_that_is_paused_answers_when_it_goes_on(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    paused = cluster.leader(TOPIC)
    assert paused is not None
    with client(cluster, paused) as before:
        before.ask("ApiVersions", 0)
        cluster.pause(paused)
        assert cluster.brokers[paused] == "paused"
        with client(cluster, paused) as asking:
            for each in (before, asking):
                each.send("ApiVersions", 0)
            cluster.wait_until(lambda: cluster.leader(TOPIC) not in (paused, None))
            for each in (before, asking):
                assert not each.has_news()
            cluster.resume(paused)
            for each in (before, asking):
                assert each.receive("ApiVersions", 0)[1].error_code == ErrorCode.NONE
    cluster.wait_until(partial(are_all_in_sync, cluster))


def test_a_broker_that_is_paused_can_die_and_does_nothing_more(cluster: Cluster) -> None:
    cluster.create_topic(TOPIC)
    with client(cluster) as asking:
        cluster.pause(1)
        asking.send("DeleteTopics", 1, topic_names=[TOPIC], timeout_ms=1_000)
        cluster.kill(1)
        assert asking.is_closed_by_peer()
    cluster.start(1)
    assert cluster.leader(TOPIC) == 1


@three_brokers
def test_nobody_is_taken_for_dead_while_the_whole_process_stands_still(
    cluster: Cluster,
) -> None:
    cluster.create_topic(TOPIC, partitions=3)
    before = {n: cluster.leader(TOPIC, n) for n in range(3)}
    controller = cluster.controller
    ctypes.PyDLL(None).usleep(1_500_000)  # as in a debugger: no thread goes on
    assert set(before.values()) == {1, 2, 3}
    assert produce(cluster, b"a") == ErrorCode.NONE
    assert {n: cluster.leader(TOPIC, n) for n in range(3)} == before
    assert are_all_in_sync(cluster)
    assert cluster.controller == controller


# What may not be asked


def kill_twice(cluster: Cluster) -> None:
    cluster.kill(1)
    cluster.kill(1)


def use_after_the_end(cluster: Cluster) -> None:
    cluster.close()
    cluster.kill(1)


REFUSED: dict[str, tuple[Callable[[Cluster], object], str]] = {
    "an unknown broker": (lambda c: c.kill(7), "there is no broker 7; there are 1."),
    "a broker by another name": (lambda c: c.address("1"), "there is no broker 1;"),  # type: ignore[arg-type]
    "one that runs": (lambda c: c.start(1), "broker 1 is up."),
    "one that is dead": (kill_twice, "broker 1 is down."),
    "one that goes on": (lambda c: c.resume(1), "broker 1 is up."),
    "a cluster that is closed": (use_after_the_end, "the cluster is closed."),
    "an unknown partition": (lambda c: c.leader(TOPIC), f"there is no partition {TOPIC}-0."),
    "a broker that is no replica": (lambda c: c.elect(TOPIC, leader=1), "no partition"),
    "a name that no topic has": (lambda c: c.create_topic("a/b"), "INVALID_TOPIC_EXCEPTION"),
    "an option that no topic has": (lambda c: c.create_topic("a", colour=1), "INVALID_CONFIG"),
    "what does not come about": (
        lambda c: c.wait_until(lambda: False, timeout_seconds=0.01),
        "did not come about in 0.01 seconds; broker 1 is up.",
    ),
    "the past": (lambda c: c.move_time(-1), "time does not run backwards."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_said_in_a_sentence(what: str) -> None:
    action, sentence = REFUSED[what]
    with Cluster() as cluster, pytest.raises(ClusterError) as refused:
        action(cluster)
    assert sentence in str(refused.value)


def test_a_cluster_that_cannot_be_is_refused_and_leaves_nothing() -> None:
    threads = threading.active_count()
    for given, sentence in (
        ({"brokers": 0}, "at least one broker, and not 0."),
        ({"properties": {"num.partition": "1"}}, "num.partitions is one."),
        ({"properties": {"num.partitions": "x"}}, "num.partitions is a whole number"),
        ({"properties": {"node.id": "4"}}, "node.id is set by the cluster itself."),
        ({"broker_properties": {4: {}}}, "there is no broker 4"),
    ):
        with pytest.raises(ClusterError, match=sentence):
            Cluster(**given)
    assert threading.active_count() == threads


def test_a_disk_in_a_folder_cannot_lose_power(tmp_path: Path) -> None:
    with Cluster(folder=tmp_path) as cluster:
        with pytest.raises(ClusterError, match="a disk in a folder cannot lose power"):
            cluster.lose_power(1)
        assert cluster.brokers == {1: "up"}
