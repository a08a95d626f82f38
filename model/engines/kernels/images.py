"""What states of one layout are seen as in another, many at a time: for refinement.

An image is the packed state of the other layout, in rows of words like the states themselves.
Nothing here knows what is a step of the other machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.engines.kernels.columns import Sheet, Words, packed
from model.engines.lowering import scalars
from model.engines.lowering.layout import WORD, Layout
from model.engines.lowering.lower import Step
from model.engines.lowering.scalars import Scalar


@dataclass(frozen=True)
class Change:
    """A step that changes the image: the row of the state that it leaves, the number of the step,
    and the images before and after it, packed.
    """

    row: int
    step: int
    before: int
    after: int


@dataclass(frozen=True)
class Misfit:
    """A state whose image has a number for which its slot has no room. It is that of the row, or
    the one after a step from there.
    """

    row: int
    step: int | None
    slot: int
    number: int


class _Move:
    """A step as cells of a sheet: where it is enabled, and the words that it changes.

    That it fits has been asked by whoever explored the states.
    """

    def __init__(self, sheet: Sheet, step: Step) -> None:
        self._sheet = sheet
        self.enabled = sheet.cell(scalars.conjunction(*step.guards.values()))
        self.guard_plan = sheet.plan([self.enabled])
        self._changed = sheet.after(step.updates)
        self._plan = sheet.plan(self._changed.values())

    def after(self, states: Words) -> Words:
        """The states after the step, from states where it is enabled."""
        columns, following = self._sheet.begin(states), states.copy()
        self._sheet.fill(columns, self._plan)
        for word, cell in self._changed.items():
            following[:, word] = columns[cell]
        return following


class Images:
    """Evaluates `values`, one for each slot of the other layout, on states and on those after
    their steps.
    """

    def __init__(
        self, layout: Layout, steps: Sequence[Step], values: Sequence[Scalar], other: Layout
    ) -> None:
        self._other = other
        self._sheet = Sheet(layout)
        self._cells = [self._sheet.cell(value) for value in values]
        self._plan = self._sheet.plan(self._cells)
        self._moves = [_Move(self._sheet, step) for step in steps]

    def of(self, states: Words) -> tuple[Words, Misfit | None]:
        """The image of each state; with the first misfit the images mean nothing."""
        columns = self._sheet.begin(states)
        self._sheet.fill(columns, self._plan)
        images = np.zeros((len(states), self._other.words), np.uint64)
        misfit = None
        for index, (cell, slot) in enumerate(zip(self._cells, self._other.slots, strict=True)):
            column = np.broadcast_to(columns[cell], len(states)).astype(np.int64)
            outside = (column < slot.low) | (column > slot.high)
            row = int(outside.argmax()) if outside.any() else len(states)
            if row < (misfit.row if misfit else len(states)):
                misfit = Misfit(row, None, index, int(column[row]))
            word, shift = divmod(slot.shift, WORD)
            images[:, word] |= (column - slot.low).astype(np.uint64) << np.uint64(shift)
        return images, misfit

    def changes(self, states: Words) -> tuple[int, int, list[Change], Misfit | None]:
        """(steps, those that do not change the image, one change for each different pair of
        images, the first misfit). A change is of the first row that makes it; the list is in the
        order of the rows.
        """
        before, misfit = self.of(states)
        if misfit is not None:
            return 0, 0, [], misfit
        rows, numbers, following = self._successors(states)
        after, misfit = self.of(following)
        if misfit is not None:
            place = misfit.row
            step = int(numbers[place])
            return 0, 0, [], Misfit(int(rows[place]), step, misfit.slot, misfit.number)
        left = before[rows]
        moved = np.flatnonzero((left != after).any(axis=1))
        pairs = np.ascontiguousarray(np.hstack([left[moved], after[moved]]))
        # Rows are compared as bytes: all that is asked is whether they are equal.
        keys = pairs.view(f"V{pairs.shape[1] * 8}").ravel()
        _, first = np.unique(keys, return_index=True)
        first = moved[first[np.argsort(rows[moved[first]], kind="stable")]]
        found = [
            Change(int(rows[n]), int(numbers[n]), packed(left[n]), packed(after[n])) for n in first
        ]
        return len(rows), len(rows) - len(moved), found, None

    def _successors(self, states: Words) -> tuple[NDArray[np.intp], NDArray[np.intp], Words]:
        """Row, number of the step, and state after it, of every step, in the order of the rows."""
        columns = self._sheet.begin(states)
        rows, numbers, after = [], [], []
        for number, move in enumerate(self._moves):
            self._sheet.fill(columns, move.guard_plan)
            here = np.flatnonzero(np.broadcast_to(columns[move.enabled], len(states)))
            if len(here):
                rows.append(here)
                numbers.append(np.full(len(here), number, np.intp))
                after.append(move.after(states[here]))
        if not rows:
            none = np.empty(0, np.intp)
            return none, none, states[:0]
        order = np.argsort(np.concatenate(rows), kind="stable")
        return (
            np.concatenate(rows)[order],
            np.concatenate(numbers)[order],
            np.concatenate(after)[order],
        )
