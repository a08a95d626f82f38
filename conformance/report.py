"""How a run is told: tables and failures for people, JSON and JUnit XML for machines.

It only arranges what the runner found. A failure is told in five blocks, always in the same order:
the clause, what we did, what is permitted, what came back, and how to run it again.
"""

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from tabulate import tabulate

from conformance.check import Check
from conformance.client import Versions
from conformance.runner import Result
from conformance.targets.target import Target
from conformance.verdict import Verdict
from spec.clauses import Clause

WIDTH = 99
FAILED = (Verdict.VIOLATION, Verdict.DEVIATION)
HEADINGS = {
    Verdict.PASS: "passed",
    Verdict.VIOLATION: "violated",
    Verdict.DEVIATION: "deviations",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_APPLICABLE: "not applicable",
}
FORMAT = 1
"""The version of the JSON document; it grows when a reader of the old one would be misled."""


@dataclass(frozen=True)
class Report:
    """One run of the suite: against what, which clauses, with what results."""

    target: str
    version: str
    apis: Versions
    results: Sequence[Result]
    clauses: Mapping[str, Clause] = field(default_factory=dict)
    seconds: float = 0.0
    answers: bool = True
    """Whether the broker still answered when the run was over."""

    @staticmethod
    def of(
        target: Target,
        results: Sequence[Result],
        clauses: Mapping[str, Clause],
        seconds: float,
        answers: bool,
    ) -> "Report":
        name, version = target.profile.name, target.profile.version
        return Report(name, version, target.versions, results, clauses, seconds, answers)

    @property
    def counts(self) -> dict[Verdict, int]:
        found = Counter(result.verdict for result in self.results)
        return {verdict: found[verdict] for verdict in Verdict}

    @property
    def status(self) -> int:
        """0 if nothing is violated, something was concluded and the broker lives, else 1."""
        conclusive = any(result.verdict.conclusive for result in self.results)
        good = conclusive and self.answers and not self.counts[Verdict.VIOLATION]
        return 0 if good else 1


# For people


def text(report: Report) -> str:
    """The whole report as it stands in a terminal: failures first, what matters most last."""
    parts = [
        failure(result, report.clauses) for result in report.results if result.verdict in FAILED
    ]
    for verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE):
        parts += reasons(verdict, report.results)
    parts += findings(report.results)
    parts += [areas(report.results), summary(report)]
    return "\n\n".join(parts) + "\n"


def failure(result: Result, clauses: Mapping[str, Clause]) -> str:
    """One violation or deviation in five blocks."""
    check, judgement = result.check, result.judgement
    clause = clauses.get(check.clause)
    title = f"{check.clause} ({result.level}) {clause.title}" if clause else check.clause
    lines = [f"{result.verdict.name} {check.id}", "", f"  The clause: {title}"]
    lines += indent(first_paragraph(clause.text)) if clause else []
    lines += indent(f"Demanded: {check.sentence}")
    lines += ["", "  What we did:", *(f"   {step}" for step in result.steps)]
    if judgement:
        lines += ["", "  What is permitted:", *indent(f"{judgement.what}: {judgement.permitted}")]
        lines += [*indent(judgement.because), "", "  What came back:"]
        lines += indent(f"{judgement.what}: {judgement.got}")
    if result.reason.startswith("known"):
        lines += indent(result.reason)
    return "\n".join([*lines, "", "  Run it again:", f"    {result.rerun}"])


def first_paragraph(prose: str) -> str:
    return " ".join(prose.split("\n\n", 1)[0].split())


def indent(prose: str) -> list[str]:
    return textwrap.wrap(prose, WIDTH - 4, initial_indent="    ", subsequent_indent="    ")


def reasons(verdict: Verdict, results: Iterable[Result]) -> list[str]:
    """The checks that concluded nothing, grouped by the reason; a block, or no block."""
    grouped: dict[str, list[str]] = {}
    for result in results:
        if result.verdict is verdict:
            grouped.setdefault(result.reason, []).append(result.check.id)
    if not grouped:
        return []
    lines = [HEADINGS[verdict].capitalize()]
    for reason, ids in grouped.items():
        lines.append(f"  {reason}")
        lines += [f"    {id_}" for id_ in ids]
    return ["\n".join(lines)]


def findings(results: Iterable[Result]) -> list[str]:
    """What was odd in answers and judged by no check; each once, with the check that met it."""
    first: dict[str, str] = {}
    for result in results:
        for finding in result.findings:
            first.setdefault(without_number(finding), result.check.id)
    if not first:
        return []
    lines = [f"  {finding} ({id_})" for finding, id_ in first.items()]
    return ["\n".join(["Odd answers, judged by no check", *lines])]


