"""Liveness claims, held against a search through all sets of states, and on machines to read."""

from __future__ import annotations

import itertools
import random

import networkx as nx
import numpy as np

from model.engines.graph import Edges, Graph
from model.engines.layout import Layout
from model.engines.liveness import Constraint, find_lasso
from tests.model.toys import Jugs

Edge = tuple[int, int, int]


def random_graph(choose: random.Random, labels: int) -> list[Edge]:
    """Edges (source, target, label) between states in breadth-first order from 0."""
    size = choose.randint(1, 6)
    pairs = [
        (choose.randrange(size), choose.randrange(size)) for _ in range(choose.randint(0, 14))
    ]
    known = [0]
    for node in known:
        known += sorted({t for s, t in pairs if s == node} - set(known))
    number = {node: position for position, node in enumerate(known)}
    return sorted(
        {
            (number[s], number[t], choose.randrange(labels))
            for s, t in pairs
            if s in number and s != t
        }
    )


def as_graph(found: list[Edge]) -> Graph:
    size = max((t for _, t, _ in found), default=0) + 1
    parents = [0] + [min(s for s, t, _ in found if t == node) for node in range(1, size)]
    columns = np.array(found, dtype=np.uint32).reshape(-1, 3).T
    edges = Edges.between(size, *columns)
    states = np.arange(size, dtype=np.uint64).reshape(-1, 1)
    return Graph(Layout(Jugs, {"jug": 5}), [], states, np.array(parents, dtype=np.uint32), edges)


def is_fair(
    visited: set[int], taken: set[Edge], every: list[Edge], fair: list[tuple[set[int], bool]]
) -> bool:
    """Are these the states and edges that a fair behaviour may meet again and again."""
    for labels, strong in fair:
        enabled = {s for s, _, label in every if label in labels} & visited
        asked = enabled if strong else enabled == visited
        if asked and not any(label in labels for _, _, label in taken):
            return False
    return True


def can_go_wrong(
    found: list[Edge], when: set[int], then: set[int], fair: list[tuple[set[int], bool]]
) -> bool:
    """Is there a fair behaviour without `then` after `when`: all sets of states are tried."""
    size = max((t for _, t, _ in found), default=0) + 1
    rest = set(range(size)) - then
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(rest)
    graph.add_edges_from((s, t) for s, t, _ in found if s in rest and t in rest)
    reachable = {t for s in when & rest for t in (s, *nx.descendants(graph, s))}
    for length in range(1, len(reachable) + 1):
        for chosen in map(set, itertools.combinations(sorted(reachable), length)):
            taken = {e for e in found if e[0] in chosen and e[1] in chosen}
            if nx.is_strongly_connected(graph.subgraph(chosen)) and is_fair(
                chosen, taken, found, fair
            ):
                return True
    return False


def mask(size: int, nodes: set[int]) -> np.ndarray:
    return np.isin(np.arange(size), sorted(nodes))


def verdict_agrees(seed: int) -> bool:
    """Draw a graph and a claim; say whether it is violated."""
    choose = random.Random(seed)
    found = random_graph(choose, labels=4)
    graph = as_graph(found)
    size = graph.edges.count
    when, then = (
        {node for node in range(size) if choose.random() < chance} for chance in (0.6, 0.25)
    )
    fair = [
        ({n for n in range(4) if choose.random() < 0.5}, choose.random() < 0.5)
        for _ in range(choose.randint(0, 4))
    ]
    fairness = [
        Constraint.of(graph.edges, np.isin(graph.edges.labels, sorted(labels)), strong)
        for labels, strong in fair
    ]
    lasso = find_lasso(graph, mask(size, when), mask(size, then), fairness)
    assert (lasso is not None) == can_go_wrong(found, when, then, fair)
    if lasso is None:
        return False
    path, loop = lasso
    every = [
        (int(s), int(t), int(label))
        for s, t, label in zip(
            graph.edges.sources, graph.edges.targets, graph.edges.labels, strict=True
        )
    ]
    walked = [every[edge] for edge in path]
    states = [0, *(t for _, t, _ in walked)]
    assert states[:-1] == [s for s, _, _ in walked]
    assert states[loop] == states[-1]
    assert any(state in when and not then & set(states[n:]) for n, state in enumerate(states))
    assert is_fair(set(states[loop:]), set(walked[loop:]), every, fair)
    return True


def test_random_graphs_and_claims_get_the_verdict_of_a_search_through_all_sets() -> None:
    violated = [verdict_agrees(seed) for seed in range(1500)]
    assert 300 < sum(violated) < 1200
