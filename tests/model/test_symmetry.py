"""Orbits under renaming of the values of sorts, held against renaming by hand."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from model import catalogue
from model.areas.replication.state import Broker
from model.engines.explore import Limits, explore, problem_of
from model.engines.kernels import Kernel, Problem
from model.engines.kernels.columns import packed, words_of
from model.engines.kernels.orbits import Orbits
from model.engines.kernels.plain import Plain, compile_canonical, compile_moves
from model.engines.kernels.vectors import Vectors
from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Lowering
from model.engines.symmetry import concrete_path, is_symmetric, renamed, symmetries
from model.lang import (
    Bag,
    Bool,
    Bound,
    Machine,
    Map,
    ModelError,
    Option,
    Range,
    Record,
    Scope,
    Seq,
    Set,
    Sort,
    each,
    every,
    if_else,
    needs,
    none,
    set_of,
    some,
)
from tests.model.toys import Room, house


class Guest(Sort):
    """Who writes letters."""

    size = Bound("guests")


class Inn(Sort):
    """Where guests stay."""

    size = 2


class Count(Range):
    """How often."""

    low, high = 0, 1


class Letter(Record):
    """From one guest to another, with notes on all."""

    sender: Guest
    reader: Option[Guest]
    notes: Map[Guest, Bool]


class Mail(Bag[Letter]):
    """Letters on their way."""

    capacity = Bound("mail")


class Book(Seq[Guest]):
    """Who arrived, in order."""

    capacity = 2


class State(Record):
    """Every type that can hold a value of a sort, or has one for its key."""

    mail: Mail
    book: Book
    inside: Map[Inn, Set[Guest]]
    host: Option[Guest]
    met: Map[Guest, Map[Guest, Count]]


def post() -> Machine[State]:
    """Guests arrive and write to each other."""
    machine = Machine("post", State, "guests")

    @machine.action()
    def arrive(s: State, guest: Guest, inn: Inn) -> None:
        """A guest arrives at an inn, and is the host if there is none."""
        needs(has_room=s.book.length < 2, is_new=every(Inn, lambda i: ~s.inside[i].has(guest)))
        s.book.append(guest)
        s.inside[inn] |= set_of(guest)
        s.host = some(guest)

    @machine.action()
    def write(s: State, guest: Guest, other: Guest, inn: Inn) -> None:
        """A guest at an inn writes to another, or to nobody."""
        needs(
            is_there=s.inside[inn].has(guest),
            has_room=s.mail.size < Bound("mail"),
            is_first=every(Guest, lambda g: s.met[guest][g] == 0),
        )
        notes = each(Guest, lambda g: s.inside[inn].has(g))
        reader = if_else(other == guest, none(Guest), some(other))
        s.mail.add(Letter(sender=guest, reader=reader, notes=notes))
        s.met[guest][other] = Count(1)

    @machine.action(letter=lambda s: s.mail)
    def read(s: State, letter: Letter) -> None:
        """A letter is read, and a host who wrote it gives up."""
        s.mail.remove(letter)
        s.host = if_else(s.host == some(letter.sender), none(Guest), s.host)

    @machine.always(broken_by="arrive.is_new")
    def all_who_are_inside_arrived(s: State) -> Bool:
        """The book is complete."""
        return every(
            Guest,
            lambda g: (
                (s.book[0] == g) | (s.book[1] == g) | every(Inn, lambda i: ~s.inside[i].has(g))
            ),
        )

    return machine


def reachable(explored: Problem) -> list[int]:
    """All states, without symmetry."""
    plain = Plain(replace(explored, symmetries=()))
    while plain.expanded < plain.distinct:
        plain.expand(10**6)
    return [plain.state(position) for position in range(plain.distinct)]


# Renaming by hand, on plain values.


class Renaming:
    """Every type is taken apart, renamed, and put together again."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def images(self, state: int, sorts: dict[Any, int]) -> Iterator[int]:
        numbers = iter(self.layout.unpack(state))
        value = self.decoded(self.layout.state, numbers)
        choices = [itertools.permutations(range(size)) for size in sorts.values()]
        for chosen in itertools.product(*choices):
            new = dict(zip(sorts, chosen, strict=True))
            image = self.renamed(self.layout.state, value, new)
            yield self.layout.pack(self.encoded(self.layout.state, image))

    def decoded(self, of: Any, numbers: Iterator[int]) -> Any:
        if issubclass(of, Record):
            return {name: self.decoded(part, numbers) for name, part in of.fields().items()}
        if issubclass(of, Map):
            return [self.decoded(of.item, numbers) for _ in self.layout.sizes.values(of.key)]
        if issubclass(of, Seq | Bag):
            length = next(numbers)
            capacity = self.layout.sizes.number(of.capacity)
            return [self.decoded(of.item, numbers) for _ in range(capacity)][:length]
        number = next(numbers)
        if issubclass(of, Set):
            return {i for i in range(number.bit_length()) if number >> i & 1}
        return number

    def renamed(self, of: Any, value: Any, new: dict[Any, tuple[int, ...]]) -> Any:
        if issubclass(of, Record):
            fields = of.fields().items()
            return {name: self.renamed(part, value[name], new) for name, part in fields}
        if issubclass(of, Map):
            places = new.get(of.key, range(len(value)))
            moved = dict(zip(places, (self.renamed(of.item, v, new) for v in value), strict=True))
            return [moved[place] for place in range(len(value))]
        if issubclass(of, Seq | Bag):
            return [self.renamed(of.item, v, new) for v in value]
        if issubclass(of, Set):
            return {new[of.item][v] if of.item in new else v for v in value}
        if issubclass(of, Option) and of.item in new:
            return new[of.item][value - 1] + 1 if value else 0
        return new[of][value] if of in new else value

    def encoded(self, of: Any, value: Any) -> list[int]:
        if issubclass(of, Record):
            fields = of.fields().items()
            return [n for name, part in fields for n in self.encoded(part, value[name])]
        if issubclass(of, Map):
            return [n for item in value for n in self.encoded(of.item, item)]
        if issubclass(of, Seq | Bag):
            items = [self.encoded(of.item, item) for item in value]
            lows = [low for _, _, low, _ in self.layout.sizes.leaves(of.item)]
            rest = self.layout.sizes.number(of.capacity) - len(items)
            ordered = sorted(items) if issubclass(of, Bag) else items
            return [len(items), *(n for item in [*ordered, *[lows] * rest] for n in item)]
        return [sum(1 << i for i in value)] if issubclass(of, Set) else [value]


