"""The syntax tree under every term: small immutable nodes, equal ones shared.

This file decides which operations exist and which trivial simplifications are made when a node is
built (reading a field that was just written, logic with constants). It refuses to know how large a
type is or what a reader makes of a node: bounds stay symbolic until a reader is given a scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# A class of terms, such as Bool or a Record. Terms stand on nodes and not the other way round, so
# all that is asked of a type here is `fields()`, where an operation implies a record.
Type = type[Any]

OPERATIONS: Final = {
    "state": "the whole state before the step",
    "parameter": "a parameter of an action; data: its name",
    "bound_variable": "the variable of a quantifier; data: its nesting depth",
    "constant": "a scalar; data: an int, in the encoding of its type",
    "bound": "a constant of the scope; data: (name, added int)",
    "default": "the natural first value of a type",
    "everything": "the set of all values of a type",
    "not": "negation",
    "and": "conjunction of any number",
    "or": "disjunction of any number",
    "equal": "equality of two values of one type, of any shape",
    "less": "a < b",
    "at_most": "a <= b",
    "add": "a + b",
    "subtract": "a - b",
    "if_else": "condition, value if it holds, value if not",
    "some": "an option that is present",
    "is_some": "is the option present",
    "unwrap": "the value of an option; the lowest value where it is none",
    "set_of": "the set of the given elements",
    "member": "element, set",
    "union": "of two sets",
    "intersection": "of two sets",
    "difference": "of two sets",
    "size": "how many elements a set has",
    "record": "a record of the given fields, in order",
    "field": "a field of a record; data: its name",
    "with_field": "record, new value of the field; data: its name",
    "get": "map, key",
    "store": "map, key, new value",
    "length": "of a sequence or a bag",
    "at": "sequence or (sorted) bag, index; the default value past the end",
    "appended": "sequence, new last element",
    "truncated": "sequence, greatest length to keep",
    "added": "bag, element",
    "removed": "bag, element; a bag that does not have it stays as it is",
    "in_bag": "element, bag",
    "those": "the set of the values for which the body holds; data: (type, depth)",
    "each": "the map of the body for each value of the variable; data: (type, depth)",
    "every": "for all values of the variable the body holds; data: (type, depth)",
    "exists": "for some value of the variable the body holds; data: (type, depth)",
    "largest": "greatest value for which the body holds, else the second; data: (type, depth)",
    "smallest": "least value for which the body holds, else the second; data: (type, depth)",
}

# The operations whose first argument is a body with a variable of its own.
BINDERS: Final = ("every", "exists", "largest", "smallest", "those", "each")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation on other nodes. Nodes are shared: equal nodes are the same object."""

    operation: str
    arguments: tuple[Node, ...]
    data: Any
    type: Type

    def __repr__(self) -> str:
        inner = [str(self.data)] if self.data is not None else []
        inner += [repr(argument) for argument in self.arguments]
        return f"{self.operation}({', '.join(inner)})"


_shared: dict[tuple[Any, ...], Node] = {}


def node(operation: str, of: Type, *arguments: Node, data: Any = None) -> Node:
    """The shared node of this operation, simplified where that needs no thought."""
    simpler = _simplified(operation, arguments, data)
    if simpler is not None:
        return simpler
    key = (operation, of, data, *map(id, arguments))
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = Node(operation, arguments, data, of)
    return found


def _simplified(operation: str, arguments: tuple[Node, ...], data: Any) -> Node | None:
    """Reads that meet the matching write; everything else is left to the readers."""
    if operation == "field":
        record = arguments[0]
        if record.operation == "with_field":
            before, value = record.arguments
            if record.data == data:
                return value
            return node("field", before.type.fields()[data], before, data=data)
        if record.operation == "record":
            return record.arguments[list(record.type.fields()).index(data)]
    if operation == "get" and arguments[0].operation == "store":
        _, key, value = arguments[0].arguments
        if key is arguments[1]:
            return value
    return None
