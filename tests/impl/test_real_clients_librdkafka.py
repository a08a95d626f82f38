"""confluent-kafka against three brokers of which one dies under load and comes back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.impl.real_clients import librdkafka, victims
from tests.impl.real_clients.cluster import cluster
from tests.impl.real_clients.scenarios import (
    Victim,
    a_group_sees_all,
    processing_is_exactly_once,
    writes_survive,
)

pytestmark = pytest.mark.clients
deep = pytest.mark.deep


@pytest.mark.parametrize(
    "victim",
    [victims.controller, victims.leader_ahead, pytest.param(victims.leader, marks=deep)],
)
def test_an_idempotent_producer_loses_and_repeats_nothing(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, librdkafka.write, victim)


@pytest.mark.parametrize(
    "victim", [victims.of_transactions, pytest.param(victims.leader, marks=deep)]
)
def test_transactions_are_whole(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, librdkafka.write_transactions, victim)


@pytest.mark.parametrize(
    "protocol", [pytest.param("classic", marks=deep), "classic-cooperative", "consumer"]
)
@pytest.mark.parametrize("victim", [victims.of_group, pytest.param(victims.leader, marks=deep)])
def test_a_group_sees_everything(tmp_path: Path, protocol: str, victim: Victim) -> None:
    read = partial(librdkafka.read, protocol)
    with cluster(tmp_path) as brokers:
        a_group_sees_all(brokers, librdkafka.write, read, victim)


@pytest.mark.parametrize("protocol", ["consumer", pytest.param("classic", marks=deep)])
def test_what_is_read_is_processed_exactly_once(tmp_path: Path, protocol: str) -> None:
    """The group keeps its coordinator: without it librdkafka's producer may wait for ever for the
    broker that the metadata do not name any more (confluentinc/librdkafka#5511).
    """
    process = partial(librdkafka.process, protocol)
    with cluster(tmp_path) as brokers:
        processing_is_exactly_once(brokers, librdkafka.write, process, victims.leader_beside_group)
