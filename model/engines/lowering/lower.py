"""From the typed tree of a machine to numbers and slots, for one scope: its steps and its claims.

Action parameters are either bound to each of their values (for readers that list steps) or left as
variables (for a solver).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.engines.lowering import scalars
from model.engines.lowering.layout import LENGTH, Layout, Path
from model.engines.lowering.scalars import Scalar
from model.engines.lowering.values import Environment, Values
from model.lang.machine import Machine
from model.lang.nodes import Node
from model.lang.parts import Action, Scope
from model.lang.places import ModelError


@dataclass(frozen=True)
class Step:
    """An action with its arguments: it happens where all guards hold, and changes these slots.

    Where it happens and `fits` does not hold, the scope is too small: a new value is outside the
    limits of its slot, a map was to change at a key that it does not have, or a full sequence was
    to grow. `drawn` has the parts of each argument that is drawn from a bag.
    """

    action: Action
    arguments: dict[str, Scalar]
    guards: dict[str, Scalar]
    updates: dict[int, Scalar]
    fits: Scalar
    drawn: dict[str, dict[Path, Scalar]]


class Lowering(Values):
    """Reads the nodes of one machine at one scope."""

    def __init__(self, machine: Machine[Any], scope: Scope) -> None:
        self.machine = machine
        super().__init__(Layout(machine.state, scope.bounds))

    def initial(self) -> int:
        """The first state, packed."""
        name = self.machine.name
        assert self.machine.start is not None
        numbers = [self.leaf(self.machine.start, slot.path).low for slot in self.layout.slots]
        for number, slot in zip(numbers, self.layout.slots, strict=True):
            if not slot.low <= number <= slot.high:
                where = ".".join(map(str, slot.path))
                raise ModelError(
                    f"{name} begins with {number} in {where}, which has {slot.low}..{slot.high}"
                )
        if self._room(self.machine.start, {}) is not scalars.TRUE:
            raise ModelError(f"{name} begins with what has no room in this scope")
        return self.layout.pack(numbers)

    def steps(self) -> Iterator[Step]:
        """Every action with each choice of arguments, but for those that can never happen."""
        for action in self.machine.actions.values():
            domains = [self.sizes.values(of) for of in action.parameters.values()]
            for values in itertools.product(*domains):
                arguments = dict(
                    zip(action.parameters, (scalars.number(v) for v in values), strict=True)
                )
                step = self._step(action, arguments)
                if scalars.FALSE not in step.guards.values():
                    yield step

    def open_steps(self) -> Iterator[Step]:
        """Every action once, with variables for its arguments."""
        for action in self.machine.actions.values():
            yield self._step(
                action,
                {
                    name: scalars.variable(f"{action.name}.{name}", *self.sizes.limits(of))
                    for name, of in action.parameters.items()
                },
            )

    def _step(self, action: Action, arguments: dict[str, Scalar]) -> Step:
        environment: Environment = dict(arguments)
        guards = {name: self.truth(guard, environment) for name, guard in action.guards.items()}
        updates: dict[int, Scalar] = {}
        if scalars.FALSE in guards.values():
            return Step(action, arguments, guards, updates, scalars.TRUE, {})
        fits = [self._room(action.after, environment)]
        for index, slot in enumerate(self.layout.slots):
            value = self.leaf(action.after, slot.path, environment)
            if value is not scalars.slot(index, slot.low, slot.high):
                updates[index] = value
                fits.append(scalars.within(value, slot.low, slot.high))
        drawn = {
            name: {path: self.leaf(node, path, environment) for path, *_ in leaves}
            for name, node in action.drawn.items()
            for leaves in [list(self.sizes.leaves(node.type))]
        }
        return Step(action, arguments, guards, updates, scalars.conjunction(*fits), drawn)

    def _room(self, after: Node, environment: Environment) -> Scalar:
        """Every key that is written exists, and no sequence grows that is full."""
        found, seen, waiting = [], set[int](), [after]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            waiting += node.arguments
            if node.operation == "store":
                key = node.arguments[1]
                last = self.sizes.cardinality(node.type.key) - 1
                found.append(scalars.within(self._index(key, node.type.key, environment), 0, last))
            elif node.operation in ("appended", "added"):
                length = self.leaf(node.arguments[0], (LENGTH,), environment)
                found.append(scalars.less(length, scalars.number(self._capacity(node.type))))
        return scalars.conjunction(*found)
