"""How a TLA+ formula is laid out: on one line where it fits, else broken as a person would do it.

Decides parentheses and line breaks, and knows that TLA+ reads the indentation of bulleted lists.
It refuses to know what a formula says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 96
INDENT = 4
# What stands beside an opening of at most this length may go on below it.
SHORT = 12
# How strongly an operator binds: an operand that binds no more than its operator stands in
# parentheses. Where TLA+ leaves the order of two operators open, they share a level here.
OPEN, IMPLIES, JUNCTION, NOT, COMPARISON, SETS, INTERVAL, SUM, ATOM = range(9)


@dataclass(frozen=True)
class Formula:
    """A formula without parts, which is never broken."""

    flat: str
    level: int = ATOM

    def lines(self, width: int) -> list[str]:
        """The formula on lines of at most `width` characters, where that can be."""
        return [self.flat] if len(self.flat) <= width else self.broken(width)

    def broken(self, width: int) -> list[str]:  # noqa: ARG002
        """The formula on more lines than one."""
        return [self.flat]


@dataclass(frozen=True)
class Infix(Formula):
    """An operator between two operands."""

    left: Formula = Formula("")
    operator: str = ""
    right: Formula = Formula("")

    def broken(self, width: int) -> list[str]:
        """The operator ends the lines of the left operand; the right one is indented."""
        *first, last = self.left.lines(width)
        opening = f"{last} {self.operator} "
        right = self.right.lines(width - len(opening))
        below = [*first, opening.rstrip(), *_shifted(INDENT, self.right.lines(width - INDENT))]
        if first or (len(right) > 1 and len(opening) > SHORT):
            return below
        return _narrower(hanging(opening, right), below, width)


@dataclass(frozen=True)
class Junction(Formula):
    """A conjunction or disjunction of several parts."""

    operator: str = ""
    parts: tuple[Formula, ...] = ()

    def broken(self, width: int) -> list[str]:
        """A bullet for each part; only a list of the other kind on one line needs parentheses."""
        opening = f"{self.operator} "
        found: list[str] = []
        for part in self.parts:
            lines = part.lines(width - len(opening))
            if len(lines) == 1 and isinstance(part, Junction):
                lines = [f"({part.flat})"]
            found += hanging(opening, lines)
        return found


@dataclass(frozen=True)
class Headed(Formula):
    """A head, such as that of a quantifier or of an update, and what follows it."""

    head: str = ""
    body: Formula = Formula("")

    def broken(self, width: int) -> list[str]:
        """What follows stands beside a short head, and below a long one."""
        opening = f"{self.head} "
        body = self.body.lines(width - len(opening))
        below = [self.head, *_shifted(INDENT, self.body.lines(width - INDENT))]
        if len(body) > 1 and len(opening) > SHORT:
            return below
        return _narrower(hanging(opening, body), below, width)


@dataclass(frozen=True)
class Listed(Formula):
    """Parts between brackets: arguments, elements, fields, updates."""

    opening: str = ""
    parts: tuple[Formula, ...] = ()
    closing: str = ""

    def broken(self, width: int) -> list[str]:
        """One line for each part, aligned behind the bracket, or below it where that is long."""
        beside = hanging(self.opening, self._each(width - len(self.opening)))
        below = [self.opening.rstrip(), *_shifted(INDENT, self._each(width - INDENT))]
        return _narrower(beside, below, width) if len(self.opening) > INDENT else beside

    def _each(self, width: int) -> list[str]:
        found: list[str] = []
        for number, part in enumerate(self.parts):
            after = self.closing if number == len(self.parts) - 1 else ","
            *first, last = part.lines(width - len(after))
            found += [*first, last + after]
        return found


@dataclass(frozen=True)
class Choice(Formula):
    """IF, THEN and ELSE."""

    condition: Formula = Formula("")
    then: Formula = Formula("")
    otherwise: Formula = Formula("")

    def broken(self, width: int) -> list[str]:
        """A line, or more, for each of the three."""
        return [
            *hanging("IF ", self.condition.lines(width - 3)),
            *hanging("  THEN ", self.then.lines(width - 7)),
            *hanging("  ELSE ", self.otherwise.lines(width - 7)),
        ]


def hanging(opening: str, lines: Sequence[str]) -> list[str]:
    """Lines of which the first follows an opening, and the others are aligned with it."""
    return [opening + lines[0], *_shifted(len(opening), lines[1:])]


def definition(name: str, value: Formula, width: int = WIDTH) -> list[str]:
    """`name == value`, on as many lines as it needs."""
    one = f"{name} == {value.flat}"
    if len(one) <= width:
        return [one]
    return [f"{name} ==", *_shifted(INDENT, value.lines(width - INDENT))]


def _narrower(beside: list[str], below: list[str], width: int) -> list[str]:
    """The first layout if it fits, else the one that takes less room."""
    widest = max(map(len, beside))
    return beside if widest <= width or widest <= max(map(len, below)) else below


def _shifted(by: int, lines: Sequence[str]) -> list[str]:
    return [" " * by + line for line in lines]


def infix(level: int, left: Formula, operator: str, right: Formula) -> Formula:
    """Two operands and an operator; `+` and `-` may follow each other."""
    lowest = level - 1 if level == SUM else level
    one, two = enclosed(left, lowest), enclosed(right, level)
    return Infix(f"{one.flat} {operator} {two.flat}", level, one, operator, two)


def implies(condition: Formula, claim: Formula) -> Formula:
    """An implication; a quantified claim needs no parentheses behind the arrow."""
    one = enclosed(condition, JUNCTION)
    two = claim if isinstance(claim, Headed) else enclosed(claim, IMPLIES)
    return Infix(f"{one.flat} => {two.flat}", IMPLIES, one, "=>", two)


def junction(operator: str, parts: Sequence[Formula]) -> Formula:
    """A conjunction or disjunction; those of the same operator are taken together."""
    flattened: list[Formula] = []
    for part in parts:
        same = isinstance(part, Junction) and part.operator == operator
        flattened += part.parts if isinstance(part, Junction) and same else [part]
    if len(flattened) == 1:
        return flattened[0]
    # A bullet needs no parentheses.
    text = f" {operator} ".join(enclosed(part, JUNCTION).flat for part in flattened)
    return Junction(text, JUNCTION, operator, tuple(flattened))


def negation(of: Formula) -> Formula:
    """What does not hold."""
    inner = enclosed(of, COMPARISON)
    return Listed(f"~{inner.flat}", NOT, "~", (inner,))


def headed(head: str, body: Formula) -> Formula:
    """What extends as far to the right as it can."""
    return Headed(f"{head} {body.flat}", OPEN, head, body)


def listed(opening: str, parts: Sequence[Formula], closing: str) -> Formula:
    """Parts between brackets, with commas."""
    text = opening + ", ".join(part.flat for part in parts) + closing
    return Listed(text, ATOM, opening, tuple(parts), closing)


def quantified(sign: str, name: str, domain: Formula, body: Formula) -> Formula:
    """A quantifier; one of the same kind and set that follows it at once is taken with it."""
    end = f" \\in {enclosed(domain, COMPARISON).flat} :"
    names = name
    if isinstance(body, Headed) and body.head.startswith(sign) and body.head.endswith(end):
        others = body.head[len(sign) + 1 : -len(end)]
        if "\\in" not in others:
            names, body = f"{name}, {others}", body.body
    return headed(f"{sign} {names}{end}", body)


def equation(head: str, value: Formula) -> Formula:
    """A part of a record or of an update: what a field holds, so that its end is plain."""
    plain = value.level in (OPEN, NOT)
    return headed(head, value if plain else enclosed(value, COMPARISON))


def call(name: str, *arguments: Formula) -> Formula:
    """An operator of a module applied to its arguments."""
    return listed(f"{name}(", arguments, ")")


def choice(condition: Formula, then: Formula, otherwise: Formula) -> Formula:
    """IF condition THEN one value ELSE the other."""
    text = f"IF {condition.flat} THEN {then.flat} ELSE {otherwise.flat}"
    return Choice(text, OPEN, condition, then, otherwise)


def followed(of: Formula, by: str) -> Formula:
    """A formula with a field or an argument behind it."""
    inner = enclosed(of, SUM)
    return Listed(inner.flat + by, ATOM, "", (inner,), by)


def enclosed(of: Formula, level: int) -> Formula:
    """A formula as an operand of what binds like `level`."""
    return of if of.level > level else Listed(f"({of.flat})", ATOM, "(", (of,), ")")
