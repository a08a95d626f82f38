"""Values of the language whose numbers have no upper limit, as Z3 terms.

This file decides how each type looks to the unbounded reader, and it refuses to know machines and
steps. A truth value or number is a Python constant where it is known and a Z3 term where not.
The values of a Sort or an Enum are numbered from 0. An option is one number, of which the one
below the lowest value is none. What a Sort or an Enum is the key of is a tuple with one value
each; what a Range is the key of is a Python function from its number to a value, so that a changed
map is a new function around the old one, and no theory of arrays is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Enum, Option, Range, Sort, Term

# Constants of Python or terms of Z3, which has no types for a checker: truth values, numbers, and
# what is made of them.
Truth = Any
Number = Any
Value = Any


@dataclass(frozen=True)
class Family:
    """A map over a Range, or a set of its numbers (a value is then a truth)."""

    at: Callable[[Number], Value]


@dataclass(frozen=True)
class Row:
    """A sequence: what stands past its end is not part of it."""

    length: Number
    at: Callable[[Number], Value]


@dataclass(frozen=True)
class Heap:
    """A bag: how often each value is in it, by its scalar parts in order."""

    count: Callable[[Sequence[Value]], Number]


# Logic and arithmetic that keep constants constant.


def conjunction(*parts: Truth) -> Truth:
    """All of them."""
    open_parts = [part for part in parts if part is not True]
    if any(part is False for part in open_parts):
        return False
    if len(open_parts) < 2:
        return open_parts[0] if open_parts else True
    return z3.And(*open_parts)


def negate(a: Truth) -> Truth:
    """Not a."""
    return not a if isinstance(a, bool) else z3.Not(a)


def disjunction(*parts: Truth) -> Truth:
    """Any of them."""
    open_parts = [part for part in parts if part is not False]
    if any(part is True for part in open_parts):
        return True
    if len(open_parts) < 2:
        return open_parts[0] if open_parts else False
    return z3.Or(*open_parts)


def implied(condition: Truth, claim: Truth) -> Truth:
    """The claim where the condition holds."""
    return disjunction(negate(condition), claim)


def same(a: Value, b: Value) -> Truth:
    """Equality of two scalars."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if isinstance(a, bool) or isinstance(b, bool):
        constant, other = (a, b) if isinstance(a, bool) else (b, a)
        return other if constant else negate(other)
    if not isinstance(a, int) and not isinstance(b, int) and a.eq(b):
        return True
    return a == b


def less(a: Number, b: Number) -> Truth:
    """a < b"""
    if not isinstance(a, int) and not isinstance(b, int) and a.eq(b):
        return False
    return a < b


def at_most(a: Number, b: Number) -> Truth:
    """a <= b"""
    return negate(less(b, a)) if isinstance(a, int) and isinstance(b, int) else a <= b


