"""What `brokerspec check` prints for each reader. Each returns data for programs, and whether it
is good.
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tabulate import tabulate

from model import catalogue, show
from model.check import Options, check
from model.engines.explore import Exploration, explore
from model.engines.runs.trace import Trace
from model.explain import explain as explained
from model.lang import Bound, Machine, ModelError, Record, Scope, Sort
from model.lang.terms import Term
from model.progress import Progress

if TYPE_CHECKING:
    from model.engines.ray_workers import RayWorkers

Result = tuple[Any, bool]
CORES = os.cpu_count() or 1


def usual(
    machine: Machine[Any], scope: Scope, form: str, options: Options, out: IO[str]
) -> Result:
    """All that applies to one machine."""
    with Progress() as progress:
        report = check(machine, scope, replace(options, progress=progress))
    if form != "text":
        _print_runs(report.exploration, form, out)
        return report.as_data(), report.is_good
    print(show.title(report) + "\n", file=out)
    for text in show.counterexamples(report):
        print(text + "\n", file=out)
    print(f"{show.claims(report)}\n\n{show.coverage(report)}\n", file=out)
    print(show.summary([report]), file=out)
    for text in report.surprises():
        print(text, file=out)
    return {**report.as_data(), "ok": report.is_good}, report.is_good


def everything(chosen: list[tuple[Machine[Any], Scope]], options: Options, out: IO[str]) -> Result:
    """All machines, one row each."""
    with Progress() as progress:
        reports = [check(*each, replace(options, progress=progress)) for each in chosen]
    print(show.summary(reports), file=out)
    surprises = [(r.machine, text) for r in reports for text in r.surprises()]
    for machine, text in surprises:
        print(f"{machine.name} {machine.design}: {text}", file=out)
    return {"machines": [r.as_data() for r in reports], "ok": not surprises}, not surprises


def decided(
    machine: Machine[Any], scope: Scope, name: str, form: str, options: Options, out: IO[str]
) -> Result:
    """The run that decides one claim: a counterexample or a witness."""
    if name in machine.liveness:
        report = check(machine, scope, options)
        outcome = next((o for o in report.liveness if o.claim.name == name), None)
        text = "undecided" if outcome is None else str(outcome.trace or "holds")
        print(text, file=out)
        return report.as_data(), outcome is not None and outcome.holds
    if name not in machine.properties:
        known = ", ".join([*machine.properties, *machine.liveness])
        raise ModelError(f"{machine.name} has no claim {name!r}; it has {known}")
    # Further than what breaks first, but not when all is said of this claim.
    only = replace(
        machine, properties={name: machine.properties[name]}, breaks={}, liveness={}, proofs={}
    )
    with Progress() as progress:
        seen = explore(
            only, scope, options.limits, kernel=options.kernel, symmetric=options.symmetric,
            progress=progress,
        )  # fmt: skip
    verdict = seen.verdicts[name]
    if form == "text":
        print(f"{verdict.outcome}: {name}: {verdict.property.summary}", file=out)
        print(verdict.trace or f"in all {seen.distinct:,} states", file=out)
    else:
        _print_runs(seen, form, out)
    actions = verdict.trace.actions if verdict.trace else None
    good = verdict.outcome in ("holds", "reached")
    return {"property": name, "verdict": verdict.outcome, "actions": actions, "ok": good}, good


def applies(reader: str, machine: Machine[Any]) -> bool:
    """Has the machine what this reader reads; where it has not, the reader says so."""
    if reader == "prove":
        return bool(catalogue.proof_machine(machine).proofs)
    if reader == "refine":
        return bool(catalogue.observed_machine(machine).refinements)
    return True


def explain(machine: Machine[Any], scope: Scope, options: Options, out: IO[str]) -> Result:  # noqa: ARG001
    """The machine in words."""
    text = explained(machine)
    print(text, file=out)
    return {"model": machine.name, "text": text}, True


def mutate(machine: Machine[Any], scope: Scope, options: Options, out: IO[str]) -> Result:  # noqa: ARG001
    """What each guard, and each mutant, is good for."""
    from model.engines.mutate import mutate as fates_of

    fates = fates_of(machine, scope, observed=catalogue.observed_machine(machine))
    print(f"{machine.title}\n{show.bounds(scope)}\n", file=out)
    rows = [fate.row() for fate in fates]
    print(tabulate(rows, headers=["without", "fate", "states"], maxcolwidths=[None, 70]), file=out)
    return {"model": machine.name, "fates": [f.as_data() for f in fates]}, True


def refine(machine: Machine[Any], scope: Scope, options: Options, out: IO[str]) -> Result:  # noqa: ARG001
    """The machine held against its contracts."""
    from model.engines.refine import refine as held

    seen = catalogue.observed_machine(machine)
    if not seen.refinements:
        raise ModelError(f"{machine.name} has no contract")
    found = [held(seen, scope, refinement) for refinement in seen.refinements.values()]
    print("\n\n".join(str(refined) for refined in found), file=out)
    good = all(refined.failure is None for refined in found)
    return {"contracts": [refined.as_data() for refined in found], "ok": good}, good


def export(
    machine: Machine[Any],
    scope: Scope,
    form: str,
    only: list[str] | None,
    folder: Path | None,
    out: IO[str],
) -> Result:
    """The machine for other tools: on standard output, or as files in a folder."""
    from model.engines.export import diagram, tla

    name = tla.module_name(machine)
    if form == "tla":
        files = {
            f"{name}.tla": tla.module_of(machine, scope),
            f"{name}.cfg": tla.config_of(machine, scope),
        }
    elif form == "mermaid":
        files = {f"{name}.mmd": diagram.mermaid(machine, scope, only=only)}
    else:
        files = {f"{name}.dot": diagram.dot(machine, scope, only=only)}
    for file, text in files.items():
        if folder is None:
            print(text, file=out)
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{folder / file} cannot be written: {error.strerror}") from None
        print(folder / file, file=out)
    return {"files": files}, True


def prove(machine: Machine[Any], scope: Scope, options: Options, out: IO[str]) -> Result:  # noqa: ARG001
    """The proofs, without limits to numbers and lengths; only the sorts have the scope's sizes."""
    from model.engines.smt.unbounded import prove_unbounded

    proved = catalogue.proof_machine(machine)
    if not proved.proofs:
        raise ModelError(f"{machine.name} {machine.design} has no proof")
    sizes = sort_sizes(machine, scope)
    given = catalogue.rests_on(machine)
    proofs = [
        prove_unbounded(proved, sizes, goal, given=given, processes=CORES)
        for goal in proved.proofs
    ]
    shown = ", ".join(f"{name} {size}" for name, size in sizes.items()) or "no sorts"
    print(
        f"{machine.title}\nfor runs of any length, with {shown}; other sizes unbounded\n", file=out
    )
    rows = [
        [p.goal, len(p.lemmas), len(p.obligations), show.proof_outcome(p), f"{p.seconds:.1f} s"]
        for p in proofs
    ]
    print(tabulate(rows, headers=["goal", "lemmas", "obligations", "outcome", "time"]), file=out)
    for text in show.open_obligations(proofs):
        print("\n" + text, file=out)
    good = all(proof.proved for proof in proofs)
    data = {proof.goal: proof.as_data() for proof in proofs}
    return {"model": machine.name, "sizes": sizes, "proofs": data, "ok": good}, good


