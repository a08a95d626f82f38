"""The assignors of the coordinator: who shall have which partitions.

Pure functions of who subscribes to what, how many partitions there are, and who was meant to have
them before. Each partition of a subscribed topic goes to exactly one of its subscribers (GRPS-21).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import TypeAlias
from uuid import UUID

from impl.core.groups.consumer.records import Partitions, TopicIdPartition


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A member: the topics it wants, and the partitions that the last assignment gave it."""

    member_id: str
    group_instance_id: str | None
    topic_ids: frozenset[UUID]
    partitions: Partitions


# Gives each member its partitions; the mapping has the number of partitions of every topic.
Assignor: TypeAlias = Callable[
    [Sequence[Subscriber], Mapping[UUID, int]], Mapping[str, Partitions]
]


def _subscribers_of(subscribers: Iterable[Subscriber]) -> dict[UUID, list[str]]:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for each in subscribers:
        for topic_id in each.topic_ids:
            found[topic_id].append(each.member_id)
    return found


def assign_ranges(
    subscribers: Sequence[Subscriber], sizes: Mapping[UUID, int]
) -> dict[str, Partitions]:
    """Every topic is cut into as many ranges as it has subscribers, the first ones longer by one.

    Members come in the same order for all topics, so that equal numbers of different topics go
    together: static members by their instance ids, then the others.
    """

    def place(each: Subscriber) -> tuple[bool, str]:
        instance_id = each.group_instance_id
        return instance_id is None, instance_id or each.member_id

    shares: dict[str, set[TopicIdPartition]] = {each.member_id: set() for each in subscribers}
    for topic_id, member_ids in _subscribers_of(sorted(subscribers, key=place)).items():
        length, longer = divmod(sizes[topic_id], len(member_ids))
        start = 0
        for index, member_id in enumerate(member_ids):
            end = start + length + (index < longer)
            shares[member_id].update(TopicIdPartition(topic_id, p) for p in range(start, end))
            start = end
    return {member_id: frozenset(share) for member_id, share in shares.items()}


def assign_uniformly(
    subscribers: Sequence[Subscriber], sizes: Mapping[UUID, int]
) -> dict[str, Partitions]:
    """Members get as equal numbers as their subscriptions allow, and keep what they have."""
    plan = _Plan(subscribers, sizes)
    plan.hand_out()
    plan.balance()
    return {member_id: frozenset(share) for member_id, share in plan.shares.items()}


class _Plan:
    """An assignment in the making; starts with what members may keep of the last one."""

    def __init__(self, subscribers: Sequence[Subscriber], sizes: Mapping[UUID, int]) -> None:
        by_id = sorted(subscribers, key=lambda each: each.member_id)
        self._sizes = sizes
        self._members_of = _subscribers_of(by_id)
        self._topic_ids = sorted(self._members_of, key=self._priority)
        self._taken: set[TopicIdPartition] = set()
        self.shares: dict[str, set[TopicIdPartition]] = {}
        for each in by_id:
            kept = {at for at in each.partitions if self._may_keep(each, at)} - self._taken
            self.shares[each.member_id] = kept
            self._taken |= kept

    def _may_keep(self, subscriber: Subscriber, at: TopicIdPartition) -> bool:
        return at.topic_id in subscriber.topic_ids and at.partition < self._sizes[at.topic_id]

    def _priority(self, topic_id: UUID) -> tuple[float, int, UUID]:
        """First what presses most: many partitions for few subscribers, who have no choice."""
        count = len(self._members_of[topic_id])
        return -self._sizes[topic_id] / count, count, topic_id

    def hand_out(self) -> None:
        """What nobody has goes to the subscriber that has the least."""
        for topic_id in self._topic_ids:
            loads = [(len(self.shares[m]), m) for m in self._members_of[topic_id]]
            heapify(loads)
            for partition in range(self._sizes[topic_id]):
                at = TopicIdPartition(topic_id, partition)
                if at in self._taken:
                    continue
                load, member_id = loads[0]
                self.shares[member_id].add(at)
                heapreplace(loads, (load + 1, member_id))

    def balance(self) -> None:
        """Move partitions while that makes two members more equal.

        It ends: every move makes the sum of the squares of the loads smaller.
        """
        while any(self._balance_topic(topic_id) for topic_id in self._topic_ids):
            pass

    def _balance_topic(self, topic_id: UUID) -> bool:
        shares, member_ids = self.shares, self._members_of[topic_id]
        movable = {
            member_id: sorted(at for at in shares[member_id] if at.topic_id == topic_id)
            for member_id in member_ids
        }
        has_moved = False
        while givers := [member_id for member_id in member_ids if movable[member_id]]:
            giver = max(givers, key=lambda m: (len(shares[m]), m))
            taker = min(member_ids, key=lambda m: (len(shares[m]), m))
            if len(shares[giver]) - len(shares[taker]) < 2:
                break
            at = movable[giver].pop()
            shares[giver].remove(at)
            shares[taker].add(at)
            movable[taker].append(at)
            has_moved = True
        return has_moved


ASSIGNORS: Mapping[str, Assignor] = {"uniform": assign_uniformly, "range": assign_ranges}
