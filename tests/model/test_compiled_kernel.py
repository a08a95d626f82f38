"""The kernel in C makes the states of the plain one, in the same order, from the same parents."""

import ctypes
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from model import catalogue
from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import problem_of
from model.engines.kernels import Kernel, Problem, Snapshot, c_build
from model.engines.kernels.compiled import Compiled
from model.engines.kernels.plain import Plain
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.lang import Bool, Bound, Machine, Map, Range, Record, Scope, Sort, every, needs
from model.lang.places import ModelError
from tests.model.drawing import programs, states
from tests.model.test_random_programs import SCOPE, machine_of, slots_of
from tests.model.toys import house, jug

try:
    c_build.library("int answer = 42;")
except ModelError as error:
    pytest.skip(str(error), allow_module_level=True)

THREADS = (1, 2, 3)


def problem(machine: Machine[Any], scope: str | Scope = "default") -> Problem:
    chosen = machine.scopes[scope] if isinstance(scope, str) else scope
    return problem_of(Lowering(machine, chosen))


def finished(kernel: Kernel, most: int = 10**6) -> Snapshot:
    """All that there is to know, a few states at a time."""
    while kernel.expanded < kernel.distinct:
        kernel.expand(most)
    return kernel.snapshot()


def assert_same(one: Snapshot, other: Snapshot) -> None:
    """Every state at its place, with its parent and with what was counted."""
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "brokerspec" / "kernels"


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("key", "scope"), [("jug", ""), ("house", ""), ("replication", "tiny")], ids=str
)
def test_states_parents_and_counts_are_those_of_the_plain_kernel(
    key: str, scope: str, threads: int
) -> None:
    toys: dict[str, Machine[Any]] = {"jug": jug(), "house": house()}
    machine = toys.get(key) or catalogue.machine(key)
    explored = problem(machine, scope or "default")
    assert_same(finished(Plain(explored)), finished(Compiled(explored, threads=threads)))


@pytest.mark.deep
@pytest.mark.parametrize("key", catalogue.MACHINES, ids=" ".join)
def test_every_model_is_explored_as_by_the_plain_kernel(key: tuple[str, str]) -> None:
    machine = catalogue.machine(*key)
    for scope in machine.scopes:
        explored = problem(machine, scope)
        plain, compiled = Plain(explored), Compiled(explored)
        while compiled.expanded < min(compiled.distinct, 100_000):
            compiled.expand(10**6)
        while plain.expanded < compiled.expanded:
            plain.expand(10**6)
        assert_same(plain.snapshot(), compiled.snapshot())


class Digit(Sort):
    """A wheel of a lock."""

    size = 5


class Turned(Range):
    """How far a wheel is turned."""

    low, high = -1, Bound("turns")


class Lock(Record):
    """Some wheels."""

    wheel: Map[Digit, Turned]


def lock() -> Machine[Lock]:
    """Wheels that are turned in any order: every number of five digits, level by level."""
    machine = Machine("lock", Lock, "a lock")

    @machine.action()
    def turn(s: Lock, digit: Digit) -> None:
        """A wheel goes on."""
        needs(not_at_the_end=s.wheel[digit] < Bound("turns"))
        s.wheel[digit] += 1

    @machine.ends
    def all_are_turned(s: Lock) -> Bool:
        return every(Digit, lambda d: s.wheel[d] == Bound("turns"))

    return machine


def test_threads_share_levels_that_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    explored = problem(lock(), Scope("five", {"turns": 3}, ""))
    plain = finished(Plain(explored))
    assert (len(plain.states), plain.depth) == (5**5, 21)
    # Chunks of a few states, so that levels have many.
    monkeypatch.setenv("CC", "cc -DTOGETHER=32")
    for threads in (1, 2, 3, 5):
        assert_same(plain, finished(Compiled(explored, threads=threads)))
        assert_same(plain, finished(Compiled(explored, threads=threads), most=100))


def test_where_it_stops_between_chunks_changes_nothing() -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    assert_same(finished(Compiled(explored)), finished(Compiled(explored), most=7))


