"""What a machine looks like to other tools: TLA+ text, ITF, pictures.

The texts are those in golden/. To write down what comes of a change, run the tests with
REWRITE_GOLDEN=1, read the difference, and commit it.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from model import catalogue
from model.engines.behaviours.liveness import LassoTrace
from model.engines.explore import explore
from model.engines.export.diagram import dot, mermaid
from model.engines.export.formulas import Formula, choice, headed, implies, junction
from model.engines.export.itf import itf_of
from model.engines.export.tla import config_of, module_name, module_of
from model.engines.lowering.lower import Lowering
from model.engines.runs.trace import Trace, find_trace
from model.lang import (
    Bool,
    Bound,
    Machine,
    Map,
    ModelError,
    Range,
    Record,
    Scope,
    Set,
    Sort,
    every,
    exists,
    if_else,
    needs,
)
from tests.model import post_office, toys
from tests.model.post_office import Clerk, Kind

GOLDEN = Path(__file__).parent / "golden"
REPLICATION = catalogue.machine("replication")
OFFICE = post_office.machine


def is_as_in(file: str, text: str) -> None:
    """The text is the golden one."""
    if os.environ.get("REWRITE_GOLDEN"):
        (GOLDEN / file).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / file).read_text(encoding="utf-8"), "see the head of this file"


# TLA+.


@pytest.mark.parametrize(
    ("machine", "scope"),
    [(REPLICATION, "tiny"), (OFFICE, "default"), (toys.house(), "default")],
    ids=["replication", "post office", "house"],
)
def test_a_module_reads_as_a_person_would_write_it(machine: Machine[Any], scope: str) -> None:
    name = module_name(machine)
    is_as_in(f"{name}.tla", module_of(machine, machine.scopes[scope]))
    is_as_in(f"{name}.cfg", config_of(machine, machine.scopes[scope]))


def test_a_configuration_can_ask_for_one_claim() -> None:
    text = config_of(OFFICE, OFFICE.scopes["default"], ["a_parcel_is_sorted"])
    assert "    NeverAParcelIsSorted\n" in text
    assert "WhoIsBusyIsNotIdle" not in text


def test_a_liveness_claim_is_checked_under_its_own_fairness() -> None:
    text = config_of(OFFICE, OFFICE.scopes["default"], eventually="what_was_brought_is_taken")
    assert "SPECIFICATION FairWhatWasBroughtIsTaken\n" in text
    assert "PROPERTY WhatWasBroughtIsTaken\n" in text


def test_a_configuration_knows_only_claims_of_the_machine() -> None:
    with pytest.raises(ModelError, match="house has no property 'lit_twice'"):
        config_of(toys.house(), toys.house().scopes["default"], ["lit_twice"])


def test_a_module_of_the_past_has_a_name_of_its_own() -> None:
    past = catalogue.machine("replication", "kip-101")
    assert module_name(past) == "ReplicationKip101"
    assert module_name(past.mutated("follower_fetches.is_another")) == (
        "ReplicationKip101BrokenFollowerFetchesIsAnother"
    )


def test_a_drawn_parameter_must_be_in_its_bag() -> None:
    broken = OFFICE.mutated("clerk_takes.has_item")
    with pytest.raises(ModelError, match="clerk_takes cannot be exported without its guard"):
        module_of(broken, OFFICE.scopes["default"])


class Len(Sort):
    """Named as an operator of TLA+."""

    size = 2


class Size(Range):
    """Any size."""

    low, high = 0, Bound("tla")


class Odd(Record):
    """Fields named as the words of TLA+, and of the module."""

    Init: Size
    vars: Size
    option: Size


def odd() -> Machine[Odd]:
    machine = Machine("odd", Odd, "odd names")

    @machine.action()
    def next(s: Odd, Init: Len, option: Size) -> None:  # noqa: A001, N803, ARG001
        """Takes a name that is taken."""
        needs(is_less=s.Init < option)
        s.Init = option

    @machine.sometimes()
    def spec(s: Odd) -> Bool:
        """As the specification is called."""
        return s.Init > 0

    return machine


def test_names_that_tla_has_already_get_a_number() -> None:
    text = module_of(odd(), Scope("only", {"tla": 2}, ""))
    assert "VARIABLES\n    Init2, vars2, option2\n" in text
    assert "CONSTANTS\n    Len2, Tla\n" in text
    assert "Next2(Init3, option) ==" in text
    assert "Spec2 == 0 < Init2" in text


class Box(Record):
    """Two numbers."""

    one: Size
    two: Size


class Boxes(Record):
    """Two boxes."""

    boxes: Map[Len, Box]


class Switches(Record):
    """A map whose keys are truth values."""

    switch: Map[Bool, Bool]
    on: Set[Bool]
    first: Bool


def written(act: Any) -> str:
    """What an action with two parameters changes, in TLA+."""
    machine = Machine("boxes", Boxes, "boxes")
    machine.action()(act)
    text = module_of(machine, Scope("only", {"tla": 2}, ""))
    start, end = text.index("boxes' ="), text.index("Next ==")
    return " ".join(text[start:end].split())


def test_a_part_that_changes_twice_is_written_once() -> None:
    def act(s: Boxes, here: Len, there: Len) -> None:  # noqa: ARG001
        """Two steps in one."""
        s.boxes[here].one += 1
        s.boxes[here].one += 1
        s.boxes[here].two -= s.boxes[here].one

    assert written(act) == (
        "boxes' = [boxes EXCEPT ![here].one = boxes[here].one + 1 + 1, "
        "![here].two = @ - (boxes[here].one + 1 + 1)]"
    )


def test_changes_at_two_keys_that_may_be_one_follow_each_other() -> None:
    def act(s: Boxes, here: Len, there: Len) -> None:
        """Each sees what was done before it."""
        s.boxes[here].one += 1
        s.boxes[there].two += 1
        s.boxes[there].one += 1
        s.boxes[here].one = if_else(s.boxes[here].two > 1, s.boxes[here].one, Size(0))

    assert written(act) == (
        "boxes' = [boxes EXCEPT ![there].two = @ + 1, ![there].one = new_one, ![here].one = "
        "IF 1 < (IF here = there THEN boxes[there].two + 1 ELSE boxes[here].two) THEN IF here = "
        "there THEN new_one ELSE boxes[here].one + 1 ELSE 0]"
    )


def test_a_claim_as_a_key_stands_in_parentheses() -> None:
    machine = Machine("switches", Switches, "switches")

    @machine.sometimes()
    def claimed(s: Switches) -> Bool:
        """TLC would take the bare claim for the variable of a function."""
        return s.switch[s.on.has(s.first)]

    assert r"Claimed == switch[(first \in on)]" in module_of(machine, Scope("only", {}, ""))


def test_what_becomes_what_it_was_stays_as_it_was() -> None:
    def act(s: Boxes, here: Len, there: Len) -> None:
        """Nothing happens."""
        s.boxes[here] = s.boxes[here]
        s.boxes[there].one = s.boxes[there].one

    assert written(act) == "boxes' = boxes"


def test_what_is_known_of_a_variable_is_not_taken_for_known_of_another() -> None:
    machine = Machine("office", post_office.State, "an office")

    @machine.sometimes()
    def claimed(s: post_office.State) -> Bool:
        """A claim that was made outside stands inside a quantifier of the same type."""
        outside = exists(Clerk, lambda one: s.busy[one].value == Kind.LETTER)
        return every(Clerk, lambda one: s.busy[one].is_some & outside)

    text = module_of(machine, OFFICE.scopes["default"])
    assert r'busy[clerk] # None /\ (\E clerk2 \in Clerk : OrElse(busy[clerk2], "LETTER")' in text


def test_a_long_formula_is_broken_where_a_person_would_break_it() -> None:
    long = [Formula(f"{'x' * 40} = {n}", 4) for n in range(3)]
    formula = headed("\\A x \\in S :", implies(junction("/\\", long[:2]), junction("\\/", long)))
    assert formula.lines(60) == [
        "\\A x \\in S :",
        f"    (/\\ {long[0].flat}",
        f"     /\\ {long[1].flat}) =>",
        f"        \\/ {long[0].flat}",
        f"        \\/ {long[1].flat}",
        f"        \\/ {long[2].flat}",
    ]
    assert choice(*long).lines(60) == [
        f"IF {long[0].flat}",
        f"  THEN {long[1].flat}",
        f"  ELSE {long[2].flat}",
    ]


# ITF.


def trace_to(machine: Machine[Any], witness: str) -> Trace:
    found = explore(machine, machine.scopes["default"]).verdicts[witness].trace
    assert found is not None
    return found


def test_a_trace_is_written_as_itf() -> None:
    written = itf_of(trace_to(OFFICE, "a_parcel_is_sorted"))
    meta = written["#meta"]
    assert meta["format"] == "ITF"
    assert meta["varTypes"]["shelf"] == "Seq({ kind: Str, weight: Int })"
    assert meta["varTypes"]["busy"] == "(CLERK -> None(UNIT) | Some(Str))"
    assert "loop" not in written
    first, *_, last = written["states"]
    assert set(first) == {"#meta", *written["vars"]} == {"#meta", *OFFICE.state.fields()}
    assert first["#meta"] == {"index": 0}
    assert first["idle"] == {"#set": ["clerk1"]}
    assert first["busy"] == {"#map": [["clerk1", {"tag": "None", "value": {"#tup": []}}]]}
    assert first["value"] == {"#bigint": "-1"}
    assert last["#meta"]["index"] == len(written["states"]) - 1
    assert last["#meta"]["action"] == "postman_sorts(item=(kind PARCEL weight 0))"
    assert last["busy"] == {"#map": [["clerk1", {"tag": "Some", "value": "LETTER"}]]}
    parcel = {"kind": "PARCEL", "weight": {"#bigint": "0"}}
    assert last["trays"]["#map"][1] == ["PARCEL", {"#map": [[parcel, {"#bigint": "1"}]]}]
    assert last["seen"] == {"#map": [["LETTER", True], ["PARCEL", True]]}


def test_equal_elements_of_a_bag_are_counted_once_in_itf() -> None:
    lowering = Lowering(OFFICE, OFFICE.scopes["default"])
    numbers = lowering.layout.unpack(lowering.initial())
    numbers[lowering.layout.index["counter", "length"]] = 2
    written = itf_of(Trace(lowering.layout, [lowering.layout.pack(numbers)], []))
    item = {"kind": "LETTER", "weight": {"#bigint": "-1"}}
    assert written["states"][0]["counter"] == {"#map": [[item, {"#bigint": "2"}]]}


def test_a_lasso_in_itf_says_where_it_begins_again() -> None:
    machine = toys.jug()

    @machine.action()
    def drain(s: toys.Jugs) -> None:
        """All but a litre."""
        needs(is_full=s.water == 3)
        s.water = toys.Level(1)

    lowering = Lowering(machine, Scope("small", {"jug": 3}, ""))
    trace = find_trace(lowering, [lowering.layout.pack([n]) for n in (0, 1, 2, 3, 1)])
    written = itf_of(LassoTrace(trace.layout, trace.states, trace.actions, loop=1))
    assert [state["water"]["#bigint"] for state in written["states"]] == ["0", "1", "2", "3"]
    assert written["loop"] == 1
    assert written["#meta"]["loop-action"] == "drain()"


def test_a_run_that_stops_for_ever_loops_at_its_last_state() -> None:
    lowering = Lowering(toys.jug(), Scope("small", {"jug": 1}, ""))
    states = [lowering.layout.pack([0]), lowering.layout.pack([1])]
    written = itf_of(find_trace(lowering, states), loop=1)
    assert (written["loop"], len(written["states"])) == (1, 2)


# Pictures.


def test_a_small_machine_is_drawn_with_its_start_and_the_states_that_break_a_claim() -> None:
    is_as_in("Jug.mmd", mermaid(toys.jug(), Scope("small", {"jug": 2}, "")))
    is_as_in("Jug.dot", dot(toys.jug(), Scope("small", {"jug": 2}, "")))


def test_states_that_agree_in_the_chosen_fields_are_one_node() -> None:
    text = mermaid(OFFICE, OFFICE.scopes["default"], only=["busy", "idle"])
    is_as_in("PostOffice.mmd", text)
    is_as_in(
        "Replication.dot", dot(REPLICATION, REPLICATION.scopes["tiny"], only=["controller.leader"])
    )


def test_a_deadlock_is_marked() -> None:
    machine = toys.jug()

    @machine.ends
    def it_is_half_full(s: toys.Jugs) -> Bool:
        return s.water == 2

    small = Scope("small", {"jug": 3}, "")
    assert "    class s3 deadlock\n" in mermaid(machine, small)
    assert 's3 [label = "water = 3", color = red' in dot(machine, small)
    assert 'xlabel = "deadlock"' in dot(machine, small)


def test_a_picture_that_is_too_large_is_refused_with_fields_to_choose() -> None:
    with pytest.raises(ModelError) as caught:
        mermaid(REPLICATION, REPLICATION.scopes["tiny"])
    is_as_in("too_many_nodes.txt", f"{caught.value}\n")
    with pytest.raises(ModelError, match="more than 3 nodes cannot be read: the chosen fields"):
        dot(REPLICATION, REPLICATION.scopes["tiny"], only=["controller"], most=3)


def test_a_picture_knows_only_fields_of_the_state() -> None:
    with pytest.raises(ModelError, match=r"no field 'quorum\.term' to draw; there is replica, "):
        dot(REPLICATION, REPLICATION.scopes["tiny"], only=["quorum.term"])
