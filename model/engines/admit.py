"""Is a recorded partial observation a behaviour of the machine; if not, what is the first event
that cannot be, and which guards forbid it.

Decides two forms with one search. A run is a sequence of events, one after the other. A history of
concurrent clients is a collection of operations, each with the time of its call and of its return:
it takes effect once in between; where the answer was lost it takes effect once after the call, or
never. Hidden steps may come anywhere, in any number. The search goes depth first and remembers
(state, operations that took effect), so nothing is tried twice. It works on demand and never
explores the machine. It refuses to guess: past its budget the answer is `undecided`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model.engines.concrete import Stepper, evaluate
from model.engines.kernels.plain import compile_moves
from model.engines.lowering.layout import Layout, Path
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import Scalar
from model.engines.observations import (
    Event,
    Limited,
    Look,
    Operation,
    limits_on,
    value_limits,
)
from model.engines.runs.trace import Trace
from model.lang.machine import Machine
from model.lang.parts import Scope
from model.lang.places import ModelError

ADMITTED, REFUSED, UNDECIDED = "admitted", "refused", "undecided"
SHOWN = 6

__all__ = [
    "ADMITTED",
    "REFUSED",
    "UNDECIDED",
    "Admission",
    "Event",
    "Look",
    "Obstacle",
    "Operation",
    "admit",
]


@dataclass(frozen=True)
class Obstacle:
    """Why a step cannot be the event: the guards that do not hold, or what was seen otherwise.

    Of all states that are possible there, it stands for one in which the least is in the way.
    """

    step: str
    guards: tuple[str, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        ways = [f"{name} does not hold" for name in self.guards] + list(self.differences)
        return f"{self.step}: {'; '.join(ways)}"


@dataclass(frozen=True)
class Admission:
    """The answer. `explained` counts the events that can be explained together, in the order of
    their returns; `run` is a behaviour that explains them.

    Refused: `event` is the first that cannot be, `states` all states that are possible before it,
    and `obstacles` say for each step that it could be why it is not.
    """

    outcome: str
    explained: int
    events: int
    configurations: int
    run: Trace
    event: Event | Look | Operation | None = None
    states: tuple[int, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()

    def __str__(self) -> str:
        if self.outcome == ADMITTED:
            return f"admitted: {self.events} events are a behaviour of the machine\n{self.run}"
        if self.outcome == UNDECIDED:
            return (
                f"undecided after {self.configurations} configurations: at least "
                f"{self.explained} of {self.events} events are a behaviour of the machine"
            )
        lines = [f"refused: event {self.explained + 1} of {self.events} cannot be: {self.event}"]
        lines += [f"why it cannot be, in {len(self.states)} possible states:"]
        lines += [f"    {obstacle}" for obstacle in self.obstacles[:SHOWN]]
        if len(self.obstacles) > SHOWN:
            lines.append(f"    and {len(self.obstacles) - SHOWN} more steps that cannot be")
        return "\n".join([*lines, "what explains the events before it:", str(self.run)])

    def as_data(self) -> dict[str, Any]:
        """The answer for programs."""
        return {
            "outcome": self.outcome,
            "explained": self.explained,
            "events": self.events,
            "configurations": self.configurations,
            "run": self.run.actions,
            "event": None if self.event is None else str(self.event),
            "possible_states": len(self.states),
            "obstacles": [
                {"step": o.step, "guards": list(o.guards), "differences": list(o.differences)}
                for o in self.obstacles
            ],
        }


def admit(
    machine: Machine[Any],
    scope: Scope,
    history: Sequence[Event | Look | Operation],
    hidden: Collection[str] = (),
    budget: int = 200_000,
) -> Admission:
    """Search for a behaviour that explains a history.

    Events and looks happen one after the other; operations when their times allow. `hidden` names
    actions that nobody sees. `budget` bounds the pairs of a state and the operations that took
    effect. Raises ModelError where the history speaks of what machine or scope do not have, and
    ScopeTooSmallError where a step that is tried does not fit the scope.
    """
    return _Search(machine, scope, history, hidden).answer(budget)


@dataclass(frozen=True)
class _Task:
    """An operation made ready: the steps that it may be (none for a look), each with limits on
    what its arguments are in the state; limits on slots before and after it.
    """

    given: Event | Look | Operation
    called: float
    returned: float
    steps: dict[int, tuple[tuple[Scalar, int, int], ...]]
    before: tuple[Limited, ...]
    after: tuple[Limited, ...]
    is_look: bool


# A state; how many tasks from the first one on took effect without a gap; the later ones as bits.
_Configuration = tuple[int, int, int]


@dataclass(frozen=True)
class _Reached:
    """How a configuration was reached, and how many answers it explains, in order of return."""

    source: _Configuration | None
    step: int | None
    explained: int


class _Search:
    def __init__(
        self,
        machine: Machine[Any],
        scope: Scope,
        history: Sequence[Event | Look | Operation],
        hidden: Collection[str],
    ) -> None:
        for name in hidden:
            if name not in machine.actions:
                raise ModelError(f"{machine.name} has no action {name!r} to be hidden")
        lowering = Lowering(machine, scope)
        self.machine, self.layout, self.first = machine, lowering.layout, lowering.initial()
        self.stepper = Stepper(lowering)
        steps = self.stepper.steps
        self.hidden = frozenset(n for n, s in enumerate(steps) if s.action.name in hidden)
        self.moves = compile_moves(self.layout, steps)
        self.after: dict[int, list[tuple[int, int]]] = {}
        tasks = [self._task(number, given) for number, given in enumerate(history)]
        self.tasks = sorted(tasks, key=lambda task: task.called)
        answered = [n for n, task in enumerate(self.tasks) if task.returned < math.inf]
        self.order = sorted(answered, key=lambda n: self.tasks[n].returned)
        self.reached: dict[_Configuration, _Reached] = {}

    def _task(self, number: int, given: Event | Look | Operation) -> _Task:
        called: float = number
        returned: float = number
        what = given
        if isinstance(what, Operation):
            called = what.called
            returned = math.inf if what.returned is None else what.returned
            what = what.what
            if returned < called:
                raise ModelError(f"{given} returns before it is called")
        if isinstance(what, Look):
            seen = limits_on(self.layout, what.seen)
            return _Task(given, called, returned, {}, seen, (), True)
        before, after = (limits_on(self.layout, seen) for seen in (what.before, what.after))
        return _Task(given, called, returned, self._steps_of(what), before, after, False)

    def _steps_of(self, event: Event) -> dict[int, tuple[tuple[Scalar, int, int], ...]]:
        action = self.machine.actions.get(event.action)
        if action is None:
            raise ModelError(f"{self.machine.name} has no action {event.action!r}")
        limits = {}
        for name, value in event.arguments.items():
            if name not in action.parameters:
                raise ModelError(f"{event.action} has no parameter {name!r}")
            drawn = action.drawn.get(name)
            of = drawn.type if drawn else action.parameters[name]
            limits[name] = list(value_limits(self.layout.sizes, of, value))
        found = {}
        for number, step in enumerate(self.stepper.steps):
            if step.action is action:
                asked = [
                    (_argument(step, name, path), low, high)
                    for name, parts in limits.items()
                    for path, low, high in parts
                ]
                if all(low <= s.high and s.low <= high for s, low, high in asked):
                    found[number] = tuple(a for a in asked if a[0].constant is None)
        return found

    def answer(self, budget: int) -> Admission:
        start = (self.first, 0, 0)
        self.reached[start] = _Reached(None, None, 0)
        waiting = [start]
        while waiting:
            here = waiting.pop()
            if self.reached[here].explained == len(self.order):
                return self._found(ADMITTED, here)
            for there, step in self._next(here):
                if there not in self.reached:
                    explained = self._explained(there, self.reached[here].explained)
                    self.reached[there] = _Reached(here, step, explained)
                    waiting.append(there)
            if len(self.reached) > budget:
                return self._found(UNDECIDED, self._best())
        return self._refused()

    def _next(self, here: _Configuration) -> Iterator[tuple[_Configuration, int | None]]:
        """What may come next; the most promising last, where the search goes on."""
        state, base, mask = here
        if state not in self.after:
            self.after[state] = self.moves(state)
        moves = self.after[state]
        for number, after in moves:
            if number in self.hidden:
                yield (after, base, mask), number
        numbers = self.layout.unpack(state)
        for place in self._possible(base, mask):
            task = self.tasks[place]
            if not _within(numbers, task.before):
                continue
            done = _with(base, mask, place)
            if task.is_look:
                yield (state, *done), None
            for number, after in () if task.is_look else moves:
                if self._is(task, number, numbers) and (
                    not task.after or _within(self.layout.unpack(after), task.after)
                ):
                    yield (after, *done), number

    @staticmethod
    def _is(task: _Task, number: int, numbers: Sequence[int]) -> bool:
        """A step has the arguments that were seen, in this state."""
        asked = task.steps.get(number)
        return asked is not None and all(
            low <= evaluate(scalar, numbers) <= high for scalar, low, high in asked
        )

    def _possible(self, base: int, mask: int) -> list[int]:
        """The tasks that may take effect next: called before any other that did not returned; the
        one that returns first is the last.
        """
        found, limit = [], math.inf
        for place in range(base, len(self.tasks)):
            task = self.tasks[place]
            if task.called > limit:
                break
            if not _has(base, mask, place):
                found.append(place)
                limit = min(limit, task.returned)
        possible = [place for place in found if self.tasks[place].called <= limit]
        return sorted(possible, key=lambda place: self.tasks[place].returned, reverse=True)

    def _explained(self, there: _Configuration, known: int) -> int:
        _, base, mask = there
        while known < len(self.order) and _has(base, mask, self.order[known]):
            known += 1
        return known

    def _best(self) -> _Configuration:
        return max(self.reached, key=lambda c: self.reached[c].explained)

    def _refused(self) -> Admission:
        best = self._best()
        explained = self.reached[best].explained
        states = {c[0] for c, r in self.reached.items() if r.explained == explained}
        return self._found(REFUSED, best, self.tasks[self.order[explained]], states)

    def _found(
        self,
        outcome: str,
        last: _Configuration,
        task: _Task | None = None,
        states: Collection[int] = (),
    ) -> Admission:
        path: list[tuple[int, int]] = []
        here, how = last, self.reached[last]
        while how.source is not None:
            if how.step is not None:
                path.append((here[0], how.step))
            here, how = how.source, self.reached[how.source]
        path.reverse()
        states_passed = [self.first, *(state for state, _ in path)]
        names = [
            self.stepper.name(step, self.layout.unpack(before))
            for before, (_, step) in zip(states_passed, path, strict=False)
        ]
        run = Trace(self.layout, states_passed, names)
        explained = self.reached[last].explained
        return Admission(
            outcome, explained, len(self.order), len(self.reached), run,
            task.given if task else None, tuple(sorted(states)),
            self._obstacles(task, states) if task else (),
        )  # fmt: skip

    def _obstacles(self, task: _Task, states: Collection[int]) -> tuple[Obstacle, ...]:
        """For each step that the event could be, the least that is in its way in any state."""
        least: dict[str, Obstacle] = {}
        for state in states:
            for found in self._obstacles_in(task, state):
                known = least.get(found.step)
                if known is None or _height(found) < _height(known):
                    least[found.step] = found
        return tuple(sorted(least.values(), key=_height))

    def _obstacles_in(self, task: _Task, state: int) -> Iterator[Obstacle]:
        before = _differences(self.layout, state, task.before, "")
        if task.is_look:
            yield Obstacle("what was seen", (), before)
            return
        after, numbers = dict(self.after[state]), self.layout.unpack(state)
        for number, (_, failing) in enumerate(self.stepper.failing_guards(state)):
            if number in task.steps:
                seen = before
                if not self._is(task, number, numbers):
                    seen += ("its arguments are others",)
                elif number in after:
                    seen += _differences(self.layout, after[number], task.after, " after it")
                yield Obstacle(self.stepper.name(number, numbers), tuple(failing), seen)


def _argument(step: Step, name: str, path: Path) -> Scalar:
    return step.drawn[name][path] if name in step.drawn else step.arguments[name]


def _has(base: int, mask: int, place: int) -> bool:
    return place < base or bool(mask >> (place - base) & 1)


def _with(base: int, mask: int, place: int) -> tuple[int, int]:
    mask |= 1 << (place - base)
    gap = (~mask & (mask + 1)).bit_length() - 1
    return base + gap, mask >> gap


def _within(numbers: Sequence[int], limits: Sequence[Limited]) -> bool:
    return all(low <= numbers[slot] <= high for slot, low, high in limits)


def _differences(
    layout: Layout, state: int, limits: Sequence[Limited], when: str
) -> tuple[str, ...]:
    numbers, found = layout.unpack(state), []
    for slot, low, high in limits:
        if not low <= numbers[slot] <= high:
            of, path = layout.slots[slot].type, ".".join(map(str, layout.slots[slot].path))
            seen = layout.sizes.show(of, low)
            if low != high:
                seen += f" to {layout.sizes.show(of, high)}"
            found.append(f"{path} is {layout.sizes.show(of, numbers[slot])}{when}, not {seen}")
    return tuple(found)


def _height(obstacle: Obstacle) -> tuple[int, int]:
    return len(obstacle.guards) + len(obstacle.differences), len(obstacle.guards)
