"""The committed offsets of one coordinator partition's groups, and when they may be forgotten.

Offsets change by the records of the log alone (`replay`), when they are written as when they are
loaded. An offset inside a transaction stays aside until the transaction ends. Who may commit is
not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from impl.core.cluster.topics import TopicPartition
from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.group import EMPTY, STABLE, Group
from impl.core.groups.records import CommittedOffset, OffsetRecord


class _Entry(NamedTuple):
    committed: CommittedOffset
    record_offset: int


@dataclass(slots=True)
class Offsets:
    _by_group: dict[str, dict[TopicPartition, _Entry]] = field(default_factory=dict)
    _in_transaction: dict[int, dict[str, dict[TopicPartition, _Entry]]] = field(
        default_factory=dict
    )

    def get(self, group_id: str, at: TopicPartition) -> CommittedOffset | None:
        entry = self._by_group.get(group_id, {}).get(at)
        return None if entry is None else entry.committed

    def of_group(self, group_id: str) -> Mapping[TopicPartition, CommittedOffset]:
        return {at: entry.committed for at, entry in self._by_group.get(group_id, {}).items()}

    def known_partitions(self, group_id: str) -> list[TopicPartition]:
        """All partitions with an offset, be it only in an open transaction."""
        found = dict.fromkeys(self._by_group.get(group_id, {}))
        for groups in self._in_transaction.values():
            found.update(dict.fromkeys(groups.get(group_id, {})))
        return list(found)

    def groups_with(self, at: TopicPartition) -> list[str]:
        group_ids = dict.fromkeys(self._by_group)
        for groups in self._in_transaction.values():
            group_ids.update(dict.fromkeys(groups))
        return [each for each in group_ids if at in self.known_partitions(each)]

    def is_unstable(self, group_id: str, at: TopicPartition) -> bool:
        """Whether an open transaction may still move this offset."""
        return any(at in groups.get(group_id, {}) for groups in self._in_transaction.values())

    def has_open_transaction(self, group_id: str) -> bool:
        return any(group_id in groups for groups in self._in_transaction.values())

    def replay(
        self, record: OffsetRecord, record_offset: int, producer_id: int | None = None
    ) -> None:
        group_id, at = record.group_id, record.at
        if record.value is None:
            self._remove(group_id, at)
            return
        target = self._by_group
        if producer_id is not None:
            target = self._in_transaction.setdefault(producer_id, {})
        target.setdefault(group_id, {})[at] = _Entry(record.value, record_offset)

    def _remove(self, group_id: str, at: TopicPartition) -> None:
        for groups in (self._by_group, *self._in_transaction.values()):
            offsets = groups.get(group_id, {})
            offsets.pop(at, None)
            # An open transaction stays open for its group, even when it has no offset left.
            if groups is self._by_group and group_id in groups and not offsets:
                del groups[group_id]

    def end_transaction(self, producer_id: int, *, commit: bool) -> None:
        """Of a commit in the transaction and one beside it, the later record counts."""
        for group_id, offsets in self._in_transaction.pop(producer_id, {}).items():
            if not commit or not offsets:
                continue
            stored = self._by_group.setdefault(group_id, {})
            for at, entry in offsets.items():
                if at not in stored or entry.record_offset > stored[at].record_offset:
                    stored[at] = entry


def expired(
    group: Group, offsets: Offsets, retention_ms: int, now_ms: int
) -> tuple[list[TopicPartition], bool]:
    """The partitions whose offsets may go now, and whether none would be left.

    GRPS-15: no offset goes while the group subscribes to the topic, while it is rebalancing, or
    while a transaction may still commit it. GRPS-16: an empty group keeps its offsets for the
    retention time from the moment when it became empty, a simple consumer's count from their
    commit (KIP-211).
    """
    is_idle = group.state is EMPTY or group.protocol_type is None
    is_known = group.uses_consumer_protocol and group.subscribed_topics is not None
    if not is_idle and not (is_known and group.state is STABLE):
        return [], False
    since_empty = group.state is EMPTY and group.protocol_type is not None
    since_ms = group.state_timestamp_ms if since_empty else None
    return _expired(group, offsets, since_ms, retention_ms, now_ms)


def expired_of_consumers(
    group: ConsumerGroup, offsets: Offsets, retention_ms: int, now_ms: int
) -> tuple[list[TopicPartition], bool]:
    """The same for the consumer protocol, where the time always counts from the commit."""
    return _expired(group, offsets, None, retention_ms, now_ms)


def _expired(
    group: Group | ConsumerGroup,
    offsets: Offsets,
    since_ms: int | None,
    retention_ms: int,
    now_ms: int,
) -> tuple[list[TopicPartition], bool]:
    stored = offsets.of_group(group.group_id)
    gone = [
        at
        for at, committed in stored.items()
        if not group.subscribes_to(at.topic)
        and not offsets.is_unstable(group.group_id, at)
        and _is_expired(committed, since_ms, retention_ms, now_ms)
    ]
    return gone, len(gone) == len(stored) and not offsets.has_open_transaction(group.group_id)


def _is_expired(
    committed: CommittedOffset, since_ms: int | None, retention_ms: int, now_ms: int
) -> bool:
    if committed.expire_timestamp_ms is not None:
        return now_ms >= committed.expire_timestamp_ms
    start_ms = committed.commit_timestamp_ms if since_ms is None else since_ms
    return now_ms - start_ms >= retention_ms
