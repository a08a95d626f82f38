"""Random actions and claims as small programs, run in two ways: by the language, and plainly.

A program is a nested tuple. `Traced` gives it to the language as a model would be written; `Plain`
runs it on Python values (int, bool, frozenset, tuple, dict) and knows neither nodes nor slots. So
whatever they disagree on is a bug of the language, of the lowering, or of a reader.

What does not fit its type is kept as it is while an action runs and is refused at its end; for a
set, all that its type does not have is one and the same element, `OUTSIDE`.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from model import lang
from model.lang import Bool, Map, Option, Range, Record, Seq, Set, Sort


class Id(Sort):
    """One of three."""

    size = 3


class Low(Range):
    """A range that does not begin at 0."""

    low, high = 2, 4


class Num(Range):
    """A range with a negative number."""

    low, high = -1, 2


class Single(Range):
    """A range of one number, which needs no bits."""

    low, high = 3, 3


class Pair(Record):
    """A truth value and a number."""

    flag: Bool
    number: Low


class Pairs(Seq[Pair]):
    """At most two pairs."""

    capacity = 2


class State(Record):
    """Some of everything."""

    flag: Bool
    num: Num
    low: Low
    id: Id
    single: Single
    maybe_low: Option[Low]
    maybe_flag: Option[Bool]
    maybe_id: Option[Id]
    ids: Set[Id]
    lows: Set[Low]
    flags: Set[Bool]
    by_low: Map[Low, Num]
    by_flag: Map[Bool, Option[Id]]
    by_id: Map[Id, Pair]
    log: Pairs


DOMAINS: dict[str, list[Any]] = {
    "flag": [False, True],
    "num": [-1, 0, 1, 2],
    "low": [2, 3, 4],
    "id": [0, 1, 2],
    "single": [3],
}
TYPES: dict[str, Any] = {"flag": Bool, "num": Num, "low": Low, "id": Id, "single": Single}
DEFAULTS = {kind: domain[0] for kind, domain in DOMAINS.items()}
OPTIONS = {"maybe_low": "low", "maybe_flag": "flag", "maybe_id": "id"}
SETS = {"ids": "id", "lows": "low", "flags": "flag"}
MAPS = {"by_low": ("low", "num"), "by_flag": ("flag", "maybe_id"), "by_id": ("id", "pair")}
PARTS = {"flag": "flag", "number": "low"}
PARAMETERS = {"an_id": "id", "a_low": "low", "a_flag": "flag"}
OUTSIDE, CAPACITY = "outside", 2


class MisfitError(Exception):
    """The action would put something where it does not fit."""


@dataclass(frozen=True)
class Operation:
    """How an operation is written in the language, and what it is on plain values."""

    result: str
    arguments: tuple[str, ...]
    traced: Callable[..., Any]
    plain: Callable[..., Any]


def _inside(kind: str, value: Any) -> Any:
    return value if value in DOMAINS[kind] else OUTSIDE


def _operations() -> dict[str, Operation]:
    found: dict[str, Operation] = {}

    def add(name: str, signature: str, traced: Any, plain: Any = None) -> None:
        result, *arguments = signature.split()
        found[name] = Operation(result, tuple(arguments), traced, plain or traced)

    add("and", "flag flag flag", operator.and_)
    add("or", "flag flag flag", operator.or_)
    add("not", "flag flag", operator.invert, operator.not_)
    add("implies", "flag flag flag", lang.implies, lambda a, b: not a or b)
    for kind in (*DOMAINS, *OPTIONS, *SETS, "pair", "log"):
        add(f"same {kind}", f"flag {kind} {kind}", operator.eq)
        add(f"other {kind}", f"flag {kind} {kind}", operator.ne)
        choose = lambda c, a, b: a if c else b  # noqa: E731
        add(f"choose {kind}", f"{kind} flag {kind} {kind}", lang.if_else, choose)
    for one, two in (("num", "low"), ("low", "num"), ("low", "low"), ("num", "single")):
        add(f"{one} + {two}", f"{one} {one} {two}", operator.add)
        add(f"{one} - {two}", f"{one} {one} {two}", operator.sub)
        add(f"{one} < {two}", f"flag {one} {two}", operator.lt)
        add(f"{one} >= {two}", f"flag {one} {two}", operator.ge)
        add(f"least {one} {two}", f"{one} {one} {two}", lang.least_of, min)
    add("low of num", "low num", Low.of, int)
    for kind, item in OPTIONS.items():
        default = DEFAULTS[item]
        add(f"some {item}", f"{kind} {item}", lang.some, lambda a: (a,))
        add(f"is {kind}", f"flag {kind}", lambda a: a.is_some, lambda a: a is not None)
        add(f"not {kind}", f"flag {kind}", lambda a: a.is_none, lambda a: a is None)
        value: Any = lambda a, default=default: default if a is None else a[0]  # noqa: E731
        add(f"value {kind}", f"{item} {kind}", lambda a: a.value, value)
    for kind, item in SETS.items():
        made: Any = lambda *a, item=item: frozenset(_inside(item, v) for v in a)  # noqa: E731
        has: Any = lambda a, b, item=item: _inside(item, b) in a  # noqa: E731
        add(f"one {item}", f"{kind} {item}", lang.set_of, made)
        add(f"two {item}", f"{kind} {item} {item}", lang.set_of, made)
        add(f"{kind} has", f"flag {kind} {item}", lambda a, b: a.has(b), has)
        add(f"{kind} |", f"{kind} {kind} {kind}", operator.or_)
        add(f"{kind} &", f"{kind} {kind} {kind}", operator.and_)
        add(f"{kind} -", f"{kind} {kind} {kind}", operator.sub)
        add(f"{kind} <=", f"flag {kind} {kind}", operator.le)
        add(f"size {kind}", f"num {kind}", lambda a: Num.of(a.size), len)
    add("pair", "pair flag low", lambda a, b: Pair(flag=a, number=b), lambda a, b: (a, b))
    add("flag of pair", "flag pair", lambda a: a.flag, operator.itemgetter(0))
    add("number of pair", "low pair", lambda a: a.number, operator.itemgetter(1))
    add("length", "num log", lambda a: Num.of(a.length), len)
    add("is empty", "flag log", lambda a: a.is_empty, operator.not_)
    add("last", "pair log", lambda a: a.last, lambda a: a[-1] if a else (False, 2))
    at = lambda a, i: a[i] if 0 <= i < len(a) else (False, 2)  # noqa: E731
    add("at", "pair log num", lambda a, i: a[i], at)
    return found


OPERATIONS = _operations()


@dataclass
class Traced:
    """The language itself: `state` is a term."""

    state: Any
    names: dict[str, Any] = field(default_factory=dict)

    def value(self, program: Any) -> Any:
        """The term of an expression."""
        match program:
            case ("literal", kind, number):
                return TYPES[kind](number)
            case ("nothing", kind):
                return lang.none(TYPES[OPTIONS[kind]])
            case ("empty", kind):
                return lang.no_element(TYPES[SETS[kind]])
            case ("all", kind):
                return lang.everything(TYPES[SETS[kind]])
            case ("name", name):
                return self.names[name]
            case ("read", part):
                return getattr(self.state, part)
            case ("get", part, key):
                return getattr(self.state, part)[self.value(key)]
            case ("follow", name, part):
                return getattr(self.names[name], part)
            case ("every" | "exists" as what, domain, name, claim):
                of = TYPES[domain] if isinstance(domain, str) else self.value(domain)
                return getattr(lang, what)(of, lambda v: self._inner(name, v).value(claim))
            case ("largest" | "smallest" as what, kind, name, claim, otherwise):
                other = self.value(otherwise)
                search = getattr(lang, what)
                return search(TYPES[kind], lambda v: self._inner(name, v).value(claim), other)
        name, *arguments = program
        return OPERATIONS[name].traced(*(self.value(a) for a in arguments))

    def _inner(self, name: str, value: Any) -> "Traced":
        return Traced(self.state, {**self.names, name: value})

    def do(self, statement: Any) -> None:
        """Say a statement."""
        match statement:
            case ("assign", part, value):
                setattr(self.state, part, self.value(value))
            case ("store", part, key, value):
                getattr(self.state, part)[self.value(key)] = self.value(value)
            case ("part", name, part, value):
                setattr(self.names[name], part, self.value(value))
            case ("append", value):
                self.state.log.append(self.value(value))
            case ("truncate", length):
                self.state.log.truncate(self.value(length))
            case ("keep" | "refer", name, value):
                self.names[name] = self.value(value)
            case _:
                raise AssertionError(statement)


@dataclass
class Plain:
    """Python values; a record that is referred to is its key, looked up at each use."""

    state: dict[str, Any]
    names: dict[str, Any] = field(default_factory=dict)
    ABSENT: ClassVar = {"by_low": -1, "by_flag": None, "by_id": (False, 2)}

    def value(self, program: Any) -> Any:
        """The value of an expression."""
        match program:
            case ("literal", _, number):
                return number
            case ("nothing", _):
                return None
            case ("empty", _):
                return frozenset()
            case ("all", kind):
                return frozenset(DOMAINS[SETS[kind]])
            case ("name", name):
                return self.names[name]
            case ("read", part):
                return self.state[part]
            case ("get", part, key):
                return self.state[part].get(self.value(key), self.ABSENT[part])
            case ("follow", name, part):
                return self.state["by_id"][self.names[name]][list(PARTS).index(part)]
            case ("every" | "exists" as what, domain, name, claim):
                inside = domain if isinstance(domain, str) else self._item(domain)
                among = None if isinstance(domain, str) else self.value(domain)
                values = [v for v in DOMAINS[inside] if among is None or v in among]
                truths = [self._inner(name, v).value(claim) for v in values]
                return all(truths) if what == "every" else any(truths)
            case ("largest" | "smallest" as what, kind, name, claim, otherwise):
                held = [v for v in DOMAINS[kind] if self._inner(name, v).value(claim)]
                if not held:
                    return self.value(otherwise)
                return max(held) if what == "largest" else min(held)
        name, *arguments = program
        return OPERATIONS[name].plain(*(self.value(a) for a in arguments))

    @staticmethod
    def _item(domain: Any) -> str:
        name, kind = domain[:2]
        return SETS[kind if kind in SETS else OPERATIONS[name].result]

    def _inner(self, name: str, value: Any) -> "Plain":
        return Plain(self.state, {**self.names, name: value})

    def do(self, statement: Any) -> None:
        """Do a statement."""
        match statement:
            case ("assign", part, value):
                self.state[part] = self.value(value)
            case ("store", part, key, value):
                at = self.value(key)
                if at not in self.state[part]:
                    raise MisfitError
                self.state[part] = {**self.state[part], at: self.value(value)}
            case ("part", name, part, value):
                pairs, at = self.state["by_id"], self.names[name]
                pair = list(pairs[at])
                pair[list(PARTS).index(part)] = self.value(value)
                self.state["by_id"] = {**pairs, at: tuple(pair)}
            case ("append", value):
                if len(self.state["log"]) == CAPACITY:
                    raise MisfitError
                self.state["log"] = (*self.state["log"], self.value(value))
            case ("truncate", length):
                self.state["log"] = self.state["log"][: max(self.value(length), 0)]
            case ("keep", name, value):
                self.names[name] = self.value(value)
            case ("refer", name, ("get", "by_id", key)):
                self.names[name] = self.value(key)
            case _:
                raise AssertionError(statement)
