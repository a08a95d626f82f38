"""`brokerspec broker` from the outside: its options, its folder, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from impl.wire import Struct
from tests.impl.broker_process import PATIENCE_S, Client, broker, command
from tests.impl.broker_world import batch, values

TOPIC = "orders"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def produce(client: Client, *texts: bytes) -> int:
    client.ask("Metadata", 4, topics=[Struct(name=TOPIC)], allow_auto_topic_creation=True)
    data = [Struct(name=TOPIC, partition_data=[Struct(index=0, records=batch(*texts))])]
    answer = client.ask("Produce", 9, acks=-1, timeout_ms=1_000, topic_data=data)
    partition = answer.responses[0].partition_responses[0]
    assert partition.error_code == 0
    return int(partition.base_offset)


def read(client: Client) -> list[tuple[int, bytes | None]]:
    topics = [Struct(topic=TOPIC, partitions=[Struct(partition=0, partition_max_bytes=1 << 20)])]
    answer = client.ask("Fetch", 12, max_wait_ms=0, max_bytes=1 << 20, topics=topics)
    return values(answer.responses[0].partitions[0].records)


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        assert produce(client, b"a", b"b") == 0
        process.kill()
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        assert read(client) == [(0, b"a"), (1, b"b")]
        assert produce(client, b"c") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_and_the_data_stays(tmp_path: Path, number: int) -> None:
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        produce(client, b"a")
        process.running.send_signal(number)
        assert process.running.wait(PATIENCE_S) == 0
        assert client.is_closed_by_peer()
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        assert read(client) == [(0, b"a")]


def test_the_files_have_the_names_that_kafka_gives_them(tmp_path: Path) -> None:
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        produce(client, b"a")
    assert {path.name for path in tmp_path.iterdir()} == {
        ".kafka_cleanshutdown",
        ".lock",
        "__cluster_metadata-0",
        "meta.properties",
        f"{TOPIC}-0",
        "recovery-point-offset-checkpoint",
    }
    assert {path.name for path in (tmp_path / f"{TOPIC}-0").iterdir()} == {
        "00000000000000000000.log",
        "leader-epoch-checkpoint",
        "partition.metadata",
    }


def test_a_second_broker_is_refused_the_folder(tmp_path: Path) -> None:
    with broker(folder=tmp_path):
        second = run("--port", "0", "--data", str(tmp_path))
    assert second.returncode == 2
    assert "another broker works in" in second.stderr


def test_a_folder_stays_with_its_node(tmp_path: Path) -> None:
    with broker("--set", "node.id=3", folder=tmp_path):
        pass
    other = run("--port", "0", "--data", str(tmp_path))
    assert other.returncode == 2
    assert "belongs to node 3" in other.stderr


@pytest.mark.parametrize("content", [b"", b"version=1\n", b"\xff\xfe"])
def test_a_folder_without_identity_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "meta.properties").write_bytes(content)
    ended = run("--port", "0", "--data", str(tmp_path))
    assert ended.returncode == 2
    assert ended.stderr == (
        "brokerspec broker: meta.properties in the data folder lacks node.id or cluster.id.\n"
    )


def test_a_temporary_folder_is_gone_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with broker() as process:
        assert len(list(tmp_path.iterdir())) == 1
        process.running.terminate()
        process.running.wait(PATIENCE_S)
    assert list(tmp_path.iterdir()) == []


BAD_INPUT = {
    "an unknown property": (["--set", "no.such.thing=1"], "no.such.thing is not a property"),
    "a bad value": (["--set", "num.partitions=many"], "num.partitions is a whole number"),
    "a value out of range": (["--set", "num.partitions=0"], "num.partitions is at least 1"),
    "no value": (["--set", "num.partitions"], "KEY=VALUE"),
    "a missing file": (["--config", "/no/such/file"], "cannot be read"),
    "a port that cannot be": (["--port", "70000"], "no port 70000"),
    "a host that is not here": (["--host", "192.0.2.1", "--port", "0"], "cannot listen"),
}


@pytest.mark.parametrize("what", BAD_INPUT)
def test_bad_input_gets_a_sentence(what: str) -> None:
    arguments, sentence = BAD_INPUT[what]
    ended = run(*arguments)
    assert ended.returncode == 2
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


def test_properties_come_from_a_file_and_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("# of this test\nnum.partitions=3\nnode.id = 7\n")
    arguments = ("--config", str(file), "--set", "num.partitions=2")
    with broker(*arguments) as process, Client(process.port) as client:
        answer = client.ask("Metadata", 4, topics=[Struct(name=TOPIC)])
    assert [broker.node_id for broker in answer.brokers] == [7]
    assert len(answer.topics[0].partitions) == 2


def test_the_help_has_an_example() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert "brokerspec broker --port 9092" in shown.stdout


def test_it_starts_at_once() -> None:
    """In half a second of processor time, whatever else the machine does."""
    before = os.times()
    started = time.monotonic()
    with broker():
        assert time.monotonic() - started < PATIENCE_S
    after = os.times()
    spent = sum(after[2:4]) - sum(before[2:4])
    assert spent < 1.0, f"{spent:.2f} s"
