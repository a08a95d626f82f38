"""Acknowledgements and idempotence: exact counts, the mistake behind each claim, proofs, and what
a producer sees.
"""

import pytest

from model.areas.produce.claims import machine
from model.contracts.producer import contract
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
        ("tiny", (14_083, 64_990, 21)),
        ("default", (486_129, 2_410_221, 29)),
        pytest.param("deep", (5_145_731, 34_073_409, 35), marks=pytest.mark.deep),
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
    assert (seen.distinct, seen.generated, seen.depth) == (134_703, 775_137, 16)
    assert contract.scopes["default"].states == seen.distinct
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize(("which", "claim"), always, ids=lambda value: value.name)
def test_each_claim_is_broken_by_its_mistake(which, claim) -> None:  # type: ignore[no-untyped-def]
    mistaken = which.mutated(claim.broken_by)
    seen = explore(mistaken, which.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


@pytest.mark.parametrize(
    ("mistake", "claim"),
    [
        ("duplicate_is_answered_at_once", "success_with_all_is_for_good"),
        ("new_leader_forgets_the_producer", "sequences_have_no_gaps"),
        ("producer_renumbers_what_is_in_flight", "idempotent_records_are_stored_once"),
        ("leader_appends.follows_last_sequence", "idempotent_records_are_stored_once"),
        ("leader_fails.has_what_is_committed", "success_with_all_is_for_good"),
    ],
)
def test_a_mistake_breaks_what_producers_rely_on(mistake: str, claim: str) -> None:
    mistaken = machine.mutated(mistake)
    seen = explore(mistaken, machine.scopes["default"], Limits(until=[claim]))
    assert seen.verdicts[claim].outcome == "violated"


@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through(goal: str) -> None:
    proof = prove(machine, machine.scopes["default"], goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through_for_records_and_logs_without_end(goal: str) -> None:
    # However many are in flight: with the limit there are only fewer behaviours.
    proof = prove_unbounded(machine.mutated("producer_sends.in_flight_has_room"), {}, goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("goal", "lemma"), [(goal, lemma) for goal, by in machine.proofs.items() for lemma in by]
)
def test_a_proof_without_one_of_its_lemmas_fails(
    goal: str, lemma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(name for name in machine.proofs[goal] if name != lemma)
    monkeypatch.setitem(machine.proofs, goal, fewer)
    assert not prove(machine, machine.scopes["default"], goal).proved


def test_a_producer_sees_what_it_may_rely_on() -> None:
    seen = refine(machine, machine.scopes["tiny"], seen_as)
    assert seen.outcome == "implemented", str(seen)
    assert not seen.never_used


@pytest.mark.parametrize(
    "mistake",
    [
        "new_leader_forgets_the_producer",
        "duplicate_is_answered_at_once",
        "answer_has_the_end_of_the_log",
        "producer_renumbers_what_is_in_flight",
        "producer_is_set_up.idempotence_has_all",
        "leader_appends.epoch_is_not_older",
        "leader_appends.follows_last_sequence",
        "leader_answers.all_have_the_record",
        "leader_fails.has_what_is_committed",
    ],
)
def test_a_producer_sees_a_mistake_as_a_step_that_the_contract_does_not_have(
    mistake: str,
) -> None:
    seen = refine(machine.mutated(mistake), machine.scopes["tiny"], seen_as)
    assert seen.outcome == "broken"
