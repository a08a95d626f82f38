"""A machine: a state, the actions that change it, and the claims about it.

This file decides how a machine is written down and what is refused while it is: wrong clause ids,
two things of one name, a guard after an update, a property without a mutant. It refuses to know
how any reader works.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, get_type_hints

from model.lang.containers import Map, Record, Seq, Set
from model.lang.nodes import Node, node
from model.lang.places import ModelError, Place, Trace, current_trace, open_traces
from model.lang.terms import Bool, Option, Range, Sort, Term

S = TypeVar("S", bound=Record)
CLAUSE = re.compile(r"[A-Z]{4}-\d\d")


@dataclass(frozen=True)
class Action:
    """One kind of step: for arguments that meet all guards, the state becomes `after`."""

    name: str
    clauses: tuple[str, ...]
    summary: str
    parameters: dict[str, type[Term]]
    guards: dict[str, Node]
    after: Node


@dataclass(frozen=True)
class Property:
    """A claim about states. `kind` is always (must hold), sometimes (must be reached) or lemma
    (for proofs).
    """

    name: str
    kind: str
    clauses: tuple[str, ...]
    summary: str
    holds: Node
    broken_by: str | None = None
    broken_at: str = "default"


@dataclass(frozen=True)
class Scope:
    """How large the types are, why, and how many states there are (None where nobody counted them
    yet).
    """

    name: str
    bounds: dict[str, int]
    why: str
    states: int | None = None


@dataclass
class Machine(Generic[S]):
    """A protocol, or what one may observe of it, as states and steps.

    `breaks` names the properties that this machine is known to break, with the length of the
    shortest counterexample in states at the default scope: for designs of the past.
    """

    name: str
    state: type[S]
    title: str
    design: str = "current"
    breaks: dict[str, int] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    proofs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    start: Node | None = None

    def __post_init__(self) -> None:
        _require_complete(self.state, self.state.__name__)

    def initial(self, function: Callable[[S], None]) -> Callable[[S], None]:
        """Decorate the function that makes the first state; what it does not assign is the
        default.
        """
        default = node("default", self.state)
        what = f"initial state {function.__name__}"
        trace = _run(what, default, True, False, self.state, function, {})
        self.start = trace.state
        return function

    def action(self, *clauses: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Decorate an action `(state, parameters...)`: first `needs(...)`, then assignments.

        What is not assigned stays as it is. An action of a name that exists replaces it: that is
        how a variant differs from its base.
        """
        _check_clauses(clauses)

        def define(function: Callable[..., None]) -> Callable[..., None]:
            what = f"action {function.__name__}"
            parameters = _parameters(function, what)
            before = node("state", self.state)
            trace = _run(what, before, True, True, self.state, function, parameters)
            if not trace.updated:
                raise ModelError(f"{what} changes nothing: assign something, or drop it")
            self.actions[function.__name__] = Action(
                function.__name__,
                clauses,
                _summary(function),
                parameters,
                trace.guards,
                trace.state,
            )
            return function

        return define

    def always(
        self, *clauses: str, broken_by: str, broken_at: str = "default"
    ) -> Callable[[Callable[[S], Bool]], Callable[[S], Bool]]:
        """Decorate a claim about every reachable state.

        `broken_by` names the guard `action.guard` without which the claim fails, at the scope
        `broken_at`; a claim that nothing can break says nothing.
        """
        return self._property("always", clauses, broken_by, broken_at)

    def sometimes(self, *clauses: str) -> Callable[[Callable[[S], Bool]], Callable[[S], Bool]]:
        """Decorate a claim that some reachable state meets: the witness that the model is not
        empty.
        """
        return self._property("sometimes", clauses)

    def lemma(self, function: Callable[[S], Bool]) -> Callable[[S], Bool]:
        """Decorate a claim that proofs use; it is checked on every state like `always`."""
        return self._property("lemma", ())(function)

    def proof(self, goal: str, by: Iterable[str] = ()) -> None:
        """State that the lemmas `by`, together with the goal, are inductive: true in runs of any
        length.
        """
        for name in (goal, *by):
            if name not in self.properties or self.properties[name].kind == "sometimes":
                raise ModelError(
                    f"the proof of {goal} names {name!r}, which is no claim of {self.name}"
                )
        self.proofs[goal] = tuple(by)

    def scope(self, name: str, why: str, states: int | None = None, **bounds: int) -> None:
        """Name a size, the reason for it, and the exact number of its distinct states."""
        self.scopes[name] = Scope(name, bounds, why, states)

    def variant(
        self, design: str, title: str, without: Iterable[str] = (), **breaks: int
    ) -> Machine[S]:
        """A machine that starts as this one, without some actions; new ones of the same name
        replace old ones.

        Keyword arguments name the properties it is known to break and the shortest length in
        states.
        """
        for name in without:
            if name not in self.actions:
                raise ModelError(f"{self.name} has no action {name!r} to leave out")
        kept = {name: action for name, action in self.actions.items() if name not in set(without)}
        properties = {k: p for k, p in self.properties.items() if p.kind == "always"}
        scopes = {k: replace(s, states=None) for k, s in self.scopes.items()}
        return Machine(
            self.name, self.state, title, design, breaks, kept, properties, scopes, {}, self.start
        )

    def without_guard(self, dropped: str) -> Machine[S]:
        """The mutant in which one guard, named `action.guard`, is missing."""
        action_name, _, guard = dropped.partition(".")
        action = self.actions.get(action_name)
        if action is None or guard not in action.guards:
            raise ModelError(f"{self.name} has no guard {dropped!r}")
        guards = {name: g for name, g in action.guards.items() if name != guard}
        actions = {**self.actions, action_name: replace(action, guards=guards)}
        return replace(self, design=f"{self.design} without {dropped}", actions=actions)

    def _property(
        self,
        kind: str,
        clauses: tuple[str, ...],
        broken_by: str | None = None,
        broken_at: str = "default",
    ) -> Callable[[Callable[[S], Bool]], Callable[[S], Bool]]:
        _check_clauses(clauses)

        def define(function: Callable[[S], Bool]) -> Callable[[S], Bool]:
            name = function.__name__
            if name in self.properties:
                raise ModelError(f"{self.name} has two properties named {name!r}")
            claims: list[Node] = []
            what = f"property {name}"

            def body(state: S) -> None:
                claims.append(Bool.literal(function(state)))

            _run(what, node("state", self.state), False, False, self.state, body, {})
            self.properties[name] = Property(
                name, kind, clauses, _summary(function), claims[0], broken_by, broken_at
            )
            return function

        return define


