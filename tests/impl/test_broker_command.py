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
POLL_INTERVAL_S = 0.01


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def created(client: Client) -> Struct:
    """What is answered about the topic once there is one: asking for it creates it."""
    asked = {"topics": [Struct(name=TOPIC)], "allow_auto_topic_creation": True}
    while not (answer := client.ask("Metadata", 4, **asked)).topics[0].partitions:
        time.sleep(POLL_INTERVAL_S)
    return answer


def produce(client: Client, *texts: bytes) -> int:
    created(client)
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
        "replication-offset-checkpoint",
    }
    assert {path.name for path in (tmp_path / f"{TOPIC}-0").iterdir()} == {
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.timeindex",
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
    "two property files": (["a", "--config", "b"], "the property file is to be given once"),
    "an address twice": (
        ["--port", "0", "--set", "listeners=PLAINTEXT://:0"],
        "--host and --port say the same as listeners",
    ),
    "a cluster of nobody": (["--cluster", "0"], "a cluster has at least one broker"),
    "an id within a cluster": (["--cluster", "2", "--set", "node.id=7"], "node.id is not to be"),
    "voters of an unknown cluster": (
        [
            "--set=listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "--set=controller.listener.names=CONTROLLER",
            "--set=controller.quorum.voters=1@127.0.0.1:9093,2@127.0.0.1:9094",
        ],
        "give all of them the same --cluster-id",
    ),
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
        answer = created(client)
    assert [broker.node_id for broker in answer.brokers] == [7]
    assert len(answer.topics[0].partitions) == 2


def test_a_property_file_of_kafka_is_taken_as_its_start_script_does(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text(
        "process.roles=broker,controller\nnode.id=5\nnum.io.threads=8\n"
        "controller.quorum.bootstrap.servers=localhost:9093\n"
        "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n"
        "controller.listener.names=CONTROLLER\n"
        f"log.dirs={tmp_path / 'data'}\n"
    )
    arguments = (str(file), "--override", "num.partitions=2", "--verbose")
    with broker(*arguments, port=None) as process, Client(process.port) as client:
        answer = created(client)
        assert [broker.node_id for broker in answer.brokers] == [5]
        assert [broker.port for broker in answer.brokers] == [process.port]
        assert len(answer.topics[0].partitions) == 2
        process.running.terminate()
        errors = process.running.communicate(timeout=PATIENCE_S)[1]
    assert (tmp_path / "data" / "meta.properties").exists()
    assert "has no effect here: num.io.threads" in errors


def test_a_folder_stays_with_its_cluster(tmp_path: Path) -> None:
    with broker("--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", folder=tmp_path):
        pass
    assert "cluster.id=MkU3OEVBNTcwNTJENDM2Qg\n" in (tmp_path / "meta.properties").read_text()
    with broker(folder=tmp_path) as process, Client(process.port) as client:
        answer = client.ask("Metadata", 4, topics=None)
        assert answer.cluster_id == "MkU3OEVBNTcwNTJENDM2Qg"
    other = run("--port", "0", "--data", str(tmp_path), "--cluster-id", "another")
    assert other.returncode == 2
    assert "belongs to cluster MkU3OEVBNTcwNTJENDM2Qg, and not to another." in other.stderr


def test_a_cluster_of_one_is_a_broker_in_a_process_of_its_own(tmp_path: Path) -> None:
    with broker("--cluster", "1", folder=tmp_path) as process:
        with Client(process.port) as client:
            assert produce(client, b"a") == 0
        process.running.terminate()
        assert process.running.wait(PATIENCE_S) == 0
    alone = str(tmp_path / "broker-1.properties")
    with broker(alone, port=None) as again, Client(again.port) as client:
        assert again.port == process.port
        assert read(client) == [(0, b"a")]


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
