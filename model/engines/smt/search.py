"""Z3 looks for a shortest run that breaks a property, up to a length.

A step for which the scope has no room is never passed over: a search that can reach one says so.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import z3

from model.engines.concrete import Stepper
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import TRUE, Scalar
from model.engines.runs.trace import Trace, find_trace
from model.engines.smt.terms import Numbers, Translation
from model.lang.machine import Machine
from model.lang.parts import Scope


@dataclass(frozen=True)
class Search:
    """What a bounded search found: a trace, or none up to `length` states."""

    length: int
    seconds: float
    trace: Trace | None


def search(machine: Machine[Any], scope: Scope, property_name: str, longest: int) -> Search:
    """Look for a shortest run of at most `longest` states that ends where the property does not
    hold; a step that does not fit the scope is an error, as it is to the explorer.
    """
    began = time.perf_counter()
    lowering = Lowering(machine, scope)
    steps = list(lowering.open_steps())
    claim = lowering.truth(machine.properties[property_name].holds)
    trace = shortest_run(Translation(lowering, steps, [claim]), steps, claim, longest)
    return Search(longest if trace is None else len(trace), time.perf_counter() - began, trace)


def shortest_run(
    translation: Translation, steps: Sequence[Step], claim: Scalar, longest: int
) -> Trace | None:
    """A run of at most `longest` states that ends where the claim does not hold."""
    solver = z3.SolverFor("QF_BV")
    states: list[Numbers] = [translation.constants(translation.rules.initial())]
    for length in range(1, longest + 1):
        if length > 1:
            _refuse_misfits(solver, translation, steps, states[-1])
            states.append(translation.fresh_state(f"state{length}"))
            solver.add(*translation.leads(steps, states[-2], states[-1], f"step{length}."))
        if solver.check(z3.Not(translation.term(claim, states[-1]))) == z3.sat:
            model = solver.model()
            packed = [translation.packed(model, state) for state in states]
            return find_trace(translation.rules, packed)
    return None


def _refuse_misfits(
    solver: z3.Solver, translation: Translation, steps: Sequence[Step], state: Numbers
) -> None:
    """Raise what the evaluator says where a step does not fit in a state that can be reached."""
    misfits = [
        z3.And(*translation.happens(step, state), z3.Not(translation.fits(step, state)))
        for step in steps
        if step.fits is not TRUE
    ]
    if misfits and solver.check(z3.Or(*misfits)) == z3.sat:
        reached = translation.packed(solver.model(), state)
        raise next(Stepper(translation.rules).misfits(reached))
