"""The words of an exported module: names that do not clash, and what the types of a machine are
called and stand for in TLA+.

Decides how each type is written as a set, what its lowest value is, and which definitions a module
needs before its actions. It refuses to know what the actions say.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from model.engines.export.formulas import (
    ATOM,
    COMPARISON,
    INTERVAL,
    OPEN,
    SETS,
    SUM,
    Formula,
    call,
    definition,
    enclosed,
    headed,
    infix,
    junction,
    listed,
)
from model.engines.export.tla_library import OPERATORS, PARAMETERS, RESERVED
from model.engines.lowering.layout import Sizes
from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.machine import Machine
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Enum, Option, Range, Sort, Term


def camel_case(name: str) -> str:
    """`leader_fetches` as `LeaderFetches`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def snake_case(name: str) -> str:
    """`NextEpoch` as `next_epoch`."""
    spaced = "".join(f"_{c}" if c.isupper() else c for c in name if c.isalnum() or c == "_")
    return spaced.strip("_").lower()


class Words:
    """The names of one module; what is asked for is defined."""

    def __init__(self, machine: Machine[Any], sizes: Sizes) -> None:
        self.sizes = sizes
        self.taken = set(RESERVED)
        self.variables = {name: self.new(name) for name in machine.state.fields()}
        self.constants: dict[str, str] = {}
        self.sorts: dict[str, type[Term]] = {}
        self.definitions: dict[str, list[str]] = {}
        self.operators: set[str] = set()
        self.modules = {"Integers"}
        self.models: set[str] = set()
        self._types: dict[type[Term], str] = {}
        self._lowest: dict[type[Term], str] = {}

    # Names.

    def new(self, wanted: str, among: set[str] | None = None) -> str:
        """A name that nothing else has; it is taken from now on, or stays local to `among`."""
        taken = self.taken | (PARAMETERS if among is None else among)
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}{number}", number + 1
        (self.taken if among is None else among).add(name)
        return name

    def operator(self, name: str, *arguments: Formula) -> Formula:
        """One of the operators that keep the operations of the language total."""
        self.operators.add(name)
        self.modules |= {*OPERATORS[name].module.split()}
        self.models |= {*OPERATORS[name].model.split()}
        return call(name, *arguments)

    def none(self) -> Formula:
        """What an option is that holds nothing."""
        self.models.add("None")
        return Formula("None")

    def bound(self, bound: int | Bound) -> Formula:
        """A number of the scope."""
        if isinstance(bound, int):
            return Formula(str(bound), ATOM if bound >= 0 else SUM)
        if bound.name not in self.constants:
            self.constants[bound.name] = self.new(camel_case(bound.name))
        number = Formula(self.constants[bound.name])
        if not bound.added:
            return number
        sign = "+" if bound.added > 0 else "-"
        return infix(SUM, number, sign, Formula(str(abs(bound.added))))

    # Types.

    def set_of(self, of: type[Any]) -> Formula:
        """The set of all values of a type."""
        if issubclass(of, Bool):
            return Formula("BOOLEAN")
        if issubclass(of, Option):
            return infix(SETS, self.set_of(of.item), "\\cup", listed("{", [self.none()], "}"))
        if issubclass(of, Set):
            inner = enclosed(self.set_of(of.item), SETS)
            return Formula(f"SUBSET {inner.flat}", SETS)
        if issubclass(of, Map):
            key, item = self.set_of(of.key), self.set_of(of.item)
            return Formula(f"[{key.flat} -> {item.flat}]")
        if issubclass(of, Bag):
            raise ModelError(
                f"{of.__name__}: a bag is exported only as a field of the state or of its "
                "records and maps"
            )
        return Formula(self._name(of))

    def _name(self, of: type[Any]) -> str:
        """The name under which a type is defined."""
        if of not in self._types:
            made = issubclass(of, Seq) and "[" in of.__name__
            value = None if issubclass(of, Sort) else self._definition(of)
            wanted = f"{of.item.__name__}Sequence" if made else of.__name__
            name = self._types[of] = self.new(camel_case(wanted))
            if value is None:
                self.sorts[name] = of
            else:
                self.definitions[name] = definition(name, value)
        return self._types[of]

    def _definition(self, of: type[Any]) -> Formula:
        if issubclass(of, Enum):
            return listed("{", [Formula(f'"{name}"') for name in of.names], "}")
        if issubclass(of, Range):
            return infix(INTERVAL, self.bound(of.low), "..", self.bound(of.high))
        if issubclass(of, Seq):
            return self.operator("SequencesOf", self.set_of(of.item), self.bound(of.capacity))
        assert issubclass(of, Record)
        parts = [headed(f"{name} :", self.set_of(part)) for name, part in of.fields().items()]
        return listed("[", parts, "]")

    def lowest(self, of: type[Any], among: Collection[str] = ()) -> Formula:
        """The natural first value of a type, where these local names are taken."""
        if issubclass(of, Bool):
            return Formula("FALSE")
        if issubclass(of, Enum):
            return Formula(f'"{of.names[0]}"')
        if issubclass(of, Range):
            return self.bound(of.low)
        if issubclass(of, Option):
            return self.none()
        if issubclass(of, Set):
            return Formula("{}")
        if issubclass(of, Seq):
            return Formula("<<>>")
        if issubclass(of, Bag):
            self.modules.add("Bags")
            return Formula("EmptyBag")
        if issubclass(of, Map):
            local = set(among)
            key = self.new(snake_case(of.key.__name__), local)
            head = f"{key} \\in {self.set_of(of.key).flat} |->"
            return listed("[", [headed(head, self.lowest(of.item, local))], "]")
        return Formula(self._lowest_name(of))

    def _lowest_name(self, of: type[Any]) -> str:
        if of not in self._lowest:
            if issubclass(of, Sort):
                value = Formula(f"CHOOSE one \\in {self._name(of)} : TRUE", OPEN)
            else:
                parts = [
                    headed(f"{name} |->", self.lowest(part)) for name, part in of.fields().items()
                ]
                value = listed("[", parts, "]")
            name = self._lowest[of] = self.new(f"Lowest{camel_case(of.__name__)}")
            self.definitions[name] = definition(name, value)
        return self._lowest[of]

    def typed(self, of: type[Any], value: Formula, among: Collection[str] = ()) -> Formula:
        """The claim that a value is of a type, where these local names are taken."""
        if not has_bag(of):
            return infix(COMPARISON, value, "\\in", self.set_of(of))
        if issubclass(of, Bag):
            self.modules.add("Bags")
            return junction(
                "/\\",
                [
                    call("IsABag", value),
                    infix(COMPARISON, call("BagToSet", value), "\\subseteq", self.set_of(of.item)),
                    infix(
                        COMPARISON, call("BagCardinality", value), "<=", self.bound(of.capacity)
                    ),
                ],
            )
        if issubclass(of, Map):
            local = set(among)
            key = self.new(snake_case(of.key.__name__), local)
            keys = self.set_of(of.key)
            inner = self.typed(of.item, Formula(f"{value.flat}[{key}]"), local)
            domain = infix(COMPARISON, Formula(f"DOMAIN {value.flat}"), "=", keys)
            return junction("/\\", [domain, headed(f"\\A {key} \\in {keys.flat} :", inner)])
        return junction(
            "/\\",
            [
                self.typed(part, Formula(f"{value.flat}.{name}"), among)
                for name, part in of.fields().items()
            ],
        )


def has_bag(of: type[Any]) -> bool:
    """Is a bag some part of this type."""
    if issubclass(of, Record):
        return any(has_bag(part) for part in of.fields().values())
    return issubclass(of, Bag) or (issubclass(of, Map) and has_bag(of.item))
