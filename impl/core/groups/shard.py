"""The partitions of `__consumer_offsets` that a broker coordinates, and the state each holds.

Decides whether a group is coordinated here, and turns records into state. The same `apply` serves
for records just written and for records read at the start, so the state after a restart is the
state before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.consumer.records import ConsumerRecord, GroupEpochRecord
from impl.core.groups.coordinator_log import Continuation, CoordinatorLog
from impl.core.groups.deadlines import Deadlines
from impl.core.groups.group import Group, restored
from impl.core.groups.messages import ProducerIdentity
from impl.core.groups.offsets import Offsets
from impl.core.groups.rebalance import Rebalances
from impl.core.groups.records import CoordinatorRecord, GroupRecord, OffsetRecord
from spec.wire.errors import ErrorCode


@dataclass(slots=True)
class Shard:
    """The groups and offsets of one partition."""

    partition: int
    is_loading: bool = True
    # A group is of the classic or of the consumer protocol, never of both.
    groups: dict[str, Group] = field(default_factory=dict)
    consumer_groups: dict[str, ConsumerGroup] = field(default_factory=dict)
    offsets: Offsets = field(default_factory=Offsets)

    def has(self, group_id: str) -> bool:
        return group_id in self.groups or group_id in self.consumer_groups


class Shards:
    def __init__(self, log: CoordinatorLog, deadlines: Deadlines, rebalances: Rebalances) -> None:
        self._log = log
        self._deadlines = deadlines
        self._rebalances = rebalances
        self._shards: dict[int, Shard] = {}

    @property
    def now_ms(self) -> int:
        return self._deadlines.now_ms

    def __iter__(self) -> Iterator[Shard]:
        return iter(list(self._shards.values()))

    # Ownership

    def open(self, partition: int) -> None:
        self._shards[partition] = Shard(partition)

    def at(self, partition: int) -> Shard:
        return self._shards[partition]

    def loaded(self, partition: int, log_end_offset: int, high_watermark: int) -> Shard:
        shard = self._shards[partition]
        shard.is_loading = False
        self._log.start(partition, log_end_offset, high_watermark)
        return shard

    def close(self, partition: int) -> Shard | None:
        self._log.stop(partition)
        return self._shards.pop(partition, None)

    def find(self, group_id: str) -> tuple[Shard | None, ErrorCode]:
        """GRPS-19: the shard of a group, or why nothing can be said of that group here and now."""
        shard = self._shards.get(self._log.partition_of(group_id))
        if shard is None:
            return None, ErrorCode.NOT_COORDINATOR
        if shard.is_loading:
            return None, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return shard, ErrorCode.NONE

    def group(self, group_id: str) -> Group | None:
        shard, _ = self.find(group_id)
        return None if shard is None else shard.groups.get(group_id)

    # Records

    def write(
        self,
        shard: Shard,
        group_id: str,
        records: Sequence[CoordinatorRecord],
        producer: ProducerIdentity | None = None,
    ) -> None:
        """Append the records and make them count. Raises AppendError: then none of them does."""
        if not records:
            return
        base_offset = self._log.write(group_id, records, producer)
        producer_id = None if producer is None else producer.producer_id
        for offset, record in enumerate(records, base_offset):
            self.apply(shard, record, offset, producer_id)

    def when_committed(self, group_ids: Iterable[str], then: Continuation) -> None:
        self._log.when_committed(group_ids, then)

    def apply(
        self, shard: Shard, record: CoordinatorRecord, offset: int, producer_id: int | None
    ) -> None:
        match record:
            case OffsetRecord():
                if record.value is not None and not shard.has(record.group_id):
                    # A consumer that manages its partitions itself: a group without protocol or
                    # members.
                    shard.groups[record.group_id] = Group(record.group_id, self.now_ms)
                shard.offsets.replay(record, offset, producer_id)
            case GroupRecord():
                self._apply_classic(shard, record)
            case _:
                self._apply_consumer(shard, record)

    def _forget_classic(self, shard: Shard, group_id: str) -> None:
        known = shard.groups.pop(group_id, None)
        if known is not None:
            self._rebalances.forget(known)

    def _apply_classic(self, shard: Shard, record: GroupRecord) -> None:
        self._forget_classic(shard, record.group_id)
        if record.value is not None:
            group = restored(record.group_id, record.value)
            self._rebalances.learn_subscription(group)
            shard.groups[record.group_id] = group

    def _apply_consumer(self, shard: Shard, record: ConsumerRecord) -> None:
        """A tombstone for a group that is not there may be what compaction left of one."""
        group_id = record.group_id
        group = shard.consumer_groups.get(group_id)
        if group is None and record.value is not None:
            # Until now it was known by its offsets alone.
            self._forget_classic(shard, group_id)
            group = shard.consumer_groups[group_id] = ConsumerGroup(group_id)
        if group is not None:
            group.apply(record)
            if isinstance(record, GroupEpochRecord) and record.value is None:
                del shard.consumer_groups[group_id]


def each_group(shards: Iterable[Shard]) -> Iterator[tuple[Shard, Group]]:
    for shard in shards:
        for group in list(shard.groups.values()):
            yield shard, group


def each_consumer_group(shards: Iterable[Shard]) -> Iterator[tuple[Shard, ConsumerGroup]]:
    for shard in shards:
        for group in list(shard.consumer_groups.values()):
            yield shard, group
