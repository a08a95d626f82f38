"""The command `brokerspec check`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tabulate import tabulate

from model import catalogue
from model.check import Report, check
from model.lang import Machine, ModelError, Scope

EXAMPLES = """examples:
  brokerspec check replication                    every state of the current design
  brokerspec check replication --design kip-101   the shortest way in which that design loses data
  brokerspec check --all                          every model, the designs of the past included
"""


def main(arguments: Sequence[str]) -> int:
    """Run `brokerspec check`; 0 if all is as it must be, 1 if not, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="brokerspec check",
        description="Check the machines of the models: every state at a scope, and the proofs.",
        epilog=f"{EXAMPLES}\n{_listing()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", help="the model to check")
    parser.add_argument("--all", action="store_true", help="check all models in all designs")
    parser.add_argument("--design", help="a design of the past, instead of the current one")
    parser.add_argument("--scope", default="default", help="which scope (default: default)")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON (- for stdout)")
    given = parser.parse_args(arguments)
    if given.all == (given.model is not None):
        print(
            f"brokerspec check: name a model, or --all, and not both\n\n{_listing()}",
            file=sys.stderr,
        )
        return 2
    try:
        chosen = _chosen(given)
        out = sys.stderr if given.json == "-" else sys.stdout
        _write_to(given.json, "", "a")  # Not to find out after the work that it cannot be.
        if given.all:
            return _check_all(chosen, given.json, out)
        return _check_one(*chosen[0], given.json, out)
    except ModelError as error:
        print(f"brokerspec check: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("brokerspec check: stopped", file=sys.stderr)
        return 130


def _listing() -> str:
    lines = ["models and their designs, the current one first:"]
    lines += [f"  {name}: {', '.join(designs)}" for name, designs in catalogue.models().items()]
    return "\n".join(lines)


def _chosen(given: argparse.Namespace) -> list[tuple[Machine[Any], Scope]]:
    if given.all:
        if given.design:
            raise ModelError("--all checks every design: leave out --design")
        machines = [catalogue.machine(*key) for key in catalogue.MACHINES]
    else:
        machines = [catalogue.machine(given.model, given.design)]
    for machine in machines:
        if given.scope not in machine.scopes:
            known = ", ".join(machine.scopes)
            raise ModelError(f"{machine.name} has no scope {given.scope!r}; it has {known}")
    return [(machine, machine.scopes[given.scope]) for machine in machines]


def _check_all(chosen: list[tuple[Machine[Any], Scope]], file: str | None, out: IO[str]) -> int:
    reports = [check(machine, scope) for machine, scope in chosen]
    print(tabulate([_row(r) for r in reports], headers=COLUMNS, disable_numparse=True), file=out)
    surprises = [(r.machine, text) for r in reports for text in r.surprises()]
    for machine, text in surprises:
        print(f"{machine.name} {machine.design}: {text}", file=out)
    _write({"machines": [r.as_data() for r in reports], "ok": not surprises}, file)
    return 1 if surprises else 0


def _check_one(machine: Machine[Any], scope: Scope, file: str | None, out: IO[str]) -> int:
    report = check(machine, scope)
    print(f"{machine.title}\n{_bounds(scope)}\n", file=out)
    for text in _counterexamples(report):
        print(text + "\n", file=out)
    print(_properties(report) + "\n", file=out)
    for proof in report.proofs:
        if not proof.proved:
            failed = next(o for o in proof.obligations if not o.proved)
            print(f"not inductive: {failed.claim}\n{failed.counterexample}\n", file=out)
    print(tabulate([_row(report)], headers=COLUMNS, disable_numparse=True), file=out)
    for text in report.surprises():
        print(text, file=out)
    _write({**report.as_data(), "ok": not (report.broken or report.surprises())}, file)
    return 1 if report.broken or report.surprises() else 0


def _bounds(scope: Scope) -> str:
    sizes = ", ".join(f"{name} {value}" for name, value in scope.bounds.items())
    return f"scope {scope.name}: {sizes} ({scope.why})"


def _counterexamples(report: Report) -> list[str]:
    """One text for each different trace, headed by the properties that it breaks."""
    texts: dict[str, list[str]] = {}
    for name, verdict in report.exploration.violations.items():
        shown = str(verdict.trace) if verdict.trace else "no reachable state is a witness"
        claim = f"{name} ({' '.join(verdict.property.clauses)}): {verdict.property.summary}"
        texts.setdefault(shown, []).append(f"{verdict.outcome}: {claim}")
    return ["\n".join([*claims, trace]) for trace, claims in texts.items()]


def _properties(report: Report) -> str:
    proofs = {proof.goal: "proved" if proof.proved else "NOT PROVED" for proof in report.proofs}
    rows = [
        [name, v.property.kind, v.outcome, proofs.get(name, ""), " ".join(v.property.clauses)]
        for name, v in report.exploration.verdicts.items()
    ]
    return tabulate(rows, headers=["property", "kind", "states", "any length", "clauses"])


COLUMNS = [
    "model", "design", "states", "generated", "depth", "properties", "witnesses", "proofs", "time",
]  # fmt: skip


def _row(report: Report) -> list[str]:
    seen = report.exploration
    kinds = [v.property.kind for v in seen.verdicts.values()]
    reached = sum(v.outcome == "reached" for v in seen.verdicts.values())
    claims = len(kinds) - kinds.count("sometimes")
    held = f"{claims - len(report.broken)} of {claims} hold"
    if report.broken:
        held = f"{len(report.broken)} broken"
        if report.machine.breaks == report.broken:
            held += ", as in history"
    proved = sum(proof.proved for proof in report.proofs)
    seconds = seen.seconds + sum(proof.seconds for proof in report.proofs)
    return [
        report.machine.name,
        report.machine.design,
        f"{seen.distinct:,}" + ("" if seen.complete else " so far"),
        f"{seen.generated:,}",
        str(seen.depth),
        held,
        f"{reached} of {kinds.count('sometimes')}" if "sometimes" in kinds else "",
        f"{proved} of {len(report.proofs)} proved" if report.proofs else "",
        f"{seconds:.1f} s",
    ]


def _write(data: dict[str, Any], file: str | None) -> None:
    text = json.dumps(data, indent=2) + "\n"
    if file == "-":
        print(text, end="")
    _write_to(file, text, "w")


def _write_to(file: str | None, text: str, mode: str) -> None:
    if file is None or file == "-":
        return
    try:
        with Path(file).open(mode, encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {error.strerror}") from None
