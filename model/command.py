"""The command `brokerspec check`: what it takes, and what it refuses."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from model import catalogue, readings
from model.check import Options
from model.engines.explore import CHUNK, Limits
from model.engines.kernels.choose import KERNELS
from model.lang import Machine, ModelError, Scope

if TYPE_CHECKING:
    from model.engines.ray_workers import RayWorkers

EXAMPLES = """examples:
  brokerspec check replication                    every state of the current design
  brokerspec check replication --design kip-101   the shortest way in which that design loses data
  brokerspec check --all                          every model, the designs of the past included
  brokerspec check replication --mutate --scope tiny       what each guard is good for
  brokerspec check replication --property two_logs_differ_at_one_offset    how to get there
  brokerspec check my_protocol.py                 a machine of your own (see model/README.md)
"""


def main(arguments: Sequence[str]) -> int:
    """Run `brokerspec check`; 0 if all is as it must be, 1 if not, 2 for bad input."""
    given = _parser().parse_args(arguments)
    try:
        chosen = _chosen(given)
        out = sys.stderr if given.json == "-" else sys.stdout
        _write_to(given.json, "", "a")  # Not to find out after the work that it cannot be.
        with _workers(given) as workers:
            data, is_good = _run(given, chosen, workers, out)
        if given.json:
            _write(data, given.json)
        return 0 if is_good else 1
    except ModelError as error:
        print(f"brokerspec check: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("brokerspec check: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brokerspec check",
        description="Check the machines of the models: every state at a scope, what runs come to, "
        "the contracts and the proofs.",
        epilog=f"{EXAMPLES}\n{_listing()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="?", help="the model to check, or a file NAME.py with one")
    parser.add_argument("--all", action="store_true", help="check all models in all designs")
    parser.add_argument("--design", help="a design of the past, instead of the current one")
    parser.add_argument("--scope", default="default", help="which scope (default: default)")
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON (- for stdout)")
    exploring = parser.add_argument_group("how to explore")
    exploring.add_argument(
        "--kernel", choices=KERNELS, default="auto", help="what makes the states"
    )
    exploring.add_argument("--symmetry", action="store_true", help="one state of each orbit only")
    exploring.add_argument(
        "--memory",
        type=_positive,
        metavar="MB",
        help="stop at so much memory (default: 3/4 of this machine's)",
    )
    exploring.add_argument("--states", type=_positive, metavar="N", help="stop at so many states")
    exploring.add_argument("--checkpoint", metavar="FILE", help="go on from FILE, and keep it so")
    exploring.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="spread states and runs over a cluster of Ray (without ADDRESS: over the processors "
        "of this machine)",
    )
    readers = parser.add_argument_group("what to do instead of all that is usual")
    only = readers.add_mutually_exclusive_group()
    only.add_argument("--explain", action="store_true", help="say the machine in words")
    only.add_argument("--property", metavar="NAME", help="the shortest run that decides a claim")
    only.add_argument("--mutate", action="store_true", help="drop each guard: what breaks")
    only.add_argument("--prove", action="store_true", help="the proofs, of any length and size")
    only.add_argument(
        "--refine", action="store_true", help="hold the machine against its contract"
    )
    only.add_argument("--simulate", type=_positive, metavar="RUNS", help="random runs")
    only.add_argument("--export", choices=("tla", "mermaid", "dot"), help="write it for others")
    details = parser.add_argument_group("details of these")
    details.add_argument(
        "--trace", choices=("text", "itf", "program"), default="text", help="how runs are written"
    )
    details.add_argument("--seed", type=int, default=0, help="of --simulate (default: 0)")
    details.add_argument(
        "--longest", type=_positive, default=100, help="steps of --simulate (default: 100)"
    )
    details.add_argument("--only", nargs="+", metavar="FIELD", help="what a diagram shows")
    details.add_argument("--to", metavar="FOLDER", help="where --export writes its files")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _usual_memory() -> int | None:
    """Bytes that states may take where nobody said: 3/4 of the machine's, where it says that."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 3 // 4
    except (AttributeError, ValueError, OSError):
        return None


def _listing() -> str:
    lines = ["models and their designs, the current one first:"]
    lines += [f"  {name}: {', '.join(designs)}" for name, designs in catalogue.models().items()]
    return "\n".join(lines)


def _chosen(given: argparse.Namespace) -> list[tuple[Machine[Any], Scope]]:
    if given.all == (given.model is not None):
        raise ModelError(f"name a model, or --all, and not both\n\n{_listing()}")
    if given.all:
        for name in ("design", "property", "export", "checkpoint", "simulate"):
            if getattr(given, name) is not None:
                raise ModelError(f"--all checks every design: leave out --{name}")
        machines = [catalogue.machine(*key) for key in catalogue.MACHINES]
    else:
        machines = [catalogue.machine(given.model, given.design)]
    for machine in machines:
        if given.scope not in machine.scopes:
            known = ", ".join(machine.scopes) or "none: add machine.scope(...)"
            raise ModelError(f"{machine.name} has no scope {given.scope!r}; it has {known}")
    return [(machine, machine.scopes[given.scope]) for machine in machines]


def _workers(given: argparse.Namespace) -> AbstractContextManager[RayWorkers | None]:
    """The workers of --ray, if it was given."""
    if given.ray is None:
        return nullcontext()
    if given.kernel != "auto":
        raise ModelError("the workers of Ray have a kernel of their own: leave out --kernel")
    for name in ("explain", "mutate", "prove", "refine", "export"):
        if getattr(given, name):
            raise ModelError(f"only states and runs are spread over Ray, and not --{name}")
    from model.engines.ray_workers import ray_workers

    return ray_workers(given.ray)


def _run(
    given: argparse.Namespace,
    chosen: list[tuple[Machine[Any], Scope]],
    workers: RayWorkers | None,
    out: IO[str],
) -> tuple[Any, bool]:
    """What the reader that was asked for says, as data, and whether it is good."""
    options = Options(
        Limits(
            states=given.states,
            bytes=given.memory * 1_000_000 if given.memory else _usual_memory(),
            file=Path(given.checkpoint) if given.checkpoint else None,
            chunk=CHUNK * (workers.count if workers else 1),
        ),
        workers.kernel if workers else given.kernel,
        given.symmetry,
    )
    for name in ("explain", "mutate", "prove", "refine"):
        if getattr(given, name):
            applicable = [each for each in chosen if readings.applies(name, each[0])]
            results = [getattr(readings, name)(*e, options, out) for e in applicable or chosen]
            data = [result[0] for result in results]
            good = all(result[1] for result in results)
            return ({"machines": data, "ok": good} if given.all else data[0]), good
    if given.all:
        return readings.everything(chosen, options, out)
    machine, scope = chosen[0]
    if given.simulate:
        return readings.simulation(machine, scope, given, workers, out)
    if given.export:
        folder = Path(given.to) if given.to else None
        return readings.export(machine, scope, given.export, given.only, folder, out)
    if given.property:
        return readings.decided(machine, scope, given.property, given.trace, options, out)
    return readings.usual(machine, scope, given.trace, options, out)


def _write(data: Any, file: str) -> None:
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
