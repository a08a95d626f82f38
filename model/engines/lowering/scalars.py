"""Arithmetic on the slots of a state: the small language that every finite reader compiles.

Lowering turns the typed tree of a machine into these nodes for one scope. Building a node folds
constants and uses the interval of each operand, so that a guard that cannot hold disappears here,
once, for all readers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One operation. `low` and `high` bound its number; for a truth value they are 0 and 1.

    `data` is the value of a number, the index of a slot, or the name of a variable. Equal nodes
    are shared.
    """

    operation: str
    arguments: tuple[Scalar, ...]
    data: int | str
    low: int
    high: int

    @property
    def is_truth(self) -> bool:
        """Is this a truth value and not a number."""
        return self.operation in ("truth", "not", "and", "or", "equal", "less", "member")

    @property
    def constant(self) -> int | None:
        """The only number this can be, if so."""
        return self.low if self.low == self.high else None

    def __reduce__(self) -> tuple[object, ...]:
        # Another process shares equal nodes too, and has constants of its own.
        return _again, (self.operation, self.arguments, self.low, self.high, self.data)

    def __repr__(self) -> str:
        if self.operation == "number":
            return str(self.data)
        inner = [str(self.data)] if self.operation in ("slot", "variable") else []
        return f"{self.operation}({', '.join(inner + [repr(a) for a in self.arguments])})"


_shared: dict[tuple[object, ...], Scalar] = {}


def _make(
    operation: str, arguments: Sequence[Scalar], low: int, high: int, data: int | str = 0
) -> Scalar:
    if low == high and operation not in ("number", "true", "false") and operation not in TRUTHS:
        return number(low)
    key = (operation, data, *map(id, arguments), low, high)
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = Scalar(operation, tuple(arguments), data, low, high)
    return found


TRUTHS: Final = ("truth", "not", "and", "or", "equal", "less", "member")


def number(value: int) -> Scalar:
    """A constant."""
    return _make("number", (), value, value, value)


# The constant truth values: an empty conjunction and an empty disjunction.
TRUE: Final = Scalar("and", (), 0, 1, 1)
FALSE: Final = Scalar("or", (), 0, 0, 0)


def _again(
    operation: str, arguments: tuple[Scalar, ...], low: int, high: int, data: int | str
) -> Scalar:
    """A node that came from elsewhere."""
    if operation in ("and", "or") and not arguments:
        return truth_of(operation == "and")
    return _make(operation, arguments, low, high, data)


def truth_of(value: bool) -> Scalar:
    """A constant truth value."""
    return TRUE if value else FALSE


def slot(index: int, low: int, high: int) -> Scalar:
    """What a slot of the state holds."""
    return _make("slot", (), low, high, index)


def variable(name: str, low: int, high: int) -> Scalar:
    """A number that is not fixed: a parameter of an action."""
    return _make("variable", (), low, high, name)


def add(a: Scalar, b: Scalar) -> Scalar:
    """a + b"""
    if b.constant == 0:
        return a
    if a.constant == 0:
        return b
    return _make("add", (a, b), a.low + b.low, a.high + b.high)


def subtract(a: Scalar, b: Scalar) -> Scalar:
    """a - b"""
    if b.constant == 0:
        return a
    return _make("subtract", (a, b), a.low - b.high, a.high - b.low)


def truth(a: Scalar) -> Scalar:
    """Is the number not 0."""
    if a.operation == "as_number":
        return a.arguments[0]
    if a.low > 0 or a.high < 0 or a.constant is not None:
        return truth_of(a.constant != 0)
    return _make("truth", (a,), 0, 1)


def as_number(a: Scalar) -> Scalar:
    """1 for true, 0 for false."""
    if a is TRUE or a is FALSE:
        return number(int(a is TRUE))
    if a.operation == "truth" and (a.arguments[0].low, a.arguments[0].high) == (0, 1):
        return a.arguments[0]
    return _make("as_number", (a,), 0, 1)


def negate(a: Scalar) -> Scalar:
    """not a"""
    if a is TRUE or a is FALSE:
        return truth_of(a is FALSE)
    return a.arguments[0] if a.operation == "not" else _make("not", (a,), 0, 1)


def _joined(operation: str, parts: Sequence[Scalar], unit: Scalar, zero: Scalar) -> Scalar:
    flat: dict[int, Scalar] = {}
    for part in parts:
        inner = part.arguments if part.operation == operation else (part,)
        flat.update((id(p), p) for p in inner if p is not unit)
    if any(p is zero or id(negate(p)) in flat for p in flat.values()):
        return zero
    if not flat:
        return unit
    if len(flat) == 1:
        return next(iter(flat.values()))
    return _make(operation, tuple(flat.values()), 0, 1)


def conjunction(*parts: Scalar) -> Scalar:
    """All of them."""
    return _joined("and", parts, TRUE, FALSE)


