"""An exploration that is spread over workers counts what the others count, and finds ways as short
to the same verdicts; simulation that is spread makes the same runs.
"""

import itertools
import pickle
import re
import sys
from typing import Any

import numpy as np
import pytest

from model import catalogue
from model.command import main
from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import Exploration, Limits, explore, problem_of
from model.engines.kernels import Kernel, Problem, Snapshot
from model.engines.kernels.part import owners
from model.engines.kernels.plain import Plain
from model.engines.kernels.spread import Deal, Here, Spread
from model.engines.kernels.vectors import Vectors
from model.engines.lowering import scalars
from model.engines.lowering.lower import Lowering
from model.engines.runs.simulate import Tally, simulate, tally
from model.lang import Machine, ModelError, Scope
from tests.model.toys import house, jug

OWNERS = [2, 4, 2, 2, 0, 4]
replication = catalogue.machine("replication")
oldest = catalogue.machine("replication", "truncate-to-high-watermark")


def spread(workers: int) -> Any:
    """What makes kernels of parts in this process."""
    return lambda problem, known=None: Spread(Here(workers), problem, known)


def problem(machine: Machine[Any], scope: str, symmetric: bool = False) -> Problem:
    return problem_of(Lowering(machine, machine.scopes[scope]), symmetric)


def finished(kernel: Kernel, most: int = 10**6) -> Kernel:
    while kernel.expanded < kernel.distinct:
        kernel.expand(most)
    return kernel


def levels(known: Snapshot) -> list[set[tuple[int, ...]]]:
    """The states of each level, found by the parents: each is one level after its own."""
    depths = [0]
    for parent in known.parents[1:]:
        depths.append(depths[parent] + 1)
    assert depths == sorted(depths)
    rows = [tuple(row) for row in known.states.tolist()]
    return [
        {row for row, at in zip(rows, depths, strict=True) if at == depth}
        for depth in range(depths[-1] + 1)
    ]


def assert_alike(one: Snapshot, other: Snapshot) -> None:
    """The same states in each level, the same counts, and the same levels of what was found."""
    for name in ("expanded", "level_end", "depth", "generated", "fired"):
        assert getattr(one, name) == getattr(other, name)
    assert levels(one) == levels(other)
    assert places(one) == places(other)


def places(known: Snapshot) -> dict[int | None, int]:
    """How many states stand on the way to each thing that was found."""
    found: list[tuple[int | None, int]] = list(known.found.items())
    if known.deadlock is not None:
        found.append((None, known.deadlock))
    lengths = {}
    for number, position in found:
        at, lengths[number] = position, 1
        while at:
            at = int(known.parents[at])
            lengths[number] += 1
    return lengths


def summary(seen: Exploration) -> tuple[Any, ...]:
    outcomes = {
        name: (verdict.outcome, len(verdict.trace) if verdict.trace else 0)
        for name, verdict in seen.verdicts.items()
    }
    return seen.distinct, seen.generated, seen.depth, seen.fired, seen.stopped, outcomes


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("machine", [jug(), house(), oldest], ids=["jug", "house", "oldest"])
def test_counts_verdicts_and_lengths_are_those_of_the_plain_kernel(
    machine: Machine[Any], workers: int
) -> None:
    scope = machine.scopes.get("tiny", machine.scopes["default"])
    for limits in (Limits(), Limits(to_the_end=True)):
        expected = explore(machine, scope, limits, kernel="plain")
        seen = explore(machine, scope, limits, kernel=spread(workers))
        assert summary(seen) == summary(expected)


@pytest.mark.parametrize("most", [1, 7, 10**6])
def test_states_stand_in_their_levels_wherever_it_stops(most: int) -> None:
    explored = problem(replication, "tiny")
    expected = finished(Plain(explored)).snapshot()
    assert_alike(expected, finished(spread(3)(explored), most).snapshot())


def test_a_call_expands_no_more_than_asked_and_stays_in_its_level() -> None:
    kernel = spread(3)(problem(house(), "default"))
    seen = []
    while kernel.expanded < kernel.distinct:
        kernel.expand(4)
        seen.append((kernel.depth, kernel.expanded, kernel.level_end))
    assert seen == [
        (1, 1, 1), (2, 5, 5), (3, 9, 11), (3, 11, 11), (4, 15, 15), (5, 16, 16),
    ]  # fmt: skip


def test_every_position_has_its_state_and_its_parent() -> None:
    explored = problem(replication, "tiny")
    kernel = finished(spread(3)(explored))
    known = kernel.snapshot()
    words = [int.from_bytes(row.astype("<u8").tobytes(), "little") for row in known.states]
    assert [kernel.state(position) for position in range(kernel.distinct)] == words
    parents = [kernel.parent(position) for position in range(kernel.distinct)]
    assert parents == known.parents.tolist()
    assert kernel.bytes > known.states.nbytes
    kernel.close()


