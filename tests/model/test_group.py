"""The classic consumer group: exact counts, the mistake behind each claim, proofs, what happens
sooner or later, and what members may rely on.
"""

import pytest

from model.areas.group.proof import machine
from model.contracts.group import machine as contract
from model.engines.behaviours.graph import Graph, graph_of
from model.engines.behaviours.liveness import check_liveness
from model.engines.explore import Limits, explore, problem_of
from model.engines.refine import refine
from model.engines.smt import prove
from model.engines.smt.unbounded import prove_unbounded

always = [
    (which, claim)
    for which in (machine, contract)
    for claim in which.properties.values()
    if claim.kind == "always"
]
ROOM = "a_rebalance_has_a_generation_to_come"
# The longest proof is taken apart only in the deep runs.
lemmas = [
    pytest.param(goal, lemma, marks=[pytest.mark.deep] if len(by) > 5 else [])
    for goal, by in machine.proofs.items()
    for lemma in by
]
seen_as = machine.refinements[contract.name]


@pytest.fixture(scope="module")
def graph() -> Graph:
    seen = explore(machine, machine.scopes["tiny"])
    return graph_of(problem_of(seen.lowering), seen.kernel.snapshot())


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ("tiny", (5_511, 26_946, 28)),
        ("default", (152_439, 1_064_830, 39)),
        pytest.param("deep", (3_562_014, 32_312_192, 50), marks=pytest.mark.deep),
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
    assert seen.distinct == contract.scopes["default"].states
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize(("which", "claim"), always, ids=lambda value: value.name)
def test_each_claim_is_broken_by_its_mistake(which, claim) -> None:  # type: ignore[no-untyped-def]
    mistaken = which.mutated(claim.broken_by)
    seen = explore(mistaken, which.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


def test_a_consumer_that_goes_on_while_it_rejoins_shares_its_partition() -> None:
    mistaken = machine.mutated("member_rejoins_and_keeps_the_partition")
    claim = "a_partition_has_one_owner_in_a_generation"
    seen = explore(mistaken, machine.scopes["tiny"], Limits(until=[claim]))
    assert seen.verdicts[claim].outcome == "violated"


def test_only_the_unknown_id_gives_away_a_member_of_a_former_life_of_the_group() -> None:
    mistaken = machine.mutated("coordinator_accepts_commit.is_of_a_member")
    claim = "the_commit_of_the_owner_stands"
    seen = explore(mistaken, machine.scopes["tiny"], Limits(until=[claim]))
    trace = seen.verdicts[claim].trace
    assert trace is not None
    assert any(step.startswith("coordinator_deletes_group") for step in trace.actions)


@pytest.mark.parametrize(
    "scope", ["tiny", "default", pytest.param("deep", marks=pytest.mark.deep)]
)
@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through(goal: str, scope: str) -> None:
    proof = prove(machine, machine.scopes[scope], goal)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize("members", [3, pytest.param(5, marks=pytest.mark.deep)])
@pytest.mark.parametrize("goal", machine.proofs)
def test_each_proof_goes_through_for_generations_without_end(goal: str, members: int) -> None:
    lemmas = [name for name in machine.proofs[goal] if name != ROOM]
    proof = prove_unbounded(machine, {"members": members}, goal, lemmas=lemmas)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize(("goal", "lemma"), lemmas)
def test_a_proof_without_one_of_its_lemmas_fails(
    goal: str, lemma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(name for name in machine.proofs[goal] if name != lemma)
    monkeypatch.setitem(machine.proofs, goal, fewer)
    assert not prove(machine, machine.scopes["tiny"], goal).proved


@pytest.mark.parametrize("claim", machine.liveness.values(), ids=lambda claim: claim.name)
def test_what_is_to_happen_happens_sooner_or_later_and_not_without_fairness(  # type: ignore[no-untyped-def]
    claim, graph: Graph
) -> None:
    scope = machine.scopes[claim.broken_at]
    assert check_liveness(machine, scope, graph, claim).holds
    without = machine.mutated(claim.broken_by).liveness[claim.name]
    assert not check_liveness(machine, scope, graph, without).holds


@pytest.mark.parametrize("scope", ["tiny", "default"])
def test_members_see_a_group_that_keeps_its_contract(scope: str) -> None:
    seen = refine(machine, machine.scopes[scope], seen_as)
    assert seen.outcome == "implemented", str(seen)
    assert not seen.never_used


@pytest.mark.parametrize(
    "mistake",
    [
        "coordinator_accepts_commit.is_of_a_member",
        "coordinator_accepts_commit.is_of_this_generation",
        "coordinator_deletes_group.has_no_members",
        "coordinator_loses_a_generation",
        "completion_keeps_who_did_not_rejoin",
        "leader_assigns.assignment_is_awaited",
        "member_rejoins_and_keeps_the_partition",
    ],
)
def test_members_see_a_mistake_as_a_step_that_the_contract_does_not_have(mistake: str) -> None:
    seen = refine(machine.mutated(mistake), machine.scopes["tiny"], seen_as)
    assert seen.outcome == "broken"
