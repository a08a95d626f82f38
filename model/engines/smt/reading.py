"""The typed tree of a machine read without upper limits: what a node is in a state, as Z3 terms.

This file decides what each operation of the language means there. Quantifiers over what is listed
(Sort, Enum, Bool) are unrolled; those over a Range become quantifiers of Z3. The greatest or least
number with some property is a new number with the facts that define it; `facts` collects them. It
refuses to know what is to be proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import z3

from model.engines.smt.trees import free_names, has_upper_limit, variables_of
from model.engines.smt.values import (
    Family,
    Heap,
    Number,
    Row,
    Shapes,
    Truth,
    Value,
    at_most,
    chosen,
    conjunction,
    disjunction,
    either,
    for_all,
    implied,
    less,
    negate,
    same,
)
from model.lang.containers import Position, Set
from model.lang.nodes import Node
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Range

Environment = dict[Any, Value]


@dataclass
class Reading:
    """Nodes as values in one state. The values of an environment are those of parameters (by name)
    and of quantified variables (by type and depth).
    """

    shapes: Shapes
    state: Value
    facts: list[Truth] = field(default_factory=list)
    _memory: dict[Any, Any] = field(default_factory=dict)

    def truth(self, node: Node, environment: Environment | None = None) -> Truth:
        """A truth value in this state."""
        found: Truth = self.value(node, environment or {})
        return found

    def assume(self, node: Node, value: Value, environment: Environment) -> Truth:
        """Read a scalar as this value from here on; what is returned must then hold."""
        condition = same(self.value(node, environment), value)
        key, used = self._key(node, environment)
        self._memory[key] = (value, used)
        return condition

    def _key(self, node: Node, environment: Environment) -> tuple[tuple[int, ...], list[Value]]:
        used = [environment[name] for name in free_names(node)]
        return (id(node), *(x if isinstance(x, int) else id(x) for x in used)), used

    def value(self, node: Node, environment: Environment) -> Value:
        """Any value in this state."""
        key, used = self._key(node, environment)
        found = self._memory.get(key)
        if found is None:
            rule: Callable[[Node, Environment], Value] = getattr(
                self, f"_{node.operation}", self._plain
            )
            # What the key names by its address is kept, so that no other value gets that address.
            found = self._memory[key] = (rule(node, environment), used)
        return found[0]

    def _plain(self, node: Node, environment: Environment) -> Value:
        rule = PLAIN.get(node.operation)
        if rule is None:
            raise ModelError(f"{node.operation!r} has no unbounded reading")
        return rule(*(self.value(argument, environment) for argument in node.arguments))

    # Leaves.

    def _state(self, node: Node, environment: Environment) -> Value:  # noqa: ARG002
        return self.state

    def _parameter(self, node: Node, environment: Environment) -> Value:
        return environment[node.data]

    def _bound_variable(self, node: Node, environment: Environment) -> Value:
        return environment[node.type, node.data]

    def _constant(self, node: Node, environment: Environment) -> Value:  # noqa: ARG002
        return bool(node.data) if issubclass(node.type, Bool) else node.data

    def _bound(self, node: Node, environment: Environment) -> Value:  # noqa: ARG002
        return self.shapes.number(Bound(*node.data))

    def _default(self, node: Node, environment: Environment) -> Value:  # noqa: ARG002
        return self.shapes.default(node.type)

    def _everything(self, node: Node, environment: Environment) -> Value:  # noqa: ARG002
        item = node.type.item
        if self.shapes.is_finite(item):
            return (True,) * self.shapes.cardinality(item)
        return Family(lambda i: at_most(self.shapes.low(item), i))

    # Scalars.

    def _equal(self, node: Node, environment: Environment) -> Truth:
        one, two = (self.value(argument, environment) for argument in node.arguments)
        return self.shapes.equal(node.arguments[0].type, one, two)

    def _less(self, node: Node, environment: Environment) -> Truth:
        one, two = node.arguments
        if issubclass(one.type, Position) and one.operation in ("bound_variable", "parameter"):
            # "The position is before the end of the bag": the element is in it.
            element = self.value(one, environment)
            return less(0, self._times(two.arguments[0], element, environment))
        return less(self.value(one, environment), self.value(two, environment))

    def _some(self, node: Node, environment: Environment) -> Number:
        argument, item = node.arguments[0], node.type.item
        value = self.shapes.index(item, self.value(argument, environment))
        low = self.shapes.low(item)
        if self.shapes.is_finite(item) or self._is_at_least(argument, value, low):
            return value
        # Too low a number is no value of the option; it must not be taken for none.
        return either(at_most(low, value), value, low - 2)

    def _is_at_least(self, node: Node, value: Number, low: Number) -> bool:
        if isinstance(value, int) and isinstance(low, int):
            return value >= low
        kept = ("parameter", "bound_variable", "field", "get", "at", "unwrap")
        lowest = self.shapes.low(node.type)
        known = isinstance(lowest, int) and isinstance(low, int) and lowest >= low
        return node.operation in kept and known

    def _is_some(self, node: Node, environment: Environment) -> Truth:
        none = self.shapes.low(node.arguments[0].type)
        return negate(same(self.value(node.arguments[0], environment), none))

    def _unwrap(self, node: Node, environment: Environment) -> Value:
        option = self.value(node.arguments[0], environment)
        none = self.shapes.low(node.arguments[0].type)
        if issubclass(node.type, Bool):
            return same(option, 1)
        return either(same(option, none), self.shapes.default(node.type), option)

    # Sets.

    def _set_of(self, node: Node, environment: Environment) -> Value:
        item = node.type.item
        elements = [self.value(a, environment) for a in node.arguments]
        if self.shapes.is_finite(item):
            return tuple(
                disjunction(*(same(v, e) for e in elements)) for v in self.shapes.values(item)
            )
        return Family(lambda i: disjunction(*(same(i, e) for e in elements)))

    def _member(self, node: Node, environment: Environment) -> Truth:
        element, members = node.arguments
        return self._looked_up(element, members, environment)

    def _union(self, node: Node, environment: Environment) -> Value:
        return self._combined(disjunction, node, environment)

    def _intersection(self, node: Node, environment: Environment) -> Value:
        return self._combined(conjunction, node, environment)

    def _difference(self, node: Node, environment: Environment) -> Value:
        return self._combined(lambda a, b: conjunction(a, negate(b)), node, environment)

    def _combined(
        self, combine: Callable[[Truth, Truth], Truth], node: Node, environment: Environment
    ) -> Value:
        one, two = (self.value(argument, environment) for argument in node.arguments)
        if isinstance(one, tuple):
            return tuple(combine(a, b) for a, b in zip(one, two, strict=True))
        return Family(lambda i: combine(one.at(i), two.at(i)))

    def _size(self, node: Node, environment: Environment) -> Number:
        members = self.value(node.arguments[0], environment)
        if not isinstance(members, tuple):
            raise ModelError(f"the size of a {node.arguments[0].type.__name__} has no limit")
        counts = [either(member, 1, 0) for member in members]
        known = sum(c for c in counts if isinstance(c, int))
        return sum((c for c in counts if not isinstance(c, int)), known)

    # Records, maps, sequences, bags.

    def _record(self, node: Node, environment: Environment) -> Value:
        parts = (self.value(argument, environment) for argument in node.arguments)
        return dict(zip(node.type.fields(), parts, strict=True))

    def _field(self, node: Node, environment: Environment) -> Value:
        return self.value(node.arguments[0], environment)[node.data]

    def _with_field(self, node: Node, environment: Environment) -> Value:
        before, value = (self.value(argument, environment) for argument in node.arguments)
        return {**before, node.data: value}

    def _looked_up(self, key: Node, container: Node, environment: Environment) -> Value:
        place, held = self.value(key, environment), self.value(container, environment)
        if isinstance(held, Family):
            return held.at(place)
        key_type = container.type.item if issubclass(container.type, Set) else container.type.key
        return chosen(self.shapes.index(key_type, place), held)

    def _get(self, node: Node, environment: Environment) -> Value:
        container, key = node.arguments
        return self._looked_up(key, container, environment)

    def _store(self, node: Node, environment: Environment) -> Value:
        before, key, value = (self.value(argument, environment) for argument in node.arguments)
        if isinstance(before, Family):
            return Family(lambda i: either(same(i, key), value, before.at(i)))
        index = self.shapes.index(node.type.key, key)
        return tuple(either(same(index, i), value, old) for i, old in enumerate(before))

    def _length(self, node: Node, environment: Environment) -> Number:
        held = self.value(node.arguments[0], environment)
        if isinstance(held, Heap):
            raise ModelError("how many elements a bag has is not read without limits")
        length: Number = held.length
        return length

    def _at(self, node: Node, environment: Environment) -> Value:
        container, index = (self.value(argument, environment) for argument in node.arguments)
        # The place of an element in a bag stands for the element itself.
        return index if isinstance(container, Heap) else container.at(index)

    def _appended(self, node: Node, environment: Environment) -> Row:
        row, element = (self.value(argument, environment) for argument in node.arguments)
        end = row.length
        return Row(end + 1, lambda i: either(same(i, end), element, row.at(i)))

    def _truncated(self, node: Node, environment: Environment) -> Row:
        row, keep = (self.value(argument, environment) for argument in node.arguments)
        past_the_end = self.shapes.default(node.type.item)
        kept = either(less(keep, 0), 0, keep)
        return Row(
            either(less(kept, row.length), kept, row.length),
            lambda i: either(less(i, keep), row.at(i), past_the_end),
        )

    def _times(self, bag: Node, element: Value, environment: Environment) -> Number:
        heap = self.value(bag, environment)
        if not isinstance(heap, Heap):
            raise ModelError("a position of a bag is compared with something else")
        return heap.count(self.shapes.parts(bag.type.item, element))

    def _in_bag(self, node: Node, environment: Environment) -> Truth:
        element, bag = node.arguments
        return less(0, self._times(bag, self.value(element, environment), environment))

    def _added(self, node: Node, environment: Environment) -> Heap:
        return self._changed_bag(node, environment, lambda times: times + 1)

    def _removed(self, node: Node, environment: Environment) -> Heap:
        return self._changed_bag(
            node, environment, lambda times: either(less(0, times), times - 1, times)
        )

    def _changed_bag(
        self, node: Node, environment: Environment, change: Callable[[Number], Number]
    ) -> Heap:
        heap, element = (self.value(argument, environment) for argument in node.arguments)
        wanted = self.shapes.parts(node.type.item, element)

        def count(parts: Any) -> Number:
            here = conjunction(*(same(a, b) for a, b in zip(parts, wanted, strict=True)))
            times = heap.count(parts)
            return either(here, change(times), times)

        return Heap(count)

    # Binders.

    def _bodies(self, node: Node, environment: Environment) -> Iterator[tuple[Value, Value]]:
        for value in self.shapes.values(node.data[0]):
            yield value, self.value(node.arguments[0], {**environment, node.data: value})

    def _every(self, node: Node, environment: Environment) -> Truth:
        domain = node.data[0]
        if self.shapes.is_finite(domain):
            return conjunction(*(body for _, body in self._bodies(node, environment)))
        variable, limits, numbers = self._variable(domain)
        body = self.truth(node.arguments[0], {**environment, node.data: variable})
        return for_all(numbers, implied(limits, body))

    def _exists(self, node: Node, environment: Environment) -> Truth:
        domain = node.data[0]
        if self.shapes.is_finite(domain):
            return disjunction(*(body for _, body in self._bodies(node, environment)))
        variable, limits, numbers = self._variable(domain)
        body = self.truth(node.arguments[0], {**environment, node.data: variable})
        found = conjunction(limits, body)
        return found if isinstance(found, bool) else z3.Exists(numbers, found)

    def _variable(self, domain: type[Any]) -> tuple[Value, Truth, list[Any]]:
        """A new variable, its limits, and the numbers that it consists of."""
        if issubclass(domain, Position):
            of: type[Any] = domain.bag.item  # type: ignore[attr-defined]
            element = self.shapes.unknown(of, str(self.shapes.fresh("element")))
            limits = conjunction(*self.shapes.within(of, element))
            return element, limits, self.shapes.parts(of, element)
        number = self.shapes.fresh(domain.__name__)
        return number, at_most(self.shapes.low(domain), number), [number]

    def _those(self, node: Node, environment: Environment) -> Value:
        return self._each(node, environment)

    def _each(self, node: Node, environment: Environment) -> Value:
        if self.shapes.is_finite(node.data[0]):
            return tuple(body for _, body in self._bodies(node, environment))
        body = node.arguments[0]
        return Family(lambda i: self.value(body, {**environment, node.data: i}))

    def _largest(self, node: Node, environment: Environment) -> Number:
        if not has_upper_limit(node.arguments[0], node.data):
            raise ModelError(
                f"the largest {node.data[0].__name__} may not exist without upper limits: begin "
                "the claim with `x < limit`, joined by &"
            )
        return self._extreme(node, environment, less)

    def _smallest(self, node: Node, environment: Environment) -> Number:
        return self._extreme(node, environment, lambda a, b: less(b, a))

    def _extreme(
        self, node: Node, environment: Environment, passed: Callable[[Number, Number], Truth]
    ) -> Number:
        """A new number, and the facts that define it; it depends on the quantified variables
        around it.
        """
        domain, _ = node.data
        if not issubclass(domain, Range):
            raise ModelError(f"the values of {domain.__name__} have no order")
        body, otherwise = node.arguments
        around = self._around(node, environment)
        name = str(self.shapes.fresh(node.operation))
        found = self.shapes.unknown(Range, name, tuple(around))
        other, low = self.shapes.fresh(domain.__name__), self.shapes.low(domain)
        holds = self.truth(body, {**environment, node.data: found})
        elsewhere = self.truth(body, {**environment, node.data: other})
        none_passes = for_all(
            [other],
            negate(conjunction(at_most(low, other), passed(found, other), elsewhere)),
        )
        none_at_all = for_all([other], negate(conjunction(at_most(low, other), elsewhere)))
        default = same(found, self.value(otherwise, environment))
        fact = disjunction(
            conjunction(at_most(low, found), holds, none_passes), conjunction(default, none_at_all)
        )
        self.facts.append(for_all(around, fact))
        return found

    def _around(self, node: Node, environment: Environment) -> list[z3.ArithRef]:
        """The quantified numbers that a node depends on."""
        values = [environment[n] for n in variables_of(node)]
        numbers = [v for v in values if not isinstance(v, int)]
        for number in numbers:
            if not (isinstance(number, z3.ArithRef) and z3.is_const(number)):
                raise ModelError(f"{node.operation} depends on what is no single number here")
        return numbers


PLAIN: dict[str, Callable[..., Any]] = {
    "not": negate,
    "and": conjunction,
    "or": disjunction,
    "at_most": at_most,
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "if_else": either,
}