def test_a_call_expands_no_more_than_asked_and_stays_in_its_level() -> None:
    kernel = Compiled(problem(house()))
    seen = []
    while kernel.expanded < kernel.distinct:
        kernel.expand(3)
        seen.append((kernel.depth, kernel.expanded, kernel.level_end))
    assert seen == [
        (1, 1, 1), (2, 4, 5), (2, 5, 5), (3, 8, 11), (3, 11, 11), (4, 14, 15), (4, 15, 15),
        (5, 16, 16),
    ]  # fmt: skip


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("before", [0, 1, 100, 500])
def test_it_goes_on_where_the_plain_kernel_stopped(before: int, threads: int) -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    plain = Plain(explored)
    while plain.expanded < before:
        plain.expand(before - plain.expanded)
    compiled = Compiled(explored, plain.snapshot(), threads=threads)
    assert_same(plain.snapshot(), compiled.snapshot())
    assert_same(finished(plain), finished(compiled))


def test_the_plain_kernel_goes_on_where_it_stopped() -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    compiled = Compiled(explored)
    while compiled.expanded < 300:
        compiled.expand(60)
    assert_same(finished(Plain(explored, compiled.snapshot())), finished(compiled))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(programs(), states())
def test_random_machines_are_explored_alike(program: Any, state: dict[str, Any]) -> None:
    lowering = Lowering(machine_of(*program), SCOPE)
    steps = list(lowering.steps())
    first = lowering.layout.pack(slots_of(lowering.layout, state))
    watched = [lowering.truth(p.holds) for p in lowering.machine.properties.values()]
    explored = Problem(lowering.layout, steps, ["act"], watched, first, scalars.FALSE)
    assert outcome(Plain(explored)) == outcome(Compiled(explored))


def outcome(kernel: Kernel) -> object:
    """What is known after a few states, or the step that has no room."""
    try:
        while kernel.expanded < min(kernel.distinct, 300):
            kernel.expand(60)
    except ScopeTooSmallError as error:
        return str(error)
    known = kernel.snapshot()
    arrays = known.states.tolist(), known.parents.tolist()
    return (*arrays, *(v for n, v in vars(known).items() if n not in ("states", "parents")))


