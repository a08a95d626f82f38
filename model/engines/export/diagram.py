"""The states of a small machine and its steps as a picture: Mermaid or Graphviz text.

Decides which states are one node (those that agree in the chosen fields), what a node says, and
what is marked: where it begins, where a claim is broken, where nothing more can happen although
the run may not end there. What is too large to be looked at is refused, with what to choose.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from model.engines.kernels.plain import compile_moves, compile_watch
from model.engines.lowering.layout import LENGTH, Layout, Path
from model.engines.lowering.lower import Lowering
from model.engines.lowering.scalars import TRUE, negate
from model.lang.containers import Map, Record
from model.lang.machine import Machine
from model.lang.parts import Scope
from model.lang.places import ModelError

MOST = 100
# How far it looks for fields with few values, to say which ones to choose.
LOOKED_AT = 5_000


@dataclass
class Graph:
    """Nodes by number, with a text each; the first one has the initial state."""

    texts: list[str]
    edges: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    violated: dict[int, list[str]] = field(default_factory=dict)
    deadlocks: set[int] = field(default_factory=set)


def mermaid(
    machine: Machine[Any], scope: Scope, only: Collection[str] | None = None, most: int = MOST
) -> str:
    """The graph as a Mermaid `stateDiagram-v2`.

    `only` has the fields to draw, such as `group.phase`: states that agree in them are one node,
    and steps that change none of them are left out. More than `most` nodes are a ModelError.
    """
    graph = graph_of(machine, scope, only, most)
    lines = ["stateDiagram-v2"]
    for number, text in enumerate(graph.texts):
        shown = text.replace('"', "#quot;").replace("\n", "<br/>")
        lines.append(f'    state "{shown}" as s{number}')
    lines.append("    [*] --> s0")
    for (one, other), actions in graph.edges.items():
        lines.append(f"    s{one} --> s{other} : {'<br/>'.join(actions)}")
    for name, numbers, style in (
        ("violated", graph.violated, "stroke:#c00,stroke-width:4px"),
        ("deadlock", graph.deadlocks, "stroke-dasharray:6"),
    ):
        if numbers:
            marked = ",".join(f"s{number}" for number in sorted(numbers))
            lines += [f"    classDef {name} {style}", f"    class {marked} {name}"]
    return "\n".join(lines) + "\n"


def dot(
    machine: Machine[Any], scope: Scope, only: Collection[str] | None = None, most: int = MOST
) -> str:
    """The graph for Graphviz; the parameters are those of `mermaid`."""
    graph = graph_of(machine, scope, only, most)
    lines = [
        f'digraph "{machine.name}" {{',
        "    rankdir = LR",
        '    node [shape = box, style = rounded, fontname = "Helvetica", fontsize = 11]',
        '    edge [fontname = "Helvetica", fontsize = 9]',
        "    begin [shape = point]",
        "    begin -> s0",
    ]
    for number, text in enumerate(graph.texts):
        style = ""
        if number in graph.violated:
            broken = ", ".join(graph.violated[number])
            style = f', color = red, penwidth = 3, tooltip = "breaks {broken}"'
        if number in graph.deadlocks:
            style += ', peripheries = 2, xlabel = "deadlock"'
        lines.append(f'    s{number} [label = "{_escaped(text)}"{style}]')
    for (one, other), actions in graph.edges.items():
        lines.append(f'    s{one} -> s{other} [label = "{_escaped(chr(10).join(actions))}"]')
    return "\n".join([*lines, "}"]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def graph_of(
    machine: Machine[Any], scope: Scope, only: Collection[str] | None = None, most: int = MOST
) -> Graph:
    """The graph of all reachable states, merged where they agree in the fields `only`."""
    lowering = Lowering(machine, scope)
    chosen = _chosen(lowering.layout, only)
    walk = _Walk(lowering, chosen, len(chosen) == len(lowering.layout.slots))
    states = walk.expanded()
    for _ in states:
        if len(walk.nodes) > most:
            for _ in zip(range(LOOKED_AT), states, strict=False):
                pass  # Enough states to say which fields have few values.
            raise ModelError(_too_many(walk, scope, only, most))
    graph = walk.graph
    graph.texts = _texts(lowering.layout, walk.examples, chosen, bool(only))
    return graph


class _Walk:
    """The reachable states, breadth first, each counted to its node."""

    def __init__(self, lowering: Lowering, chosen: list[int], whole: bool) -> None:
        self.layout, self.chosen, self.whole = lowering.layout, chosen, whole
        self.steps = list(lowering.steps())
        self.moves = compile_moves(self.layout, self.steps)
        machine = lowering.machine
        claims = [p for p in machine.properties.values() if p.kind != "sometimes"]
        self.claims = [claim.name for claim in claims]
        may_end = lowering.truth(machine.may_end) if machine.may_end is not None else TRUE
        self.watch = compile_watch(
            self.layout, [*(negate(lowering.truth(c.holds)) for c in claims), may_end]
        )
        first = lowering.initial()
        self.known = {first: self._key(first)}
        self.nodes = {self.known[first]: 0}
        self.examples = [first]
        self.graph = Graph([])

    def expanded(self) -> Iterator[int]:
        """Each state, once the steps from it are known."""
        frontier = self.examples[:1]
        while frontier:
            following = []
            for state in frontier:
                here = self.nodes[self.known[state]]
                moves = self.moves(state)
                self._mark(state, here, bool(moves))
                for number, after in moves:
                    if after not in self.known:
                        self._enter(after)
                        following.append(after)
                    self._connect(here, self.nodes[self.known[after]], number)
                yield state
            frontier = following

    def _key(self, state: int) -> tuple[int, ...]:
        numbers = self.layout.unpack(state)
        return tuple(numbers[slot] for slot in self.chosen)

    def _enter(self, state: int) -> None:
        key = self.known[state] = self._key(state)
        if key not in self.nodes:
            self.nodes[key] = len(self.examples)
            self.examples.append(state)

    def _connect(self, one: int, other: int, step: int) -> None:
        if one != other or self.whole:
            actions = self.graph.edges.setdefault((one, other), [])
            name = self.steps[step].action.name
            if name not in actions:
                actions.append(name)

    def _mark(self, state: int, node: int, goes_on: bool) -> None:
        found = self.watch(state)
        for number in found:
            if number < len(self.claims):
                broken = self.graph.violated.setdefault(node, [])
                if self.claims[number] not in broken:
                    broken.append(self.claims[number])
        if not goes_on and len(self.claims) not in found:
            self.graph.deadlocks.add(node)


def _chosen(layout: Layout, only: Collection[str] | None) -> list[int]:
    """The slots of the chosen fields."""
    if not only:
        return list(range(len(layout.slots)))
    fields = [(name, tuple(name.split("."))) for name in only]
    known = _fields(layout.state)
    for name, path in fields:
        if path not in known:
            listed = ", ".join(".".join(path) for path in known)
            raise ModelError(f"there is no field {name!r} to draw; there is {listed}")
    return [
        index
        for index, slot in enumerate(layout.slots)
        if any(_names(slot.path)[: len(path)] == path for _, path in fields)
    ]


def _names(path: Path) -> tuple[str, ...]:
    """The names of the fields on a path, without keys and indices."""
    return tuple(step for step in path if isinstance(step, str) and step != LENGTH)


def _fields(of: type[Any]) -> list[tuple[str, ...]]:
    """The names by which the fields of a state can be chosen, records inside them included."""
    found: list[tuple[str, ...]] = []
    if issubclass(of, Record):
        for name, part in of.fields().items():
            inner: type[Any] = part
            while issubclass(inner, Map):
                inner = inner.item
            found += [(name,), *((name, *rest) for rest in _fields(inner))]
    return found


def _texts(layout: Layout, examples: list[int], chosen: list[int], all_chosen: bool) -> list[str]:
    """What each node says: the chosen parts, or else the parts in which nodes differ."""
    wanted = {_names(layout.slots[slot].path) for slot in chosen}
    shown = [layout.show(state) for state in examples]
    names = [name for name in shown[0] if _is_in(name, wanted)]
    if not all_chosen:
        names = [n for n in names if len({text[n] for text in shown}) > 1] or names
    if len(names) == 1 and all_chosen:
        return [text[names[0]] for text in shown]
    return ["\n".join(f"{name} = {text[name]}" for name in names) for text in shown]


def _is_in(name: str, wanted: set[tuple[str, ...]]) -> bool:
    path = tuple(part.split("[")[0] for part in name.split("."))
    return any(names[: len(path)] == path for names in wanted)


def _too_many(walk: _Walk, scope: Scope, only: Collection[str] | None, most: int) -> str:
    """What to choose instead: the fields with the fewest values, as far as it has looked."""
    unpacked = [walk.layout.unpack(state) for state in walk.known]
    counts = {}
    for path in _fields(walk.layout.state):
        slots = _chosen(walk.layout, [".".join(path)])
        values = {tuple(numbers[slot] for slot in slots) for numbers in unpacked}
        if 1 < len(values) <= most:
            counts[".".join(path)] = len(values)
    fewest = sorted(counts, key=lambda name: counts[name])[:8]
    what = "the chosen fields have" if only else f"the scope {scope.name} has"
    choices = ", ".join(f"{name} ({counts[name]})" for name in fewest)
    return (
        f"a picture of more than {most} nodes cannot be read: {what} more; choose fields with few "
        f"values to draw only them, such as {choices or 'smaller bounds'}"
    )
