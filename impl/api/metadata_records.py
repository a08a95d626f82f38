"""The records of the metadata log as bytes, in Apache Kafka's format.

A value is a frame version, the type of the record, its version, and the record. Types that this
broker does not know are skipped when they are read.
"""

from __future__ import annotations

from impl.core.cluster.metadata_records import (
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from impl.wire import Struct, decode_message, encode_message
from spec.wire import table

FRAME_VERSION = 1
VERSION = 0
NO_LEADER_CHANGE = -2

_KINDS: tuple[type[MetadataRecord], ...] = (
    ConfigRecord,
    FeatureLevelRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
)
_NAMES = {table()[kind.__name__].api_key: kind.__name__ for kind in _KINDS}


def encode(record: MetadataRecord) -> bytes:
    name = type(record).__name__
    # All three numbers are below 128, so each is its own variable-length form.
    frame = bytes([FRAME_VERSION, table()[name].api_key, VERSION])
    return frame + encode_message(name, VERSION, _to_struct(record))


def _to_struct(record: MetadataRecord) -> Struct:
    match record:
        case PartitionRecord():
            return Struct(
                partition_id=record.partition_id,
                topic_id=record.topic_id,
                replicas=list(record.replicas),
                isr=list(record.isr),
                leader=record.leader,
                leader_epoch=record.leader_epoch,
                partition_epoch=record.partition_epoch,
            )
        case PartitionChangeRecord():
            return Struct(
                partition_id=record.partition_id,
                topic_id=record.topic_id,
                isr=None if record.isr is None else list(record.isr),
                leader=NO_LEADER_CHANGE if record.leader is None else record.leader,
            )
        case _:
            return Struct(**{name: getattr(record, name) for name in record.__slots__})


def decode(value: bytes) -> MetadataRecord | None:
    """The record, or None if it says nothing that this broker keeps. Raises WireError."""
    if len(value) < 3 or value[0] != FRAME_VERSION or value[1] not in _NAMES:
        return None
    name = _NAMES[value[1]]
    fields = decode_message(name, value[2], value[3:])
    match name:
        case "TopicRecord":
            return TopicRecord(fields.name, fields.topic_id)
        case "RemoveTopicRecord":
            return RemoveTopicRecord(fields.topic_id)
        case "ConfigRecord":
            return ConfigRecord(
                fields.resource_type, fields.resource_name, fields.name, fields.value
            )
        case "ProducerIdsRecord":
            return ProducerIdsRecord(fields.broker_id, fields.next_producer_id)
        case "FeatureLevelRecord":
            return FeatureLevelRecord(fields.name, fields.feature_level)
        case "PartitionRecord":
            return _partition(fields)
    return _partition_change(fields)


def _partition(fields: Struct) -> PartitionRecord:
    return PartitionRecord(
        fields.topic_id,
        fields.partition_id,
        tuple(fields.replicas),
        tuple(fields.isr),
        fields.leader,
        fields.leader_epoch,
        fields.partition_epoch,
    )


def _partition_change(fields: Struct) -> PartitionChangeRecord:
    return PartitionChangeRecord(
        fields.topic_id,
        fields.partition_id,
        None if fields.isr is None else tuple(fields.isr),
        None if fields.leader == NO_LEADER_CHANGE else fields.leader,
    )
