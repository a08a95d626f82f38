"""Transactions of a whole cluster in virtual time: every seed ends well, and a broken rule is
found by some.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import pytest

from impl.core.log.producer_state import ProducerStates
from impl.core.transactions.transaction import Transaction
from tests.impl.transactions_in_storms import transaction_storm

PAUSE_MS = 500


def judge(seed: int) -> tuple[int, list[str]]:
    try:
        return seed, transaction_storm(seed, pause_ms=PAUSE_MS).problems()
    except Exception as failure:
        return seed, [repr(failure)]


@pytest.mark.parametrize("seed", [0, 13])
def test_transactions_come_through_the_storm(seed: int) -> None:
    assert judge(seed) == (seed, [])


@pytest.mark.deep
def test_transactions_come_through_a_thousand_storms() -> None:
    with ProcessPoolExecutor() as pool:
        judged = pool.map(judge, range(1_000), chunksize=10)
        assert [(seed, problems) for seed, problems in judged if problems] == []


# Mutants: a rule is left out, and some seed of a few must find it


def _open_transactions_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """TXNI-12."""
    monkeypatch.setattr(
        ProducerStates, "last_stable_offset", lambda _self, high_watermark: high_watermark
    )


def _what_a_newcomer_finds_open_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """TXNI-02."""
    monkeypatch.setattr(
        Transaction, "fenced", lambda self, now_ms: self.decided(now_ms, commits=True)
    )


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _open_transactions_are_shown,
    _what_a_newcomer_finds_open_is_committed,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_missed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert any(judge(seed)[1] for seed in range(10))