@pytest.mark.parametrize("threads", THREADS)
def test_the_first_step_without_room_is_reported(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setenv("CC", "cc -DTOGETHER=8")
    broken = lock().mutated("turn.not_at_the_end")
    explored = problem(broken, Scope("five", {"turns": 2}, ""))
    with pytest.raises(ScopeTooSmallError, match=r"set wheel\[.*\] to 3.* -1\.\.2") as seen:
        finished(Plain(explored))
    with pytest.raises(ScopeTooSmallError, match=re.escape(str(seen.value))):
        finished(Compiled(explored, threads=threads))


@pytest.mark.parametrize(("may_end", "dead"), [(scalars.TRUE, None), (scalars.FALSE, 5)])
def test_a_state_without_a_step_is_a_deadlock_unless_the_run_may_end_there(
    may_end: scalars.Scalar, dead: int | None
) -> None:
    known = finished(Compiled(replace(problem(jug()), may_end=may_end)))
    assert known.deadlock == dead


def test_the_first_state_of_each_watched_truth_is_noted() -> None:
    kernel = Compiled(problem(jug()))
    finished(kernel)
    assert kernel.found == {0: 5, 1: 2}
    assert [kernel.state(n) for n in range(6)] == [0, 1, 2, 3, 4, 5]
    assert [kernel.parent(n) for n in range(6)] == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("threads", THREADS)
def test_a_state_stands_for_its_orbit_under_the_symmetries(threads: int) -> None:
    explored = problem(house())
    slots = explored.layout.slots
    rooms = 4

    def rotated(by: int) -> list[scalars.Scalar]:
        """The value of every slot when each room is called as the one that many further."""
        lit = [scalars.slot((r + by) % rooms, slots[0].low, slots[0].high) for r in range(rooms)]
        mask = scalars.slot(rooms, slots[rooms].low, slots[rooms].high)
        visited = scalars.number(0)
        for room in range(rooms):
            inside = scalars.member(scalars.number((room + by) % rooms), mask)
            bit = scalars.if_else(inside, scalars.number(1 << room), scalars.number(0))
            visited = scalars.combine("union", visited, bit)
        return [*lit, visited]

    symmetric = replace(explored, symmetries=[rotated(by) for by in range(1, rooms)])
    known = finished(Compiled(symmetric, threads=threads))
    assert len(known.states) == 6  # necklaces of four beads in two colours
    assert_same(known, finished(Plain(symmetric)))


def test_orbits_of_brokers_are_those_of_the_plain_kernel() -> None:
    machine = catalogue.machine("replication")
    explored = problem_of(Lowering(machine, machine.scopes["tiny"]), symmetric=True)
    known = finished(Compiled(explored))
    assert len(known.states) == 479
    assert_same(known, finished(Plain(explored)))


class Stamp(Range):
    """A number of as many bits as the scope says."""

    low, high = -10, Bound("latest")


class Stamps(Record):
    """Ten of them."""

    at: Map[Digit, Stamp]
    latest: Map[Digit, Stamp]


@pytest.mark.parametrize(
    ("latest", "words"), [(100, 2), (30_000, 3), (10**9, 5), (10**12, 10)], ids=str
)
def test_states_of_many_words_and_numbers_of_many_bits(latest: int, words: int) -> None:
    machine = Machine("stamps", Stamps, "stamps")

    @machine.action()
    def stamp(s: Stamps, digit: Digit) -> None:
        """A later stamp."""
        needs(is_early=s.at[digit] < -8)
        s.at[digit] += 1
        s.latest[digit] = s.at[digit] + (Bound("latest") - 10)

    explored = problem(machine, Scope("only", {"latest": latest}, ""))
    assert explored.layout.words == words
    known = finished(Compiled(explored))
    assert len(known.states) == 3**5
    assert_same(known, finished(Plain(explored)))


def test_a_number_beyond_a_word_is_refused() -> None:
    explored = problem(jug())
    huge = scalars.add(scalars.slot(0, 0, 5), scalars.number(2**63))
    watched = [scalars.less(scalars.number(2**63 + 2), huge)]
    with pytest.raises(ModelError, match=r"64 bits for a number.*choose smaller bounds"):
        Compiled(replace(explored, watched=watched))


def test_a_closed_kernel_cannot_be_used() -> None:
    kernel = Compiled(problem(jug()))
    kernel.close()
    kernel.close()
    with pytest.raises(ValueError, match="closed"):
        kernel.expand(1)


def test_a_position_that_is_not_known_is_an_error() -> None:
    kernel = Compiled(problem(jug()))
    with pytest.raises(IndexError, match="no state at 1: there are 1"):
        kernel.state(1)


# The cache.


def test_a_machine_is_compiled_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    c_build.library("int answer = 42;")
    [kept] = cache.iterdir()
    monkeypatch.setattr(c_build, "_built", lambda *_: pytest.fail("it was compiled again"))
    c_build.library("int answer = 42;")
    assert [*cache.iterdir()] == [kept]


def test_other_text_is_another_library(cache: Path) -> None:
    c_build.library("int answer = 42;")
    c_build.library("int answer = 43;")
    assert len([*cache.iterdir()]) == 2


@pytest.mark.parametrize("damage", [b"", b"not a library"])
def test_a_damaged_library_is_made_again(cache: Path, damage: bytes) -> None:
    c_build.library("int damaged = 1;")
    [kept] = cache.iterdir()
    whole = kept.read_bytes()
    kept.unlink()  # the loaded one stays as it is
    kept.write_bytes(whole[:100] + damage)
    c_build.library("int damaged = 1;")
    assert kept.read_bytes() == whole


def test_several_may_build_the_same_at_once(cache: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        built = list(pool.map(c_build.library, ["int many = 7;"] * 4))
    assert [ctypes.c_int.in_dll(one, "many").value for one in built] == [7] * 4
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_where_nothing_can_be_kept_it_is_compiled_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brokerspec").write_text("a file where the directory should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    c_build.library("int nowhere = 1;")
    assert [path.name for path in tmp_path.iterdir()] == ["brokerspec"]


def test_without_a_compiler_there_is_a_sentence(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O9")
    with pytest.raises(
        ModelError, match=r"needs a C compiler, and there is no 'no-such-compiler'.*another kernel"
    ):
        Compiled(problem(jug()))
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_what_a_compiler_refuses_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"refuses the generated kernel:\n.*error"):
        c_build.library("this is not C")
    monkeypatch.setenv("CC", f"{os.devnull}x")
    with pytest.raises(ModelError, match="there is no"):
        c_build.library("int answer = 42;")
