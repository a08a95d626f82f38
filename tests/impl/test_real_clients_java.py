"""Apache Kafka's performance tools against three brokers of which one dies under load and comes
back.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.impl import kafka_tools
from tests.impl.real_clients import java, victims
from tests.impl.real_clients.cluster import Cluster, cluster, until
from tests.impl.real_clients.judge import PARTITIONS, assert_each_once, everything
from tests.impl.real_clients.scenarios import SOURCE, Victim

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        kafka_tools.class_path() is None,
        reason="python -m tests.impl.kafka_tools fetches the tools",
    ),
]

COUNT, A_SECOND, SOME = 2_000, 400, 200
IDEMPOTENT = ("--command-property", "enable.idempotence=true")
TRANSACTIONAL = ("--transactional-id", "processor", "--transaction-duration-ms", "50")


@pytest.mark.parametrize(
    ("arguments", "protocol", "victim"),
    [
        (IDEMPOTENT, "consumer", victims.leader),
        (TRANSACTIONAL, "classic", victims.of_transactions),
        pytest.param(IDEMPOTENT, "consumer", victims.of_group, marks=pytest.mark.deep),
        pytest.param(IDEMPOTENT, "classic", victims.controller, marks=pytest.mark.deep),
        pytest.param(TRANSACTIONAL, "consumer", victims.leader, marks=pytest.mark.deep),
    ],
)
def test_what_is_written_is_there_once_and_is_read(
    tmp_path: Path, arguments: tuple[str, ...], protocol: str, victim: Victim
) -> None:
    with cluster(tmp_path) as brokers:
        brokers.create(SOURCE)
        with (
            java.consuming(brokers.bootstrap, COUNT, protocol) as consumer,
            java.producing(brokers.bootstrap, COUNT, A_SECOND, *arguments) as producer,
        ):
            strike(brokers, victim, producer)
            producer.result()
            assert consumer.consumed() >= COUNT
        assert_each_once(everything(brokers.bootstrap, SOURCE), COUNT)


def strike(brokers: Cluster, victim: Victim, producer: java.Tool) -> None:
    until(lambda: producer.sent() > SOME, "some records are written")
    node_id = victim(brokers)
    brokers.kill(node_id)
    assert producer.is_running
    until(lambda: producer.sent() > 2 * SOME, f"more are written without broker {node_id}")
    brokers.restart(node_id)
    until(lambda: brokers.is_whole(SOURCE, PARTITIONS), f"broker {node_id} is in sync again")
