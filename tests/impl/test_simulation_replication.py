"""What the replicas of a simulated partition do is admitted by the machine of replication, and
what they do that breaks a rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from impl.core.data import reading
from impl.core.data.leadership import Leadership
from impl.simulation.faults import CRASH, CUT, KINDS
from model.engines.admit import ADMITTED, REFUSED, Admission
from tests.impl.admission_of_replication import watched
from tests.impl.cluster_storm import PROPERTIES, TOPIC, storm

PAUSE_MS = 500
WITHOUT_CRASHES = tuple(kind for kind in KINDS if kind != CRASH)
WITHOUT_MINIMUM = {**PROPERTIES, "min.insync.replicas": "1"}


def judged(seed: int, kinds: Sequence[str] = WITHOUT_CRASHES) -> Iterator[Admission]:
    with watched(TOPIC) as run:
        storm(seed, kinds=kinds, pause_ms=PAUSE_MS, properties=WITHOUT_MINIMUM)
    for _, partition in sorted(run.partitions.items()):
        yield partition.judge()


def test_what_replicas_do_is_admitted() -> None:
    admissions = [each for seed in (9, 14, 35) for each in judged(seed)]
    assert [str(each) for each in admissions if each.outcome != ADMITTED] == []
    steps = {step.partition("(")[0] for each in admissions for step in each.run.actions}
    assert {"follower_truncates", "leader_expands_isr", "replica_restarts"} <= steps


@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_what_replicas_do_is_admitted_in_many_storms(first: int) -> None:
    for seed in range(first, first + 50):
        for admission in judged(seed):
            assert admission.outcome == ADMITTED, f"seed {seed}: {admission}"


# Mutants: a rule is left out, and what replicas do of some seed of a few must be refused


def _the_leader_alone_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-01."""
    monkeypatch.setattr(
        Leadership, "reached_offset", lambda _self, log_end_offset, _now_ms: log_end_offset
    )


def _the_in_sync_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-01."""
    monkeypatch.setattr(Leadership, "maximal_isr", ())


def _a_follower_that_lags_is_proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-05."""

    def propose_to_add(self: Leadership, broker_id: int, _high_watermark: int) -> bool:
        if self.proposal is not None or broker_id in self.isr or not self._is_eligible(broker_id):
            return False
        self.proposal = self._propose((*self.isr, broker_id), broker_id)
        return True

    monkeypatch.setattr(Leadership, "propose_to_add", propose_to_add)


def _what_differs_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-11, REPL-12."""
    monkeypatch.setattr(reading, "divergence", lambda *_: None)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _the_leader_alone_commits,
    _the_in_sync_are_not_asked,
    _a_follower_that_lags_is_proposed,
    _what_differs_is_not_cut,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_refused(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    admissions = (each for seed in range(4, 24) for each in judged(seed, (CUT,)))
    assert any(each.outcome == REFUSED for each in admissions)
