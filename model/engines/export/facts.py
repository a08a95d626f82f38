"""What a condition that holds says of the terms to its right: that an option holds a value, that
an index is inside a sequence.

With it an export can read `log[offset + 1]` where a person would, after `offset < Len(log)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from model.engines.export.intervals import Intervals
from model.lang.nodes import Node, node
from model.lang.terms import Bool, Count

# ("present", option), ("inside", index, sequence) and ("positive", number).
Fact = tuple[str | Node, ...]


def told_by(claim: Node, holds: bool = True) -> Iterator[Fact]:
    """What is known where a claim holds, or where it does not."""
    operation, parts = claim.operation, claim.arguments
    if operation == "not":
        yield from told_by(parts[0], not holds)
    elif operation == ("and" if holds else "or"):
        for part in parts:
            yield from told_by(part, holds)
    elif operation == "is_some" and holds:
        yield "present", parts[0]
    elif operation == "equal" and holds:
        for one, other in (parts, parts[::-1]):
            if one.operation == "some":
                yield "present", other
    elif operation == "equal":
        for one, other in (parts, parts[::-1]):
            if one.data == 0 and other.operation in ("length", "size"):
                yield "positive", other
    elif operation == ("less" if holds else "at_most"):
        small, large = parts if holds else parts[::-1]
        if large.operation == "length":
            yield "inside", small, large.arguments[0]
        if small.operation == "constant" and small.data >= 0:
            yield "positive", large


def is_inside(index: Node, sequence: Node, facts: frozenset[Fact], intervals: Intervals) -> bool:
    """Has the sequence surely an element at this index."""
    length = node("length", Count, sequence)
    if ("positive", length) in facts:
        is_last = index.operation == "subtract" and index.arguments[0] is length
        if _is(index, 0) or (is_last and _is(index.arguments[1], 1)):
            return True
    return ("inside", index, sequence) in facts and _is_natural(index, facts, intervals)


def _is(number: Node, value: int) -> bool:
    return number.operation == "constant" and number.data == value and number.type is not Bool


def _is_natural(index: Node, facts: frozenset[Fact], intervals: Intervals) -> bool:
    limits = intervals.limits(index)
    if limits is not None and limits[0] >= 0:
        return True
    if index.operation != "subtract":
        return False
    before, by = index.arguments
    return _is(by, 1) and ("positive", before) in facts
