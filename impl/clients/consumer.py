"""The consumer as its user sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from impl.clients.core.accumulator import Target
from impl.clients.core.batches import Codecs
from impl.clients.core.config import ConsumerConfig, read_config
from impl.clients.core.consuming import ConsumerCore
from impl.clients.core.fetching import ConsumerRecord
from impl.clients.core.transactions import GroupMember
from impl.clients.driver import Driver, now_ms
from impl.shell.platform import CODECS as RECORD_CODECS

Deserializer = Callable[[bytes], Any]


class Consumer:
    """Reads records. Options by Kafka's names; unknown ones and bad values raise ConfigError."""

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        key_deserializer: Deserializer | None = None,
        value_deserializer: Deserializer | None = None,
    ) -> None:
        self.config = read_config(ConsumerConfig, options)
        self._deserializers = key_deserializer, value_deserializer
        self._core = ConsumerCore(self.config, Codecs(*RECORD_CODECS))
        self._driver = Driver(self._core, self.config.bootstrap_servers, self.config.client_id)
        self._driver.on_change = self._changed
        self._change = asyncio.Event()

    async def __aenter__(self) -> Consumer:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _changed(self) -> None:
        self._change.set()

    # What to read

    def subscribe(self, topics: Iterable[str]) -> None:
        """Share these topics with the other members of `group.id`."""
        self._core.subscribe(topics, now_ms())

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read these partitions, whatever others read."""
        self._core.assign(Target(*each) for each in partitions)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._core.seek(Target(topic, partition), offset)

    @property
    def assignment(self) -> list[tuple[str, int]]:
        return [tuple(each) for each in self._core.subscription.places]  # type: ignore[misc]

    def position(self, topic: str, partition: int) -> int | None:
        """The offset of the next record that a poll hands out, once that is known."""
        place = self._core.subscription.places.get(Target(topic, partition))
        return None if place is None else place.position

    # Records

    async def poll(self, timeout_s: float = 1.0) -> list[ConsumerRecord]:
        """Up to `max.poll.records` records; none when none came in time. Raises ClientError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        often_s = self.config.max_poll_interval_ms / 2_000
        while True:
            self._change.clear()
            records, outputs = self._core.poll(now_ms())
            self._driver.carry_out(outputs)
            if records:
                return [self._deserialized(record) for record in records]
            try:
                async with asyncio.timeout_at(min(until, loop.time() + often_s)):
                    await self._news()
            except TimeoutError:
                if loop.time() >= until:
                    return []

    async def _news(self) -> None:
        while not self._core.has_news:
            self._change.clear()
            await self._change.wait()

    def _deserialized(self, record: ConsumerRecord) -> ConsumerRecord:
        for_key, for_value = self._deserializers
        if for_key is not None and record.key is not None:
            record = record._replace(key=for_key(record.key))
        if for_value is not None and record.value is not None:
            record = record._replace(value=for_value(record.value))
        return record

    async def __aiter__(self) -> AsyncIterator[ConsumerRecord]:
        while True:
            for record in await self.poll():
                yield record

    async def commit(self, offsets: Mapping[tuple[str, int], int] | None = None) -> None:
        """Commit the positions behind what was polled, or the given ones. Raises ClientError."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        chosen = None if offsets is None else {Target(*at): o for at, o in offsets.items()}
        self._driver.carry_out(self._core.commit(chosen, done, now_ms()))
        await done

    def group_member(self) -> GroupMember:
        """For `Producer.send_offsets_to_transaction`."""
        return self._core.group_member()

    async def close(self) -> None:
        """Commit if that is this consumer's business, leave the group, let go of everything."""
        self._driver.carry_out(self._core.close(now_ms()))
        await self._driver.settle()
        await self._driver.close()