SCOPES: dict[str, tuple[Machine[Any], dict[str, int], dict[Any, int]]] = {
    "house": (house(), {"rooms": 4, "jug": 2}, {Room: 4}),
    "post": (post(), {"guests": 3, "mail": 2}, {Guest: 3, Inn: 2}),
    "replication": (
        catalogue.machine("replication"),
        {"brokers": 3, "log_size": 1, "max_records": 1, "max_leader_epoch": 0},
        {Broker: 3},
    ),
}


@cache
def symmetric(name: str) -> tuple[Problem, list[int], dict[int, set[int]], Lowering]:
    """A problem, all its states, and the orbit of each, by hand."""
    machine, bounds, sorts = SCOPES[name]
    lowering = Lowering(machine, Scope("", bounds, ""))
    problem = problem_of(lowering, symmetric=True)
    states = reachable(problem)
    renaming = Renaming(problem.layout)
    return problem, states, {s: set(renaming.images(s, sorts)) for s in states}, lowering


@pytest.mark.parametrize("name", SCOPES)
def test_the_images_of_a_state_are_its_renamings(name: str) -> None:
    problem, states, orbits, _ = symmetric(name)
    layout = problem.layout
    for state in states[:: 1 + len(states) // 100]:
        images = {renamed(layout, values, state) for values in problem.symmetries}
        assert images | {state} == orbits[state]
    least = [min(orbits[state]) for state in states]
    rows = Orbits(layout, problem.symmetries).least(words_of(layout, states))
    assert [packed(row) for row in rows] == least
    canonical = compile_canonical(layout, problem.symmetries)
    assert [canonical(state) for state in states] == least


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.parametrize("kernel", [Plain, Vectors])
def test_one_state_of_each_orbit_is_explored(name: str, kernel: Any) -> None:
    problem, _, orbits, lowering = symmetric(name)
    explored: Kernel = kernel(problem)
    while explored.expanded < explored.distinct:
        explored.expand(10**6)
    found = {explored.state(position) for position in range(explored.distinct)}
    assert found == {min(orbit) for orbit in orbits.values()}
    assert len(found) == explored.distinct < len(orbits)
    moves = compile_moves(problem.layout, problem.steps)
    assert explored.generated == 1 + sum(len(moves(state)) for state in found)
    assert is_symmetric(lowering, problem.symmetries, sorted(found)[::9]) is None


@pytest.mark.parametrize("name", SCOPES)
def test_a_real_run_leads_through_the_orbits(name: str) -> None:
    problem, _, _, lowering = symmetric(name)
    kernel = Vectors(problem)
    while kernel.expanded < kernel.distinct:
        kernel.expand(10**6)
    path = [kernel.distinct - 1]
    while path[-1]:
        path.append(kernel.parent(path[-1]))
    orbits = [kernel.state(position) for position in reversed(path)]
    run = concrete_path(lowering, problem.steps, problem.symmetries, orbits)
    moves = compile_moves(problem.layout, problem.steps)
    assert run[0] == lowering.initial()
    assert all(after in [m for _, m in moves(s)] for s, after in itertools.pairwise(run))
    canonical = compile_canonical(problem.layout, problem.symmetries)
    assert [canonical(state) for state in run] == orbits


def test_the_published_number_of_orbits_is_found() -> None:
    machine = catalogue.machine("replication")
    kernel = Vectors(problem_of(Lowering(machine, machine.scopes["default"]), symmetric=True))
    while kernel.expanded < kernel.distinct:
        kernel.expand(10**6)
    assert (kernel.distinct, kernel.depth) == (123_311, 26)


def test_the_shortest_counterexample_is_a_run_of_real_states() -> None:
    machine = catalogue.machine("replication", "kip-101")
    seen = explore(machine, machine.scopes["default"], Limits(), kernel="numpy", symmetric=True)
    trace = seen.verdicts["committed_records_survive_election"].trace
    assert trace is not None
    assert len(trace.states) == len(set(trace.states)) == 11
    assert trace.states[0] == seen.lowering.initial()


class Keyless(Record):
    """Somebody has the key, or nobody."""

    owner: Option[Guest]
    asked: Set[Guest]


def unfair() -> Machine[Keyless]:
    """Who asks while nobody owns the key compares with the first guest."""
    machine = Machine("unfair", Keyless, "a key")

    @machine.action()
    def ask(s: Keyless, guest: Guest) -> None:
        """A guest asks."""
        needs(others_ask=s.owner.value != guest)
        s.asked |= set_of(guest)

    @machine.sometimes()
    def a_guest_has_asked(s: Keyless) -> Bool:
        """Somebody asked."""
        return s.asked.size > 0

    return machine


def test_an_action_that_singles_out_a_value_is_named_with_its_state() -> None:
    lowering = Lowering(unfair(), Scope("", {"guests": 2}, ""))
    images = symmetries(lowering.layout)
    said = is_symmetric(lowering, images, [lowering.initial()])
    assert said == (
        "ask singles out a value of a sort, as {'owner': 'none', 'asked': '{}'} shows; explore it "
        "without symmetry"
    )


def test_a_claim_that_singles_out_a_value_is_named_with_its_state() -> None:
    machine = Machine("unfair", Keyless, "a key")

    @machine.action()
    def ask(s: Keyless, guest: Guest) -> None:
        """A guest asks."""
        s.asked |= set_of(guest)

    @machine.sometimes()
    def the_first_guest_has_asked(s: Keyless) -> Bool:
        """Nobody owns the key, so the lowest value is taken."""
        return s.asked.has(s.owner.value)

    lowering = Lowering(machine, Scope("", {"guests": 2}, ""))
    images = symmetries(lowering.layout)
    assert is_symmetric(lowering, images, [lowering.initial()]) is None
    ((_, after), *_) = compile_moves(lowering.layout, list(lowering.steps()))(lowering.initial())
    assert str(is_symmetric(lowering, images, [after])).startswith("the_first_guest_has_asked sin")


def test_a_run_that_is_not_there_is_an_error() -> None:
    lowering = Lowering(post(), Scope("", {"guests": 2, "mail": 1}, ""))
    images = symmetries(lowering.layout)
    start = lowering.initial()
    with pytest.raises(ModelError, match="no run leads through the orbits"):
        concrete_path(lowering, list(lowering.steps()), images, [start, start])


def test_too_many_permutations_are_refused() -> None:
    lowering = Lowering(house(), Scope("", {"rooms": 8, "jug": 2}, ""))
    with pytest.raises(ModelError, match=r"8 of Room can be renamed in 40,320 ways"):
        symmetries(lowering.layout)


def test_a_sort_of_many_values_is_renamed_in_sets_too_large_for_a_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("model.engines.symmetry.LARGEST_TABLE_BITS", 2)
    test_the_images_of_a_state_are_its_renamings("post")
