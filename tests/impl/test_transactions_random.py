"""Random transactions with crashes: each takes effect in all its partitions or in none.

And each rule that is left out is missed: the runs find every mutant below.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.core.log.markers import ProducerIdentity
from impl.core.log.producer_state import ProducerStates
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.transactions import rules
from impl.core.transactions.coordinator import Coordinator
from impl.core.transactions.marker_sending import MarkerSending
from impl.core.transactions.transaction import State, Transaction
from impl.core.transactions.verifying import Verifying
from spec.wire.errors import ErrorCode
from tests.impl.transaction_storm import STEPS, Step, Storm

Steps = st.lists(
    st.builds(Step, st.sampled_from(STEPS), st.integers(0, 5), st.integers(0, 5)), max_size=40
)


@given(steps=Steps)
@settings(max_examples=60, deadline=None)
def test_transactions_are_atomic_whatever_happens(steps: list[Step]) -> None:
    storm = Storm()
    storm.run(steps)
    assert storm.complaints() == []


def random_steps(seed: int) -> list[Step]:
    """Longer than those above, and with more writing than trouble."""
    random = Random(seed)
    weights = (12, 4, 3, 1, 2, 2, 2, 3, 3)
    return [
        Step(what, random.randrange(6), random.randrange(6))
        for what in random.choices(STEPS, weights, k=60)
    ]


def first_complaint(seeds: int) -> str | None:
    for seed in range(seeds):
        storm = Storm()
        storm.run(random_steps(seed))
        if complaints := storm.complaints():
            return f"seed {seed}: {complaints}"
    return None


def test_long_runs_leave_nothing_to_complain_about() -> None:
    assert first_complaint(40) is None


Mutate = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutate] = {}


def mutant(act: Mutate) -> Mutate:
    MUTANTS[act.__name__] = act
    return act


@mutant
def readers_do_not_wait_for_decisions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProducerStates, "last_stable_offset", lambda _, high_watermark: high_watermark)


@mutant
def aborted_transactions_are_not_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(AbortedTransaction, "overlaps", lambda *_: False)


@mutant
def stray_records_are_let_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProducerStates, "_check_ticket", lambda *_: None)
    patch.setattr(
        Verifying,
        "ask",
        lambda _self, about, then, now_ms: then(
            dict.fromkeys(about.partitions, ErrorCode.NONE), now_ms
        ),
    )


@mutant
def the_next_transaction_joins_the_former(patch: pytest.MonkeyPatch) -> None:
    def is_in_transaction(self: ProducerStates, producer: ProducerIdentity) -> bool:
        known = self._producers.get(producer.producer_id)
        return known is not None and known.transaction_start is not None

    patch.setattr(ProducerStates, "is_in_transaction", is_in_transaction)


@mutant
def a_new_coordinator_forgets_what_was_decided(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Coordinator, "_resume", lambda *_: None)


@mutant
def markers_are_told_once(patch: pytest.MonkeyPatch) -> None:
    def note(self: MarkerSending, untold: Any, at: Any, _error: Any, _now_ms: int) -> None:
        del self
        untold.partitions.pop(at, None)

    patch.setattr(MarkerSending, "_note", note)


@mutant
def every_decision_is_told_as_a_commit(patch: pytest.MonkeyPatch) -> None:
    known = MarkerSending.add

    def add(self: MarkerSending, transaction: Transaction, epoch: int) -> None:
        known(self, transaction, epoch)
        self._untold[transaction.transactional_id].commits = True

    patch.setattr(MarkerSending, "add", add)


@mutant
def forgotten_transactions_stay_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Coordinator, "_abort_if_overdue", lambda *_: None)


@mutant
def a_newcomer_does_not_abort_leftovers(patch: pytest.MonkeyPatch) -> None:
    known = rules.initialize

    def initialize(transaction: Transaction, *args: Any, **fields: Any) -> Transaction:
        if transaction.state is State.ONGOING:
            object.__setattr__(transaction, "state", State.EMPTY)
        return known(transaction, *args, **fields)

    patch.setattr(rules, "initialize", initialize)


@mutant
def a_zombie_is_not_fenced(patch: pytest.MonkeyPatch) -> None:
    known = Transaction.fenced

    def fenced(self: Transaction, now_ms: int) -> Transaction:
        kept = known(self, now_ms)
        object.__setattr__(kept, "producer_epoch", self.producer_epoch)
        return kept

    patch.setattr(Transaction, "fenced", fenced)


@mutant
def partitions_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    known = rules.add_partitions

    def add_partitions(*args: Any, **fields: Any) -> Transaction:
        changed = known(*args, **fields)
        first = sorted(changed.partitions)[:1]
        object.__setattr__(changed, "partitions", frozenset(first))
        return changed

    patch.setattr(rules, "add_partitions", add_partitions)


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_rule_that_is_left_out_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert first_complaint(60) is not None
