"""The consumer protocol of a third-party client against the reference broker, over TCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.impl.test_group_clients import PARTITIONS, PATIENCE_S, TOPIC, broker, share_of, until

confluent_kafka = pytest.importorskip("confluent_kafka")
kafka_admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.clients

OPTIONS = {
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.heartbeat.interval.ms": "200",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "3000",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("consumers"), options=OPTIONS) as running:
        producer = confluent_kafka.Producer({"bootstrap.servers": running})
        for partition in PARTITIONS:
            for number in range(3):
                producer.produce(TOPIC, f"{partition}-{number}", partition=partition)
        assert producer.flush(PATIENCE_S) == 0
        yield running


def member(address: str, group: str, topic: str = TOPIC, **options: Any) -> Any:
    defaults = {
        "bootstrap.servers": address,
        "group.id": group,
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "topic.metadata.refresh.interval.ms": 200,
    }
    consumer = confluent_kafka.Consumer(defaults | options)
    consumer.subscribe([topic])
    return consumer


def shared(*consumers: Any) -> bool:
    shares = [share_of(each) for each in consumers]
    return all(shares) and sum(map(len, shares)) == 4 and set().union(*shares) == PARTITIONS


@pytest.mark.parametrize("assignor", ["uniform", "range"])
def test_members_share_a_topic(address: str, assignor: str) -> None:
    group, options = f"consumers-{assignor}", {"group.remote.assignor": assignor}
    with ExitStack() as stack:
        first = member(address, group, **options)
        stack.callback(first.close)
        until(lambda: shared(first), "the first member has all partitions")
        second = member(address, group, **options)
        stack.callback(second.close)
        until(lambda: shared(first, second), "both members have their share")
        second.close()
        until(lambda: shared(first), "the first member has all partitions again")


def test_a_successor_continues_where_a_member_committed(address: str) -> None:
    group = "consumers-commit"
    consumer = member(address, group)
    seen: list[str] = []

    def has_all() -> bool:
        message = consumer.poll(0.1)
        if message is not None and not message.error():
            seen.append(message.value().decode())
        return len(seen) == 3 * len(PARTITIONS)

    until(has_all, "all messages were read")
    committed = consumer.commit(asynchronous=False)
    assert {(each.partition, each.offset) for each in committed} == {(p, 3) for p in PARTITIONS}
    consumer.close()
    successor = member(address, group)
    try:
        until(lambda: shared(successor), "the successor has all partitions")
        assert successor.poll(0.5) is None
    finally:
        successor.close()


def test_a_static_member_finds_its_partitions_again(address: str) -> None:
    group = "consumers-static"
    with ExitStack() as stack:
        first = member(address, group, **{"group.instance.id": "a"})
        stack.callback(first.close)
        second = member(address, group, **{"group.instance.id": "b"})
        until(lambda: shared(first, second), "both members have their share")
        share = share_of(second)
        second.close()
        second = member(address, group, **{"group.instance.id": "b"})
        stack.callback(second.close)
        until(lambda: share_of(second) == share, "the member has its share again")
        assert share_of(first) == PARTITIONS - share


def test_a_regular_expression_finds_topics_that_come_later(address: str) -> None:
    consumer = member(address, "consumers-regex", topic="^later-.*")
    try:
        admin = kafka_admin.AdminClient({"bootstrap.servers": address})
        topic = kafka_admin.NewTopic("later-1", num_partitions=4)
        admin.create_topics([topic])["later-1"].result()
        until(lambda: shared(consumer), "the member has the partitions of the new topic")
    finally:
        consumer.close()


def test_a_group_is_administered(address: str) -> None:
    group = "consumers-admin"
    admin = kafka_admin.AdminClient({"bootstrap.servers": address})
    consumer = member(address, group)
    until(lambda: shared(consumer), "the member has all partitions")
    (described,) = (f.result() for f in admin.describe_consumer_groups([group]).values())
    assert described.state == confluent_kafka.ConsumerGroupState.STABLE
    assert described.type == confluent_kafka.ConsumerGroupType.CONSUMER
    assert len(described.members[0].assignment.topic_partitions) == len(PARTITIONS)
    with pytest.raises(confluent_kafka.KafkaException):
        admin.delete_consumer_groups([group])[group].result()
    consumer.close()
    assert admin.delete_consumer_groups([group])[group].result() is None
    listed = admin.list_consumer_groups().result()
    assert group not in {each.group_id for each in listed.valid}


def test_members_go_on_after_a_restart_of_the_broker(tmp_path: Any) -> None:
    group = "consumers-survivor"
    with broker(tmp_path, options=OPTIONS) as address:
        producer = confluent_kafka.Producer({"bootstrap.servers": address})
        producer.produce(TOPIC, "one", partition=0)
        assert producer.flush(PATIENCE_S) == 0
        consumer = member(address, group)
        until(lambda: shared(consumer), "the member has all partitions")
        place = confluent_kafka.TopicPartition(TOPIC, 0, 1)
        consumer.commit(offsets=[place], asynchronous=False)
    try:
        with broker(tmp_path, int(address.rsplit(":", 1)[1]), options=OPTIONS) as address:
            (kept,) = consumer.committed([place], timeout=PATIENCE_S)
            assert kept.offset == 1
            until(lambda: shared(consumer), "the member has all partitions")
            second = member(address, group)
            try:
                until(lambda: shared(consumer, second), "both members have their share")
            finally:
                second.close()
            consumer.close()
    finally:
        consumer.close()
