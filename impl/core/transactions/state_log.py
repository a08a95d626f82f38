"""The partitions of `__transaction_state` that this broker leads, and what their records say.

TXNI-10: a change counts once its record is committed, and not before; until then it is on its way
and the transactional id takes no other. What a new leader finds counts once all of that is
committed: it may hold records that nobody else has, and that may yet get lost.

Which changes are made is decided by `coordinator`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from impl.core.cluster.catalogue import Catalogue
from impl.core.data.partition import Partition
from impl.core.data.partitions import Partitions
from impl.core.groups.coordinator_log import AppendError, partition_of
from impl.core.groups.lookup import TRANSACTIONS_TOPIC
from impl.core.refusal import KafkaError
from impl.core.transactions.transaction import Transaction
from spec.wire.errors import ErrorCode

# Called once: with NONE when the change counts, or with the reason why nobody can know.
Continuation: TypeAlias = Callable[[ErrorCode], None]


class TransactionCodec(Protocol):
    """Turns a transaction into key and value, and back; a tombstone has no transaction."""

    def encode(
        self, transactional_id: str, transaction: Transaction | None
    ) -> tuple[bytes, bytes | None]: ...

    def decode(self, key: bytes, value: bytes | None) -> tuple[str, Transaction | None] | None:
        """None: the record says nothing that is understood here."""


@dataclass(slots=True)
class Entry:
    """What counts of a transactional id; `is_busy` while a change is on its way."""

    transaction: Transaction | None = None
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class _OnItsWay:
    required_offset: int
    transactional_id: str
    transaction: Transaction | None
    then: Continuation


@dataclass(slots=True)
class Shard:
    """One partition; its leader epoch is the epoch of the coordinator (TXNI-21)."""

    partition: Partition
    epoch: int
    loaded_end: int
    is_loading: bool = True
    entries: dict[str, Entry] = field(default_factory=dict)
    on_their_way: list[_OnItsWay] = field(default_factory=list)

    @property
    def is_led(self) -> bool:
        return self.partition.is_leader and self.partition.leader_epoch == self.epoch


class StateLog:
    def __init__(
        self, catalogue: Catalogue, partitions: Partitions, codec: TransactionCodec
    ) -> None:
        self._catalogue = catalogue
        self._partitions = partitions
        self._codec = codec
        self._shards: dict[int, Shard] = {}

    def __iter__(self) -> Iterator[Shard]:
        return iter(list(self._shards.values()))

    # Following the catalogue

    def follow(self, partitions: Iterable[Partition]) -> list[Shard]:
        """Take over what this broker leads now, give up what it does not; returns the latter."""
        led = {p.at.partition: p for p in partitions if _is_ours(p)}
        gone = [shard for index, shard in self._shards.items() if not _still(shard, led, index)]
        for shard in gone:
            del self._shards[shard.partition.at.partition]
        for index, partition in sorted(led.items()):
            if index not in self._shards:
                self._shards[index] = self._load(partition)
        return gone

    def _load(self, partition: Partition) -> Shard:
        shard = Shard(partition, partition.leader_epoch, partition.log.log_end_offset)
        for _, record in partition.records():
            if record.key is None:
                continue
            value = None if record.value is None else bytes(record.value)
            decoded = self._codec.decode(bytes(record.key), value)
            if decoded is None:
                continue
            transactional_id, transaction = decoded
            if transaction is None:
                shard.entries.pop(transactional_id, None)
            else:
                shard.entries[transactional_id] = Entry(transaction)
        return shard

    def take_loaded(self) -> list[Shard]:
        """Those of which all that was found counts by now, and did not before."""
        loaded = [
            shard
            for shard in self
            if shard.is_loading and shard.partition.high_watermark >= shard.loaded_end
        ]
        for shard in loaded:
            shard.is_loading = False
        return loaded

    # Finding

    def find(self, transactional_id: str) -> Shard:
        """Raises KafkaError."""
        topic = self._catalogue.topics.get(TRANSACTIONS_TOPIC)
        if topic is None:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        shard = self._shards.get(partition_of(transactional_id, len(topic.partitions)))
        if shard is None or not shard.is_led:
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        if shard.is_loading:
            raise KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return shard

    # Writing

    def write(
        self,
        shard: Shard,
        transactional_id: str,
        transaction: Transaction | None,
        then: Continuation,
        now_ms: int,
    ) -> None:
        """Begin a change; None forgets the id. Raises KafkaError: then nothing was begun."""
        record = self._codec.encode(transactional_id, transaction)
        try:
            if not shard.is_led:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            appended = shard.partition.append_own([record], now_ms)
        except KafkaError as refused:
            raise KafkaError(AppendError(refused.error).error) from refused
        shard.entries.setdefault(transactional_id, Entry()).is_busy = True
        shard.on_their_way.append(
            _OnItsWay(appended.required_offset, transactional_id, transaction, then)
        )

    def settle(self) -> bool:
        """Let those changes count that are committed; says whether there were any."""
        changes = [
            (shard, change)
            for shard in self
            for change in shard.on_their_way
            if change.required_offset <= shard.partition.high_watermark and shard.is_led
        ]
        for shard, change in changes:
            shard.on_their_way.remove(change)
            entry = shard.entries[change.transactional_id]
            entry.transaction, entry.is_busy = change.transaction, False
            if change.transaction is None:
                del shard.entries[change.transactional_id]
            change.then(ErrorCode.NONE)
        return bool(changes)

    @staticmethod
    def give_up(shard: Shard) -> None:
        """Somebody else has it now: who waits for it has to ask there."""
        changes, shard.on_their_way = shard.on_their_way, []
        for change in changes:
            change.then(ErrorCode.NOT_COORDINATOR)


def _is_ours(partition: Partition) -> bool:
    return partition.at.topic == TRANSACTIONS_TOPIC and partition.is_leader


def _still(shard: Shard, led: dict[int, Partition], index: int) -> bool:
    return led.get(index) is shard.partition and shard.is_led
