"""Where a container stands in the state while an action is traced: what makes `me.log.append(x)`
an update.

A trace holds the state as it is so far; a place is a path into it. As in Python, containers
(records, maps, sequences, sets) are references and scalars are values: `me = state.replica[b]`
sees later updates through `me`, and `before = me.high_watermark` keeps the number that was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from model.lang.nodes import Node, Type, node


class ModelError(Exception):
    """Something in a machine is not as it must be; the text says what to write instead.

    >>> value(lambda: Offset("one"))
    Traceback (most recent call last):
    ...
    model.lang.places.ModelError: expression: expected Offset, got 'one'
    """


@dataclass
class Trace:
    """One run of an action or a property with unknown arguments."""

    what: str
    state: Node
    may_update: bool
    may_guard: bool
    guards: dict[str, Node] = field(default_factory=dict)
    updated: bool = False
    quantifiers_open: int = 0


_open: list[Trace] = []


def current_trace(user: str) -> Trace:
    """The innermost trace; `user` names the caller in the error when there is none."""
    if not _open:
        raise ModelError(f"{user} is for the bodies of actions and properties")
    return _open[-1]


def open_traces() -> list[Trace]:
    """The stack of traces, innermost last."""
    return _open


@dataclass(frozen=True)
class Place:
    """A path from the state to one of its parts; each step is a field name or a map key."""

    trace: Trace
    path: tuple[tuple[str | Node, Type], ...] = ()

    def read(self) -> Node:
        """The part as it is now, updates so far included."""
        found = self.trace.state
        for step, of in self.path:
            found = _read_step(found, step, of)
        return found

    def write(self, value: Node) -> None:
        """Make the part this value from here on."""
        trace = self.trace
        if not trace.may_update:
            raise ModelError("the state must not be changed here: only actions do that")
        if trace.quantifiers_open:
            raise ModelError("the state must not be changed inside a quantifier")
        trace.updated = True
        trace.state = _written(trace.state, self.path, value)

    def into(self, step: str | Node, of: Type) -> Place:
        """The place of a field (by its name) or of the value under a key."""
        return Place(self.trace, (*self.path, (step, of)))


def _read_step(container: Node, step: str | Node, of: Type) -> Node:
    if isinstance(step, str):
        return node("field", of, container, data=step)
    return node("get", of, container, step)


def _written(container: Node, path: tuple[tuple[str | Node, Type], ...], value: Node) -> Node:
    if not path:
        return value
    (step, of), *rest = path
    inner = _written(_read_step(container, step, of), tuple(rest), value)
    if isinstance(step, str):
        return node("with_field", container.type, container, inner, data=step)
    return node("store", container.type, container, step, inner)
