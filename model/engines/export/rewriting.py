"""The tree of a machine, rewritten to what a person would have written by hand.

Decides how reads are carried through the updates before them, so that an action speaks of the
state before the step, and how a value that was made by updates is taken apart into single changes,
as EXCEPT has them. The meaning stays the same; it refuses to know how any notation looks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from model.lang.containers import Map, Record
from model.lang.nodes import Node, node
from model.lang.terms import Bool


@dataclass(frozen=True)
class Change:
    """One part of a value and what it becomes; a step of the path is a field's name, or the key of
    a map. `before` is what the part was until then, None where no change has left it so.
    """

    path: tuple[str | Node, ...]
    value: Node
    before: Node | None

    def hides(self, other: Change) -> bool:
        """Is the other change, made before this one, undone by it."""
        return other.path[: len(self.path)] == self.path


class Rewriting:
    """Rewrites nodes, and remembers what it rewrote."""

    def __init__(self) -> None:
        self._memory: dict[int, Node] = {}

    def of(self, given: Node) -> Node:
        """A node that means the same, with reads carried through updates."""
        found = self._memory.get(id(given))
        if found is None:
            parts = [self.of(argument) for argument in given.arguments]
            found = self._memory[id(given)] = self._made(given, parts)
        return found

    def _made(self, given: Node, parts: list[Node]) -> Node:
        match given.operation, parts:
            case "field", [record]:
                return self.field(record, given.data)
            case "get", [container, key]:
                return self.get(container, key)
            case "with_field", [record, value] if record.operation == "record":
                names = list(record.type.fields())
                kept = [
                    value if n == given.data else part
                    for n, part in zip(names, record.arguments, strict=True)
                ]
                return node("record", given.type, *kept)
            case "with_field", [record, value] if record.operation == "default":
                fields = given.type.fields()
                known = {name: node("default", of) for name, of in fields.items()}
                return node("record", given.type, *{**known, given.data: value}.values())
            case "unwrap", [option] if option.operation == "some":
                return option.arguments[0]
            case "not", [claim] if claim.operation == "not":
                return claim.arguments[0]
        return node(given.operation, given.type, *parts, data=given.data)

    def field(self, record: Node, name: str) -> Node:
        """A field of a rewritten record."""
        of = record.type.fields()[name]
        match record.operation, record.arguments:
            case "with_field", (before, value):
                return value if record.data == name else self.field(before, name)
            case "default", _:
                return node("default", of)
            case "if_else", (condition, then, otherwise):
                return _chosen(condition, self.field(then, name), self.field(otherwise, name))
            case "get", (container, key) if container.operation == "store":
                before, written, value = container.arguments
                new, old = self.field(value, name), self.field(self.get(before, key), name)
                if new is self.field(self.get(before, written), name):
                    return old
                return _chosen(node("equal", Bool, key, written), new, old)
        return node("field", of, record, data=name)

    def get(self, container: Node, key: Node) -> Node:
        """The value of a rewritten map under a key.

        Under a key that may be the written one it stays as it is where the value has parts, so
        that it can still be seen which of them are updated.
        """
        of = container.type.item
        match container.operation, container.arguments:
            case "default", _:
                return node("default", of)
            case "if_else", (condition, then, otherwise):
                return _chosen(condition, self.get(then, key), self.get(otherwise, key))
            case "store", (before, written, value):
                if written is key:
                    return value
                if not issubclass(of, Record | Map):
                    same = node("equal", Bool, key, written)
                    return _chosen(same, value, self.get(before, key))
        return node("get", of, container, key)

    def changes(self, value: Node, before: Node) -> list[Change]:
        """What makes one rewritten value of another, one change after the other; where it is not
        made by updates, one change of the whole.
        """
        if not _is_made_from(value, before):
            return [Change((), value, before)]
        found: list[Change] = []
        for change in self._updates(value, before, ()):
            hidden = [other for other in found if change.hides(other)]
            kept = [other for other in found if not change.hides(other)]
            now = change.before
            if hidden:
                is_only = found[-1:] == hidden and hidden[0].path == change.path
                now = hidden[0].before if is_only else None
            found = [*kept, replace(change, before=now)]
        return found

    def _updates(self, value: Node, before: Node, path: tuple[str | Node, ...]) -> list[Change]:
        if value is before:
            return []
        if not _is_made_from(value, before):
            return [Change(path, value, before)]
        step: str | Node
        if value.operation == "with_field":
            inner, new = value.arguments
            step, old = value.data, self.field(inner, value.data)
        else:
            inner, step, new = value.arguments
            old = self.get(inner, step)
        return [*self._updates(inner, before, path), *self._updates(new, old, (*path, step))]


def _chosen(condition: Node, then: Node, otherwise: Node) -> Node:
    return then if then is otherwise else node("if_else", then.type, condition, then, otherwise)


def _is_made_from(value: Node, before: Node) -> bool:
    while value is not before and value.operation in ("with_field", "store"):
        value = value.arguments[0]
    return value is before


def root(value: Node) -> Node:
    """What a value was before the updates that it is made of."""
    while value.operation in ("with_field", "store"):
        value = value.arguments[0]
    return value


def nodes_of(given: Node) -> list[Node]:
    """The node and all below it, each once."""
    found: dict[int, Node] = {}
    waiting = [given]
    while waiting:
        here = waiting.pop()
        if id(here) not in found:
            found[id(here)] = here
            waiting += here.arguments
    return list(found.values())
