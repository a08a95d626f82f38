"""The records of the metadata log keep what they say, and have Kafka's bytes."""

import json
import re
from pathlib import Path
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
from impl.core.config import TopicConfig
from impl.core.log.batch import HEADER_SIZE, build_batch, read_header
from impl.core.log.log import Log
from impl.shell.files import FileStorage
from impl.shell.platform import platform
from impl.wire import Struct, encode_message
from spec.wire import table
from tests.impl import kafka_tools

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


@pytest.mark.skipif(
    kafka_tools.class_path() is None, reason="python -m tests.impl.kafka_tools fetches the tools"
)
def test_kafka_dump_log_reads_all_of_them(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    here = platform(storage)
    log = Log(here, "__cluster_metadata-0", TopicConfig(), 0)
    batch = build_batch([(None, encode(record)) for record in RECORDS], 0, here.checksum)
    header = read_header(batch)._replace(partition_leader_epoch=1)
    log.append(header, memoryview(batch)[HEADER_SIZE:], 0)
    log.flush()
    storage.close()
    (file,) = (tmp_path / "__cluster_metadata-0").glob("*.log")
    printed, complaints = kafka_tools.dump([file], "--cluster-metadata-decoder")
    assert complaints == ""
    payloads = [json.loads(each) for each in re.findall(r"payload: (\{.*\})$", printed, re.M)]
    words = [re.sub(r"(?<!^)(?=[A-Z])", "_", type(each).__name__) for each in RECORDS]
    assert [payload["type"] for payload in payloads] == [each.upper() for each in words]
    full = payloads[7]["data"]
    assert (full["eligibleLeaderReplicas"], full["lastKnownElr"]) == ([1], [2])
    assert (full["addingReplicas"], full["leaderRecoveryState"]) == ([3], 1)
