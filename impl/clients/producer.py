"""The producer as its user sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple

from impl.clients.core.accumulator import Target
from impl.clients.core.batches import Codecs, Headers, NewRecord
from impl.clients.core.config import ProducerConfig, read_config
from impl.clients.core.errors import ClientError
from impl.clients.core.partitioner import Partitioner
from impl.clients.core.producing import ProducerCore
from impl.clients.core.transactions import GroupMember, Transactions
from impl.clients.driver import Driver, now_ms
from impl.shell.platform import CODECS as RECORD_CODECS
from spec.wire.errors import ErrorCode

Serializer = Callable[[Any], bytes | None]


class RecordMetadata(NamedTuple):
    """Where a record is. The offset is -1 where nobody was told: with acks=0."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class Producer:
    """Writes records. Options by Kafka's names; unknown ones and bad values raise ConfigError.

    `key_serializer` and `value_serializer` turn what is sent into bytes; without them it is bytes.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        key_serializer: Serializer | None = None,
        value_serializer: Serializer | None = None,
        partitioner: Partitioner | None = None,
    ) -> None:
        self.config = read_config(ProducerConfig, options)
        self._key_serializer = key_serializer
        self._value_serializer = value_serializer
        self._core = ProducerCore(self.config, Codecs(*RECORD_CODECS), partitioner)
        self._driver = Driver(self._core, self.config.bootstrap_servers, self.config.client_id)
        self._driver.on_change = self._changed
        self._change = asyncio.Event()

    async def __aenter__(self) -> Producer:
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

    # Records

    async def send(
        self,
        topic: str,
        value: Any = None,
        *,
        key: Any = None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> RecordMetadata:
        """Write a record, and wait until it is acknowledged. Raises ClientError."""
        outcome = await self.enqueue(
            topic, value, key=key, partition=partition, headers=headers, timestamp_ms=timestamp_ms
        )
        return await outcome

    async def enqueue(
        self,
        topic: str,
        value: Any = None,
        *,
        key: Any = None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> asyncio.Future[RecordMetadata]:
        """Take a record, waiting up to `max.block.ms` for room; the future is its outcome."""
        key_bytes = _serialize(self._key_serializer, key)
        value_bytes = _serialize(self._value_serializer, value)
        timestamp = now_ms() if timestamp_ms is None else timestamp_ms
        size = NewRecord(key_bytes, value_bytes, headers, timestamp).size_estimate
        async with self._patience("buffer.memory is full"):
            await self._wait(lambda: self._core.has_room(size))
        loop = asyncio.get_running_loop()
        written: asyncio.Future[tuple[int, int, int]] = loop.create_future()
        outcome: asyncio.Future[RecordMetadata] = loop.create_future()
        written.add_done_callback(lambda done: _pass_on(topic, done, outcome))
        outputs = self._core.send(
            topic, partition, key_bytes, value_bytes, headers, timestamp, written, now_ms()
        )
        self._driver.carry_out(outputs)
        return outcome

    async def flush(self) -> None:
        """Return when everything that was taken has its outcome."""
        self._driver.carry_out(self._core.flush(now_ms()))
        await self._wait(lambda: self._core.is_idle)

    async def _wait(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._change.clear()
            await self._change.wait()

    @asynccontextmanager
    async def _patience(self, what: str) -> AsyncIterator[None]:
        """Raises ClientError when `max.block.ms` are over."""
        try:
            async with asyncio.timeout(self.config.max_block_ms / 1000):
                yield
        except TimeoutError:
            message = f"{what} for longer than max.block.ms, {self.config.max_block_ms}"
            raise ClientError(ErrorCode.REQUEST_TIMED_OUT, message) from None

    async def close(self) -> None:
        """Flush, then let go of everything."""
        await self.flush()
        await self._driver.close()

    # Transactions

    async def init_transactions(self) -> None:
        """Fence whoever used this `transactional.id` before. Raises ClientError.

        Where that, or another step of a transaction, takes longer than `max.block.ms`, it may be
        asked for again.
        """
        await self._ask(lambda handle: self._transactions.init(handle))

    def begin_transaction(self) -> None:
        self._transactions.begin()

    async def send_offsets_to_transaction(
        self, offsets: Mapping[tuple[str, int], int], member: GroupMember
    ) -> None:
        """Commit a consumer's positions if, and only if, the transaction is."""
        targets = {Target(*at): offset for at, offset in offsets.items()}
        await self._ask(lambda handle: self._transactions.send_offsets(targets, member, handle))

    async def commit_transaction(self) -> None:
        await self.flush()
        await self._ask(lambda handle: self._transactions.commit(handle))

    async def abort_transaction(self) -> None:
        await self.flush()
        await self._ask(lambda handle: self._transactions.abort(handle))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit what is written inside, or abort it if an exception leaves."""
        self.begin_transaction()
        try:
            yield
            await self.commit_transaction()
        except BaseException:
            if self._transactions.is_open:
                await self.abort_transaction()
            raise

    @property
    def _transactions(self) -> Transactions:
        if self._core.transactions is None:
            raise ClientError(ErrorCode.INVALID_TXN_STATE, "transactions need transactional.id.")
        return self._core.transactions

    async def _ask(self, begin: Callable[[asyncio.Future[None]], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        begin(done)
        self._driver.carry_out(self._core.tick(now_ms()))
        async with self._patience("the coordinator of transactions has not answered"):
            await done


def _serialize(serializer: Serializer | None, value: Any) -> bytes | None:
    if value is None:
        return None
    if serializer is not None:
        return serializer(value)
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(
            f"without a serializer a {type(value).__name__} cannot be sent, only bytes"
        )
    return bytes(value)


def _pass_on(
    topic: str,
    written: asyncio.Future[tuple[int, int, int]],
    outcome: asyncio.Future[RecordMetadata],
) -> None:
    if written.cancelled() or outcome.done():
        outcome.cancel()
    elif (error := written.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(RecordMetadata(topic, *written.result()))
