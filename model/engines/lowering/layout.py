"""How a state of a machine is laid out at one scope: a row of small numbers, packed into one
integer.

A slot is one scalar part of the state. Its number is the value itself for a range, the index for a
sort or an enum, 0 or 1 for a truth value, 0 or 1 + index for an option, a bit mask for a set. A
sequence is its length and its elements, with the lowest values past its end; a bag is the sorted
row of its elements. The packed form subtracts the lowest value and gives each slot the bits it
needs, so equal states are equal integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from model.lang.containers import Bag, Map, Record, Seq, Set
from model.lang.places import ModelError
from model.lang.terms import Bool, Bound, Enum, Option, Range, Sort, Term

LENGTH = "length"
# Kernels keep a state as words of this many bits; no slot that is not wider stands in two of them.
WORD = 64
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Slot:
    """One scalar of the state: where it is, what it may hold (`low` to `high`), where it is
    packed.
    """

    path: Path
    type: type[Term]
    low: int
    high: int
    shift: int = 0

    @property
    def bits(self) -> int:
        """The width of the slot in the packed state."""
        return (self.high - self.low).bit_length()


class Sizes:
    """What the bounds of one scope make of the types."""

    def __init__(self, bounds: dict[str, int]) -> None:
        self.bounds = bounds

    def number(self, bound: int | Bound) -> int:
        """A bound of a type as a number."""
        return bound.at(self.bounds) if isinstance(bound, Bound) else bound

    def limits(self, of: type[Term]) -> tuple[int, int]:
        """The lowest and highest number of a scalar type."""
        if issubclass(of, Bool):
            return 0, 1
        if issubclass(of, Enum):
            return 0, len(of.names) - 1
        if issubclass(of, Sort):
            low, high = 0, self.number(of.size) - 1
        elif issubclass(of, Range):
            low, high = self.number(of.low), self.number(of.high)
        elif issubclass(of, Option):
            return 0, self.cardinality(of.item)
        elif issubclass(of, Set):
            return 0, (1 << self.cardinality(of.item)) - 1
        else:
            raise ModelError(f"{of.__name__} is not a scalar type")
        if high < low:
            raise ModelError(f"{of.__name__} has no value in this scope: {low}..{high}")
        return low, high

    def cardinality(self, of: type[Term]) -> int:
        """How many values a sort, a range, an enum or Bool has."""
        low, high = self.limits(of)
        return high - low + 1

    def values(self, of: type[Term]) -> range:
        """All numbers of a scalar type, in order."""
        low, high = self.limits(of)
        return range(low, high + 1)

    def leaves(self, of: type[Term]) -> Iterator[tuple[Path, type[Term], int, int]]:
        """The scalar parts of a type: path, type, lowest and highest number."""
        if issubclass(of, Record):
            for name, part in of.fields().items():
                yield from _under(name, self.leaves(part))
        elif issubclass(of, Map):
            for index in range(self.cardinality(of.key)):
                yield from _under(index, self.leaves(of.item))
        elif issubclass(of, Seq | Bag):
            capacity = self.number(of.capacity)
            yield (LENGTH,), Range, 0, capacity
            for index in range(capacity):
                yield from _under(index, self.leaves(of.item))
        else:
            yield (), of, *self.limits(of)

    def show(self, of: type[Term], number: int) -> str:
        """A scalar as a person writes it."""
        if issubclass(of, Bool):
            return str(bool(number))
        if issubclass(of, Enum):
            return of.names[number]
        if issubclass(of, Sort):
            return f"{of.__name__.lower()}{number + 1}"
        if issubclass(of, Option):
            low = self.limits(of.item)[0]
            return "none" if number == 0 else self.show(of.item, number - 1 + low)
        if issubclass(of, Set):
            values = self.values(of.item)
            inside = [self.show(of.item, v) for i, v in enumerate(values) if number >> i & 1]
            return "{" + ", ".join(inside) + "}"
        return str(number)


def _under(
    step: str | int, leaves: Iterator[tuple[Path, type[Term], int, int]]
) -> Iterator[tuple[Path, type[Term], int, int]]:
    for path, of, low, high in leaves:
        yield (step, *path), of, low, high


class Layout:
    """The slots of a state type at one scope."""

    def __init__(self, state: type[Record], bounds: dict[str, int]) -> None:
        self.sizes = Sizes(bounds)
        self.state = state
        self.slots: list[Slot] = []
        shift = 0
        for path, of, low, high in self.sizes.leaves(state):
            bits = (high - low).bit_length()
            if shift // WORD < (shift + bits - 1) // WORD:
                shift += -shift % WORD
            self.slots.append(Slot(path, of, low, high, shift))
            shift += bits
        self.bits = shift
        self.words = max(1, -(-shift // WORD))
        self.index = {slot.path: number for number, slot in enumerate(self.slots)}

    def pack(self, numbers: list[int]) -> int:
        """The state with these numbers in its slots, as one integer."""
        return sum((n - s.low) << s.shift for n, s in zip(numbers, self.slots, strict=True))

    def unpack(self, packed: int) -> list[int]:
        """The numbers of all slots of a packed state."""
        return [(packed >> s.shift & (1 << s.bits) - 1) + s.low for s in self.slots]

    def show(self, packed: int) -> dict[str, str]:
        """A state as a person reads it: each visible part by its name, e.g.
        `replica[broker1].log`.
        """
        numbers = self.unpack(packed)
        return dict(self._show(self.state, (), lambda path: numbers[self.index[path]], ""))

    def place(self, path: Path) -> str:
        """The name of a slot as a person reads it, e.g. `replica[broker1].log.length`."""
        name, at = "", cast("Any", self.state)
        for step in path:
            if isinstance(step, str):
                name += f".{step}" if name else step
                at = at.fields()[step] if step != LENGTH or issubclass(at, Record) else Range
            elif issubclass(at, Map):
                name += f"[{self.sizes.show(at.key, self.sizes.values(at.key)[step])}]"
                at = at.item
            else:
                name, at = f"{name}[{step}]", at.item
        return name

    def show_value(self, of: type[Any], parts: Mapping[Path, int]) -> str:
        """A value of any type, given as its scalar parts, in one line."""
        return self._inline(of, (), parts.__getitem__)

    def _show(
        self, of: type[Any], path: Path, read: Callable[[Path], int], name: str
    ) -> Iterator[tuple[str, str]]:
        if issubclass(of, Record):
            for field, part in of.fields().items():
                inner = f"{name}.{field}" if name else field
                yield from self._show(part, (*path, field), read, inner)
        elif issubclass(of, Map):
            for index, key in enumerate(self.sizes.values(of.key)):
                shown = f"{name}[{self.sizes.show(of.key, key)}]"
                yield from self._show(of.item, (*path, index), read, shown)
        elif issubclass(of, Seq | Bag):
            length = read((*path, LENGTH))
            shown = ", ".join(self._inline(of.item, (*path, i), read) for i in range(length))
            yield name, f"[{shown}]" if issubclass(of, Seq) else f"{{{shown}}}"
        else:
            yield name, self.sizes.show(of, read(path))

    def _inline(self, of: type[Any], path: Path, read: Callable[[Path], int]) -> str:
        parts = self._show(of, path, read, "")
        return " ".join(f"{name} {text}" if name else text for name, text in parts)
