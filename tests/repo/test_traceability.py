"""Every clause is held by something that can fail, or says why not yet."""

import pytest

from conformance.check import registry
from model import catalogue
from spec.clauses import Clause, load

CLAUSES = load()


def clauses_with_a_property() -> set[str]:
    return {
        clause
        for key in catalogue.MACHINES
        for claim in catalogue.machine(*key).properties.values()
        for clause in claim.clauses
    }


def clauses_with_a_check() -> set[str]:
    return {check.clause for check in registry()}


@pytest.mark.parametrize("clause", CLAUSES.values(), ids=lambda clause: clause.id)
def test_a_must_has_a_property_or_a_check_or_a_reason(clause: Clause) -> None:
    held = clause.id in clauses_with_a_property() | clauses_with_a_check()
    if clause.level == "MUST":
        assert held or clause.unchecked, f"{clause.id}: no property, no check, no reason"
    assert not (held and clause.unchecked), f"{clause.id} is checked now: drop its Unchecked line"


def test_models_and_checks_name_clauses_that_exist() -> None:
    named = clauses_with_a_property() | clauses_with_a_check()
    for key in catalogue.MACHINES:
        for action in catalogue.machine(*key).actions.values():
            named.update(action.clauses)
    assert not named - CLAUSES.keys()


def test_every_always_property_names_a_guard_that_breaks_it() -> None:
    for key in catalogue.MACHINES:
        machine = catalogue.machine(*key)
        if not machine.breaks:
            for claim in machine.properties.values():
                if claim.kind == "always":
                    assert claim.broken_by
                    machine.mutated(claim.broken_by)
