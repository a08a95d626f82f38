"""Retention: its mistakes, as clients see them. What holds of every machine: `test_catalogue`."""

import pytest

from model.areas.retention.claims import machine
from model.contracts.retention import contract
from model.engines.refine import refine

seen_as = machine.refinements[contract.name]


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
