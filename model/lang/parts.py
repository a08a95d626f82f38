"""What a machine is made of, once it has been read: actions, claims, mutants, scopes. Plain data
for the readers; `machine` makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from model.lang.nodes import Node
from model.lang.terms import Term


@dataclass(frozen=True)
class Action:
    """One kind of step: for arguments that meet all guards, the state becomes `after`.

    A parameter that is drawn from a bag has a `Position` as its type; `drawn` has the element that
    stands there, and a guard `has_NAME` makes one step of equal elements. `function` is what the
    author wrote, to be read again for another state type.
    """

    name: str
    clauses: tuple[str, ...]
    summary: str
    parameters: dict[str, type[Term]]
    guards: dict[str, Node]
    after: Node
    drawn: dict[str, Node]
    bags: dict[str, Callable[..., Any]] = field(repr=False, compare=False)
    function: Callable[..., None] = field(repr=False, compare=False)


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
    broken_by: str | None
    broken_at: str
    function: Callable[..., Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Liveness:
    """A claim about behaviours: where `when` holds, `then` holds at that time or later.

    It is meant for the behaviours in which each entry of `fair`, once it can happen for ever, does
    happen, and each entry of `strongly_fair`, once it can happen again and again, does happen. An
    entry is an action (some instance of it), or `action(parameter, ...)`: each choice of these
    parameters by itself.
    """

    name: str
    clauses: tuple[str, ...]
    summary: str
    when: Node
    then: Node
    fair: tuple[str, ...]
    strongly_fair: tuple[str, ...]
    broken_by: str
    broken_at: str
    function: Callable[..., Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Mutant:
    """A wrong version of an action (`replaces`), or a wrong action besides."""

    name: str
    summary: str
    action: Action
    replaces: str | None


@dataclass(frozen=True)
class Scope:
    """How large the types are, why, and how many states there are (None where nobody counted them
    yet).

    >>> Scope("tiny", {"brokers": 2}, "small enough for slow readers").bounds
    {'brokers': 2}
    """

    name: str
    bounds: dict[str, int]
    why: str
    states: int | None = None
