"""Transactional producers of third parties, unmodified, against brokers over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.impl.broker_process import PATIENCE_S, broker

aiokafka = pytest.importorskip("aiokafka")
confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.clients

ALONE = (
    "transaction.state.log.replication.factor=1",
    "transaction.state.log.min.isr=1",
    "transaction.state.log.num.partitions=3",
    "offsets.topic.replication.factor=1",
    "offsets.topic.num.partitions=3",
)
CLUSTER = ("transaction.state.log.num.partitions=3", "offsets.topic.num.partitions=3")


def settings(*options: str) -> list[str]:
    return [argument for option in options for argument in ("--set", option)]


@pytest.fixture(scope="module", params=["alone", "cluster"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    arguments = settings(*ALONE)
    if request.param == "cluster":
        arguments = ["--cluster", "3", *settings(*CLUSTER)]
    with broker(*arguments) as running:
        yield running.address


def create(address: str, topic: str, num_partitions: int = 3) -> None:
    admin = confluent_admin.AdminClient({"bootstrap.servers": address})
    asked = confluent_admin.NewTopic(topic, num_partitions)
    admin.create_topics([asked])[topic].result(PATIENCE_S)


def committed(address: str, topic: str, num_partitions: int = 3) -> set[bytes]:
    """What a reader of committed records gets, until the end of every partition."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    start = confluent_kafka.OFFSET_BEGINNING
    consumer.assign(
        [confluent_kafka.TopicPartition(topic, index, start) for index in range(num_partitions)]
    )
    found: set[bytes] = set()
    ended: set[int] = set()
    while len(ended) < num_partitions:
        message = consumer.poll(PATIENCE_S)
        assert message is not None, "nothing more came, not even an end"
        if message.error() is None:
            found.add(message.value())
        else:
            ended.add(message.partition())
    consumer.close()
    return found


def transactional(address: str, transactional_id: str) -> Any:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "transactional.id": transactional_id}
    )
    producer.init_transactions(PATIENCE_S)
    return producer


def test_librdkafka_commits_and_aborts(address: str) -> None:
    create(address, "librdkafka")
    producer = transactional(address, "librdkafka")
    for number in range(6):
        producer.begin_transaction()
        for partition in range(3):
            value = b"%d-%d" % (number, partition)
            producer.produce("librdkafka", value, partition=partition)
        if number % 2:
            producer.abort_transaction(PATIENCE_S)
        else:
            producer.commit_transaction(PATIENCE_S)
    expected = {b"%d-%d" % (number, partition) for number in (0, 2, 4) for partition in range(3)}
    assert committed(address, "librdkafka") == expected


def test_librdkafka_is_fenced_by_its_successor(address: str) -> None:
    create(address, "fenced")
    zombie = transactional(address, "fenced")
    zombie.begin_transaction()
    zombie.produce("fenced", b"zombie", partition=0)
    zombie.flush(PATIENCE_S)
    successor = transactional(address, "fenced")
    successor.begin_transaction()
    successor.produce("fenced", b"successor", partition=0)
    successor.commit_transaction(PATIENCE_S)
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        zombie.commit_transaction(PATIENCE_S)
    assert refused.value.args[0].fatal()
    assert committed(address, "fenced") == {b"successor"}


def test_librdkafka_commits_offsets_with_what_it_wrote(address: str) -> None:
    create(address, "input", 1)
    create(address, "output", 1)
    producer = transactional(address, "stream")
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "stream",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["input"])
    plain = confluent_kafka.Producer({"bootstrap.servers": address})
    plain.produce("input", b"in")
    plain.flush(PATIENCE_S)
    assert consumer.poll(PATIENCE_S).value() == b"in"
    for outcome in ("abort", "commit"):
        producer.begin_transaction()
        producer.produce("output", outcome.encode())
        positions = consumer.position(consumer.assignment())
        metadata = consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction(positions, metadata, PATIENCE_S)
        if outcome == "commit":
            producer.commit_transaction(PATIENCE_S)
        else:
            producer.abort_transaction(PATIENCE_S)
            (before,) = consumer.committed(consumer.assignment(), PATIENCE_S)
            assert before.offset == confluent_kafka.OFFSET_INVALID
    (after,) = consumer.committed(consumer.assignment(), PATIENCE_S)
    assert after.offset == 1
    consumer.close()
    assert committed(address, "output", 1) == {b"commit"}


def test_aiokafka_commits_and_aborts(address: str) -> None:
    create(address, "aiokafka")

    async def run() -> None:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=address, transactional_id="aiokafka"
        )
        await producer.start()
        try:
            for number in range(4):
                await producer.begin_transaction()
                for partition in range(3):
                    value = b"%d-%d" % (number, partition)
                    await producer.send_and_wait("aiokafka", value, partition=partition)
                if number % 2:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        finally:
            await producer.stop()

    asyncio.run(asyncio.wait_for(run(), 2 * PATIENCE_S))
    expected = {b"%d-%d" % (number, partition) for number in (0, 2) for partition in range(3)}
    assert committed(address, "aiokafka") == expected
