"""The records of `__consumer_offsets` as bytes, in Apache Kafka's format, and subscriptions.

A key begins with the type of its record. Those of the consumer protocol are in
`consumer_group_records`. Records of types that this broker does not write (share groups, streams
groups) are skipped when they are read.
"""

from __future__ import annotations

import struct
from typing import TypeAlias

from impl.api.consumer_group_records import (
    CONSUMER_VALUE_VERSION,
    decode_consumer_record,
    encode_consumer_record,
)
from impl.core.cluster.topics import TopicPartition
from impl.core.groups.records import (
    CommittedOffset,
    CoordinatorRecord,
    GroupRecord,
    OffsetRecord,
    StoredGroup,
    StoredMember,
)
from impl.wire import Struct, decode_message, encode_message

Bytes: TypeAlias = bytes | memoryview

# Version 0 of the key of an offset has the same fields.
OFFSET_KEYS = (0, 1)
GROUP_KEY = 2

OFFSET_VALUE_VERSION = 3
OFFSET_VALUE_VERSION_WITH_EXPIRY = 1
GROUP_VALUE_VERSION = 3

_INT16 = struct.Struct(">h")
_INT32 = struct.Struct(">i")


def encode_record(record: CoordinatorRecord) -> tuple[bytes, bytes | None]:
    """The key and the value of a record; no value is a tombstone."""
    if isinstance(record, OffsetRecord):
        return _offset_key(record), _offset_value(record.value)
    if not isinstance(record, GroupRecord):
        kind, consumer_key, value = encode_consumer_record(record)
        return _INT16.pack(kind) + consumer_key, _with_version(value)
    key = encode_message("GroupMetadataKey", 0, Struct(group=record.group_id))
    return _INT16.pack(GROUP_KEY) + key, _group_value(record.value)


def _with_version(value: bytes | None) -> bytes | None:
    return None if value is None else _INT16.pack(CONSUMER_VALUE_VERSION) + value


def _offset_key(record: OffsetRecord) -> bytes:
    topic, partition = record.at
    key = Struct(group=record.group_id, topic=topic, partition=partition)
    return _INT16.pack(OFFSET_KEYS[-1]) + encode_message("OffsetCommitKey", 0, key)


def _offset_value(value: CommittedOffset | None) -> bytes | None:
    if value is None:
        return None
    fields = {
        "offset": value.offset,
        "metadata": value.metadata,
        "commit_timestamp": value.commit_timestamp_ms,
    }
    if value.expire_timestamp_ms is not None:
        version = OFFSET_VALUE_VERSION_WITH_EXPIRY
        body = Struct(**fields, expire_timestamp=value.expire_timestamp_ms)
    else:
        version = OFFSET_VALUE_VERSION
        body = Struct(**fields, leader_epoch=value.leader_epoch)
    return _INT16.pack(version) + encode_message("OffsetCommitValue", version, body)


def _group_value(value: StoredGroup | None) -> bytes | None:
    if value is None:
        return None
    body = Struct(
        protocol_type=value.protocol_type or "",
        generation=value.generation_id,
        protocol=value.protocol_name,
        leader=value.leader,
        current_state_timestamp=value.state_timestamp_ms,
        members=[
            Struct(
                member_id=each.member_id,
                group_instance_id=each.group_instance_id,
                client_id=each.client_id,
                client_host=each.client_host,
                rebalance_timeout=each.rebalance_timeout_ms,
                session_timeout=each.session_timeout_ms,
                subscription=each.subscription,
                assignment=each.assignment,
            )
            for each in value.members
        ],
    )
    version = GROUP_VALUE_VERSION
    return _INT16.pack(version) + encode_message("GroupMetadataValue", version, body)


def decode_record(key: Bytes, value: Bytes | None) -> CoordinatorRecord | None:
    """The record, or None if it says nothing that this broker keeps. Raises WireError."""
    (kind,) = _INT16.unpack_from(key)
    if kind in OFFSET_KEYS:
        fields = decode_message("OffsetCommitKey", 0, key[_INT16.size :])
        at = TopicPartition(fields.topic, fields.partition)
        return OffsetRecord(fields.group, at, _read_offset(value))
    if kind == GROUP_KEY:
        fields = decode_message("GroupMetadataKey", 0, key[_INT16.size :])
        return GroupRecord(fields.group, _read_group(value))
    return decode_consumer_record(
        kind, key[_INT16.size :], None if value is None else value[_INT16.size :]
    )


def _read_value(name: str, value: Bytes) -> tuple[int, Struct]:
    (version,) = _INT16.unpack_from(value)
    return version, decode_message(name, version, value[_INT16.size :])


def _read_offset(value: Bytes | None) -> CommittedOffset | None:
    if value is None:
        return None
    version, fields = _read_value("OffsetCommitValue", value)
    has_expiry = version == OFFSET_VALUE_VERSION_WITH_EXPIRY and fields.expire_timestamp != -1
    return CommittedOffset(
        offset=fields.offset,
        leader_epoch=fields.leader_epoch,
        metadata=fields.metadata,
        commit_timestamp_ms=fields.commit_timestamp,
        expire_timestamp_ms=fields.expire_timestamp if has_expiry else None,
    )


def _read_group(value: Bytes | None) -> StoredGroup | None:
    if value is None:
        return None
    _, fields = _read_value("GroupMetadataValue", value)
    return StoredGroup(
        protocol_type=fields.protocol_type or None,
        generation_id=fields.generation,
        protocol_name=fields.protocol,
        leader=fields.leader,
        state_timestamp_ms=fields.current_state_timestamp,
        members=tuple(_read_member(each) for each in fields.members),
    )


def _read_member(fields: Struct) -> StoredMember:
    has_timeout = fields.rebalance_timeout != -1
    return StoredMember(
        member_id=fields.member_id,
        group_instance_id=fields.group_instance_id,
        client_id=fields.client_id,
        client_host=fields.client_host,
        rebalance_timeout_ms=fields.rebalance_timeout if has_timeout else fields.session_timeout,
        session_timeout_ms=fields.session_timeout,
        subscription=bytes(fields.subscription),
        assignment=bytes(fields.assignment),
    )


def read_subscription(metadata: bytes) -> frozenset[str] | None:
    """The topics of a consumer's subscription, or None if it is no subscription.

    Version, then topics, then whatever a later version may have added: no more is needed here.
    """
    view, position, topics = memoryview(metadata), 2, set()
    try:
        (count,) = _INT32.unpack_from(view, position)
        position += _INT32.size
        for _ in range(count):
            (length,) = _INT16.unpack_from(view, position)
            end = position + _INT16.size + length
            if length < 0 or end > len(view):
                return None
            topics.add(str(view[position + _INT16.size : end], "utf-8"))
            position = end
    except (struct.error, UnicodeDecodeError):
        return None
    return frozenset(topics)
