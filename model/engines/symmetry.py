"""The values of a sort are interchangeable: states that differ only in their names are one orbit,
and one state of each is enough.

Decides what every permutation of the sorts makes of every slot, and finds a real run behind the
representatives of its orbits. It refuses to know how representatives are computed: that is each
kernel's.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from model.engines.concrete import evaluate
from model.engines.kernels.plain import compile_canonical, compile_moves
from model.engines.lowering import scalars
from model.engines.lowering.layout import LENGTH, Layout, Path
from model.engines.lowering.lower import Lowering, Step
from model.engines.lowering.scalars import Scalar
from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.places import ModelError
from model.lang.terms import Option, Sort, Term

Leaves = Iterator[tuple[Path, Scalar]]
MOST_PERMUTATIONS = 5_040
# A set of more elements is moved element by element, and not looked up.
LARGEST_TABLE_BITS = 8


def symmetries(layout: Layout) -> list[list[Scalar]]:
    """The new value of every slot under each permutation of the sorts, the identity left out.

    ModelError where there are too many of them.
    """
    sorts = sorted(_sorts(layout.state), key=lambda of: of.__name__)
    sizes = [layout.sizes.cardinality(of) for of in sorts]
    count = math.prod(math.factorial(size) for size in sizes)
    if count > MOST_PERMUTATIONS:
        what = ", ".join(f"{n} of {of.__name__}" for n, of in zip(sizes, sorts, strict=True))
        raise ModelError(
            f"{what} can be renamed in {count:,} ways, which is more than {MOST_PERMUTATIONS:,}: "
            "choose a smaller scope, or explore without symmetry"
        )
    choices = itertools.product(*(itertools.permutations(range(size)) for size in sizes))
    next(choices)
    found = []
    for chosen in choices:
        renaming = _Renaming(layout, dict(zip(sorts, chosen, strict=True)))
        values = dict(renaming.leaves(layout.state, ()))
        found.append([values[slot.path] for slot in layout.slots])
    return found


def _sorts(of: type[Term]) -> set[type[Sort]]:
    """The sorts that a type speaks of."""
    if issubclass(of, Sort):
        return {of}
    if issubclass(of, Record):
        parts: list[type[Term]] = list(of.fields().values())
    elif issubclass(of, Map):
        parts = [of.key, of.item]
    else:
        parts = [of.item] if issubclass(of, Seq | Bag | Option | Set) else []
    return {sort for part in parts for sort in _sorts(part)}


class _Renaming:
    """What one permutation makes of a state: `new[sort][old value]` is the new value."""

    def __init__(self, layout: Layout, new: dict[type[Sort], tuple[int, ...]]) -> None:
        self.layout = layout
        self.new = new

    def leaves(self, of: type[Term], at: Path) -> Leaves:
        """The scalar parts of the part of the state that stands at a path, after the renaming."""
        if issubclass(of, Record):
            for name, part in of.fields().items():
                yield from self._under(name, part, (*at, name))
        elif issubclass(of, Map):
            images = self._images(of.key)
            for index in range(len(images)):
                yield from self._under(index, of.item, (*at, images.index(index)))
        elif issubclass(of, Seq | Bag):
            yield (LENGTH,), self._slot((*at, LENGTH))
            yield from self._elements(of, at)
        else:
            yield (), self._scalar(of, self._slot(at))

    def _under(self, step: str | int, of: type[Term], at: Path) -> Leaves:
        for path, value in self.leaves(of, at):
            yield (step, *path), value

    def _elements(self, of: type[Seq[Term]] | type[Bag[Term]], at: Path) -> Leaves:
        length = self._slot((*at, LENGTH))
        cells: list[list[tuple[Path, Scalar]]] = []
        changed = False
        for index in range(length.high):
            cell = list(self.leaves(of.item, (*at, index)))
            changed = changed or any(v is not self._slot((*at, index, *p)) for p, v in cell)
            # Past the end stand the lowest values, whatever their names.
            used = scalars.less(scalars.number(index), length)
            cells.append(
                [(p, scalars.if_else(used, v, self._slot((*at, index, *p)))) for p, v in cell]
            )
        if changed and issubclass(of, Bag):
            cells = _in_order(cells, length)
        for index, cell in enumerate(cells):
            yield from (((index, *path), value) for path, value in cell)

    def _slot(self, path: Path) -> Scalar:
        index = self.layout.index[path]
        slot = self.layout.slots[index]
        return scalars.slot(index, slot.low, slot.high)

    def _images(self, of: type[Term]) -> tuple[int, ...]:
        """The new place of each value of a scalar type among all its values."""
        if issubclass(of, Sort):
            return self.new[of]
        return tuple(range(self.layout.sizes.cardinality(of)))

    def _scalar(self, of: type[Term], value: Scalar) -> Scalar:
        if issubclass(of, Sort):
            return _looked_up(value, self.new[of])
        if issubclass(of, Option) and issubclass(of.item, Sort):
            return _looked_up(value, (0, *(1 + new for new in self.new[of.item])))
        if issubclass(of, Set) and issubclass(of.item, Sort):
            return _permuted_set(value, self.new[of.item])
        return value


def _looked_up(value: Scalar, table: Sequence[int]) -> Scalar:
    if list(table) == list(range(len(table))):
        return value
    return scalars.select(value, [scalars.number(new) for new in table], scalars.number(0))


def _permuted_set(mask: Scalar, images: Sequence[int]) -> Scalar:
    if len(images) <= LARGEST_TABLE_BITS:
        return _looked_up(
            mask,
            [
                sum(1 << new for old, new in enumerate(images) if members >> old & 1)
                for members in range(1 << len(images))
            ],
        )
    moved = scalars.number(0)
    for old, new in enumerate(images):
        here = scalars.member(scalars.number(old), mask)
        one = scalars.if_else(here, scalars.number(1 << new), scalars.number(0))
        moved = scalars.combine("union", moved, one)
    return moved


def _in_order(
    cells: list[list[tuple[Path, Scalar]]], length: Scalar
) -> list[list[tuple[Path, Scalar]]]:
    """The cells of a bag in their order: each stands where as many come first as are before it."""
    used = [scalars.less(scalars.number(i), length) for i in range(len(cells))]
    place = []
    for i, cell in enumerate(cells):
        # Unused cells stay behind all others, and equal ones as they are.
        before = [
            scalars.conjunction(
                used[j],
                _comes_first(other, cell) if j > i else scalars.negate(_comes_first(cell, other)),
            )
            if j != i
            else scalars.FALSE
            for j, other in enumerate(cells)
        ]
        rank = scalars.number(0)
        for earlier in before:
            rank = scalars.add(rank, scalars.as_number(earlier))
        place.append(scalars.if_else(used[i], rank, scalars.number(i)))
    ordered = []
    for target in range(len(cells)):
        here = [scalars.equal(at, scalars.number(target)) for at in place]
        cell = []
        for leaf, (path, value) in enumerate(cells[-1]):
            for i in range(len(cells) - 2, -1, -1):
                value = scalars.if_else(here[i], cells[i][leaf][1], value)
            cell.append((path, value))
        ordered.append(cell)
    return ordered


def _comes_first(one: list[tuple[Path, Scalar]], other: list[tuple[Path, Scalar]]) -> Scalar:
    """Is one cell less than the other, part by part."""
    first = scalars.FALSE
    for (_, a), (_, b) in zip(reversed(one), reversed(other), strict=True):
        first = scalars.disjunction(
            scalars.less(a, b), scalars.conjunction(scalars.equal(a, b), first)
        )
    return first


def renamed(layout: Layout, symmetry: Sequence[Scalar], state: int) -> int:
    """A packed state under one permutation."""
    numbers, memory = layout.unpack(state), dict[int, int]()
    return layout.pack([int(evaluate(value, numbers, memory)) for value in symmetry])


def is_symmetric(
    lowering: Lowering, images: Sequence[Sequence[Scalar]], states: Sequence[int]
) -> str | None:
    """Why the machine does not treat all values of its sorts alike in one of these states: a
    sentence that names the action or the property; None where it does in all of them.

    What singles out a value is, for instance, the value of an option that holds none.
    """
    layout, machine = lowering.layout, lowering.machine
    steps = list(lowering.steps())
    moves = compile_moves(layout, steps)
    claims = {p.name: lowering.truth(p.holds) for p in machine.properties.values()}
    if machine.may_end:
        claims["the claim of where it may end"] = lowering.truth(machine.may_end)

    def following(state: int) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, after in moves(state):
            found[steps[number].action.name].append(after)
        return found

    for state in states:
        before = following(state)
        for symmetry in images:
            image = renamed(layout, symmetry, state)
            after = following(image)
            for name in machine.actions:
                expected = sorted(renamed(layout, symmetry, s) for s in before[name])
                if expected != sorted(after[name]):
                    return _sentence(layout, name, state, image)
            numbers, new = layout.unpack(state), layout.unpack(image)
            for name, claim in claims.items():
                if bool(evaluate(claim, numbers)) != bool(evaluate(claim, new)):
                    return _sentence(layout, name, state, image)
    return None


def _sentence(layout: Layout, name: str, state: int, image: int) -> str:
    beside = f" beside {layout.show(image)}, which has other names" if image != state else ""
    return (
        f"{name} singles out a value of a sort, as {layout.show(state)} shows{beside}; explore it "
        "without symmetry"
    )


def concrete_path(
    lowering: Lowering,
    steps: Sequence[Step],
    images: Sequence[Sequence[Scalar]],
    canonical_states: Sequence[int],
) -> list[int]:
    """A run from the initial state whose states are represented by these, one after the other.

    ModelError where there is none, because the machine singles out a value of a sort.
    """
    moves = compile_moves(lowering.layout, steps)
    canonical = compile_canonical(lowering.layout, images)
    path = [lowering.initial()]
    for wanted in canonical_states[1:]:
        state = path[-1]
        following = (after for _, after in moves(state) if canonical(after) == wanted)
        after = next(following, None)
        if after is None:
            reason = is_symmetric(lowering, images, path)
            raise ModelError(reason or "no run leads through the orbits that were found")
        path.append(after)
    return path
