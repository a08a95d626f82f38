"""TLC reads an exported machine as we do: the same states, steps, depth and verdicts."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from model import catalogue
from model.engines.behaviours.graph import graph_of
from model.engines.behaviours.liveness import check_liveness
from model.engines.concrete import ScopeTooSmallError
from model.engines.explore import Exploration, Limits, explore, problem_of
from model.engines.export import tla_terms
from model.engines.export.itf import state_of
from model.lang import (
    Bool,
    Machine,
    Range,
    Scope,
    everything,
    if_else,
    needs,
    none,
    set_of,
    some,
)
from tests.model import post_office, toys
from tests.model.drawing import programs
from tests.model.programs import Id, Low, Num, Pair, State, Traced
from tests.model.tla_values import of_itf
from tests.model.tlc import Verdict, needs_tlc, tlc

pytestmark = needs_tlc
ONLY = Scope("only", {}, "all types have fixed sizes")


class Taken(Range):
    """How many steps were taken."""

    low, high = 0, 2


class Counted(State):
    """Some of everything, and how often it changed."""

    taken: Taken


def explored(machine: Machine[Any], scope: Scope) -> Exploration:
    return explore(machine, scope, Limits(to_the_end=True), kernel="plain")


def agree(machine: Machine[Any], scope: Scope, folder: Path) -> Verdict:
    """TLC finds the same states, as many steps, the same depth, and breaks nothing."""
    ours = explored(machine, scope)
    theirs = tlc(machine, scope, folder, states=True)
    assert theirs.broken is None
    assert not ours.violations
    assert (theirs.distinct, theirs.generated, theirs.depth) == (
        ours.distinct, ours.generated, ours.depth,
    )  # fmt: skip
    layout, kernel = ours.lowering.layout, ours.kernel
    known = {
        frozenset((n, of_itf(v)) for n, v in state_of(layout, kernel.state(at)).items())
        for at in range(ours.distinct)
    }
    names = renamed(machine)
    assert known == {frozenset((names.get(n, n), v) for n, v in s.items()) for s in theirs.states}
    return theirs


def renamed(machine: Machine[Any]) -> dict[str, str]:
    """The fields that cannot keep their names in TLA+."""
    return {f"{name}2": name for name in machine.state.fields()}


@pytest.mark.parametrize(
    ("machine", "scope"),
    [
        (toys.jug(), Scope("brimful", {"jug": 4}, "")),
        (toys.house(), toys.house().scopes["default"]),
        (catalogue.machine("replication"), catalogue.machine("replication").scopes["tiny"]),
        (post_office.machine, post_office.machine.scopes["default"]),
    ],
    ids=["jug", "house", "replication", "post office"],
)
def test_tlc_finds_the_states_that_we_find(
    machine: Machine[Any], scope: Scope, tmp_path: Path
) -> None:
    if machine.name == "jug":
        machine = replace(machine, properties={"half_full": machine.properties["half_full"]})
    agree(machine, scope, tmp_path)


def test_tlc_breaks_the_claim_that_we_break_in_as_many_states(tmp_path: Path) -> None:
    machine, scope = toys.jug(), toys.jug().scopes["default"]
    trace = explore(machine, scope).verdicts["never_full"].trace
    theirs = tlc(machine, scope, tmp_path)
    assert trace is not None
    assert (theirs.broken, theirs.length) == ("NeverFull", len(trace))


def test_tlc_reaches_a_witness_where_it_is_told_that_there_is_none(tmp_path: Path) -> None:
    theirs = tlc(toys.jug(), toys.jug().scopes["default"], tmp_path, ["half_full"])
    assert (theirs.broken, theirs.length) == ("NeverHalfFull", 3)


def test_tlc_finds_the_deadlock_that_we_find(tmp_path: Path) -> None:
    machine = toys.jug()

    @machine.ends
    def it_is_half_full(s: toys.Jugs) -> Bool:
        return s.water == 2

    machine = replace(machine, properties={})
    ours, theirs = (
        explored(machine, machine.scopes["default"]),
        tlc(machine, machine.scopes["default"], tmp_path),
    )
    assert ours.deadlock is not None
    assert (theirs.broken, theirs.length) == ("NoDeadlock", len(ours.deadlock))


@pytest.mark.deep
@pytest.mark.parametrize("name", post_office.machine.liveness)
@pytest.mark.parametrize("is_fair", [True, False], ids=["fair", "not fair"])
def test_tlc_judges_liveness_as_we_do(name: str, is_fair: bool, tmp_path: Path) -> None:
    machine = post_office.machine
    if not is_fair:
        machine = machine.mutated(machine.liveness[name].broken_by)
    scope = machine.scopes["default"]
    ours = explored(machine, scope)
    graph = graph_of(problem_of(ours.lowering), ours.kernel.snapshot())
    holds = check_liveness(machine, scope, graph, machine.liveness[name]).holds
    assert holds == is_fair == (tlc(machine, scope, tmp_path, eventually=name).broken is None)


def begin(s: Counted, an_id: Id, other_id: Id, a_low: Low, a_flag: Bool) -> None:
    """All parts of the state become something, so that the programs have something to do."""
    needs(is_first=s.taken == 0)
    s.flag, s.low, s.id = a_flag, a_low, an_id
    s.num = Num.of(a_low) - 2
    s.maybe_low = if_else(a_flag, some(a_low), none(Low))
    s.maybe_flag = if_else(a_low == 3, none(Bool), some(a_flag))
    s.maybe_id = if_else(an_id == other_id, none(Id), some(other_id))
    s.ids = set_of(an_id, other_id)
    s.lows = if_else(a_flag, everything(Low) - set_of(a_low), set_of(a_low))
    s.flags = set_of(a_flag, a_low == 2)
    s.by_low[a_low] = Num(2)
    s.by_flag[a_flag] = some(an_id)
    s.by_id[other_id] = Pair(flag=a_flag, number=a_low)
    s.log.append(s.by_id[an_id])
    s.log.append(Pair(flag=~a_flag, number=a_low))
    s.log.truncate(if_else(a_low == 4, Num(1), Num(2)))
    s.taken += 1


def random_machine(drawn: list[Any], want: bool = True) -> Machine[Counted] | None:
    """A machine whose steps are random programs: those that always fit or, if that is not wanted,
    one that does not.
    """
    kept = Machine("random", Counted, "a random machine")
    kept.action()(begin)
    for number, program in enumerate(drawn):
        larger = replace(kept, actions=dict(kept.actions), properties=dict(kept.properties))
        add_program(larger, number, program)
        try:
            explored(larger, ONLY)
        except ScopeTooSmallError:
            if not want:
                return larger
        else:
            kept = larger
    return kept if want else None


def add_program(machine: Machine[Counted], number: int, program: Any) -> None:
    """An action of the program, one that is taken where its claim holds, and the claim."""
    guards, statements, claim = program

    def act(s: Counted, an_id: Id, a_low: Low, a_flag: Bool) -> None:
        """Act."""
        traced = Traced(s, {"an_id": an_id, "a_low": a_low, "a_flag": a_flag})
        needs(
            **{f"guard{n}": traced.value(guard) for n, guard in enumerate(guards)},
            has_begun=s.taken == 1,
        )
        for statement in statements:
            traced.do(statement)
        s.taken += 1

    def claimed(s: Counted) -> None:
        """It is taken where the claim holds."""
        needs(claim=Traced(s).value(claim), has_begun=s.taken == 1)
        s.taken = Taken(2)

    act.__name__, claimed.__name__ = f"act{number}", f"claimed{number}"
    machine.action()(act)
    machine.action()(claimed)


def agree_on_random_machines(examples: int, folder: Path) -> None:
    """Draw machines, the same ones every time, until TLC disagrees."""
    folders = iter(range(examples * 10))

    def check(drawn: list[Any]) -> None:
        machine = random_machine(drawn)
        assert machine is not None
        if len(machine.actions) > 1:
            (place := folder / str(next(folders))).mkdir()
            agree(machine, ONLY, place)

    repeat(examples)(given(st.lists(programs(), min_size=8, max_size=8))(check))()


def repeat(examples: int) -> Any:
    return settings(
        phases=[Phase.generate],  # To make a failure smaller would take TLC too long.
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def test_tlc_and_we_read_random_machines_alike(tmp_path: Path) -> None:
    agree_on_random_machines(2, tmp_path)


@pytest.mark.deep
def test_tlc_and_we_read_many_random_machines_alike(tmp_path: Path) -> None:
    agree_on_random_machines(40, tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("table", "name", "wrong"),
    [
        (tla_terms.COMBINED, "difference", "\\cap"),
        (tla_terms.COMPARISONS, "at_most", "<"),
    ],
)
def test_random_machines_find_an_export_that_is_wrong(
    table: dict[str, str], name: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table, name, wrong)
    with pytest.raises(AssertionError):
        agree_on_random_machines(20, tmp_path)


def stop_where_there_is_no_room(examples: int, folder: Path) -> None:
    """TLC stops at a step that has no room, as we do."""
    folders = iter(range(examples * 10))

    def check(drawn: list[Any]) -> None:
        machine = random_machine(drawn, want=False)
        if machine is not None:
            (place := folder / str(next(folders))).mkdir()
            theirs = tlc(machine, ONLY, place)
            assert theirs.no_room or theirs.broken == "TypeOK"

    repeat(examples)(given(st.lists(programs(), min_size=8, max_size=8))(check))()


def test_tlc_stops_where_the_scope_is_too_small(tmp_path: Path) -> None:
    stop_where_there_is_no_room(1, tmp_path)


@pytest.mark.deep
def test_tlc_stops_wherever_the_scope_is_too_small(tmp_path: Path) -> None:
    stop_where_there_is_no_room(20, tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize("key", catalogue.MACHINES, ids=" ".join)
def test_tlc_finds_the_states_of_every_machine(key: tuple[str, str], tmp_path: Path) -> None:
    machine = catalogue.machine(*key)
    scope = machine.scopes.get("tiny", machine.scopes["default"])
    holding = {n: p for n, p in machine.properties.items() if n not in machine.breaks}
    machine = replace(machine, properties=holding, breaks={})
    ours = explored(machine, scope)
    theirs = tlc(machine, scope, tmp_path)
    assert theirs.broken is None
    assert (theirs.distinct, theirs.generated, theirs.depth) == (
        ours.distinct, ours.generated, ours.depth,
    )  # fmt: skip


@pytest.mark.deep
@pytest.mark.parametrize(
    "key", [k for k in catalogue.MACHINES if catalogue.machine(*k).breaks], ids=" ".join
)
def test_tlc_breaks_the_designs_of_the_past_in_as_many_states(
    key: tuple[str, str], tmp_path: Path
) -> None:
    machine = catalogue.machine(*key)
    for name, length in machine.breaks.items():
        (folder := tmp_path / name).mkdir()
        theirs = tlc(machine, machine.scopes["default"], folder, [name])
        assert theirs.length == length
