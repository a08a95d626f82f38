"""Trouble to order: faults of single requests, a network in parts, time that jumps, elections."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from impl.testing import CLIENTS, Cluster, ClusterError, ErrorCode
from tests.impl.testing_world import (
    TOPIC,
    are_all_in_sync,
    client,
    first_offset,
    produce,
    produce_body,
    read,
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.create_topic(TOPIC)
        yield running


@pytest.fixture
def three() -> Iterator[Cluster]:
    with Cluster(3) as running:
        running.create_topic(TOPIC, replication_factor=3)
        yield running


# Single requests


def test_the_nth_request_of_an_api_gets_the_error_and_is_not_carried_out(
    cluster: Cluster,
) -> None:
    fault = cluster.fail("Produce", error=ErrorCode.NOT_ENOUGH_REPLICAS, nth=2, times=2)
    found = [produce(cluster, text) for text in (b"a", b"b", b"c", b"d")]
    struck = ErrorCode.NOT_ENOUGH_REPLICAS
    assert found == [ErrorCode.NONE, struck, struck, ErrorCode.NONE]
    assert (fault.struck, fault.is_over) == (2, True)
    assert read(cluster) == [b"a", b"d"]


def test_a_request_may_be_carried_out_and_its_error_is_a_lie(cluster: Cluster) -> None:
    cluster.fail("Produce", error=ErrorCode.REQUEST_TIMED_OUT, carried_out=True)
    assert produce(cluster, b"a") == ErrorCode.REQUEST_TIMED_OUT
    assert read(cluster) == [b"a"]


def test_a_fault_may_be_for_one_broker_and_for_some_requests(three: Cluster) -> None:
    leader = three.leader(TOPIC)
    other = next(broker for broker in three.brokers if broker != leader)
    error = ErrorCode.KAFKA_STORAGE_ERROR
    elsewhere = three.fail("Produce", error=error, times=None, broker=other)
    chosen = three.fail("Produce", error=error, where=lambda asked: asked.body.acks == 1)
    assert produce(three, b"a") == ErrorCode.NONE
    assert produce(three, b"b", acks=1) == error
    assert (elsewhere.struck, chosen.struck) == (0, 1)


def test_an_answer_may_be_lost_with_its_connection(cluster: Cluster) -> None:
    cluster.drop("Produce", carried_out=True)
    with client(cluster) as asking:
        asking.send("Produce", 9, **produce_body(b"a"))
        assert asking.is_closed_by_peer()
    assert read(cluster) == [b"a"]


def test_a_request_may_wait_while_others_are_served(cluster: Cluster) -> None:
    cluster.delay("Produce", milliseconds=300)
    with client(cluster) as slow:
        slow.send("Produce", 9, **produce_body(b"a"))
        assert read(cluster) == []
        slow.receive("Produce", 9)
    assert read(cluster) == [b"a"]


def test_faults_can_be_cancelled(cluster: Cluster) -> None:
    error = ErrorCode.KAFKA_STORAGE_ERROR
    fault = cluster.fail("Produce", error=error, times=None)
    assert produce(cluster, b"a") == error
    fault.cancel()
    assert produce(cluster, b"b") == ErrorCode.NONE
    cluster.fail("Produce", error=error, times=None)
    cluster.cancel_faults()
    assert produce(cluster, b"c") == ErrorCode.NONE


def test_what_clients_asked_is_kept(cluster: Cluster) -> None:
    produce(cluster, b"a")
    (asked,) = (each for each in cluster.requests if each.api == "Produce")
    assert (asked.broker, asked.version, asked.body.topic_data[0].name) == (1, 9, TOPIC)


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (lambda c: c.fail("Produkt", error=ErrorCode.NONE), "named Produkt; Produce is one."),
        (lambda c: c.fail("Produce", error=ErrorCode.NONE, nth=0), "are counted from one."),
        (lambda c: c.drop("Produce", broker=9), "there is no broker 9;"),
        (lambda c: c.delay("Produce", milliseconds=0), "at least a millisecond."),
        (lambda c: c.partition({1}), "at least two groups."),
        (lambda c: c.partition({1}, {1, CLIENTS}), "1 cannot be in two groups"),
    ],
)
def test_trouble_that_cannot_be_is_refused(cluster: Cluster, order: object, sentence: str) -> None:
    assert callable(order)
    with pytest.raises(ClusterError) as refused:
        order(cluster)
    assert sentence in str(refused.value)


# The network


def test_a_leader_that_is_cut_off_is_replaced_and_finds_its_way_back(three: Cluster) -> None:
    lonely = three.leader(TOPIC)
    assert lonely is not None
    others = set(three.brokers) - {lonely}
    three.partition({lonely}, {*others, CLIENTS})
    three.wait_until(lambda: three.leader(TOPIC) in others)
    assert produce(three, b"a") == ErrorCode.NONE
    three.heal()
    three.wait_until(partial(are_all_in_sync, three))
    three.elect(TOPIC, leader=lonely)
    assert read(three, lonely) == [b"a"]


def test_clients_that_are_cut_off_wait_in_vain(cluster: Cluster) -> None:
    with client(cluster) as asking:
        asking.ask("ApiVersions", 0)
        cluster.partition({1}, {CLIENTS})
        asking.send("ApiVersions", 0)
        with pytest.raises(ClusterError, match="did not come about"):
            cluster.wait_until(asking.has_news, timeout_seconds=0.1)
        cluster.heal()
        assert asking.is_closed_by_peer()
    assert produce(cluster, b"a") == ErrorCode.NONE


# Time


def test_retention_deletes_because_time_moved(cluster: Cluster) -> None:
    produce(cluster, b"a")
    assert first_offset(cluster) == 0
    cluster.move_time(8 * 24 * 60 * 60 * 1_000)  # a day more than log.retention.hours
    cluster.wait_until(lambda: first_offset(cluster) == 1)


def test_brokers_do_not_take_each_other_for_dead_because_time_moved(three: Cluster) -> None:
    leader, controller = three.leader(TOPIC), three.controller
    three.move_time(60 * 60 * 1_000)
    assert produce(three, b"a") == ErrorCode.NONE
    assert (three.leader(TOPIC), three.controller) == (leader, controller)
    assert are_all_in_sync(three)


# Elections


def test_an_election_can_be_held(three: Cluster) -> None:
    before = three.leader(TOPIC)
    chosen = next(broker for broker in three.brokers if broker != before)
    three.elect(TOPIC, leader=chosen)
    assert three.leader(TOPIC) == chosen
    assert produce(three, b"a") == ErrorCode.NONE


def test_an_unclean_election_loses_what_only_the_dead_had() -> None:
    with Cluster(5) as cluster:  # so many that a majority is left of the quorum
        cluster.create_topic(TOPIC, replication_factor=2)
        last = cluster.leader(TOPIC)
        assert last is not None
        (behind,) = cluster.in_sync_replicas(TOPIC) - {last}
        cluster.kill(behind)
        cluster.wait_until(lambda: cluster.in_sync_replicas(TOPIC) == {last})
        assert produce(cluster, b"a") == ErrorCode.NONE
        cluster.kill(last)
        cluster.wait_until(lambda: cluster.leader(TOPIC) is None)
        cluster.start(behind)
        assert cluster.leader(TOPIC) is None
        cluster.elect(TOPIC, unclean=True)
        assert cluster.leader(TOPIC) == behind
        assert read(cluster) == []
