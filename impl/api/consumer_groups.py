"""Between the wire and the group coordinator: the consumer protocol (KIP-848).

| API | versions | notes |
|---|---|---|
| ConsumerGroupHeartbeat | 0-1 | a regular expression, and members name themselves, since 1 |
| ConsumerGroupDescribe | 0-1 | whether a member is of the classic protocol since 1 |

What a member leaves out of a heartbeat has not changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from impl.api.translation import Translation
from impl.core.groups.consumer.messages import (
    ConsumerHeartbeat,
    ConsumerHeartbeatReply,
    DescribeConsumerGroups,
    DescribeConsumersReply,
    DescribedConsumer,
    DescribedConsumerGroup,
)
from impl.core.groups.consumer.records import Partitions, TopicIdPartition
from impl.wire import Request, Struct
from spec.wire.errors import ErrorCode

UNCHANGED = -1
CONSUMER_MEMBER = 1


def _read_heartbeat(request: Request, client_host: str) -> ConsumerHeartbeat:
    body = request.body
    topics, timeout_ms = body.subscribed_topic_names, body.rebalance_timeout_ms
    return ConsumerHeartbeat(
        group_id=body.group_id,
        member_id=body.member_id,
        member_epoch=body.member_epoch,
        group_instance_id=body.instance_id,
        rack_id=body.rack_id,
        rebalance_timeout_ms=None if timeout_ms == UNCHANGED else timeout_ms,
        topics=None if topics is None else frozenset(topics),
        regex=body.subscribed_topic_regex,
        assignor=body.server_assignor,
        owned=None if body.topic_partitions is None else _read_partitions(body.topic_partitions),
        client_id=request.client_id or "",
        client_host=client_host,
        api_version=request.api_version,
    )


def _read_partitions(topics: Iterable[Struct]) -> Partitions:
    return frozenset(
        TopicIdPartition(topic.topic_id, partition)
        for topic in topics
        for partition in topic.partitions
    )


def _write_heartbeat(_request: Request, reply: ConsumerHeartbeatReply) -> Struct:
    assignment = reply.assignment
    return Struct(
        error_code=reply.error,
        error_message=reply.error.name if reply.error else None,
        member_id=reply.member_id,
        member_epoch=reply.member_epoch,
        heartbeat_interval_ms=reply.heartbeat_interval_ms,
        assignment=None
        if assignment is None
        else Struct(topic_partitions=_write_partitions(assignment)),
    )


def _write_partitions(partitions: Partitions) -> list[Struct]:
    by_topic = groupby(sorted(partitions), key=lambda at: at.topic_id)
    return [
        Struct(topic_id=topic_id, partitions=[at.partition for at in found])
        for topic_id, found in by_topic
    ]


def _read_describe(request: Request, _client_host: str) -> DescribeConsumerGroups:
    return DescribeConsumerGroups(tuple(request.body.group_ids))


def _write_describe(_request: Request, reply: DescribeConsumersReply) -> Struct:
    return Struct(groups=[_write_group(group) for group in reply.groups])


def _write_group(group: DescribedConsumerGroup) -> Struct:
    is_unknown = group.error is ErrorCode.GROUP_ID_NOT_FOUND
    message = f"There is no consumer group {group.group_id}." if is_unknown else group.error.name
    return Struct(
        error_code=group.error,
        error_message=message if group.error else None,
        group_id=group.group_id,
        group_state=str(group.state),
        group_epoch=group.epoch,
        assignment_epoch=group.target_epoch,
        assignor_name=group.assignor,
        members=[_write_member(member) for member in group.members],
    )


def _write_member(member: DescribedConsumer) -> Struct:
    subscription = member.subscription
    return Struct(
        member_id=member.member_id,
        instance_id=subscription.group_instance_id,
        rack_id=subscription.rack_id,
        member_epoch=member.member_epoch,
        client_id=subscription.client_id,
        client_host=subscription.client_host,
        subscribed_topic_names=sorted(subscription.topics),
        subscribed_topic_regex=subscription.regex or None,
        assignment=_write_named(member.assigned),
        target_assignment=_write_named(member.target),
        member_type=CONSUMER_MEMBER,
    )


def _write_named(topics: Iterable[tuple[str, Partitions]]) -> Struct:
    return Struct(
        topic_partitions=[
            Struct(
                topic_id=next(iter(partitions)).topic_id,
                topic_name=name,
                partitions=sorted(at.partition for at in partitions),
            )
            for name, partitions in topics
        ]
    )


CONSUMER_GROUP_APIS = {
    "ConsumerGroupHeartbeat": Translation(_read_heartbeat, _write_heartbeat, range(2)),
    "ConsumerGroupDescribe": Translation(_read_describe, _write_describe, range(2)),
}
