"""The kernel of numpy columns: many states at a time, no compiler.

The successors of a chunk are brought into the order in which they would be met one by one, so that
positions are the same as in the plain kernel.
"""

from __future__ import annotations

import numpy as np

from model.engines.concrete import too_small
from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.columns import packed, words_of
from model.engines.kernels.expansion import Expansion
from model.engines.kernels.orbits import Orbits
from model.engines.kernels.table import Table, put


class Vectors:
    """A `Kernel` of numpy columns."""

    def __init__(self, problem: Problem, snapshot: Snapshot | None = None) -> None:
        self._problem = problem
        self._expansion = Expansion(problem)
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
            self._expand_chunk(min(self.expanded + self._expansion.rows, stop))

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
        self._table = Table(np.empty((0, self._problem.layout.words), np.uint64))
        self._parents = np.empty(0, np.uint32)

    def _expand_chunk(self, stop: int) -> None:
        start = self.expanded
        states = self._table.states[start:stop]
        unseen = [n for n in range(len(self._problem.watched)) if n not in self.found]
        made = self._expansion.expand(states, unseen, self.deadlock is None)
        if made.misfit is not None:
            row, number = made.misfit
            step = self._problem.steps[number]
            raise too_small(self._problem.layout, step, packed(states[row]))
        self.found.update({number: start + row for number, row in made.found.items()})
        if made.deadlock is not None:
            self.deadlock = start + made.deadlock
        keys, rows = self._orbits.least(made.successors), made.origins
        unknown = np.flatnonzero(self._table.find(keys) < 0)
        unknown = unknown.take(np.argsort(rows.take(unknown), kind="stable"))
        known = self.distinct
        new = unknown.take(self._table.add(keys.take(unknown, axis=0)))
        parents = rows.take(new).astype(np.uint32) + np.uint32(start)
        self._parents = put(self._parents, known, parents)
        self.fired = [a + b for a, b in zip(self.fired, made.fired, strict=True)]
        self.generated += len(keys)
        self.expanded = stop
