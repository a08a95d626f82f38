"""The kernel in numpy makes the states of the plain one, in the same order, from the same
parents.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from model import catalogue
from model.engines.concrete import ScopeTooSmallError, evaluate
from model.engines.explore import problem_of
from model.engines.kernels import Kernel, Problem, Snapshot, sheet, table
from model.engines.kernels.columns import evaluate_all, packed, successors, words_of
from model.engines.kernels.plain import Plain
from model.engines.kernels.table import Table, find_positions
from model.engines.kernels.vectors import Vectors
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.lang import Bool, Machine, Map, ModelError, Range, Record, Scope, exists, needs
from tests.model.drawing import programs, states
from tests.model.post_office import machine as post_office
from tests.model.test_random_programs import SCOPE, lowered_step, machine_of, slots_of
from tests.model.toys import house, jug


def problem(machine: Machine[Any], scope: str | Scope = "default") -> Problem:
    chosen = machine.scopes[scope] if isinstance(scope, str) else scope
    return problem_of(Lowering(machine, chosen))


def finished(kernel: Kernel, most: int = 10**6) -> Snapshot:
    while kernel.expanded < kernel.distinct:
        kernel.expand(most)
    return kernel.snapshot()


def assert_same(one: Snapshot, other: Snapshot) -> None:
    """Every state at its place, with its parent and with what was counted."""
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name), err_msg=name)


class Place(Range):
    """One of many."""

    low, high = 0, 39


class Load(Range):
    """What a place holds, with a negative number."""

    low, high = -3, 9


class Row(Record):
    """So many places that a state has several words."""

    load: Map[Place, Load]
    at: Place


def row() -> Machine[Row]:
    """Loads are carried along a row of places, up and down, and some are lost."""
    machine = Machine("row", Row, "a row of places")

    @machine.action()
    def carry(s: Row, load: Load) -> None:
        """The next place gets a load that the first one decides."""
        needs(is_not_the_end=s.at < 39, is_near=(load == s.load[Place(0)]) | (load == 2))
        s.at += 1
        s.load[s.at] = load

    @machine.action()
    def drop(s: Row) -> None:
        """The first load changes while nothing was carried far."""
        needs(is_near=s.at < 3, has_room=s.load[Place(0)] < -1)
        s.load[Place(0)] += 1

    @machine.sometimes()
    def the_last_place_is_reached(s: Row) -> Bool:
        """Something stands at the end."""
        return (s.at == 39) & exists(Place, lambda p: s.load[p] > 1)

    @machine.ends
    def all_is_carried(s: Row) -> Bool:
        return (s.at == 39) & (s.load[Place(0)] == -3)

    return machine


MACHINES: dict[str, tuple[Machine[Any], Scope | str]] = {
    "jug": (jug(), "default"),
    "house": (house(), "default"),
    "post office": (post_office, Scope("small", {"clerks": 2, "heaviest": 1, "room": 2}, "")),
    "replication": (catalogue.machine("replication"), "tiny"),
    "kip-101": (
        catalogue.machine("replication", "kip-101"),
        Scope("", {"brokers": 2, "log_size": 2, "max_records": 2, "max_leader_epoch": 1}, ""),
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_states_parents_and_counts_are_those_of_the_plain_kernel(name: str) -> None:
    explored = problem(*MACHINES[name])
    assert_same(finished(Plain(explored)), finished(Vectors(explored)))


def test_a_state_of_several_words_and_a_deadlock_are_those_of_the_plain_kernel() -> None:
    explored = problem(row(), Scope("only", {}, ""))
    assert explored.layout.words == 3
    plain, vectors = Plain(explored), Vectors(explored)
    for kernel in (plain, vectors):
        while kernel.expanded < 700:
            kernel.expand(100)
    assert_same(plain.snapshot(), vectors.snapshot())
    stuck = Problem(explored.layout, [], [], [], explored.first, scalars.FALSE)
    assert finished(Vectors(stuck)).deadlock == finished(Plain(stuck)).deadlock == 0


def test_a_deadlock_is_a_state_without_steps_that_may_not_end() -> None:
    explored = problem(jug())
    full = scalars.equal(scalars.slot(0, 0, 5), scalars.number(5))
    for may_end, dead in ((full, None), (scalars.negate(full), 5)):
        judged = Problem(
            explored.layout, explored.steps, explored.actions, [], explored.first, may_end
        )
        assert finished(Vectors(judged)).deadlock == finished(Plain(judged)).deadlock == dead


@pytest.mark.parametrize("most", [7, 100])
def test_where_it_stops_between_chunks_changes_nothing(most: int) -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    assert_same(finished(Vectors(explored)), finished(Vectors(explored), most))


def test_chunks_that_are_smaller_than_levels_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    expected = finished(Vectors(explored))
    monkeypatch.setattr("model.engines.kernels.expansion.MOST_ROWS", 5)
    assert_same(expected, finished(Vectors(explored)))


def test_a_call_expands_no_more_than_asked_and_stays_in_its_level() -> None:
    kernel = Vectors(problem(house()))
    seen = []
    while kernel.expanded < kernel.distinct:
        kernel.expand(4)
        seen.append((kernel.depth, kernel.expanded, kernel.level_end))
    assert seen == [
        (1, 1, 1), (2, 5, 5), (3, 9, 11), (3, 11, 11), (4, 15, 15), (5, 16, 16),
    ]  # fmt: skip


@pytest.mark.parametrize("before", [0, 1, 100, 500])
def test_kernels_go_on_where_the_other_one_stopped(before: int) -> None:
    explored = problem(catalogue.machine("replication"), "tiny")
    expected = finished(Plain(explored))
    for one, other in ((Plain, Vectors), (Vectors, Plain), (Vectors, Vectors)):
        first = one(explored)
        while first.expanded < before:
            first.expand(before - first.expanded)
        assert_same(expected, finished(other(explored, first.snapshot())))


def test_what_was_handed_over_is_not_shared() -> None:
    explored = problem(house())
    kernel = Vectors(explored)
    kernel.expand(1)
    before = kernel.snapshot()
    finished(kernel)
    assert (len(before.states), before.expanded, before.fired) == (5, 1, [4])
    assert len(finished(Vectors(explored, before)).states) == 16
    assert (len(before.states), before.expanded, before.fired) == (5, 1, [4])


@pytest.mark.parametrize("rows", [1, 2, 1 << 15])
def test_the_first_step_without_room_is_reported(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.engines.kernels.expansion.MOST_ROWS", rows)
    explored = problem(
        catalogue.machine("replication").mutated("leader_accepts_produce.log_has_room"),
        Scope("", {"brokers": 2, "log_size": 1, "max_records": 2, "max_leader_epoch": 1}, ""),
    )
    said = []
    for kernel in (Plain(explored), Vectors(explored)):
        with pytest.raises(ScopeTooSmallError) as caught:
            finished(kernel)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_the_published_count_is_reached_with_few_bytes_for_a_state() -> None:
    kernel = Vectors(problem(catalogue.machine("replication"), "two-brokers"))
    known = finished(kernel)
    assert (len(known.states), known.generated, known.depth) == (120_879, 261_017, 26)
    assert kernel.bytes / kernel.distinct <= 64
    kernel.close()
    assert kernel.bytes < 10_000


def test_a_number_that_no_column_holds_is_refused() -> None:
    wide = scalars.add(scalars.slot(0, 0, 2**63 - 1), scalars.number(1))
    with pytest.raises(ModelError, match=r"0\.\.9223372036854775808 are too large|too large for"):
        evaluate_all(problem(jug()).layout, [wide], np.zeros((1, 1), np.uint64))


def agree_on_random_programs(examples: int) -> None:
    settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(programs(), st.lists(states(), min_size=1, max_size=4))(agree))()


def agree(program: Any, drawn: list[dict[str, Any]]) -> None:
    """Columns are what the evaluator says of each state by itself."""
    machine = machine_of(*program)
    lowering = Lowering(machine, SCOPE)
    layout = lowering.layout
    packed_states = [layout.pack(slots_of(layout, state)) for state in drawn]
    words = words_of(layout, packed_states)
    assert [packed(state) for state in words] == packed_states
    steps = list(lowering.steps())
    wanted = [lowering.truth(machine.properties["claimed"].holds)]
    for step in steps:
        wanted += [*step.guards.values(), *step.updates.values(), step.fits]
    for value, column in zip(wanted, evaluate_all(layout, wanted, words), strict=True):
        expected = [int(evaluate(value, layout.unpack(state))) for state in packed_states]
        assert column.astype(int).tolist() == expected
    for step in steps:
        expected_rows = [
            (row, lowered_step(lowering, step, state))
            for row, state in enumerate(packed_states)
            if all(evaluate(g, layout.unpack(state)) for g in step.guards.values())
        ]
        try:
            rows, after = successors(layout, step, words)
        except ScopeTooSmallError:
            assert None in [state for _, state in expected_rows]
        else:
            assert [(int(r), packed(w)) for r, w in zip(rows, after, strict=True)] == expected_rows


def test_random_steps_are_what_the_evaluator_says() -> None:
    agree_on_random_programs(25)


@pytest.mark.deep
def test_thousands_of_random_steps_are_what_the_evaluator_says() -> None:
    agree_on_random_programs(2000)


@pytest.mark.parametrize(
    ("name", "wrong"), [("less", np.less_equal), ("intersection", np.bitwise_or)]
)
def test_random_programs_find_columns_that_are_wrong(
    name: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sheet.UFUNCS, name, wrong)
    with pytest.raises(AssertionError):
        agree_on_random_programs(150)


@pytest.mark.parametrize("words", [1, 2, 5])
@pytest.mark.parametrize("collide", [False, True])
def test_a_table_keeps_each_state_once_in_the_order_of_arrival(
    words: int, collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if collide:
        monkeypatch.setattr(table, "hashes", lambda keys: np.zeros(len(keys), np.uint64))
    choose = np.random.default_rng(3)
    known: dict[tuple[int, ...], int] = {}
    kept = Table(np.empty((0, words), np.uint64))
    for _ in range(12):
        # Few different states, so that many stand in the table or come twice.
        keys = choose.integers(0, 2, (200, words)).astype(np.uint64) * np.uint64(1 << 63)
        keys[:, 0] += choose.integers(0, 150, 200).astype(np.uint64)
        rows = [tuple(row) for row in keys.tolist()]
        found = kept.find(keys)
        assert found.tolist() == [known.get(row, -1) for row in rows]
        unknown = np.flatnonzero(found < 0)
        new = unknown[kept.add(keys[unknown])]
        expected = [i for i, r in enumerate(rows) if r not in known and rows.index(r) == i]
        assert new.tolist() == expected
        for row in expected:
            known[rows[row]] = len(known)
        assert [tuple(row) for row in kept.states[: kept.count].tolist()] == list(known)


def test_positions_are_found_among_states() -> None:
    haystack = np.array([[5, 1], [5, 2], [6, 1]], np.uint64)
    needles = np.array([[6, 1], [1, 5], [5, 1]], np.uint64)
    assert find_positions(haystack, needles).tolist() == [2, -1, 0]
    assert find_positions(haystack[:0], needles).tolist() == [-1, -1, -1]
