"""Liveness claims, held against a search through all sets of states, and on machines to read."""

import itertools
import random
from typing import Any

import networkx as nx
import numpy as np
import pytest

from model import catalogue
from model.engines.behaviours.graph import Edges, Graph, graph_of
from model.engines.behaviours.liveness import Constraint, Outcome, check_liveness, find_lasso
from model.engines.explore import Limits, explore, problem_of
from model.engines.lowering.layout import Layout
from model.lang import (
    Bool,
    Bound,
    Machine,
    Range,
    Record,
    Scope,
    Set,
    leads_to,
    needs,
    no_element,
    set_of,
)
from model.lang.machine import LeadsTo
from tests.model.toys import Jugs

Edge = tuple[int, int, int]


def random_graph(choose: random.Random, labels: int) -> list[Edge]:
    """Edges (source, target, label) between states in breadth-first order from 0: few states and
    many edges, so that what is fair decides.
    """
    size, count = choose.randint(3, 5), choose.randint(8, 18)
    pairs = [(choose.randrange(size), choose.randrange(size)) for _ in range(count)]
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
    found = random_graph(choose, labels=6)
    graph = as_graph(found)
    size = graph.edges.count
    when, then = {n for n in range(size) if choose.random() < 0.6}, {choose.randrange(size)}
    fair = [
        ({n for n in range(6) if choose.random() < 0.25}, choose.random() < 0.5)
        for _ in range(choose.randint(3, 6))
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
    violated = [verdict_agrees(seed) for seed in range(600)]
    assert 200 < sum(violated) < 400


@pytest.mark.parametrize("wrong", ["strong is weak", "weak is strong", "others are fair"])
def test_the_search_through_all_sets_finds_a_wrong_reader(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Constraint.of

    def misread(edges: Edges, taken: Any, strong: bool) -> Constraint:
        if wrong == "others are fair":
            return right(edges, ~taken, strong)
        return right(edges, taken, wrong == "weak is strong")

    monkeypatch.setattr(Constraint, "of", misread)
    with pytest.raises(AssertionError):
        [verdict_agrees(seed) for seed in range(600)]


# Machines.


def judged(machine: Machine[Any], scope: Scope, name: str) -> Outcome:
    seen = explore(machine, scope, Limits(to_the_end=True))
    graph = graph_of(problem_of(seen.lowering), seen.kernel.snapshot())
    return check_liveness(machine, scope, graph, machine.liveness[name])


class Places(Range):
    """Where one may be."""

    low, high = 0, 5


class Traveller(Record):
    """One who walks along the edges of a graph."""

    at: Places


Group = tuple[str, bool, bool]


def traveller(
    found: list[Edge], when: set[int], then: set[int], fair: list[Group]
) -> Machine[Traveller]:
    """A machine whose action `go1(to)` goes along an edge of label 1, and so on."""
    machine = Machine("traveller", Traveller, "a traveller")

    def among(place: Places, nodes: set[int]) -> Bool:
        held = Bool(False)
        for node in sorted(nodes):
            held = held | (place == node)
        return held

    def along(label: int) -> Any:
        def go(s: Traveller, to: Places) -> None:
            """Go along an edge."""
            allowed = Bool(False)
            for source, target, of in found:
                if of == label:
                    allowed = allowed | ((s.at == source) & (to == target))
            needs(is_edge=allowed)
            s.at = to

        go.__name__ = f"go{label}"
        return go

    for label in range(3):
        machine.action()(along(label))

    @machine.eventually(
        broken_by="go0",
        fair=[entry + "(to)" * each for entry, each, strong in fair if not strong],
        strongly_fair=[entry + "(to)" * each for entry, each, strong in fair if strong],
    )
    def arrives(s: Traveller) -> Any:
        """The traveller arrives."""
        return leads_to(among(s.at, when), among(s.at, then))

    return machine


def test_random_machines_get_the_verdict_of_a_search_through_all_sets() -> None:
    verdicts = []
    for seed in range(80):
        choose = random.Random(seed)
        found = random_graph(choose, labels=3)
        size = max((t for _, t, _ in found), default=0) + 1
        when = {node for node in range(size) if choose.random() < 0.6}
        then = {node for node in range(size) if choose.random() < 0.25}
        fair = [
            (f"go{choose.randrange(3)}", choose.random() < 0.5, choose.random() < 0.5)
            for _ in range(choose.randint(0, 4))
        ]
        # The oracle tells edges apart by label and target, as `go1(to)` does.
        told_apart = [(s, t, 6 * label + t) for s, t, label in found]
        groups: list[tuple[set[int], bool]] = []
        for entry, each, strong in fair:
            labels = [6 * int(entry[-1]) + to for to in range(6)]
            groups += [({n}, strong) for n in labels] if each else [(set(labels), strong)]
        machine = traveller(found, when, then, fair)
        outcome = judged(machine, Scope("only", {}, "fixed sizes"), "arrives")
        assert outcome.holds != can_go_wrong(told_apart, when, then, groups)
        verdicts.append(outcome.holds)
    assert 15 < sum(verdicts) < 65


class Worker(Range):
    """Somebody who comes to the shop."""

    low, high = 0, Bound("workers") - 1


class Shop(Record):
    """Who waits, and whether the shop is open."""

    waiting: Set[Worker]
    is_open: Bool


def shop(fair: tuple[str, ...] = (), strongly_fair: tuple[str, ...] = ()) -> Machine[Shop]:
    """Workers come, and are served while the shop is open; it opens and closes as it likes."""
    machine = Machine("shop", Shop, "a shop")

    @machine.action()
    def come(s: Shop, worker: Worker) -> None:
        """Somebody comes."""
        needs(is_new=~s.waiting.has(worker))
        s.waiting |= set_of(worker)

    @machine.action()
    def turn_the_sign(s: Shop) -> None:
        """The shop opens or closes."""
        s.is_open = ~s.is_open

    @machine.action()
    def serve(s: Shop, worker: Worker) -> None:
        """Somebody is served and goes."""
        needs(is_waiting=s.waiting.has(worker), is_open=s.is_open)
        s.waiting -= set_of(worker)

    @machine.action()
    def look_around(s: Shop) -> None:
        """Nothing changes."""
        s.is_open = s.is_open

    @machine.mutant("serve")
    def close_the_door(s: Shop, worker: Worker) -> None:
        """Nobody is served: the shop closes instead."""
        needs(is_waiting=s.waiting.has(worker), is_open=s.is_open)
        s.is_open = Bool(False)

    @machine.eventually(fair=fair, strongly_fair=strongly_fair, broken_by="serve")
    def the_first_is_served(s: Shop) -> LeadsTo:
        """The first worker does not wait for ever."""
        waits = s.waiting.has(Worker(0))
        return leads_to(waits, ~waits)

    return machine


def served(machine: Machine[Shop], workers: int) -> Outcome:
    scope = Scope("by hand", {"workers": workers}, "by hand")
    return judged(machine, scope, "the_first_is_served")


def test_what_is_enabled_now_and_then_needs_strong_fairness() -> None:
    weak = served(shop(fair=("serve", "turn_the_sign")), 1)
    assert not weak.holds
    assert str(weak.trace) == (
        "1  initial state\n"
        "2  come(worker=0)\n"
        "       waiting: {} -> {0}\n"
        "and then for ever:\n"
        "3  turn_the_sign()\n"
        "       is_open: False -> True\n"
        "4  turn_the_sign()\n"
        "       is_open: True -> False\n"
        "and on as after 2"
    )
    assert served(shop(fair=("turn_the_sign",), strongly_fair=("serve",)), 1).holds


def test_without_fairness_nothing_need_happen() -> None:
    for machine in (shop(), shop(fair=("look_around",)), shop(strongly_fair=("serve",))):
        trace = served(machine, 1).trace
        assert trace is not None
        assert str(trace).splitlines()[1:] == [
            "2  come(worker=0)",
            "       waiting: {} -> {0}",
            "and then nothing more happens",
        ]


def test_fairness_of_an_action_may_be_had_by_others_and_that_of_each_argument_not() -> None:
    some = served(shop(fair=("turn_the_sign",), strongly_fair=("serve",)), 2)
    assert some.trace is not None
    forever = some.trace.actions[some.trace.loop :]
    assert "serve(worker=1)" in forever
    assert "serve(worker=0)" not in forever
    each = shop(fair=("turn_the_sign",), strongly_fair=("serve(worker)",))
    assert served(each, 2).holds
    assert not served(each.mutated("fair serve(worker)"), 2).holds
    assert not served(each.mutated("serve"), 2).holds


def test_a_mutant_of_an_action_is_as_fair_as_the_action() -> None:
    machine = shop(fair=("turn_the_sign",), strongly_fair=("serve(worker)",))
    trace = served(machine.mutated("close_the_door"), 1).trace
    assert trace is not None
    assert trace.actions[trace.loop :] == ["turn_the_sign()", "close_the_door(worker=0)"]
    assert trace.states[trace.loop] == trace.states[-1]


def test_a_goal_that_is_left_must_be_reached_again() -> None:
    machine = shop(fair=("turn_the_sign",))

    @machine.eventually(fair=["turn_the_sign"], broken_by="turn_the_sign")
    def the_shop_opens(s: Shop) -> Bool:
        """From every state on, the shop opens some time."""
        return s.is_open

    @machine.eventually(fair=["turn_the_sign"], broken_by="come")
    def everybody_has_come_and_gone(s: Shop) -> LeadsTo:
        """Never to be left: that nobody waits."""
        return leads_to(s.waiting == no_element(Worker), s.waiting != no_element(Worker))

    scope = Scope("by hand", {"workers": 1}, "by hand")
    assert judged(machine, scope, "the_shop_opens").holds
    trace = judged(machine, scope, "everybody_has_come_and_gone").trace
    assert trace is not None
    assert trace.actions == ["turn_the_sign()", "turn_the_sign()"]
    assert (trace.loop, len(trace)) == (0, 3)


CLAIMS = [(*key, name) for key in catalogue.MACHINES for name in catalogue.machine(*key).liveness]


@pytest.mark.parametrize(("model", "design", "name"), CLAIMS)
def test_each_liveness_claim_holds_and_its_mutant_breaks_it(
    model: str, design: str, name: str
) -> None:
    machine = catalogue.machine(model, design)
    claim = machine.liveness[name]
    scope = machine.scopes[claim.broken_at]
    assert judged(machine, scope, name).holds
    trace = judged(machine.mutated(claim.broken_by), scope, name).trace
    assert trace is not None
    assert trace.states[trace.loop] == trace.states[-1]
