"""The records of the metadata log keep what they say, and have Kafka's bytes."""

from uuid import UUID

import pytest

from impl.api.metadata_records import decode, encode
from impl.core.cluster.messages import BROKER_RESOURCE, Endpoint
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
from impl.wire import Struct, encode_message
from spec.wire import table

ID = UUID(int=7)

RECORDS: list[MetadataRecord] = [
    FeatureLevelRecord("metadata.version", 25),
    TopicRecord("orders", ID),
    RemoveTopicRecord(ID),
    ConfigRecord(BROKER_RESOURCE, "", "min.insync.replicas", "2"),
    ConfigRecord(BROKER_RESOURCE, "1", "log.retention.ms", None),
    ProducerIdsRecord(1, 2000),
    PartitionRecord(ID, 0, (1, 2, 3), (1, 2), 1),
    PartitionRecord(ID, 1, (1, 2), (), -1, 4, 9, (3,), (1,), 1, (1,), (2,)),
    PartitionChangeRecord(ID, 0),
    PartitionChangeRecord(ID, 0, leader=-1),
    PartitionChangeRecord(ID, 0, (), 2, (2, 3), (), (3,), 0, (), (2,)),
    RegisterBrokerRecord(Endpoint(1, "localhost", 65000, "a"), ID, 17),
    RegisterBrokerRecord(Endpoint(1, "localhost", 9092), ID, 17, False, True),
    BrokerRegistrationChangeRecord(1, 17, fenced=True),
    BrokerRegistrationChangeRecord(1, 17, fenced=False),
    BrokerRegistrationChangeRecord(1, 17, in_controlled_shutdown=True),
    UnregisterBrokerRecord(1, 17),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda each: type(each).__name__)
def test_a_record_is_read_as_it_was_written(record: MetadataRecord) -> None:
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    ("name", "fenced"), [("FenceBrokerRecord", 1), ("UnfenceBrokerRecord", 0)]
)
def test_the_older_records_of_fencing_are_read(name: str, fenced: int) -> None:
    value = bytes([1, table()[name].api_key, 0]) + encode_message(name, 0, Struct(id=1, epoch=17))
    assert decode(value) == BrokerRegistrationChangeRecord(1, 17, fenced=bool(fenced))


def test_partitions_of_an_older_version_are_read() -> None:
    plain = Struct(
        partition_id=0,
        topic_id=ID,
        replicas=[1],
        isr=[1],
        leader=1,
        leader_epoch=3,
        partition_epoch=4,
    )
    value = bytes([1, table()["PartitionRecord"].api_key, 0])
    value += encode_message("PartitionRecord", 0, plain)
    assert decode(value) == PartitionRecord(ID, 0, (1,), (1,), 1, 3, 4)


def test_a_change_of_the_in_sync_replicas_has_the_bytes_that_kafka_writes() -> None:
    record = PartitionChangeRecord(ID, 1, isr=(2,), eligible_leader_replicas=(1,))
    # frame 1, type 5, version 2; partition, topic id; two tagged fields: 0 (isr) and 6 (elr),
    # each with its size and a compact array of one element
    assert encode(record) == (
        bytes([1, 5, 2])
        + (1).to_bytes(4, "big")
        + ID.bytes
        + bytes([2])
        + bytes([0, 5, 2, 0, 0, 0, 2])
        + bytes([6, 5, 2, 0, 0, 0, 1])
    )


def test_a_type_that_is_not_known_is_skipped() -> None:
    assert decode(bytes([1, 100, 0, 0])) is None
