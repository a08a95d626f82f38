"""confluent-kafka, which is librdkafka, as its users use it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.impl.real_clients.cluster import PATIENCE_S
from tests.impl.real_clients.judge import PARTITIONS, Ledger, Seen
from tests.impl.real_clients.scenarios import PROCESSOR

confluent_kafka = pytest.importorskip("confluent_kafka")

POLL_S = 0.05
QUIET = {"log_level": 0}
IMPATIENT = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 200}
PROTOCOLS: dict[str, dict[str, Any]] = {
    "classic": IMPATIENT,
    "classic-cooperative": {**IMPATIENT, "partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}


def write(address: str, topic: str, ledger: Ledger, *, idempotent: bool = True) -> None:
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "enable.idempotence": idempotent, "linger.ms": 5, **QUIET}
    )

    def delivered(number: int, error: object, _message: object) -> None:
        ledger.done(number, error)

    for number in ledger.numbers():
        producer.produce(
            topic,
            b"%d" % number,
            partition=number % PARTITIONS,
            on_delivery=partial(delivered, number),
        )
        producer.poll(0)
        while ledger.is_full:
            producer.poll(POLL_S)
    assert producer.flush(PATIENCE_S) == 0


def write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    producer = transactional(address)
    for values, commits in ledger.bundles():
        try:
            producer.begin_transaction()
            for number in values:
                producer.produce(topic, b"%d" % number, partition=number % PARTITIONS)
            producer.flush(PATIENCE_S)  # an abort alone drops what was not sent yet
            if not commits:
                producer.abort_transaction(PATIENCE_S)
                continue
            commit(producer)
        except confluent_kafka.KafkaException as refused:
            abort_after(refused, producer)
            continue
        for number in values:
            ledger.done(number)


def transactional(address: str) -> Any:
    options = {"bootstrap.servers": address, "transactional.id": PROCESSOR, **QUIET}
    producer = confluent_kafka.Producer({**options, "linger.ms": 5})
    producer.init_transactions(PATIENCE_S)
    return producer


def commit(producer: Any) -> None:
    """A commit whose outcome is not known is asked for again, as the documentation says."""
    while True:
        try:
            producer.commit_transaction(PATIENCE_S)
        except confluent_kafka.KafkaException as refused:
            if not refused.args[0].retriable():
                raise
        else:
            return


def abort_after(refused: Any, producer: Any) -> None:
    error = refused.args[0]
    assert error.txn_requires_abort(), f"a transaction fails for good: {error}"
    producer.abort_transaction(PATIENCE_S)


def consumer_of(address: str, topic: str, group: str, protocol: str, **options: object) -> Any:
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **PROTOCOLS[protocol],
            **QUIET,
            **options,
        }
    )
    consumer.subscribe([topic])
    return consumer


def read(protocol: str, address: str, topic: str, group: str, seen: Seen) -> None:
    """A member of a group that commits what it was given."""
    consumer = consumer_of(address, topic, group, protocol)
    try:
        while not seen.is_over.is_set():
            messages = consumer.consume(100, POLL_S)
            values = [message.value() for message in messages if message.error() is None]
            for value in values:
                seen.note(value)
            if values:
                consumer.commit(asynchronous=True)
    finally:
        consumer.close()


def process(protocol: str, address: str, source: str, target: str, group: str, seen: Seen) -> None:
    """Read, write and commit the position in one transaction, so that each value counts once."""
    consumer = consumer_of(address, source, group, protocol)
    producer = transactional(address)
    try:
        while not seen.is_over.is_set():
            messages = [m for m in consumer.consume(50, POLL_S) if m.error() is None]
            if not messages:
                continue
            try:
                pass_on(consumer, producer, target, messages)
            except confluent_kafka.KafkaException as refused:
                abort_after(refused, producer)
                rewind(consumer)
                continue
            for message in messages:
                seen.note(message.value())
    finally:
        consumer.close()


def pass_on(consumer: Any, producer: Any, target: str, messages: list[Any]) -> None:
    producer.begin_transaction()
    for message in messages:
        producer.produce(target, message.value(), partition=message.partition())
    positions = consumer.position(consumer.assignment())
    known = [each for each in positions if each.offset >= 0]
    producer.send_offsets_to_transaction(known, consumer.consumer_group_metadata(), PATIENCE_S)
    commit(producer)


def rewind(consumer: Any) -> None:
    """Back to what was committed, or to the beginning."""
    for place in consumer.committed(consumer.assignment(), PATIENCE_S):
        if place.offset < 0:
            place.offset = confluent_kafka.OFFSET_BEGINNING
        consumer.seek(place)
