"""One data folder, used by this broker and by Apache Kafka in turns, as if they were one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.targets.apache_kafka import FAST, JAVA_OPTIONS, cache
from conformance.targets.nodes import ALONE, place
from conformance.targets.process import free_port
from tests.impl.broker_process import PATIENCE_S, broker

confluent_kafka = pytest.importorskip("confluent_kafka")
confluent_admin = pytest.importorskip("confluent_kafka.admin")

JARS = cache() / "apache-kafka" / "newest" / "jars"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        shutil.which("java") is None or not JARS.is_dir(), reason="needs Apache Kafka's jars"
    ),
]
QUIET = {"log_level": 0}
TOPIC = "orders"


@contextmanager
def apache_kafka(folder: Path, properties: Path) -> Iterator[str]:
    port = free_port()
    settings = {**place(1, port, {1: free_port()}, folder), **ALONE, **FAST}
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = ["java", *JAVA_OPTIONS, "-cp", str(JARS / "*"), "kafka.Kafka", str(properties)]
    output = properties.with_suffix(".log")
    with output.open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        admin = confluent_admin.AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", **QUIET})
        admin.list_topics(timeout=PATIENCE_S)
        yield f"127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(PATIENCE_S)


def write(address: str, *values: bytes) -> None:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "enable.idempotence": True, **QUIET}
    )
    for value in values:
        producer.produce(TOPIC, value, key=b"key")
    assert producer.flush(PATIENCE_S) == 0


def write_transactions(address: str, committed: bytes, aborted: bytes) -> None:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "transactional.id": "writer", **QUIET}
    )
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(TOPIC, aborted)
    assert producer.flush(PATIENCE_S) == 0
    producer.abort_transaction(PATIENCE_S)
    producer.begin_transaction()
    producer.produce(TOPIC, committed)
    producer.commit_transaction(PATIENCE_S)


def read_on(address: str, count: int) -> list[bytes]:
    """What the group has not read yet; its offsets are committed."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "readers",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **QUIET,
        }
    )
    consumer.subscribe([TOPIC])
    found = consumer.consume(count, PATIENCE_S)
    consumer.commit(asynchronous=False)
    consumer.close()
    return [message.value() for message in found]


def test_each_goes_on_where_the_other_stopped(tmp_path: Path) -> None:
    folder, properties = tmp_path / "data", tmp_path / "server.properties"
    with broker(folder=folder) as ours:
        write(ours.address, b"a", b"b", b"c")
        assert read_on(ours.address, 2) == [b"a", b"b"]
    with apache_kafka(folder, properties) as address:
        assert read_on(address, 1) == [b"c"]
        write(address, b"d")
        write_transactions(address, committed=b"e", aborted=b"never")
        assert read_on(address, 1) == [b"d"]
    with broker(folder=folder) as ours:
        write(ours.address, b"f", b"g")
        assert read_on(ours.address, 2) == [b"e", b"f"]
    with apache_kafka(folder, properties) as address:
        assert read_on(address, 1) == [b"g"]
