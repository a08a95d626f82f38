"""One group of the consumer protocol: the fold of its records, and what follows from them.

Decides which state the group is in and who owns what. What to write next: see `draft`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from impl.core.groups.consumer.records import (
    NO_PARTITIONS,
    STABLE,
    ConsumerRecord,
    CurrentAssignment,
    CurrentRecord,
    GroupEpoch,
    GroupEpochRecord,
    MemberRecord,
    Partitions,
    RegexRecord,
    ResolvedRegex,
    Subscription,
    TargetEpochRecord,
    TargetRecord,
    TopicIdPartition,
)

Key = TypeVar("Key")
Value = TypeVar("Value")


class ConsumerGroupState(StrEnum):
    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


@dataclass(frozen=True, slots=True)
class Member:
    member_id: str
    subscription: Subscription = field(default_factory=Subscription)
    current: CurrentAssignment = field(default_factory=CurrentAssignment)


@dataclass(slots=True)
class ConsumerGroup:
    group_id: str
    at_epoch: GroupEpoch = field(default_factory=lambda: GroupEpoch(0, 0))
    target_epoch: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    static_members: dict[str, str] = field(default_factory=dict)
    targets: dict[str, Partitions] = field(default_factory=dict)
    regexes: dict[str, ResolvedRegex] = field(default_factory=dict)
    owners: dict[TopicIdPartition, str] = field(default_factory=dict)
    # Up to which change of the metadata the epoch knows the topics; this is not in the log.
    metadata_revision: int = -1

    def copy(self) -> ConsumerGroup:
        return replace(
            self,
            members=dict(self.members),
            static_members=dict(self.static_members),
            targets=dict(self.targets),
            regexes=dict(self.regexes),
            owners=dict(self.owners),
        )

    # What follows

    @property
    def epoch(self) -> int:
        return self.at_epoch.epoch

    @property
    def state(self) -> ConsumerGroupState:
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.epoch > self.target_epoch:
            return ConsumerGroupState.ASSIGNING
        if not all(self._is_reconciled(each) for each in self.members.values()):
            return ConsumerGroupState.RECONCILING
        return ConsumerGroupState.STABLE

    def _is_reconciled(self, member: Member) -> bool:
        current = member.current
        return current.state is STABLE and current.member_epoch == self.target_epoch

    def target_of(self, member_id: str) -> Partitions:
        return self.targets.get(member_id, NO_PARTITIONS)

    def static_member(self, group_instance_id: str) -> Member | None:
        member_id = self.static_members.get(group_instance_id)
        return None if member_id is None else self.members[member_id]

    def topics_of(self, member: Member) -> frozenset[str]:
        resolved = self.regexes.get(member.subscription.regex)
        topics = member.subscription.topics
        return topics if resolved is None else topics | resolved.topics

    def subscribed_topics(self) -> frozenset[str]:
        return frozenset().union(*(self.topics_of(each) for each in self.members.values()))

    def subscribes_to(self, topic: str) -> bool:
        return any(topic in self.topics_of(each) for each in self.members.values())

    def regexes_in_use(self) -> list[str]:
        return sorted({m.subscription.regex for m in self.members.values()} - {""})

    def preferred_assignor(self) -> str | None:
        """What most of those members ask for that ask for one."""
        votes = Counter(m.subscription.assignor for m in self.members.values())
        del votes[None]
        return max(votes, key=lambda name: (votes[name], name or ""), default=None)

    def held_by_others(self, member_id: str, partitions: Partitions) -> Partitions:
        """GRPS-21."""
        return frozenset(p for p in partitions if self.owners.get(p, member_id) != member_id)

    # Records

    def apply(self, record: ConsumerRecord) -> None:
        match record:
            case GroupEpochRecord(_, value):
                self.at_epoch = value or GroupEpoch(0, 0)
            case TargetEpochRecord(_, value):
                self.target_epoch = value or 0
            case TargetRecord(_, member_id, target):
                _set(self.targets, member_id, target)
            case RegexRecord(_, regex, resolved):
                _set(self.regexes, regex, resolved)
            case MemberRecord(_, member_id, value):
                self._subscribe(member_id, value)
            case CurrentRecord(_, member_id, value):
                self._own(member_id, value)

    def _subscribe(self, member_id: str, value: Subscription | None) -> None:
        known = self.members.get(member_id)
        if known is not None and known.subscription.group_instance_id is not None:
            instance_id = known.subscription.group_instance_id
            if self.static_members.get(instance_id) == member_id:
                del self.static_members[instance_id]
        if value is None:
            self._own(member_id, None)
            self.members.pop(member_id, None)
            return
        self.members[member_id] = replace(known or Member(member_id), subscription=value)
        if value.group_instance_id is not None:
            self.static_members[value.group_instance_id] = member_id

    def _own(self, member_id: str, value: CurrentAssignment | None) -> None:
        known = self.members.get(member_id)
        if known is not None:
            for at in known.current.assigned | known.current.to_revoke:
                if self.owners.get(at) == member_id:
                    del self.owners[at]
        if value is not None:
            self.members[member_id] = replace(known or Member(member_id), current=value)
            self.owners.update(dict.fromkeys(value.assigned | value.to_revoke, member_id))
        elif known is not None:
            self.members[member_id] = replace(known, current=CurrentAssignment())

    def without(self, member_id: str) -> Iterator[ConsumerRecord]:
        """The tombstones of a member."""
        yield CurrentRecord(self.group_id, member_id, None)
        yield TargetRecord(self.group_id, member_id, None)
        yield MemberRecord(self.group_id, member_id, None)

    def tombstones(self) -> Iterator[ConsumerRecord]:
        """Of everything that the log knows of the group; the last of them ends it."""
        member_ids = dict.fromkeys((*self.members, *self.targets))
        for member_id in member_ids:
            yield from self.without(member_id)
        for regex in self.regexes:
            yield RegexRecord(self.group_id, regex, None)
        yield TargetEpochRecord(self.group_id, None)
        yield GroupEpochRecord(self.group_id, None)


def _set(values: dict[Key, Value], key: Key, value: Value | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
