"""This project's clients against three brokers of which one dies under load and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.impl.real_clients import reference, victims
from tests.impl.real_clients.cluster import cluster
from tests.impl.real_clients.scenarios import (
    Victim,
    a_group_sees_all,
    processing_is_exactly_once,
    writes_survive,
)

pytestmark = pytest.mark.clients
deep = pytest.mark.deep


@pytest.mark.parametrize("victim", [victims.leader, pytest.param(victims.controller, marks=deep)])
def test_an_idempotent_producer_loses_and_repeats_nothing(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, reference.write, victim)


@pytest.mark.parametrize(
    "victim", [victims.of_transactions, pytest.param(victims.leader, marks=deep)]
)
def test_transactions_are_whole(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        writes_survive(brokers, reference.write_transactions, victim)


@pytest.mark.parametrize("victim", [victims.of_group, pytest.param(victims.leader, marks=deep)])
def test_a_group_sees_everything(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        a_group_sees_all(brokers, reference.write, reference.read, victim)


@pytest.mark.parametrize(
    "victim", [victims.of_group, pytest.param(victims.of_transactions, marks=deep)]
)
def test_what_is_read_is_processed_exactly_once(tmp_path: Path, victim: Victim) -> None:
    with cluster(tmp_path) as brokers:
        processing_is_exactly_once(brokers, reference.write, reference.process, victim)
