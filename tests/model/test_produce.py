"""Acknowledgements and idempotence: the mistakes that break them, and what a producer sees of
them. What holds of every machine is in `test_catalogue`.
"""

import pytest

from model.areas.produce.claims import machine
from model.contracts.producer import contract
from model.engines.explore import Limits, explore
from model.engines.refine import refine

seen_as = machine.refinements[contract.name]


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
