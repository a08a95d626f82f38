"""The states of an exploration and the steps between them as arrays: what readers of whole
behaviours work on.

A state is its position in breadth-first order, a step its position among the edges, which are
sorted by the state that they leave. Steps that change nothing are left out: a behaviour may do
nothing at any time. This file refuses to know what is claimed of the behaviours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.columns import Sheet, StepColumns, evaluate_all
from model.engines.kernels.orbits import ROWS
from model.engines.kernels.table import Table
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Step
from model.engines.lowering.scalars import Scalar
from model.lang.places import ModelError

Positions = NDArray[np.uint32]
Truths = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Edges:
    """A directed graph of `count` nodes: those that follow node n, and the labels of the edges to
    them, are `targets[starts[n]:starts[n + 1]]` and `labels[...]` (the number of a ground step).
    """

    starts: Indices
    targets: Positions
    labels: Positions

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self.starts) - 1

    @cached_property
    def sources(self) -> Positions:
        """The node that each edge leaves."""
        nodes = np.arange(self.count, dtype=np.uint32)
        return np.repeat(nodes, np.diff(self.starts))

    def leaving(self, nodes: NDArray[np.integer]) -> Indices:
        """The edges that leave these nodes, in the order of the nodes."""
        first = self.starts[nodes]
        counts = self.starts[np.asarray(nodes, dtype=np.int64) + 1] - first
        before = np.cumsum(counts) - counts
        return np.repeat(first - before, counts) + np.arange(counts.sum())

    @staticmethod
    def between(
        count: int, sources: Positions, targets: Positions, labels: Positions | None = None
    ) -> Edges:
        """The graph of these edges, in any order; without labels they are numbered."""
        order = np.argsort(sources, kind="stable")
        starts = np.zeros(count + 1, dtype=np.int64)
        np.cumsum(np.bincount(sources, minlength=count), out=starts[1:])
        chosen = order.astype(np.uint32) if labels is None else labels[order]
        return Edges(starts, targets[order], chosen)

    def shortest_path(
        self, sources: Sequence[NDArray[np.integer]], within: Truths, goal: Truths
    ) -> tuple[int, list[int]] | None:
        """Where a shortest path to a goal begins, and its edges, all between nodes of `within`.

        It may begin at the nodes `sources[d]` at a price of d edges more.
        """
        came_by = np.full(self.count, -2, dtype=np.int64)
        reached: NDArray[np.integer] = np.empty(0, dtype=np.uint32)
        distance = 0
        while distance < len(sources) or len(reached):
            if distance < len(sources):
                begun = sources[distance]
                begun = begun[within[begun] & (came_by[begun] == -2)]
                came_by[begun] = -1
                reached = np.concatenate([reached, begun])
            at_goal = reached[goal[reached]]
            if len(at_goal):
                return self._back_from(int(at_goal[0]), came_by)
            edges = self.leaving(reached)
            targets = self.targets[edges]
            new = within[targets] & (came_by[targets] == -2)
            edges, targets = edges[new], targets[new]
            came_by[targets[::-1]] = edges[::-1]
            reached = targets[came_by[targets] == edges]
            distance += 1
        return None

    def reachable(self, begins: NDArray[np.integer], within: Truths) -> Truths:
        """Which nodes can be reached from these, all on the way being of `within`."""
        found = np.zeros(self.count, dtype=np.bool_)
        reached = begins[within[begins]]
        while len(reached):
            found[reached] = True
            targets = self.targets[self.leaving(reached)]
            reached = np.unique(targets[within[targets] & ~found[targets]])
        return found

    def _back_from(self, node: int, came_by: Indices) -> tuple[int, list[int]]:
        path = []
        while came_by[node] >= 0:
            path.append(int(came_by[node]))
            node = int(self.sources[path[-1]])
        return node, path[::-1]


@dataclass(frozen=True)
class Graph:
    """All reachable states of a machine at one scope, and its steps. `states` and `parents` are
    those of the kernel's snapshot.
    """

    layout: Layout
    steps: Sequence[Step]
    states: NDArray[np.uint64]
    parents: Positions
    edges: Edges

    def state(self, position: int) -> int:
        """A state, packed."""
        return int.from_bytes(self.states[position].astype("<u8").tobytes(), "little")

    def where(self, truths: Sequence[Scalar]) -> list[Truths]:
        """For each truth value, in which states it holds."""
        chunks = [self.states[begin : begin + ROWS] for begin in range(0, len(self.states), ROWS)]
        parts = [evaluate_all(self.layout, truths, chunk) for chunk in chunks]
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]

    def levels(self) -> Indices:
        """How many steps lead to each state at least."""
        count = len(self.parents)
        # Levels stand one behind the other, and begin where a parent is of the level before.
        latest = np.maximum.accumulate(self.parents)
        levels = np.zeros(count, dtype=np.int64)
        begin, end, level = 0, min(1, count), 0
        while end < count:
            begin, end, level = end, int(np.searchsorted(latest, end)), level + 1
            levels[begin:end] = level
        return levels

    def path_to(self, position: int) -> list[int]:
        """The edges of a shortest path from the initial state."""
        path = []
        while position:
            parent = int(self.parents[position])
            here = self.edges.leaving(np.array([parent]))
            path.append(int(here[self.edges.targets[here] == position][0]))
            position = parent
        return path[::-1]


def graph_of(problem: Problem, snapshot: Snapshot) -> Graph:
    """The graph of an exploration that came to its end, without symmetries."""
    count = len(snapshot.states)
    if snapshot.expanded < count:
        raise ModelError("behaviours can only be judged where all states are known: explore on")
    if problem.symmetries:
        raise ModelError("behaviours cannot be judged up to symmetry: leave it out")
    columns = zip(NONE, *_moves(problem, snapshot), strict=True)
    sources, targets, labels = map(np.concatenate, columns)
    edges = Edges.between(count, sources, targets, labels)
    return Graph(problem.layout, problem.steps, snapshot.states, snapshot.parents, edges)


NONE = (np.empty(0, dtype=np.uint32),) * 3


def _moves(
    problem: Problem, snapshot: Snapshot
) -> Iterator[tuple[Positions, Positions, Positions]]:
    """Sources, targets and numbers of steps of all edges, those of one step and some states at a
    time.
    """
    sheet, table = Sheet(problem.layout), Table(snapshot.states)
    steps = [StepColumns(sheet, step) for step in problem.steps]
    for begin in range(0, len(snapshot.states), ROWS):
        states = snapshot.states[begin : begin + ROWS]
        values = sheet.begin(states)
        for number, step in enumerate(steps):
            sheet.fill(values, step.guard_plan)
            enabled = np.broadcast_to(values[step.enabled], len(states))
            rows = np.flatnonzero(enabled)
            after, _ = step.after(states.take(rows, axis=0))  # What does not fit was refused.
            targets = table.find(after)
            rows, targets = rows[targets != rows + begin], targets[targets != rows + begin]
            labels = np.full(len(rows), number, dtype=np.uint32)
            yield (rows + begin).astype(np.uint32), targets.astype(np.uint32), labels
