"""A whole cluster in virtual time: every seed ends well, and a broken rule is found by some."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impl.core.cluster.messages import CreatedTopics, CreateTopics, NewTopic
from impl.core.data.leadership import Leadership
from impl.core.data.partition import Partition
from impl.core.log.producer_state import ProducerStates
from impl.simulation.cluster import Simulation
from impl.simulation.faults import KINDS, Fault
from spec.wire.errors import ErrorCode
from tests.impl.cluster_storm import Storm, storm

DURATION_MS = 25_000
CLIENT = 1_000

faults = st.lists(
    st.builds(
        Fault,
        st.integers(0, DURATION_MS),
        st.sampled_from(KINDS),
        st.integers(1, 2),
        st.integers(100, 10_000),
        st.just(3),
    ),
    max_size=8,
)


@pytest.mark.parametrize("seed", range(6))
def test_what_was_acknowledged_survives_the_storm(seed: int) -> None:
    assert storm(seed).problems() == []


@given(faults, st.integers(0, 1_000))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_faults_end_well(plan: list[Fault], seed: int) -> None:
    assert Storm(seed, plan, DURATION_MS).problems() == []


def test_one_seed_is_one_run_byte_for_byte() -> None:
    runs = [storm(3) for _ in range(2)]
    first, second = (
        {
            (node_id, folder, name): node.disk.read(f"{folder}/{name}", 0, 1 << 30)
            for node_id, node in run.simulation.nodes.items()
            for folder in node.disk.folders()
            for name in node.disk.files(folder)
        }
        for run in runs
    )
    assert first == second
    assert [c.history for c in runs[0].consumers] == [c.history for c in runs[1].consumers]


def test_another_seed_is_another_run() -> None:
    histories = [storm(seed).consumers[0].history for seed in (1, 2)]
    assert histories[0] != histories[1]


def test_an_idle_cluster_keeps_its_controller() -> None:
    simulation = Simulation(5)
    simulation.run(3_000)
    brokers = [node.broker for node in simulation.nodes.values()]
    before = [broker.catalogue.brokers for broker in brokers if broker is not None]
    simulation.run(600_000)
    assert [broker.catalogue.brokers for broker in brokers if broker is not None] == before


def test_what_a_controller_cannot_finish_the_next_one_answers() -> None:
    simulation = Simulation(5)
    simulation.run(3_000)
    broker = simulation.nodes[1].broker
    assert broker is not None
    assert broker.controller is not None
    first = broker.controller.node_id
    for other in simulation.nodes.keys() - {first}:
        simulation.network.cut(first, other)
    answers: list[CreatedTopics | None] = []
    request = CreateTopics((NewTopic("orders", 1, 3),))
    simulation.network.ask(CLIENT, first, "client", request, 60_000, answers.append)
    simulation.run(20_000)
    assert not answers
    simulation.network.heal()
    simulation.run(10_000)
    (answer,) = answers
    assert answer is not None
    assert answer.topics[0].error is ErrorCode.NONE


# Mutants: a rule is left out, and some seed of a few must find it


def _acknowledged_by_the_leader_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ACKS-05."""
    monkeypatch.setattr(
        Leadership, "reached_offset", lambda _self, log_end_offset, _now_ms: log_end_offset
    )


def _nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-12."""
    monkeypatch.setattr(Partition, "truncate_to", lambda _self, _offset: None)


def _sequences_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """PROD-03."""
    monkeypatch.setattr(ProducerStates, "check", lambda _self, *_given, **_named: None)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _acknowledged_by_the_leader_alone,
    _nothing_is_cut,
    _sequences_are_not_looked_at,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_missed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)

    def finds(seed: int) -> bool:
        try:
            return bool(storm(seed).problems())
        except Exception:
            return True  # it does not even go on

    assert any(finds(seed) for seed in range(1, 25))


# The long run

SEEDS = 10_000


def _judge(seed: int) -> tuple[int, list[str]]:
    try:
        return seed, storm(seed).problems()
    except Exception as failure:
        return seed, [repr(failure)]


@pytest.mark.deep
def test_ten_thousand_seeds_end_well() -> None:
    with ProcessPoolExecutor() as pool:
        judged = pool.map(_judge, range(SEEDS), chunksize=20)
        assert [(seed, problems) for seed, problems in judged if problems] == []