@pytest.mark.parametrize("before", [0, 1, 100, 500])
def test_kernels_go_on_where_another_one_stopped(before: int) -> None:
    explored = problem(oldest, "tiny")
    expected = finished(Plain(explored)).snapshot()
    makers: list[Any] = [Vectors, spread(2), spread(3)]
    for one, other in itertools.permutations(makers, 2):
        first = one(explored)
        while first.expanded < before:
            first.expand(before - first.expanded)
        assert_alike(expected, finished(other(explored, first.snapshot())).snapshot())


def test_with_symmetry_there_is_one_state_of_each_orbit() -> None:
    scope = replication.scopes["tiny"]
    expected = explore(replication, scope, symmetric=True, kernel="numpy")
    seen = explore(replication, scope, symmetric=True, kernel=spread(2))
    assert summary(seen) == summary(expected)
    assert seen.distinct < 957


def test_a_deadlock_is_found_as_early_as_elsewhere() -> None:
    explored = problem(jug(), "default")
    full = scalars.equal(scalars.slot(0, 0, 5), scalars.number(5))
    for may_end in (full, scalars.negate(full)):
        judged = Problem(
            explored.layout, explored.steps, explored.actions, [], explored.first, may_end
        )
        expected = finished(Plain(judged)).snapshot()
        assert_alike(expected, finished(spread(2)(judged)).snapshot())


def test_a_step_without_room_is_reported_by_name() -> None:
    machine = jug().mutated("pour.has_room")
    with pytest.raises(ScopeTooSmallError, match=r"pour\(\) would set water to 6.* 0\.\.5"):
        explore(machine, machine.scopes["default"], Limits(to_the_end=True), kernel=spread(2))


def test_states_are_shared_out_evenly_and_alike_in_every_process() -> None:
    known = finished(Vectors(problem(replication, "tiny"))).snapshot()
    counts = np.bincount(owners(known.states, 3), minlength=3)
    assert counts.sum() == 957
    assert counts.min() > 957 // 6
    # A cluster of several machines relies on these.
    assert owners(np.arange(12, dtype=np.uint64).reshape(6, 2), 5).tolist() == OWNERS


def test_a_deal_goes_round_those_who_have_states_left() -> None:
    deal = Deal(10, [5, 0, 7], [8, 0, 8])
    dealt = [deal.place(position) for position in range(10, 14)]
    assert dealt == [(0, 5), (2, 7), (0, 6), (0, 7)]
    assert [deal.position(*place) for place in dealt] == [10, 11, 12, 13]
    assert [deal.positions(worker).tolist() for worker in range(3)] == [[10, 12, 13], [], [11]]
    assert [deal.shares(position) for position in range(10, 15)] == [
        [5, 0, 7], [6, 0, 7], [6, 0, 8], [7, 0, 8], [8, 0, 8],
    ]  # fmt: skip


def test_steps_and_claims_are_the_same_in_another_process() -> None:
    parts = [scalars.TRUE, scalars.FALSE, scalars.number(3)]
    parts.append(scalars.less(scalars.slot(0, 0, 5), scalars.slot(1, 0, 5)))
    for one, other in zip(parts, pickle.loads(pickle.dumps(parts)), strict=True):
        assert one is other


def test_a_number_too_wide_for_columns_is_refused() -> None:
    machine = jug()
    with pytest.raises(ModelError, match="use kernel plain"):
        explore(machine, Scope("wide", {"jug": 1 << 63}, ""), kernel=spread(2))


def test_runs_that_are_spread_are_the_same_runs() -> None:
    scope = oldest.scopes["default"]

    def parts(numbers: range) -> list[Tally]:
        return [tally(oldest, scope, numbers[at : at + 30], 20, 4) for at in range(0, 100, 30)]

    alone = simulate(oldest, scope, 100, 20, 4)
    together = simulate(oldest, scope, 100, 20, 4, spread=parts)
    assert (alone.runs, alone.steps, alone.fired) == (100, together.steps, together.fired)
    assert alone.reached == together.reached
    assert {n: t.actions for n, t in alone.broken.items()} == {
        n: t.actions for n, t in together.broken.items()
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kernel", "c"], "leave out --kernel"),
        (["--prove"], "only states and runs are spread over Ray, and not --prove"),
        ([], r"python3 -m pip install 'brokerspec\[ray\]'"),
    ],
)
def test_what_ray_cannot_do_gets_a_sentence(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["replication", "--ray", *arguments]) == 2
    assert re.search(sentence, capsys.readouterr().err)
