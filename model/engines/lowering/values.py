"""What each operation of the language is at one scope: one scalar for each part of its value.

Quantifiers become conjunctions and disjunctions over the values of their type; records, maps,
sequences and bags disappear: what is asked for is always one scalar part of a value, named by its
path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from model.engines.lowering import scalars
from model.engines.lowering.layout import LENGTH, Layout, Path
from model.engines.lowering.scalars import Scalar
from model.lang.containers import Set
from model.lang.nodes import BINDERS, Node
from model.lang.terms import Bool, Bound, Enum, Option, Range, Sort, Term

# What parameters and quantified variables are.
Environment = dict[Any, Scalar]


class Values:
    """Reads values; equal questions are answered once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.sizes = layout.sizes
        self._memory: dict[tuple[Any, ...], Scalar] = {}
        self._free: dict[int, tuple[Any, ...]] = {}

    def truth(self, node: Node, environment: Environment | None = None) -> Scalar:
        """A truth value of the language as a truth value of slots."""
        return self._scalar(node, (), environment or {})

    def leaf(self, node: Node, path: Path, environment: Environment | None = None) -> Scalar:
        """One scalar part of a value of the language, as a number of slots."""
        value = self._scalar(node, path, environment or {})
        return scalars.as_number(value) if value.is_truth else value

    def _scalar(self, node: Node, path: Path, environment: Environment) -> Scalar:
        names = self._free_names(node)
        key = (id(node), path, *(id(environment[name]) for name in names))
        found = self._memory.get(key)
        if found is None:
            rule: Callable[[Node, Path, Environment], Scalar] = getattr(
                self, f"_{node.operation}", self._logic
            )
            found = self._memory[key] = rule(node, path, environment)
        return found

    def _free_names(self, node: Node) -> tuple[Any, ...]:
        """The parameters and quantified variables that the value of a node depends on."""
        found = self._free.get(id(node))
        if found is None:
            if node.operation == "parameter":
                names = {node.data}
            elif node.operation == "bound_variable":
                names = {(node.type, node.data)}
            else:
                names = {n for argument in node.arguments for n in self._free_names(argument)}
                if node.operation in BINDERS:
                    names.discard(node.data)
            found = self._free[id(node)] = tuple(sorted(names, key=repr))
        return found

    # Leaves.

    def _state(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        index = self.layout.index[path]
        slot = self.layout.slots[index]
        value = scalars.slot(index, slot.low, slot.high)
        return scalars.truth(value) if issubclass(slot.type, Bool) else value

    def _parameter(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        value = environment[node.data]
        return scalars.truth(value) if issubclass(node.type, Bool) else value

    def _bound_variable(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return environment[node.type, node.data]

    def _constant(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        if issubclass(node.type, Bool):
            return scalars.truth_of(bool(node.data))
        return scalars.number(node.data)

    def _bound(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        name, added = node.data
        return scalars.number(Bound(name, added).at(self.sizes.bounds))

    def _default(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return self._default_at(node.type, path)

    def _default_at(self, of: type[Term], path: Path) -> Scalar:
        for leaf, leaf_type, low, _ in self.sizes.leaves(of):
            if leaf == path:
                return scalars.FALSE if issubclass(leaf_type, Bool) else scalars.number(low)
        raise AssertionError((of, path))

    def _everything(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return scalars.number(self.sizes.limits(node.type)[1])

    # Logic and arithmetic: all arguments are scalars.

    def _logic(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        parts = [self._scalar(argument, (), environment) for argument in node.arguments]
        rules: dict[str, Callable[..., Scalar]] = {
            "not": scalars.negate,
            "and": scalars.conjunction,
            "or": scalars.disjunction,
            "less": scalars.less,
            "at_most": lambda a, b: scalars.negate(scalars.less(b, a)),
            "add": scalars.add,
            "subtract": scalars.subtract,
            "size": scalars.count,
        }
        return rules[node.operation](*parts)

    def _equal(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        one, two = node.arguments
        paths = [()] if _is_scalar(one.type) else [leaf[0] for leaf in self.sizes.leaves(one.type)]
        return scalars.conjunction(
            *(
                scalars.equal(
                    self._scalar(one, part, environment), self._scalar(two, part, environment)
                )
                for part in paths
            )
        )

    def _if_else(self, node: Node, path: Path, environment: Environment) -> Scalar:
        condition, then, otherwise = node.arguments
        return scalars.if_else(
            self._scalar(condition, (), environment),
            self._scalar(then, path, environment),
            self._scalar(otherwise, path, environment),
        )

    # Options and sets.

    def _index(self, node: Node, of: type[Term], environment: Environment) -> Scalar:
        """The position of a scalar among the values of a type; outside 0.. where it has none."""
        value = self._scalar(node, (), environment)
        if value.is_truth:
            return scalars.as_number(value)
        return scalars.subtract(value, scalars.number(self.sizes.limits(of)[0]))

    def _position(self, node: Node, of: type[Term], environment: Environment) -> Scalar:
        """The bit of an element in a set; one bit more stands for all that the type has not, so
        that a set which holds such a thing has no room in a slot.
        """
        index, width = self._index(node, of, environment), self.sizes.cardinality(of)
        inside = scalars.within(index, 0, width - 1)
        return scalars.if_else(inside, index, scalars.number(width))

    def _some(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        # 0 is none, so numbers below the lowest value stay as they are: no slot has room for them.
        index = self._index(node.arguments[0], node.type.item, environment)
        one_more = scalars.add(index, scalars.number(1))
        return scalars.if_else(scalars.less(index, scalars.number(0)), index, one_more)

    def _is_some(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return scalars.truth(self._scalar(node.arguments[0], (), environment))

    def _unwrap(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        low, _ = self.sizes.limits(node.type)
        code = self._scalar(node.arguments[0], (), environment)
        # 0 (none) and 1 (the lowest value) both give the lowest value.
        index = scalars.select(
            code, [scalars.number(max(n - 1, 0)) for n in range(code.high + 1)], code
        )
        if code.low > 0:
            index = scalars.subtract(code, scalars.number(1))
        value = scalars.add(index, scalars.number(low))
        return scalars.truth(value) if issubclass(node.type, Bool) else value

    def _set_of(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        assert issubclass(node.type, Set)
        mask = scalars.number(0)
        for element in node.arguments:
            position = self._position(element, node.type.item, environment)
            mask = scalars.combine("union", mask, scalars.bit(position))
        return mask

    def _member(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        element, members = node.arguments
        position = self._position(element, members.type.item, environment)
        return scalars.member(position, self._scalar(members, (), environment))

    def _combined(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        one, two = (self._scalar(argument, (), environment) for argument in node.arguments)
        return scalars.combine(node.operation, one, two)

    _union = _intersection = _difference = _combined

    # Records, maps, sequences.

    def _record(self, node: Node, path: Path, environment: Environment) -> Scalar:
        position = list(node.type.fields()).index(str(path[0]))
        return self._scalar(node.arguments[position], path[1:], environment)

    def _field(self, node: Node, path: Path, environment: Environment) -> Scalar:
        return self._scalar(node.arguments[0], (node.data, *path), environment)

    def _with_field(self, node: Node, path: Path, environment: Environment) -> Scalar:
        before, value = node.arguments
        if path[0] == node.data:
            return self._scalar(value, path[1:], environment)
        return self._scalar(before, path, environment)

    def _get(self, node: Node, path: Path, environment: Environment) -> Scalar:
        container, key = node.arguments
        of = container.type.key
        index, last = self._index(key, of, environment), self.sizes.cardinality(of) - 1
        if index.constant is not None and 0 <= index.constant <= last:
            return self._scalar(container, (index.constant, *path), environment)
        choices = [self._scalar(container, (i, *path), environment) for i in range(last + 1)]
        return scalars.select(index, choices, self._default_at(node.type, path))

    def _store(self, node: Node, path: Path, environment: Environment) -> Scalar:
        before, key, value = node.arguments
        index = self._index(key, node.type.key, environment)
        here = scalars.equal(index, scalars.number(int(path[0])))
        return scalars.if_else(
            here,
            self._scalar(value, path[1:], environment)
            if here is not scalars.FALSE
            else scalars.FALSE,
            self._scalar(before, path, environment),
        )

    def _length(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return self._scalar(node.arguments[0], (LENGTH,), environment)

    def _capacity(self, of: type[Any]) -> int:
        return self.sizes.number(of.capacity)

    def _at(self, node: Node, path: Path, environment: Environment) -> Scalar:
        sequence, index_node = node.arguments
        index = self._scalar(index_node, (), environment)
        choices = [
            self._scalar(sequence, (i, *path), environment)
            for i in range(self._capacity(sequence.type))
        ]
        return scalars.select(index, choices, self._default_at(node.type, path))

    def _appended(self, node: Node, path: Path, environment: Environment) -> Scalar:
        sequence, element = node.arguments
        length = self._scalar(sequence, (LENGTH,), environment)
        if path == (LENGTH,):
            return scalars.add(length, scalars.number(1))
        return scalars.if_else(
            scalars.equal(length, scalars.number(int(path[0]))),
            self._scalar(element, path[1:], environment),
            self._scalar(sequence, path, environment),
        )

    def _truncated(self, node: Node, path: Path, environment: Environment) -> Scalar:
        sequence, keep_node = node.arguments
        keep = self._scalar(keep_node, (), environment)
        before = self._scalar(sequence, path, environment)
        if path == (LENGTH,):
            keep = scalars.if_else(scalars.less(keep, scalars.number(0)), scalars.number(0), keep)
            return scalars.if_else(scalars.less(keep, before), keep, before)
        kept = scalars.less(scalars.number(int(path[0])), keep)
        return scalars.if_else(kept, before, self._default_at(sequence.type, path))

    # Bags: the elements stand sorted, so each cell looks at its neighbour.

    def _added(self, node: Node, path: Path, environment: Environment) -> Scalar:
        bag, element = node.arguments
        if path == (LENGTH,):
            length = self._scalar(bag, path, environment)
            return scalars.add(length, scalars.number(1))
        index, rest = int(path[0]), path[1:]
        here = self._scalar(bag, path, environment)
        before = self._scalar(bag, (index - 1, *rest), environment) if index else here
        new = self._scalar(element, rest, environment)
        stays = self._comes_first(bag, index, element, environment)
        follows = scalars.TRUE
        if index:
            follows = self._comes_first(bag, index - 1, element, environment)
        return scalars.if_else(stays, here, scalars.if_else(follows, new, before))

    def _removed(self, node: Node, path: Path, environment: Environment) -> Scalar:
        bag, element = node.arguments
        capacity = self._capacity(bag.type)
        here = self._scalar(bag, path, environment)
        if path == (LENGTH,):
            gone = self._among(bag, capacity, element, environment)
            return scalars.if_else(gone, scalars.subtract(here, scalars.number(1)), here)
        index, rest = int(path[0]), path[1:]
        following = self._default_at(bag.type.item, rest)
        if index + 1 < capacity:
            following = self._scalar(bag, (index + 1, *rest), environment)
        return scalars.if_else(self._among(bag, index + 1, element, environment), following, here)

    def _in_bag(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        element, bag = node.arguments
        return self._among(bag, self._capacity(bag.type), element, environment)

    def _among(self, bag: Node, cells: int, element: Node, environment: Environment) -> Scalar:
        """The element is in one of the first cells of the bag."""
        length = self._scalar(bag, (LENGTH,), environment)
        found = []
        for index in range(cells):
            same = [
                scalars.equal(
                    self._scalar(bag, (index, *leaf), environment),
                    self._scalar(element, leaf, environment),
                )
                for leaf, *_ in self.sizes.leaves(bag.type.item)
            ]
            used = scalars.less(scalars.number(index), length)
            found.append(scalars.conjunction(used, *same))
        return scalars.disjunction(*found)

    def _comes_first(
        self, bag: Node, index: int, element: Node, environment: Environment
    ) -> Scalar:
        """A cell of the bag is used and stands before a new element, or is equal to it."""
        length = self._scalar(bag, (LENGTH,), environment)
        in_order = scalars.TRUE
        for leaf, *_ in reversed(list(self.sizes.leaves(bag.type.item))):
            one = self.leaf(bag, (index, *leaf), environment)
            two = self.leaf(element, leaf, environment)
            same = scalars.conjunction(scalars.equal(one, two), in_order)
            in_order = scalars.disjunction(scalars.less(one, two), same)
        return scalars.conjunction(scalars.less(scalars.number(index), length), in_order)

    # Quantifiers.

    def _those(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        mask = scalars.number(0)
        for position, (_, body) in enumerate(self._bodies(node, (), environment)):
            here = scalars.if_else(body, scalars.number(1 << position), scalars.number(0))
            mask = scalars.combine("union", mask, here)
        return mask

    def _each(self, node: Node, path: Path, environment: Environment) -> Scalar:
        domain, _ = node.data
        value = self.sizes.values(domain)[int(path[0])]
        return self._body(node, value, path[1:], environment)

    def _bodies(
        self, node: Node, path: Path, environment: Environment
    ) -> Iterator[tuple[int, Scalar]]:
        domain, _ = node.data
        for value in self.sizes.values(domain):
            yield value, self._body(node, value, path, environment)

    def _body(self, node: Node, value: int, path: Path, environment: Environment) -> Scalar:
        """The body of a binder for one value of its variable."""
        domain, _ = node.data
        is_truth = issubclass(domain, Bool)
        bound = scalars.truth_of(bool(value)) if is_truth else scalars.number(value)
        return self._scalar(node.arguments[0], path, {**environment, node.data: bound})

    def _every(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return scalars.conjunction(*(body for _, body in self._bodies(node, (), environment)))

    def _exists(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return scalars.disjunction(*(body for _, body in self._bodies(node, (), environment)))

    def _largest(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return self._extreme(node, environment, list(self._bodies(node, (), environment)))

    def _smallest(self, node: Node, path: Path, environment: Environment) -> Scalar:  # noqa: ARG002
        return self._extreme(node, environment, list(self._bodies(node, (), environment))[::-1])

    def _extreme(
        self, node: Node, environment: Environment, bodies: list[tuple[int, Scalar]]
    ) -> Scalar:
        """The last value in the list whose body holds."""
        found = self._scalar(node.arguments[1], (), environment)
        for value, body in bodies:
            found = scalars.if_else(body, scalars.number(value), found)
        return found


def _is_scalar(of: type[Term]) -> bool:
    return issubclass(of, Bool | Enum | Sort | Range | Option | Set)
