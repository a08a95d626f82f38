"""The explorer on machines whose states can be counted by hand."""

import pytest

from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import Limits, explore
from model.lang import needs
from tests.model.toys import Jugs, house, jug


def test_a_chain_of_states_is_counted_and_its_end_is_the_shortest_counterexample() -> None:
    machine = jug()
    seen = explore(machine, machine.scopes["default"])
    assert (seen.distinct, seen.generated, seen.depth) == (6, 6, 6)
    verdict = seen.verdicts["never_full"]
    assert verdict.outcome == "violated"
    assert str(verdict.trace) == (
        "1  initial state\n"
        "2  pour()\n"
        "       water: 0 -> 1\n"
        "3  pour()\n"
        "       water: 1 -> 2\n"
        "4  pour()\n"
        "       water: 2 -> 3\n"
        "5  pour()\n"
        "       water: 3 -> 4\n"
        "6  pour()\n"
        "       water: 4 -> 5"
    )
    assert seen.verdicts["half_full"].outcome == "reached"


def test_a_witness_that_is_never_reached_is_reported() -> None:
    machine = jug(fill_only_when_empty=True)
    seen = explore(machine, machine.scopes["default"])
    assert seen.complete
    assert (seen.distinct, seen.generated) == (2, 2)
    assert list(seen.violations) == ["half_full"]


def test_sets_of_rooms_give_two_to_the_power_of_rooms_states() -> None:
    machine = house()
    seen = explore(machine, machine.scopes["default"])
    assert (seen.distinct, seen.generated, seen.depth) == (16, 33, 5)
    assert not seen.violations
    assert seen.fired == {"enter": 32}


def test_a_number_that_does_not_fit_is_an_error_of_the_scope_and_not_cut() -> None:
    machine = jug().mutated("pour.has_room")
    with pytest.raises(ScopeTooSmallError, match=r"pour\(\) would set water to 6.* 0\.\.5"):
        explore(machine, machine.scopes["default"], Limits(to_the_end=True))


def test_an_action_that_no_state_enables_is_reported() -> None:
    machine = jug()

    @machine.action()
    def overflow(s: Jugs) -> None:
        """What cannot happen."""
        needs(two_and_three=(s.water == 2) & (s.water == 3))
        s.water += 1

    seen = explore(machine, machine.scopes["default"], Limits(to_the_end=True))
    assert seen.never_fired == ["overflow"]
