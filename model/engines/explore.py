"""Every reachable state of a machine at one scope, level by level, with the shortest
counterexamples.

Decides the verdict of each property: an `always` holds in all states that were reached or is
violated by the first state in breadth-first order; a `sometimes` has a witness or has none. It
refuses to guess: when the exploration stops before the end, what was not found is undecided.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from model.engines import scalars
from model.engines.kernels.plain import compile_level
from model.engines.lower import Lowering
from model.engines.trace import Trace, find_trace
from model.lang.machine import Machine
from model.lang.parts import Property, Scope

HOLDS, VIOLATED, REACHED, NOT_REACHED, UNDECIDED = (
    "holds", "violated", "reached", "not reached", "undecided",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What was found about one property; `trace` leads to the state that decides it."""

    property: Property
    outcome: str
    trace: Trace | None = None


@dataclass(frozen=True)
class Exploration:
    """What one exploration saw. `depth` counts states, the initial one included, on the longest
    shortest path.
    """

    machine: Machine[Any]
    scope: Scope
    distinct: int
    generated: int
    depth: int
    seconds: float
    complete: bool
    verdicts: dict[str, Verdict]
    fired: dict[str, int] = field(default_factory=dict)

    @property
    def violations(self) -> dict[str, Verdict]:
        """The properties that do not hold, or were to be reached and were not."""
        return {n: v for n, v in self.verdicts.items() if v.outcome in (VIOLATED, NOT_REACHED)}

    @property
    def never_fired(self) -> list[str]:
        """The actions that no reachable state enables."""
        return [name for name, count in self.fired.items() if not count] if self.complete else []


def explore(
    machine: Machine[Any],
    scope: Scope,
    until: Collection[str] = (),
) -> Exploration:
    """Explore until every state is known, or until the properties that break are found.

    `until` names properties that are known to break: it goes on until all of them are broken; by
    default those that the machine itself names (`machine.breaks`). Without any it stops at the end
    of the level in which the first property breaks.
    """
    began = time.perf_counter()
    lowering = Lowering(machine, scope)
    steps = list(lowering.steps())
    properties = list(machine.properties.values())
    watched = [_decisive(lowering, p) for p in properties]
    level = compile_level(lowering.layout, steps, watched, list(machine.actions))
    first = lowering.initial()
    parents = {first: first}
    fired = [0] * len(machine.actions)
    deciding: dict[int, int] = {}
    wanted = [True] * len(properties)
    frontier, generated, depth = [first], 1, 0
    wanted_broken = set(until or machine.breaks)
    while frontier and not _enough(wanted_broken, properties, deciding):
        depth += 1
        frontier, made = level(frontier, parents, fired, wanted, deciding.__setitem__)
        generated += made
    verdicts = {
        p.name: _verdict(p, lowering, parents, deciding.get(n), not frontier)
        for n, p in enumerate(properties)
    }
    seconds = time.perf_counter() - began
    return Exploration(
        machine, scope, len(parents), generated, depth, seconds, not frontier, verdicts,
        dict(zip(machine.actions, fired, strict=True)),
    )  # fmt: skip


def _decisive(lowering: Lowering, claim: Property) -> scalars.Scalar:
    """The truth value that decides a property in the state where it holds."""
    holds = lowering.truth(claim.holds)
    return holds if claim.kind == "sometimes" else scalars.negate(holds)


def _enough(wanted: set[str], properties: list[Property], deciding: dict[int, int]) -> bool:
    broken = {properties[n].name for n in deciding if properties[n].kind != "sometimes"}
    return broken >= wanted if wanted else bool(broken)


def _verdict(
    claim: Property, lowering: Lowering, parents: dict[int, int], state: int | None, complete: bool
) -> Verdict:
    if state is None:
        missing = NOT_REACHED if claim.kind == "sometimes" else HOLDS
        return Verdict(claim, missing if complete else UNDECIDED)
    path = [state]
    while parents[path[-1]] != path[-1]:
        path.append(parents[path[-1]])
    outcome = REACHED if claim.kind == "sometimes" else VIOLATED
    return Verdict(claim, outcome, find_trace(lowering, path[::-1]))
