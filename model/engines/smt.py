"""Z3 reads a machine: search for a violation up to a length, and proofs for runs of any length.

Both work on one scope, whose types are finite: a slot of the state is a bit vector. A proof shows
that a set of claims holds at first and is kept by every step from any state in which all of them
hold, reachable or not; so it needs no list of states and says nothing of larger scopes. A step
that breaks a claim is shown as two states: a counterexample to induction, which asks for a lemma,
not necessarily a bug. A step for which the scope has no room is never passed over: a search that
can reach one says so, and a proof shows that there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from model.engines.concrete import Stepper
from model.engines.layout import LENGTH, Slot
from model.engines.lower import Lowering, Step
from model.engines.scalars import TRUE, Scalar
from model.engines.trace import Trace, find_trace
from model.lang.machine import Machine, Scope

Numbers = Sequence[z3.BitVecRef]


class Translation:
    """Scalars of a lowered machine as Z3 terms: numbers are bit vectors of one signed width."""

    def __init__(
        self, lowering: Lowering, steps: Sequence[Step], claims: Sequence[Scalar]
    ) -> None:
        self.slots = lowering.layout.slots
        self.rules = lowering
        values = [v for s in steps for v in (*s.guards.values(), s.fits, *s.updates.values())]
        self.width = _width([*values, *claims], self.slots)

    def fresh_state(self, name: str) -> list[z3.BitVecRef]:
        """A bit vector for every slot."""
        return [z3.BitVec(f"{name}.{'.'.join(map(str, s.path))}", self.width) for s in self.slots]

    def well_formed(self, state: Numbers) -> Iterator[z3.BoolRef]:
        """Every slot is within its limits, and nothing stands past the end of a sequence."""
        for slot, value in zip(self.slots, state, strict=True):
            yield z3.And(slot.low <= value, value <= slot.high)
        for position, slot in enumerate(self.slots):
            if slot.path[-1] == LENGTH:
                yield from self._nothing_past_the_end(slot.path[:-1], state[position], state)

    def _nothing_past_the_end(
        self, sequence: tuple[Any, ...], length: z3.BitVecRef, state: Numbers
    ) -> Iterator[z3.BoolRef]:
        depth = len(sequence)
        for slot, value in zip(self.slots, state, strict=True):
            if slot.path[:depth] == sequence and isinstance(slot.path[depth], int):
                yield z3.Implies(length <= slot.path[depth], value == slot.low)

    def term(self, scalar: Scalar, state: Numbers, names: str = "") -> Any:
        """A scalar in a state; `names` distinguishes the action parameters of different steps."""
        return self._term(scalar, state, names, {})

    def _term(self, scalar: Scalar, state: Numbers, names: str, known: dict[int, Any]) -> Any:
        found = known.get(id(scalar))
        if found is None:
            parts = [self._term(a, state, names, known) for a in scalar.arguments]
            match scalar.operation:
                case "number":
                    found = z3.BitVecVal(scalar.data, self.width)
                case "slot":
                    found = state[int(scalar.data)]
                case "variable":
                    found = z3.BitVec(f"{names}{scalar.data}", self.width)
                case operation:
                    found = RULES[operation](self.width, *parts)
            known[id(scalar)] = found
        return found

    def happens(self, step: Step, before: Numbers, names: str = "") -> list[z3.BoolRef]:
        """The guards of a step, and the limits of its parameters."""
        limits = [
            z3.And(v.low <= self.term(v, before, names), self.term(v, before, names) <= v.high)
            for v in step.arguments.values()
        ]
        return limits + [self.term(guard, before, names) for guard in step.guards.values()]

    def after(self, step: Step, before: Numbers, names: str = "") -> list[z3.BitVecRef]:
        """The slots after a step."""
        known: dict[int, Any] = {}
        return [
            self._term(step.updates[i], before, names, known) if i in step.updates else value
            for i, value in enumerate(before)
        ]

    def fits(self, step: Step, before: Numbers, names: str = "") -> z3.BoolRef:
        """The scope has room for what the step does."""
        return self.term(step.fits, before, names)

    def packed(self, model: z3.ModelRef, state: Numbers) -> int:
        """The state of a Z3 model as one integer."""
        values = [model.eval(v, model_completion=True).as_signed_long() for v in state]
        return self.rules.layout.pack(values)


def _width(roots: Sequence[Scalar], slots: Sequence[Slot]) -> int:
    """Enough bits for every number that can arise, and a sign."""
    largest, seen, waiting = 1, set[int](), list(roots)
    for slot in slots:
        largest = max(largest, abs(slot.low), abs(slot.high))
    while waiting:
        scalar = waiting.pop()
        if id(scalar) not in seen:
            seen.add(id(scalar))
            largest = max(largest, abs(scalar.low), abs(scalar.high))
            waiting += scalar.arguments
    return largest.bit_length() + 1


def _select(_: int, index: Any, *choices: Any) -> Any:
    found = choices[-1]
    for number, choice in enumerate(choices[:-1]):
        found = z3.If(index == number, choice, found)
    return found


def _count(width: int, mask: Any) -> Any:
    bits = (z3.ZeroExt(width - 1, z3.Extract(i, i, mask)) for i in range(width))
    return sum(bits, z3.BitVecVal(0, width))


RULES: dict[str, Callable[..., Any]] = {
    "add": lambda _, a, b: a + b,
    "subtract": lambda _, a, b: a - b,
    "bit": lambda width, index: z3.BitVecVal(1, width) << index,
    "union": lambda _, a, b: a | b,
    "intersection": lambda _, a, b: a & b,
    "difference": lambda _, a, b: a & ~b,
    "count": _count,
    "truth": lambda _, a: a != 0,
    "as_number": lambda width, a: z3.If(a, z3.BitVecVal(1, width), z3.BitVecVal(0, width)),
    "not": lambda _, a: z3.Not(a),
    "and": lambda _, *parts: z3.And(*parts),
    "or": lambda _, *parts: z3.Or(*parts),
    "equal": lambda _, a, b: a == b,
    "less": lambda _, a, b: a < b,
    "member": lambda _, index, mask: (z3.LShR(mask, index) & 1) == 1,
    "if_else": lambda _, condition, a, b: z3.If(condition, a, b),
    "select": _select,
}


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
    translation = Translation(lowering, steps, [claim])
    solver = z3.SolverFor("QF_BV")
    states = [translation.fresh_state("state1")]
    first = lowering.layout.unpack(lowering.initial())
    solver.add(*(v == n for v, n in zip(states[0], first, strict=True)))
    for length in range(1, longest + 1):
        if length > 1:
            _refuse_misfits(solver, translation, steps, states[-1])
            states.append(translation.fresh_state(f"state{length}"))
            _connect(solver, translation, steps, states[-2], states[-1], f"step{length}.")
        if solver.check(z3.Not(translation.term(claim, states[-1]))) == z3.sat:
            model = solver.model()
            packed = [translation.packed(model, state) for state in states]
            return Search(length, time.perf_counter() - began, find_trace(lowering, packed))
    return Search(longest, time.perf_counter() - began, None)


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


def _connect(
    solver: z3.Solver,
    translation: Translation,
    steps: Sequence[Step],
    before: Numbers,
    after: Numbers,
    names: str,
) -> None:
    """One of the steps leads from one state to the next."""
    chosen = [z3.Bool(f"{names}{step.action.name}") for step in steps]
    solver.add(z3.Or(*chosen), *translation.well_formed(after))
    results = []
    for choice, step in zip(chosen, steps, strict=True):
        solver.add(z3.Implies(choice, z3.And(*translation.happens(step, before, names))))
        results.append(translation.after(step, before, names))
    for index, value in enumerate(after):
        merged = results[-1][index]
        for choice, result in zip(chosen[:-1], results[:-1], strict=True):
            merged = z3.If(choice, result[index], merged)
        solver.add(value == merged)
    solver.add(z3.AtMost(*chosen, 1))


@dataclass(frozen=True)
class Obligation:
    """One part of a proof: the claim holds at first (`step` is None), or the step keeps it.

    The claim `ROOM` is part of every proof: no step leaves the scope.
    """

    claim: str
    step: str | None
    proved: bool
    seconds: float
    counterexample: str | None = None


@dataclass(frozen=True)
class Proof:
    """All obligations for one goal and its lemmas."""

    goal: str
    lemmas: tuple[str, ...]
    obligations: list[Obligation]

    @property
    def proved(self) -> bool:
        """Does the goal hold in runs of any length at this scope."""
        return all(obligation.proved for obligation in self.obligations)

    @property
    def seconds(self) -> float:
        """The time that all obligations took."""
        return sum(obligation.seconds for obligation in self.obligations)


def prove(machine: Machine[Any], scope: Scope, goal: str) -> Proof:
    """Check that a goal and the lemmas that its proof names are inductive."""
    lemmas = machine.proofs[goal]
    lowering = Lowering(machine, scope)
    steps = list(lowering.open_steps())
    claims = {n: lowering.truth(machine.properties[n].holds) for n in (goal, *lemmas)}
    translation = Translation(lowering, steps, list(claims.values()))
    prover = _Prover(translation, claims)
    obligations = [prover.at_first(name) for name in claims]
    obligations += [prover.kept(name, step) for step in steps for name in (ROOM, *claims)]
    return Proof(goal, lemmas, obligations)


ROOM = "the scope has room"


class _Prover:
    """Checks the obligations of one proof."""

    def __init__(self, translation: Translation, claims: dict[str, Scalar]) -> None:
        self.translation = translation
        self.claims = claims
        self.before = translation.fresh_state("before")
        self.hypotheses = [
            *translation.well_formed(self.before),
            *(translation.term(claim, self.before) for claim in claims.values()),
        ]

    def at_first(self, name: str) -> Obligation:
        """The claim holds in the initial state."""
        layout = self.translation.rules.layout
        first = layout.unpack(self.translation.rules.initial())
        state = [z3.BitVecVal(n, self.translation.width) for n in first]
        began = time.perf_counter()
        solver = z3.SolverFor("QF_BV")
        solver.add(z3.Not(self.translation.term(self.claims[name], state)))
        proved = solver.check() == z3.unsat
        shown = None if proved else str(layout.show(layout.pack(first)))
        return Obligation(name, None, proved, time.perf_counter() - began, shown)

    def kept(self, name: str, step: Step) -> Obligation:
        """Where all claims hold, the step fits the scope, or the claim still holds after it."""
        began = time.perf_counter()
        fits = self.translation.fits(step, self.before)
        after = self.translation.after(step, self.before)
        solver = z3.SolverFor("QF_BV")
        solver.add(*self.hypotheses, *self.translation.happens(step, self.before))
        if name == ROOM:
            solver.add(z3.Not(fits))
        else:
            solver.add(fits, z3.Not(self.translation.term(self.claims[name], after)))
        proved = solver.check() == z3.unsat
        shown = None
        if not proved and name == ROOM:
            stepper = Stepper(self.translation.rules)
            shown = str(next(stepper.misfits(self._packed(solver, self.before))))
        elif not proved:
            states = [self._packed(solver, state) for state in (self.before, after)]
            shown = str(find_trace(self.translation.rules, states))
        seconds = time.perf_counter() - began
        return Obligation(name, step.action.name, proved, seconds, shown)

    def _packed(self, solver: z3.Solver, state: Numbers) -> int:
        return self.translation.packed(solver.model(), state)
