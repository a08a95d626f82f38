"""A lowered machine as Z3 terms: a state is a row of bit vectors, a claim and a step are formulas.

This file decides what a state is that need not be reachable: every slot within its limits, nothing
past the end of a sequence, bags sorted. It refuses to know what is asked of the solver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any

import z3

from model.engines.lowering.layout import LENGTH, Path, Slot
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import Scalar
from model.lang.containers import Bag, Record

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
        """Every slot is within its limits, nothing stands past the end of a sequence or bag, and a
        bag is sorted.
        """
        for slot, value in zip(self.slots, state, strict=True):
            yield z3.And(slot.low <= value, value <= slot.high)
        for slot, length in zip(self.slots, state, strict=True):
            if slot.path[-1] == LENGTH:
                yield from self._well_filled(slot.path[:-1], length, state)

    def _well_filled(
        self, path: Path, length: z3.BitVecRef, state: Numbers
    ) -> Iterator[z3.BoolRef]:
        cells: dict[int, list[z3.BitVecRef]] = {}
        for slot, value in zip(self.slots, state, strict=True):
            index = slot.path[len(path)] if slot.path[: len(path)] == path else LENGTH
            if isinstance(index, int):
                cells.setdefault(index, []).append(value)
                yield z3.Implies(length <= index, value == slot.low)
        if issubclass(_type_at(self.rules.layout.state, path), Bag):
            for index in range(1, len(cells)):
                yield z3.Implies(index < length, _in_order(cells[index - 1], cells[index]))

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

    def leads(
        self, steps: Sequence[Step], before: Numbers, after: Numbers, names: str
    ) -> Iterator[z3.BoolRef]:
        """One of the steps leads from one state to the other, within the scope."""
        chosen = [z3.Bool(f"{names}{step.action.name}") for step in steps]
        yield z3.Or(*chosen)
        yield z3.AtMost(*chosen, 1)
        yield from self.well_formed(after)
        results = []
        for choice, step in zip(chosen, steps, strict=True):
            happens = (*self.happens(step, before, names), self.fits(step, before, names))
            yield z3.Implies(choice, z3.And(*happens))
            results.append(self.after(step, before, names))
        for index, value in enumerate(after):
            merged = results[-1][index]
            for choice, result in zip(chosen[:-1], results[:-1], strict=True):
                merged = z3.If(choice, result[index], merged)
            yield value == merged

    def different(self, states: Sequence[Numbers]) -> Iterator[z3.BoolRef]:
        """No two of the states are the same."""
        for one, other in combinations(states, 2):
            yield z3.Or(*(a != b for a, b in zip(one, other, strict=True)))

    def constants(self, packed: int) -> list[z3.BitVecRef]:
        """A known state."""
        return [z3.BitVecVal(n, self.width) for n in self.rules.layout.unpack(packed)]


def _type_at(of: Any, path: Path) -> Any:
    """The type of a part of a state."""
    for step in path:
        of = of.fields()[step] if issubclass(of, Record) else of.item
    return of


def _in_order(one: Numbers, other: Numbers) -> z3.BoolRef:
    """One element of a bag stands before another, or is equal to it."""
    found = z3.BoolVal(True)
    for a, b in reversed(list(zip(one, other, strict=True))):
        found = z3.Or(a < b, z3.And(a == b, found))
    return found


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