def needs(**guards: Bool) -> None:
    """The guards of an action, by name: the step happens only where all of them hold."""
    trace = current_trace("needs()")
    if not trace.may_guard:
        raise ModelError("needs() is for actions: a claim is what a property returns")
    if trace.updated:
        raise ModelError("needs() stands before the first assignment")
    for name, guard in guards.items():
        if name in trace.guards:
            raise ModelError(f"there are two guards named {name!r}")
        trace.guards[name] = Bool.literal(guard)


def _run(
    what: str,
    before: Node,
    may_update: bool,
    may_guard: bool,
    state: type[S],
    function: Callable[..., None],
    parameters: dict[str, type[Term]],
) -> Trace:
    """Run a function once with terms for its arguments, and keep what it said."""
    trace = Trace(what, before, may_update, may_guard)
    open_traces().append(trace)
    try:
        arguments = [of.of_node(node("parameter", of, data=n)) for n, of in parameters.items()]
        function(state.at_place(Place(trace)), *arguments)
    except ModelError as error:
        raise ModelError(f"{what}: {error}") from None
    finally:
        open_traces().pop()
    return trace


SIZES: dict[type[Term], tuple[str, ...]] = {
    Sort: ("size",),
    Range: ("low", "high"),
    Option: ("item",),
    Set: ("item",),
    Seq: ("item", "capacity"),
    Map: ("key", "item"),
}


def _require_complete(of: Any, where: str) -> None:
    """Every type that a state is made of says what it is made of, and how large it is."""
    if not (isinstance(of, type) and issubclass(of, Term)):
        raise ModelError(f"{where}: {of!r} is not a type of the language")
    for base, needed in SIZES.items():
        for name in needed if issubclass(of, base) else ():
            if not hasattr(of, name):
                raise ModelError(f"{where}: {of.__name__} does not say its {name}")
    if issubclass(of, Record):
        for name, part in of.fields().items():
            _require_complete(part, f"{where}.{name}")
    elif issubclass(of, Map | Seq | Set | Option):
        for part in (getattr(of, "key", Bool), of.item):
            _require_complete(part, where)


def _parameters(function: Callable[..., None], what: str) -> dict[str, type[Term]]:
    names = list(inspect.signature(function).parameters)[1:]
    hints: dict[str, Any] = get_type_hints(function)
    for name in names:
        of = hints.get(name)
        if not (isinstance(of, type) and issubclass(of, Sort | Range | Bool)):
            raise ModelError(
                f"{what}: the parameter {name} needs a Sort, a Range or Bool as its type"
            )
        _require_complete(of, f"{what}: the parameter {name}")
    return {name: hints[name] for name in names}


def _summary(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function)
    if not text:
        raise ModelError(
            f"{function.__name__} has no docstring: say in one sentence what it means"
        )
    return " ".join(text.split("\n\n")[0].split())


def _check_clauses(clauses: tuple[str, ...]) -> None:
    for clause in clauses:
        if not CLAUSE.fullmatch(clause):
            raise ModelError(f"{clause!r} is not a clause id such as REPL-04")
