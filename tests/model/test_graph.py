"""The graph of an exploration, held against the plain kernel and networkx."""

from __future__ import annotations

import random
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from model import catalogue
from model.engines.behaviours.components import LAYERS, strong_components
from model.engines.behaviours.graph import Edges, Graph, graph_of
from model.engines.explore import Limits, explore, problem_of
from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering.lower import Lowering
from model.lang import ModelError, Scope

current = catalogue.machine("replication")
SMALL = Scope(
    "small",
    {"brokers": 2, "log_size": 1, "max_records": 2, "max_leader_epoch": 2},
    "slow readers and everything in it",
)


@pytest.fixture(scope="module")
def graph() -> Graph:
    seen = explore(current, SMALL, Limits(to_the_end=True))
    return graph_of(problem_of(seen.lowering), seen.kernel.snapshot())


def test_edges_are_the_steps_of_the_plain_kernel(graph: Graph) -> None:
    moves = compile_moves(graph.layout, graph.steps)
    states = [graph.state(position) for position in range(graph.edges.count)]
    position = {state: number for number, state in enumerate(states)}
    assert len(position) == len(states) > 500
    starts, targets, labels = graph.edges.starts, graph.edges.targets, graph.edges.labels
    for number, state in enumerate(states):
        mine = slice(starts[number], starts[number + 1])
        found = list(zip(labels[mine].tolist(), targets[mine].tolist(), strict=True))
        expected = [(label, position[after]) for label, after in moves(state) if after != state]
        assert found == expected
    assert (graph.edges.sources == np.repeat(np.arange(len(states)), np.diff(starts))).all()


def test_a_claim_holds_where_the_plain_kernel_says(graph: Graph) -> None:
    lowering = Lowering(current, SMALL)
    truths = [lowering.truth(p.holds) for p in current.properties.values()]
    watch = compile_watch(graph.layout, truths)
    columns = graph.where(truths)
    for position in range(0, graph.edges.count, 3):
        held = [number for number, column in enumerate(columns) if column[position]]
        assert held == watch(graph.state(position))


def test_levels_and_paths_are_the_shortest(graph: Graph) -> None:
    net: nx.DiGraph[int] = nx.DiGraph()
    net.add_edges_from(
        zip(graph.edges.sources.tolist(), graph.edges.targets.tolist(), strict=True)
    )
    expected = nx.single_source_shortest_path_length(net, 0)
    assert graph.levels().tolist() == [expected[n] for n in range(graph.edges.count)]
    for position in range(0, graph.edges.count, 50):
        path = graph.path_to(position)
        assert len(path) == expected[position]
        nodes = [0, *graph.edges.targets[path].tolist()]
        assert nodes[-1] == position
        assert graph.edges.sources[path].tolist() == nodes[:-1]


def test_no_graph_is_made_of_a_part_of_the_states_or_of_orbits() -> None:
    seen = explore(current, SMALL, Limits(states=100))
    problem, snapshot = problem_of(seen.lowering), seen.kernel.snapshot()
    with pytest.raises(ModelError, match="where all states are known"):
        graph_of(problem, replace(snapshot, expanded=len(snapshot.states) - 1))
    with pytest.raises(ModelError, match="up to symmetry"):
        graph_of(
            replace(problem, symmetries=[[]]), replace(snapshot, expanded=len(snapshot.states))
        )


def random_edges(choose: random.Random, size: int, count: int) -> Edges:
    pairs = [(choose.randrange(size), choose.randrange(size)) for _ in range(count)]
    sources, targets = np.array(pairs, dtype=np.uint32).reshape(-1, 2).T
    return Edges.between(size, sources, targets, np.zeros(count, dtype=np.uint32))


def components_of(edges: Edges, alive: np.ndarray) -> set[frozenset[int]]:
    net: nx.DiGraph[int] = nx.DiGraph()
    net.add_nodes_from(np.flatnonzero(alive).tolist())
    net.add_edges_from(
        (s, t)
        for s, t in zip(edges.sources.tolist(), edges.targets.tolist(), strict=True)
        if alive[s] and alive[t]
    )
    return {frozenset(part) for part in nx.strongly_connected_components(net)}


def grouped(component: np.ndarray) -> set[frozenset[int]]:
    numbers = set(component.tolist()) - {-1}
    return {frozenset(np.flatnonzero(component == number).tolist()) for number in numbers}


def test_components_are_those_of_networkx() -> None:
    choose = random.Random(4)
    for _ in range(300):
        size = choose.randint(1, 14)
        edges = random_edges(choose, size, choose.randint(0, 24))
        alive = np.array([choose.random() < 0.85 for _ in range(size)])
        found = strong_components(edges, alive)
        assert grouped(found) == components_of(edges, alive)
        assert ((found >= 0) == alive).all()


def test_a_ring_with_tails_longer_than_what_is_peeled_is_one_component_and_single_states() -> None:
    tail = 2 * LAYERS
    sources = np.arange(3 * tail - 1, dtype=np.uint32)
    targets = sources + np.uint32(1)
    back = np.array([2 * tail - 1], dtype=np.uint32)
    edges = Edges.between(
        3 * tail,
        np.concatenate([sources, back]),
        np.concatenate([targets, np.array([tail], dtype=np.uint32)]),
        np.zeros(3 * tail, dtype=np.uint32),
    )
    component = strong_components(edges, np.ones(3 * tail, dtype=np.bool_))
    assert len(set(component.tolist())) == 2 * tail + 1
    assert len(set(component[tail : 2 * tail].tolist())) == 1


def test_a_shortest_path_pays_for_where_it_begins() -> None:
    # 0 -> 1 -> 2 -> 3 and 4 -> 3.
    edges = Edges.between(
        5,
        np.array([0, 1, 2, 4], dtype=np.uint32),
        np.array([1, 2, 3, 3], dtype=np.uint32),
        np.arange(4, dtype=np.uint32),
    )
    everywhere = np.ones(5, dtype=np.bool_)
    goal = np.arange(5) == 3
    assert edges.shortest_path([np.array([0]), np.array([4])], everywhere, goal) == (4, [3])
    late = [np.array([0]), *[np.array([], dtype=np.int64)] * 3, np.array([4])]
    assert edges.shortest_path(late, everywhere, goal) == (0, [0, 1, 2])
    assert edges.shortest_path([np.array([0])], np.arange(5) != 2, goal) is None
