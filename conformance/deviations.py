"""The differences that are known: which violation of which broker has a ticket.

`spec/deviations.md` holds them in tables with the columns Target, Versions, Clause, Ticket, What
differs. Versions are patterns, separated by commas (`4.4.0`, `4.*`, `*`); a clause is an id or any
other prefix of checks. A listed violation is reported as a deviation and does not fail a run.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import spec
from conformance.check import Check, matches

COLUMNS = ["Target", "Versions", "Clause", "Ticket", "What differs"]
DEFAULT = Path(spec.__file__).parent / "deviations.md"


class DeviationsError(ValueError):
    """The file cannot be used; the argument is one line for the user."""


@dataclass(frozen=True)
class Deviation:
    """One line of the table."""

    target: str
    versions: tuple[str, ...]
    clause: str
    ticket: str
    what_differs: str

    def covers(self, target: str, version: str, check: Check) -> bool:
        return (
            self.target == target
            and any(fnmatchcase(version, pattern) for pattern in self.versions)
            and matches(check, self.clause)
        )


def load(path: Path | None) -> list[Deviation]:
    """The deviations of a file; of `spec/deviations.md` for None. Raises DeviationsError."""
    if path is None and not DEFAULT.exists():
        return []
    path = path or DEFAULT
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviationsError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise DeviationsError(f"{path}: {error}") from None


def parse(text: str) -> list[Deviation]:
    """The rows of every table with our columns; other tables and prose are passed over.

    >>> row = "| tansu | 0.6.*, 0.7.0 | ACKS-01 | #12 | It accepts acks=2. |"
    >>> parse("| " + " | ".join(COLUMNS) + " |\\n|---|---|---|---|---|\\n" + row)[0].versions
    ('0.6.*', '0.7.0')
    """
    found: list[Deviation] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells == COLUMNS:
            inside = True
        elif inside and not set("".join(cells)) <= set("-: "):
            if len(cells) != len(COLUMNS) or not all(cells):
                raise ValueError(f"line {number} needs {len(COLUMNS)} filled columns.")
            target, versions, clause, ticket, what = cells
            patterns = tuple(pattern.strip() for pattern in versions.split(","))
            found.append(Deviation(target, patterns, clause.strip("`"), ticket, what))
    return found
