"""Machines held against a contract: one that keeps it, and each way to break it."""

from collections import Counter

import pytest

from model.areas.replication.observed import machine as replication
from model.engines.concrete import Stepper, evaluate
from model.engines.lowering.lower import Lowering
from model.engines.refine import Refined, refine
from model.lang import Bool, Bound, Machine, Range, Record, needs


class Litres(Range):
    """How much there is."""

    low, high = 0, Bound("size")


class Tank(Record):
    """What one sees of it."""

    water: Litres


class Pumped(Record):
    """A tank, and what is in the pipe."""

    water: Litres
    pipe: Litres
    pumping: Bool


def contract(drains: bool = True) -> Machine[Tank]:
    """Water comes litre by litre, and goes all at once."""
    machine = Machine("tank", Tank, "a tank", "contract")

    @machine.initial
    def empty(s: Tank) -> None:
        s.water = Litres(0)

    @machine.action()
    def fill(s: Tank) -> None:
        """One litre more."""
        needs(has_room=s.water < Bound("size"))
        s.water += 1

    if drains:

        @machine.action()
        def drain(s: Tank) -> None:
            """All of it goes."""
            needs(is_wet=s.water > 0)
            s.water = Litres(0)

    return machine


def pump(
    litres: int = 1,
    first: int = 0,
    more: int = 0,
    drains: bool = True,
    size: int | Bound | None = None,
) -> Machine[Pumped]:
    """A tank that is filled through a pipe, `litres` at a time."""
    machine = Machine("pump", Pumped, "a pump")

    @machine.initial
    def empty(s: Pumped) -> None:
        s.water = Litres(first)

    @machine.action()
    def start(s: Pumped) -> None:
        """Water enters the pipe."""
        needs(is_off=~s.pumping, has_room=s.water + litres <= Bound("size"))
        s.pumping = Bool(True)
        s.pipe = Litres(litres)

    @machine.action()
    def arrive(s: Pumped) -> None:
        """What is in the pipe arrives."""
        needs(is_on=s.pumping)
        s.water += s.pipe
        s.pipe = Litres(0)
        s.pumping = Bool(False)

    if drains:

        @machine.action()
        def open_valve(s: Pumped) -> None:
            """All water goes."""
            needs(is_off=~s.pumping, is_wet=s.water > 0)
            s.water = Litres(0)

    bounds = {} if size is None else {"size": size}

    @machine.refines(contract(), **bounds)
    def as_a_tank(s: Pumped) -> Tank:
        """The pipe is not seen."""
        return Tank(water=s.water + more)

    machine.scope("default", why="by hand", size=4)
    return machine


def refined(machine: Machine[Pumped], states: int | None = None) -> Refined:
    scope, refinement = machine.scopes["default"], machine.refinements["tank"]
    return refine(machine, scope, refinement, states=states)


def test_a_machine_that_keeps_its_contract_stutters_where_nothing_is_seen() -> None:
    seen = refined(pump())
    assert seen.outcome == "implemented"
    # Five levels of water, the pump off or (but for the last) on.
    assert (seen.distinct, seen.steps, seen.stutters, seen.pairs) == (9, 12, 4, 8)
    assert seen.used == {"fill": 4, "drain": 4}
    assert not seen.never_used
    assert str(seen).startswith(
        "pump current implements tank at scope default: 9 states, 12 steps"
    )


def test_an_action_of_the_contract_that_is_never_done_is_reported() -> None:
    seen = refined(pump(drains=False))
    assert seen.outcome == "implemented"
    assert seen.never_used == ["drain"]
    assert "never used: drain" in str(seen)


def test_a_step_that_the_contract_does_not_have_is_shown_on_both_levels() -> None:
    seen = refined(pump(litres=2))
    assert seen.outcome == "broken"
    assert not seen.never_used
    assert str(seen.failure) == (
        "1  initial state\n"
        "2  start()\n"
        "       pipe: 0 -> 2\n"
        "       pumping: False -> True\n"
        "3  arrive()\n"
        "       water: 0 -> 2\n"
        "       pipe: 2 -> 0\n"
        "       pumping: True -> False\n"
        "\n"
        "What a client sees of the last step:\n"
        "    water: 0 -> 2\n"
        "Why the contract does not do that:\n"
        "    fill(): water would be 1, not 2\n"
        "    drain(): is_wet does not hold; water would be 0, not 2"
    )
    failure = seen.as_data()["failure"]
    assert failure["trace"] == ["start()", "arrive()"]
    assert failure["refusals"][1] == {
        "step": "drain()",
        "guards": ["is_wet"],
        "differences": ["water would be 0, not 2"],
    }


def test_a_first_state_that_is_not_the_contracts_is_shown() -> None:
    failure = refined(pump(first=1)).failure
    assert failure is not None
    assert len(failure.trace) == 1
    assert failure.sentence == "The contract does not begin like this: water would be 0, not 1."
    assert failure.sentence in str(failure)


def test_what_the_contract_has_no_room_for_is_an_error_of_the_mapping() -> None:
    failure = refined(pump(size=2)).failure
    assert failure is not None
    assert failure.sentence == "as_a_tank says 3 for water of tank, which has 0..2."
    assert [a.split("(")[0] for a in failure.trace.actions] == ["start", "arrive"] * 3
    first = refined(pump(more=5)).failure
    assert first is not None
    assert (len(first.trace), first.sentence[:16]) == (1, "as_a_tank says 5")


def test_bounds_of_the_contract_may_have_other_names_and_be_larger() -> None:
    assert refined(pump(size=Bound("size") + 3)).outcome == "implemented"


def test_a_bound_on_states_leaves_the_rest_undecided() -> None:
    seen = refined(pump(), states=3)
    assert seen.outcome == "undecided"
    assert not seen.never_used
    assert "was not seen to break" in str(seen)


@pytest.mark.parametrize("kernel", ["plain", "numpy"])
def test_the_columns_see_what_a_plain_walk_sees(kernel: str) -> None:
    scope = replication.scopes["tiny"]
    (refinement,) = replication.refinements.values()
    seen = refine(replication, scope, refinement, kernel=kernel)
    lowering = Lowering(replication, scope)
    contract_lowering = Lowering(refinement.contract, refinement.contract_scope(scope))
    stepper, layout = Stepper(lowering), contract_lowering.layout
    values = [lowering.leaf(refinement.seen_as, slot.path) for slot in layout.slots]

    def image(state: int) -> int:
        return layout.pack([evaluate(v, lowering.layout.unpack(state)) for v in values])

    known, waiting = {lowering.initial()}, [lowering.initial()]
    steps: Counter[tuple[int, int]] = Counter()
    while waiting:
        state = waiting.pop()
        for _, after in stepper.successors(state):
            steps[image(state), image(after)] += 1
            if after not in known:
                known.add(after)
                waiting.append(after)
    pairs = {pair for pair in steps if pair[0] != pair[1]}
    assert (seen.distinct, seen.steps) == (len(known), steps.total())
    assert (seen.stutters, seen.pairs) == (steps.total() - sum(map(steps.get, pairs)), len(pairs))  # type: ignore[arg-type]
    contract_stepper = Stepper(contract_lowering)
    for before, after in pairs:
        assert after in [there for _, there in contract_stepper.successors(before)]
