"""The controller quorum: exact counts, the mistake behind each claim, proofs, what happens sooner
or later, and what users of the metadata log may rely on.
"""

import pytest

from model.areas.quorum.proof import machine
from model.areas.quorum.state import State, leads
from model.contracts.quorum import Voter
from model.contracts.quorum import machine as contract
from model.engines.behaviours.graph import graph_of
from model.engines.behaviours.liveness import check_liveness
from model.engines.explore import Limits, explore, problem_of
from model.engines.refine import refine
from model.engines.smt import prove
from model.engines.smt.unbounded import prove_unbounded
from model.lang import Bool, Scope, exists

always = [
    pytest.param(
        which, claim, marks=[pytest.mark.deep] if claim.broken_at == "deep" else [], id=claim.name
    )
    for which in (machine, contract)
    for claim in which.properties.values()
    if claim.kind == "always"
]
seen_as = machine.refinements[contract.name]
ONE_LEADER = "an_epoch_has_one_leader"
ROOM = "messages_have_room"


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ("tiny", (3_755, 20_635, 28)),
        ("default", (778_255, 6_041_572, 35)),
        pytest.param("deep", (4_650_412, 34_424_626, 43), marks=pytest.mark.deep),
    ],
)
def test_all_claims_hold_and_all_witnesses_are_met_in_so_many_states(
    scope: str, counts: tuple[int, int, int]
) -> None:
    seen = explore(machine, machine.scopes[scope])
    assert (seen.distinct, seen.generated, seen.depth) == counts
    assert machine.scopes[scope].states == seen.distinct
    assert not seen.violations
    # Two voters have a majority only together, so their logs never part.
    assert seen.never_fired == (["follower_truncates"] if scope == "tiny" else [])


def test_an_old_leader_may_not_know_its_successor_where_a_majority_is_not_all() -> None:
    watched = machine.extended(State)

    @watched.sometimes("CLUS-11")
    def two_voters_lead(s: State) -> Bool:
        """Two voters lead, in different epochs."""
        return exists(
            Voter, lambda a: exists(Voter, lambda b: (a != b) & leads(s, a) & leads(s, b))
        )

    for voters, outcome in [(2, "not reached"), (3, "reached")]:
        bounds = {"voters": voters, "max_epoch": 2, "log_size": 1, "in_flight": 1}
        seen = explore(watched, Scope("one-record", bounds, "logs do not matter here"))
        assert seen.verdicts["two_voters_lead"].outcome == outcome


def test_all_claims_about_the_contract_hold() -> None:
    seen = explore(contract, contract.scopes["default"])
    assert seen.distinct == contract.scopes["default"].states
    assert not seen.violations
    assert not seen.never_fired


@pytest.mark.parametrize(("which", "claim"), always)
def test_each_claim_is_broken_by_its_mistake(which, claim) -> None:  # type: ignore[no-untyped-def]
    mistaken = which.mutated(claim.broken_by)
    seen = explore(mistaken, which.scopes[claim.broken_at], Limits(until=[claim.name]))
    assert seen.verdicts[claim.name].outcome == "violated"


@pytest.mark.parametrize("scope", [pytest.param("tiny", marks=pytest.mark.deep), "default"])
def test_an_epoch_has_one_leader_in_runs_of_any_length(scope: str) -> None:
    proof = prove(machine, machine.scopes[scope], ONE_LEADER)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.parametrize("voters", [3, pytest.param(5, marks=pytest.mark.deep)])
def test_an_epoch_has_one_leader_however_many_epochs_records_and_messages(voters: int) -> None:
    lemmas = [name for name in machine.proofs[ONE_LEADER] if name != ROOM]
    proof = prove_unbounded(machine, {"voters": voters}, ONE_LEADER, lemmas=lemmas)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


@pytest.mark.deep
@pytest.mark.parametrize("lemma", machine.proofs[ONE_LEADER])
def test_a_proof_without_one_of_its_lemmas_fails(
    lemma: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = tuple(name for name in machine.proofs[ONE_LEADER] if name != lemma)
    monkeypatch.setitem(machine.proofs, ONE_LEADER, fewer)
    assert not prove(machine, machine.scopes["default"], ONE_LEADER).proved


@pytest.mark.parametrize("scope", ["tiny", pytest.param("default", marks=pytest.mark.deep)])
def test_somebody_leads_sooner_or_later_if_messages_arrive_now_and_then(scope: str) -> None:
    size = machine.scopes[scope]
    seen = explore(machine, size)
    graph = graph_of(problem_of(seen.lowering), seen.kernel.snapshot())
    claim = machine.liveness["somebody_leads_sooner_or_later"]
    assert check_liveness(machine, size, graph, claim).holds
    for entry in claim.strongly_fair:
        without = machine.mutated(f"fair {entry}").liveness[claim.name]
        assert not check_liveness(machine, size, graph, without).holds, entry


@pytest.mark.parametrize("scope", ["tiny", pytest.param("default", marks=pytest.mark.deep)])
def test_users_see_a_metadata_log_that_keeps_its_contract(scope: str) -> None:
    seen = refine(machine, machine.scopes[scope], seen_as)
    assert seen.outcome == "implemented", str(seen)
    assert not seen.never_used


@pytest.mark.parametrize(
    "mistake",
    [
        "voter_grants_vote.has_not_voted_for_another",
        "restart_forgets_the_vote",
    ],
)
def test_users_see_a_mistake_as_a_step_that_the_contract_does_not_have(mistake: str) -> None:
    seen = refine(machine.mutated(mistake), machine.scopes["default"], seen_as)
    assert seen.outcome == "broken"
