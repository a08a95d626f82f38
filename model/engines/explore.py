"""Every reachable state of a machine at one scope, level by level, with the shortest
counterexamples.

Decides the verdict of each property: an `always` holds in all states that were reached or is
violated by the first state in breadth-first order; a `sometimes` has a witness or has none. It
refuses to guess: when the exploration stops before the end, what was not found is undecided.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.engines.interrupts import Interrupts
from model.engines.kernels import Kernel, Problem, Snapshot
from model.engines.kernels.choose import Maker, begin, go_on
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace, find_trace
from model.lang.machine import Machine
from model.lang.parts import Property, Scope
from model.lang.places import ModelError

HOLDS, VIOLATED, REACHED, NOT_REACHED, UNDECIDED = (
    "holds", "violated", "reached", "not reached", "undecided",
)  # fmt: skip
CHUNK = 1 << 16
SECONDS_BETWEEN_CHECKPOINTS = 60
# States that are tried for whether the machine treats all values of a sort alike.
SAMPLES = 32


@dataclass(frozen=True)
class Verdict:
    """What was found about one property; `trace` leads to the state that decides it."""

    property: Property
    outcome: str
    trace: Trace | None = None


@dataclass(frozen=True)
class Exploration:
    """What one exploration saw. `depth` counts states, the initial one included, on the longest
    shortest path. `stopped` says why it is not complete, "" where it is.

    With symmetry, `distinct` counts orbits. `kernel` has all the states.
    """

    machine: Machine[Any]
    scope: Scope
    distinct: int
    generated: int
    depth: int
    seconds: float
    stopped: str
    verdicts: dict[str, Verdict]
    fired: dict[str, int]
    deadlock: Trace | None
    symmetric: bool
    lowering: Lowering = field(repr=False)
    kernel: Kernel = field(repr=False)

    @property
    def complete(self) -> bool:
        """Is every reachable state known."""
        return not self.stopped

    @property
    def violations(self) -> dict[str, Verdict]:
        """The properties that do not hold, or were to be reached and were not."""
        return {n: v for n, v in self.verdicts.items() if v.outcome in (VIOLATED, NOT_REACHED)}

    @property
    def never_fired(self) -> list[str]:
        """The actions that no reachable state enables."""
        return [name for name, count in self.fired.items() if not count] if self.complete else []


@dataclass(frozen=True)
class Limits:
    """When to stop, and what to keep. `until` names properties that are known to break: it goes
    on until all of them are broken; by default those that the machine itself names. Without any it
    stops at the end of the level in which the first property breaks, unless `to_the_end`.

    `states` and `bytes` are the most that it may hold. With a `file` it begins where that left
    off, and writes there when it stops, and every minute. `chunk` is how many states are expanded
    before anybody looks at the clock, the memory or the keyboard again.
    """

    until: Collection[str] = ()
    to_the_end: bool = False
    states: int | None = None
    bytes: int | None = None
    file: Path | None = None
    chunk: int = CHUNK


def explore(
    machine: Machine[Any],
    scope: Scope,
    limits: Limits = Limits(),
    *,
    kernel: str | Maker = "auto",
    symmetric: bool = False,
    progress: Callable[[Kernel], None] | None = None,
) -> Exploration:
    """Explore until every state is known, or until the limits say that it is enough.

    `kernel` is plain, numpy, c or auto: plain while there are few states, then numpy; or what
    makes another one. Ctrl-C stops it and keeps what was found. `progress` is called now and then.
    """
    began = time.perf_counter()
    lowering = Lowering(machine, scope)
    search = _Search(lowering, limits, kernel, symmetric)
    stopped = search.run(progress)
    seconds = time.perf_counter() - began
    search.require_symmetry()
    found = search.kernel.found
    verdicts = {
        p.name: search.verdict(p, found.get(n), not stopped)
        for n, p in enumerate(machine.properties.values())
    }
    dead = search.kernel.deadlock
    return Exploration(
        machine,
        scope,
        search.kernel.distinct,
        search.kernel.generated,
        search.kernel.depth,
        seconds,
        stopped,
        verdicts,
        dict(zip(machine.actions, search.kernel.fired, strict=True)),
        None if dead is None else search.trace(dead),
        symmetric,
        lowering,
        search.kernel,
    )


def problem_of(lowering: Lowering, symmetric: bool = False) -> Problem:
    """What there is to explore: the steps, and the states in which each property is decided."""
    machine = lowering.machine
    watched = [_decisive(lowering, p) for p in machine.properties.values()]
    may_end = lowering.truth(machine.may_end) if machine.may_end else scalars.TRUE
    images: Sequence[Sequence[scalars.Scalar]] = ()
    if symmetric:
        from model.engines.symmetry import symmetries

        images = symmetries(lowering.layout)
    return Problem(
        lowering.layout,
        list(lowering.steps()),
        list(machine.actions),
        watched,
        lowering.initial(),
        may_end,
        images,
    )


class _Search:
    """One exploration while it goes on."""

    def __init__(
        self, lowering: Lowering, limits: Limits, kernel: str | Maker, symmetric: bool
    ) -> None:
        self.lowering, self.limits = lowering, limits
        self.properties = list(lowering.machine.properties.values())
        self.problem = problem_of(lowering, symmetric)
        known = _loaded(limits.file, self.problem) if limits.file else None
        self.kernel = begin(kernel, self.problem, known)
        self.choice = kernel

    def run(self, progress: Callable[[Kernel], None] | None) -> str:
        """Expand until there is a reason to stop; "" when there is nothing more to expand."""
        saved = time.monotonic()
        with Interrupts() as interrupts:
            stopped = self._reason()
            while self.kernel.expanded < self.kernel.distinct and not stopped:
                self.kernel.expand(self.limits.chunk)
                self.kernel = go_on(self.choice, self.problem, self.kernel)
                if progress:
                    progress(self.kernel)
                stopped = self._reason() or ("interrupted" if interrupts.seen else "")
                if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                    saved = time.monotonic()
                    self._save()
        self._save()
        return stopped if self.kernel.expanded < self.kernel.distinct else ""

    def require_symmetry(self) -> None:
        """Try some states of all that were found: a machine that singles out a value of a sort
        has no orbits. ModelError where one does.
        """
        if not self.problem.symmetries:
            return
        from model.engines.symmetry import is_symmetric

        places = range(0, self.kernel.distinct, 1 + self.kernel.distinct // SAMPLES)
        states = [self.kernel.state(place) for place in places]
        odd = is_symmetric(self.lowering, self.problem.symmetries, states)
        if odd:
            raise ModelError(odd)

    def _reason(self) -> str:
        kernel, limits = self.kernel, self.limits
        if limits.states is not None and kernel.distinct >= limits.states:
            return f"more than {limits.states:,} states"
        if limits.bytes is not None and kernel.bytes > limits.bytes:
            return f"more than {limits.bytes / 1e6:,.0f} MB of states"
        if limits.to_the_end or not self._is_between_levels():
            return ""
        broken = {p.name for n, p in enumerate(self.properties) if n in kernel.found}
        broken -= {p.name for p in self.properties if p.kind == "sometimes"}
        wanted = set(limits.until or self.lowering.machine.breaks)
        enough = broken >= wanted if wanted else bool(broken) or kernel.deadlock is not None
        return "found what breaks" if enough else ""

    def _is_between_levels(self) -> bool:
        return self.kernel.expanded == self.kernel.level_end

    def _save(self) -> None:
        if self.limits.file:
            from model.engines.kernels.checkpoint import save

            save(self.limits.file, self.problem, self.kernel.snapshot())

    def verdict(self, claim: Property, position: int | None, complete: bool) -> Verdict:
        """What is known of a property that was decided at this position, or nowhere."""
        if position is None:
            missing = NOT_REACHED if claim.kind == "sometimes" else HOLDS
            return Verdict(claim, missing if complete else UNDECIDED)
        outcome = REACHED if claim.kind == "sometimes" else VIOLATED
        return Verdict(claim, outcome, self.trace(position))

    def trace(self, position: int) -> Trace:
        """The shortest way to a state."""
        path = [position]
        while path[-1]:
            path.append(self.kernel.parent(path[-1]))
        states = [self.kernel.state(p) for p in reversed(path)]
        if self.problem.symmetries:
            from model.engines.symmetry import concrete_path

            states = concrete_path(
                self.lowering, self.problem.steps, self.problem.symmetries, states
            )
        return find_trace(self.lowering, states)


def _loaded(file: Path, problem: Problem) -> Snapshot | None:
    from model.engines.kernels.checkpoint import load  # numpy is imported where it is needed.

    return load(file, problem)


def _decisive(lowering: Lowering, claim: Property) -> scalars.Scalar:
    """The truth value that decides a property in the state where it holds."""
    holds = lowering.truth(claim.holds)
    return holds if claim.kind == "sometimes" else scalars.negate(holds)
