"""What the language refuses, and the sentence that it says then."""

from collections.abc import Callable

import pytest

from model.lang import (
    Bool,
    Machine,
    Map,
    ModelError,
    Option,
    Range,
    Record,
    Seq,
    Set,
    Sort,
    every,
    needs,
    none,
    set_of,
    some,
)


class Door(Sort):
    """One of three doors."""

    size = 3


class Number(Range):
    """0 to 9."""

    low, high = 0, 9


class State(Record):
    """Something to talk about."""

    open_door: Option[Door]
    seen: Set[Door]
    count: Map[Door, Number]
    total: Number
    done: Bool


def refused(define: Callable[[Machine[State]], object]) -> str:
    with pytest.raises(ModelError) as caught:
        define(Machine("doors", State, "doors"))
    return str(caught.value)


def test_a_term_has_no_truth_value() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            """Act."""
            if s.total > 1:
                s.total += 1

    assert refused(define) == (
        "action act: a term has no truth value while the machine is read: write `a & b`, `a | b`, "
        "`~a`, `implies(a, b)` or `if_else(a, b, c)` instead of and, or, not, if"
    )


def test_an_unknown_field_names_the_fields_there_are() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            """Act."""
            s.totl = s.total  # type: ignore[attr-defined]

    assert refused(define) == (
        "action act: State has no field 'totl', only open_door, seen, count, total, done"
    )


def test_a_value_of_another_type_is_refused() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State, door: Door) -> None:
            """Act."""
            s.total = door  # type: ignore[assignment]

    assert refused(define) == "action act: expected Number, got a term of Door"


def test_guards_stand_before_updates() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            """Act."""
            s.total += 1
            needs(late=s.total < 3)

    assert refused(define) == "action act: needs() stands before the first assignment"


def test_an_action_must_change_something() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            """Act."""
            needs(small=s.total < 3)

    assert refused(define) == "action act changes nothing: assign something, or drop it"


def test_a_property_must_not_change_the_state() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.sometimes()
        def claim(s: State) -> Bool:
            """Claim."""
            s.total += 1
            return s.done

    assert (
        refused(define)
        == "property claim: the state must not be changed here: only actions do that"
    )


def test_an_update_inside_a_quantifier_is_refused() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            """Act."""

            def claim(door: Door) -> Bool:
                s.count[door] += 1
                return s.done

            needs(all_doors=every(Door, claim))

    assert "must not be changed inside a quantifier" in refused(define)


def test_a_clause_id_must_look_like_one() -> None:
    assert refused(lambda machine: machine.action("REPL 4")) == (
        "'REPL 4' is not a clause id such as REPL-04"
    )


def test_a_parameter_needs_a_type() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State, door) -> None:  # type: ignore[no-untyped-def]  # noqa: ARG001
            """Act."""
            s.total += 1

    assert refused(define) == (
        "action act: the parameter door needs a Sort, a Range, an Enum or Bool as its type; a "
        "record is drawn from a bag: `@machine.action(..., door=lambda s: s.network)`"
    )


def test_a_docstring_is_demanded() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State) -> None:
            s.total += 1

    assert refused(define) == "act has no docstring: say in one sentence what it means"


def test_needs_is_only_for_actions() -> None:
    with pytest.raises(ModelError, match=r"needs\(\) is for the bodies of actions and"):
        needs(anything=Bool(True))


def test_a_record_needs_exactly_its_fields() -> None:
    class Pair(Record):
        """Two numbers."""

        left: Number
        right: Number

    with pytest.raises(ModelError, match="missing or unknown: right"):
        Pair(left=Number(1))  # type: ignore[call-arg]


def test_an_unknown_guard_cannot_be_dropped() -> None:
    with pytest.raises(
        ModelError, match=r"has no guard, action, mutant or fairness 'act\.nothing'"
    ):
        Machine("doors", State, "doors").mutated("act.nothing")


def test_a_term_cannot_be_gone_through() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.action()
        def act(s: State, door: Door) -> None:
            """Act."""
            s.done = Bool(door in s.seen)  # type: ignore[operator]

    assert "instead of for, and `elements.has(x)` instead of in" in refused(define)


def test_a_claim_has_no_guards() -> None:
    def define(machine: Machine[State]) -> None:
        @machine.sometimes()
        def claim(s: State) -> Bool:
            """Claim."""
            needs(small=s.total < 3)
            return s.done

    assert refused(define) == (
        "property claim: needs() is for actions: a claim is what a property returns"
    )


@pytest.mark.parametrize("name", ["node", "total"])
def test_a_field_has_a_free_name_and_no_default(name: str) -> None:
    body = {"__annotations__": {name: Number}, "total": Number(0)}
    with pytest.raises(ModelError, match=f"Odd.{name}: a field has no default value"):
        type("Odd", (Record,), body)


def test_a_record_that_extends_another_has_the_fields_of_both() -> None:
    class More(State):
        """More."""

        extra: Bool

    assert list(More.fields()) == [*State.fields(), "extra"]


def test_a_type_without_a_size_is_refused() -> None:
    class Unsized(Record):
        """A sequence without a capacity."""

        log: Seq[Number]

    with pytest.raises(ModelError, match=r"Unsized.log: Seq\[Number\] does not say its capacity"):
        Machine("odd", Unsized, "odd")


def test_a_set_is_changed_in_place_through_a_local_name() -> None:
    machine = Machine("doors", State, "doors")

    @machine.action()
    def act(s: State, door: Door) -> None:
        """See a door."""
        seen = s.seen
        seen |= set_of(door)

    assert "union" in repr(machine.actions["act"].after)


def test_scalars_are_values_and_containers_are_references() -> None:
    machine = Machine("doors", State, "doors")
    read: list[Bool] = []

    @machine.action()
    def act(s: State, door: Door) -> None:
        """Count a door."""
        before, counts = s.total, s.count
        s.total += 1
        s.count[door] = Number(7)
        s.open_door = some(door)
        s.seen = s.seen | set_of(door)
        read.append(before == 0)
        read.append(counts[door] == 7)
        read.append(s.open_door == none(Door))

    assert "state" in repr(read[0].node)
    assert "with_field" not in repr(read[0].node)
    assert repr(read[1].node) == "equal(constant(7), constant(7))"
    assert repr(read[2].node) == "equal(some(parameter(door)), default())"
