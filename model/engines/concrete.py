"""The scalars of a machine evaluated on one state, plainly: slow, obvious, and able to say which
guard failed.

It is the oracle for the compiled kernels, and what traces, random walks and explanations use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import Scalar
from model.lang.places import ModelError


class ScopeTooSmallError(ModelError):
    """A step would put something where this scope has no room for it."""


RULES: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "bit": lambda index: 1 << index,
    "union": lambda a, b: a | b,
    "intersection": lambda a, b: a & b,
    "difference": lambda a, b: a & ~b,
    "count": lambda mask: mask.bit_count(),
    "truth": bool,
    "as_number": int,
    "not": lambda a: not a,
    "equal": lambda a, b: a == b,
    "less": lambda a, b: a < b,
    "member": lambda index, mask: bool(mask >> index & 1),
    "and": lambda *parts: all(parts),
    "or": lambda *parts: any(parts),
    "if_else": lambda condition, a, b: a if condition else b,
    "select": lambda index, *choices: (
        choices[index] if 0 <= index < len(choices) - 1 else choices[-1]
    ),
}


def evaluate(scalar: Scalar, numbers: Sequence[int], memory: dict[int, int] | None = None) -> int:
    """The number of a scalar in a state, given as the numbers of its slots."""
    memory = {} if memory is None else memory
    known = memory.get(id(scalar))
    if known is None:
        if scalar.operation in ("number", "slot"):
            data = int(scalar.data)
            known = data if scalar.operation == "number" else numbers[data]
        else:
            parts = [evaluate(argument, numbers, memory) for argument in scalar.arguments]
            known = RULES[scalar.operation](*parts)
        memory[id(scalar)] = known
    return known


def show_step(layout: Layout, step: Step, numbers: Sequence[int] | None = None) -> str:
    """An action with its arguments, as a person writes it; what is drawn from a bag is shown
    where the numbers of the state are given.
    """
    shown = []
    for name, value in step.arguments.items():
        of = step.action.parameters[name]
        text = layout.sizes.show(of, value.low)
        if name in step.drawn and numbers is not None:
            parts = {path: int(evaluate(s, numbers)) for path, s in step.drawn[name].items()}
            text = f"({layout.show_value(step.action.drawn[name].type, parts)})"
        shown.append(f"{name}={text}")
    return f"{step.action.name}({', '.join(shown)})"


def too_small(layout: Layout, step: Step, state: int) -> ScopeTooSmallError:
    """Why a step that is enabled in this state does not fit."""
    numbers = layout.unpack(state)
    what = "write to a map where it has no key, or add to what is full"
    for index, value in step.updates.items():
        slot, new = layout.slots[index], evaluate(value, numbers)
        if not slot.low <= new <= slot.high:
            room = f"this scope has room for {slot.low}..{slot.high}"
            what = f"set {layout.place(slot.path)} to {new}, but {room}"
            break
    before = ", ".join(f"{name} = {text}" for name, text in layout.show(state).items())
    return ScopeTooSmallError(
        f"{show_step(layout, step, numbers)} would {what}: add a guard, or choose a larger bound. "
        f"The state before: {before}"
    )


class Stepper:
    """The steps of a machine at one scope, one state at a time."""

    def __init__(self, lowering: Lowering) -> None:
        self.layout = lowering.layout
        self.steps = list(lowering.steps())
        self.names = [show_step(self.layout, step) for step in self.steps]

    def name(self, number: int, numbers: Sequence[int]) -> str:
        """A step with its arguments in a state."""
        step = self.steps[number]
        return show_step(self.layout, step, numbers) if step.drawn else self.names[number]

    def successors(self, state: int) -> Iterator[tuple[str, int]]:
        """Each enabled step by name, and the state it leads to."""
        numbers = self.layout.unpack(state)
        memory: dict[int, int] = {}
        for number, step in enumerate(self.steps):
            if all(evaluate(guard, numbers, memory) for guard in step.guards.values()):
                if not evaluate(step.fits, numbers, memory):
                    raise too_small(self.layout, step, state)
                yield self.name(number, numbers), self._after(step, numbers, memory)

    def failing_guards(self, state: int) -> Iterator[tuple[str, list[str]]]:
        """Each step by name with its guards that do not hold; none means that it is enabled."""
        numbers = self.layout.unpack(state)
        memory: dict[int, int] = {}
        for step, name in zip(self.steps, self.names, strict=True):
            failing = [n for n, g in step.guards.items() if not evaluate(g, numbers, memory)]
            yield name, failing

    def misfits(self, state: int) -> Iterator[ScopeTooSmallError]:
        """What to say of each enabled step for which the scope has no room."""
        numbers = self.layout.unpack(state)
        memory: dict[int, int] = {}
        for step in self.steps:
            guards = step.guards.values()
            if all(evaluate(guard, numbers, memory) for guard in guards) and not evaluate(
                step.fits, numbers, memory
            ):
                yield too_small(self.layout, step, state)

    def step_between(self, before: int, after: int) -> str:
        """The name of a step that leads from one state to the other."""
        numbers = self.layout.unpack(before)
        memory: dict[int, int] = {}
        for number, step in enumerate(self.steps):
            guards = (*step.guards.values(), step.fits)
            if all(evaluate(guard, numbers, memory) for guard in guards) and (
                self._after(step, numbers, memory) == after
            ):
                return self.name(number, numbers)
        raise AssertionError("no step leads from one state to the other")

    def _after(self, step: Step, numbers: list[int], memory: dict[int, int]) -> int:
        after = list(numbers)
        for index, value in step.updates.items():
            after[index] = int(evaluate(value, numbers, memory))
        return self.layout.pack(after)
