"""One machine checked by all that applies to it: explored at a scope, its behaviours judged, held
against its contract, and its proofs run.

Decides what counts as good: a current design holds; a design of the past breaks exactly what
history says, as soon as history says; a scope with a pinned number of states has that number;
every proof goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model import catalogue
from model.engines.explore import Exploration, Limits, explore, problem_of
from model.engines.kernels import Kernel
from model.engines.kernels.choose import Maker
from model.lang import Machine, Scope

if TYPE_CHECKING:
    from model.engines.behaviours.liveness import Outcome
    from model.engines.refine import Refined
    from model.engines.smt.obligations import Proof


@dataclass(frozen=True)
class Options:
    """How to explore; see `explore`."""

    limits: Limits = field(default_factory=Limits)
    kernel: str | Maker = "auto"
    symmetric: bool = False
    progress: Callable[[Kernel], None] | None = None


@dataclass(frozen=True)
class Report:
    """What the readers said of one machine at one scope."""

    exploration: Exploration
    liveness: list[Outcome]
    refined: list[Refined]
    proofs: list[Proof]

    @property
    def machine(self) -> Machine[Any]:
        """The machine that was checked."""
        return self.exploration.machine

    @property
    def broken(self) -> dict[str, int]:
        """The properties that were violated, with the length of the counterexample in states."""
        return {
            name: len(verdict.trace) if verdict.trace else 0
            for name, verdict in self.exploration.violations.items()
        }

    @property
    def is_good(self) -> bool:
        """Does everything hold, and is everything as it is known to be."""
        return not (self.broken or self.surprises())

    def surprises(self) -> list[str]:
        """What is not as it must be, as sentences; none means good."""
        seen = self.exploration
        found = list(self._of_history() if self.machine.breaks else self._of_the_present())
        counted = seen.complete and seen.scope.states is not None and not seen.symmetric
        if counted and seen.distinct != seen.scope.states:
            found.append(
                f"{seen.distinct} states, but the scope is known to have {seen.scope.states}"
            )
        if seen.stopped and not self.broken:
            found.append(f"not complete: {seen.stopped}")
        return found + [f"not proved: {proof.goal}" for proof in self.proofs if not proof.proved]

    def _of_history(self) -> Iterator[str]:
        default = self.exploration.scope.name == "default"
        if default and self.broken != self.machine.breaks:
            yield f"breaks {self.broken}, but history says {self.machine.breaks}"

    def _of_the_present(self) -> Iterator[str]:
        seen = self.exploration
        yield from (f"{v.outcome}: {name}" for name, v in seen.violations.items())
        if seen.scope.name == "default":
            yield from (f"never enabled: {name}" for name in seen.never_fired)
        if seen.deadlock is not None:
            yield "deadlock: a run ends where it must not"
        yield from (f"violated: {o.claim.name}" for o in self.liveness if not o.holds)
        for refined in self.refined:
            if refined.failure is not None:
                yield f"breaks the contract {refined.refinement.contract.name}"
            elif seen.scope.name == "default":
                yield from (f"never seen of the contract: {name}" for name in refined.never_used)

    def as_data(self) -> dict[str, Any]:
        """The report for programs: counts, times in seconds, and the verdict of each property."""
        seen = self.exploration
        return {
            "model": self.machine.name,
            "design": self.machine.design,
            "scope": seen.scope.name,
            "bounds": seen.scope.bounds,
            "distinct": seen.distinct,
            "generated": seen.generated,
            "depth": seen.depth,
            "complete": seen.complete,
            "stopped": seen.stopped,
            "symmetry": seen.symmetric,
            "seconds": round(seen.seconds, 3),
            "actions": seen.fired,
            "deadlock": seen.deadlock is not None,
            "properties": {
                name: {
                    "verdict": verdict.outcome,
                    "kind": verdict.property.kind,
                    "clauses": list(verdict.property.clauses),
                    "states": len(verdict.trace) if verdict.trace else None,
                }
                for name, verdict in seen.verdicts.items()
            }
            | {
                outcome.claim.name: {
                    "verdict": "holds" if outcome.holds else "violated",
                    "kind": "eventually",
                    "clauses": list(outcome.claim.clauses),
                    "states": len(outcome.trace) if outcome.trace else None,
                }
                for outcome in self.liveness
            },
            "contracts": [refined.as_data() for refined in self.refined],
            "proofs": {proof.goal: proof.as_data() for proof in self.proofs},
            "known_to_break": self.machine.breaks,
            "surprises": self.surprises(),
        }


def check(machine: Machine[Any], scope: Scope, options: Options | None = None) -> Report:
    """Explore a machine at a scope, and run on what was found all that applies.

    Behaviours are judged, and contracts held, only where all states are known, each by itself.
    Designs of the past are only explored: it is known what they break.
    """
    options = options or Options()
    exploration = explore(
        machine,
        scope,
        options.limits,
        kernel=options.kernel,
        symmetric=options.symmetric,
        progress=options.progress,
    )
    if not exploration.complete or exploration.symmetric or machine.breaks:
        return Report(exploration, [], [], _proofs(machine, scope))
    return Report(
        exploration, _behaviours(exploration), _contracts(machine, scope), _proofs(machine, scope)
    )


# Solver and arrays take longer to import than small models take to explore, so each reader is
# imported where it is needed.


def _behaviours(exploration: Exploration) -> list[Outcome]:
    machine, scope = exploration.machine, exploration.scope
    if not machine.liveness:
        return []
    from model.engines.behaviours.graph import graph_of
    from model.engines.behaviours.liveness import check_liveness

    graph = graph_of(problem_of(exploration.lowering), exploration.kernel.snapshot())
    return [check_liveness(machine, scope, graph, claim) for claim in machine.liveness.values()]


def _contracts(machine: Machine[Any], scope: Scope) -> list[Refined]:
    seen = catalogue.observed_machine(machine)
    if not seen.refinements:
        return []
    from model.engines.refine import refine

    return [refine(seen, scope, refinement) for refinement in seen.refinements.values()]


def _proofs(machine: Machine[Any], scope: Scope) -> list[Proof]:
    if not machine.proofs:
        return []
    from model.engines.smt import prove

    return [prove(machine, scope, goal) for goal in machine.proofs]
