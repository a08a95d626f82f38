"""What the clients of a simulated cluster saw is admitted by the contract of a partition's log; a
cluster that breaks it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from impl.core.data.leadership import Leadership
from impl.core.data.partition import Partition
from impl.simulation.clients import Read, Written
from model.engines.admit import ADMITTED, REFUSED, Admission
from spec.wire.errors import ErrorCode
from tests.impl.admission import WINDOW, judge
from tests.impl.cluster_storm import IDEMPOTENT, PARTITIONS, storm

PAUSE_MS = 300


def judged(seed: int) -> Iterator[Admission]:
    run = storm(seed, pause_ms=PAUSE_MS)
    for n in PARTITIONS:
        written, read = run.producers[n].history, run.consumers[n].history
        yield from judge(written, read, may_repeat=n != IDEMPOTENT)


@pytest.mark.parametrize("seed", range(3))
def test_what_clients_saw_is_admitted(seed: int) -> None:
    admissions = list(judged(seed))
    assert sum(each.events for each in admissions) > 100
    assert [str(each) for each in admissions if each.outcome != ADMITTED] == []


@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_what_clients_saw_is_admitted_in_many_storms(first: int) -> None:
    for seed in range(first, first + 50):
        for admission in judged(seed):
            assert admission.outcome == ADMITTED, f"seed {seed}: {admission}"


# Histories by hand: what the judge refuses


def written(value: str, offset: int | None, sent_ms: int) -> Written:
    if offset is None:
        return Written(0, value.encode(), sent_ms)
    return Written(0, value.encode(), sent_ms, sent_ms + 5, offset, ErrorCode.NONE)


def read(*values: str, asked_ms: int, first: int = 0, leader_epoch: int = 0) -> list[Read]:
    return [
        Read(0, first + n, value.encode(), leader_epoch, asked_ms, asked_ms + 5)
        for n, value in enumerate(values)
    ]


def outcomes(history: list[Written], seen: list[Read], *, may_repeat: bool = False) -> set[str]:
    return {each.outcome for each in judge(history, seen, may_repeat=may_repeat)}


def test_a_value_whose_fate_nobody_knew_may_be_found_or_not() -> None:
    history = [written("a", 0, 0), written("b", None, 10), written("c", 1, 20)]
    assert outcomes(history, read("a", "c", asked_ms=30)) == {ADMITTED}
    history[2] = written("c", 2, 20)
    assert outcomes(history, read("a", "b", "c", asked_ms=30)) == {ADMITTED}


def test_another_value_at_the_offset_of_an_acknowledged_one_is_refused() -> None:
    history = [written("a", 0, 0), written("b", 1, 10), written("c", None, 20)]
    assert outcomes(history, read("a", "c", asked_ms=30)) == {REFUSED}


def test_a_value_that_is_there_twice_is_refused_unless_requests_may_take_effect_twice() -> None:
    history = [written("a", 0, 0), written("b", 2, 10)]
    seen = read("a", "a", "b", asked_ms=30)
    assert outcomes(history, seen) == {REFUSED}
    assert outcomes(history, seen, may_repeat=True) == {ADMITTED}


def test_a_value_that_is_read_before_it_was_written_is_refused() -> None:
    assert outcomes([written("a", 0, 100)], read("a", asked_ms=10)) == {REFUSED}


def test_leader_epochs_that_go_back_are_refused_also_where_windows_meet() -> None:
    history = [written(f"{n}", n, n * 10) for n in range(WINDOW + 1)]
    old = [each.value.decode() for each in history[: WINDOW - 1]]
    new = [each.value.decode() for each in history[WINDOW - 1 :]]
    later = read(*new, asked_ms=500, first=len(old))
    assert outcomes(history, [*read(*old, asked_ms=400), *later]) == {ADMITTED}
    earlier = read(*old, asked_ms=400, leader_epoch=1)
    assert REFUSED in outcomes(history, [*earlier, *later])


# Mutants: a rule is left out, and the contract must refuse what clients saw of some seed


def _acknowledged_by_the_leader_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ACKS-05."""
    monkeypatch.setattr(
        Leadership, "reached_offset", lambda _self, log_end_offset, _now_ms: log_end_offset
    )


def _readers_are_given_what_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """REPL-04."""
    monkeypatch.setattr(Partition, "visible_end", lambda self, _level: self.log.log_end_offset)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _acknowledged_by_the_leader_alone,
    _readers_are_given_what_is_not_committed,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_refused(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert any(each.outcome == REFUSED for seed in range(1, 25) for each in judged(seed))
