"""What a check is, how it is chosen, and what it may conclude.

A check is a plain blocking function that demands one thing of a broker:

    @check("ACKS-02", apis=("Produce",))
    def acks_zero_is_not_answered(session: Session) -> None:
        \"\"\"Produce with acks=0 gets no response, and the connection stays in step.\"\"\"

It is shown and selected as `ACKS-02/acks_zero_is_not_answered`; any prefix that ends at a dash, a
slash or the end selects (`ACKS`, `ACKS-02`, the full id). Its name is the behaviour that it
demands, its docstring the same in one sentence, and its clause stands in the decorator alone.

A check that returns has passed; otherwise it leaves by one of the exceptions of `verdict.py`,
mostly raised for it by the session.

This file knows nothing of sockets, reports or targets.
"""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from spec.clauses import LEVELS, Clause

if TYPE_CHECKING:
    from conformance.session import Session

NEEDS = ("cluster", "config", "controller", "faults", "kill", "restart")
"""What a check may ask of a target beyond an address: several brokers; broker settings of its own
choice; the listener on which controllers answer brokers; nodes of a cluster that can be paused,
killed, stopped and started one by one; a crash; a clean restart that keeps the data."""
HARMFUL = frozenset({"controller", "faults", "kill", "restart"})
"""Needs of checks that run by themselves, for others would notice."""


class SelectionError(ValueError):
    """The user named checks that do not exist; the argument is a sentence for the user."""


@dataclass(frozen=True)
class Api:
    """An API that a check uses, with the versions that serve it, in Kafka's notation.

    >>> Api.parse("Fetch 4-12")
    Api(name='Fetch', lowest=4, highest=12)
    >>> Api.parse("Produce 9+").lowest, Api.parse("ListOffsets 0").highest
    (9, 0)
    """

    name: str
    lowest: int = 0
    highest: int = 2**15 - 1

    @staticmethod
    def parse(text: str) -> "Api":
        """Read `NAME`, `NAME 3`, `NAME 3+` or `NAME 3-8`; ValueError otherwise."""
        match = re.fullmatch(
            r"(?P<name>[A-Z]\w+)( (?P<low>\d+)(?P<rest>\+|-(?P<high>\d+))?)?", text
        )
        if not match:
            raise ValueError(
                f"{text!r} is no API; write 'Fetch', 'Fetch 4', 'Fetch 4+' or 'Fetch 4-12'"
            )
        if match["low"] is None:
            return Api(match["name"])
        low = int(match["low"])
        if match["rest"] == "+":
            return Api(match["name"], low)
        return Api(match["name"], low, int(match["high"] or low))

    def __str__(self) -> str:
        if self.highest == 2**15 - 1:
            return f"{self.name} {self.lowest}+" if self.lowest else self.name
        if self.lowest == self.highest:
            return f"{self.name} {self.lowest}"
        return f"{self.name} {self.lowest}-{self.highest}"


@dataclass(frozen=True)
class Check:
    """A check with everything that is known of it before it runs."""

    clause: str
    name: str
    sentence: str
    body: Callable[["Session"], None]
    apis: tuple[Api, ...] = ()
    needs: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False
    level: str | None = None

    @property
    def id(self) -> str:
        return f"{self.clause}/{self.name}"

    @property
    def area(self) -> str:
        return self.clause.partition("-")[0]

    def effective_level(self, clause: Clause | None) -> str:
        """The level that decides between violation and deviation: its own, or its clause's."""
        return self.level or (clause.level if clause else "MUST")


def check(
    clause: str,
    *,
    apis: Sequence[str] = (),
    needs: Iterable[str] = (),
    settings: Mapping[str, str] | None = None,
    alone: bool = False,
    level: str | None = None,
) -> Callable[[Callable[["Session"], None]], Check]:
    """Make a check of a function.

    - `clause`: the id of the one clause that it checks.
    - `apis`: every API whose absence makes the check not applicable, with versions where they
      matter (`"Fetch 13+"`), but not what only the session uses to prepare (CreateTopics).
    - `needs`: any of `NEEDS`; `faults` comes with `cluster`.
    - `settings`: broker settings under which the check must run; it then gets a broker of its own,
      and `config` is added to its needs.
    - `alone`: it may crash the broker or change it for others; it runs by itself, after all.
    - `level`: only where it checks a weaker sentence of a stronger clause (a SHOULD in a MUST).
    """
    if not re.fullmatch(r"[A-Z]{4}-\d{2}", clause):
        raise ValueError(f"{clause!r} is no clause id such as 'ACKS-02'")
    wanted = frozenset(needs) | (frozenset({"config"}) if settings else frozenset())
    wanted |= frozenset({"cluster"}) if "faults" in wanted else frozenset()
    if unknown := wanted.difference(NEEDS):
        raise ValueError(f"a check can need {', '.join(NEEDS)}, not {', '.join(sorted(unknown))}")
    if level is not None and level not in LEVELS:
        raise ValueError(f"a level is one of {', '.join(LEVELS)}, not {level!r}")

    def make(body: Callable[["Session"], None]) -> Check:
        if not (body.__doc__ or "").strip():
            raise ValueError(
                f"{body.__name__} needs a docstring: the one sentence that it demands"
            )
        return Check(
            clause=clause,
            name=body.__name__,
            sentence=" ".join((body.__doc__ or "").split()),
            body=body,
            apis=tuple(Api.parse(api) for api in apis),
            needs=wanted,
            settings=dict(settings or {}),
            alone=alone or bool(wanted & HARMFUL),
            level=level,
        )

    return make


def registry(modules: Iterable[str] | None = None) -> list[Check]:
    """All checks of the modules named (default: those of `conformance.checks`), ordered by id.

    Raises ValueError if two checks have one id.
    """
    if modules is None:
        modules = importlib.import_module("conformance.checks").MODULES
    found: dict[str, Check] = {}
    for name in modules:
        for item in checks_of(importlib.import_module(name)):
            if item.id in found:
                raise ValueError(f"two checks are called {item.id}")
            found[item.id] = item
    return [found[id_] for id_ in sorted(found)]


def checks_of(module: ModuleType) -> list[Check]:
    """The checks that a module defines (not those that it imports)."""
    return [
        item
        for item in vars(module).values()
        if isinstance(item, Check) and item.body.__module__ == module.__name__
    ]


def select(checks: Sequence[Check], prefixes: Sequence[str]) -> list[Check]:
    """The checks under any of the prefixes, in their order; all of them if no prefix is given.

    Raises SelectionError for a prefix that selects nothing.
    """
    for prefix in prefixes:
        if not any(matches(item, prefix) for item in checks):
            raise SelectionError(
                f"{prefix!r} is no area, clause or check that can be run;"
                " 'brokerspec conform --list' shows them all."
            )
    return [item for item in checks if not prefixes or any(matches(item, p) for p in prefixes)]


def matches(item: Check, prefix: str) -> bool:
    """Whether the id begins with the prefix, and the prefix ends where a part of the id ends."""
    rest = item.id.removeprefix(prefix.rstrip("-/"))
    return rest != item.id and (not rest or rest[0] in "-/")
