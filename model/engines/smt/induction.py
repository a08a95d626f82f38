"""The obligations of an inductive proof without upper limits, as formulas of Z3.

This file decides what must be unsatisfiable for an obligation to hold; it refuses to know how the
solver is asked, and what is made of its answers.

What is proved is said of the machine without the upper limits of its Ranges and capacities; only
how many values each Sort has is fixed (`sizes`). Guards, or parts of guards, that speak of such a
limit keep an exploration within its scope; here they are dropped. With fewer guards there are more
behaviours, so nothing is lost that must hold. A bound that limits no type, such as a timeout, is
an unknown number, and its guards stay.

The identities of a Sort can be told apart and nothing else, so an obligation is looked at for one
choice of each kind: two brokers are the same one twice, or two different ones. That goes for the
arguments of an action, for the identities it looks up (the leader that a notice names), and for
those that a claim speaks of first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from model.engines.smt.obligations import ROOM
from model.engines.smt.reading import Environment, Reading
from model.engines.smt.trees import (
    bounds_of,
    conjuncts,
    exploration_limits,
    identities_looked_up,
    parts_of,
    variables_of,
)
from model.engines.smt.values import Shapes, Truth, conjunction, disjunction, negate
from model.lang.containers import Position
from model.lang.machine import Machine
from model.lang.nodes import Node
from model.lang.parts import Action
from model.lang.places import ModelError
from model.lang.terms import Range, Sort, Term

Key = tuple[str, str | None]
Used = dict[type[Term], int]


@dataclass(frozen=True)
class Instance:
    """An action with its arguments: what must hold for it, and the state after it. The initial
    state is what comes after nothing.

    `reading` reads what the step looks at, `used` says how many identities of each Sort it has
    met, and `room` has the limits of the keys that it writes.
    """

    used: Used
    reading: Reading
    guards: list[Truth]
    room: list[Truth]
    before: Any
    after: Any


class Induction:
    """The obligations of one machine as formulas of Z3."""

    def __init__(
        self, machine: Machine[Any], sizes: dict[str, int], claims: Sequence[str]
    ) -> None:
        for name in claims:
            if name not in machine.properties or machine.properties[name].kind == "sometimes":
                raise ModelError(f"{machine.name} has no claim {name!r}")
        self.machine, self.claims = machine, tuple(dict.fromkeys(claims))
        self.shapes = Shapes(sizes)
        self.before = self.shapes.unknown(machine.state, "before")
        self.limits = exploration_limits(machine) - sizes.keys()
        self._limits_before = [*self.shapes.within(machine.state, self.before)]
        self._hypotheses: dict[str, z3.BoolRef] = {}
        self._instances: dict[str, list[Instance]] = {}

    def obligations(self) -> list[Key]:
        """All obligations: (claim, action), or (claim, None) for the initial state."""
        actions: list[str | None] = [None, *self.machine.actions]
        return [(claim, action) for action in actions for claim in (ROOM, *self.claims)]

    def hypothesis(self, name: str) -> z3.BoolRef:
        """A claim in the state before the step, with the facts that it rests on."""
        found = self._hypotheses.get(name)
        if found is None:
            reading = Reading(self.shapes, self.before)
            claim = reading.truth(self.machine.properties[name].holds)
            found = self._hypotheses[name] = z3.And(claim, *reading.facts)
        return found

    def queries(self, key: Key) -> Iterator[list[Truth]]:
        """What must be unsatisfiable, together with the hypotheses, for the obligation to hold, in
        parts. That nothing is below its lowest value before the step goes without saying.
        """
        claim, action = key
        for step in [self._start()] if action is None else self.instances(action):
            limits = self._limits_before if action is not None else []
            for wrong, facts in self._violations(claim, step):
                # Reading the state after the step may add to the facts of the state before it.
                rests_on = [*facts, *step.reading.facts, *self.shapes.axioms()]
                yield [*limits, *step.guards, *rests_on, wrong]

    def _start(self) -> Instance:
        assert self.machine.start is not None
        reading = Reading(self.shapes, None)
        state = reading.value(self.machine.start, {})
        room = [*self._written(self.machine.start, reading, {})]
        return Instance({}, reading, [], room, None, state)

    def _violations(self, claim: str, step: Instance) -> Iterator[tuple[Truth, list[Truth]]]:
        """Ways in which a claim may be wrong after a step, with the facts that they rest on."""
        if claim == ROOM:
            after = self.shapes.within(self.machine.state, step.after, step.before)
            for limit in (*step.room, *after):
                if limit is not True:
                    yield negate(limit), []
            return
        reading = Reading(self.shapes, step.after)
        holds = self.machine.properties[claim].holds
        for alternatives, environment in cases(self.shapes, holds, {}, (), step.used):
            right = disjunction(*(reading.truth(part, environment) for part in alternatives))
            if right is not True:
                yield negate(right), list(reading.facts)

    def instances(self, name: str) -> list[Instance]:
        """An action with one choice of arguments of each kind."""
        found = self._instances.get(name)
        if found is None:
            action = self.machine.actions[name]
            found = [
                instance
                for arguments, used, limits in self._arguments(action)
                for reading, more, keys in self._with_known_keys(action, arguments, used)
                if (instance := self._instance(action, arguments, reading, more, limits + keys))
            ]
            self._instances[name] = found
        return found

    def _arguments(self, action: Action) -> Iterator[tuple[Environment, Used, list[Truth]]]:
        """Arguments, the identities among them, and the limits of those that are unknown."""
        environment: Environment = {}
        limits: list[Truth] = []
        listed = []
        for name, of in action.parameters.items():
            if self.shapes.is_finite(of):
                listed.append((name, of))
                continue
            element: type[Any] = of
            if issubclass(of, Position):
                element = of.bag.item  # type: ignore[attr-defined]
            environment[name] = self.shapes.unknown(element, f"{action.name}.{name}")
            limits += self.shapes.within(element, environment[name])

        def chosen(left: list[Any], given: Environment, used: Used) -> Iterator[Any]:
            if not left:
                yield given, used, limits
                return
            name, of = left[0]
            for value, more in representatives(self.shapes, of, used):
                yield from chosen(left[1:], {**given, name: value}, more)

        return chosen(listed, environment, {})

    def _with_known_keys(
        self, action: Action, arguments: Environment, used: Used
    ) -> Iterator[tuple[Reading, Used, list[Truth]]]:
        """Readings of the state before, one for each choice of identities that the action looks
        up: the leader that a notice names, say.
        """
        roots = [*action.guards.values(), action.after]
        keys = [key for key in identities_looked_up(*roots) if not variables_of(key)]

        def known(
            left: list[Node], given: list[tuple[Node, int]], used: Used
        ) -> Iterator[tuple[Reading, Used, list[Truth]]]:
            reading = Reading(self.shapes, self.before)
            equal = [reading.assume(key, value, arguments) for key, value in given]
            if conjunction(*equal) is False:
                return
            while left and isinstance(reading.value(left[0], arguments), int):
                left = left[1:]
            if not left:
                yield reading, used, equal
                return
            for value, more in representatives(self.shapes, left[0].type, used):
                yield from known(left[1:], [*given, (left[0], value)], more)

        return known(keys, [], used)

    def _instance(
        self, action: Action, arguments: Environment, reading: Reading, used: Used,
        limits: list[Truth],
    ) -> Instance | None:  # fmt: skip
        guards = [*limits, *self._readable(self._guards(action), reading, arguments)]
        if conjunction(*guards) is False:
            return None
        after = reading.value(action.after, arguments)
        room = [*self._written(action.after, reading, arguments)]
        return Instance(used, reading, guards, room, self.before, after)

    def _readable(
        self, guards: Iterator[Node], reading: Reading, arguments: Environment
    ) -> Iterator[Truth]:
        """The guards, without those that have no meaning without limits, such as the size of a set
        of numbers: with fewer guards there are more behaviours, so what is proved holds.
        """
        for guard in guards:
            try:
                yield reading.truth(guard, arguments)
            except ModelError:
                continue

    def _guards(self, action: Action) -> Iterator[Node]:
        """The parts of the guards that are no matter of an exploration."""
        for name, guard in action.guards.items():
            drawn = name.removeprefix("has_") in action.drawn
            for part in conjuncts(guard):
                # Of a parameter from a bag it is asked that it is there, not that it is the first
                # of those that are equal.
                if not bounds_of(part) & self.limits and (not drawn or part.operation == "less"):
                    yield part

    def _written(self, after: Node, reading: Reading, environment: Environment) -> Iterator[Truth]:
        """Every number that is a key of a map and is written to is a key that the map has."""
        for part in parts_of(after):
            if part.operation == "store" and issubclass(part.type.key, Range):
                key = reading.value(part.arguments[1], environment)
                yield from self.shapes.within(part.type.key, key)


def representatives(shapes: Shapes, of: type[Term], used: Used) -> Iterator[tuple[Any, Used]]:
    """The values of a listed type, of a Sort only those met so far and a single other one: all
    others are like it.
    """
    for value in shapes.values(of):
        if not issubclass(of, Sort):
            yield value, used
        elif value <= used.get(of, 0):
            yield value, {**used, of: max(used.get(of, 0), value + 1)}


def cases(
    shapes: Shapes, claim: Node, environment: Environment, beside: tuple[Node, ...], used: Used
) -> Iterator[tuple[tuple[Node, ...], Environment]]:
    """A claim as cases that all must hold, each one as nodes of which one must hold."""
    if claim.operation == "and":
        for part in claim.arguments:
            yield from cases(shapes, part, environment, beside, used)
    elif claim.operation == "every" and shapes.is_finite(claim.data[0]):
        for value, more in representatives(shapes, claim.data[0], used):
            inner = {**environment, claim.data: value}
            yield from cases(shapes, claim.arguments[0], inner, beside, more)
    elif claim.operation == "or" and (inside := _divisible(shapes, claim)) is not None:
        others = (*beside, *(part for part in claim.arguments if part is not inside))
        yield from cases(shapes, inside, environment, others, used)
    else:
        yield (*beside, claim), environment


def _divisible(shapes: Shapes, claim: Node) -> Node | None:
    for part in claim.arguments:
        if part.operation == "every" and shapes.is_finite(part.data[0]):
            return part
    for part in claim.arguments:
        if part.operation == "or" and _divisible(shapes, part) is not None:
            return part
    return None