def without_number(finding: str) -> str:
    """A finding without the correlation id of the request (`Produce v9 #3: ...`)."""
    request, colon, rest = finding.partition(": ")
    return request.partition(" #")[0] + colon + rest


def areas(results: Sequence[Result]) -> str:
    """How many checks of each area came to each verdict."""
    rows: list[list[str | int]] = []
    for area in sorted({result.check.area for result in results}):
        found = Counter(result.verdict for result in results if result.check.area == area)
        rows.append([area, *(found[verdict] or "" for verdict in HEADINGS)])
    total = Counter(result.verdict for result in results)
    rows.append(["all", *(total[verdict] for verdict in HEADINGS)])
    return str(tabulate(rows, headers=["area", *HEADINGS.values()], tablefmt="simple"))


def summary(report: Report) -> str:
    """The one line that is left when everything scrolls away."""
    counts = report.counts
    said = [f"{n} {HEADINGS[verdict]}" for verdict, n in counts.items() if n]
    line = f"{report.target} {report.version}: {', '.join(said) or 'no checks'}"
    line += f", in {report.seconds:.1f} s."
    if not any(result.verdict.conclusive for result in report.results):
        line += " No check was conclusive, so nothing is known of this broker."
    if not report.answers:
        line += " The broker does not answer any more: it died during this run."
    return line


def listing(checks: Sequence[Check], clauses: Mapping[str, Clause]) -> str:
    """The checks with their clauses, and how many there are by area, for `--list`."""
    rows = []
    for check in checks:
        clause = clauses.get(check.clause)
        needs = ", ".join(sorted(check.needs))
        title = clause.title if clause else "(no such clause)"
        rows.append([check.id, check.effective_level(clause), title, needs])
    table = tabulate(rows, headers=["check", "level", "clause", "needs"], tablefmt="simple")
    areas = Counter(check.area for check in checks)
    counts = ", ".join(f"{area} {count}" for area, count in sorted(areas.items()))
    return f"{table}\n\n{len(checks)} checks: {counts}."


# For machines


def as_json(report: Report) -> str:
    """One document; `checks` has an entry for each check, with steps where it failed."""
    document = {
        "format": FORMAT,
        "target": {"name": report.target, "version": report.version},
        "apis": {name: [r[0], r[-1]] for name, r in sorted(report.apis.items())},
        "seconds": round(report.seconds, 3),
        "answers_at_the_end": report.answers,
        "counts": {verdict.value: count for verdict, count in report.counts.items()},
        "checks": [entry(result) for result in report.results],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def entry(result: Result) -> dict[str, Any]:
    """One check of the JSON document."""
    found: dict[str, Any] = {
        "id": result.check.id,
        "clause": result.check.clause,
        "level": result.level,
        "verdict": result.verdict.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "findings": list(result.findings),
    }
    if result.judgement:
        found["judgement"] = vars(result.judgement)
    if result.steps and result.verdict is not Verdict.PASS:
        found["steps"] = [str(step) for step in result.steps]
        found["rerun"] = result.rerun
    return found


def as_junit(report: Report) -> str:
    """JUnit XML: a violation is a failure; what concluded nothing is skipped, with its reason."""
    counts = report.counts
    skipped = counts[Verdict.INCONCLUSIVE] + counts[Verdict.NOT_APPLICABLE]
    numbers = {
        "name": f"brokerspec {report.target} {report.version}",
        "tests": str(len(report.results)),
        "failures": str(counts[Verdict.VIOLATION]),
        "errors": "0",
        "skipped": str(skipped),
        "time": f"{report.seconds:.3f}",
    }
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(suites, "testsuite", numbers)
    for result in report.results:
        add_case(suite, result, report.clauses)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def add_case(suite: ElementTree.Element, result: Result, clauses: Mapping[str, Clause]) -> None:
    check = result.check
    attributes = {"classname": check.clause, "name": check.name, "time": f"{result.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", attributes)
    if result.verdict is Verdict.VIOLATION:
        failed = ElementTree.SubElement(case, "failure", {"message": printable(result.reason)})
        failed.text = printable(failure(result, clauses))
    elif not result.verdict.conclusive:
        reason = f"{HEADINGS[result.verdict]}: {result.reason}"
        ElementTree.SubElement(case, "skipped", {"message": printable(reason)})
    elif result.verdict is Verdict.DEVIATION:
        ElementTree.SubElement(case, "system-out").text = printable(failure(result, clauses))


def printable(prose: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(c if c >= " " or c in "\n\t" else "�" for c in prose)
