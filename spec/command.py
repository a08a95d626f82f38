"""`brokerspec spec`: the clauses on a terminal, or as JSON for other tools.

It decides how clauses are selected (by prefix of their ids) and shown, and nothing else.
"""

import argparse
import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path

from spec.clauses import LEVELS, Clause, ClauseError, load

EXAMPLE = """example:
  brokerspec spec                      the areas, with the number of their clauses
  brokerspec spec ACKS-02              one clause
  brokerspec spec REPL ELEC --json -   all clauses of two areas, as JSON
"""


def main(arguments: list[str]) -> int:
    """Show the clauses that `arguments` select; return 0, 1 (broken chapters) or 2 (bad input)."""
    asked = read_arguments(arguments)
    try:
        clauses = load()
        selected = select(clauses, asked.prefixes)
    except ClauseError as fault:
        print(fault, file=sys.stderr)
        return 1
    except LookupError as fault:
        print(f"brokerspec spec: {fault.args[0]}", file=sys.stderr)
        return 2
    if asked.json:
        return write_json(selected, asked.json)
    if asked.prefixes:
        print("\n\n".join(show(clause) for clause in selected))
    else:
        print(overview(selected))
    return 0


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="brokerspec spec",
        description="Read the clauses of the specification.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prefixes", nargs="*", metavar="PREFIX", help="an id or its beginning")
    parser.add_argument(
        "--json", metavar="FILE", help="write the clauses as JSON; - for the standard output"
    )
    return parser.parse_args(arguments)


def select(clauses: dict[str, Clause], prefixes: list[str]) -> list[Clause]:
    """The clauses whose id begins with one of `prefixes`, all of them where there is none.

    Raises LookupError with a sentence for a prefix that selects nothing.
    """
    for prefix in prefixes:
        if not any(id_.startswith(prefix.upper()) for id_ in clauses):
            areas = ", ".join(sorted({clause.area for clause in clauses.values()}))
            raise LookupError(f"no clause begins with {prefix!r}; the areas are {areas}.")
    wanted = tuple(prefix.upper() for prefix in prefixes) or ("",)
    return [clause for id_, clause in clauses.items() if id_.startswith(wanted)]


def overview(clauses: list[Clause]) -> str:
    """One line for each area: its clauses by level, and the chapters they stand in."""
    lines = [f"area  clauses  {'  '.join(f'{level:>6}' for level in LEVELS)}  chapter"]
    for area in sorted({clause.area for clause in clauses}):
        of_area = [clause for clause in clauses if clause.area == area]
        levels = Counter(clause.level for clause in of_area)
        counts = "  ".join(f"{levels[level]:6}" for level in LEVELS)
        chapters = ", ".join(sorted({clause.chapter for clause in of_area}))
        lines.append(f"{area}  {len(of_area):7}  {counts}  {chapters}")
    unchecked = sum(clause.unchecked is not None for clause in clauses)
    lines.append(f"\n{len(clauses)} clauses; {unchecked} wait for a property or a check.")
    return "\n".join(lines)


def show(clause: Clause) -> str:
    """A clause as a person reads it."""
    closing = {"Since": clause.since, "Source": clause.source, "Unchecked": clause.unchecked}
    lines = "\n".join(f"- {name}: {value}" for name, value in closing.items() if value)
    return f"{clause.id} ({clause.level}) {clause.title}\n\n{clause.text}\n\n{lines}"


def write_json(clauses: list[Clause], file: str) -> int:
    """Write the clauses as a JSON list of objects with the fields of `Clause`."""
    text = json.dumps(
        [dataclasses.asdict(clause) for clause in clauses], indent=2, ensure_ascii=False
    )
    if file == "-":
        print(text)
        return 0
    try:
        Path(file).write_text(text + "\n", encoding="utf-8")
    except OSError as fault:
        print(f"brokerspec spec: cannot write {file}: {fault.strerror}", file=sys.stderr)
        return 2
    return 0
