"""A group of the consumer protocol as an administrator sees it."""

from __future__ import annotations

from itertools import groupby

from impl.core.groups.consumer.group import ConsumerGroup, Member
from impl.core.groups.consumer.messages import DescribedConsumer, DescribedConsumerGroup
from impl.core.groups.consumer.records import Partitions
from impl.core.groups.consumer.topics import Topics


def described(
    group: ConsumerGroup, default_assignor: str, topics: Topics
) -> DescribedConsumerGroup:
    return DescribedConsumerGroup(
        group.group_id,
        state=group.state,
        epoch=group.epoch,
        target_epoch=group.target_epoch,
        assignor=group.preferred_assignor() or default_assignor,
        members=tuple(_described(group, member, topics) for member in group.members.values()),
    )


def _described(group: ConsumerGroup, member: Member, topics: Topics) -> DescribedConsumer:
    return DescribedConsumer(
        member.member_id,
        member.current.member_epoch,
        member.subscription,
        assigned=_named(member.current.assigned, topics),
        target=_named(group.target_of(member.member_id), topics),
    )


def _named(partitions: Partitions, topics: Topics) -> tuple[tuple[str, Partitions], ...]:
    """By the names of the topics; those that are gone have none."""
    by_topic = groupby(sorted(partitions), key=lambda at: at.topic_id)
    named = ((topics.name_of(topic_id), frozenset(found)) for topic_id, found in by_topic)
    return tuple((name, found) for name, found in named if name is not None)
