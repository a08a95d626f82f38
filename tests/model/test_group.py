"""The classic consumer group: the mistakes that break it, and what members see of them. What
holds of every machine is in `test_catalogue`.
"""

import pytest

from model.areas.group.proof import machine
from model.contracts.group import machine as contract
from model.engines.explore import Limits, explore
from model.engines.refine import refine

seen_as = machine.refinements[contract.name]


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
