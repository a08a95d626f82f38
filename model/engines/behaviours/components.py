"""The strongly connected components of a graph of millions of edges.

What cannot be on a cycle is peeled off first, whole layers at a time; what remains is walked
depth first (Tarjan). State graphs with budgets are mostly peel.
"""

from __future__ import annotations

import numpy as np

from model.engines.behaviours.graph import Edges, Indices, Positions, Truths

LAYERS = 500


def strong_components(edges: Edges, alive: Truths) -> Indices:
    """The component of each live node, as a number from 0 on; -1 for the others.

    Only edges between live nodes count.
    """
    sources, targets = edges.sources, edges.targets
    kept = alive[sources] & alive[targets]
    sources, targets = sources[kept], targets[kept]
    core = alive.copy()
    # First no way out, then no way in; each edge is put away once.
    _peel(core, sources, targets)
    _peel(core, targets, sources)
    component = np.full(edges.count, -1, dtype=np.int64)
    peeled = alive & ~core
    component[peeled] = np.arange(np.count_nonzero(peeled))
    nodes = np.flatnonzero(core)
    inner = core[sources] & core[targets]
    number = np.zeros(edges.count, dtype=np.uint32)
    number[nodes] = np.arange(len(nodes), dtype=np.uint32)
    rest = Edges.between(len(nodes), number[sources[inner]], number[targets[inner]])
    component[nodes] = _tarjan(rest) + np.count_nonzero(peeled)
    return component


def _peel(core: Truths, sources: Positions, targets: Positions) -> None:
    """Take out of the core, again and again, what no edge within it leaves."""
    inner = core[sources] & core[targets]
    count = len(core)
    back = Edges.between(count, targets[inner], sources[inner])
    ways_out = np.bincount(sources[inner], minlength=count)
    layer = np.flatnonzero(core & (ways_out == 0))
    for _ in range(LAYERS):
        if not len(layer):
            break
        core[layer] = False
        before = back.targets[back.leaving(layer)]
        np.subtract.at(ways_out, before, 1)
        layer = np.unique(before[ways_out[before] == 0])


def _tarjan(edges: Edges) -> Indices:
    """The component of each node."""
    count = edges.count
    starts, targets = edges.starts.tolist(), edges.targets.tolist()
    component = [-1] * count
    order, lowest, following = [-1] * count, [0] * count, starts[:-1]
    path: list[int] = []
    waiting: list[int] = []
    met = found = 0
    for root in range(count):
        if order[root] >= 0:
            continue
        path.append(root)
        while path:
            node = path[-1]
            if order[node] < 0:
                order[node] = lowest[node] = met
                met += 1
                waiting.append(node)
            at, end, low = following[node], starts[node + 1], lowest[node]
            while at < end:
                target = targets[at]
                if order[target] < 0:
                    break
                # What is in a component already is no way back.
                if component[target] < 0 and lowest[target] < low:
                    low = lowest[target]
                at += 1
            following[node], lowest[node] = at, low
            if at < end:
                path.append(targets[at])
                continue
            path.pop()
            if low == order[node]:
                while component[node] < 0:
                    component[waiting.pop()] = found
                found += 1
    return np.array(component, dtype=np.int64)
