"""What does not fit is reported by every reader, and never cut, wrapped or passed over."""

from collections.abc import Callable

import pytest

from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import explore
from model.engines.lowering.lower import Lowering
from model.engines.smt import prove, search
from model.lang import (
    Bool,
    Bound,
    Machine,
    Map,
    ModelError,
    Option,
    Range,
    Record,
    Seq,
    Set,
    every,
    needs,
    set_of,
    some,
)
from tests.model.toys import Jugs, jug


class Step(Range):
    """A number that counts up."""

    low, high = 0, Bound("last")


class Steps(Seq[Step]):
    """At most two of them."""

    capacity = 2


class Stairs(Record):
    """Everything that may be too small."""

    now: Step
    option: Option[Step]
    seen: Set[Step]
    marked: Map[Step, Step]
    walked: Steps
    after: Step


def stairs(act: Callable[[Stairs], None], last: int = 3) -> Machine[Stairs]:
    """A counter from 0 to `last`, and an action that is enabled at its ends."""
    machine = Machine("stairs", Stairs, "stairs")

    @machine.initial
    def below(s: Stairs) -> None:
        s.now = Step(0)

    @machine.action()
    def step(s: Stairs) -> None:
        """Up."""
        needs(has_room=s.now < Bound("last"))
        s.now += 1

    def at_an_end(s: Stairs) -> None:
        """Act."""
        needs(is_an_end=(s.now == 0) | (s.now == Bound("last")))
        act(s)

    machine.action()(at_an_end)

    @machine.always(broken_by="step.has_room")
    def is_tame(s: Stairs) -> Bool:
        """Nothing of it matters."""
        return s.now <= Bound("last")

    machine.proof("is_tame")
    machine.scope("default", why="by hand", last=last)
    return machine


def set_below(s: Stairs) -> None:
    s.seen = set_of(s.now - 1)


def set_above(s: Stairs) -> None:
    s.seen = set_of(s.now + 1)


def some_below(s: Stairs) -> None:
    s.option = some(s.now - 1)


def some_above(s: Stairs) -> None:
    s.option = some(s.now + 1)


def write_below(s: Stairs) -> None:
    s.marked[s.now - 1] = s.now


def write_above(s: Stairs) -> None:
    s.marked[s.now + 1] = s.now


def write_at_a_literal(s: Stairs) -> None:
    s.marked[Step(7)] = s.now


def grow(s: Stairs) -> None:
    s.walked.append(s.now)


def grow_and_shrink(s: Stairs) -> None:
    for _ in range(3):
        s.walked.append(s.now)
    s.walked.truncate(s.now)


@pytest.mark.parametrize(
    "act",
    [
        set_below, set_above, some_below, some_above, write_below, write_above,
        write_at_a_literal, grow, grow_and_shrink,
    ],
)  # fmt: skip
def test_every_reader_reports_what_does_not_fit(act: Callable[[Stairs], None]) -> None:
    machine = stairs(act)
    scope = machine.scopes["default"]
    with pytest.raises(ScopeTooSmallError, match=r"at_an_end\(\) would .*: add a guard"):
        explore(machine, scope)
    with pytest.raises(ScopeTooSmallError, match=r"at_an_end\(\) would"):
        search(machine, scope, "is_tame", longest=5)
    failed = [o for o in prove(machine, scope, "is_tame").obligations if not o.proved]
    assert [(o.claim, o.step) for o in failed] == [("the scope has room", "at_an_end")]
    assert "at_an_end() would" in (failed[0].counterexample or "")


def test_a_number_that_needs_no_bits_has_no_room_for_another() -> None:
    def grows(s: Stairs) -> None:
        s.after = s.now + 1

    machine = stairs(grows, last=0)
    with pytest.raises(ScopeTooSmallError, match=r"would set after to 1, .* room for 0\.\.0"):
        explore(machine, machine.scopes["default"])


def test_a_map_has_the_lowest_value_under_a_key_that_it_has_not() -> None:
    def reads(s: Stairs) -> None:
        s.after = s.marked[Step(9)]
        s.now = s.marked[s.now - 1]

    machine = stairs(reads)
    seen = explore(machine, machine.scopes["default"])
    assert seen.complete
    assert not seen.violations


def test_a_first_state_that_does_not_fit_is_refused() -> None:
    machine = jug()

    @machine.initial
    def overfull(s: Jugs) -> None:
        s.water += 9

    with pytest.raises(ModelError, match=r"jug begins with 9 in water, which has 0\.\.5"):
        explore(machine, machine.scopes["default"])


def test_without_a_first_state_every_part_begins_as_its_default() -> None:
    machine = Machine("empty", Stairs, "empty")
    machine.scope("default", why="by hand", last=3)
    assert Lowering(machine, machine.scopes["default"]).initial() == 0


def test_a_guard_of_many_parts_is_no_deep_nest_of_blocks() -> None:
    machine = stairs(lambda s: s.walked.truncate(s.now), last=150)

    @machine.action()
    def hop(s: Stairs) -> None:
        """A step where nothing is marked."""
        needs(
            has_room=s.now < Bound("last"),
            nothing_is_marked=every(Step, lambda step: s.marked[step] == 0),
        )
        s.now += 1

    seen = explore(machine, machine.scopes["default"])
    assert (seen.distinct, seen.generated) == (151, 303)
