"""The kernel of numpy columns: many states at a time, no compiler.

Guards and properties are evaluated on all states of a chunk, the changes of a step on those in
which it is enabled. The successors of a chunk are then brought into the order in which they would
be met one by one, so that positions are the same as in the plain kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.engines.concrete import too_small
from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.columns import StepColumns, as_column, packed, words_of
from model.engines.kernels.orbits import Orbits
from model.engines.kernels.sheet import Column, Sheet, Words
from model.engines.kernels.table import Table
from model.engines.scalars import TRUE

# States of a chunk: few enough for 16-bit row numbers, and for this much memory in columns.
MOST_ROWS = 1 << 16
SCRATCH_BYTES = 1 << 25
Rows = NDArray[np.uint16]


class Vectors:
    """A `Kernel` of numpy columns."""

    def __init__(self, problem: Problem, snapshot: Snapshot | None = None) -> None:
        self._layout = problem.layout
        self._sheet = sheet = Sheet(problem.layout)
        cells = [sheet.cell(truth) for truth in (*problem.watched, problem.may_end)]
        *self._watched, self._may_end = [(cell, sheet.plan([cell])) for cell in cells]
        self._ends_anywhere = problem.may_end is TRUE
        self._steps = [StepColumns(sheet, step) for step in problem.steps]
        self._actions = [problem.actions.index(step.action.name) for step in problem.steps]
        whole = {cell for _, plan in self._watched for cell, *_ in plan}
        whole.update(cell for step in self._steps for cell, *_ in step.guard_plan)
        self._rows = min(MOST_ROWS, 1 + SCRATCH_BYTES // (1 + len(whole)))
        self._orbits = Orbits(problem.layout, problem.symmetries)
        known = snapshot or self._beginning(problem)
        self._table = Table(known.states)
        self._parents = np.array(known.parents, np.uint32)
        self.expanded, self.level_end = known.expanded, known.level_end
        self.depth, self.generated = known.depth, known.generated
        self.fired, self.found = list(known.fired), dict(known.found)
        self.deadlock = known.deadlock

    def _beginning(self, problem: Problem) -> Snapshot:
        first = self._orbits.least(words_of(problem.layout, [problem.first]))
        fired = [0] * len(problem.actions)
        return Snapshot(first, np.zeros(1, np.uint32), 0, 0, 0, 1, fired, {}, None)

    @property
    def distinct(self) -> int:
        """How many states are known."""
        return self._table.count

    @property
    def bytes(self) -> int:
        """The memory of states, parents and look-up."""
        return self._table.bytes + self._parents.nbytes

    def expand(self, most: int) -> None:
        """Expand at most this many more states of the current level."""
        if self.expanded == self.level_end < self.distinct:
            self.level_end = self.distinct
            self.depth += 1
        stop = min(self.expanded + most, self.level_end)
        while self.expanded < stop:
            self._expand_chunk(min(self.expanded + self._rows, stop))

    def state(self, position: int) -> int:
        """A state, packed."""
        return packed(self._table.states[position])

    def parent(self, position: int) -> int:
        """The position from which a state was first reached."""
        return int(self._parents[position])

    def snapshot(self) -> Snapshot:
        """All that is known, to be kept."""
        return Snapshot(
            self._table.states[: self.distinct].copy(), self._parents[: self.distinct].copy(),
            self.expanded, self.level_end, self.depth, self.generated, list(self.fired),
            dict(self.found), self.deadlock,
        )  # fmt: skip

    def close(self) -> None:
        """Forget everything."""
        self._table = Table(np.empty((0, self._layout.words), np.uint64))
        self._parents = np.empty(0, np.uint32)

    def _expand_chunk(self, stop: int) -> None:
        start = self.expanded
        states = self._table.states[start:stop]
        values = self._sheet.begin(states)
        self._watch(values, start)
        keys, rows = self._successors(states, values, start)
        keys = self._orbits.least(keys)
        unknown = np.flatnonzero(self._table.find(keys) < 0)
        unknown = unknown.take(np.argsort(rows.take(unknown), kind="stable"))
        new = unknown.take(self._table.add(keys.take(unknown, axis=0)))
        self._append_parents(rows.take(new).astype(np.uint32) + np.uint32(start))
        self.generated += len(keys)
        self.expanded = stop

    def _watch(self, values: list[Column], start: int) -> None:
        """Note the first state in which a truth holds that held in none before."""
        for number, (cell, plan) in enumerate(self._watched):
            if number not in self.found:
                self._sheet.fill(values, plan)
                if np.any(values[cell]):
                    self.found[number] = start + int(np.argmax(values[cell]))

    def _successors(self, states: Words, values: list[Column], start: int) -> tuple[Words, Rows]:
        """The states after all steps, step by step, and the row each comes from."""
        made, rows = [states[:0]], [np.zeros(0, np.uint16)]
        misfits = []
        for number, step in enumerate(self._steps):
            self._sheet.fill(values, step.guard_plan)
            enabled = np.flatnonzero(as_column(values[step.enabled], len(states)))
            if len(enabled):
                after, misfit = step.after(states.take(enabled, axis=0))
                made.append(after)
                rows.append(enabled.astype(np.uint16))
                self.fired[self._actions[number]] += len(enabled)
                if misfit is not None:
                    misfits.append((int(enabled[misfit]), number))
        if misfits:
            row, number = min(misfits)
            raise too_small(self._layout, self._steps[number].step, packed(states[row]))
        origins = np.concatenate(rows)
        if self.deadlock is None and not self._ends_anywhere:
            self._note_deadlock(values, origins, start, len(states))
        return np.concatenate(made), origins

    def _note_deadlock(self, values: list[Column], origins: Rows, start: int, size: int) -> None:
        """Note the first state that has no successor and may not end."""
        cell, plan = self._may_end
        self._sheet.fill(values, plan)
        stuck = ~as_column(values[cell], size)
        stuck[origins] = False
        if stuck.any():
            self.deadlock = start + int(np.argmax(stuck))

    def _append_parents(self, parents: NDArray[np.uint32]) -> None:
        room, end = len(self._parents), self.distinct
        if end > room:
            grown = np.empty(max(end, room * 3 // 2), np.uint32)
            grown[:room] = self._parents
            self._parents = grown
        self._parents[end - len(parents) : end] = parents
