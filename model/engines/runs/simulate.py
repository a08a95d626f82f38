"""Random runs of a machine, many of them: what a scope too large to explore is searched by.

Each run takes an action that is possible, any of them with the same chance, and then one of its
arguments; so an action with many arguments is not chosen more often than one with few. A run is
known by the seed and its number alone: however the runs are spread over workers, they are the
same ones.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.engines.concrete import show_step
from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace
from model.lang.machine import Machine
from model.lang.parts import Scope

DEADLOCK = "deadlock"


@dataclass
class Tally:
    """What some runs saw, as plain data that can be sent about. `ended` counts the runs that came
    to a state without a step; `broken` has the steps, as numbers, of a run that ends where a
    property does not hold, the shortest that was met, and the first of these.
    """

    runs: int = 0
    steps: int = 0
    ended: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    broken: dict[str, tuple[int, int, list[int]]] = field(default_factory=dict)

    def note(self, name: str, run: int, steps: Sequence[int]) -> None:
        """Keep a run that breaks a property, if no better one is known."""
        found = (len(steps), run, list(steps))
        self.broken[name] = min(self.broken.get(name, found), found)

    def __add__(self, other: Tally) -> Tally:
        both = [*self.broken.items(), *other.broken.items()]
        return Tally(
            self.runs + other.runs,
            self.steps + other.steps,
            self.ended + other.ended,
            {name: count + other.fired.get(name, 0) for name, count in self.fired.items()},
            self.reached | other.reached,
            {name: min(f for n, f in both if n == name) for name, _ in both},
        )


@dataclass(frozen=True)
class Simulation:
    """What random runs found. `fired` counts the steps of each action; `broken` has a shortened
    run for each property that was violated, and for a deadlock.
    """

    runs: int
    steps: int
    ended: int
    seconds: float
    fired: dict[str, int]
    reached: tuple[str, ...]
    broken: dict[str, Trace]

    @property
    def never_fired(self) -> list[str]:
        """The actions that no run took."""
        return [name for name, count in self.fired.items() if not count]


def simulate(
    machine: Machine[Any],
    scope: Scope,
    runs: int,
    longest: int,
    seed: int = 0,
    spread: Callable[[range], Iterable[Tally]] | None = None,
) -> Simulation:
    """Make this many runs of at most `longest` steps; a run ends where a property is violated.

    `spread` has others do it, who call `tally` for parts of the range.
    """
    began = time.perf_counter()
    runner = Runner(machine, scope)
    numbers = range(runs)
    parts = spread(numbers) if spread else [runner.tally(numbers, longest, seed)]
    whole = sum(parts, Tally(fired=dict.fromkeys(machine.actions, 0)))
    broken = {name: runner.shortened(name, found[2]) for name, found in whole.broken.items()}
    reached = tuple(name for name in machine.properties if name in whole.reached)
    seconds = time.perf_counter() - began
    return Simulation(whole.runs, whole.steps, whole.ended, seconds, whole.fired, reached, broken)


def tally(
    machine: Machine[Any], scope: Scope, numbers: range, longest: int, seed: int = 0
) -> Tally:
    """Make the runs of these numbers."""
    return Runner(machine, scope).tally(numbers, longest, seed)


class Runner:
    """The steps and the claims of a machine at one scope, compiled."""

    def __init__(self, machine: Machine[Any], scope: Scope) -> None:
        self.lowering = lowering = Lowering(machine, scope)
        self.steps = list(lowering.steps())
        self.actions = [step.action.name for step in self.steps]
        self.moves = compile_moves(lowering.layout, self.steps)
        claims = {n: lowering.truth(p.holds) for n, p in machine.properties.items()}
        self.wanted = {n for n, p in machine.properties.items() if p.kind == "sometimes"}
        self.names = [*claims, DEADLOCK]
        may_end = lowering.truth(machine.may_end) if machine.may_end else scalars.TRUE
        deciding = [c if n in self.wanted else scalars.negate(c) for n, c in claims.items()]
        self.watch = compile_watch(lowering.layout, [*deciding, scalars.negate(may_end)])
        self.first = lowering.initial()

    def tally(self, numbers: range, longest: int, seed: int) -> Tally:
        """Make the runs of these numbers."""
        fired = dict.fromkeys(self.lowering.machine.actions, 0)
        found = Tally(len(numbers), fired=fired)
        for number in numbers:
            choose = random.Random(f"{seed} {number}")
            state, taken = self.first, list[int]()
            while True:
                following = self.moves(state)
                broken = self._look(state, not following, found)
                for name in broken:
                    found.note(name, number, taken)
                if broken or not following or len(taken) == longest:
                    found.ended += not following
                    break
                step, state = self._choice(following, choose)
                taken.append(step)
                fired[self.actions[step]] += 1
            found.steps += len(taken)
        return found

    def _look(self, state: int, is_end: bool, found: Tally) -> list[str]:
        """Note what is reached in a state, and say what is broken there."""
        decided = [self.names[n] for n in self.watch(state)]
        found.reached.update(self.wanted.intersection(decided))
        return [n for n in decided if n not in self.wanted and (n != DEADLOCK or is_end)]

    def _choice(self, following: list[tuple[int, int]], choose: random.Random) -> tuple[int, int]:
        by_action: dict[str, list[tuple[int, int]]] = {}
        for move in following:
            by_action.setdefault(self.actions[move[0]], []).append(move)
        moves = list(by_action.values())
        chosen = moves[int(choose.random() * len(moves))]
        return chosen[int(choose.random() * len(chosen))]

    def shortened(self, name: str, steps: list[int]) -> Trace:
        """A run that ends where the property is broken, without steps that it can spare."""
        size, before = len(steps), len(steps) + 1
        while size > 1 or len(steps) < before:
            size, before, at = max(size // 2, 1), len(steps), 0
            while at < len(steps):
                fewer = self._replayed(name, steps[:at] + steps[at + size :])
                if fewer is None:
                    at += size
                else:
                    steps = fewer
        states, actions, layout = [self.first], list[str](), self.lowering.layout
        for step in steps:
            actions.append(show_step(layout, self.steps[step], layout.unpack(states[-1])))
            states.append(dict(self.moves(states[-1]))[step])
        return Trace(layout, states, actions)

    def _replayed(self, name: str, steps: Sequence[int]) -> list[int] | None:
        """The steps that are possible, up to where the property is broken; None if it is not."""
        state, taken = self.first, list[int]()
        number = self.names.index(name)
        for step in (*steps, -1):
            following = dict(self.moves(state))
            if number in self.watch(state) and not (name == DEADLOCK and following):
                return taken
            if step in following:
                state = following[step]
                taken.append(step)
        return None
