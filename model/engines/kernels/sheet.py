"""Scalars evaluated on many states at once: one numpy column per operation, of the narrowest type
that holds it.

A `Sheet` is the list of all operations that some scalars need, each once, after what it needs
itself. A choice between two numbers is made by masks and not by `np.where`: on narrow columns that
is many times faster. Nothing here knows which states there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.engines.lowering import scalars
from model.engines.lowering.layout import WORD, Layout, Slot
from model.engines.lowering.scalars import TRUE, Scalar
from model.lang.places import ModelError

Words = NDArray[np.uint64]
Column = Any
# Cells to fill: their number, what is applied, and to which one or two cells.
Plan = list[tuple[int, Callable[..., Column], int, int | None]]
TYPES: Final = tuple((bits, np.dtype(f"i{bits // 8}")) for bits in (8, 16, 32, 64))
TRUTH, NUMBER_8, WORD_TYPE = np.dtype(np.bool_), np.dtype(np.int8), np.dtype(np.uint64)
# A look-up in more constants than this is one, and no chain of comparisons.
LONGEST_CHAIN = 6


def narrowest(low: int, high: int) -> np.dtype[Any]:
    """The type of a column of numbers from low to high."""
    for bits, of in TYPES:
        if -(1 << bits - 1) <= low and high < 1 << bits - 1:
            return of
    raise ModelError(f"numbers of {low}..{high} are too large for columns: use kernel plain")


class Sheet:
    """Operations over the states of one layout. A cell is the number of one of them.

    The first cells are the words of the states, which are given.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._rules: list[tuple[Callable[..., Column], tuple[int, ...]]] = []
        self._types: list[np.dtype[Any]] = []
        self._blank: list[Column] = []
        self._cells: dict[tuple[Any, ...], int] = {}
        self._of_scalar: dict[int, int] = {}
        self._kept_alive: list[Scalar] = []
        for word in range(layout.words):
            self._new(("word", word), np.positive, (), WORD_TYPE)

    def cell(self, scalar: Scalar) -> int:
        """The cell of a scalar; it and all that it needs is put in where it is missing."""
        known = self._of_scalar.get(id(scalar))
        if known is None:
            write: Callable[[Scalar], int]
            write = getattr(self, f"_write_{scalar.operation}", self._write_ufunc)
            known = self._of_scalar[id(scalar)] = write(scalar)
            self._kept_alive.append(scalar)
        return known

    def placed(self, values: dict[int, Scalar]) -> dict[int, int]:
        """The cells of words that have these values in their slots and 0 elsewhere, by word."""
        fixed: dict[int, int] = {}
        parts: dict[int, list[int]] = {}
        for index, value in values.items():
            slot = self.layout.slots[index]
            if not slot.bits:
                continue
            word, shift = divmod(slot.shift, WORD)
            fixed.setdefault(word, 0)
            if value.constant is not None:
                # What has no room is refused by the step before this is looked at.
                fixed[word] |= (value.constant - slot.low & (1 << slot.bits) - 1) << shift
            else:
                parts.setdefault(word, []).append(self._lifted(value, slot.low, shift))
        return {
            word: self._together([*parts.get(word, []), *([self._word_constant(n)] if n else [])])
            for word, n in fixed.items()
        }

    def after(self, updates: dict[int, Scalar]) -> dict[int, int]:
        """The cells of the words that these new values of slots change, by word."""
        changed = dict.fromkeys(range(self.layout.words), 0)
        for index in updates:
            slot = self.layout.slots[index]
            word, shift = divmod(slot.shift, WORD)
            if slot.bits:
                changed[word] |= ((1 << slot.bits) - 1) << shift
        found = {}
        for word, cell in self.placed(updates).items():
            kept = self._word_constant(((1 << WORD) - 1) ^ changed[word])
            found[word] = self._together([self._apply(np.bitwise_and, word, kept), cell])
        return found

    def plan(self, cells: Iterable[int]) -> Plan:
        """How all cells that these need are filled, in their order."""
        needed: set[int] = set()
        waiting = list(cells)
        while waiting:
            cell = waiting.pop()
            if cell not in needed:
                needed.add(cell)
                waiting += self._rules[cell][1]
        missing = sorted(c for c in needed if self._blank[c] is None and c >= self.layout.words)
        found: Plan = []
        for cell in missing:
            rule, (one, *other) = self._rules[cell]
            found.append((cell, rule, one, other[0] if other else None))
        return found

    def begin(self, states: Words) -> list[Column]:
        """The values of all cells for these states, none of which is filled yet."""
        values = self._blank.copy()
        values[: self.layout.words] = states.T
        return values

    @staticmethod
    def fill(values: list[Column], plan: Plan) -> None:
        """Fill the cells of a plan."""
        for cell, rule, one, other in plan:
            if values[cell] is None:
                values[cell] = (
                    rule(values[one]) if other is None else rule(values[one], values[other])
                )

    # How each operation is written.

    def _new(
        self,
        key: tuple[Any, ...],
        rule: Callable[..., Column],
        arguments: tuple[int, ...],
        of: np.dtype[Any],
        value: Column = None,
    ) -> int:
        known = self._cells.get(key)
        if known is None:
            known = self._cells[key] = len(self._rules)
            self._rules.append((rule, arguments))
            self._types.append(of)
            self._blank.append(value)
        return known

    def _apply(self, rule: Callable[..., Column], *arguments: int, to: Any = None) -> int:
        """The cell of a ufunc; numpy finds the type of the result if it is not said."""
        of = np.result_type(*(self._types[a] for a in arguments)) if to is None else to
        return self._new((rule, *arguments), rule, arguments, of)

    def _constant(self, value: int, of: np.dtype[Any]) -> int:
        return self._new(("constant", value, of), np.positive, (), of, of.type(value))

    def _word_constant(self, value: int) -> int:
        return self._constant(value, WORD_TYPE)

    def _number_cell(self, value: int) -> int:
        return self._constant(value, narrowest(value, value))

    def _cast(self, cell: int, of: np.dtype[Any]) -> int:
        if self._types[cell] == of:
            return cell
        return self._new(("cast", cell, of), lambda column: column.astype(of), (cell,), of)

    def _write_number(self, scalar: Scalar) -> int:
        return self._number_cell(int(scalar.data))

    def _write_slot(self, scalar: Scalar) -> int:
        slot = self.layout.slots[int(scalar.data)]
        word, shift = divmod(slot.shift, WORD)
        of, mask = narrowest(0, (1 << slot.bits) - 1), (1 << slot.bits) - 1
        shifted = self._apply(np.right_shift, word, self._word_constant(shift)) if shift else word
        cell = self._apply(np.bitwise_and, self._cast(shifted, of), self._constant(mask, of))
        if not slot.low:
            return cell
        cell = self._cast(cell, narrowest(min(slot.low, 0), max(slot.high, mask)))
        return self._apply(np.add, cell, self._number_cell(slot.low))

    def _together(self, cells: Sequence[int]) -> int:
        """Words put together, without those that are 0."""
        zero = self._word_constant(0)
        first, *rest = [cell for cell in cells if cell != zero] or [zero]
        for cell in rest:
            first = self._apply(np.bitwise_or, first, cell)
        return first

    def _lifted(self, value: Scalar, low: int, shift: int) -> int:
        """A new value of a slot where it stands in its word."""
        if value.operation == "slot" and value.low == low:
            return self._moved(self.layout.slots[int(value.data)], shift)
        lifted = self._cast(self.cell(scalars.subtract(value, scalars.number(low))), WORD_TYPE)
        if not shift:
            return lifted
        return self._apply(np.left_shift, lifted, self._word_constant(shift))

    def _moved(self, slot: Slot, to: int) -> int:
        """The bits of a slot, at another place of a word."""
        word, shift = divmod(slot.shift, WORD)
        bits = self._word_constant(((1 << slot.bits) - 1) << to)
        rule = np.left_shift if to > shift else np.right_shift
        if to != shift:
            word = self._apply(rule, word, self._word_constant(abs(to - shift)))
        return self._apply(np.bitwise_and, word, bits)

    def _write_ufunc(self, scalar: Scalar) -> int:
        """Operations that numpy has: arguments as wide as the result must be."""
        rule = UFUNCS[scalar.operation]
        one, two = (self.cell(argument) for argument in scalar.arguments)
        if scalar.operation in ("equal", "less"):
            return self._apply(rule, one, two, to=TRUTH)
        of = np.promote_types(np.result_type(self._types[one], self._types[two]), _of(scalar))
        if self._blank[one] is None:
            return self._apply(rule, self._cast(one, of), two)
        return self._apply(rule, one, self._cast(two, of))

    def _write_and(self, scalar: Scalar) -> int:
        return self._joined(scalar, np.logical_and, True)

    def _write_or(self, scalar: Scalar) -> int:
        return self._joined(scalar, np.logical_or, False)

    def _joined(self, scalar: Scalar, rule: Callable[..., Column], unit: bool) -> int:
        # One argument after the other, so that what begins alike is shared.
        if not scalar.arguments:
            return self._constant(unit, TRUTH)
        first, *rest = (self.cell(argument) for argument in scalar.arguments)
        for cell in rest:
            first = self._apply(rule, first, cell)
        return first

    def _write_not(self, scalar: Scalar) -> int:
        return self._apply(np.logical_not, self.cell(scalar.arguments[0]))

    def _write_truth(self, scalar: Scalar) -> int:
        (number,) = scalar.arguments
        cell = self.cell(number)
        if (number.low, number.high) == (0, 1) and self._types[cell] == NUMBER_8:
            return self._new(("truth", cell), lambda column: column.view(TRUTH), (cell,), TRUTH)
        return self._apply(np.not_equal, cell, self._number_cell(0), to=TRUTH)

    def _write_as_number(self, scalar: Scalar) -> int:
        return self._narrow(self.cell(scalar.arguments[0]))

    def _narrow(self, cell: int) -> int:
        """A column of truth values, or of other bytes, as small numbers."""
        return self._new(("narrow", cell), lambda c: c.view(NUMBER_8), (cell,), NUMBER_8)

    def _write_if_else(self, scalar: Scalar) -> int:
        condition, one, two = (self.cell(argument) for argument in scalar.arguments)
        mask = self._apply(np.negative, self._narrow(condition))
        zero = [self._blank[cell] is not None and not self._blank[cell] for cell in (one, two)]
        if zero[1]:
            return self._apply(np.bitwise_and, one, mask)
        if zero[0]:
            return self._apply(np.bitwise_and, two, self._apply(np.invert, mask))
        differing = self._apply(np.bitwise_xor, one, two)
        return self._apply(np.bitwise_xor, two, self._apply(np.bitwise_and, differing, mask))

    def _write_select(self, scalar: Scalar) -> int:
        index, *choices, otherwise = scalar.arguments
        last = len(choices) - 1
        if last < LONGEST_CHAIN or any(c.constant is None for c in choices):
            if index.low >= 0 and index.high <= last:
                otherwise = choices[index.high]
            for at in range(max(index.low, 0), min(index.high, last) + 1):
                here = scalars.equal(index, scalars.number(at))
                otherwise = scalars.if_else(here, choices[at], otherwise)
            return self.cell(otherwise)
        of = narrowest(min(c.low for c in choices), max(c.high for c in choices))
        table = np.array([c.constant for c in choices], of)
        inside = scalars.within(index, 0, last)
        at = self.cell(scalars.if_else(inside, index, scalars.number(0)))
        look_up = partial(table.take, mode="clip")
        chosen = self._new(("select", id(scalar)), look_up, (at,), of)
        if inside is TRUE:
            return chosen
        outside = self.cell(scalars.if_else(inside, scalars.number(0), otherwise))
        kept = self._apply(np.negative, self._narrow(self.cell(inside)))
        return self._apply(np.bitwise_or, self._apply(np.bitwise_and, chosen, kept), outside)

    def _write_bit(self, scalar: Scalar) -> int:
        index = self._cast(self.cell(scalar.arguments[0]), _of(scalar))
        return self._apply(np.left_shift, self._constant(1, _of(scalar)), index)

    def _write_difference(self, scalar: Scalar) -> int:
        one, two = (self.cell(argument) for argument in scalar.arguments)
        return self._apply(np.bitwise_and, one, self._apply(np.invert, two))

    def _write_count(self, scalar: Scalar) -> int:
        return self._narrow(
            self._apply(np.bitwise_count, self.cell(scalar.arguments[0]), to=np.dtype(np.uint8))
        )

    def _write_member(self, scalar: Scalar) -> int:
        index, mask = scalar.arguments
        of, cell = _of(mask), self.cell(mask)
        if index.constant is not None:
            if index.constant >= mask.high.bit_length():
                return self._constant(False, TRUTH)
            one = self._apply(np.bitwise_and, cell, self._constant(1 << index.constant, of))
            return self._apply(np.not_equal, one, self._constant(0, of), to=TRUTH)
        of = np.promote_types(of, _of(index))
        shifted = self._apply(
            np.right_shift, self._cast(cell, of), self._cast(self.cell(index), of)
        )
        one = self._apply(np.bitwise_and, shifted, self._constant(1, of))
        return self._apply(np.not_equal, one, self._constant(0, of), to=TRUTH)


def _of(scalar: Scalar) -> np.dtype[Any]:
    return narrowest(scalar.low, scalar.high)


UFUNCS: Final[dict[str, Callable[..., Column]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "union": np.bitwise_or,
    "intersection": np.bitwise_and,
    "equal": np.equal,
    "less": np.less,
}