def simulation(
    machine: Machine[Any],
    scope: Scope,
    given: Namespace,
    workers: RayWorkers | None,
    out: IO[str],
) -> Result:
    """Random runs, here or by workers."""
    from model.engines.runs.simulate import simulate

    spread = workers.tallies(machine, scope, given.longest, given.seed) if workers else None
    found = simulate(machine, scope, given.simulate, given.longest, given.seed, spread)
    print(f"{machine.title}\n{show.bounds(scope)}\n", file=out)
    for name, trace in found.broken.items():
        print(
            f"violated: {name}\n{_written(machine, scope, name, trace, given.trace)}\n", file=out
        )
    rows = [[name, f"{count:,}"] for name, count in found.fired.items()]
    print(tabulate(rows, headers=["action", "steps"], colalign=("left", "right")), file=out)
    print(
        f"\n{found.runs:,} runs with seed {given.seed}, {found.steps:,} steps in "
        f"{found.seconds:.1f} s; {found.ended:,} came to an end. Nothing is said of what no run "
        "reached.",
        file=out,
    )
    data = {
        "model": machine.name, "runs": found.runs, "steps": found.steps, "seed": given.seed,
        "actions": found.fired, "reached": list(found.reached),
        "broken": {name: trace.actions for name, trace in found.broken.items()},
    }  # fmt: skip
    return {**data, "ok": not found.broken}, not found.broken


def _print_runs(seen: Exploration, form: str, out: IO[str]) -> None:
    """The runs that decide claims, in another form than text."""
    runs = {name: v.trace for name, v in seen.verdicts.items() if v.trace is not None}
    if not runs:
        raise ModelError(f"no run decides a claim here, so there is nothing to write as {form}")
    for name, trace in runs.items():
        print(_written(seen.machine, seen.scope, name, trace, form), file=out)


def _written(machine: Machine[Any], scope: Scope, name: str, trace: Trace, form: str) -> str:
    """A run that decides a claim, in one of the forms of --trace."""
    if form == "itf":
        from model.engines.export.itf import itf_of

        return json.dumps(itf_of(trace))
    if form == "program":
        from model.engines.runs.replay import program

        return program(machine, scope, name, trace)
    return str(trace)


def sort_sizes(machine: Machine[Any], scope: Scope) -> dict[str, int]:
    """The bounds of a scope that say how many values the sorts of a state have."""
    return {bound: scope.bounds[bound] for bound in sorted(_sort_bounds(machine.state))}


def _sort_bounds(of: type[Term]) -> set[str]:
    """The names of the bounds that say how many values the sorts in a type have."""
    if issubclass(of, Sort):
        return {of.size.name} if isinstance(of.size, Bound) else set()
    parts = list(of.fields().values()) if issubclass(of, Record) else []
    parts += [part for name in ("key", "item") if (part := getattr(of, name, None))]
    return {name for part in parts for name in _sort_bounds(part)}
