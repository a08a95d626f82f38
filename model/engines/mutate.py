"""What each guard is good for: the machine with one thing broken, and which claim that breaks.

Decides the fate of each mutant at one scope: each guard dropped in turn, the machine's own
mutants, and each assumption of fairness dropped. A mutant breaks claims, or deadlocks, or leaves
the scope (the guard bounds the model), or breaks nothing: then the guard is not needed at this
scope. It stops at the level where the first claim breaks, so a claim that would break later is not
named; `unkilled` asks for each claim by itself whether its declared mutant breaks it. The contract
is asked where no claim breaks. Lemmas are not asked: they serve proofs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import UNDECIDED, VIOLATED, Exploration, Limits, explore, problem_of
from model.lang.machine import Machine
from model.lang.parts import Liveness, Scope

BROKEN, DEADLOCK, TOO_SMALL, NOT_NEEDED, STOPPED = (
    "broken", "deadlock", "scope too small", "not needed", "undecided",
)  # fmt: skip
# A mutant may reach far more states than the machine; this many are enough to try.
STATES = 3_000_000


@dataclass(frozen=True)
class Fate:
    """What became of one mutant. `broken` has the claims that break, with the length in states of
    the shortest counterexample: 0 for a witness that no state is any more, and for a liveness
    claim the length of the behaviour until it repeats itself.

    `before` is the number of distinct states without the mutation.
    """

    mutant: str
    outcome: str
    broken: dict[str, int]
    distinct: int
    before: int
    sentence: str = ""

    def __str__(self) -> str:
        match self.outcome:
            case "broken":
                return "breaks " + ", ".join(
                    f"{name} in {length} states" if length else f"{name}: no witness is left"
                    for name, length in self.broken.items()
                )
            case "deadlock":
                return f"deadlocks {self.sentence}"
            case "scope too small":
                return "bounds the scope: " + self.sentence.split(":")[0]
            case "undecided":
                return f"breaks nothing so far: {self.sentence}"
        if self.distinct == self.before:
            return "not needed at this scope: the same number of states"
        return f"not needed at this scope: {self.distinct:,} states instead of {self.before:,}"

    def row(self) -> list[str]:
        """For a table: what is broken, its fate, the number of distinct states."""
        return [self.mutant, str(self), f"{self.distinct:,}" if self.distinct else ""]

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        return {
            "mutant": self.mutant,
            "outcome": self.outcome,
            "broken": self.broken,
            "distinct": self.distinct,
            "before": self.before,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Unkilled:
    """A claim that its declared mutant does not break, and what came of the try."""

    claim: str
    broken_by: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.claim} is not broken by {self.broken_by}: {self.sentence}"


def mutants_of(machine: Machine[Any]) -> list[str]:
    """All that `mutated` takes: each guard, each mutant, each assumption of fairness.

    That an element is drawn from a bag which has it is no guard of the author's, and stays.
    """
    guards = [
        f"{action.name}.{guard}"
        for action in machine.actions.values()
        for guard in action.guards
        if guard not in {f"has_{name}" for name in action.drawn}
    ]
    entries = {
        f"fair {entry}": None
        for claim in machine.liveness.values()
        for entry in (*claim.fair, *claim.strongly_fair)
    }
    return [*guards, *machine.mutants, *entries]


def mutate(
    machine: Machine[Any],
    scope: Scope,
    *,
    observed: Machine[Any] | None = None,
    states: int = STATES,
    kernel: str = "auto",
    progress: Callable[[Fate], None] | None = None,
) -> list[Fate]:
    """The fate of each mutant at a scope, in the order of `mutants_of`.

    `observed` is the machine with its contracts, where that is another one. `states` bounds the
    states of each mutant; `kernel` is one of explore's; `progress` is called
    with each fate as it is known. Raises ScopeTooSmallError where the machine itself does not fit.
    """
    return _Trial(machine, observed or machine, scope, states, kernel).fates(progress)


def unkilled(
    machine: Machine[Any], *, states: int = STATES, kernel: str = "auto"
) -> list[Unkilled]:
    """The claims that are not broken by the mutant that they declare, at the scope they declare.

    A design of the past has the claims of the present; those that it breaks are not asked.
    """
    found = []
    for claim in machine.properties.values():
        if claim.broken_by is not None and claim.name not in machine.breaks:
            mutant = replace(
                machine.mutated(claim.broken_by), properties={claim.name: claim}, may_end=None
            )
            sentence = _survival(mutant, machine.scopes[claim.broken_at], states, kernel)
            if sentence:
                found.append(Unkilled(claim.name, claim.broken_by, sentence))
    for promise in machine.liveness.values():
        mutant = replace(machine.mutated(promise.broken_by), properties={}, may_end=None)
        scope = machine.scopes[promise.broken_at]
        sentence = _promise_survival(mutant, scope, promise.name, states, kernel)
        if sentence:
            found.append(Unkilled(promise.name, promise.broken_by, sentence))
    return found


def _survival(machine: Machine[Any], scope: Scope, states: int, kernel: str) -> str:
    """Why the one claim of a machine is not violated; "" where it is."""
    try:
        seen = explore(replace(machine, breaks={}), scope, Limits(states=states), kernel=kernel)
    except ScopeTooSmallError as error:
        return str(error)
    (verdict,) = seen.verdicts.values()
    if verdict.outcome == VIOLATED:
        return ""
    where = f"{verdict.outcome} in {seen.distinct:,} states"
    return f"{where}, {seen.stopped}" if verdict.outcome == UNDECIDED else where


def _promise_survival(
    machine: Machine[Any], scope: Scope, name: str, states: int, kernel: str
) -> str:
    limits = Limits(states=states, to_the_end=True)
    try:
        seen = explore(machine, scope, limits, kernel=kernel)
    except ScopeTooSmallError as error:
        return str(error)
    if not seen.complete:
        return f"undecided, {seen.stopped}"
    broken = _broken_promises(seen, {name: machine.liveness[name]})
    return "" if broken else f"holds in {seen.distinct:,} states"


def _broken_promises(seen: Exploration, claims: dict[str, Liveness]) -> dict[str, int]:
    """The liveness claims that do not hold, with the length of a behaviour that breaks each."""
    if not claims:
        return {}
    from model.engines.behaviours.graph import graph_of  # numpy is imported where it is needed.
    from model.engines.behaviours.liveness import check_liveness

    graph = graph_of(problem_of(seen.lowering), seen.kernel.snapshot())
    outcomes = [check_liveness(seen.machine, seen.scope, graph, c) for c in claims.values()]
    return {o.claim.name: len(o.trace) for o in outcomes if o.trace is not None}


class _Trial:
    """All mutants of one machine at one scope."""

    def __init__(
        self,
        machine: Machine[Any],
        observed: Machine[Any],
        scope: Scope,
        states: int,
        kernel: str,
    ) -> None:
        asked = {n: p for n, p in machine.properties.items() if p.kind != "lemma"}
        self.machine = replace(machine, properties=asked, breaks={})
        self.observed, self.scope, self.states, self.kernel = observed, scope, states, kernel
        self.before = scope.states or self._explored(self.machine, to_the_end=True).distinct

    def fates(self, progress: Callable[[Fate], None] | None) -> list[Fate]:
        found = []
        for fate in self._fates():
            found.append(fate)
            if progress:
                progress(fate)
        return found

    def _fates(self) -> Iterator[Fate]:
        unfair = [name for name in mutants_of(self.machine) if name.startswith("fair ")]
        for name in mutants_of(self.machine):
            if name not in unfair:
                yield self._fate(name)
        if unfair:
            # An assumption changes no state, so all of them are judged on one exploration.
            seen = self._explored(self.machine, to_the_end=True)
            for name in unfair:
                yield self._unfair(name, seen)

    def _fate(self, name: str) -> Fate:
        mutant = self.machine.mutated(name)
        try:
            seen = self._explored(mutant)
        except ScopeTooSmallError as error:
            return Fate(name, TOO_SMALL, {}, 0, self.before, str(error))
        broken = {n: len(v.trace) if v.trace else 0 for n, v in seen.violations.items()}
        if not broken and seen.deadlock is not None:
            sentence = f"after {len(seen.deadlock)} states"
            return Fate(name, DEADLOCK, {}, seen.distinct, self.before, sentence)
        if not broken and seen.complete:
            broken = _broken_promises(seen, mutant.liveness) or self._broken_contracts(name)
        return self._judged(name, broken, seen)

    def _broken_contracts(self, name: str) -> dict[str, int]:
        """The contracts that a mutant does not keep, with the length of the run to that step."""
        if not self.observed.refinements:
            return {}
        from model.engines.refine import refine

        mutant = self.observed.mutated(name)
        found = [
            refine(mutant, self.scope, refinement, states=self.states, kernel=self.kernel)
            for refinement in mutant.refinements.values()
        ]
        return {
            f"the contract {r.refinement.contract.name}": len(r.failure.trace)
            for r in found
            if r.failure is not None
        }

    def _unfair(self, name: str, seen: Exploration) -> Fate:
        mutant = self.machine.mutated(name)
        weaker = {
            n: claim for n, claim in mutant.liveness.items() if claim != self.machine.liveness[n]
        }
        broken = _broken_promises(seen, weaker) if seen.complete else {}
        return self._judged(name, broken, seen)

    def _judged(self, name: str, broken: dict[str, int], seen: Exploration) -> Fate:
        outcome = BROKEN if broken else NOT_NEEDED if seen.complete else STOPPED
        return Fate(name, outcome, broken, seen.distinct, self.before, seen.stopped)

    def _explored(self, machine: Machine[Any], to_the_end: bool = False) -> Exploration:
        limits = Limits(states=self.states, to_the_end=to_the_end)
        return explore(machine, self.scope, limits, kernel=self.kernel)