def either(condition: Truth, a: Value, b: Value) -> Value:
    """One of two values of the same shape."""
    if isinstance(condition, bool):
        return a if condition else b
    if a is b:
        return a
    if isinstance(a, dict):
        return {name: either(condition, a[name], b[name]) for name in a}
    if isinstance(a, tuple):
        return tuple(either(condition, x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Family):
        return Family(lambda i: either(condition, a.at(i), b.at(i)))
    if isinstance(a, Row):
        length = either(condition, a.length, b.length)
        return Row(length, lambda i: either(condition, a.at(i), b.at(i)))
    if isinstance(a, Heap):
        return Heap(lambda parts: either(condition, a.count(parts), b.count(parts)))
    return _either_scalar(condition, a, b)


def _either_scalar(condition: z3.BoolRef, a: Value, b: Value) -> Value:
    if isinstance(a, bool) and isinstance(b, bool):
        return a if a == b else (condition if a else negate(condition))
    if isinstance(a, bool):
        return disjunction(condition, b) if a else conjunction(negate(condition), b)
    if isinstance(b, bool):
        return disjunction(negate(condition), a) if b else conjunction(condition, a)
    if (isinstance(a, int) and isinstance(b, int) and a == b) or (
        not isinstance(a, int) and not isinstance(b, int) and a.eq(b)
    ):
        return a
    return z3.If(condition, a, b)


def chosen(index: Number, choices: Sequence[Value]) -> Value:
    """The choice with this number; one of them, whatever the number."""
    if isinstance(index, int):
        return choices[index]
    found = choices[-1]
    for number, choice in enumerate(choices[:-1]):
        found = either(index == number, choice, found)
    return found


def for_all(variables: Sequence[z3.ArithRef], claim: Truth) -> Truth:
    """The claim for all numbers; lower limits are part of the claim."""
    return claim if isinstance(claim, bool) or not variables else z3.ForAll([*variables], claim)


class Shapes:
    """What the types look like, for given sizes of the sorts.

    `sizes` gives bounds their numbers. A bound that it leaves out is an unknown number, the same
    everywhere; only how many values a Sort has must be known.
    """

    def __init__(self, sizes: dict[str, int]) -> None:
        self.sizes = sizes
        self._fresh = 0
        self._first: dict[str, Truth] = {}

    def axioms(self) -> list[Truth]:
        """What holds of the unknown first values of the sorts."""
        return list(self._first.values())

    def number(self, bound: int | Bound) -> Number:
        """A bound as a number, or as an unknown one."""
        if isinstance(bound, int):
            return bound
        if bound.name in self.sizes:
            return bound.at(self.sizes)
        return z3.Int(bound.name) + bound.added

    def is_finite(self, of: type[Term]) -> bool:
        """Are the values of this scalar type listed one by one."""
        return issubclass(of, Bool | Enum | Sort)

    def cardinality(self, of: type[Term]) -> int:
        """How many values a listed type has."""
        if issubclass(of, Bool):
            return 2
        if issubclass(of, Enum):
            return len(of.names)
        assert issubclass(of, Sort)
        return of.size.at(self.sizes) if isinstance(of.size, Bound) else of.size

    def values(self, of: type[Term]) -> list[Value]:
        """All values of a listed type."""
        return [False, True] if issubclass(of, Bool) else list(range(self.cardinality(of)))

    def index(self, of: type[Term], value: Value) -> Number:
        """The number of a value of a listed type."""
        return either(value, 1, 0) if issubclass(of, Bool) else value

    def low(self, of: type[Term]) -> Number:
        """The lowest number of a scalar type; for options, what none is."""
        if issubclass(of, Range):
            return self.number(of.low)
        return self.low(of.item) - 1 if issubclass(of, Option) else 0

    def fresh(self, what: str) -> z3.ArithRef:
        """A number that nothing is known of."""
        self._fresh += 1
        return z3.Int(f"{what}!{self._fresh}")

    def unknown(self, of: type[Any], name: str, keys: tuple[Number, ...] = ()) -> Value:
        """A value that nothing is known of, by its name; `keys` are the numbers it depends on."""
        if issubclass(of, Record):
            return {n: self.unknown(p, f"{name}.{n}", keys) for n, p in of.fields().items()}
        if issubclass(of, Map | Set):
            key, item = (of.key, of.item) if issubclass(of, Map) else (of.item, Bool)
            if self.is_finite(key):
                number = range(self.cardinality(key))
                return tuple(self.unknown(item, f"{name}.{i}", keys) for i in number)
            return Family(lambda i: self.unknown(item, name, (*keys, i)))
        if issubclass(of, Seq):
            length = self.unknown(Range, f"{name}.length", keys)
            return Row(length, lambda i: self.unknown(of.item, name, (*keys, i)))
        if issubclass(of, Bag):
            return Heap(lambda parts: self.unknown(Range, name, (*keys, *self._numbers(parts))))
        return _leaf(z3.BoolSort() if issubclass(of, Bool) else z3.IntSort(), name, keys)

    def _numbers(self, parts: Sequence[Value]) -> list[Number]:
        return [self.index(Bool, p) if isinstance(p, bool | z3.BoolRef) else p for p in parts]

    def default(self, of: type[Any]) -> Value:
        """The natural first value of a type. That of a Sort is an unknown one, always the same: so
        no identity is special, and what is proved of some of them is proved of all.
        """
        if issubclass(of, Record):
            return {n: self.default(p) for n, p in of.fields().items()}
        if issubclass(of, Map | Set):
            key, item = (of.key, of.item) if issubclass(of, Map) else (of.item, Bool)
            first = self.default(item)
            if self.is_finite(key):
                return (first,) * self.cardinality(key)
            return Family(lambda _: first)
        if issubclass(of, Seq):
            first = self.default(of.item)
            return Row(0, lambda _: first)
        if issubclass(of, Bag):
            return Heap(lambda _: 0)
        if issubclass(of, Bool):
            return False
        if issubclass(of, Sort) and self.cardinality(of) > 1:
            first = z3.Int(f"first {of.__name__}")
            inside = conjunction(at_most(0, first), less(first, self.cardinality(of)))
            self._first[of.__name__] = inside
            return first
        return self.low(of)

    def equal(self, of: type[Any], a: Value, b: Value) -> Truth:
        """Equality of two values of a type."""
        if isinstance(a, dict):
            return conjunction(*(self.equal(p, a[n], b[n]) for n, p in of.fields().items()))
        if isinstance(a, tuple):
            item = of.item if issubclass(of, Map) else Bool
            return conjunction(*(self.equal(item, x, y) for x, y in zip(a, b, strict=True)))
        if isinstance(a, Family):
            i = self.fresh("key")
            key, item = (of.key, of.item) if issubclass(of, Map) else (of.item, Bool)
            alike = self.equal(item, a.at(i), b.at(i))
            return for_all([i], implied(self.low(key) <= i, alike))
        if isinstance(a, Row):
            i = self.fresh("index")
            alike = self.equal(of.item, a.at(i), b.at(i))
            inside = conjunction(i >= 0, less(i, a.length))
            return conjunction(same(a.length, b.length), for_all([i], implied(inside, alike)))
        if isinstance(a, Heap):
            element = self.unknown(of.item, str(self.fresh("element")))
            parts = self.parts(of.item, element)
            return for_all(_variables(parts), same(a.count(parts), b.count(parts)))
        return same(a, b)

    def parts(self, of: type[Any], value: Value) -> list[Value]:
        """The scalar parts of a value that has finitely many."""
        if isinstance(value, dict):
            return [x for n, p in of.fields().items() for x in self.parts(p, value[n])]
        if isinstance(value, tuple):
            return [x for v in value for x in self.parts(getattr(of, "item", Bool), v)]
        if isinstance(value, Family | Row | Heap):
            raise ModelError(f"a {of.__name__} inside a bag has no unbounded reading")
        return [value]

    def within(self, of: type[Any], value: Value, before: Value = None) -> Iterator[Truth]:
        """The lower limits of the numbers in a value (both limits, for sorts and enums), but for
        the parts that are as `before`.
        """
        if value is before:
            return
        if isinstance(value, dict):
            for name, part in of.fields().items():
                yield from self.within(part, value[name], before and before[name])
        elif isinstance(value, tuple):
            item = of.item if issubclass(of, Map) else Bool
            for i, part in enumerate(value):
                yield from self.within(item, part, before and before[i])
        elif isinstance(value, Family | Row):
            if isinstance(value, Row):
                yield at_most(0, value.length)
            i = self.fresh("key")
            item = Bool if issubclass(of, Set) else of.item
            yield for_all([i], conjunction(*self.within(item, value.at(i))))
        elif isinstance(value, Heap):
            element = self.unknown(of.item, str(self.fresh("element")))
            parts = self.parts(of.item, element)
            yield for_all(_variables(parts), at_most(0, value.count(parts)))
        elif not issubclass(of, Bool):
            yield at_most(self.low(of), value)
            item = of.item if issubclass(of, Option) else of
            if self.is_finite(item):
                yield less(value, self.cardinality(item))


def _leaf(sort: z3.SortRef, name: str, keys: tuple[Number, ...]) -> z3.ExprRef:
    if not keys:
        return z3.Const(name, sort)
    return z3.Function(name, *[z3.IntSort()] * len(keys), sort)(*keys)


def _variables(parts: Sequence[Value]) -> list[z3.ExprRef]:
    return [part for part in parts if z3.is_const(part)]
