"""kafka-python and aiokafka against three brokers of which one dies under load and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.impl.real_clients import aio, kafka_python, victims
from tests.impl.real_clients.cluster import cluster
from tests.impl.real_clients.scenarios import (
    Read,
    Victim,
    Write,
    a_group_sees_all,
    writes_survive,
)

pytestmark = pytest.mark.clients
deep = pytest.mark.deep


@pytest.mark.parametrize(
    ("write", "victim"),
    [
        (kafka_python.write, victims.leader),
        (aio.write, victims.leader_ahead),
        pytest.param(kafka_python.write, victims.controller, marks=deep),
        pytest.param(aio.write, victims.controller, marks=deep),
    ],
)
def test_an_idempotent_producer_loses_and_repeats_nothing(
    tmp_path: Path, write: Write, victim: Victim
) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, write, victim)


@pytest.mark.parametrize(
    ("write", "victim"),
    [
        # kafka-python 3.0.12 forgets a request for which it could not connect to the coordinator.
        (kafka_python.write_transactions, victims.leader_beside_transactions),
        (aio.write_transactions, victims.of_transactions),
        pytest.param(aio.write_transactions, victims.leader, marks=deep),
    ],
)
def test_transactions_are_whole(tmp_path: Path, write: Write, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, write, victim)


@pytest.mark.parametrize(
    ("write", "read", "victim"),
    [
        (kafka_python.write, kafka_python.read, victims.of_group),
        (aio.write, aio.read, victims.of_group),
        pytest.param(kafka_python.write, kafka_python.read, victims.leader, marks=deep),
        pytest.param(aio.write, aio.read, victims.leader, marks=deep),
    ],
)
def test_a_group_sees_everything(tmp_path: Path, write: Write, read: Read, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        a_group_sees_all(brokers, write, read, victim)
