"""Random actions mean the same to everyone: plain Python, the evaluator, the kernel and Z3."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import z3
from hypothesis import HealthCheck, Phase, given, settings

from model.engines import concrete, smt
from model.engines.concrete import ScopeTooSmallError, Stepper, evaluate, show_step
from model.engines.kernels import plain
from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering.layout import LENGTH, Layout
from model.engines.lowering.lower import Lowering, Step
from model.engines.smt import Translation
from model.lang import Bool, Machine, Option, Scope, Set, needs
from tests.model.drawing import programs, states
from tests.model.programs import (
    CAPACITY,
    DOMAINS,
    OUTSIDE,
    PARAMETERS,
    PARTS,
    TYPES,
    Id,
    Low,
    MisfitError,
    Plain,
    State,
    Traced,
)

SCOPE = Scope("only", {}, "all types have fixed sizes")


def machine_of(guards: list[Any], statements: list[Any], claim: Any) -> Machine[State]:
    machine = Machine("random", State, "a random machine")

    @machine.action()
    def act(s: State, an_id: Id, a_low: Low, a_flag: Bool) -> None:
        """Act."""
        traced = Traced(s, {"an_id": an_id, "a_low": a_low, "a_flag": a_flag})
        needs(**{f"guard{n}": traced.value(guard) for n, guard in enumerate(guards)})
        for statement in statements:
            traced.do(statement)

    @machine.sometimes()
    def claimed(s: State) -> Bool:
        """Claimed."""
        truth: Bool = Traced(s).value(claim)
        return truth

    return machine


def slots_of(layout: Layout, state: dict[str, Any]) -> list[int]:
    """The numbers of a plain state, or the error that something has no room."""
    numbers = []
    if len(state["log"]) > CAPACITY:
        raise MisfitError
    for slot in layout.slots:
        value: Any = state
        for step in slot.path:
            if step == LENGTH:
                value = len(value)
            elif isinstance(value, dict):
                key = step if isinstance(step, str) else list(value)[step]
                value = value[key]
            elif step in PARTS:
                value = value[list(PARTS).index(str(step))]
            else:
                value = value[step] if int(step) < len(value) else (False, 2)
        numbers.append(encoded(slot.type, value, is_length=slot.path[-1] == LENGTH))
    return numbers


def encoded(of: Any, value: Any, is_length: bool = False) -> int:
    if is_length:
        return int(value)
    item = next(k for k, t in TYPES.items() if t is getattr(of, "item", of))
    domain = DOMAINS[item]
    if issubclass(of, Set):
        if OUTSIDE in value:
            raise MisfitError
        return sum(1 << domain.index(v) for v in value)
    if issubclass(of, Option) and value is None:
        return 0
    (inner,) = value if issubclass(of, Option) else (value,)
    if inner not in domain:
        raise MisfitError
    return domain.index(inner) + 1 if issubclass(of, Option) else int(inner)


def expected_steps(
    guards: list[Any], statements: list[Any], state: dict[str, Any], layout: Layout
) -> dict[tuple[Any, ...], int | None]:
    """Where each choice of arguments leads; None where something would not fit."""
    found: dict[tuple[Any, ...], int | None] = {}
    for values in itertools.product(*(DOMAINS[kind] for kind in PARAMETERS.values())):
        run = Plain(dict(state), dict(zip(PARAMETERS, values, strict=True)))
        if all(run.value(guard) for guard in guards):
            try:
                for statement in statements:
                    run.do(statement)
                found[values] = layout.pack(slots_of(layout, run.state))
            except MisfitError:
                found[values] = None
    return found


def arguments_of(step: Step) -> tuple[int, ...]:
    return tuple(int(value.constant or 0) for value in step.arguments.values())


def agree_on_random_programs(examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Draw programs and states, the same ones every time, until the readers disagree."""
    settings(
        max_examples=examples,
        phases=phases,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(programs(), states())(agree))()


