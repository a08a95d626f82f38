"""Third-party clients, unmodified, against the broker over TCP; groups have their own file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.impl.broker_process import PATIENCE_S, broker

aiokafka = pytest.importorskip("aiokafka")
confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")
kafka = pytest.importorskip("kafka")

pytestmark = pytest.mark.clients

COUNT = 50
SENT = [b"value-%d" % i for i in range(COUNT)]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with broker() as running:
        yield running.address


@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka_reads_what_it_wrote(address: str, codec: str) -> None:
    topic = f"librdkafka-{codec}"
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "compression.type": codec, "enable.idempotence": True}
    )
    for value in SENT:
        producer.produce(topic, value, key=b"key", headers=[("h", b"1"), ("h", None)])
    assert producer.flush(PATIENCE_S) == 0
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "unused"})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    read = consumer.consume(COUNT, PATIENCE_S)
    consumer.close()
    assert [message.value() for message in read] == SENT
    assert [message.offset() for message in read] == list(range(COUNT))
    assert read[0].headers() == [("h", b"1"), ("h", None)]


def test_librdkafka_manages_topics(address: str) -> None:
    admin = confluent_admin.AdminClient({"bootstrap.servers": address})
    asked = confluent_admin.NewTopic("managed", 2, 1, config={"retention.ms": "1000"})
    assert admin.create_topics([asked])["managed"].result(PATIENCE_S) is None
    more = confluent_admin.NewPartitions("managed", 3)
    assert admin.create_partitions([more])["managed"].result(PATIENCE_S) is None
    resource = confluent_admin.ConfigResource("topic", "managed")
    found = admin.describe_configs([resource])[resource].result(PATIENCE_S)
    assert found["retention.ms"].value == "1000"
    described = admin.list_topics("managed", PATIENCE_S).topics["managed"]
    assert len(described.partitions) == 3
    assert admin.describe_cluster().result(PATIENCE_S).controller.id == 1
    assert admin.delete_topics(["managed"])["managed"].result(PATIENCE_S) is None


def test_librdkafka_finds_and_deletes_records(address: str) -> None:
    topic = confluent_kafka.TopicPartition("deleted", 0, 3)
    producer = confluent_kafka.Producer({"bootstrap.servers": address})
    for value in SENT:
        producer.produce("deleted", value)
    assert producer.flush(PATIENCE_S) == 0
    admin = confluent_admin.AdminClient({"bootstrap.servers": address})
    deleted = admin.delete_records([topic])[topic].result(PATIENCE_S)
    assert deleted.low_watermark == 3
    consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "unused"})
    assert consumer.get_watermark_offsets(topic, PATIENCE_S) == (3, COUNT)
    consumer.close()


def kafka_python_reads(address: str, topic: str) -> list[Any]:
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=address, auto_offset_reset="earliest", consumer_timeout_ms=30_000
    )
    consumer.assign([kafka.TopicPartition(topic, 0)])
    read = [next(consumer) for _ in range(COUNT)]
    consumer.close()
    return read


@pytest.mark.parametrize("codec", [None, "gzip"])
def test_kafka_python_reads_what_it_wrote(address: str, codec: str | None) -> None:
    topic = f"kafka-python-{codec}"
    producer = kafka.KafkaProducer(bootstrap_servers=address, compression_type=codec)
    futures = [producer.send(topic, value, key=b"key") for value in SENT]
    assert [f.get(PATIENCE_S).offset for f in futures] == list(range(COUNT))
    producer.close()
    read = kafka_python_reads(address, topic)
    assert [record.value for record in read] == SENT


def test_aiokafka_reads_what_it_wrote(address: str) -> None:
    assert asyncio.run(aiokafka_round_trip(address, "aiokafka")) == SENT


async def aiokafka_round_trip(address: str, topic: str) -> list[bytes]:
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, compression_type="gzip"
    )
    await producer.start()
    try:
        for value in SENT:
            await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()
    consumer = aiokafka.AIOKafkaConsumer(
        topic, bootstrap_servers=address, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(COUNT)]
    finally:
        await consumer.stop()


def test_one_client_reads_what_another_wrote(address: str) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "compression.type": "gzip"})
    for value in SENT:
        producer.produce("shared", value)
    assert producer.flush(PATIENCE_S) == 0
    assert [record.value for record in kafka_python_reads(address, "shared")] == SENT
