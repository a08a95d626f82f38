"""Questions about the trees of a machine, which need no scope and no solver: what a node is made
of, which variables and bounds it speaks of, and which bounds are limits of an exploration only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.machine import Machine
from model.lang.nodes import BINDERS, Node
from model.lang.terms import Bound, Option, Range, Sort

_free: dict[int, tuple[Any, ...]] = {}


def free_names(node: Node) -> tuple[Any, ...]:
    """The parameters (by name) and quantified variables (by type and depth) that a node depends
    on.
    """
    found = _free.get(id(node))
    if found is None:
        if node.operation == "parameter":
            names = {node.data}
        elif node.operation == "bound_variable":
            names = {(node.type, node.data)}
        else:
            names = {n for argument in node.arguments for n in free_names(argument)}
            if node.operation in BINDERS:
                names.discard(node.data)
        found = _free[id(node)] = tuple(sorted(names, key=repr))
    return found


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts of a conjunction."""
    if node.operation == "and":
        for argument in node.arguments:
            yield from conjuncts(argument)
    else:
        yield node


def has_upper_limit(claim: Node, variable: tuple[Any, int]) -> bool:
    """Does the claim say of the variable that it is less than something else."""
    return any(
        part.operation in ("less", "at_most")
        and _is_shifted(part.arguments[0], variable)
        and variable not in free_names(part.arguments[1])
        for part in conjuncts(claim)
    )


def _is_shifted(node: Node, variable: tuple[Any, int]) -> bool:
    """Is this the variable, or the variable and a number more or less."""
    if node.operation in ("add", "subtract"):
        first, second = node.arguments
        return _is_shifted(first, variable) and variable not in free_names(second)
    return node.operation == "bound_variable" and (node.type, node.data) == variable


def variables_of(node: Node) -> list[Any]:
    """The quantified variables that a node depends on, by type and depth."""
    return [name for name in free_names(node) if isinstance(name, tuple)]


def parts_of(*roots: Node) -> Iterator[Node]:
    """A node and all that it is made of, each once."""
    seen, waiting = set[int](), [*roots]
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            waiting += found.arguments
            yield found


def bounds_of(node: Node) -> set[str]:
    """The names of the bounds that a node speaks of."""
    return {part.data[0] for part in parts_of(node) if part.operation == "bound"}


def exploration_limits(machine: Machine[Any]) -> set[str]:
    """The bounds that are upper limits of types, and no more."""
    found: set[str] = set()
    roots = [p.holds for p in machine.properties.values()]
    types: list[type[Any]] = [machine.state]
    for action in machine.actions.values():
        roots += [*action.guards.values(), action.after]
        types += action.parameters.values()
    types += {part.type for part in parts_of(*roots)}
    seen = set[type[Any]]()
    while types:
        of = types.pop()
        if of in seen:
            continue
        seen.add(of)
        limit = (
            getattr(of, "high", None) if issubclass(of, Range) else getattr(of, "capacity", None)
        )
        if isinstance(limit, Bound):
            found.add(limit.name)
        if issubclass(of, Record):
            types += of.fields().values()
        elif issubclass(of, Map | Set | Seq | Bag | Option):
            types += [of.item, getattr(of, "key", of.item)]
    return found


def identities_looked_up(*roots: Node) -> list[Node]:
    """The nodes of a Sort that are keys of maps, inner ones first."""
    found = [
        part.arguments[1]
        for part in parts_of(*roots)
        if part.operation in ("get", "store") and issubclass(part.arguments[0].type.key, Sort)
    ]
    return sorted(dict.fromkeys(found), key=lambda key: sum(1 for _ in parts_of(key)))
