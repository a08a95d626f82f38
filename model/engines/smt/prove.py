"""Z3 proves claims for runs of any length at one scope, by induction.

A proof shows that claims hold at first and are kept by every step from any states in which all of
them hold, reachable or not; so it needs no list of states, and says nothing of larger scopes. With
`length` above one the states before the step are that many, all different, one following from the
other. A step that breaks a claim is shown as the states around it: a counterexample to induction,
which asks for a lemma, not necessarily a bug.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import z3

from model.engines.concrete import ScopeTooSmallError, Stepper, evaluate
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import Scalar
from model.engines.runs.trace import find_trace
from model.engines.smt.obligations import ROOM, Obligation, Proof, fewest, supported
from model.engines.smt.search import shortest_run
from model.engines.smt.terms import Numbers, Translation
from model.lang.machine import Machine
from model.lang.parts import Scope

Hypotheses = Mapping[tuple[str, str | None], Sequence[str]]


def prove(
    machine: Machine[Any],
    scope: Scope,
    goal: str,
    *,
    lemmas: Sequence[str] | None = None,
    length: int = 1,
    minimise: bool = False,
    given: Hypotheses | None = None,
    only: Collection[tuple[str, str | None]] | None = None,
) -> Proof:
    """Check that a goal and its lemmas (by default those that the machine names) are inductive.

    `minimise` looks for the fewest hypotheses of each obligation; `given` are such ones, found
    elsewhere (those of obligations that it does not have are all claims). `only` names the
    obligations that are asked for, as (claim, action), where others are not.
    """
    lemmas = tuple(machine.proofs[goal] if lemmas is None else lemmas)
    prover = _Prover.of(machine, scope, (goal, *lemmas), length)
    obligations = [
        prover.at_first(claim) for claim in prover.claims if only is None or (claim, None) in only
    ]
    for step in prover.steps:
        for claim in (ROOM, *prover.claims):
            if only is not None and (claim, step.action.name) not in only:
                continue
            names = (given or {}).get((claim, step.action.name), tuple(prover.claims))
            obligations.append(prover.kept(claim, step, names, minimise))
    return Proof(goal, lemmas, obligations, length)


def houdini(machine: Machine[Any], scope: Scope, candidates: Sequence[str]) -> tuple[str, ...]:
    """The most of these properties that hold at first and are inductive together, in runs that
    the scope has room for.
    """
    prover = _Prover.of(machine, scope, candidates, 1)
    at_first = [name for name in candidates if prover.at_first(name).proved]
    return supported(at_first, prover.broken)


@dataclass
class _Prover:
    """Checks obligations about the same claims; `before` are the states before a step."""

    translation: Translation
    steps: list[Step]
    claims: dict[str, Scalar]
    before: list[Numbers]

    @staticmethod
    def of(machine: Machine[Any], scope: Scope, names: Sequence[str], length: int) -> _Prover:
        """For the properties of these names, and induction over this many states."""
        lowering = Lowering(machine, scope)
        steps = list(lowering.open_steps())
        claims = {name: lowering.truth(machine.properties[name].holds) for name in names}
        translation = Translation(lowering, steps, list(claims.values()))
        before: list[Numbers] = [
            translation.fresh_state(f"before{n}") for n in range(length - 1, -1, -1)
        ]
        return _Prover(translation, steps, claims, before)

    def at_first(self, name: str) -> Obligation:
        """The claim holds in the first states of every run, as many as the induction is over."""
        began = time.perf_counter()
        try:
            run = shortest_run(self.translation, self.steps, self.claims[name], len(self.before))
        except ScopeTooSmallError as error:
            return Obligation(name, None, False, time.perf_counter() - began, str(error))
        shown = None if run is None else str(run)
        return Obligation(name, None, run is None, time.perf_counter() - began, shown)

    def kept(
        self, name: str, step: Step, hypotheses: Collection[str], minimise: bool
    ) -> Obligation:
        """After states in which the hypotheses hold the step fits the scope, or the claim still
        holds after it.
        """
        began = time.perf_counter()
        fits = self.translation.fits(step, self.before[-1])
        if name == ROOM:
            broken = [z3.Not(fits)]
        else:
            after = self.translation.after(step, self.before[-1])
            broken = [fits, z3.Not(self.translation.term(self.claims[name], after))]

        models: list[z3.ModelRef] = []

        def proves(names: Collection[str]) -> Collection[str] | None:
            solver = self._before(step)
            solver.add(*broken, *(h for n in names for h in self._holds(n)))
            if solver.check() == z3.unsat:
                return names
            models.append(solver.model())
            return None

        needed = fewest(hypotheses, proves) if minimise else proves(hypotheses)
        shown = None if needed is not None else self._counterexample(models[0], name, step)
        seconds = time.perf_counter() - began
        found = tuple(needed) if needed is not None and minimise else None
        return Obligation(name, step.action.name, needed is not None, seconds, shown, found)

    def broken(self, names: Collection[str]) -> set[str]:
        """Some of the claims that fail after a step from a state where all of them hold."""
        for step in self.steps:
            after = self.translation.after(step, self.before[-1])
            solver = self._before(step)
            solver.add(self.translation.fits(step, self.before[-1]))
            solver.add(*(h for n in names for h in self._holds(n)))
            broken = (z3.Not(self.translation.term(self.claims[n], after)) for n in names)
            solver.add(z3.Or(*broken))
            if solver.check() == z3.sat:
                layout = self.translation.rules.layout
                numbers = layout.unpack(self.translation.packed(solver.model(), after))
                return {n for n in names if not evaluate(self.claims[n], numbers)}
        return set()

    def _holds(self, name: str) -> Iterator[z3.BoolRef]:
        """A claim holds in all states before the step."""
        for state in self.before:
            yield self.translation.term(self.claims[name], state)

    def _before(self, step: Step) -> z3.Solver:
        """The states before a step, which is possible."""
        translation, before = self.translation, self.before
        solver = z3.SolverFor("QF_BV")
        solver.add(*translation.well_formed(before[0]), *translation.different(before))
        for number, (one, other) in enumerate(pairwise(before)):
            solver.add(*translation.leads(self.steps, one, other, f"before{number}."))
        solver.add(*translation.happens(step, before[-1]))
        return solver

    def _counterexample(self, model: z3.ModelRef, name: str, step: Step) -> str:
        """The states before the step and, where it fits, the one after it."""
        states = [*self.before]
        if name != ROOM:
            states.append(self.translation.after(step, self.before[-1]))
        packed = [self.translation.packed(model, state) for state in states]
        rules = self.translation.rules
        misfit = [str(next(Stepper(rules).misfits(packed[-1])))] if name == ROOM else []
        shown = [str(find_trace(rules, packed))] if len(packed) > 1 or not misfit else []
        return "\n".join([*shown, *misfit])
