"""A machine in words: its actions with their guards, its claims with what breaks them, its scopes;
and the clauses of `spec/` that they stand for.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any

from model.lang import Machine
from spec import clauses

WIDTH = 99


def explain(machine: Machine[Any]) -> str:
    """All that a reader of the code would see, in one text."""
    known = clauses.load()
    named = {c for a in machine.actions.values() for c in a.clauses}
    named |= {c for p in machine.properties.values() for c in p.clauses}
    named |= {c for p in machine.liveness.values() for c in p.clauses}
    parts = [
        f"{machine.name}, design {machine.design}: {machine.title}",
        _docstring(machine),
        "ACTIONS\n" + "\n".join(_actions(machine)),
        "CLAIMS\n" + "\n".join(_claims(machine)),
        "SCOPES\n" + "\n".join(_scopes(machine)),
    ]
    if named:
        lines = [f"  {c} ({known[c].level}) {known[c].title}" for c in sorted(named) if c in known]
        parts.append("CLAUSES\n" + "\n".join(lines))
    return "\n\n".join(part for part in parts if part)


def _docstring(machine: Machine[Any]) -> str:
    """What the file of the machine says of it: what is modelled, simplified, and left out."""
    functions = [action.function for action in machine.actions.values()]
    module = sys.modules.get(functions[-1].__module__) if functions else None
    return (module.__doc__ or "").strip() if module else ""


def _actions(machine: Machine[Any]) -> Iterator[str]:
    for action in machine.actions.values():
        parameters = ", ".join(action.parameters)
        yield f"  {action.name}({parameters})" + _clauses(action.clauses)
        yield from _wrapped(action.summary)
        if action.guards:
            yield from _wrapped("needs " + ", ".join(action.guards))


def _claims(machine: Machine[Any]) -> Iterator[str]:
    for claim in machine.properties.values():
        yield f"  {claim.kind} {claim.name}" + _clauses(claim.clauses)
        yield from _wrapped(claim.summary)
        if claim.broken_by:
            yield from _wrapped(f"broken by {claim.broken_by}")
    for promise in machine.liveness.values():
        yield f"  eventually {promise.name}" + _clauses(promise.clauses)
        yield from _wrapped(promise.summary)
        for kind, entries in (("fair", promise.fair), ("strongly fair", promise.strongly_fair)):
            if entries:
                yield from _wrapped(f"{kind}: {', '.join(entries)}")
        yield from _wrapped(f"broken by {promise.broken_by}")
    for refinement in machine.refinements.values():
        yield f"  contract {refinement.contract.name}, as {refinement.name}"
        yield from _wrapped(refinement.summary)
    for goal, lemmas in machine.proofs.items():
        yield f"  proof of {goal}"
        if lemmas:
            yield from _wrapped("by " + ", ".join(lemmas))


def _scopes(machine: Machine[Any]) -> Iterator[str]:
    for scope in machine.scopes.values():
        sizes = ", ".join(f"{name} {value}" for name, value in scope.bounds.items())
        states = f"; {scope.states:,} states" if scope.states is not None else ""
        yield f"  {scope.name}: {sizes}{states}"
        yield from _wrapped(scope.why)


def _clauses(ids: tuple[str, ...]) -> str:
    return f"  [{' '.join(ids)}]" if ids else ""


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")
