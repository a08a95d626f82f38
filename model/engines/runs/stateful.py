"""Hypothesis reads a machine: long random runs in scopes that are too large to explore, shrunk
when they fail.

A run is a row of choices. A choice names an action and which of its enabled arguments to take;
action 0 is no step. So a choice can become nothing and the rest of the run mostly stays as it was,
which is what makes runs shrink well; and an action with many arguments is not chosen more often
than one with few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.engines.runs.replay import program
from model.engines.runs.trace import Trace, find_trace
from model.lang.machine import Machine
from model.lang.parts import Scope

Choice = tuple[int, int]


@dataclass(frozen=True)
class Walks:
    """What random runs found: the shrunk trace to a violation of a property, which also comes as a
    program to paste into a file of tests, or none in so many runs.
    """

    runs: int
    trace: Trace | None
    broken: str | None = None
    program: str | None = None


class Walker:
    """Runs a machine at one scope by rows of choices."""

    def __init__(self, machine: Machine[Any], scope: Scope, properties: Sequence[str]) -> None:
        self.lowering = Lowering(machine, scope)
        self._scope, self._properties = scope, list(properties)
        self.steps = list(self.lowering.steps())
        claims = [self.lowering.truth(machine.properties[name].holds) for name in properties]
        self._moves = compile_moves(self.lowering.layout, self.steps)
        self._broken = compile_watch(self.lowering.layout, [scalars.negate(c) for c in claims])
        self._first = self.lowering.initial()
        names = list(machine.actions)
        self._actions = [names.index(step.action.name) for step in self.steps]

    def states(self, choices: Sequence[Choice]) -> list[int]:
        """The states of a run, up to the first that breaks a property."""
        run = [self._first]
        for action, position in choices:
            if self._broken(run[-1]):
                break
            following = self._enabled(run[-1], action - 1) if action else []
            if following:
                run.append(following[position % len(following)])
        return run

    def _enabled(self, state: int, action: int) -> list[int]:
        """Where the first enabled action at or after this one leads, one state per argument."""
        by_action: dict[int, list[int]] = {}
        for number, after in self._moves(state):
            by_action.setdefault(self._actions[number], []).append(after)
        if not by_action:
            return []
        return by_action[min((a for a in by_action if a >= action), default=min(by_action))]

    def breaks(self, choices: Sequence[Choice]) -> bool:
        """Does this run end where a property does not hold."""
        return bool(self._broken(self.states(choices)[-1]))

    def found(self, runs: int, choices: Sequence[Choice]) -> Walks:
        """What to say of a run that breaks a property."""
        states, lowering = self.states(choices), self.lowering
        broken = self._properties[self._broken(states[-1])[0]]
        trace = find_trace(lowering, states)
        return Walks(runs, trace, broken, program(lowering.machine, self._scope, broken, trace))


def walk(
    machine: Machine[Any], scope: Scope, properties: Sequence[str], runs: int, longest: int
) -> Walks:
    """Search at most `runs` random runs of at most `longest` steps for one that breaks a property.

    A run that does is shrunk before it is returned. The choice of runs is the same every time.
    """
    walker = Walker(machine, scope, properties)
    choice = st.tuples(st.integers(0, len(machine.actions)), st.integers(0, 7))
    choices = st.lists(choice, min_size=longest, max_size=longest)
    try:
        failing = find(
            choices,
            walker.breaks,
            settings=settings(
                max_examples=runs,
                database=None,
                derandomize=True,
                deadline=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except NoSuchExample:
        return Walks(runs, None)
    return walker.found(runs, failing)
