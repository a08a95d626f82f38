"""`brokerspec conform`: the command line of the suite. It parses, and decides nothing itself."""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from conformance import deviations, report
from conformance.broker import TargetError
from conformance.check import SelectionError, registry, select
from conformance.runner import CHECK_TIMEOUT_S, Plan, Result, run
from conformance.targets.catalogue import TARGETS, open_target, parse_address
from conformance.targets.target import Running, Target
from spec import clauses

GOOD, BROKEN, BAD_INPUT = 0, 1, 2
DEFAULT_TARGET = "reference"

EXAMPLE = """\
examples:
  brokerspec conform                                        the reference broker, every check
  brokerspec conform --target apache-kafka ACKS WIRE-07     two selections, against Apache Kafka
  brokerspec conform --bootstrap-server 127.0.0.1:9092      a broker that is running already

exit status: 0 nothing is violated; 1 something is, or no check was conclusive, or the broker died
during the run; 2 bad input, or the broker cannot be reached or started.
"""


class InputError(ValueError):
    """The command line cannot be carried out; the argument is one line for the user."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit status."""
    options = parser().parse_args(arguments)
    try:
        return conform(options)
    except (
        InputError,
        SelectionError,
        TargetError,
        clauses.ClauseError,
        deviations.DeviationsError,
    ) as error:
        print(f"brokerspec conform: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("brokerspec conform: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="brokerspec conform",
        description="Hold a broker against the specification, over TCP.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add(
        "checks",
        nargs="*",
        metavar="CHECK",
        help="area, clause or check: ACKS, ACKS-02, ACKS-02/...",
    )
    where = found.add_mutually_exclusive_group()
    targets = (
        f"start a broker and test it: {', '.join(TARGETS)}; apache-kafka:VERSION for one version"
    )
    where.add_argument("--target", metavar="NAME", help=targets)
    where.add_argument("--bootstrap-server", metavar="HOST:PORT", help="test a running broker")
    add(
        "--nodes",
        type=positive_int,
        metavar="N",
        help="run everything on a cluster of N nodes (default: one node, and a cluster of three"
        " for the checks that need one)",
    )
    add(
        "--list",
        action="store_true",
        help="show the checks with clause and level, and run nothing",
    )
    add("--json", metavar="FILE", help="also write the report as JSON; - for the standard output")
    add(
        "--junit",
        metavar="FILE",
        help="also write the report as JUnit XML; - for the standard output",
    )
    add(
        "--jobs",
        type=positive_int,
        default=4,
        metavar="N",
        help="run N checks at once (default: 4)",
    )
    add(
        "--timeout",
        type=positive_float,
        default=CHECK_TIMEOUT_S,
        metavar="S",
        help="seconds for each check (default: %(default)g)",
    )
    add(
        "--deviations",
        type=Path,
        metavar="FILE",
        help="known deviations (default: spec/deviations.md)",
    )
    return found


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def positive_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def conform(options: argparse.Namespace) -> int:
    """Carry out the parsed command line."""
    if options.json == "-" and options.junit == "-":
        raise InputError("--json - and --junit - cannot both have the standard output.")
    known_clauses = clauses.load()
    refuse_clauses_without_check(options.checks, known_clauses)
    checks = select(registry(), options.checks)
    if options.list:
        print(report.listing(checks, known_clauses))
        return GOOD
    for path in (options.json, options.junit):
        if path not in (None, "-"):
            write_report(path, "", "a")  # Not to find out after the run that it cannot be.
    known = deviations.load(options.deviations)
    target = choose_target(options)
    progress = Progress(len(checks)) if sys.stderr.isatty() else None
    plan = Plan(
        clauses=known_clauses,
        deviations=known,
        jobs=options.jobs,
        timeout=options.timeout,
        progress=progress.show if progress else lambda _: None,
    )
    former = signal.signal(signal.SIGTERM, interrupt)
    started = time.monotonic()
    try:
        target.start()
        results = run(checks, target, plan)
        answers = target.answers()
    finally:
        target.stop()
        signal.signal(signal.SIGTERM, former)
        if progress:
            progress.clear()
    seconds = time.monotonic() - started
    done = report.Report.of(target, results, known_clauses, seconds, answers)
    publish(done, options)
    return done.status


def refuse_clauses_without_check(
    asked: Sequence[str], known: Mapping[str, clauses.Clause]
) -> None:
    """Say of a clause that exists why nothing can be run for it. Raises InputError."""
    checked = {check.clause for check in registry()}
    for name in asked:
        if name in known and name not in checked:
            reason = known[name].unchecked or "a property of a model stands for it"
            raise InputError(f"{name} has no check: {reason}.")


def choose_target(options: argparse.Namespace) -> Target:
    if options.bootstrap_server:
        if options.nodes:
            raise InputError("--nodes is for a target that is started: leave it out.")
        return Running(parse_address(options.bootstrap_server))
    target = open_target(options.target or DEFAULT_TARGET)
    return target.under({}, options.nodes) if options.nodes else target


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """Take SIGTERM as Ctrl-C, so that the broker under test is stopped on the way out."""
    del number, frame
    raise KeyboardInterrupt


def publish(done: report.Report, options: argparse.Namespace) -> None:
    """Write the reports that were asked for; the text goes where no other report goes."""
    documents = [(options.json, report.as_json), (options.junit, report.as_junit)]
    piped = "-" in (options.json, options.junit)
    print(report.text(done), end="", file=sys.stderr if piped else sys.stdout)
    for path, write in documents:
        if path == "-":
            print(write(done), end="")
        elif path:
            write_report(path, write(done))


def write_report(path: str, text: str, mode: str = "w") -> None:
    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None


class Progress:
    """One line on a terminal that says how far the run is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done: set[str] = set()

    def show(self, result: Result) -> None:
        self.done.add(result.check.id)
        line = f"{len(self.done)}/{self.total} {result.check.id}"
        print(f"\r\x1b[K{line[:79]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
