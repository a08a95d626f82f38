"""Consumer groups of third-party clients against the reference broker, over TCP.

Each does the same: two members share a topic, one leaves, the other takes over, and what was
committed is where a newcomer begins.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

aiokafka = pytest.importorskip("aiokafka")
confluent_kafka = pytest.importorskip("confluent_kafka")
kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("confluent_kafka.admin")

pytestmark = pytest.mark.clients

TOPIC = "orders"
PARTITIONS = {0, 1, 2, 3}
READY = "brokerspec broker ready on "
PATIENCE_S = 30.0
POLL_INTERVAL_S = 0.01


@contextmanager
def broker(folder: Path, port: int = 0, options: Mapping[str, str] | None = None) -> Iterator[str]:
    """A broker as anyone would start it, with these options; gives its address."""
    command = [sys.executable, "-m", "brokerspec", "broker", "--port", str(port)]
    # Not 0: kafka-python may be made the leader before it has read the metadata, assigns nothing
    # then, and does not look again for minutes.
    command += ["--data", str(folder), "--set", "group.initial.rebalance.delay.ms=300"]
    command += ["--set", f"num.partitions={len(PARTITIONS)}"]
    for name, value in (options or {}).items():
        command += ["--set", f"{name}={value}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(READY), line
        yield line.removeprefix(READY).strip()
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("groups")) as running:
        producer = confluent_kafka.Producer({"bootstrap.servers": running})
        for partition in PARTITIONS:
            for number in range(3):
                producer.produce(TOPIC, f"{partition}-{number}", partition=partition)
        assert producer.flush(PATIENCE_S) == 0
        yield running


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen that {what}"


# confluent-kafka


def librdkafka(address: str, group: str, **options: Any) -> Any:
    defaults = {
        "bootstrap.servers": address,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 200,
    }
    consumer = confluent_kafka.Consumer(defaults | options)
    consumer.subscribe([TOPIC])
    return consumer


def share_of(consumer: Any) -> set[int]:
    consumer.poll(0.02)
    return {each.partition for each in consumer.assignment()}


def shared(*consumers: Any) -> bool:
    shares = [share_of(each) for each in consumers]
    return all(shares) and sum(map(len, shares)) == 4 and set().union(*shares) == PARTITIONS


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_librdkafka_members_share_a_topic(address: str, strategy: str) -> None:
    group, options = f"librdkafka-{strategy}", {"partition.assignment.strategy": strategy}
    with ExitStack() as stack:
        first = librdkafka(address, group, **options)
        stack.callback(first.close)
        until(lambda: shared(first), "the first member has all partitions")
        second = librdkafka(address, group, **options)
        stack.callback(second.close)
        until(lambda: shared(first, second), "both members have their share")
        second.close()
        until(lambda: shared(first), "the first member has all partitions again")


def test_librdkafka_continues_where_it_committed(address: str) -> None:
    group = "librdkafka-commit"
    consumer = librdkafka(address, group)
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
    successor = librdkafka(address, group)
    try:
        places = [confluent_kafka.TopicPartition(TOPIC, partition) for partition in PARTITIONS]
        assert {each.offset for each in successor.committed(places, timeout=PATIENCE_S)} == {3}
        until(lambda: shared(successor), "the successor has all partitions")
        assert successor.poll(0.5) is None
    finally:
        successor.close()


def test_a_static_librdkafka_member_returns_without_a_rebalance(address: str) -> None:
    group = "librdkafka-static"
    first = librdkafka(address, group, **{"group.instance.id": "a"})
    second = librdkafka(address, group, **{"group.instance.id": "b"})
    try:
        until(lambda: shared(first, second), "both members have their share")
        share = share_of(second)
        second.close()  # a static member does not leave
        second = librdkafka(address, group, **{"group.instance.id": "b"})
        until(lambda: share_of(second) == share, "the member has its share again")
        assert share_of(first) == PARTITIONS - share
    finally:
        first.close()
        second.close()


def test_librdkafka_administers_groups(address: str) -> None:
    group = "librdkafka-admin"
    admin = kafka_admin.AdminClient({"bootstrap.servers": address})
    consumer = librdkafka(address, group)
    until(lambda: shared(consumer), "the member has all partitions")
    (described,) = (f.result() for f in admin.describe_consumer_groups([group]).values())
    assert described.state == confluent_kafka.ConsumerGroupState.STABLE
    assert len(described.members[0].assignment.topic_partitions) == len(PARTITIONS)
    listed = admin.list_consumer_groups().result()
    assert group in {each.group_id for each in listed.valid}
    with pytest.raises(confluent_kafka.KafkaException):
        admin.delete_consumer_groups([group])[group].result()
    consumer.close()
    assert admin.delete_consumer_groups([group])[group].result() is None
    listed = admin.list_consumer_groups().result()
    assert group not in {each.group_id for each in listed.valid}


def test_groups_survive_a_restart_of_the_broker(tmp_path: Path) -> None:
    group = "survivor"
    with broker(tmp_path) as address:
        producer = confluent_kafka.Producer({"bootstrap.servers": address})
        producer.produce(TOPIC, "one", partition=0)
        assert producer.flush(PATIENCE_S) == 0
        consumer = librdkafka(address, group)
        until(lambda: shared(consumer), "the member has all partitions")
        place = confluent_kafka.TopicPartition(TOPIC, 0, 1)
        consumer.commit(offsets=[place], asynchronous=False)
    try:
        with broker(tmp_path, int(address.rsplit(":", 1)[1])) as address:
            (kept,) = consumer.committed([place], timeout=PATIENCE_S)
            assert kept.offset == 1
            consumer.commit(
                offsets=[confluent_kafka.TopicPartition(TOPIC, 0, 0)], asynchronous=False
            )
            admin = kafka_admin.AdminClient({"bootstrap.servers": address})
            (known,) = (f.result() for f in admin.describe_consumer_groups([group]).values())
            assert known.state == confluent_kafka.ConsumerGroupState.STABLE
            consumer.close()
    finally:
        consumer.close()


# kafka-python


class PollingConsumer:
    """A kafka-python consumer that polls in a thread of its own, as applications do."""

    def __init__(self, address: str, group: str) -> None:
        self._stopped = threading.Event()
        self.values: list[str] = []
        self.partitions: set[int] = set()
        self.failures: list[BaseException] = []
        self._consumer = kafka.KafkaConsumer(
            TOPIC,
            bootstrap_servers=address,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=200,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                for records in self._consumer.poll(timeout_ms=50).values():
                    self.values += [record.value.decode() for record in records]
                    self._consumer.commit()
                self.partitions = {each.partition for each in self._consumer.assignment()}
        except BaseException as failure:
            self.failures.append(failure)
        finally:
            self._consumer.close()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE_S)
        assert self.failures == []


def divided(*members: PollingConsumer) -> bool:
    time.sleep(POLL_INTERVAL_S)
    shares = [set(each.partitions) for each in members]
    return all(shares) and sum(map(len, shares)) == 4 and set().union(*shares) == PARTITIONS


def test_kafka_python_members_share_a_topic_and_commit(address: str) -> None:
    with ExitStack() as stack:
        first = PollingConsumer(address, "kafka-python")
        stack.callback(first.close)
        until(lambda: divided(first), "the first member has all partitions")
        second = PollingConsumer(address, "kafka-python")
        until(lambda: divided(first, second), "both members have their share")
        second.close()
        until(lambda: divided(first), "the first member has all partitions again")
        until(lambda: len(set(first.values + second.values)) == 12, "all was read")
    successor = PollingConsumer(address, "kafka-python")
    try:
        until(lambda: divided(successor), "the successor has all partitions")
        assert successor.values == []
    finally:
        successor.close()


# aiokafka


async def awaited(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"it did not happen that {what}"


def test_aiokafka_members_share_a_topic_and_commit(address: str) -> None:
    asyncio.run(_aiokafka_members_share_a_topic_and_commit(address))


async def _aiokafka_members_share_a_topic_and_commit(address: str) -> None:
    seen: list[str] = []

    async def member() -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            TOPIC,
            bootstrap_servers=address,
            group_id="aiokafka",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=200,
        )
        await consumer.start()
        return consumer

    async def is_divided(*consumers: Any) -> bool:
        for consumer in consumers:
            found = await consumer.getmany(timeout_ms=20)
            seen.extend(r.value.decode() for records in found.values() for r in records)
            if found:
                await consumer.commit()
        shares = [{each.partition for each in consumer.assignment()} for consumer in consumers]
        return all(shares) and sum(map(len, shares)) == 4 and set().union(*shares) == PARTITIONS

    first = await member()
    try:
        await awaited(lambda: is_divided(first), "the first member has all partitions")
        second = await member()
        try:
            await awaited(lambda: is_divided(first, second), "both have their share")
        finally:
            await second.stop()
        await awaited(lambda: is_divided(first), "the first has all partitions again")

        async def all_read() -> bool:
            return await is_divided(first) and len(set(seen)) == 12

        await awaited(all_read, "all was read")
        place = aiokafka.TopicPartition(TOPIC, 0)
        assert await first.committed(place) == 3
    finally:
        await first.stop()
