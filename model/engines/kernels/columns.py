"""Steps and values on many states at once, for the kernel of numpy and for all who read states in
bulk.

A state is a row of words: 64 bits each, the lowest first. What the operations are in numpy is in
`sheet`; which states there are, only the caller knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.engines.concrete import too_small
from model.engines.kernels.sheet import Column, Sheet, Words
from model.engines.lowering import scalars
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Step
from model.engines.lowering.scalars import TRUE, Scalar

__all__ = [
    "Sheet",
    "StepColumns",
    "Words",
    "as_column",
    "evaluate_all",
    "packed",
    "successors",
    "words_of",
]


class StepColumns:
    """A step as cells of a sheet: where it is enabled, and the states after it."""

    def __init__(self, sheet: Sheet, step: Step) -> None:
        self.step = step
        guards = [g for g in step.guards.values() if g is not TRUE]
        self.enabled = sheet.cell(scalars.conjunction(*guards))
        self.guard_plan = sheet.plan([self.enabled])
        # These are other rows, so a sheet of their own is as good, and short.
        self._sheet = Sheet(sheet.layout)
        self._changed = self._sheet.after(step.updates)
        self._fits = self._sheet.cell(step.fits)
        self._plan = self._sheet.plan([*self._changed.values(), self._fits])

    def after(self, states: Words) -> tuple[Words, int | None]:
        """The states after the step, from states where it is enabled, which become them; and the
        first row for which there is no room.
        """
        values = self._sheet.begin(states)
        self._sheet.fill(values, self._plan)
        for word, cell in self._changed.items():
            states[:, word] = values[cell]
        fits = as_column(values[self._fits], len(states))
        return states, None if fits.all() else int(fits.argmin())


def as_column(value: Column, size: int) -> NDArray[Any]:
    """What a cell holds, as a column also where it is a constant."""
    return value if isinstance(value, np.ndarray) else np.full(size, value)


def packed(words: Words) -> int:
    """A state as one integer."""
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def words_of(layout: Layout, states: Sequence[int]) -> Words:
    """Packed states as rows of words: shape (states, words)."""
    size = layout.words * 8
    data = b"".join(state.to_bytes(size, "little") for state in states)
    return np.frombuffer(data, "<u8").reshape(-1, layout.words).astype(np.uint64)


def evaluate_all(layout: Layout, values: Sequence[Scalar], states: Words) -> list[NDArray[Any]]:
    """The value of each scalar in each state: one column of booleans or of signed integers each.

    `states` has the shape (states, words).
    """
    sheet = Sheet(layout)
    cells = [sheet.cell(value) for value in values]
    columns = sheet.begin(states)
    sheet.fill(columns, sheet.plan(cells))
    return [as_column(columns[cell], len(states)) for cell in cells]


def successors(layout: Layout, step: Step, states: Words) -> tuple[NDArray[np.intp], Words]:
    """The rows of the states in which a step is enabled, and the state after it from each.

    Raises ScopeTooSmallError where it does not fit.
    """
    columns = StepColumns(Sheet(layout), step)
    (enabled,) = evaluate_all(layout, [scalars.conjunction(*step.guards.values())], states)
    rows = np.flatnonzero(enabled)
    after, misfit = columns.after(states.take(rows, axis=0))
    if misfit is not None:
        raise too_small(layout, step, packed(states[rows[misfit]]))
    return rows, after
