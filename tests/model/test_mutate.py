"""Every kind of fate that a mutant can have; and that no claim of the catalogue is unkilled."""

from dataclasses import replace

import pytest

from model import catalogue
from model.contracts.partition_log import machine as partition_log
from model.engines.concrete import ScopeTooSmallError
from model.engines.mutate import Fate, mutants_of, mutate, unkilled
from model.lang import Bool, Bound, Machine, Range, Record, needs


class Litres(Range):
    """Litres in a tank."""

    low, high = 0, Bound("size")


class Tank(Record):
    """Water, and whether the valve is open."""

    water: Litres
    is_open: Bool


def tank() -> Machine[Tank]:
    """A tank that is filled while its valve is shut, and emptied while it is open."""
    machine = Machine("tank", Tank, "a tank")

    @machine.initial
    def empty(s: Tank) -> None:
        s.water = Litres(0)

    @machine.action()
    def fill(s: Tank) -> None:
        """One litre more."""
        needs(
            has_room=s.water < Bound("size"),
            is_shut=~s.is_open,
            is_no_flood=s.water <= Bound("size"),
        )
        s.water += 1

    @machine.action()
    def open_valve(s: Tank) -> None:
        """The valve is opened when the tank is half full."""
        needs(is_shut=~s.is_open, is_half_full=s.water >= 2)
        s.is_open = Bool(True)

    @machine.action()
    def drain(s: Tank) -> None:
        """The water goes, and the valve shuts."""
        needs(is_open=s.is_open)
        s.water = Litres(0)
        s.is_open = Bool(False)

    @machine.mutant("drain")
    def drain_and_leave_open(s: Tank) -> None:
        """The valve stays open, on an empty tank."""
        needs(is_open=s.is_open)
        s.water = Litres(0)

    @machine.mutant("drain")
    def drain_never(s: Tank) -> None:
        """Nothing goes."""
        needs(is_open=s.is_open & ~s.is_open)
        s.water = Litres(0)

    @machine.always(broken_by="open_valve.is_half_full")
    def an_open_tank_has_water(s: Tank) -> Bool:
        """Nobody opens the valve of an empty tank."""
        return ~s.is_open | (s.water > 0)

    @machine.sometimes()
    def full(s: Tank) -> Bool:
        """The tank is full."""
        return s.water == Bound("size")

    @machine.lemma
    def shut_while_low(s: Tank) -> Bool:
        """Below two litres the valve is shut."""
        return ~s.is_open | (s.water >= 2)

    @machine.eventually(fair=["drain", "open_valve"], broken_by="fair drain")
    def an_open_tank_is_drained(s: Tank) -> Bool:
        """The valve is shut again and again."""
        return ~s.is_open

    @machine.ends
    def nothing_can_be_done(s: Tank) -> Bool:
        """It never ends."""
        return s.is_open & ~s.is_open

    machine.scope("default", why="by hand", size=4)
    return machine


def fates(machine: Machine[Tank], states: int = 1000) -> dict[str, Fate]:
    return {f.mutant: f for f in mutate(machine, machine.scopes["default"], states=states)}


def test_the_mutants_are_all_guards_the_machines_own_and_all_assumptions_of_fairness() -> None:
    assert mutants_of(tank()) == [
        "fill.has_room", "fill.is_shut", "fill.is_no_flood", "open_valve.is_shut",
        "open_valve.is_half_full", "drain.is_open", "drain_and_leave_open", "drain_never",
        "fair drain", "fair open_valve",
    ]  # fmt: skip


