"""aiokafka, as its users use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from tests.impl.real_clients.cluster import POLL_INTERVAL_S
from tests.impl.real_clients.judge import PARTITIONS, Ledger, Seen
from tests.impl.real_clients.scenarios import PROCESSOR

aiokafka = pytest.importorskip("aiokafka")
errors = pytest.importorskip("aiokafka.errors")

OUT_OF_DATE = (errors.CommitFailedError, errors.IllegalGenerationError)


@asynccontextmanager
async def started(client: Any) -> AsyncIterator[Any]:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


def write(address: str, topic: str, ledger: Ledger) -> None:
    """Idempotent."""
    asyncio.run(_write(address, topic, ledger))


async def _write(address: str, topic: str, ledger: Ledger) -> None:
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, linger_ms=5
    )
    async with started(producer):
        for number in ledger.numbers():
            sent = await producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
            sent.add_done_callback(partial(_told, ledger, number))
            while ledger.is_full:
                await asyncio.sleep(POLL_INTERVAL_S)
        await producer.flush()


def _told(ledger: Ledger, number: int, outcome: asyncio.Future[Any]) -> None:
    ledger.done(number, outcome.exception())


def write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    asyncio.run(_write_transactions(address, topic, ledger))


async def _write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=address, transactional_id=PROCESSOR, linger_ms=5
    )
    async with started(producer):
        for values, commits in ledger.bundles():
            await producer.begin_transaction()
            for number in values:
                await producer.send(topic, b"%d" % number, partition=number % PARTITIONS)
            if not commits:
                await producer.flush()
                await producer.abort_transaction()
                continue
            await producer.commit_transaction()
            for number in values:
                ledger.done(number)


def read(address: str, topic: str, group: str, seen: Seen) -> None:
    """A member of a group that commits what it was given."""
    asyncio.run(_read(address, topic, group, seen))


async def _read(address: str, topic: str, group: str, seen: Seen) -> None:
    consumer = aiokafka.AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=6_000,
        heartbeat_interval_ms=200,
    )
    async with started(consumer):
        while not seen.is_over.is_set():
            found = await consumer.getmany(timeout_ms=50)
            for records in found.values():
                for record in records:
                    seen.note(record.value)
            if found:
                with suppress(*OUT_OF_DATE):  # the partitions are another's by now
                    await consumer.commit()
