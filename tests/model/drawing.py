"""What Hypothesis draws: random programs of the language, and states to run them in."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.model.programs import (
    CAPACITY,
    DOMAINS,
    MAPS,
    OPERATIONS,
    OPTIONS,
    PARAMETERS,
    PARTS,
    SETS,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Writer:
    """Draws programs; `names` are the values in reach, by kind, and `references` the records."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.names: dict[str, str] = {}
        self.references: list[str] = []
        self.made = itertools.count()

    def expression(self, kind: str, depth: int = 3) -> Any:
        """An expression of a kind."""
        options = [*self._leaves(kind)]
        if depth:
            options += [name for name, o in OPERATIONS.items() if o.result == kind]
            options += [("get", part) for part, (_, item) in MAPS.items() if item == kind]
            options += ["every", "exists"] if kind == "flag" else []
            options += ["largest", "smallest"] if kind in ("num", "low") else []
        match self.draw(st.sampled_from(options)):
            case ("get", part):
                return ("get", part, self.expression(MAPS[part][0], depth - 1))
            case ("every" | "exists" | "largest" | "smallest") as what:
                return self._quantified(what, kind, depth - 1)
            case str(name):
                arguments = OPERATIONS[name].arguments
                return (name, *(self.expression(a, depth - 1) for a in arguments))
            case leaf:
                return leaf

    def _leaves(self, kind: str) -> Any:
        if kind != "pair":
            yield ("read", kind)
        if kind in ("num", "low", "single"):
            yield from (("literal", kind, n) for n in (-2, 0, 3, 5))
        if kind in OPTIONS:
            yield ("nothing", kind)
        if kind in SETS:
            yield from (("empty", kind), ("all", kind))
        if kind == "pair":
            yield ("get", "by_id", ("read", "id"))
        yield from (("name", name) for name, of in self.names.items() if of == kind)
        for name in self.references:
            yield from (("follow", name, part) for part, of in PARTS.items() if of == kind)

    def _quantified(self, what: str, kind: str, depth: int) -> Any:
        rest = [self.expression(kind, depth)] if what in ("largest", "smallest") else []
        domain: Any = kind
        item = kind
        if not rest:
            item = domain = self.draw(st.sampled_from(("id", "low", "flag")))
            if self.draw(st.booleans()):
                domain = self.expression(next(s for s, i in SETS.items() if i == item), depth)
        name = f"v{next(self.made)}"
        self.names[name] = item
        claim = self.expression("flag", depth)
        del self.names[name]
        return (what, domain, name, claim, *rest)

    def statement(self) -> Any:
        """A statement; new names are in reach from here on."""
        what = self.draw(
            st.sampled_from(("assign", "store", "part", "append", "truncate", "keep", "refer"))
        )
        name = f"n{next(self.made)}"
        if what == "store":
            part = self.draw(st.sampled_from(sorted(MAPS)))
            return (what, part, *(self.expression(kind, 2) for kind in MAPS[part]))
        if what == "append":
            return (what, self.expression("pair"))
        if what == "truncate":
            return (what, self.expression("num"))
        if what == "keep":
            kind = self.draw(st.sampled_from((*DOMAINS, *OPTIONS)))
            kept = (what, name, self.expression(kind))
            self.names[name] = kind
            return kept
        if what == "refer":
            referred = (what, name, ("get", "by_id", self.expression("id", 2)))
            self.references.append(name)
            return referred
        if what == "part" and self.references:
            part = self.draw(st.sampled_from(sorted(PARTS)))
            of = self.draw(st.sampled_from(self.references))
            return ("part", of, part, self.expression(PARTS[part]))
        kind = self.draw(st.sampled_from((*DOMAINS, *OPTIONS, *SETS)))
        return ("assign", kind, self.expression(kind))


@st.composite
def programs(draw: Draw) -> tuple[list[Any], list[Any], Any]:
    """Guards, statements (the last one changes something), and a claim."""
    claim = Writer(draw).expression("flag", 4)
    writer = Writer(draw)
    writer.names.update(PARAMETERS)
    guards = [writer.expression("flag") for _ in range(draw(st.integers(0, 2)))]
    statements = [writer.statement() for _ in range(draw(st.integers(0, 4)))]
    return guards, [*statements, ("assign", "num", writer.expression("num"))], claim


@st.composite
def states(draw: Draw) -> dict[str, Any]:
    """A state in plain values."""

    def scalar(kind: str) -> Any:
        if kind in OPTIONS:
            item = st.sampled_from(DOMAINS[OPTIONS[kind]])
            return draw(st.none() | item.map(lambda v: (v,)))
        if kind in SETS:
            return frozenset(draw(st.sets(st.sampled_from(DOMAINS[SETS[kind]]))))
        return pair() if kind == "pair" else draw(st.sampled_from(DOMAINS[kind]))

    def pair() -> Any:
        return scalar("flag"), scalar("low")

    state = {kind: scalar(kind) for kind in (*DOMAINS, *OPTIONS, *SETS)}
    for name, (key, item) in MAPS.items():
        state[name] = {at: scalar(item) for at in DOMAINS[key]}
    state["log"] = tuple(pair() for _ in range(draw(st.integers(0, CAPACITY))))
    return state
