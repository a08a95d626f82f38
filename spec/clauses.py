"""The one reader of clauses: which headings of `spec/*.md` are clauses, and are they well formed?

It decides what a clause is (the grammar stands in `spec/README.md`), and refuses to know what any
of them means, who proves it or who checks it. Whoever needs the clauses asks `load`; nobody else
parses the chapters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

LEVELS = ("MUST", "SHOULD", "MAY")  # strongest first
REQUIRED_LINES = ("Since", "Source")
OPTIONAL_LINES = ("Unchecked",)

CLAUSE_HEADING = re.compile(
    r"### (?P<id>(?P<area>[A-Z]{4})-\d{2}) \((?P<level>[A-Z]+)\) (?P<title>\S.*)"
)
CLOSING_LINE = re.compile(
    rf"- (?P<name>{'|'.join(REQUIRED_LINES + OPTIONAL_LINES)}):(?P<value>.*)"
)
VERSION = re.compile(r"\d+\.\d+(\.\d+)?\b")


class ClauseError(ValueError):
    """The chapters are not well formed; one sentence with file and line for each fault."""


@dataclass(frozen=True)
class Clause:
    """One numbered requirement.

    `text` is everything between the heading and the closing lines, `since` begins with the first
    version of Apache Kafka of which it holds, `chapter` is a file name, and `unchecked` is the
    reason why neither a property nor a check exists, or None where one does.
    """

    id: str
    area: str
    level: str
    title: str
    text: str
    since: str
    source: str
    chapter: str
    unchecked: str | None


@dataclass(frozen=True)
class Section:
    """A heading of level 3 and the lines below it: a clause, if it is well formed."""

    path: Path
    number: int
    heading: str
    lines: list[str]

    def fault(self, sentence: str, line: int = 0) -> ClauseError:
        """A sentence with its place; `line` counts from the heading."""
        path = self.path
        return ClauseError(f"{path.parent.name}/{path.name}:{self.number + line}: {sentence}")


def load(folder: Path | None = None) -> dict[str, Clause]:
    """All clauses of the chapters in `folder` (default: this package's), in order of their ids.

    Raises ClauseError with every fault that was found, one a line.
    """
    found: dict[str, tuple[Clause, Section]] = {}
    faults: list[str] = []
    for path in sorted((folder or HERE).glob("*.md")):
        for section in sections(path):
            try:
                clause = parse(section)
                if clause.id in found:
                    first = found[clause.id][1]
                    place = f"{first.path.name}:{first.number}"
                    raise section.fault(
                        f"{clause.id} stands already in {place}; ids are not reused."
                    )
                found[clause.id] = clause, section
            except ClauseError as fault:
                faults.append(str(fault))
    if faults:
        raise ClauseError("\n".join(faults))
    return {id_: found[id_][0] for id_ in sorted(found)}


def sections(path: Path) -> Iterator[Section]:
    """The sections of level 3 of a chapter; a section ends at the next heading of level 1 to 3."""
    current: Section | None = None
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("```"):
            fenced = not fenced
        heading = None if fenced else re.match(r"#{1,3}(?!#)", line)
        if heading and current:
            yield current
            current = None
        if heading and len(heading[0]) == 3:
            current = Section(path, number, line, [])
        elif current:
            current.lines.append(line)
    if current:
        yield current


def parse(section: Section) -> Clause:
    """The clause that a section holds, or ClauseError."""
    heading = CLAUSE_HEADING.fullmatch(section.heading.rstrip())
    if not heading:
        raise section.fault(
            "A heading of level 3 is a clause and reads '### ACKS-02 (MUST) Title', "
            f"not {section.heading!r}."
        )
    text, closing = split_closing_lines(section)
    id_, level = heading["id"], heading["level"]
    for name in REQUIRED_LINES:
        if name not in closing:
            raise section.fault(f"{id_} has no line '- {name}: ...'.")
    if not VERSION.match(closing["Since"]):
        raise section.fault(
            f"'Since' of {id_} begins with a version such as 0.11.0, not {closing['Since']!r}."
        )
    strongest = next((word for word in LEVELS if re.search(rf"\b{word}\b", text)), None)
    if strongest is None:
        raise section.fault(f"{id_} demands nothing: its text has none of {', '.join(LEVELS)}.")
    if level != strongest:
        raise section.fault(
            f"{id_} is headed {level} but the strongest word of its text is {strongest}."
        )
    return Clause(
        id=id_,
        area=heading["area"],
        level=level,
        title=heading["title"].strip(),
        text=text,
        since=closing["Since"],
        source=closing["Source"],
        chapter=section.path.name,
        unchecked=closing.get("Unchecked"),
    )


def split_closing_lines(section: Section) -> tuple[str, dict[str, str]]:
    """The text of a section, and its closing lines, whose values may go on in indented lines."""
    text: list[str] = []
    closing: dict[str, str] = {}
    name = ""
    for number, line in enumerate(section.lines, start=1):
        if match := CLOSING_LINE.fullmatch(line):
            name = match["name"]
            if name in closing:
                raise section.fault(f"A second line '- {name}:' in one clause.", number)
            closing[name] = match["value"].strip()
        elif not closing:
            text.append(line)
        elif line.startswith("  ") and line.strip():
            closing[name] = f"{closing[name]} {line.strip()}".strip()
        elif line.strip():
            raise section.fault("Text after the closing lines belongs before them.", number)
    for name, value in closing.items():
        if not value:
            raise section.fault(f"The line '- {name}:' is empty.")
    return "\n".join(text).strip(), closing
