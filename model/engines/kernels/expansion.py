"""What the states of a chunk lead to, many at a time, in numpy columns: guards and properties are
evaluated on all states, the changes of a step on those in which it is enabled.

It keeps no state: which are known, and where, is for those who call it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.engines.kernels import Problem
from model.engines.kernels.columns import StepColumns, as_column
from model.engines.kernels.sheet import Column, Sheet, Words
from model.engines.lowering.scalars import TRUE

# States of a chunk: few enough for 16-bit row numbers, and for this much memory in columns.
MOST_ROWS = 1 << 16
SCRATCH_BYTES = 1 << 25
Rows = NDArray[np.uint16]


@dataclass
class Expanded:
    """What was found in a chunk, by the rows of its states.

    `successors` are packed, of the shape (successors, words), step by step; `origins` the rows
    that they come from. `fired` counts the steps of each action. `found` has the first row of each
    open truth that holds somewhere, `deadlock` the first that has no successor and may not end.
    `misfit` is the first row with an enabled step for which there is no room, and the number of
    this step; the successors are then worth nothing.
    """

    successors: Words
    origins: Rows
    fired: list[int]
    found: dict[int, int] = field(default_factory=dict)
    deadlock: int | None = None
    misfit: tuple[int, int] | None = None


class Expansion:
    """The steps and truths of a problem, ready for chunks of at most `rows` states."""

    def __init__(self, problem: Problem) -> None:
        self._sheet = sheet = Sheet(problem.layout)
        cells = [sheet.cell(truth) for truth in (*problem.watched, problem.may_end)]
        *self._watched, self._may_end = [(cell, sheet.plan([cell])) for cell in cells]
        self._ends_anywhere = problem.may_end is TRUE
        self._steps = [StepColumns(sheet, step) for step in problem.steps]
        self._actions = [problem.actions.index(step.action.name) for step in problem.steps]
        self._no_steps = [0] * len(problem.actions)
        whole = {cell for _, plan in self._watched for cell, *_ in plan}
        whole.update(cell for step in self._steps for cell, *_ in step.guard_plan)
        self.rows = min(MOST_ROWS, 1 + SCRATCH_BYTES // (1 + len(whole)))

    def expand(self, states: Words, open_truths: Collection[int], deadlocks: bool) -> Expanded:
        """Make all successors of some states, of the shape (states, words), and look for the
        truths of these numbers and, if it is asked for, for a deadlock.
        """
        values = self._sheet.begin(states)
        made = self._successors(states, values)
        for number in open_truths:
            cell, plan = self._watched[number]
            self._sheet.fill(values, plan)
            if np.any(values[cell]):
                made.found[number] = int(np.argmax(values[cell]))
        if deadlocks and not self._ends_anywhere:
            made.deadlock = self._deadlock(values, made.origins, len(states))
        return made

    def _successors(self, states: Words, values: list[Column]) -> Expanded:
        """The states after all steps, step by step, and the row each comes from."""
        after, rows, fired = [states[:0]], [np.zeros(0, np.uint16)], self._no_steps.copy()
        misfits = []
        for number, step in enumerate(self._steps):
            self._sheet.fill(values, step.guard_plan)
            enabled = np.flatnonzero(as_column(values[step.enabled], len(states)))
            if len(enabled):
                changed, misfit = step.after(states.take(enabled, axis=0))
                after.append(changed)
                rows.append(enabled.astype(np.uint16))
                fired[self._actions[number]] += len(enabled)
                if misfit is not None:
                    misfits.append((int(enabled[misfit]), number))
        whole = np.concatenate(after), np.concatenate(rows)
        return Expanded(*whole, fired, misfit=min(misfits, default=None))

    def _deadlock(self, values: list[Column], origins: Rows, size: int) -> int | None:
        """The first state that has no successor and may not end."""
        cell, plan = self._may_end
        self._sheet.fill(values, plan)
        stuck = ~as_column(values[cell], size)
        stuck[origins] = False
        return int(np.argmax(stuck)) if stuck.any() else None
