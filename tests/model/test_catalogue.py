"""Every machine of the catalogue, and the contract that it keeps: exact counts, the mistake behind
each claim, proofs in which nothing can be spared, and what clients see.
"""

from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from model import catalogue
from model.engines.explore import Exploration, Limits, explore
from model.engines.refine import refine
from model.engines.smt import prove
from model.engines.smt.unbounded import prove_unbounded
from model.lang import Machine
from model.readings import sort_sizes

CURRENT = [catalogue.machine(model) for model in catalogue.models()]
CONTRACTS = [
    refinement.contract
    for machine in CURRENT
    for refinement in catalogue.observed_machine(machine).refinements.values()
]
# Distinct states, successors made, levels. Replication has its own table, with the published ones.
COUNTS = {
    ("produce", "tiny"): (14_083, 64_990, 21),
    ("produce", "default"): (486_129, 2_410_221, 29),
    ("produce", "deep"): (5_145_731, 34_073_409, 35),
    ("quorum", "tiny"): (3_755, 20_635, 28),
    ("quorum", "default"): (778_255, 6_041_572, 35),
    ("quorum", "deep"): (4_650_412, 34_424_626, 43),
    ("retention", "tiny"): (3_655, 13_736, 17),
    ("retention", "default"): (280_823, 1_319_356, 24),
    ("retention", "deep"): (1_548_367, 7_759_932, 27),
    ("group", "tiny"): (5_511, 26_946, 28),
    ("group", "default"): (152_439, 1_064_830, 39),
    ("group", "deep"): (3_562_014, 32_312_192, 50),
}


def case(*values: Any, name: str, deep: bool = False) -> ParameterSet:
    return pytest.param(*values, id=name, marks=[pytest.mark.deep] if deep else [])


def assert_all_is_well(seen: Exploration) -> None:
    assert not seen.violations
    assert seen.scope.states == seen.distinct
    if seen.scope.name == "default":
        assert not seen.never_fired


@pytest.mark.parametrize(
    ("model", "scope"), [case(*k, name=" ".join(k), deep=k[1] == "deep") for k in COUNTS]
)
def test_all_claims_hold_and_all_witnesses_are_met_in_so_many_states(
    model: str, scope: str
) -> None:
    machine = catalogue.machine(model)
    seen = explore(machine, machine.scopes[scope])
    assert (seen.distinct, seen.generated, seen.depth) == COUNTS[model, scope]
    assert_all_is_well(seen)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_all_claims_about_a_contract_hold(contract: Machine[Any]) -> None:
    assert_all_is_well(explore(contract, contract.scopes["default"]))


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        case(m, c.name, name=f"{m.name} {c.name}", deep=c.broken_at == "deep")
        for m in (*CURRENT, *CONTRACTS)
        for c in m.properties.values()
        if c.kind == "always"
    ],
)
def test_a_claim_is_broken_by_its_mistake(machine: Machine[Any], name: str) -> None:
    claim = machine.properties[name]
    assert claim.broken_by
    mistaken = machine.mutated(claim.broken_by)
    seen = explore(mistaken, machine.scopes[claim.broken_at], Limits(until=[name]))
    assert seen.verdicts[name].outcome == "violated"


PROOFS = [
    case(m, goal, name=f"{m.name} {goal}") for m in (*CURRENT, *CONTRACTS) for goal in m.proofs
]


@pytest.mark.parametrize(("machine", "goal"), PROOFS)
def test_a_proof_goes_through_within_the_default_scope(machine: Machine[Any], goal: str) -> None:
    proof = prove(machine, machine.scopes["default"], goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize(("machine", "goal"), PROOFS)
def test_a_proof_goes_through_without_limits(machine: Machine[Any], goal: str) -> None:
    proof = prove_unbounded(machine, sort_sizes(machine, machine.scopes["default"]), goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("machine", "goal", "lemma"),
    [
        case(m, goal, lemma, name=f"{m.name} {goal} without {lemma}")
        for m in CURRENT
        for goal, by in m.proofs.items()
        for lemma in by
    ],
)
def test_a_proof_without_one_of_its_lemmas_fails(
    machine: Machine[Any], goal: str, lemma: str
) -> None:
    fewer = [name for name in machine.proofs[goal] if name != lemma]
    assert not prove(machine, machine.scopes["default"], goal, lemmas=fewer).proved


@pytest.mark.parametrize("machine", CURRENT, ids=lambda machine: machine.name)
def test_clients_see_what_the_contract_allows_and_all_of_it(machine: Machine[Any]) -> None:
    seen_as = catalogue.observed_machine(machine)
    (refinement,) = seen_as.refinements.values()
    seen = refine(seen_as, machine.scopes["default"], refinement)
    assert seen.outcome == "implemented", str(seen)
    assert not seen.never_used
