"""Representatives of orbits, in numpy columns: the least packed integer among the images of each
state.

A permutation moves most parts of a state as they are, or renames a few neighbouring bits by
themselves. So an image is put together from fields of bits that are shifted, or looked up in a
table that was made once for all values of the field; what depends on more bits, such as a bag that
must be sorted again, is evaluated on every state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.engines.kernels.sheet import Sheet, Words
from model.engines.lowering.layout import WORD, Layout
from model.engines.lowering.scalars import Scalar

# A table for a field of more bits would not stay in the innermost cache.
TABLE_BITS = 11
# States at a time.
ROWS = 1 << 13


@dataclass(frozen=True)
class Field:
    """Neighbouring bits of a word: from `low` to before `high`."""

    word: int
    low: int
    high: int

    def joined(self, other: Field) -> Field:
        """The least field that has both, which are in one word."""
        return Field(self.word, min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class Piece:
    """A field of the old state that goes to a word of the new one: looked up in a table, or
    shifted to `low`.
    """

    source: Field
    word: int
    low: int
    table: Words | None

    def of(self, field: Words) -> Words:
        """The piece where it stands in its word, from the numbers in its field."""
        if self.table is not None:
            return self.table.take(field.view(np.int64), mode="clip")
        return field << np.uint64(self.low) if self.low else field


class Orbits:
    """The least state of each orbit; a symmetry is given by the new value of each slot."""

    def __init__(self, layout: Layout, symmetries: Sequence[Sequence[Scalar]]) -> None:
        reader = _Reader(layout)
        self._sheet = Sheet(layout)
        self._images = []
        for values in symmetries:
            pieces, rest = reader.pieces(values)
            cells = self._sheet.placed(rest)
            self._images.append((pieces, cells, self._sheet.plan(cells.values())))

    def least(self, states: Words) -> Words:
        """The least packed state among the images of each; shape (states, words)."""
        if not self._images:
            return states
        found = [self._least(states[at : at + ROWS]) for at in range(0, len(states), ROWS)]
        return np.concatenate([states[:0], *found])

    def _least(self, states: Words) -> Words:
        columns = list(np.ascontiguousarray(states.T))
        fields: dict[Field, Words] = {}
        least = columns
        for pieces, cells, plan in self._images:
            image = [np.zeros(len(states), np.uint64) for _ in columns]
            for piece in pieces:
                if piece.source not in fields:
                    fields[piece.source] = _read(columns, piece.source)
                image[piece.word] |= piece.of(fields[piece.source])
            if cells:
                values = self._sheet.begin(states)
                self._sheet.fill(values, plan)
                for word, cell in cells.items():
                    image[word] |= values[cell]
            least = _lesser(least, image)
        return np.stack(least, axis=1)


class _Reader:
    """Takes images apart into pieces."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._sources: dict[int, frozenset[int]] = {}

    def pieces(self, values: Sequence[Scalar]) -> tuple[list[Piece], dict[int, Scalar]]:
        """The pieces of an image, and the new values of the slots that are in none."""
        pieces, rest, at = [], {}, 0
        while at < len(values):
            moved, renamed = self._moved(values, at), self._renamed(values, at)
            end = max(at + 1, moved, renamed)
            if not self.layout.slots[at].bits:
                end = at + 1
            elif moved == end:
                pieces.append(self._shifted(values, at, end))
            elif renamed == end:
                pieces.append(self._tabulated(values, at, end))
            else:
                rest[at] = values[at]
            at = end
        return pieces, rest

    def _moved(self, values: Sequence[Scalar], at: int) -> int:
        """The end of the slots from here on that keep their distances from each other."""
        end = at
        while end < len(values) and self._distance(values, end) is not None:
            if self._distance(values, end) != self._distance(values, at):
                break
            end += 1
        return end

    def _distance(self, values: Sequence[Scalar], at: int) -> tuple[int, int, int] | None:
        """From which word to which a slot is moved as it is, and how far."""
        new, value = self.layout.slots[at], values[at]
        old = self.layout.slots[int(value.data)] if value.operation == "slot" else new
        if value.operation != "slot" or (old.low, old.bits) != (new.low, new.bits):
            return None
        return old.shift // WORD, new.shift // WORD, new.shift - old.shift

    def _renamed(self, values: Sequence[Scalar], at: int) -> int:
        """The end of the slots from here on that a small field decides."""
        end = at
        field: Field | None = None
        while end < len(values):
            source = self._source(values[end])
            if source is None or (field is not None and source.word != field.word):
                break
            field = field.joined(source) if field else source
            one_word = self._field(end).word == self._field(at).word
            if field.high - field.low > TABLE_BITS or not one_word:
                break
            end += 1
        return end

    def _field(self, slot: int) -> Field:
        word, low = divmod(self.layout.slots[slot].shift, WORD)
        return Field(word, low, low + self.layout.slots[slot].bits)

    def _source(self, value: Scalar) -> Field | None:
        """The field that decides a value; None where it is in several words, or nowhere."""
        fields = [self._field(slot) for slot in self._slots(value)]
        if not fields or any(field.word != fields[0].word for field in fields):
            return None
        whole = fields[0]
        for field in fields:
            whole = whole.joined(field)
        return whole

    def _slots(self, value: Scalar) -> frozenset[int]:
        known = self._sources.get(id(value))
        if known is None:
            known = frozenset([int(value.data)] if value.operation == "slot" else [])
            known = known.union(*(self._slots(argument) for argument in value.arguments))
            self._sources[id(value)] = known
        return known

    def _shifted(self, values: Sequence[Scalar], at: int, end: int) -> Piece:
        old = [self._field(int(value.data)) for value in values[at:end]]
        source, target = old[0].joined(old[-1]), self._field(at)
        return Piece(source, target.word, target.low, None)

    def _tabulated(self, values: Sequence[Scalar], at: int, end: int) -> Piece:
        """The look-up of some slots in a table with a row for every value of their field."""
        sources = [self._source(value) for value in values[at:end]]
        field = next(source for source in sources if source)
        for source in sources:
            field = field.joined(source or field)
        states = np.zeros((1 << field.high - field.low, self.layout.words), np.uint64)
        states[:, field.word] = np.arange(len(states), dtype=np.uint64) << np.uint64(field.low)
        sheet = Sheet(self.layout)
        word, cell = next(iter(sheet.placed(dict(enumerate(values[at:end], at))).items()))
        columns = sheet.begin(states)
        sheet.fill(columns, sheet.plan([cell]))
        return Piece(field, word, 0, np.broadcast_to(columns[cell], len(states)).copy())


def _read(columns: Sequence[Words], field: Field) -> Words:
    shifted = columns[field.word]
    if field.low:
        shifted = shifted >> np.uint64(field.low)
    return shifted & np.uint64((1 << field.high - field.low) - 1)


def _lesser(one: list[Words], other: list[Words]) -> list[Words]:
    """The lesser of two rows of words, of which the last decides first."""
    if len(one) == 1:
        return [np.minimum(one[0], other[0])]
    smaller = other[0] < one[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        smaller = (b < a) | ((b == a) & smaller)
    mask = np.negative(smaller.astype(np.uint64))
    return [a ^ ((a ^ b) & mask) for a, b in zip(one, other, strict=True)]
