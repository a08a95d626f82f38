"""Replication and its historical designs, held to the published model: verdicts and exact counts.

The counts are those of the TLA+ model hachikuji/kafka-specification as TLC reports them.
"""

import pytest

from model import catalogue
from model.check import check
from model.engines.explore import Limits, explore
from model.engines.runs.stateful import walk
from model.engines.smt import prove, search
from model.lang import Scope

STRONG, WEAK = "committed_records_survive_election", "isr_of_each_leader_holds_what_it_committed"
current = catalogue.machine("replication")
always = [p for p in current.properties.values() if p.kind == "always"]


@pytest.mark.parametrize(
    ("scope", "counts"),
    [("default", (737_794, 1_967_560, 26)), ("two-brokers", (120_879, 261_017, 26))],
)
def test_kip_320_holds_with_the_published_counts(scope: str, counts: tuple[int, int, int]) -> None:
    seen = explore(current, current.scopes[scope])
    assert (seen.distinct, seen.generated, seen.depth) == counts
    assert seen.complete
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize(
    ("design", "weak", "strong"),
    [
        ("truncate-to-high-watermark", 9, 9),
        ("kip-101", 11, 11),
        ("kip-279", 11, 11),
        ("kip-320-first-try", 12, 13),
    ],
)
def test_a_design_of_the_past_loses_records_in_as_few_steps_as_published(
    design: str, weak: int, strong: int
) -> None:
    machine = catalogue.machine("replication", design)
    report = check(machine, machine.scopes["default"])
    assert report.broken[WEAK] == weak
    assert report.broken[STRONG] == strong
    assert not report.surprises()


@pytest.mark.parametrize("claim", always, ids=lambda claim: claim.name)
def test_each_property_is_broken_by_its_mutant(claim) -> None:  # type: ignore[no-untyped-def]
    mutant = current.mutated(claim.broken_by)
    seen = explore(mutant, current.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


@pytest.mark.parametrize("goal", current.proofs)
def test_each_proof_goes_through_at_every_scope(goal: str) -> None:
    for scope in current.scopes.values():
        proof = prove(current, scope, goal)
        assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize(
    ("goal", "lemma"), [(goal, lemma) for goal, by in current.proofs.items() for lemma in by]
)
def test_a_proof_without_one_of_its_lemmas_fails(
    goal: str, lemma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(name for name in current.proofs[goal] if name != lemma)
    monkeypatch.setitem(current.proofs, goal, fewer)
    assert not prove(current, current.scopes["default"], goal).proved


def test_a_claim_that_is_not_inductive_shows_two_states_and_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(current.proofs, STRONG, ())
    proof = prove(current, current.scopes["tiny"], STRONG)
    failed = [o for o in proof.obligations if not o.proved]
    assert failed
    shown = failed[0].counterexample or ""
    assert shown.splitlines()[0].startswith("1  ")
    assert any(line.startswith("2  ") for line in shown.splitlines())


def test_z3_finds_the_data_loss_of_the_oldest_design_and_none_shorter() -> None:
    oldest = catalogue.machine("replication", "truncate-to-high-watermark")
    found = search(oldest, oldest.scopes["default"], STRONG, longest=9)
    assert found.trace is not None
    assert len(found.trace) == 9


@pytest.mark.parametrize("design", ["truncate-to-high-watermark", "kip-101", "kip-279"])
def test_hypothesis_finds_and_shrinks_a_data_loss_in_a_scope_too_large_to_explore(
    design: str,
) -> None:
    large = Scope(
        "large",
        {"brokers": 3, "log_size": 4, "max_records": 6, "max_leader_epoch": 6},
        "more than ten times the states of the default scope",
    )
    machine = catalogue.machine("replication", design)
    found = walk(machine, large, [STRONG, WEAK], runs=2000, longest=40)
    assert found.trace is not None
    assert len(found.trace) <= 20


@pytest.mark.deep
def test_kip_320_survives_twenty_thousand_random_runs_in_a_scope_too_large_to_explore() -> None:
    bounds = {"brokers": 4, "log_size": 5, "max_records": 8, "max_leader_epoch": 8}
    claims = [claim.name for claim in always]
    found = walk(current, Scope("large", bounds, "deep"), claims, runs=20_000, longest=80)
    assert found.trace is None
    assert found.runs == 20_000
