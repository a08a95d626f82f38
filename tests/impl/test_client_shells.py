"""The producer and the consumer over TCP, as their users meet them."""

from __future__ import annotations

import asyncio
import re
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import impl
from impl.clients import ClientError, Consumer, Producer
from impl.clients.core.partitioner import round_robin
from impl.core.config import ConfigError
from spec.wire.errors import ErrorCode
from tests.impl.broker_process import PATIENCE_S, broker

README = Path(impl.__file__).parents[1] / "README.md"
NOBODY = "127.0.0.1:1"
SETTINGS = (
    "num.partitions=3",
    "offsets.topic.num.partitions=1",
    "transaction.state.log.num.partitions=1",
    "group.initial.rebalance.delay.ms=0",
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with broker(*[f"--set={each}" for each in SETTINGS]) as running:
        yield running.address


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, PATIENCE_S))


async def read(consumer: Consumer, count: int) -> list[Any]:
    found: list[Any] = []
    async for record in consumer:
        found.append(record)
        if len(found) == count:
            break
    return found


def test_the_example_of_the_readme_works(address: str) -> None:
    (section,) = re.findall(r"^## Clients\n(.*?)^## ", README.read_text(), re.M | re.S)
    lines = section.splitlines()
    code = "\n".join(each for each in lines if each.startswith("    ") or not each)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code), names)
    assert run(names["main"](address)) == (b"ann", "two books")


def test_records_arrive_as_they_were_sent(address: str) -> None:
    async def work() -> None:
        async with Producer(
            {"bootstrap.servers": address, "compression.type": "zstd"},
            key_serializer=lambda number: b"%d" % number,
            value_serializer=str.encode,
        ) as producer:
            headers = (("h", b"x"), ("n", None))
            place = await producer.send("sent", "text", key=7, headers=headers, timestamp_ms=5)
            nothing = await producer.send("sent", None, key=7)
            assert (nothing.partition, nothing.offset) == (place.partition, place.offset + 1)
        options = {"bootstrap.servers": address, "auto.offset.reset": "earliest"}
        async with Consumer(
            options, key_deserializer=int, value_deserializer=bytes.decode
        ) as consumer:
            consumer.assign([("sent", place.partition)])
            found, empty = await read(consumer, 2)
        assert (found.key, found.value, found.timestamp) == (7, "text", 5)
        assert found.headers == headers
        assert (empty.key, empty.value) == (7, None)

    run(work())


def test_a_partitioner_of_the_user_decides(address: str) -> None:
    async def work() -> None:
        options = {"bootstrap.servers": address}
        async with Producer(options, partitioner=round_robin()) as producer:
            places = [await producer.send("round", b"v", key=b"k") for _ in range(4)]
        assert [each.partition for each in places] == [0, 1, 2, 0]

    run(work())


def test_a_successor_goes_on_where_a_consumer_was_closed(address: str) -> None:
    async def work() -> None:
        async with Producer({"bootstrap.servers": address}) as producer:
            for number in range(4):
                await producer.send("continued", b"%d" % number, partition=0)
        options = {
            "bootstrap.servers": address,
            "group.id": "continued",
            "auto.offset.reset": "earliest",
            "max.poll.records": 2,
        }
        for expected in ([b"0", b"1"], [b"2", b"3"]):
            async with Consumer(options) as consumer:
                consumer.subscribe(["continued"])
                records: list[Any] = []
                while not records:
                    records = await consumer.poll()
                assert [each.value for each in records] == expected

    run(work())


def test_a_transaction_whose_block_fails_is_aborted(address: str) -> None:
    async def work() -> None:
        options = {"bootstrap.servers": address, "transactional.id": "block"}
        async with Producer(options) as producer:
            await producer.init_transactions()
            with suppress(ZeroDivisionError):
                async with producer.transaction():
                    await producer.send("blocks", b"aborted", partition=0)
                    raise ZeroDivisionError
            async with producer.transaction():
                await producer.send("blocks", b"committed", partition=0)
        reading = {
            "bootstrap.servers": address,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
        async with Consumer(reading) as consumer:
            consumer.assign([("blocks", 0)])
            (found,) = await read(consumer, 1)
        assert found.value == b"committed"

    run(work())


def test_a_full_buffer_is_waited_for_max_block_ms() -> None:
    async def work() -> None:
        options = {
            "bootstrap.servers": NOBODY,
            "buffer.memory": 200,
            "max.block.ms": 50,
            "linger.ms": 0,
            "request.timeout.ms": 100,
            "delivery.timeout.ms": 100,
        }
        producer = Producer(options)
        outcome = await producer.enqueue("t", bytes(100))
        with pytest.raises(ClientError, match=r"buffer\.memory is full .* max\.block\.ms, 50"):
            await producer.enqueue("t", bytes(100))
        with pytest.raises(ClientError) as lost:
            await outcome
        assert lost.value.error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        await producer.close()

    run(work())


def test_a_coordinator_that_nobody_finds_is_waited_for_max_block_ms() -> None:
    async def work() -> None:
        options = {"bootstrap.servers": NOBODY, "transactional.id": "x", "max.block.ms": 50}
        async with Producer(options) as producer:
            for _ in range(2):
                with pytest.raises(ClientError, match="has not answered"):
                    await producer.init_transactions()

    run(work())


@pytest.mark.parametrize("client", [Producer, Consumer])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bootstrap.servers": "localhost"}, "bootstrap.servers is a list of HOST:PORT"),
        ({"bootstrap.server": NOBODY}, "There is no option bootstrap.server."),
        ({"request.timeout.ms": -1}, "request.timeout.ms is at least 0, and -1 is less."),
    ],
)
def test_bad_options_get_a_sentence(client: Any, options: Any, sentence: str) -> None:
    async def work() -> None:
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            client(options)

    run(work())


def test_a_value_that_is_not_bytes_needs_a_serializer() -> None:
    async def work() -> None:
        async with Producer({"bootstrap.servers": NOBODY}) as producer:
            with pytest.raises(TypeError, match="without a serializer a str cannot be sent"):
                await producer.send("t", "text")

    run(work())