def agree(program: Any, state: dict[str, Any]) -> None:
    """All readers say of this program in this state what plain Python says."""
    guards, statements, claim = program
    machine = machine_of(guards, statements, claim)
    lowering = Lowering(machine, SCOPE)
    layout = lowering.layout
    numbers = slots_of(layout, state)
    packed = layout.pack(numbers)
    expected = expected_steps(guards, statements, state, layout)

    claimed = lowering.truth(machine.properties["claimed"].holds)
    truth = Plain(dict(state)).value(claim)
    assert bool(evaluate(claimed, numbers)) == truth
    assert compile_watch(layout, [claimed])(packed) == ([0] if truth else [])

    steps = {arguments_of(step): step for step in lowering.steps()}
    for values, after in expected.items():
        step = steps[values]
        assert lowered_step(lowering, step, packed) == after
        assert compiled_step(layout, step, packed) == after
    for values in steps.keys() - expected.keys():
        assert compile_moves(layout, [steps[values]])(packed) == []
    translated_steps(lowering, numbers, expected, claimed, truth)


def lowered_step(lowering: Lowering, step: Step, packed: int) -> int | None:
    stepper = Stepper(lowering)
    name = show_step(lowering.layout, step)
    stepper.steps, stepper.names = [step], [name]
    try:
        ((_, after),) = stepper.successors(packed)
    except ScopeTooSmallError:
        return None
    return after


def compiled_step(layout: Layout, step: Step, packed: int) -> int | None:
    try:
        ((_, after),) = compile_moves(layout, [step])(packed)
    except ScopeTooSmallError:
        return None
    return after


def translated_steps(
    lowering: Lowering,
    numbers: list[int],
    expected: dict[tuple[Any, ...], int | None],
    claimed: Any,
    truth: bool,
) -> None:
    (step,) = lowering.open_steps()
    translation = Translation(lowering, [step], [claimed])
    before = [z3.BitVecVal(n, translation.width) for n in numbers]
    assert z3.is_true(z3.simplify(translation.term(claimed, before))) == truth
    happens = z3.And(*translation.happens(step, before))
    fits = translation.fits(step, before)
    after = translation.after(step, before)
    names = [z3.BitVec(f"act.{name}", translation.width) for name in PARAMETERS]
    for values in itertools.product(*(DOMAINS[kind] for kind in PARAMETERS.values())):
        chosen = [
            (name, z3.BitVecVal(int(v), translation.width))
            for name, v in zip(names, values, strict=True)
        ]
        enabled = z3.is_true(z3.simplify(z3.substitute(happens, *chosen)))
        assert enabled == (values in expected)
        if enabled:
            packed = None
            if z3.is_true(z3.simplify(z3.substitute(fits, *chosen))):
                slots = [z3.simplify(z3.substitute(a, *chosen)).as_signed_long() for a in after]
                packed = lowering.layout.pack(slots)
            assert packed == expected[values]


def test_random_steps_are_the_same_to_all_readers() -> None:
    agree_on_random_programs(150)


@pytest.mark.parametrize(
    ("rules", "name", "wrong"),
    [
        (concrete.RULES, "difference", lambda a, b: a ^ b),
        (plain.TEMPLATES, "less", "{} <= {}"),
        (smt.RULES, "member", lambda _, index, mask: (mask >> (index + 1) & 1) == 1),
    ],
    ids=["evaluator", "kernel", "z3"],
)
def test_random_programs_find_a_reader_that_is_wrong(
    rules: dict[str, Any], name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rules, name, wrong)
    with pytest.raises(AssertionError):
        agree_on_random_programs(150, [Phase.generate])


def test_whether_an_option_is_there_is_an_element_of_a_set_of_truth_values() -> None:
    # Found by the long run below: "is some" of a value above the lowest was taken for a number.
    state: dict[str, Any] = {
        "flag": False,
        "num": -1,
        "low": 2,
        "id": 0,
        "single": 3,
        "maybe_low": None,
        "maybe_flag": None,
        "maybe_id": (1,),
        "ids": frozenset(),
        "lows": frozenset(),
        "flags": frozenset(),
        "by_low": {2: -1, 3: -1, 4: -1},
        "by_flag": {False: None, True: None},
        "by_id": {0: (False, 2), 1: (False, 2), 2: (False, 2)},
        "log": (),
    }
    guard = ("flags has", ("all", "flags"), ("is maybe_id", ("read", "maybe_id")))
    agree(([guard], [("assign", "num", ("read", "num"))], ("read", "flag")), state)


@pytest.mark.deep
def test_the_readers_agree_on_thousands_of_random_programs() -> None:
    agree_on_random_programs(3000)
