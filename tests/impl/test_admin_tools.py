"""Apache Kafka's tools for administrators do with our cluster what they do with theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.impl import kafka_tools
from tests.impl.broker_process import Process, broker

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(
        kafka_tools.class_path() is None,
        reason="python -m tests.impl.kafka_tools fetches the tools",
    ),
]

REASSIGN = "reassign.ReassignPartitionsCommand"
CREATE = ("--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "3")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Process]:
    with broker("--cluster", "3") as running:
        kafka_tools.run("TopicCommand", "--bootstrap-server", running.address, *CREATE)
        yield running


@pytest.fixture
def tool(cluster: Process) -> Callable[..., str]:
    def run(name: str, *arguments: str) -> str:
        printed, complaints = kafka_tools.run(
            name, "--bootstrap-server", cluster.address, *arguments
        )
        assert "Exception" not in printed + complaints
        return printed

    return run


def test_a_partition_is_moved_with_a_throttle_that_is_taken_off(
    tool: Callable[..., str], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    moves = [{"topic": "orders", "partition": 0, "replicas": [3, 1]}]
    plan.write_text(json.dumps({"version": 1, "partitions": moves}))
    asked = ("--reassignment-json-file", str(plan))
    begun = tool(REASSIGN, *asked, "--execute", "--throttle", "1000000")
    assert "Successfully started partition reassignment for orders-0" in begun
    while "is completed" not in (state := tool(REASSIGN, *asked, "--verify")):
        assert "in progress" in state
    assert "throttle" not in tool("TopicCommand", "--describe", "--topic", "orders")
    assert "No partition reassignments found" in tool(REASSIGN, "--list")


def test_the_sizes_of_all_replicas_are_told(tool: Callable[..., str]) -> None:
    told = json.loads(tool("LogDirsCommand", "--describe").splitlines()[-1])
    assert [each["broker"] for each in told["brokers"]] == [1, 2, 3]
    held = [p["partition"] for b in told["brokers"] for p in b["logDirs"][0]["partitions"]]
    assert held.count("orders-1") == 3


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("LeaderElectionCommand", ("--election-type=preferred", "--all-topic-partitions"), ""),
        ("GetOffsetShell", ("--topic", "orders"), "orders:2:0"),
        ("consumer.group.ConsumerGroupCommand", ("--list",), ""),
        ("GroupsCommand", ("--list",), "GROUP"),
        ("TransactionsCommand", ("list",), "TransactionalId"),
        ("TransactionsCommand", ("find-hanging", "--broker-id", "1"), "Topic"),
        ("BrokerApiVersionsCommand", (), "DescribeLogDirs(35): 1 to 4"),
        ("FeatureCommand", ("describe",), "metadata.version"),
        ("MetadataQuorumCommand", ("describe", "--status"), "MaxFollowerLag: "),
        ("MetadataQuorumCommand", ("describe", "--replication"), "Follower"),
    ],
)
def test_what_a_tool_asks_for_is_told(
    tool: Callable[..., str], name: str, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in tool(name, *arguments)


def test_controllers_can_be_asked_directly(tmp_path: Path) -> None:
    with broker("--cluster", "3", folder=tmp_path):
        kept = (tmp_path / "cluster.properties").read_text()
        voters = next(line for line in kept.splitlines() if line.startswith("controller.quorum"))
        address = re.sub(r"\d+@", "", voters.partition("=")[2])
        at = ("--bootstrap-controller", address)
        told, _ = kafka_tools.run("MetadataQuorumCommand", *at, "describe", "--status")
        assert "CurrentVoters: " in told


@pytest.mark.parametrize(
    ("asked", "expected"), [("cluster-id", "Cluster ID: "), ("list-endpoints", "unfenced")]
)
def test_the_cluster_tells_who_it_is(cluster: Process, asked: str, expected: str) -> None:
    at = ("--bootstrap-server", cluster.address)
    assert expected in kafka_tools.run("ClusterTool", asked, *at)[0]