def disjunction(*parts: Scalar) -> Scalar:
    """Any of them."""
    return _joined("or", parts, FALSE, TRUE)


def equal(a: Scalar, b: Scalar) -> Scalar:
    """a == b, both numbers or both truth values"""
    if a is b:
        return TRUE
    if a.is_truth:
        return disjunction(conjunction(a, b), conjunction(negate(a), negate(b)))
    if a.high < b.low or b.high < a.low:
        return FALSE
    if a.constant is not None and a.constant == b.constant:
        return TRUE
    return _looked_up(equal, a, b) or _make("equal", (a, b), 0, 1)


def less(a: Scalar, b: Scalar) -> Scalar:
    """a < b"""
    if a.high < b.low:
        return TRUE
    if a.low >= b.high or a is b:
        return FALSE
    return _looked_up(less, a, b) or _make("less", (a, b), 0, 1)


def within(a: Scalar, low: int, high: int) -> Scalar:
    """low <= a <= high; a truth value is within any limits"""
    return conjunction(negate(less(a, number(low))), negate(less(number(high), a)))


def _looked_up(compare: Callable[[Scalar, Scalar], Scalar], a: Scalar, b: Scalar) -> Scalar | None:
    """A constant compared with a look-up in constants says where the index may be."""
    table, other = (a, b) if a.operation == "select" else (b, a)
    if table.operation != "select" or other.constant is None:
        return None
    index, *choices, _ = table.arguments
    if any(c.constant is None for c in choices) or not _always_within(index, choices):
        return None
    pairs = [(i, compare(c, b) if table is a else compare(a, c)) for i, c in enumerate(choices)]
    return disjunction(*(conjunction(equal(index, number(i)), held) for i, held in pairs))


def _always_within(index: Scalar, choices: Sequence[Scalar]) -> bool:
    return index.low >= 0 and index.high < len(choices)


def if_else(condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
    """a where the condition holds, else b"""
    if condition is TRUE or a is b:
        return a
    if condition is FALSE:
        return b
    if a.is_truth:
        return disjunction(conjunction(condition, a), conjunction(negate(condition), b))
    # Several updates of one part ask the same question again; the outer answer holds inside.
    if a.operation == "if_else" and a.arguments[0] is condition:
        return if_else(condition, a.arguments[1], b)
    if b.operation == "if_else" and b.arguments[0] is condition:
        return if_else(condition, a, b.arguments[2])
    return _make("if_else", (condition, a, b), min(a.low, b.low), max(a.high, b.high))


def select(index: Scalar, choices: Sequence[Scalar], otherwise: Scalar) -> Scalar:
    """The choice at an index; `otherwise` where there is none."""
    if index.constant is not None:
        within = 0 <= index.constant < len(choices)
        return choices[index.constant] if within else otherwise
    if index.operation == "select":
        inner, *table, outside = index.arguments
        if all(c.constant is not None for c in (*table, outside)):
            chosen = [select(c, choices, otherwise) for c in (*table, outside)]
            return select(inner, chosen[:-1], chosen[-1])
    reached = [c for i, c in enumerate(choices) if index.low <= i <= index.high]
    if not _always_within(index, choices):
        reached.append(otherwise)
    if all(c is reached[0] for c in reached):
        return reached[0]
    if reached[0].is_truth:
        cases = [conjunction(equal(index, number(i)), c) for i, c in enumerate(choices)]
        outside = negate(disjunction(*(equal(index, number(i)) for i in range(len(choices)))))
        return disjunction(*cases, conjunction(outside, otherwise))
    low, high = min(c.low for c in reached), max(c.high for c in reached)
    return _make("select", (index, *choices, otherwise), low, high)


def bit(index: Scalar) -> Scalar:
    """The set of one element: 1 shifted by its index, which is never negative."""
    if index.constant is not None:
        return number(1 << index.constant)
    return _make("bit", (index,), 1, 1 << index.high)


def combine(operation: str, a: Scalar, b: Scalar) -> Scalar:
    """union, intersection or difference of two masks"""
    if a.constant is not None and b.constant is not None:
        x, y = a.constant, b.constant
        return number({"union": x | y, "intersection": x & y, "difference": x & ~y}[operation])
    if operation == "union" and 0 in (a.constant, b.constant):
        return b if a.constant == 0 else a
    high = a.high if operation == "difference" else max(a.high, b.high)
    return _make(operation, (a, b), 0, (1 << high.bit_length()) - 1)


def member(index: Scalar, mask: Scalar) -> Scalar:
    """Is the bit set; an index is never negative."""
    if index.constant is not None and mask.constant is not None:
        return truth_of(bool(mask.constant >> index.constant & 1))
    return _make("member", (index, mask), 0, 1)


def count(mask: Scalar) -> Scalar:
    """How many bits are set."""
    if mask.constant is not None:
        return number(mask.constant.bit_count())
    return _make("count", (mask,), 0, mask.high.bit_length())
