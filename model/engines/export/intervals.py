"""Which numbers a node can have, as far as that is plain to see at one scope.

Decides where an exported read needs no protection: a key that is surely one of the map's, an
element that is surely one of the set's type. It errs on the side of protection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from model.engines.lowering.layout import Sizes
from model.lang.nodes import Node
from model.lang.terms import Bool, Bound, Enum, Range, Sort

Limits = tuple[int, int]
READS = ("field", "get", "at", "unwrap")


class Intervals:
    """What is known of nodes; `guards` of an action narrow it."""

    def __init__(self, sizes: Sizes, guards: Iterable[Node] = ()) -> None:
        self.sizes = sizes
        self._highest: Mapping[int, int] = self._ceilings(guards)

    def narrowed(self, guards: Iterable[Node]) -> Intervals:
        """What is known besides where these guards hold."""
        return Intervals(self.sizes, guards)

    def surely_in(self, value: Node, of: type[Any]) -> bool:
        """Is the value one of the type, whatever the state."""
        if issubclass(of, Bool | Sort | Enum):
            return True
        known = self.limits(value)
        low, high = self.sizes.limits(of)
        return known is not None and low <= known[0] and known[1] <= high

    def surely_clean(self, members: Node) -> bool:
        """Has the set only elements of its type, whatever the state."""
        match members.operation:
            case "default" | "everything" | "those" | "bound_variable" | "parameter":
                return True
            case "set_of":
                return all(self.surely_in(e, members.type.item) for e in members.arguments)
            case "if_else":
                return all(self.surely_clean(part) for part in members.arguments[1:])
            case "union" | "intersection" | "difference":
                return all(self.surely_clean(part) for part in members.arguments)
        return is_read(members)

    def limits(self, value: Node) -> Limits | None:
        """The lowest and highest number that a value can have, if that is plain."""
        known = self._limits(value)
        ceiling = self._highest.get(id(value))
        if known is None or ceiling is None:
            return known
        return min(known[0], ceiling), min(known[1], ceiling)

    def _limits(self, value: Node) -> Limits | None:
        if not issubclass(value.type, Range):
            return None
        own = self.sizes.limits(value.type)
        match value.operation:
            case "constant":
                return value.data, value.data
            case "bound":
                number = Bound(*value.data).at(self.sizes.bounds)
                return number, number
            case "default":
                return own[0], own[0]
            case "parameter" | "bound_variable":
                return own
            case "add" | "subtract":
                return self._sum(value)
            case "if_else":
                return self._hull(*value.arguments[1:])
            case "largest" | "smallest":
                domain, otherwise = value.data[0], self.limits(value.arguments[1])
                return otherwise and _hull(self.sizes.limits(domain), otherwise)
            case "length" if is_read(value.arguments[0]):
                return 0, self.sizes.number(value.arguments[0].type.capacity)
            case "size":
                members = value.arguments[0]
                more = 0 if self.surely_clean(members) else 1
                return 0, self.sizes.cardinality(members.type.item) + more
        return own if is_read(value) else None

    def _sum(self, value: Node) -> Limits | None:
        one, two = (self.limits(argument) for argument in value.arguments)
        if one is None or two is None:
            return None
        if value.operation == "add":
            return one[0] + two[0], one[1] + two[1]
        return one[0] - two[1], one[1] - two[0]

    def _hull(self, one: Node, two: Node) -> Limits | None:
        first, second = self.limits(one), self.limits(two)
        return first and second and _hull(first, second)

    def _ceilings(self, guards: Iterable[Node]) -> dict[int, int]:
        """What guards such as `next_epoch <= Bound(...)` say of single nodes."""
        self._highest = {}
        found: dict[int, int] = {}
        for guard in guards:
            if guard.operation in ("less", "at_most"):
                small, large = guard.arguments
                limits = self.limits(large)
                if limits is not None:
                    found[id(small)] = limits[1] - (guard.operation == "less")
        return found


def is_read(value: Node) -> bool:
    """Does the value stand in the state, or is it the lowest one: nothing that an action made."""
    if value.operation in READS:
        return is_read(value.arguments[0])
    return value.operation in ("state", "default", "parameter", "bound_variable")


def _hull(one: Limits, two: Limits) -> Limits:
    return min(one[0], two[0]), max(one[1], two[1])
