"""Groups of a whole cluster in virtual time: every seed ends well, and a broken rule is found by
some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import pytest

from impl.core.groups.consumer import reconciling
from impl.core.groups.coordinator_log import CoordinatorLog
from impl.simulation.faults import ISOLATION
from tests.impl.groups_in_storms import WITHOUT_NOISE, group_storm


def judge(seed: int, kinds: Sequence[str] = WITHOUT_NOISE) -> tuple[int, list[str]]:
    try:
        return seed, group_storm(seed, kinds=kinds).problems()
    except Exception as failure:
        return seed, [repr(failure)]


def test_groups_come_through_the_storm() -> None:
    assert judge(4) == (4, [])


def test_who_lost_power_counts_as_down_until_all_are_in_sync() -> None:
    """Else two that died uncleanly may be all that the controller knew to have a record."""
    assert judge(30_214) == (30_214, [])


@pytest.mark.deep
def test_groups_come_through_a_thousand_storms() -> None:
    with ProcessPoolExecutor() as pool:
        judged = pool.map(judge, range(1_000), chunksize=10)
        assert [(seed, problems) for seed, problems in judged if problems] == []


# Mutants: a rule is left out, and some seed of a few must find it


def _a_partition_is_given_away_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-22."""
    monkeypatch.setattr(reconciling, "has_given_up", lambda *_: True)


def _offsets_are_acknowledged_before_they_are_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-14."""
    monkeypatch.setattr(CoordinatorLog, "_is_over", lambda *_: True)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _a_partition_is_given_away_before_it_is_given_up,
    _offsets_are_acknowledged_before_they_are_committed,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_missed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert any(judge(seed, (ISOLATION,))[1] for seed in range(6, 12))
