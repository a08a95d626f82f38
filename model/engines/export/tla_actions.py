"""One action as a TLA+ operator: its guards by name, what changes, and what does not.

Decides which terms that stand in several places get a name of their own (LET), and where a step
that has no room in the scope must be stopped. It refuses to know how a term is written.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model.engines.export import formulas as f
from model.engines.export.formulas import Formula
from model.engines.export.intervals import Intervals
from model.engines.export.rewriting import Rewriting, nodes_of
from model.engines.export.tla_names import Names
from model.engines.export.tla_terms import Terms
from model.engines.export.tla_words import Words, camel_case, snake_case
from model.lang.nodes import BINDERS, Node, node
from model.lang.parts import Action
from model.lang.places import ModelError
from model.lang.terms import Bool, Count

WORTH_A_NAME = 40
# What is short enough in every place, or reads better where it stands.
NAMELESS = ("field", "get", "at", "unwrap", "parameter", "bound_variable", "length", "size")


@dataclass(frozen=True)
class Operator:
    """The operator of an action, and what its parameters range over."""

    name: str
    lines: list[str]
    ranges: dict[str, Formula]

    def taken(self, chosen: Sequence[str] = ()) -> Formula:
        """The action with some choice of its parameters, but for those chosen already."""
        step = Formula(self.name)
        if self.ranges:
            step = f.call(self.name, *map(Formula, self.ranges))
        for name, of in reversed(self.ranges.items()):
            if name not in chosen:
                step = f.quantified("\\E", name, of, step)
        return step


class ActionWriter:
    """Writes the actions of a machine whose words are known."""

    def __init__(self, words: Words, rewriting: Rewriting, state: type[Any]) -> None:
        self.words, self.rewriting = words, rewriting
        self.state = state

    def operator(self, action: Action) -> Operator:
        """The operator of an action."""
        names, ranges = self._parameters(action)
        guards = {
            name: self.rewriting.of(guard)
            for name, guard in action.guards.items()
            if name.removeprefix("has_") not in action.drawn
        }
        known = Intervals(self.words.sizes, guards.values())
        terms = Terms(self.words, known, self.rewriting)
        updates = self._updates(action)
        shared = _Shared(terms, names, list(guards.values()), updates)
        body = [
            *self._guards(guards, shared),
            *self._room(action, updates, known, shared),
            *self._changes(updates, shared),
        ]
        name = self.words.new(camel_case(action.name))
        head = f"{name}({', '.join(ranges)}) ==" if ranges else f"{name} =="
        lines = [*described(action.summary, action.clauses), head, *shared.wrapped(body)]
        return Operator(name, lines, ranges)

    def _parameters(self, action: Action) -> tuple[Names, dict[str, Formula]]:
        names, ranges = Names(), {}
        local: set[str] = set()
        for parameter, of in action.parameters.items():
            name = self.words.new(parameter, local)
            if parameter in action.drawn:
                if f"has_{parameter}" not in action.guards:
                    raise ModelError(
                        f"{action.name} cannot be exported without its guard has_{parameter}: "
                        "TLA+ draws only what is in a bag"
                    )
                drawn = self.rewriting.of(action.drawn[parameter])
                self.words.modules.add("Bags")
                bag = Terms(self.words, Intervals(self.words.sizes), self.rewriting).formula(
                    drawn.arguments[0], names
                )
                names, ranges[name] = names.naming(drawn, name), f.call("BagToSet", bag)
            else:
                names = names.naming(node("parameter", of, data=parameter), name)
                ranges[name] = self.words.set_of(of)
        return names, ranges

    def _updates(self, action: Action) -> dict[str, Node]:
        """The fields of the state that change, and what they become."""
        after, before = self.rewriting.of(action.after), node("state", self.state)
        found = {}
        for name in self.state.fields():
            value = self.rewriting.field(after, name)
            if value is not self.rewriting.field(before, name):
                found[name] = value
        return found

    def _guards(self, guards: dict[str, Node], shared: _Shared) -> Iterator[str]:
        for name, guard in zip(guards, shared.guards_in_turn(), strict=True):
            yield f"\\* {name}"
            yield from _bullet(self.words.operator("Holds", guard) if _branches(guard) else guard)

    def _changes(self, updates: dict[str, Node], shared: _Shared) -> Iterator[str]:
        before = node("state", self.state)
        for name, value in updates.items():
            variable = self.words.variables[name]
            old = self.rewriting.field(before, name)
            formula = shared.updated(value, old)
            yield from _bullet(f.equation(f"{variable}' =", formula))
        kept = [v for name, v in self.words.variables.items() if name not in updates]
        if kept:
            several = f.listed("<<", [*map(Formula, kept)], ">>")
            yield from _bullet(f.headed("UNCHANGED", several if kept[1:] else Formula(kept[0])))

    def _room(
        self, action: Action, updates: dict[str, Node], known: Intervals, shared: _Shared
    ) -> Iterator[str]:
        """What must have room and is not seen by TypeOK: keys that are written, and sequences and
        bags that grow before they shrink.
        """
        last = {id(value) for value in self._last_values(updates)}
        for part in nodes_of(action.after):
            claim = None
            if part.operation == "store":
                key = self.rewriting.of(part.arguments[1])
                if not known.surely_in(key, part.type.key):
                    keys = self.words.set_of(part.type.key)
                    claim = f.infix(f.COMPARISON, shared.formula(key), "\\in", keys)
            elif part.operation in ("appended", "added"):
                grown = self.rewriting.of(part)
                before = node("length", Count, grown.arguments[0])
                limits = known.limits(before)
                capacity = self.words.sizes.number(part.type.capacity)
                if id(grown) not in last and not (limits and limits[1] < capacity):
                    length = shared.formula(before)
                    room = self.words.bound(part.type.capacity)
                    claim = f.infix(f.COMPARISON, length, "<", room)
            if claim is not None:
                self.words.modules.add("TLC")
                yield from _bullet(
                    f.call("Assert", claim, Formula(f'"{action.name} has no room in this scope"'))
                )

    def _last_values(self, updates: dict[str, Node]) -> Iterator[Node]:
        before = node("state", self.state)
        for name, value in updates.items():
            for change in self.rewriting.changes(value, self.rewriting.field(before, name)):
                waiting = [change.value]
                while waiting:
                    yield (here := waiting.pop())
                    waiting += here.arguments if here.operation == "record" else ()


class _Shared:
    """The terms of one action, of which long ones that are used more than once have a name."""

    def __init__(
        self, terms: Terms, names: Names, guards: Sequence[Node], updates: dict[str, Node]
    ) -> None:
        self.terms, self.names = terms, names
        self.guards, self.updates = guards, list(updates.values())
        self.named: list[tuple[str, Node]] = []
        self._open: dict[int, set[Any]] = {}
        self._in_guards = {id(part) for guard in guards for part in nodes_of(guard)}
        labels = _labels(updates)
        while (found := self._next()) is not None:
            label = labels.get(id(found)) or (
                "condition" if found.type is Bool else f"the_{snake_case(found.type.__name__)}"
            )
            name = terms.words.new(label, set(self.names.names))
            self.names = self.names.naming(found, name)
            self.named.insert(0, (name, found))

    @property
    def after_guards(self) -> Names:
        """The names, and what the guards tell."""
        names = self.names
        for guard in self.guards:
            names = names.knowing(guard)
        return names

    def guards_in_turn(self) -> Iterator[Formula]:
        """The guards; those before a guard have held."""
        names = self.names
        for guard in self.guards:
            yield self.terms.formula(guard, names)
            names = names.knowing(guard)

    def formula(self, given: Node) -> Formula:
        """The formula of a node where all guards hold."""
        return self.terms.formula(given, self.after_guards)

    def updated(self, value: Node, before: Node) -> Formula:
        """The new value of a variable."""
        if id(value) in self.names.nodes:
            return self.formula(value)
        return self.terms.updated(value, before, self.after_guards)

    def wrapped(self, body: Sequence[str]) -> Iterator[str]:
        """The lines of the action, below those that give the names."""
        indent = " " * f.INDENT
        if not self.named:
            yield from (indent + line for line in body)
            return
        for number, (name, given) in enumerate(self.named):
            opening = indent + ("    " if number else "LET ")
            value = f.definition(name, self._alone(given), f.WIDTH - len(opening))
            yield from f.hanging(opening, value)
        yield from f.hanging(f"{indent}IN  ", body)

    def _alone(self, given: Node) -> Formula:
        names = self.names if id(given) in self._in_guards else self.after_guards
        return self.terms.formula(given, names.without(given))

    def _next(self) -> Node | None:
        """The longest term without a name that is written more than once."""
        written: Counter[int] = Counter()
        seen: dict[int, tuple[Node, Formula]] = {}

        def watch(given: Node, formula: Formula) -> None:
            written[id(given)] += 1
            seen[id(given)] = given, formula

        self.terms.watch = watch
        list(self.guards_in_turn())
        for given in self.updates:
            self.formula(given)
        for _, given in self.named:
            self._alone(given)
        self.terms.watch = None
        worth = [
            (len(formula.flat), given)
            for given, formula in seen.values()
            if written[id(given)] > 1
            and given.operation not in NAMELESS
            and len(formula.flat) >= WORTH_A_NAME
            and not _open_variables(given, self._open)
        ]
        return max(worth, key=lambda found: found[0])[1] if worth else None


def described(summary: str, clauses: Sequence[str]) -> list[str]:
    """A comment: what something means, and its clauses."""
    text = f"{summary} ({', '.join(clauses)})" if clauses else summary
    return [f"\\* {line}" for line in textwrap.wrap(text, f.WIDTH - 3)]


def _bullet(formula: Formula) -> list[str]:
    return f.hanging("/\\ ", formula.lines(f.WIDTH - 2 * f.INDENT))


def _branches(formula: Formula) -> bool:
    """Would TLC count a step more than once for this condition."""
    match formula:
        case f.Junction(operator=operator, parts=parts):
            return operator == "\\/" or any(map(_branches, parts))
        case f.Headed(head=head, body=body):
            return head.startswith("\\E") or _branches(body)
        case f.Infix(operator="=>", right=right):
            return _branches(right)
        case f.Choice(then=then, otherwise=otherwise):
            return _branches(then) or _branches(otherwise)
        case f.Listed(opening="(", parts=(inner,)):
            return _branches(inner)
    return False


def _labels(updates: dict[str, Node]) -> dict[int, str]:
    """Names for values after the fields that they become."""
    found = {id(value): f"new_{name}" for name, value in updates.items()}
    for part in (part for given in updates.values() for part in nodes_of(given)):
        if part.operation == "with_field":
            found.setdefault(id(part.arguments[1]), f"new_{part.data}")
        elif part.operation == "record":
            for name, value in zip(part.type.fields(), part.arguments, strict=True):
                found.setdefault(id(value), f"new_{name}")
    return found


def _open_variables(given: Node, known: dict[int, set[Any]]) -> set[Any]:
    """The variables of quantifiers around a node that it speaks of."""
    found = known.get(id(given))
    if found is None:
        found = {variable for part in given.arguments for variable in _open_variables(part, known)}
        if given.operation == "bound_variable":
            found = {(given.type, given.data)}
        if given.operation in BINDERS:
            found = found - {given.data}
        known[id(given)] = found
    return found
