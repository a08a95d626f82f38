"""From the tree of a machine to TLA+ formulas.

Decides what stands for each operation of the language, so that it means the same: all operations
are total there and partial in TLA+, so a read that may fail goes through an operator that gives
the lowest value. It refuses to know what an action or a module is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from model.engines.export import formulas as f
from model.engines.export.facts import is_inside
from model.engines.export.formulas import Formula
from model.engines.export.intervals import Intervals
from model.engines.export.rewriting import Rewriting, nodes_of, root
from model.engines.export.tla_names import Names
from model.engines.export.tla_words import Words, snake_case
from model.lang.containers import Bag, Position
from model.lang.nodes import Node, node
from model.lang.terms import Bool, Bound, Enum

COMPARISONS = {"equal": "=", "less": "<", "at_most": "<="}
NEGATED = {"equal": "#", "less": ">=", "at_most": ">", "member": "\\notin"}
COMBINED = {"union": "\\cup", "intersection": "\\cap", "difference": "\\"}
SUMS = {"add": "+", "subtract": "-"}


class Terms:
    """Writes rewritten nodes as formulas."""

    def __init__(self, words: Words, intervals: Intervals, rewriting: Rewriting) -> None:
        self.words, self.intervals, self.rewriting = words, intervals, rewriting
        self.watch: Callable[[Node, Formula], None] | None = None

    def formula(self, given: Node, names: Names) -> Formula:
        """The formula of a rewritten node."""
        known = names.nodes.get(id(given))
        if known is not None:
            return known
        made = self._made(given, names)
        if self.watch:
            self.watch(given, made)
        return made

    def _made(self, given: Node, names: Names) -> Formula:
        if given.operation in COMPARISONS:
            return self._comparison(given, COMPARISONS[given.operation], names)
        if given.operation in COMBINED:
            return self._infix(f.SETS, given, COMBINED[given.operation], names)
        if given.operation in SUMS:
            return self._infix(f.SUM, given, SUMS[given.operation], names)
        rule = getattr(self, f"_{given.operation}")
        made: Formula = rule(given, names)
        return made

    def _parts(self, given: Node, names: Names) -> list[Formula]:
        return [self.formula(argument, names) for argument in given.arguments]

    def _infix(self, level: int, given: Node, operator: str, names: Names) -> Formula:
        one, two = self._parts(given, names)
        return f.infix(level, one, operator, two)

    # Leaves.

    def _bound_variable(self, given: Node, names: Names) -> Formula:
        return Formula(names.bound[given.type, given.data])

    def _constant(self, given: Node, names: Names) -> Formula:  # noqa: ARG002
        if issubclass(given.type, Bool):
            return Formula("TRUE" if given.data else "FALSE")
        if issubclass(given.type, Enum):
            return Formula(f'"{given.type.names[given.data]}"')
        return self.words.bound(int(given.data))

    def _bound(self, given: Node, names: Names) -> Formula:  # noqa: ARG002
        return self.words.bound(Bound(*given.data))

    def _default(self, given: Node, names: Names) -> Formula:
        return self.words.lowest(given.type, names.names)

    def _everything(self, given: Node, names: Names) -> Formula:  # noqa: ARG002
        return self.words.set_of(given.type.item)

    # Logic.

    def _not(self, given: Node, names: Names) -> Formula:
        (claim,) = given.arguments
        if id(claim) not in names.nodes:
            if claim.operation in ("equal", "less", "at_most"):
                return self._comparison(claim, NEGATED[claim.operation], names)
            if claim.operation == "member":
                return self._membership(claim, "\\notin", names)
            if claim.operation == "is_some":
                option = self.formula(claim.arguments[0], names)
                return f.infix(f.COMPARISON, option, "=", self.words.none())
        return f.negation(self.formula(claim, names))

    def _and(self, given: Node, names: Names) -> Formula:
        return f.junction("/\\", list(self._in_turn(given, names, True)))

    def _or(self, given: Node, names: Names) -> Formula:
        condition, *others = given.arguments
        if len(others) == 1 and condition.operation == "not" and id(condition) not in names.nodes:
            one = self.formula(condition.arguments[0], names)
            claim = self.formula(others[0], names.knowing(condition, False))
            return f.implies(one, claim)
        return f.junction("\\/", list(self._in_turn(given, names, False)))

    def _in_turn(self, given: Node, names: Names, holds: bool) -> Iterator[Formula]:
        """The parts of a logical operation; those to the left of a part have held, or not."""
        for part in given.arguments:
            yield self.formula(part, names)
            names = names.knowing(part, holds)

    def _comparison(self, given: Node, operator: str, names: Names) -> Formula:
        one, two = self._parts(given, names)
        return f.infix(f.COMPARISON, one, operator, two)

    def _if_else(self, given: Node, names: Names) -> Formula:
        condition, then, otherwise = given.arguments
        if condition.operation == "at_most" and {then, otherwise} == {*condition.arguments}:
            operator = "Least" if then is condition.arguments[0] else "Greatest"
            return self.words.operator(
                operator, self.formula(then, names), self.formula(otherwise, names)
            )
        return f.choice(
            self.formula(condition, names),
            self.formula(then, names.knowing(condition)),
            self.formula(otherwise, names.knowing(condition, False)),
        )

    # Options and sets.

    def _some(self, given: Node, names: Names) -> Formula:
        return self.formula(given.arguments[0], names)

    def _is_some(self, given: Node, names: Names) -> Formula:
        option = self.formula(given.arguments[0], names)
        return f.infix(f.COMPARISON, option, "#", self.words.none())

    def _unwrap(self, given: Node, names: Names) -> Formula:
        option = self.formula(given.arguments[0], names)
        if ("present", given.arguments[0]) in names.facts:
            return option
        return self.words.operator("OrElse", option, self.words.lowest(given.type, names.names))

    def _element(self, element: Node, of: Any, names: Names) -> Formula:
        """A value as an element of a set: what its type has not is one and the same."""
        value = self.formula(element, names)
        if self.intervals.surely_in(element, of):
            return value
        return self.words.operator("Inside", value, self.words.set_of(of))

    def _set_of(self, given: Node, names: Names) -> Formula:
        parts = [self._element(part, given.type.item, names) for part in given.arguments]
        return f.listed("{", parts, "}")

    def _member(self, given: Node, names: Names) -> Formula:
        return self._membership(given, "\\in", names)

    def _membership(self, given: Node, operator: str, names: Names) -> Formula:
        element, members = given.arguments
        if self.intervals.surely_clean(members):
            value = self.formula(element, names)
        else:
            value = self._element(element, members.type.item, names)
        return f.infix(f.COMPARISON, value, operator, self.formula(members, names))

    def _size(self, given: Node, names: Names) -> Formula:
        self.words.modules.add("FiniteSets")
        return f.call("Cardinality", *self._parts(given, names))

    # Records and maps.

    def _record(self, given: Node, names: Names) -> Formula:
        parts = [
            f.equation(f"{name} |->", part)
            for name, part in zip(given.type.fields(), self._parts(given, names), strict=True)
        ]
        return f.listed("[", parts, "]")

    def _field(self, given: Node, names: Names) -> Formula:
        (record,) = given.arguments
        if record.operation == "state":
            return Formula(self.words.variables[given.data])
        return f.followed(self.formula(record, names), f".{given.data}")

    def _get(self, given: Node, names: Names) -> Formula:
        container, key = given.arguments
        one, two = self._parts(given, names)
        if self.intervals.surely_in(key, container.type.key):
            return f.followed(one, self._key(two))
        return self.words.operator("Under", one, two, self.words.lowest(given.type, names.names))

    @staticmethod
    def _key(key: Formula) -> str:
        """What follows a function; TLC takes `f[x \\in s]` for the beginning of another one."""
        return f"[{f.enclosed(key, f.COMPARISON).flat}]"

    def _updated(self, given: Node, names: Names) -> Formula:
        return self.updated(given, root(given), names)

    _with_field = _store = _updated

    def updated(self, value: Node, before: Node, names: Names) -> Formula:
        """A value with what changed of another one, as EXCEPT."""
        changes = self.rewriting.changes(value, before)
        if not changes:
            return self.formula(before, names)
        if [change.path for change in changes] == [()]:
            return self.formula(changes[0].value, names)
        parts = []
        for change in changes:
            steps = "".join(
                f".{step}" if isinstance(step, str) else self._key(self.formula(step, names))
                for step in change.path
            )
            new = self._new_value(change.value, change.before, names)
            parts.append(f.equation(f"!{steps} =", new))
        opening = f"[{f.enclosed(self.formula(before, names), f.SUM).flat} EXCEPT "
        return f.listed(opening, parts, "]")

    def _new_value(self, value: Node, before: Node | None, names: Names) -> Formula:
        """The right side of a change; `@` stands for what was there."""
        if before is None or self.watch or id(value) in names.nodes:
            return self.formula(value, names)
        if value is before:
            return Formula("@")
        if value.operation == "if_else" and before in value.arguments[1:]:
            condition, then, otherwise = value.arguments
            if condition.operation != "at_most":
                return f.choice(
                    self.formula(condition, names),
                    self._new_value(then, before, names.knowing(condition)),
                    self._new_value(otherwise, before, names.knowing(condition, False)),
                )
        own = (*SUMS, *COMBINED, "appended", "truncated", "added", "removed")
        if value.operation in own and value.arguments[0] is before:
            others = value.arguments[1:]
            if all(before not in nodes_of(other) for other in others):
                names = names.naming(before, "@")
        return self.formula(value, names)

    # Sequences and bags.

    def _length(self, given: Node, names: Names) -> Formula:
        if issubclass(given.arguments[0].type, Bag):
            self.words.modules.add("Bags")
            return f.call("BagCardinality", *self._parts(given, names))
        self.words.modules.add("Sequences")
        return f.call("Len", *self._parts(given, names))

    def _at(self, given: Node, names: Names) -> Formula:
        sequence, index = given.arguments
        if issubclass(sequence.type, Bag):
            return Formula(names.bound[index.type, index.data])
        one, two = self._parts(given, names)
        if not is_inside(index, sequence, names.facts, self.intervals):
            return self.words.operator(
                "ElementAt", one, two, self.words.lowest(given.type, names.names)
            )
        if index.operation == "constant":
            return f.followed(one, f"[{index.data + 1}]")
        if index.operation == "subtract" and index.arguments[1].data == 1:
            return f.followed(one, f"[{self.formula(index.arguments[0], names).flat}]")
        return f.followed(one, f"[{f.infix(f.SUM, two, '+', Formula('1')).flat}]")

    def _appended(self, given: Node, names: Names) -> Formula:
        self.words.modules.add("Sequences")
        return f.call("Append", *self._parts(given, names))

    def _truncated(self, given: Node, names: Names) -> Formula:
        return self.words.operator("UpTo", *self._parts(given, names))

    def _in_bag(self, given: Node, names: Names) -> Formula:
        self.words.modules.add("Bags")
        return f.call("BagIn", *self._parts(given, names))

    def _bag(self, operator: str, given: Node, names: Names) -> Formula:
        self.words.modules.add("Bags")
        bag, element = self._parts(given, names)
        one = f.call("SetToBag", f.listed("{", [element], "}"))
        return f.infix(f.SUM, bag, operator, one)

    def _added(self, given: Node, names: Names) -> Formula:
        return self._bag("(+)", given, names)

    def _removed(self, given: Node, names: Names) -> Formula:
        return self._bag("(-)", given, names)

    # Quantifiers.

    def _every(self, given: Node, names: Names) -> Formula:
        (body,) = given.arguments
        name, inner = self._opened(given, names)
        if body.operation == "or" and len(body.arguments) == 2:
            condition, claim = body.arguments
            among = None
            if condition.operation == "not":
                among = self._among(given, condition.arguments[0], names)
            if among is not None:
                known = inner.knowing(condition, False)
                return f.quantified("\\A", name, among, self.formula(claim, known))
        return self._binder("\\A", given, name, inner)

    def _exists(self, given: Node, names: Names) -> Formula:
        (body,) = given.arguments
        name, inner = self._opened(given, names)
        if body.operation == "and" and len(body.arguments) == 2:
            among = self._among(given, body.arguments[0], names)
            if among is not None:
                claim = self.formula(body.arguments[1], inner)
                return f.quantified("\\E", name, among, claim)
        return self._binder("\\E", given, name, inner)

    def _binder(self, sign: str, given: Node, name: str, inner: Names) -> Formula:
        body = self.formula(given.arguments[0], inner)
        return f.quantified(sign, name, self.words.set_of(given.data[0]), body)

    def _opened(self, given: Node, names: Names) -> tuple[str, Names]:
        """A name for the variable of a binder, and the names of its body."""
        domain, depth = given.data
        variable = node("bound_variable", domain, data=depth)
        named = domain.bag.item if issubclass(domain, Position) else domain
        taken = set(names.names)
        name = self.words.new(snake_case(named.__name__), taken)
        return name, replace(
            names.forgetting(variable),
            bound={**names.bound, given.data: name},
            names=frozenset(taken),
        )

    def _among(self, given: Node, condition: Node, names: Names) -> Formula | None:
        """The set that a quantifier goes through, where its body begins with "is one of"."""
        variable = node("bound_variable", given.data[0], data=given.data[1])
        if condition.operation == "member" and condition.arguments[0] is variable:
            members = condition.arguments[1]
            if variable not in nodes_of(members) and self.intervals.surely_clean(members):
                return self.formula(members, names)
        if issubclass(given.data[0], Position):
            self.words.modules.add("Bags")
            (bag,) = condition.arguments[1].arguments
            return f.call("BagToSet", self.formula(bag, names))
        return None

    def _largest(self, given: Node, names: Names) -> Formula:
        otherwise = self.formula(given.arguments[1], names)
        return self.words.operator("Largest", self._those(given, names), otherwise)

    def _smallest(self, given: Node, names: Names) -> Formula:
        otherwise = self.formula(given.arguments[1], names)
        return self.words.operator("Smallest", self._those(given, names), otherwise)

    def _those(self, given: Node, names: Names) -> Formula:
        name, inner = self._opened(given, names)
        domain = self.words.set_of(given.data[0])
        claim = self.formula(given.arguments[0], inner)
        return f.listed("{", [f.headed(f"{name} \\in {domain.flat} :", claim)], "}")

    def _each(self, given: Node, names: Names) -> Formula:
        name, inner = self._opened(given, names)
        domain = self.words.set_of(given.data[0])
        value = self.formula(given.arguments[0], inner)
        return f.listed("[", [f.headed(f"{name} \\in {domain.flat} |->", value)], "]")
