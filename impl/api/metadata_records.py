"""The records of the metadata log as bytes, in Apache Kafka's format.

A value is a frame version, the type of the record, its version, and the record. Written are the
versions that belong to the metadata version of the cluster; read are all that there are. Types
that this broker does not know are skipped when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
)
from impl.wire import Struct, decode_message, encode_message
from spec.wire import table

FRAME_VERSION = 1
LISTENER = "PLAINTEXT"
PLAINTEXT = 0

# In a partition change; a leader that is given, even the same, begins a new leader epoch.
NO_LEADER_CHANGE = -2
NO_RECOVERY_STATE_CHANGE = -1

# The broker's own states, in a change of its registration.
_FENCE, _UNFENCE, _NO_CHANGE = 1, -1, 0
_IN_CONTROLLED_SHUTDOWN = 1


def _list(numbers: Sequence[int] | None) -> list[int] | None:
    return None if numbers is None else list(numbers)


def _tuple(numbers: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if numbers is None else tuple(numbers)


def _plain(record: Any) -> Struct:
    return Struct(**{name: getattr(record, name) for name in record.__slots__})


# Partitions


def _write_partition(record: PartitionRecord) -> Struct:
    return Struct(
        partition_id=record.partition_id,
        topic_id=record.topic_id,
        replicas=list(record.replicas),
        isr=list(record.isr),
        removing_replicas=list(record.removing_replicas),
        adding_replicas=list(record.adding_replicas),
        leader=record.leader,
        leader_recovery_state=record.leader_recovery_state,
        leader_epoch=record.leader_epoch,
        partition_epoch=record.partition_epoch,
        directories=[],
        eligible_leader_replicas=_list(record.eligible_leader_replicas or None),
        last_known_elr=_list(record.last_known_elr or None),
    )


def _read_partition(fields: Struct) -> PartitionRecord:
    return PartitionRecord(
        fields.topic_id,
        fields.partition_id,
        tuple(fields.replicas),
        tuple(fields.isr),
        fields.leader,
        fields.leader_epoch,
        fields.partition_epoch,
        tuple(fields.adding_replicas),
        tuple(fields.removing_replicas),
        fields.leader_recovery_state,
        tuple(fields.eligible_leader_replicas or ()),
        tuple(fields.last_known_elr or ()),
    )


def _write_partition_change(record: PartitionChangeRecord) -> Struct:
    state = record.leader_recovery_state
    return Struct(
        partition_id=record.partition_id,
        topic_id=record.topic_id,
        isr=_list(record.isr),
        leader=NO_LEADER_CHANGE if record.leader is None else record.leader,
        replicas=_list(record.replicas),
        removing_replicas=_list(record.removing_replicas),
        adding_replicas=_list(record.adding_replicas),
        leader_recovery_state=NO_RECOVERY_STATE_CHANGE if state is None else state,
        directories=None,
        eligible_leader_replicas=_list(record.eligible_leader_replicas),
        last_known_elr=_list(record.last_known_elr),
    )


def _read_partition_change(fields: Struct) -> PartitionChangeRecord:
    state = fields.leader_recovery_state
    return PartitionChangeRecord(
        fields.topic_id,
        fields.partition_id,
        isr=_tuple(fields.isr),
        leader=None if fields.leader == NO_LEADER_CHANGE else fields.leader,
        replicas=_tuple(fields.replicas),
        adding_replicas=_tuple(fields.adding_replicas),
        removing_replicas=_tuple(fields.removing_replicas),
        leader_recovery_state=None if state == NO_RECOVERY_STATE_CHANGE else state,
        eligible_leader_replicas=_tuple(fields.eligible_leader_replicas),
        last_known_elr=_tuple(fields.last_known_elr),
    )


# Brokers


def _write_registration(record: RegisterBrokerRecord) -> Struct:
    at = record.endpoint
    listener = Struct(name=LISTENER, host=at.host, port=at.port, security_protocol=PLAINTEXT)
    return Struct(
        broker_id=at.node_id,
        is_migrating_zk_broker=False,
        incarnation_id=record.incarnation_id,
        broker_epoch=record.broker_epoch,
        end_points=[listener],
        features=[],
        rack=at.rack,
        fenced=record.fenced,
        in_controlled_shutdown=record.in_controlled_shutdown,
        log_dirs=[],
    )


def _read_registration(fields: Struct) -> RegisterBrokerRecord:
    at = fields.end_points[0]
    return RegisterBrokerRecord(
        Endpoint(fields.broker_id, at.host, at.port, fields.rack),
        fields.incarnation_id,
        fields.broker_epoch,
        fields.fenced,
        fields.in_controlled_shutdown,
    )


def _write_registration_change(record: BrokerRegistrationChangeRecord) -> Struct:
    fenced = {None: _NO_CHANGE, True: _FENCE, False: _UNFENCE}[record.fenced]
    return Struct(
        broker_id=record.broker_id,
        broker_epoch=record.broker_epoch,
        fenced=fenced,
        in_controlled_shutdown=_IN_CONTROLLED_SHUTDOWN
        if record.in_controlled_shutdown
        else _NO_CHANGE,
    )


def _read_registration_change(fields: Struct) -> BrokerRegistrationChangeRecord:
    return BrokerRegistrationChangeRecord(
        fields.broker_id,
        fields.broker_epoch,
        {_NO_CHANGE: None, _FENCE: True, _UNFENCE: False}[fields.fenced],
        fields.in_controlled_shutdown == _IN_CONTROLLED_SHUTDOWN or None,
    )


def _read_fence(fields: Struct) -> BrokerRegistrationChangeRecord:
    return BrokerRegistrationChangeRecord(fields.id, fields.epoch, fenced=True)


def _read_unfence(fields: Struct) -> BrokerRegistrationChangeRecord:
    return BrokerRegistrationChangeRecord(fields.id, fields.epoch, fenced=False)


# All of them

# What is written: the version, and the fields of the record.
_WRITERS: Mapping[str, tuple[int, Callable[[Any], Struct]]] = {
    "TopicRecord": (0, _plain),
    "RemoveTopicRecord": (0, _plain),
    "ConfigRecord": (0, _plain),
    "ProducerIdsRecord": (0, _plain),
    "FeatureLevelRecord": (0, _plain),
    "UnregisterBrokerRecord": (0, _plain),
    "PartitionRecord": (2, _write_partition),
    "PartitionChangeRecord": (2, _write_partition_change),
    "RegisterBrokerRecord": (3, _write_registration),
    "BrokerRegistrationChangeRecord": (1, _write_registration_change),
}

_READERS: Mapping[str, Callable[[Struct], MetadataRecord]] = {
    "TopicRecord": lambda each: TopicRecord(each.name, each.topic_id),
    "RemoveTopicRecord": lambda each: RemoveTopicRecord(each.topic_id),
    "ConfigRecord": lambda each: ConfigRecord(
        each.resource_type, each.resource_name, each.name, each.value
    ),
    "ProducerIdsRecord": lambda each: ProducerIdsRecord(each.broker_id, each.next_producer_id),
    "FeatureLevelRecord": lambda each: FeatureLevelRecord(each.name, each.feature_level),
    "UnregisterBrokerRecord": lambda each: UnregisterBrokerRecord(
        each.broker_id, each.broker_epoch
    ),
    "PartitionRecord": _read_partition,
    "PartitionChangeRecord": _read_partition_change,
    "RegisterBrokerRecord": _read_registration,
    "BrokerRegistrationChangeRecord": _read_registration_change,
    "FenceBrokerRecord": _read_fence,
    "UnfenceBrokerRecord": _read_unfence,
}
_NAMES = {table()[name].api_key: name for name in _READERS}


def encode(record: MetadataRecord) -> bytes:
    name = type(record).__name__
    version, write = _WRITERS[name]
    # All three numbers are below 128, so each is its own variable-length form.
    frame = bytes([FRAME_VERSION, table()[name].api_key, version])
    return frame + encode_message(name, version, write(record))


def decode(value: bytes) -> MetadataRecord | None:
    """The record, or None if it says nothing that this broker keeps. Raises WireError."""
    if len(value) < 3 or value[0] != FRAME_VERSION or value[1] not in _NAMES:
        return None
    name = _NAMES[value[1]]
    return _READERS[name](decode_message(name, value[2], value[3:]))
