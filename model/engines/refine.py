"""A protocol machine implements a contract machine: what one sees of it is a behaviour of the
contract.

Decides it for every reachable state of the protocol at one scope: the first state is seen as the
first state of the contract, and each step is seen as a step of the contract or as no change
(stuttering). A pair of contract states is judged once, by the contract's own actions. A value that
the contract has no room for is an error of the mapping or of the contract's bounds, and is shown
like a wrong step. It refuses to say anything of liveness.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.engines.concrete import Stepper, evaluate
from model.engines.kernels import Problem
from model.engines.kernels.choose import begin, go_on
from model.engines.kernels.columns import Words, packed, words_of
from model.engines.kernels.images import Change, Images, Misfit
from model.engines.kernels.plain import compile_moves
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace, find_trace
from model.lang.machine import Machine, Refinement
from model.lang.parts import Scope

IMPLEMENTED, BROKEN, UNDECIDED = "implemented", "broken", "undecided"
# States that are expanded before they are judged, and that are judged at a time.
CHUNK, ROWS = 1 << 17, 1 << 15


@dataclass(frozen=True)
class Refusal:
    """Why an action of the contract is not the step that was seen: the guards that do not hold,
    and what it would leave otherwise. Of all its arguments these come closest.
    """

    step: str
    guards: tuple[str, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        ways = [f"{name} does not hold" for name in self.guards] + list(self.differences)
        return f"{self.step}: {'; '.join(ways)}"


@dataclass(frozen=True)
class Failure:
    """A shortest behaviour of the protocol whose last step (or first state, where `before` is
    None) is not one of the contract; the contract's states before and after it, as people read
    them; or a sentence on what it has no room for.
    """

    trace: Trace
    before: dict[str, str] | None
    after: dict[str, str] | None
    refusals: tuple[Refusal, ...] = ()
    sentence: str = ""

    def __str__(self) -> str:
        lines = [str(self.trace), "", "What a client sees of the last step:"]
        if self.sentence:
            return "\n".join([str(self.trace), "", self.sentence])
        before, after = self.before or {}, self.after or {}
        lines += [
            f"    {name} = {text}" if before.get(name, text) == text
            else f"    {name}: {before[name]} -> {text}"
            for name, text in after.items()
        ]  # fmt: skip
        lines.append("Why the contract does not do that:")
        return "\n".join(lines + [f"    {refusal}" for refusal in self.refusals])


@dataclass(frozen=True)
class Refined:
    """What was found: `distinct` states of the protocol, `steps` between them of which `stutters`
    change nothing that a client sees; `pairs` different steps of the contract; `used` counts these
    by the action of the contract that can do them.
    """

    machine: Machine[Any]
    refinement: Refinement
    scope: Scope
    distinct: int
    steps: int
    stutters: int
    pairs: int
    used: dict[str, int]
    complete: bool
    seconds: float
    failure: Failure | None = None

    @property
    def outcome(self) -> str:
        """Is the contract implemented, broken, or undecided at a bound on states."""
        if self.failure is not None:
            return BROKEN
        return IMPLEMENTED if self.complete else UNDECIDED

    @property
    def never_used(self) -> list[str]:
        """The actions of the contract that the protocol never does."""
        return [name for name, count in self.used.items() if not count] if self.complete else []

    def __str__(self) -> str:
        who = f"{self.machine.name} {self.machine.design}"
        contract = self.refinement.contract.name
        counts = (
            f"{self.distinct:,} states, {self.steps:,} steps, of which clients see "
            f"{self.steps - self.stutters:,} as {self.pairs:,} different steps of {contract}"
        )
        if self.failure is not None:
            return f"{who} breaks {contract} (after {counts})\n{self.failure}"
        verb = "implements" if self.complete else "was not seen to break"
        lines = [f"{who} {verb} {contract} at scope {self.scope.name}: {counts}"]
        lines += [f"    {name}: {count:,}" for name, count in self.used.items()]
        if self.never_used:
            lines.append(f"never used: {', '.join(self.never_used)}")
        return "\n".join(lines)

    def as_data(self) -> dict[str, Any]:
        """The result for programs; times in seconds."""
        failure = self.failure and {
            "trace": self.failure.trace.actions,
            "before": self.failure.before,
            "after": self.failure.after,
            "sentence": self.failure.sentence,
            "refusals": [
                {"step": r.step, "guards": list(r.guards), "differences": list(r.differences)}
                for r in self.failure.refusals
            ],
        }
        return {
            "model": self.machine.name,
            "design": self.machine.design,
            "contract": self.refinement.contract.name,
            "refinement": self.refinement.name,
            "scope": self.scope.name,
            "outcome": self.outcome,
            "distinct": self.distinct,
            "steps": self.steps,
            "stutters": self.stutters,
            "pairs": self.pairs,
            "used": self.used,
            "never_used": self.never_used,
            "seconds": round(self.seconds, 3),
            "failure": failure,
        }


def refine(
    machine: Machine[Any],
    scope: Scope,
    refinement: Refinement,
    *,
    states: int | None = None,
    kernel: str = "auto",
) -> Refined:
    """Hold every reachable step of a machine against its contract, up to the first that fails.

    `states` is the most of the protocol to look at; the rest is then undecided. `kernel` is one of
    explore's. Raises ScopeTooSmallError where a step does not fit the scope.
    """
    return _Walk(machine, scope, refinement, kernel).run(states)


class _Contract:
    """The contract at its scope: it knows which of its actions make a step."""

    def __init__(self, refinement: Refinement, scope: Scope) -> None:
        lowering = Lowering(refinement.contract, refinement.contract_scope(scope))
        self.layout = lowering.layout
        self.first = lowering.initial()
        self.stepper = Stepper(lowering)
        self.moves = compile_moves(self.layout, self.stepper.steps)
        self.known: dict[int, dict[int, set[str]]] = {}

    def actions_between(self, before: int, after: int) -> set[str]:
        """The names of the actions that lead from one state to the other."""
        if before not in self.known:
            following: dict[int, set[str]] = {}
            for number, there in self.moves(before):
                name = self.stepper.steps[number].action.name
                following.setdefault(there, set()).add(name)
            self.known[before] = following
        return self.known[before].get(after, set())

    def refusals(self, before: int, after: int) -> Iterator[Refusal]:
        """For each action why it does not lead from one state to the other, as near as it gets."""
        numbers, wanted = self.layout.unpack(before), self.layout.unpack(after)
        nearest: dict[str, Refusal] = {}
        for number, (_, failing) in enumerate(self.stepper.failing_guards(before)):
            step = self.stepper.steps[number]
            left = list(numbers)
            for index, value in step.updates.items():
                left[index] = int(evaluate(value, numbers))
            found = Refusal(
                self.stepper.name(number, numbers),
                tuple(failing),
                tuple(_differences(self.layout, left, wanted)),
            )
            known = nearest.get(step.action.name)
            if known is None or _distance(found) < _distance(known):
                nearest[step.action.name] = found
        yield from nearest.values()


class _Walk:
    """Along the exploration of the protocol: what is expanded is held against the contract."""

    def __init__(
        self, machine: Machine[Any], scope: Scope, refinement: Refinement, kernel: str
    ) -> None:
        self.machine, self.scope, self.refinement = machine, scope, refinement
        self.contract = _Contract(refinement, scope)
        self.lowering = Lowering(machine, scope)
        steps = list(self.lowering.steps())
        self.problem = Problem(
            self.lowering.layout, steps, list(machine.actions), (), self.lowering.initial()
        )
        other = self.contract.layout
        seen_as = [self.lowering.leaf(refinement.seen_as, slot.path) for slot in other.slots]
        self.images = Images(self.lowering.layout, steps, seen_as, other)
        self.choice, self.kernel = kernel, begin(kernel, self.problem)
        self.pairs: set[tuple[int, int]] = set()
        self.used: Counter[str] = Counter()
        self.steps = self.stutters = 0

    def run(self, states: int | None) -> Refined:
        began = time.perf_counter()
        failure = self._start()
        while failure is None and self.kernel.expanded < self.kernel.distinct:
            if states is not None and self.kernel.expanded >= states:
                break
            failure = self._go_on()
        complete = failure is None and self.kernel.expanded == self.kernel.distinct
        used = {name: self.used[name] for name in self.refinement.contract.actions}
        distinct = self.kernel.distinct
        self.kernel.close()
        return Refined(
            self.machine, self.refinement, self.scope, distinct, self.steps, self.stutters,
            len(self.pairs), used, complete, time.perf_counter() - began, failure,
        )  # fmt: skip

    def _start(self) -> Failure | None:
        """Is the first state seen as the first state of the contract."""
        layout = self.contract.layout
        images, misfit = self.images.of(words_of(self.lowering.layout, [self.problem.first]))
        if misfit is not None:
            return self._misfit(misfit, 0)
        seen = packed(images[0])
        if seen == self.contract.first:
            return None
        own = layout.unpack(self.contract.first)
        ways = "; ".join(_differences(layout, own, layout.unpack(seen)))
        sentence = f"The contract does not begin like this: {ways}."
        return Failure(self._trace(0), None, layout.show(seen), (), sentence)

    def _go_on(self) -> Failure | None:
        """Expand some states, and judge their steps."""
        begun = self.kernel.expanded
        self.kernel.expand(CHUNK)
        rows = self.kernel.snapshot().states[begun : self.kernel.expanded]
        for offset in range(0, len(rows), ROWS):
            failure = self._judge(rows[offset : offset + ROWS], begun + offset)
            if failure is not None:
                return failure
        self.kernel = go_on(self.choice, self.problem, self.kernel)
        return None

    def _judge(self, rows: Words, begun: int) -> Failure | None:
        steps, stutters, changes, misfit = self.images.changes(rows)
        if misfit is not None:
            return self._misfit(misfit, begun)
        self.steps, self.stutters = self.steps + steps, self.stutters + stutters
        for change in changes:
            pair = change.before, change.after
            if pair not in self.pairs:
                actions = self.contract.actions_between(*pair)
                if not actions:
                    return self._wrong_step(change, begun)
                self.pairs.add(pair)
                self.used.update(actions)
        return None

    def _trace(self, position: int, step: int | None = None) -> Trace:
        """The shortest way to a state, and a step from there."""
        path = [position]
        while path[-1]:
            path.append(self.kernel.parent(path[-1]))
        states = [self.kernel.state(p) for p in reversed(path)]
        if step is not None:
            moves = compile_moves(self.lowering.layout, [self.problem.steps[step]])
            states.append(moves(states[-1])[0][1])
        return find_trace(self.lowering, states)

    def _misfit(self, misfit: Misfit, begun: int) -> Failure:
        slot = self.contract.layout.slots[misfit.slot]
        sentence = (
            f"{self.refinement.name} says {misfit.number} for {'.'.join(map(str, slot.path))} of "
            f"{self.refinement.contract.name}, which has {slot.low}..{slot.high}."
        )
        return Failure(self._trace(begun + misfit.row, misfit.step), None, None, (), sentence)

    def _wrong_step(self, change: Change, begun: int) -> Failure:
        refusals = sorted(self.contract.refusals(change.before, change.after), key=_distance)
        show = self.contract.layout.show
        trace = self._trace(begun + change.row, change.step)
        return Failure(trace, show(change.before), show(change.after), tuple(refusals))


def _differences(layout: Layout, left: list[int], wanted: list[int]) -> Iterator[str]:
    """What a step of the contract would leave otherwise than it was seen."""
    if all(slot.low <= n <= slot.high for slot, n in zip(layout.slots, left, strict=True)):
        own, seen = layout.show(layout.pack(left)), layout.show(layout.pack(wanted))
        for name, text in own.items():
            if text != seen[name]:
                yield f"{name} would be {text}, not {seen[name]}"
    else:
        yield "there is no room for what it would leave"


def _distance(refusal: Refusal) -> tuple[int, int]:
    return len(refusal.differences), len(refusal.guards)
