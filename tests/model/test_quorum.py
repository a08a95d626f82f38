"""The controller quorum: its mistakes, proofs for more voters, and what users of the metadata log
see. What holds of every machine is in `test_catalogue`.
"""

import pytest

from model.areas.quorum.proof import machine
from model.areas.quorum.state import State, leads
from model.contracts.quorum import Voter
from model.contracts.quorum import machine as contract
from model.engines.explore import explore
from model.engines.refine import refine
from model.engines.smt.unbounded import prove_unbounded
from model.lang import Bool, Scope, exists

seen_as = machine.refinements[contract.name]
ONE_LEADER = "an_epoch_has_one_leader"
ROOM = "messages_have_room"


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


@pytest.mark.parametrize("voters", [3, pytest.param(5, marks=pytest.mark.deep)])
def test_an_epoch_has_one_leader_however_many_epochs_records_and_messages(voters: int) -> None:
    lemmas = [name for name in machine.proofs[ONE_LEADER] if name != ROOM]
    proof = prove_unbounded(machine, {"voters": voters}, ONE_LEADER, lemmas=lemmas)
    assert proof.proved, [o for o in proof.obligations if not o.proved]


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
