"""Z3 proves claims for runs of any length where offsets, epochs, identities and logs have no end.

The obligations are those of `smt_induction`: only the number of values of each Sort is fixed. One
that Z3 does not prove is looked at again in small finite scopes, where a counterexample to
induction can be found for certain and shown as two states and the step; where there is none
either, the obligation is undecided. It is proved only if Z3 said so.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import z3

from model.engines.smt.induction import Induction, Key
from model.engines.smt.obligations import Obligation, Proof, fewest, supported
from model.engines.smt.prove import prove
from model.engines.smt.trees import bounds_of, exploration_limits
from model.lang.machine import Machine
from model.lang.parts import Scope
from model.lang.places import ModelError

# What Z3 calls arithmetic with quantifiers and unknown functions.
LOGIC = "UFLIA"
# How much work an obligation is worth, as Z3 counts it: the same on every machine, and about two
# million in a second.
EFFORT = 40_000_000
# Z3 finds a proof with quantifiers at once or, by bad luck, late: it begins again, with another
# seed and more of the effort.
ATTEMPTS = (64, 16, 4, 1)
# A counterexample to induction is looked for where every upper limit is one of these.
SMALL_LIMITS = (1, 2, 3)
Hypotheses = Mapping[Key, Collection[str]] | Mapping[str, Collection[str]]


def prove_unbounded(
    machine: Machine[Any],
    sizes: dict[str, int],
    goal: str,
    *,
    lemmas: Sequence[str] | None = None,
    given: Hypotheses | None = None,
    minimise: bool = False,
    only: Collection[Key] | None = None,
    effort: int = EFFORT,
    processes: int = 1,
) -> Proof:
    """Check that a goal and its lemmas are inductive: by default those that the machine names, but
    for the ones that speak of limits of an exploration, which only proofs within a scope need.

    `sizes` says how many values each Sort has; a bound that it leaves out is no limit. `given` has
    hypotheses that are tried before all of them, by obligation or for all steps by claim;
    `minimise` looks for the fewest. `only` names the obligations that are asked for, where others
    are not; `effort` is what Z3 may spend on a part of one before it gives up. With more than one
    process the obligations are shared among copies of this one, where the system can make them.
    """
    if lemmas is None:
        limits = exploration_limits(machine) - sizes.keys()
        named = machine.proofs[goal]
        lemmas = [n for n in named if not bounds_of(machine.properties[n].holds) & limits]
    lemmas = tuple(lemmas)
    induction = Induction(machine, sizes, (goal, *lemmas))
    prover = _Prover(induction, dict(given or {}), minimise, effort)
    keys = [key for key in induction.obligations() if only is None or key in only]
    return Proof(goal, lemmas, [*_shared_out(prover, keys, processes)])


def houdini_unbounded(
    machine: Machine[Any],
    sizes: dict[str, int],
    candidates: Sequence[str],
    *,
    effort: int = EFFORT,
) -> tuple[str, ...]:
    """The most of these properties that are proved to hold at first and to be inductive together.

    One that Z3 could not decide is left out, as if it failed.
    """
    prover = _Prover(Induction(machine, sizes, candidates), {}, False, effort)
    at_first = [name for name in candidates if prover.proves((name, None), ()) is not None]

    def broken(names: Collection[str]) -> Collection[str]:
        for action in machine.actions:
            gone = {name for name in names if prover.proves((name, action), names) is None}
            if gone:
                return gone
        return ()

    return supported(at_first, broken)


@dataclass(frozen=True)
class _Prover:
    """Checks obligations of one proof."""

    induction: Induction
    given: Mapping[Any, Collection[str]]
    minimise: bool
    effort: int

    def obligation(self, key: Key) -> Obligation:
        """What became of an obligation."""
        began = time.perf_counter()
        claim, action = key
        everything = self.induction.claims if action is not None else ()
        likely = self.given.get(key, self.given.get(claim, everything)) if action else ()
        found = self._needed(key, tuple(likely))
        if found is None and len(likely) < len(everything):
            found = self._needed(key, everything)
        proved = found is not None
        shown = None if proved else self._counterexample(key, everything)
        needed = tuple(found or ()) if self.minimise and proved and action else None
        seconds = time.perf_counter() - began
        return Obligation(claim, action, proved, seconds, shown, needed, not (proved or shown))

    def _needed(self, key: Key, names: Collection[str]) -> Collection[str] | None:
        if self.minimise:
            return fewest(names, lambda some: self.proves(key, some))
        return self.proves(key, names)

    def proves(self, key: Key, hypotheses: Collection[str]) -> Collection[str] | None:
        """The hypotheses of use, as far as is known; None where Z3 does not prove the
        obligation.
        """
        used = set[str]()
        for query in self.induction.queries(key):
            core = self._refuted(query, hypotheses)
            if core is None:
                return None
            used |= core
        return [name for name in hypotheses if name in used] if self.minimise else hypotheses

    def _refuted(self, query: list[Any], hypotheses: Collection[str]) -> set[str] | None:
        """The hypotheses that contradict the query, where they are looked for; None where nothing
        is known to.
        """
        names = [z3.Bool(name) for name in hypotheses] if self.minimise else []
        claims = [self.induction.hypothesis(name) for name in hypotheses]
        if self.minimise:
            claims = [z3.Implies(name, claim) for name, claim in zip(names, claims, strict=True)]
        for seed, share in enumerate(ATTEMPTS):
            solver = z3.SolverFor(LOGIC)
            solver.set("rlimit", self.effort // share)
            solver.set("random_seed", seed)
            solver.add(*query, *claims)
            answer = solver.check(*names)
            if answer == z3.unsat:
                return {str(literal) for literal in solver.unsat_core()} if names else set()
            if answer == z3.sat:
                return None
        return None

    def _counterexample(self, key: Key, hypotheses: Collection[str]) -> str | None:
        """Two states and the step between them, in the smallest scope that has room for them."""
        machine, sizes = self.induction.machine, self.induction.shapes.sizes
        action = key[1]
        if action is not None:
            machine = replace(machine, actions={action: machine.actions[action]})
        first, *others = self.induction.claims
        for limit in SMALL_LIMITS:
            bounds = dict.fromkeys(self.induction.limits, limit) | sizes
            scope = Scope(f"limits of {limit}", bounds, "to show a counterexample to induction")
            given = {key: tuple(hypotheses)}
            try:
                found = prove(machine, scope, first, lemmas=others, given=given, only=[key])
            except ModelError:
                # Some type has no value, or the first state no room, within so small a limit.
                continue
            for obligation in found.obligations:
                if obligation.counterexample:
                    return obligation.counterexample
        return None


def _shared_out(prover: _Prover, keys: Sequence[Key], processes: int) -> Iterator[Obligation]:
    """The obligations in order, checked in this process or in copies of it."""
    if processes == 1 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(prover.obligation, keys)
        return
    context = multiprocessing.get_context("fork")
    with context.Pool(processes, _become, (prover,)) as pool:
        yield from pool.imap(_obligation, keys)


_mine: list[_Prover] = []


def _become(prover: _Prover) -> None:
    """Keep, in a copy of the process, what it was copied for: formulas cannot be sent."""
    _mine[:] = [prover]


def _obligation(key: Key) -> Obligation:
    return _mine[0].obligation(key)
