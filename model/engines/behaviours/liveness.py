"""Does every fair behaviour that reaches one thing later reach another: the liveness claims.

A behaviour may do nothing at any time, and for ever where fairness lets it. An action that is
weakly fair is taken again and again if it is enabled from some point on; one that is strongly fair
if it is enabled again and again. As in TLA+, a step that changes nothing is neither enabled nor
taken. So a claim is violated exactly by a lasso: a path to a state where it begins, and from there
on, without what it promises, to states that can all be visited for ever in a fair way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.engines.behaviours.components import strong_components
from model.engines.behaviours.graph import Edges, Graph, Indices, Truths
from model.engines.concrete import show_step
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace
from model.lang.machine import Machine
from model.lang.parts import Liveness, Scope


@dataclass(frozen=True)
class LassoTrace:
    """A behaviour without end: `actions[i]` leads to `states[i + 1]`, and after the last state it
    goes on as after `states[loop]`, which is the same. Where that is the last one itself, nothing
    more happens.
    """

    layout: Layout
    states: list[int]
    actions: list[str]
    loop: int

    def __len__(self) -> int:
        return len(self.states)

    def __str__(self) -> str:
        lines = str(Trace(self.layout, self.states, self.actions)).splitlines()
        if self.loop == len(self.states) - 1:
            return "\n".join([*lines, "and then nothing more happens"])
        before = Trace(self.layout, self.states[: self.loop + 1], self.actions[: self.loop])
        lines.insert(len(str(before).splitlines()), "and then for ever:")
        return "\n".join([*lines, f"and on as after {self.loop + 1}"])


@dataclass(frozen=True)
class Outcome:
    """What was found about one liveness claim: it holds, or the trace is a fair behaviour that
    breaks it.
    """

    claim: Liveness
    trace: LassoTrace | None

    @property
    def holds(self) -> bool:
        """Does every fair behaviour do what the claim says."""
        return self.trace is None


@dataclass(frozen=True)
class Constraint:
    """The fairness of some steps: which edges they are, and in which states one is possible."""

    strong: bool
    taken: Truths
    enabled: Truths

    @staticmethod
    def of(edges: Edges, taken: Truths, strong: bool) -> Constraint:
        """The fairness of these edges."""
        return Constraint(strong, taken, _marked(edges.count, edges.sources[taken]))


def check_liveness(machine: Machine[Any], scope: Scope, graph: Graph, claim: Liveness) -> Outcome:
    """Judge a claim over all behaviours of a machine; a violation is shown with a shortest way to
    where it can no longer be avoided.
    """
    lowering = Lowering(machine, scope)
    when, then = graph.where([lowering.truth(claim.when), lowering.truth(claim.then)])
    fairness = [
        *constraints(machine, graph, claim.fair, strong=False),
        *constraints(machine, graph, claim.strongly_fair, strong=True),
    ]
    lasso = find_lasso(graph, when, then, fairness)
    return Outcome(claim, lasso and _shown(graph, *lasso))


def constraints(
    machine: Machine[Any], graph: Graph, entries: Sequence[str], strong: bool
) -> Iterator[Constraint]:
    """What entries such as `fetch` and `fetch(follower, leader)` ask for: some step of the action,
    or one for each choice of these parameters.
    """
    for entry in entries:
        name, _, inside = entry.partition("(")
        # A mutant of an action is as fair as the action.
        names = {name, *(m.name for m in machine.mutants.values() if m.replaces == name)}
        parameters = [part.strip() for part in inside.removesuffix(")").split(",") if part.strip()]
        groups: dict[tuple[int, ...], Truths] = {}
        for number, step in enumerate(graph.steps):
            if step.action.name in names:
                chosen = tuple(step.arguments[parameter].low for parameter in parameters)
                group = groups.setdefault(chosen, np.zeros(len(graph.steps), dtype=np.bool_))
                group[number] = True
        for group in groups.values():
            yield Constraint.of(graph.edges, group[graph.edges.labels], strong)


def _marked(count: int, nodes: NDArray[np.integer]) -> Truths:
    found = np.zeros(count, dtype=np.bool_)
    found[nodes] = True
    return found


def _shown(graph: Graph, path: list[int], loop: int) -> LassoTrace:
    layout, edges = graph.layout, graph.edges
    states = [graph.state(0), *(graph.state(int(edges.targets[edge])) for edge in path)]
    steps = [graph.steps[int(edges.labels[edge])] for edge in path]
    actions = [
        show_step(layout, step, layout.unpack(state))
        for step, state in zip(steps, states[:-1], strict=True)
    ]
    return LassoTrace(layout, states, actions, loop)


def find_lasso(
    graph: Graph, when: Truths, then: Truths, fairness: Sequence[Constraint]
) -> tuple[list[int], int] | None:
    """The edges of a fair behaviour from the initial state that meets `when` and from there on
    never `then`, and how many of them stand before the loop.
    """
    edges, levels = graph.edges, graph.levels()
    begins = np.flatnonzero(when & ~then)
    by_level = np.split(begins, np.searchsorted(levels[begins], np.arange(1, levels[-1] + 1)))
    within = edges.reachable(begins, ~then)
    component = fair_components(edges, within, fairness)
    found = edges.shortest_path(by_level, within, component >= 0)
    if found is None:
        return None
    begin, path = found
    entry = int(edges.targets[path[-1]]) if path else begin
    before = graph.path_to(begin) + path
    walked, loop = _fair_walk(edges, component == component[entry], entry, fairness)
    return before + walked, len(before) + loop


def fair_components(edges: Edges, alive: Truths, fairness: Sequence[Constraint]) -> Indices:
    """A number for each state that can be visited for ever, with all others of its number and by
    all edges between them, in a fair way; -1 for the others.
    """
    fair = np.full(edges.count, -1, dtype=np.int64)
    alive, numbered = alive.copy(), 0
    while alive.any():
        component = strong_components(edges, alive)
        count = int(component.max()) + 1
        component[~alive] = count
        from_component = component[edges.sources]
        inner = from_component == component[edges.targets]
        hopeless, hindered = np.zeros((2, count + 1), dtype=np.bool_)
        hopeless[count] = True
        dropped = np.zeros(edges.count, dtype=np.bool_)
        for constraint in fairness:
            missed = ~_marked(count + 1, from_component[inner & constraint.taken])
            if constraint.strong:
                # Without the states where it is enabled, there may be a smaller fair component.
                offending = constraint.enabled & missed[component]
                dropped |= offending
                hindered[component[offending]] = True
            else:
                missed[component[~constraint.enabled]] = False
                hopeless |= missed
        good = ~(hopeless | hindered)[component]
        fair[good] = component[good] + numbered
        numbered += count
        alive &= ~(good | dropped | hopeless[component])
    return fair


def _fair_walk(
    edges: Edges, inside: Truths, entry: int, fairness: Sequence[Constraint]
) -> tuple[list[int], int]:
    """A walk in a fair component that meets every constraint and ends where it can be repeated
    from the given number of edges on.
    """
    kept = inside[edges.sources] & inside[edges.targets]
    # What is strongly fair and enabled nowhere inside asks for nothing.
    open_ = [c for c in fairness if not c.strong or (c.enabled & inside).any()]
    taken = [np.flatnonzero(kept & c.taken) for c in open_]
    goals = [_marked(edges.count, edges.sources[t]) for t in taken]
    rests = [inside & ~c.enabled & (not c.strong) for c in open_]
    asked = set(range(len(open_)))
    walk, here, met = list[int](), entry, list[int]()
    while asked:
        goal = np.logical_or.reduce([goals[n] | rests[n] for n in asked])
        walk += _path(edges, here, inside, goal)
        here = int(edges.targets[walk[-1]]) if walk else entry
        met.append(len(walk))
        resting = {n for n in asked if rests[n][here]}
        asked -= resting
        if not resting:
            number = next(n for n in sorted(asked) if goals[n][here])
            asked.remove(number)
            step = int(taken[number][edges.sources[taken[number]] == here][0])
            walk.append(step)
            here = int(edges.targets[step])
    loop = min(met, default=0)
    back_to = int(edges.sources[walk[loop]]) if loop < len(walk) else here
    walk += _path(edges, here, inside, _marked(edges.count, np.array([back_to])))
    return walk, loop


def _path(edges: Edges, start: int, inside: Truths, goal: Truths) -> list[int]:
    found = edges.shortest_path([np.array([start])], inside, goal)
    assert found is not None, "a component is strongly connected"
    return found[1]