def test_each_mutant_has_its_fate() -> None:
    found = fates(tank())
    assert {name: str(fate) for name, fate in found.items()} == {
        "fill.has_room": (
            "bounds the scope: fill() would set water to 5, but this scope has room for 0..4"
        ),
        "fill.is_shut": "not needed at this scope: the same number of states",
        "fill.is_no_flood": "not needed at this scope: the same number of states",
        "open_valve.is_shut": "not needed at this scope: the same number of states",
        "open_valve.is_half_full": "breaks an_open_tank_has_water in 2 states",
        "drain.is_open": "not needed at this scope: the same number of states",
        "drain_and_leave_open": "breaks an_open_tank_has_water in 5 states",
        "drain_never": "deadlocks after 4 states",
        "fair drain": "breaks an_open_tank_is_drained in 4 states",
        "fair open_valve": "not needed at this scope: the same number of states",
    }
    assert [fate.distinct for fate in found.values() if fate.outcome == "not needed"] == [8] * 5


def test_a_lemma_kills_no_mutant_and_more_states_are_told() -> None:
    machine = tank()
    machine.properties.pop("an_open_tank_has_water")
    fate = fates(machine)["open_valve.is_half_full"]
    assert str(fate) == "not needed at this scope: 10 states instead of 8"
    assert fate.row() == ["open_valve.is_half_full", str(fate), "10"]
    assert fate.as_data()["before"] == 8


def test_a_mutant_that_leaves_no_witness_is_broken() -> None:
    machine = tank()

    @machine.mutant("fill")
    def fill_half(s: Tank) -> None:
        """Only up to the half."""
        needs(is_low=s.water < 2, is_shut=~s.is_open)
        s.water += 1

    assert str(fates(machine)["fill_half"]) == "breaks full: no witness is left"


def test_a_mutant_with_too_many_states_is_undecided() -> None:
    fate = fates(tank(), states=3)["drain.is_open"]
    assert fate.outcome == "undecided"
    assert str(fate) == "breaks nothing so far: more than 3 states"


def test_a_machine_that_does_not_fit_its_own_scope_is_an_error() -> None:
    machine = tank().mutated("fill.has_room")
    with pytest.raises(ScopeTooSmallError):
        mutate(machine, machine.scopes["default"])


def test_fates_are_told_as_they_are_known() -> None:
    told: list[Fate] = []
    machine = tank()
    assert mutate(machine, machine.scopes["default"], progress=told.append) == told


def test_a_claim_that_its_mutant_does_not_break_is_unkilled() -> None:
    assert unkilled(tank()) == []
    machine = tank()
    for name, wrong in [
        ("an_open_tank_has_water", "drain.is_open"),
        ("shut_while_low", "fill.has_room"),
    ]:
        machine.properties[name] = replace(machine.properties[name], broken_by=wrong)
    promise = machine.liveness["an_open_tank_is_drained"]
    machine.liveness[promise.name] = replace(promise, broken_by="fair open_valve")
    assert [str(claim).split(" would")[0] for claim in unkilled(machine)] == [
        "an_open_tank_has_water is not broken by drain.is_open: holds in 8 states",
        "shut_while_low is not broken by fill.has_room: fill()",
        "an_open_tank_is_drained is not broken by fair open_valve: holds in 8 states",
    ]
    assert "undecided in 3 states, more than 3 states" in str(unkilled(machine, states=3)[0])


# The mutants of the quorum reach many states; its claims have tests of their own.
@pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=[pytest.mark.deep] * (m == "quorum")) for m in catalogue.models()],
)
def test_no_claim_of_the_catalogue_is_unkilled(model: str) -> None:
    machine = catalogue.machine(model)
    contracts = [refinement.contract for refinement in machine.refinements.values()]
    assert [str(claim) for each in (machine, *contracts) for claim in unkilled(each)] == []


def test_no_claim_of_the_partition_log_is_unkilled() -> None:
    assert unkilled(partition_log) == []


def test_every_guard_that_replication_needs_is_found_and_the_rest_is_told() -> None:
    machine = catalogue.machine("replication")
    found = {f.mutant: f.outcome for f in mutate(machine, machine.scopes["tiny"])}
    assert found["leader_advances_high_watermark.isr_has_the_record"] == "broken"
    assert found["leader_accepts_produce.records_are_left"] == "scope too small"
    assert found["follower_fetches.is_another"] == "not needed"
    assert list(found) == mutants_of(machine)
