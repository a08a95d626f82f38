"""The clients of this project."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from impl.clients import ClientError, Consumer, Producer
from impl.clients.producer import RecordMetadata
from spec.wire.errors import ErrorCode
from tests.impl.real_clients.cluster import POLL_INTERVAL_S
from tests.impl.real_clients.judge import PARTITIONS, Ledger, Seen
from tests.impl.real_clients.scenarios import PROCESSOR

OUT_OF_DATE = (
    ErrorCode.ILLEGAL_GENERATION,
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.UNKNOWN_MEMBER_ID,
)
IMPATIENT = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 200}


def write(address: str, topic: str, ledger: Ledger) -> None:
    asyncio.run(_write(address, topic, ledger))


async def _write(address: str, topic: str, ledger: Ledger) -> None:
    async with Producer({"bootstrap.servers": address}) as producer:
        for number in ledger.numbers():
            value, partition = b"%d" % number, number % PARTITIONS
            outcome = await producer.enqueue(topic, value, partition=partition)
            outcome.add_done_callback(partial(_told, ledger, number))
            while ledger.is_full:
                await asyncio.sleep(POLL_INTERVAL_S)


def _told(ledger: Ledger, number: int, outcome: asyncio.Future[RecordMetadata]) -> None:
    ledger.done(number, outcome.exception())


def write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    asyncio.run(_write_transactions(address, topic, ledger))


async def _write_transactions(address: str, topic: str, ledger: Ledger) -> None:
    async with transactional(address) as producer:
        await producer.init_transactions()
        for values, commits in ledger.bundles():
            producer.begin_transaction()
            for number in values:
                await producer.enqueue(topic, b"%d" % number, partition=number % PARTITIONS)
            if not commits:
                await producer.abort_transaction()
                continue
            await producer.commit_transaction()
            for number in values:
                ledger.done(number)


def transactional(address: str) -> Producer:
    return Producer({"bootstrap.servers": address, "transactional.id": PROCESSOR})


def consumer_of(address: str, group: str) -> Consumer:
    options: dict[str, Any] = {
        "bootstrap.servers": address,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        **IMPATIENT,
    }
    return Consumer(options)


def read(address: str, topic: str, group: str, seen: Seen) -> None:
    asyncio.run(_read(address, topic, group, seen))


async def _read(address: str, topic: str, group: str, seen: Seen) -> None:
    async with consumer_of(address, group) as consumer:
        consumer.subscribe([topic])
        while not seen.is_over.is_set():
            records = await consumer.poll(0.05)
            for record in records:
                seen.note(record.value)
            if records:
                try:
                    await consumer.commit()
                except ClientError as refused:
                    if refused.error not in OUT_OF_DATE:
                        raise


def process(address: str, source: str, target: str, group: str, seen: Seen) -> None:
    asyncio.run(_process(address, source, target, group, seen))


async def _process(address: str, source: str, target: str, group: str, seen: Seen) -> None:
    async with consumer_of(address, group) as consumer, transactional(address) as producer:
        await producer.init_transactions()
        consumer.subscribe([source])
        while not seen.is_over.is_set():
            records = await consumer.poll(0.05)
            if not records:
                continue
            async with producer.transaction():
                for record in records:
                    await producer.enqueue(target, record.value, partition=record.partition)
                offsets = {(source, r.partition): r.offset + 1 for r in records}
                await producer.send_offsets_to_transaction(offsets, consumer.group_member())
            for record in records:
                seen.note(record.value)
