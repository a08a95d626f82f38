"""The records of the consumer protocol in `__consumer_offsets`, in Apache Kafka's format.

| type | record |
|---|---|
| 3 | the group's epoch, and a hash of what it knew of the topics |
| 5 | a member's subscription |
| 6 | the epoch of the target assignment |
| 7 | a member's target |
| 8 | what a member owns |
| 16 | the topics that a regular expression matches |

Type 4, what a group knew of the topics until Kafka 4.0, is skipped: the hash has taken its place.
Which number is which type, and the number before a value, is the business of `group_records`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from impl.core.groups.consumer.records import (
    ConsumerRecord,
    CurrentAssignment,
    CurrentRecord,
    GroupEpoch,
    GroupEpochRecord,
    MemberRecord,
    MemberState,
    Partitions,
    RegexRecord,
    ResolvedRegex,
    Subscription,
    TargetEpochRecord,
    TargetRecord,
    TopicIdPartition,
)
from impl.wire import Struct, decode_message, encode_message

Bytes: TypeAlias = bytes | memoryview

CONSUMER_VALUE_VERSION = 0


class _Format(NamedTuple):
    """How one type of record is written: its messages, what its key has, its value both ways."""

    number: int
    name: str
    key: tuple[str, ...]
    write: Callable[[Any], Struct]
    read: Callable[[Struct], Any]


def _write_partitions(partitions: Partitions) -> list[Struct]:
    by_topic = groupby(sorted(partitions), key=lambda at: at.topic_id)
    return [
        Struct(topic_id=topic_id, partitions=[at.partition for at in found])
        for topic_id, found in by_topic
    ]


def _read_partitions(topics: Iterable[Struct]) -> Partitions:
    return frozenset(TopicIdPartition(t.topic_id, p) for t in topics for p in t.partitions)


def _write_subscription(value: Subscription) -> Struct:
    return Struct(
        instance_id=value.group_instance_id,
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        subscribed_topic_names=sorted(value.topics),
        subscribed_topic_regex=value.regex or None,
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        server_assignor=value.assignor,
    )


def _read_subscription(value: Struct) -> Subscription:
    return Subscription(
        group_instance_id=value.instance_id,
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        topics=frozenset(value.subscribed_topic_names),
        regex=value.subscribed_topic_regex or "",
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        assignor=value.server_assignor,
    )


def _write_current(value: CurrentAssignment) -> Struct:
    return Struct(
        member_epoch=value.member_epoch,
        previous_member_epoch=value.previous_epoch,
        state=value.state,
        assigned_partitions=_write_partitions(value.assigned),
        partitions_pending_revocation=_write_partitions(value.to_revoke),
    )


def _read_current(value: Struct) -> CurrentAssignment:
    return CurrentAssignment(
        value.member_epoch,
        value.previous_member_epoch,
        MemberState(value.state),
        _read_partitions(value.assigned_partitions),
        _read_partitions(value.partitions_pending_revocation),
    )


_OF_GROUP = ("group_id",)
_OF_MEMBER = ("group_id", "member_id")

_FORMATS: Mapping[type[Any], _Format] = {
    GroupEpochRecord: _Format(
        3,
        "ConsumerGroupMetadata",
        _OF_GROUP,
        lambda value: Struct(epoch=value.epoch, metadata_hash=value.metadata_hash),
        lambda value: GroupEpoch(value.epoch, value.metadata_hash),
    ),
    MemberRecord: _Format(
        5, "ConsumerGroupMemberMetadata", _OF_MEMBER, _write_subscription, _read_subscription
    ),
    TargetEpochRecord: _Format(
        6,
        "ConsumerGroupTargetAssignmentMetadata",
        _OF_GROUP,
        lambda epoch: Struct(assignment_epoch=epoch),
        lambda value: value.assignment_epoch,
    ),
    TargetRecord: _Format(
        7,
        "ConsumerGroupTargetAssignmentMember",
        _OF_MEMBER,
        lambda partitions: Struct(topic_partitions=_write_partitions(partitions)),
        lambda value: _read_partitions(value.topic_partitions),
    ),
    CurrentRecord: _Format(
        8, "ConsumerGroupCurrentMemberAssignment", _OF_MEMBER, _write_current, _read_current
    ),
    RegexRecord: _Format(
        16,
        "ConsumerGroupRegularExpression",
        ("group_id", "regular_expression"),
        lambda value: Struct(
            topics=sorted(value.topics), version=value.version, timestamp=value.timestamp_ms
        ),
        lambda value: ResolvedRegex(frozenset(value.topics), value.version, value.timestamp),
    ),
}
_TYPES = {each.number: (record, each) for record, each in _FORMATS.items()}


def _key(record: ConsumerRecord) -> tuple[str, ...]:
    match record:
        case MemberRecord() | TargetRecord() | CurrentRecord():
            return record.group_id, record.member_id
        case RegexRecord():
            return record.group_id, record.regex
        case GroupEpochRecord() | TargetEpochRecord():
            return (record.group_id,)


def encode_consumer_record(record: ConsumerRecord) -> tuple[int, bytes, bytes | None]:
    """The number of its type, its key, and its value; no value is a tombstone."""
    how = _FORMATS[type(record)]
    fields = Struct(**dict(zip(how.key, _key(record), strict=True)))
    key = encode_message(f"{how.name}Key", 0, fields)
    if record.value is None:
        return how.number, key, None
    body = how.write(record.value)
    return how.number, key, encode_message(f"{how.name}Value", CONSUMER_VALUE_VERSION, body)


def decode_consumer_record(number: int, key: Bytes, value: Bytes | None) -> ConsumerRecord | None:
    """The record, or None where the type is none of the table's. Raises WireError."""
    if number not in _TYPES:
        return None
    record, how = _TYPES[number]
    fields = decode_message(f"{how.name}Key", 0, key)
    decoded = None
    if value is not None:
        decoded = how.read(decode_message(f"{how.name}Value", CONSUMER_VALUE_VERSION, value))
    found: ConsumerRecord = record(*(getattr(fields, name) for name in how.key), decoded)
    return found
