"""kafka-python, as its users use it."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.impl.real_clients.cluster import PATIENCE_S
from tests.impl.real_clients.judge import PARTITIONS, Ledger, Seen
from tests.impl.real_clients.scenarios import PROCESSOR

kafka = pytest.importorskip("kafka")
errors = pytest.importorskip("kafka.errors")

POLL_MS = 50
OUT_OF_DATE = (errors.CommitFailedError, errors.RebalanceInProgressError)


def write(address: str, topic: str, ledger: Ledger) -> None:
    """Idempotent."""
    producer = kafka.KafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, linger_ms=5, retry_backoff_ms=50
    )
    try:
        for number in ledger.numbers():
            sent = producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
            sent.add_callback(partial(_acknowledged, ledger, number))
            sent.add_errback(partial(ledger.done, number))
            ledger.wait_for_room()
        producer.flush(PATIENCE_S)
    finally:
        producer.close(PATIENCE_S)


def _acknowledged(ledger: Ledger, number: int, _metadata: object) -> None:
    ledger.done(number)


def write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    producer = kafka.KafkaProducer(
        bootstrap_servers=address, transactional_id=PROCESSOR, linger_ms=5, retry_backoff_ms=50
    )
    try:
        producer.init_transactions()
        for values, commits in ledger.bundles():
            producer.begin_transaction()
            for number in values:
                producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
            producer.flush(PATIENCE_S)
            if not commits:
                producer.abort_transaction()
                continue
            producer.commit_transaction()
            for number in values:
                ledger.done(number)
    finally:
        producer.close(PATIENCE_S)


def read(address: str, topic: str, group: str, seen: Seen) -> None:
    """A member of a group that commits what it was given."""
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=200,
        retry_backoff_ms=50,
    )
    try:
        while not seen.is_over.is_set():
            found: dict[Any, list[Any]] = consumer.poll(POLL_MS)
            for records in found.values():
                for record in records:
                    seen.note(record.value)
            if found:
                with suppress(*OUT_OF_DATE):  # the partitions are another's by now
                    consumer.commit()
    finally:
        consumer.close()
