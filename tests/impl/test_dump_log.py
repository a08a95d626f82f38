"""Apache Kafka's `kafka-dump-log` reads what this broker writes, and complains of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from impl.core.config import TopicConfig
from impl.core.log.batch import TRANSACTIONAL
from impl.shell.compression import GZIP, LZ4, SNAPPY, ZSTD
from impl.shell.files import FileStorage
from tests.impl import kafka_tools
from tests.impl.broker_process import PATIENCE_S, broker
from tests.impl.compacted_log import ABORT, COMMIT, Compacted

pytestmark = pytest.mark.skipif(
    kafka_tools.class_path() is None, reason="python -m tests.impl.kafka_tools fetches the tools"
)

PLAIN = TopicConfig(index_interval_bytes=200)
TABLE = TopicConfig(
    cleanup_policy=("compact",),
    delete_retention_ms=1_000,
    index_interval_bytes=200,
    min_cleanable_dirty_ratio=0.0,
    segment_bytes=2_000,
)
RECORD = re.compile(r"^\| offset: (\d+) .*?(?: key: (\S+))?(?: payload: (\S+))?$", re.MULTILINE)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[FileStorage]:
    storage = FileStorage(tmp_path)
    yield storage
    storage.close()


def files(folder: Path, *suffixes: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)


def dump(paths: Iterable[Path], *options: str, has_gaps: bool = False) -> str:
    """What the tool prints, once it was seen to find nothing wrong."""
    printed, complaints = kafka_tools.dump(paths, *options)
    assert "isvalid: false" not in printed
    assert "invalid" not in printed.lower().replace("isvalid", "")
    # A segment that does not begin with offset 0 is one complaint, in some versions of the tool;
    # the others are about gaps, which only compaction leaves.
    gap = r"  -?\d+" if has_gaps else "  -1"
    complaints = re.sub(rf"(?:{gap}) is followed by \d+\n", "", complaints)
    complaints = re.sub(r"Non-consecutive offsets in .*\n(?!  )", "", complaints)
    assert complaints == ""
    return printed


def dump_all(log: Compacted, folder: Path, *, has_gaps: bool = False) -> None:
    """Every file of the log, and every record of it as we read it ourselves."""
    printed = dump(files(folder, ".log"), "--print-data-log", has_gaps=has_gaps)
    expected = [
        (str(r.offset), (r.key or b"").decode(), (r.value or b"").decode()) for r in log.records()
    ]
    found = [each for each in RECORD.findall(printed) if "endTxnMarker" not in each]
    assert [each for each in found if each[0] in {e[0] for e in expected}] == expected
    indexes = files(folder, ".index", ".timeindex")
    assert indexes
    dump(indexes, "--verify-index-only")
    dump(indexes, "--index-sanity-check")


def test_batches_of_all_codecs(storage: FileStorage, tmp_path: Path) -> None:
    log = Compacted(PLAIN, storage=storage)
    for codec in (0, GZIP, SNAPPY, LZ4, ZSTD):
        log.write((b"key", b"value%d" % codec), (b"key", b"x" * 500), codec=codec)
    log.log.flush()
    printed = dump(files(tmp_path / "table-0", ".log"), "--deep-iteration")
    assert re.findall(r"compresscodec: (\w+)", printed) == [
        "none",
        "gzip",
        "snappy",
        "lz4",
        "zstd",
    ]
    dump_all(log, tmp_path / "table-0")


def test_segments_and_their_indexes(storage: FileStorage, tmp_path: Path) -> None:
    log = Compacted(replace(PLAIN, segment_bytes=3_000), storage=storage)
    for number in range(100):
        jitter_ms = number * 7 % 31
        log.write((b"key", b"value%d" % number), timestamp_ms=log.now_ms - jitter_ms)
    assert len(log.log.segments) > 2
    folder = tmp_path / "table-0"
    dump_all(log, folder)
    printed = dump(files(folder, ".index"))
    assert len(re.findall(r"^offset: \d+ position: \d+$", printed, re.MULTILINE)) > 20
    log.log.truncate_to(50)
    log.load()
    dump_all(log, folder)


def test_transactions_and_what_is_known_of_producers(storage: FileStorage, tmp_path: Path) -> None:
    log = Compacted(PLAIN, storage=storage)
    ours = {"producer_id": 7, "producer_epoch": 3}
    log.write((b"a", b"1"), **ours, base_sequence=0, attributes=TRANSACTIONAL)
    log.end_transaction(7, COMMIT, producer_epoch=3)
    log.write((b"a", b"2"), **ours, base_sequence=1, attributes=TRANSACTIONAL)
    log.end_transaction(7, ABORT, producer_epoch=3)
    log.write((b"a", b"3"), (b"a", b"4"), producer_id=8, producer_epoch=0, base_sequence=5)
    log.roll()
    log.log.flush()
    folder = tmp_path / "table-0"
    dump_all(log, folder)
    printed = dump(files(folder, ".log"), "--print-data-log")
    assert re.findall(r"endTxnMarker: (\w+) coordinatorEpoch: (\d+)", printed) == [
        ("COMMIT", "0"),
        ("ABORT", "0"),
    ]
    printed = dump(files(folder, ".txnindex"))
    assert "version: 0 producerId: 7 firstOffset: 2 lastOffset: 3 lastStableOffset: 4" in printed
    printed = dump(files(folder, ".snapshot"))
    assert "producerId: 7 producerEpoch: 3 coordinatorEpoch: 0" in printed
    assert re.search("producerId: 8 .*firstSequence: 5 lastSequence: 6 lastOffset: 5", printed)


def test_a_compacted_log(storage: FileStorage, tmp_path: Path) -> None:
    log = Compacted(TABLE, storage=storage)
    for number in range(60):
        producer = {"producer_id": number % 3, "producer_epoch": 0, "base_sequence": number // 3}
        log.write(
            (b"key%d" % (number % 7), b"x" * 50),
            (b"key%d" % (number % 11), None if number % 5 == 0 else b"y" * 50),
            codec=number % 5,
            **producer,
        )
        if number % 10 == 0:
            log.write((b"key1", b"z"), producer_id=9, producer_epoch=0, attributes=TRANSACTIONAL)
            log.end_transaction(9, ABORT if number % 20 else COMMIT)
        if number % 15 == 0:
            log.clean()
    log.roll()
    log.clean()
    folder = tmp_path / "table-0"
    dump_all(log, folder, has_gaps=True)
    printed = dump(files(folder, ".log"), "--deep-iteration", has_gaps=True)
    assert "deleteHorizonMs: OptionalLong[" in printed
    assert "count: 0 " in printed, "batches without records"
    assert dump(files(folder, ".txnindex"))


def test_the_logs_of_the_broker_itself(tmp_path: Path) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    with broker("--set", "offsets.topic.num.partitions=1", folder=tmp_path / "data") as running:
        common = {"bootstrap.servers": running.address, "log_level": 0}
        producer = confluent_kafka.Producer({**common, "enable.idempotence": True})
        producer.produce("orders", b"value", key=b"key", headers=[("name", b"content")])
        assert producer.flush(PATIENCE_S) == 0
        consumer = confluent_kafka.Consumer({**common, "group.id": "readers"})
        place = confluent_kafka.TopicPartition("orders", 0, 1)
        consumer.commit(offsets=[place], asynchronous=False)
        consumer.close()
    folder = tmp_path / "data"
    printed = dump(files(folder / "__cluster_metadata-0", ".log"), "--cluster-metadata-decoder")
    assert '"type":"TOPIC_RECORD","version":0,"data":{"name":"orders"' in printed
    printed = dump(files(folder / "__consumer_offsets-0", ".log"), "--offsets-decoder")
    assert '"group":"readers","topic":"orders","partition":0' in printed
    assert '"offset":1' in printed
    printed = dump(files(folder / "orders-0", ".log"), "--print-data-log")
    assert "headerKeys: [name] key: key payload: value" in printed
