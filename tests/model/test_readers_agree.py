"""One definition, several readers: they must say the same of every state."""

import random
from typing import Any

import pytest
import z3

from model import catalogue
from model.engines.concrete import Stepper, evaluate, show_step
from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering.lower import Lowering
from model.engines.smt import Translation
from model.lang import Machine, Scope

LARGE = Scope("large", {"brokers": 4, "log_size": 4, "max_records": 5, "max_leader_epoch": 4}, "")


def scope_of(machine: Machine[Any]) -> Scope:
    """A scope that is too large to explore, or the usual one."""
    return LARGE if machine.name == "replication" else machine.scopes["default"]


def reachable(lowering: Lowering, runs: int = 12, longest: int = 60) -> list[int]:
    """Some states that random runs meet."""
    choose = random.Random(7)
    moves = compile_moves(lowering.layout, list(lowering.steps()))
    found = []
    for _ in range(runs):
        state = lowering.initial()
        for _ in range(longest):
            found.append(state)
            following = moves(state)
            if not following:
                break
            state = choose.choice(following)[1]
    return found


@pytest.mark.parametrize("key", catalogue.MACHINES, ids=" ".join)
def test_the_compiled_kernel_and_the_evaluator_make_the_same_steps(key: tuple[str, str]) -> None:
    machine = catalogue.machine(*key)
    lowering = Lowering(machine, scope_of(machine))
    stepper = Stepper(lowering)
    steps = list(lowering.steps())
    moves = compile_moves(lowering.layout, steps)
    claims = [lowering.truth(p.holds) for p in machine.properties.values()]
    watch = compile_watch(lowering.layout, claims)
    for state in reachable(lowering):
        numbers = lowering.layout.unpack(state)
        compiled = [
            (show_step(lowering.layout, steps[n], numbers), after) for n, after in moves(state)
        ]
        assert sorted(compiled) == sorted(stepper.successors(state))
        assert watch(state) == [n for n, c in enumerate(claims) if evaluate(c, numbers)]


@pytest.mark.parametrize("key", catalogue.MACHINES, ids=" ".join)
def test_z3_makes_the_same_steps_as_the_evaluator(key: tuple[str, str]) -> None:
    machine = catalogue.machine(*key)
    lowering = Lowering(machine, scope_of(machine))
    steps = list(lowering.steps())
    translation = Translation(lowering, steps, [])
    for state in random.Random(11).sample(reachable(lowering), 12):
        numbers = lowering.layout.unpack(state)
        values = [z3.BitVecVal(n, translation.width) for n in numbers]
        found = set()
        for step in steps:
            if z3.is_true(z3.simplify(z3.And(*translation.happens(step, values)))):
                after = [
                    z3.simplify(value).as_signed_long()
                    for value in translation.after(step, values)
                ]
                found.add((show_step(lowering.layout, step, numbers), lowering.layout.pack(after)))
        assert found == set(Stepper(lowering).successors(state))


def test_packing_a_state_and_unpacking_it_gives_the_state() -> None:
    lowering = Lowering(catalogue.machine("replication"), LARGE)
    for state in reachable(lowering, runs=3):
        assert lowering.layout.pack(lowering.layout.unpack(state)) == state


def test_an_enabled_step_fails_no_guard() -> None:
    lowering = Lowering(catalogue.machine("replication"), LARGE)
    stepper = Stepper(lowering)
    for state in reachable(lowering, runs=2):
        enabled = {name for name, _ in stepper.successors(state)}
        assert {n for n, failing in stepper.failing_guards(state) if not failing} == enabled
