"""Retention: exact counts, the mistake behind each claim, proofs, and what clients see."""

import pytest

from model.areas.retention.claims import machine
from model.contracts.retention import contract
from model.engines.explore import Limits, explore
from model.engines.refine import refine
from model.engines.smt import prove
from model.engines.smt.unbounded import prove_unbounded

always = [
    (which, claim)
    for which in (machine, contract)
    for claim in which.properties.values()
    if claim.kind == "always"
]
seen_as = machine.refinements[contract.name]


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ("tiny", (3_655, 13_736, 17)),
        ("default", (280_823, 1_319_356, 24)),
        pytest.param("deep", (1_548_367, 7_759_932, 27), marks=pytest.mark.deep),
    ],
)
def test_all_claims_hold_and_all_witnesses_are_met_in_so_many_states(
    scope: str, counts: tuple[int, int, int]
) -> None:
    seen = explore(machine, machine.scopes[scope])
    assert (seen.distinct, seen.generated, seen.depth) == counts
    assert machine.scopes[scope].states == seen.distinct
    assert not seen.violations
    assert not seen.never_fired


def test_all_claims_about_the_contract_hold() -> None:
    seen = explore(contract, contract.scopes["default"])
    assert (seen.distinct, seen.generated, seen.depth) == (16_290, 97_838, 15)
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize(("which", "claim"), always, ids=lambda value: value.name)
def test_each_claim_is_broken_by_its_mistake(which, claim) -> None:  # type: ignore[no-untyped-def]
    mistaken = which.mutated(claim.broken_by)
    seen = explore(mistaken, which.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through(goal: str) -> None:
    proof = prove(machine, machine.scopes["default"], goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through_for_logs_and_times_without_end(goal: str) -> None:
    proof = prove_unbounded(machine, {"brokers": 2}, goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("goal", "lemma"), [(goal, lemma) for goal, by in machine.proofs.items() for lemma in by]
)
def test_a_proof_without_one_part_of_the_invariant_fails(
    goal: str, lemma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(name for name in machine.proofs[goal] if name != lemma)
    monkeypatch.setitem(machine.proofs, goal, fewer)
    assert not prove(machine, machine.scopes["default"], goal).proved


def test_clients_see_a_retained_log() -> None:
    seen = refine(machine, machine.scopes["tiny"], seen_as)
    assert seen.outcome == "implemented", str(seen)
    assert not seen.never_used


@pytest.mark.parametrize(
    "mistake",
    [
        "size_retention_looks_at_the_log_before",
        "replica_deletes_expired_segment.has_expired",
        "replica_deletes_segment_of_a_log_too_large.enough_remains",
        "leader_deletes_records.is_committed",
        "leader_answers_delete_records.every_replica_starts_there",
        "consumer_reads.is_not_below_log_start",
        "consumer_reads.is_committed",
        "deletion_leaves_the_log_start_offset",
    ],
)
def test_clients_see_a_mistake_as_a_step_that_the_contract_does_not_have(mistake: str) -> None:
    seen = refine(machine.mutated(mistake), machine.scopes["default"], seen_as)
    assert seen.outcome == "broken"
