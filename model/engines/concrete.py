"""The scalars of a machine evaluated on one state, plainly: slow, obvious, and able to say which
guard failed.

It is the oracle for the compiled kernels, and what traces, random walks and explanations use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model.engines.kernels.plain import ScopeTooSmallError, show_step
from model.engines.lower import Lowering, Step
from model.engines.scalars import Scalar

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


class Stepper:
    """The steps of a machine at one scope, one state at a time."""

    def __init__(self, lowering: Lowering) -> None:
        self.layout = lowering.layout
        self.steps = list(lowering.steps())
        self.names = [show_step(self.layout, step) for step in self.steps]

    def successors(self, state: int) -> Iterator[tuple[str, int]]:
        """Each enabled step by name, and the state it leads to."""
        numbers = self.layout.unpack(state)
        memory: dict[int, int] = {}
        for step, name in zip(self.steps, self.names, strict=True):
            if all(evaluate(guard, numbers, memory) for guard in step.guards.values()):
                yield name, self._after(step, numbers, memory)

    def failing_guards(self, state: int) -> Iterator[tuple[str, list[str]]]:
        """Each step by name with its guards that do not hold; none means that it is enabled."""
        numbers = self.layout.unpack(state)
        memory: dict[int, int] = {}
        for step, name in zip(self.steps, self.names, strict=True):
            failing = [n for n, g in step.guards.items() if not evaluate(g, numbers, memory)]
            yield name, failing

    def _after(self, step: Step, numbers: list[int], memory: dict[int, int]) -> int:
        after = list(numbers)
        for index, value in step.updates.items():
            after[index] = int(evaluate(value, numbers, memory))
            slot = self.layout.slots[index]
            if not slot.low <= after[index] <= slot.high:
                raise ScopeTooSmallError(
                    f"{show_step(self.layout, step)}: {slot.path} = {after[index]}"
                )
        return self.layout.pack(after)
