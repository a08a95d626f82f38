"""One machine checked by all that applies to it: explored at a scope, and its proofs run.

Decides what counts as good: a current design holds; a design of the past breaks exactly what
history says, as soon as history says; a scope with a pinned number of states has that number;
every proof goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.engines.explore import Exploration, explore
from model.lang import Machine, Scope

if TYPE_CHECKING:
    from model.engines.smt import Proof


@dataclass(frozen=True)
class Report:
    """What the readers said of one machine at one scope."""

    exploration: Exploration
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

    def surprises(self) -> list[str]:
        """What is not as it must be, as sentences; none means good."""
        found = []
        scope, seen = self.exploration.scope, self.exploration
        if self.machine.breaks:
            if scope.name == "default" and self.broken != self.machine.breaks:
                found.append(f"breaks {self.broken}, but history says {self.machine.breaks}")
        else:
            found += [f"{v.outcome}: {name}" for name, v in seen.violations.items()]
            found += [f"never enabled: {name}" for name in seen.never_fired]
        if seen.complete and scope.states is not None and seen.distinct != scope.states:
            found.append(f"{seen.distinct} states, but the scope is known to have {scope.states}")
        found += [f"not proved: {proof.goal}" for proof in self.proofs if not proof.proved]
        return found

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
            "seconds": round(seen.seconds, 3),
            "properties": {
                name: {
                    "verdict": verdict.outcome,
                    "kind": verdict.property.kind,
                    "clauses": list(verdict.property.clauses),
                    "states": len(verdict.trace) if verdict.trace else None,
                }
                for name, verdict in seen.verdicts.items()
            },
            "proofs": {
                proof.goal: {
                    "proved": proof.proved,
                    "lemmas": list(proof.lemmas),
                    "obligations": len(proof.obligations),
                    "seconds": round(proof.seconds, 3),
                }
                for proof in self.proofs
            },
            "known_to_break": self.machine.breaks,
            "surprises": self.surprises(),
        }


def check(machine: Machine[Any], scope: Scope) -> Report:
    """Explore a machine at a scope, then run its proofs there."""
    exploration = explore(machine, scope)
    proofs = []
    if machine.proofs:
        # The solver takes longer to import than small models take to explore.
        from model.engines.smt import prove

        proofs = [prove(machine, scope, goal) for goal in machine.proofs]
    return Report(exploration, proofs)
