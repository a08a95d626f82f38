"""How a person reads what the readers found: counterexamples, then tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from model.check import Report
from model.lang import Scope

if TYPE_CHECKING:
    from model.engines.smt.obligations import Proof


def title(report: Report) -> str:
    """Which machine was checked at which scope."""
    return f"{report.machine.title}\n{bounds(report.exploration.scope)}"


def bounds(scope: Scope) -> str:
    """A scope in one line, with its reason."""
    sizes = ", ".join(f"{name} {value}" for name, value in scope.bounds.items())
    return f"scope {scope.name}: {sizes} ({scope.why})"


def counterexamples(report: Report) -> list[str]:
    """One text for each different trace, headed by what it breaks."""
    texts: dict[str, list[str]] = {}
    for name, verdict in report.exploration.violations.items():
        shown = str(verdict.trace) if verdict.trace else "no reachable state is a witness"
        claim = f"{name} ({' '.join(verdict.property.clauses)}): {verdict.property.summary}"
        texts.setdefault(shown, []).append(f"{verdict.outcome}: {claim}")
    if report.exploration.deadlock is not None:
        shown = str(report.exploration.deadlock)
        texts.setdefault(shown, []).append("deadlock: no step is possible, and a run must not end")
    for outcome in report.liveness:
        if outcome.trace is not None:
            promise = outcome.claim
            head = f"violated: {promise.name} ({' '.join(promise.clauses)}): {promise.summary}"
            texts.setdefault(str(outcome.trace), []).append(head)
    found = ["\n".join([*claims, trace]) for trace, claims in texts.items()]
    found += [str(refined) for refined in report.refined if refined.failure is not None]
    return found + open_obligations(report.proofs)


def open_obligations(proofs: Sequence[Proof]) -> list[str]:
    """The first obligation of each proof that did not go through."""
    return [
        f"not inductive: {failed.claim}\n{failed.counterexample or 'the solver does not know'}"
        for proof in proofs
        for failed in [o for o in proof.obligations if not o.proved][:1]
    ]


def proof_outcome(proof: Proof) -> str:
    """Proved, or how much of it is open."""
    still_open = sum(not o.proved for o in proof.obligations)
    return "proved" if proof.proved else f"{still_open} OPEN"


def claims(report: Report) -> str:
    """The table of all claims."""
    proved = {p.goal: "proved" if p.proved else "NOT PROVED" for p in report.proofs}
    rows = [
        [name, v.property.kind, v.outcome, proved.get(name, ""), " ".join(v.property.clauses)]
        for name, v in report.exploration.verdicts.items()
    ]
    judged = {o.claim.name: "holds" if o.holds else "violated" for o in report.liveness}
    rows += [
        [name, "eventually", judged.get(name, "undecided"), "", " ".join(promise.clauses)]
        for name, promise in report.machine.liveness.items()
    ]
    rows += [
        [r.refinement.name, "contract", f"{r.outcome}: {r.refinement.contract.name}", "", ""]
        for r in report.refined
    ]
    return tabulate(rows, headers=["claim", "kind", "states", "any length", "clauses"])


def coverage(report: Report) -> str:
    """How often each action was taken."""
    rows = [[name, f"{count:,}"] for name, count in report.exploration.fired.items()]
    return tabulate(rows, headers=["action", "steps"], colalign=("left", "right"))


HEADERS = [
    "model", "design", "states", "generated", "depth", "claims", "witnesses", "contracts",
    "proofs", "time",
]  # fmt: skip


def summary(reports: list[Report]) -> str:
    """One row for each machine."""
    return tabulate([_row(r) for r in reports], headers=HEADERS, disable_numparse=True)


def _row(report: Report) -> list[str]:
    seen = report.exploration
    kinds = [v.property.kind for v in seen.verdicts.values()]
    reached = sum(v.outcome == "reached" for v in seen.verdicts.values())
    count = len(kinds) - kinds.count("sometimes") + len(report.liveness)
    broken = len(report.broken) + sum(not outcome.holds for outcome in report.liveness)
    held = "undecided" if seen.stopped else f"{count - broken} of {count} hold"
    if broken:
        held = f"{broken} broken"
        if report.machine.breaks == report.broken:
            held += ", as in history"
    kept = sum(refined.failure is None for refined in report.refined)
    proved = sum(proof.proved for proof in report.proofs)
    return [
        report.machine.name,
        report.machine.design,
        f"{seen.distinct:,}" + (" orbits" if seen.symmetric else "") + _so_far(report),
        f"{seen.generated:,}",
        str(seen.depth),
        held,
        f"{reached} of {kinds.count('sometimes')}" if "sometimes" in kinds else "",
        f"{kept} of {len(report.refined)} kept" if report.refined else "",
        f"{proved} of {len(report.proofs)} proved" if report.proofs else "",
        f"{_seconds(report):.1f} s",
    ]


def _so_far(report: Report) -> str:
    return " so far" if report.exploration.stopped else ""


def _seconds(report: Report) -> float:
    parts: list[Any] = [report.exploration, *report.refined, *report.proofs]
    return float(sum(part.seconds for part in parts))
