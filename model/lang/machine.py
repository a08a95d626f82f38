"""A machine: a state, the actions that change it, and the claims about it.

This file decides how a machine is written down and what is refused while it is: wrong clause ids,
two things of one name, a guard after an update, a property without a mutant. It refuses to know
how any reader works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from model.lang.containers import Record
from model.lang.nodes import Node, node
from model.lang.parts import Action, Liveness, Mutant, Property, Scope
from model.lang.places import ModelError, current_trace
from model.lang.terms import Bool, Bound
from model.lang.tracing import (
    check_clauses,
    read_action,
    read_start,
    read_updates,
    read_value,
    require_complete,
    summary_of,
)

S = TypeVar("S", bound=Record)
G = TypeVar("G", bound=Record)
C = TypeVar("C", bound=Record)
ActionFunction = Callable[..., None]
Claim = Callable[[S], Bool]


@dataclass
class Machine(Generic[S]):
    """A protocol, or what one may observe of it, as states and steps.

    Without a function for the first state (`initial`), every part of it begins as the default of
    its type: the first of an enum, the lowest number, false, none, empty.

    `breaks` names the properties that this machine is known to break, with the length of the
    shortest counterexample in states at the default scope: for designs of the past.

    >>> door = Machine("door", Door, "a door")
    >>> @door.action()
    ... def opens(s: Door) -> None:
    ...     '''It opens, whether it is open or not.'''
    ...     s.is_open = Bool(True)
    >>> door.scope("default", why="there is nothing to choose", states=2)
    >>> explore(door, door.scopes["default"]).distinct
    2
    """

    name: str
    state: type[S]
    title: str
    design: str = "current"
    breaks: dict[str, int] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)
    liveness: dict[str, Liveness] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    proofs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mutants: dict[str, Mutant] = field(default_factory=dict)
    refinements: dict[str, Refinement] = field(default_factory=dict)
    start: Node | None = None
    may_end: Node | None = None
    start_function: Callable[..., None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_complete(self.state, self.state.__name__)
        self.start = self.start or node("default", self.state)

    # The state and its steps.

    def initial(self, function: Callable[[S], None]) -> Callable[[S], None]:
        """Decorate the function that makes the first state; what it does not assign is the
        default.
        """
        self.start, self.start_function = read_start(self.state, function), function
        return function

    def action(
        self, *clauses: str, **bags: Callable[[S], Any]
    ) -> Callable[[ActionFunction], ActionFunction]:
        """Decorate an action `(state, parameters...)`: first `needs(...)`, then assignments.

        What is not assigned stays as it is. A keyword says from which bag a parameter is drawn:
        `request=lambda s: s.network`. An action of a name that exists replaces it: that is how a
        variant differs from its base.
        """
        check_clauses(clauses)

        def define(function: ActionFunction) -> ActionFunction:
            self.actions[function.__name__] = read_action(self.state, function, clauses, bags)
            return function

        return define

    def ends(self, function: Claim[S]) -> Claim[S]:
        """Decorate the claim of the states in which a run may end; any other state without a step
        is then a deadlock.
        """
        self.may_end = self._claim(function)
        return function

    # Claims.

    def always(
        self, *clauses: str, broken_by: str, broken_at: str = "default"
    ) -> Callable[[Claim[S]], Claim[S]]:
        """Decorate a claim about every reachable state.

        `broken_by` names a mutant (see `mutated`) in which the claim fails, at the scope
        `broken_at`; a claim that nothing can break says nothing.
        """
        return self._property("always", clauses, broken_by, broken_at)

    def sometimes(self, *clauses: str) -> Callable[[Claim[S]], Claim[S]]:
        """Decorate a claim that some reachable state meets: the witness that the model is not
        empty.
        """
        return self._property("sometimes", clauses)

    def lemma(self, function: Claim[S]) -> Claim[S]:
        """Decorate a claim that proofs use; it is checked on every state like `always`."""
        return self._property("lemma", ())(function)

    def eventually(
        self,
        *clauses: str,
        broken_by: str,
        fair: Iterable[str] = (),
        strongly_fair: Iterable[str] = (),
        broken_at: str = "default",
    ) -> Callable[[Callable[[S], Bool | LeadsTo]], Callable[[S], Bool | LeadsTo]]:
        """Decorate a claim that is reached, sooner or later, from every state, or `leads_to(when,
        then)`.

        `fair` and `strongly_fair` say of which actions it is assumed that they do not wait for
        ever; see `Liveness`.
        """
        check_clauses(clauses)
        assumed = tuple(fair), tuple(strongly_fair)

        def define(function: Callable[[S], Bool | LeadsTo]) -> Callable[[S], Bool | LeadsTo]:
            name = function.__name__
            self._require_new(name)
            for entry in (*assumed[0], *assumed[1]):
                self._require_fairness(entry)
            when = self._claim(lambda s: _leading(function(s)).when, name)
            then = self._claim(lambda s: _leading(function(s)).then, name)
            self.liveness[name] = Liveness(
                name, clauses, summary_of(function), when, then, *assumed, broken_by, broken_at,
                function,
            )  # fmt: skip
            return function

        return define

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

    def refines(
        self, contract: Machine[C], **bounds: int | Bound
    ) -> Callable[[Callable[[S], C]], Callable[[S], C]]:
        """Decorate the function that says which state of the contract one sees in a state.

        Keywords give those bounds of the contract that this machine knows by another name.
        """

        def define(function: Callable[[S], C]) -> Callable[[S], C]:
            what = f"refinement {function.__name__}"
            seen_as = read_value(what, self.state, function, contract.state)
            self.refinements[contract.name] = Refinement(
                contract, function.__name__, summary_of(function), seen_as, bounds, function
            )
            return function

        return define

    def scope(self, name: str, why: str, states: int | None = None, **bounds: int) -> None:
        """Name a size, the reason for it, and the exact number of its distinct states."""
        self.scopes[name] = Scope(name, bounds, why, states)

    # Machines made of this one.

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
        return replace(
            self,
            title=title,
            design=design,
            breaks=breaks,
            actions={n: a for n, a in self.actions.items() if n not in set(without)},
            properties={k: p for k, p in self.properties.items() if p.kind == "always"},
            scopes={k: replace(s, states=None) for k, s in self.scopes.items()},
            liveness={},
            mutants={},
            proofs={},
            refinements=dict(self.refinements),
        )

    def mutant(
        self, replaces: str | None = None, **bags: Callable[[S], Any]
    ) -> Callable[[ActionFunction], ActionFunction]:
        """Decorate a wrong version of an action, or a wrong action that is added."""

        def define(function: ActionFunction) -> ActionFunction:
            name = function.__name__
            if replaces is not None and replaces not in self.actions:
                raise ModelError(f"mutant {name}: {self.name} has no action {replaces!r}")
            if name in self.mutants or name in self.actions:
                raise ModelError(f"{self.name} has two things named {name!r}")
            drawn = bags or (self.actions[replaces].bags if replaces else {})
            action = read_action(self.state, function, (), drawn)
            self.mutants[name] = Mutant(name, action.summary, action, replaces)
            return function

        return define

    def mutated(self, what: str) -> Machine[S]:
        """The machine with one thing broken: a guard `action.guard` that is missing, an action
        that is missing, one of the mutants, or `fair ENTRY`: an assumption that is not made.
        """
        actions, liveness = dict(self.actions), self.liveness
        action, _, guard = what.partition(".")
        if what.startswith("fair "):
            liveness = self._without_fairness(what.removeprefix("fair "))
        elif what in self.mutants:
            mutant = self.mutants[what]
            if mutant.replaces:
                del actions[mutant.replaces]
            actions[what] = mutant.action
        elif action in actions and not guard:
            del actions[action]
        elif action in actions and guard in actions[action].guards:
            kept = {n: g for n, g in actions[action].guards.items() if n != guard}
            actions[action] = replace(actions[action], guards=kept)
        else:
            raise ModelError(f"{self.name} has no guard, action, mutant or fairness {what!r}")
        design = f"{self.design}, broken: {what}"
        return replace(self, design=design, actions=actions, liveness=liveness)

    def extended(self, state: type[G]) -> Machine[G]:
        """The same machine over a state with more fields, read again: for ghosts, which only
        proofs need. Say with `also` how the new fields change.
        """
        if self.state not in state.__mro__:
            raise ModelError(f"{state.__name__} does not extend {self.state.__name__}")
        larger: Machine[G] = Machine(self.name, state, self.title, self.design, dict(self.breaks))
        if self.start_function:
            larger.initial(self.start_function)
        for action in self.actions.values():
            larger.action(*action.clauses, **action.bags)(action.function)
        for claim in self.properties.values():
            define = larger._property(claim.kind, claim.clauses, claim.broken_by, claim.broken_at)
            define(claim.function)
        larger.scopes = {k: replace(s, states=None) for k, s in self.scopes.items()}
        return larger

    def also(self, action: str) -> Callable[[ActionFunction], ActionFunction]:
        """Decorate what an action does to the fields that it does not know, seen from the state
        before it.
        """
        if action not in self.actions:
            raise ModelError(f"{self.name} has no action {action!r} to add to")

        def define(function: ActionFunction) -> ActionFunction:
            known = self.actions[action]
            after = _added(known.after, read_updates(self.state, function, known), function)
            self.actions[action] = replace(known, after=after)
            return function

        return define

    def _claim(self, function: Claim[S], name: str = "") -> Node:
        return read_value(f"property {name or function.__name__}", self.state, function, Bool)

    def _require_new(self, name: str) -> None:
        if name in self.properties or name in self.liveness:
            raise ModelError(f"{self.name} has two properties named {name!r}")

    def _property(
        self,
        kind: str,
        clauses: tuple[str, ...],
        broken_by: str | None = None,
        broken_at: str = "default",
    ) -> Callable[[Claim[S]], Claim[S]]:
        check_clauses(clauses)

        def define(function: Claim[S]) -> Claim[S]:
            name = function.__name__
            self._require_new(name)
            holds, summary = self._claim(function), summary_of(function)
            self.properties[name] = Property(
                name, kind, clauses, summary, holds, broken_by, broken_at, function
            )
            return function

        return define

    def _require_fairness(self, entry: str) -> None:
        name, _, rest = entry.partition("(")
        action = self.actions.get(name)
        if action is None:
            raise ModelError(f"fairness of {entry!r}: {self.name} has no such action")
        for parameter in filter(None, (p.strip() for p in rest.rstrip(")").split(","))):
            if parameter not in action.parameters or parameter in action.drawn:
                raise ModelError(f"fairness of {entry!r}: {name} has no parameter {parameter!r}")

    def _without_fairness(self, entry: str) -> dict[str, Liveness]:
        found = {
            name: replace(
                claim,
                fair=tuple(e for e in claim.fair if e != entry),
                strongly_fair=tuple(e for e in claim.strongly_fair if e != entry),
            )
            for name, claim in self.liveness.items()
        }
        if found == self.liveness:
            raise ModelError(f"no claim of {self.name} assumes the fairness of {entry!r}")
        return found


@dataclass(frozen=True)
class Refinement:
    """A machine implements a contract: `seen_as` is the state of the contract that a client may
    take for the machine's. `bounds` are those of the contract, in terms of the machine's.
    """

    contract: Machine[Any]
    name: str
    summary: str
    seen_as: Node
    bounds: dict[str, int | Bound]
    function: Callable[..., Any] = field(repr=False, compare=False)

    def contract_scope(self, scope: Scope) -> Scope:
        """The scope of the contract that belongs to a scope of the machine."""
        own = {
            name: bound.at(scope.bounds) if isinstance(bound, Bound) else bound
            for name, bound in self.bounds.items()
        }
        return Scope(scope.name, {**scope.bounds, **own}, f"as seen from {scope.name}")


@dataclass(frozen=True)
class LeadsTo:
    """What `leads_to` says; the type of what a function under `eventually` returns.

    >>> leads_to(Bool(True), Bool(False)).when is not None
    True
    """

    when: Bool
    then: Bool


def leads_to(when: Bool, then: Bool) -> LeadsTo:
    """For `eventually`: whenever the first holds, the second holds at that time or later.

    >>> claim = leads_to(Bool(True), Bool(False))
    >>> type(claim).__name__
    'LeadsTo'
    """
    return LeadsTo(when, then)


def _leading(claim: Bool | LeadsTo) -> LeadsTo:
    return claim if isinstance(claim, LeadsTo) else LeadsTo(Bool(True), claim)


def _added(after: Node, changed: Node, function: ActionFunction) -> Node:
    """The state after an action, with the fields that an addition changed."""
    of, before = after.type, node("state", after.type)
    for name, part in of.fields().items():
        old = node("field", part, before, data=name)
        new = node("field", part, changed, data=name)
        if new is old:
            continue
        if node("field", part, after, data=name) is not old:
            raise ModelError(f"addition {function.__name__} changes {name}, as the action does")
        after = node("with_field", of, after, new, data=name)
    return after


def needs(**guards: Bool) -> None:
    """The guards of an action, by name: the step happens only where all of them hold.

    >>> door = Machine("door", Door, "a door")
    >>> @door.action()
    ... def opens(s: Door) -> None:
    ...     '''It opens.'''
    ...     needs(is_closed=~s.is_open)
    ...     s.is_open = Bool(True)
    >>> list(door.actions["opens"].guards)
    ['is_closed']
    """
    trace = current_trace("needs()")
    if not trace.may_guard:
        raise ModelError("needs() is for actions: a claim is what a property returns")
    if trace.updated:
        raise ModelError("needs() stands before the first assignment")
    for name, guard in guards.items():
        if name in trace.guards:
            raise ModelError(f"there are two guards named {name!r}")
        trace.guards[name] = Bool.literal(guard)
