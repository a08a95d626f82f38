"""What a proof by induction is made of, for every solver and every way to write formulas.

A proof has obligations: each of its claims holds at first, and each step keeps it. This file
decides what follows from obligations that went through, which hypotheses one of them can spare,
and which of many candidates support each other. It refuses to know how one is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

ROOM = "the scope has room"


@dataclass(frozen=True)
class Obligation:
    """One part of a proof: the claim holds at first (`step` is None), or the step keeps it.

    The claim `ROOM` is part of every proof in a finite scope: no step leaves it. `hypotheses` are
    the claims about the states before from which it was proved, where the fewest were looked for.
    `undecided` says that the solver gave up, and nobody knows a counterexample.
    """

    claim: str
    step: str | None
    proved: bool
    seconds: float
    counterexample: str | None = None
    hypotheses: tuple[str, ...] | None = None
    undecided: bool = False


@dataclass(frozen=True)
class Proof:
    """All obligations for one goal and its lemmas, by induction over `length` states."""

    goal: str
    lemmas: tuple[str, ...]
    obligations: list[Obligation]
    length: int = 1

    @property
    def proved(self) -> bool:
        """Does the goal hold in runs of any length."""
        return all(obligation.proved for obligation in self.obligations)

    @property
    def seconds(self) -> float:
        """The time that all obligations took."""
        return sum(obligation.seconds for obligation in self.obligations)

    def as_data(self) -> dict[str, Any]:
        """The proof for programs."""
        return {
            "proved": self.proved,
            "lemmas": list(self.lemmas),
            "length": self.length,
            "obligations": len(self.obligations),
            "seconds": round(self.seconds, 3),
        }

    @property
    def hypotheses(self) -> dict[tuple[str, str | None], tuple[str, ...]]:
        """What each obligation needs, to be given to the same proof at a larger scope."""
        return {
            (o.claim, o.step): o.hypotheses for o in self.obligations if o.hypotheses is not None
        }

    @property
    def spare(self) -> tuple[str, ...]:
        """The lemmas that neither the goal nor what it needs was proved from."""
        needed, waiting = set[str](), [self.goal, ROOM]
        while waiting:
            claim = waiting.pop()
            if claim not in needed:
                needed.add(claim)
                for o in self.obligations:
                    if o.claim == claim and o.step is not None:
                        every = (self.goal, *self.lemmas)
                        waiting += every if o.hypotheses is None else o.hypotheses
        return tuple(lemma for lemma in self.lemmas if lemma not in needed)


def fewest(
    names: Iterable[str], proves: Callable[[Collection[str]], Collection[str] | None]
) -> tuple[str, ...] | None:
    """Hypotheses of which none can be spared; None where all of them together are too few.

    `proves` says which of the given ones it made use of, as far as it knows, or None.
    """
    kept = proves(list(names))
    if kept is None:
        return None
    for name in list(kept):
        if name in kept:
            smaller = proves([other for other in kept if other != name])
            kept = kept if smaller is None else smaller
    return tuple(kept)


def supported(
    candidates: Iterable[str], broken: Callable[[Collection[str]], Collection[str]]
) -> tuple[str, ...]:
    """The most candidates that are inductive together (Houdini).

    `broken` names some that fail after a step from a state where all that it is given hold, or
    none where there is no such step.
    """
    kept = list(candidates)
    while gone := broken(kept):
        kept = [name for name in kept if name not in gone]
    return tuple(kept)
