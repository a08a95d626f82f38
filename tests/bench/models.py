"""How fast the explorers are, side by side: `python -m tests.bench.models [--runs N]`.

All explore replication with KIP-320 fencing; what is not installed is left out. They take turns in
one process, and the medians are shown. Seconds are those of the exploration alone; what it takes
to generate, compile and load is in a column of its own. "bound" is explorer.c, written by hand.
The command fails where two rows of one scope do not count the same.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabulate import tabulate

from model import catalogue
from model.engines.explore import CHUNK, problem_of
from model.engines.kernels import Kernel, Problem
from model.engines.lowering.lower import Lowering
from model.lang import Scope
from tests.bench import minicheck_replication, spin

BOUNDS = ("brokers", "log_size", "max_records", "max_leader_epoch")
SMALL, LARGE = (3, 2, 2, 2), (3, 2, 2, 3)
BOUND = "bound: C by hand"


@dataclass(frozen=True)
class Run:
    """One exploration; None is what an explorer does not say."""

    seconds: float
    distinct: int
    generated: int | None
    depth: int | None
    bytes: int | None
    build: float = 0.0


@dataclass
class Row:
    """One explorer at one scope; `runs` are all but those of the slow ones repeated."""

    scope: str
    name: str
    run: Callable[[], Run]
    most_runs: int = 1000
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def counts(self) -> tuple[int, int | None, int | None]:
        """Distinct, generated, depth."""
        return self.runs[0].distinct, self.runs[0].generated, self.runs[0].depth


def problem(bounds: tuple[int, ...], symmetric: bool = False) -> Problem:
    """Replication at these bounds, all of its properties watched."""
    scope = Scope("bench", dict(zip(BOUNDS, bounds, strict=True)), "")
    return problem_of(Lowering(catalogue.machine("replication"), scope), symmetric)


def by_hand(bounds: tuple[int, ...], scratch: Path) -> Run:
    """Build and run explorer.c, with states of one word if that is enough."""
    brokers, log_size, records, last_epoch = bounds
    names = {"BROKERS": brokers, "LOG": log_size, "RECORDS": records, "EPOCHS": last_epoch + 1}
    source, program = Path(__file__).with_name("explorer.c"), scratch / f"explorer{bounds}"
    began = time.perf_counter()
    if not program.exists():
        command = ["cc", "-O3", "-march=native", *(f"-D{n}={v}" for n, v in names.items())]
        command += [str(source), "-o", str(program)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            subprocess.run([*command, "-DWIDE"], check=True)
    build = time.perf_counter() - began
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    distinct, generated, depth, weak, strong, held = map(int, (*printed[:5], printed[6]))
    if weak or strong:
        raise SystemExit("explorer.c finds violations")
    return Run(float(printed[5]), distinct, generated, depth, held, build)


def by_kernel(make: Callable[[Problem], Kernel], explored: Problem) -> Run:
    """Explore with one of our kernels as `explore` does."""
    began = time.perf_counter()
    kernel = make(explored)
    ready = time.perf_counter()
    while kernel.expanded < kernel.distinct:
        kernel.expand(CHUNK)
    seconds = time.perf_counter() - ready
    run = Run(
        seconds, kernel.distinct, kernel.generated, kernel.depth, kernel.bytes, ready - began
    )
    kernel.close()
    return run


def by_minicheck(bounds: tuple[int, ...]) -> Run:
    """Explore with minicheck, which says neither depth nor bytes."""
    minicheck: Any = import_module("minicheck")
    steps = minicheck_replication.Steps(*bounds[1:])
    machine = minicheck.Protocol(
        "replication", False, minicheck_replication.FIELDS,
        minicheck_replication.first(bounds[0]), steps, minicheck_replication.INVARIANTS,
    )  # fmt: skip
    began = time.perf_counter()
    answer = minicheck.check_safety(machine, max_states=10**9)
    seconds = time.perf_counter() - began
    if not all(found["holds"] for found in answer["properties"].values()):
        raise SystemExit("minicheck finds violations")
    return Run(seconds, answer["reachable_states"], steps.made + 1, None, None)


def by_spin(bounds: tuple[int, ...], scratch: Path) -> Run:
    """Explore with SPIN, depth first, so that its depth is another."""
    seconds, distinct, generated, held, build = spin.explore(bounds, scratch)
    return Run(seconds, distinct, generated, None, held, build)


def rows(scratch: Path) -> Iterator[Row]:
    """All that can run here."""
    compiled = import_module("model.engines.kernels.compiled").Compiled
    plain = import_module("model.engines.kernels.plain").Plain
    one, both = partial(compiled, threads=1), partial(compiled, threads=2)
    kernels: dict[str, Any] = {"C, 1 thread": one, "C, 2 threads": both}
    if find_spec("model.engines.kernels.vectors"):
        kernels["numpy"] = import_module("model.engines.kernels.vectors").Vectors
    small, large = problem(SMALL), problem(LARGE)
    yield Row("3,2,2,2", BOUND, partial(by_hand, SMALL, scratch))
    for name, make in kernels.items():
        yield Row("3,2,2,2", name, partial(by_kernel, make, small))
    yield Row("3,2,2,2", "plain", partial(by_kernel, plain, small), 1)
    if find_spec("minicheck"):
        yield Row("3,2,2,2", "minicheck", partial(by_minicheck, SMALL), 1)
    if spin.is_there():
        yield Row("3,2,2,2", "SPIN", partial(by_spin, SMALL, scratch), 3)
    if find_spec("model.engines.symmetry"):
        orbits = problem(SMALL, symmetric=True)
        for name, make in kernels.items():
            yield Row("3,2,2,2 orbits", name, partial(by_kernel, make, orbits))
    yield Row("3,2,2,3", BOUND, partial(by_hand, LARGE, scratch), 3)
    for name, make in kernels.items():
        yield Row("3,2,2,3", name, partial(by_kernel, make, large), 3)


def differing(compared: list[Row]) -> list[str]:
    """What two rows of one scope do not agree on."""
    found = []
    for scope in dict.fromkeys(row.scope for row in compared):
        of_scope = [row for row in compared if row.scope == scope]
        for counts in zip(*(row.counts for row in of_scope), strict=True):
            if len({count for count in counts if count is not None}) > 1:
                said = ", ".join(f"{r.name} {c}" for r, c in zip(of_scope, counts, strict=True))
                found.append(f"{scope}: {said}")
    return found


def shown(row: Row, bound: float) -> list[object]:
    """A line of the table."""
    held = row.runs[0].bytes
    return [
        row.scope, row.name, row.seconds, row.seconds / bound,
        row.runs[0].distinct / row.seconds / 1e6,
        held and round(held / row.runs[0].distinct), row.runs[0].build, *row.counts,
    ]  # fmt: skip


HEAD = ("scope", "explorer", "seconds", "x bound", "M distinct/s", "bytes/state", "build s",
        "distinct", "generated", "depth")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="of each explorer (default: 5)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        os.environ["XDG_CACHE_HOME"] = directory  # The first build is a cold one.
        compared = list(rows(scratch))
        for number in range(runs):
            for row in compared:
                if number < row.most_runs:
                    row.runs.append(row.run())
    bounds = {row.scope: row.seconds for row in compared if row.name == BOUND}
    lines = [shown(row, bounds[row.scope.split()[0]]) for row in compared]
    print(tabulate(lines, HEAD, floatfmt=("", "", ".3f", ".2f", ".2f", "", ".2f"), missingval="-"))
    for said in differing(compared):
        print(f"counts differ at {said}")
    return 1 if differing(compared) else 0


if __name__ == "__main__":
    raise SystemExit(main())
