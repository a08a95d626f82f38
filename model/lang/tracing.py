"""How the functions of a model are read: each runs once, with terms for its arguments.

Decides what is refused while that happens: types that do not say how large they are, parameters
without a type, a function without a sentence on what it means.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, get_type_hints

from model.lang.containers import Bag, Map, Position, Record, Seq, Set
from model.lang.nodes import Node, node
from model.lang.parts import Action
from model.lang.places import ModelError, Place, Trace, open_traces
from model.lang.terms import Bool, Enum, Option, Range, Sort, Term

CLAUSE = re.compile(r"[A-Z]{4}-\d\d")
SIZES: dict[type[Term], tuple[str, ...]] = {
    Sort: ("size",),
    Range: ("low", "high"),
    Option: ("item",),
    Set: ("item",),
    Seq: ("item", "capacity"),
    Bag: ("item", "capacity"),
    Map: ("key", "item"),
}


def read_value(
    what: str, state: type[Record], function: Callable[..., Any], of: type[Term]
) -> Node:
    """The value that a function of a state returns."""
    values: list[Node] = []

    def body(s: Any) -> None:
        values.append(of.literal(function(s)))

    _run(what, node("state", state), False, False, state, body, {})
    return values[0]


def read_start(state: type[Record], function: Callable[..., None]) -> Node:
    """The first state: the defaults, and what the function assigns."""
    what = f"initial state {function.__name__}"
    return _run(what, node("default", state), True, False, state, function, {}).state


def read_action(
    state: type[Record],
    function: Callable[..., None],
    clauses: tuple[str, ...],
    bags: dict[str, Callable[..., Any]],
) -> Action:
    """An action: its guards, and the state after it; `bags` has what parameters are drawn from."""
    what = f"action {function.__name__}"
    before = node("state", state)
    terms: dict[str, Term] = {}
    parameters: dict[str, type[Term]] = {}
    guards: dict[str, Node] = {}
    drawn: dict[str, Node] = {}
    hints = _hints(function)
    for name in bags.keys() - hints.keys():
        raise ModelError(f"{what} has no parameter {name!r} to draw from a bag")
    for name, of in hints.items():
        if name in bags:
            position, element, there = _drawn(what, state, name, of, bags[name])
            parameters[name], terms[name] = type(position), element
            guards[f"has_{name}"], drawn[name] = there, element.node
        else:
            parameters[name] = _scalar_parameter(what, name, of)
            terms[name] = of.of_node(node("parameter", of, data=name))
    trace = _run(what, before, True, True, state, function, terms)
    if not trace.updated:
        raise ModelError(f"{what} changes nothing: assign something, or drop it")
    for name in guards.keys() & trace.guards.keys():
        raise ModelError(f"{what}: the guard {name!r} is there already: it is drawn from a bag")
    guards |= trace.guards
    summary = summary_of(function)
    return Action(
        function.__name__, clauses, summary, parameters, guards, trace.state, drawn, bags, function
    )


def read_updates(state: type[Record], function: Callable[..., None], action: Action) -> Node:
    """The state after a function with the parameters of an action that only updates."""
    hints = _hints(function)
    if hints.keys() != action.parameters.keys():
        raise ModelError(
            f"addition {function.__name__}: the parameters must be those of {action.name}: "
            f"{', '.join(action.parameters)}"
        )
    terms: dict[str, Term] = {}
    for name, of in hints.items():
        at = action.drawn.get(name) or node("parameter", of, data=name)
        terms[name] = of.of_node(at)
    what = f"addition {function.__name__}"
    return _run(what, node("state", state), True, False, state, function, terms).state


def _run(
    what: str,
    before: Node,
    may_update: bool,
    may_guard: bool,
    state: type[Record],
    function: Callable[..., None],
    arguments: dict[str, Term],
) -> Trace:
    """Run a function once with terms for its arguments, and keep what it said."""
    trace = Trace(what, before, may_update, may_guard)
    open_traces().append(trace)
    try:
        function(state.at_place(Place(trace)), **arguments)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from None
    finally:
        open_traces().pop()
    return trace


def _hints(function: Callable[..., None]) -> dict[str, Any]:
    names = list(inspect.signature(function).parameters)[1:]
    hints: dict[str, Any] = get_type_hints(function)
    return {name: hints.get(name) for name in names}


def _scalar_parameter(what: str, name: str, of: Any) -> type[Term]:
    if not (isinstance(of, type) and issubclass(of, Sort | Range | Enum | Bool)):
        raise ModelError(
            f"{what}: the parameter {name} needs a Sort, a Range, an Enum or Bool as its type; a "
            f"record is drawn from a bag: `@machine.action(..., {name}=lambda s: s.network)`"
        )
    require_complete(of, f"{what}: the parameter {name}")
    return of


def _drawn(
    what: str, state: type[Record], name: str, of: Any, source: Callable[..., Any]
) -> tuple[Position, Record, Node]:
    """A parameter that is drawn from a bag: its position, the element there, and that it is
    there; of equal elements, which stand side by side, only the first is.
    """
    taken: list[tuple[Position, Record, Node]] = []

    def body(s: Any) -> None:
        bag = source(s)
        if not isinstance(bag, Bag) or bag.item is not of:
            raise ModelError(f"the parameter {name} must be drawn from a bag of its type")
        kind = bag.position()
        position = kind.of_node(node("parameter", kind, data=name))
        element: Any = bag.element(position)
        one_before: Any = bag.element(position - 1)
        first = (position == 0) | (one_before != element)
        taken.append((position, element, ((position < bag.size) & first).node))

    _run(what, node("state", state), False, False, state, body, {})
    return taken[0]


def require_complete(of: Any, where: str) -> None:
    """Every type that a state is made of says what it is made of, and how large it is."""
    if not (isinstance(of, type) and issubclass(of, Term)):
        raise ModelError(f"{where}: {of!r} is not a type of the language")
    for base, needed in SIZES.items():
        for name in needed if issubclass(of, base) else ():
            if not hasattr(of, name):
                raise ModelError(f"{where}: {of.__name__} does not say its {name}")
    if issubclass(of, Record):
        for name, part in of.fields().items():
            require_complete(part, f"{where}.{name}")
    elif issubclass(of, Map | Seq | Set | Bag | Option):
        for part in (getattr(of, "key", Bool), of.item):
            require_complete(part, where)


def summary_of(function: Callable[..., Any]) -> str:
    """The first paragraph of the docstring, which must be there."""
    text = inspect.getdoc(function)
    if not text:
        raise ModelError(
            f"{function.__name__} has no docstring: say in one sentence what it means"
        )
    return " ".join(text.split("\n\n")[0].split())


def check_clauses(clauses: tuple[str, ...]) -> None:
    """Refuse what is not the id of a clause."""
    for clause in clauses:
        if not CLAUSE.fullmatch(clause):
            raise ModelError(f"{clause!r} is not a clause id such as REPL-04")
