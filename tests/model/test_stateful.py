"""Random runs, with Hypothesis and without, and runs that are done again."""

import re
from typing import Any

import pytest

from model import catalogue
from model.engines.runs.replay import holds, program, run
from model.engines.runs.simulate import Tally, simulate, tally
from model.engines.runs.stateful import walk
from model.lang import Bag, Bound, Machine, ModelError, Record, Scope, Sort, needs
from tests.model.toys import jug

LARGE = Scope(
    "large",
    {"brokers": 3, "log_size": 4, "max_records": 6, "max_leader_epoch": 6},
    "more than ten times the states of the default scope",
)
STRONG = "committed_records_survive_election"
GUARD = "leader_expands_isr.follows_this_epoch"
current = catalogue.machine("replication")


def execute(text: str) -> None:
    """Run a pasted program as pytest would."""
    names: dict[str, Any] = {}
    exec(compile(text, "<pasted>", "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_what_hypothesis_finds_is_a_program_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = jug()
    found = walk(machine, machine.scopes["default"], ["never_full"], 100, 9)
    assert found.broken == "never_full"
    assert found.program is not None
    assert found.program.count('        ("pour", {}),\n') == 5
    with pytest.raises(ModelError, match="there is no model 'jug'"):
        execute(found.program)
    monkeypatch.setattr(catalogue, "machine", lambda *key: {("jug", "current"): machine}[key])
    execute(found.program)


def test_a_pasted_program_fails_once_the_machine_is_right() -> None:
    mutant = current.mutated(GUARD)
    found = simulate(mutant, LARGE, runs=600, longest=60, seed=3)
    text = program(mutant, LARGE, STRONG, found.broken[STRONG])
    execute(text)
    right = text.replace(f'.mutated("{GUARD}")', "")
    assert right != text
    with pytest.raises(ModelError, match="follows_this_epoch does not hold"):
        execute(right)


def test_a_run_is_refused_where_a_guard_fails_and_the_guard_is_named() -> None:
    scope = current.scopes["tiny"]
    elect = ("controller_elects_leader", {"broker": "broker1"})
    trace = run(current, scope, [elect, ("replica_becomes_leader", {"epoch": 0})])
    assert trace.actions[1] == "replica_becomes_leader(epoch=0)"
    assert holds(current, scope, STRONG, trace)
    with pytest.raises(
        ModelError,
        match=r"call 2: controller_elects_leader\(broker=broker1\) "
        "cannot happen: is_a_change does not hold",
    ):
        run(current, scope, [elect, elect])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (("elect", {}), "call 1: replication has no action 'elect'"),
        (("replica_becomes_leader", {}), "call 1: replica_becomes_leader needs epoch"),
        (("replica_becomes_leader", {"epoch": 7}), "epoch=7) cannot happen in this scope"),
    ],
)
def test_a_call_that_means_nothing_is_refused(
    call: tuple[str, dict[str, object]], sentence: str
) -> None:
    with pytest.raises(ModelError, match=re.escape(sentence)):
        run(current, current.scopes["tiny"], [call])


class Node(Sort):
    """A sender."""

    size = Bound("nodes")


class Message(Record):
    """What is on its way."""

    sender: Node


class Network(Bag[Message]):
    """At most two messages."""

    capacity = 2


class Post(Record):
    """Only a network."""

    network: Network


def post() -> Machine[Post]:
    """Messages are sent and received."""
    machine = Machine("post", Post, "a post office")

    @machine.action()
    def send(s: Post, sender: Node) -> None:
        """A message is on its way."""
        needs(has_room=s.network.size < 2)
        s.network.add(Message(sender=sender))

    @machine.action(message=lambda s: s.network)
    def receive(s: Post, message: Message) -> None:
        """A message arrives."""
        s.network.remove(message)

    return machine


def test_a_message_is_named_by_what_it_says() -> None:
    machine, scope = post(), Scope("two", {"nodes": 2}, "by hand")
    sent = [("send", {"sender": "node2"}), ("send", {"sender": "node1"})]
    trace = run(machine, scope, [*sent, ("receive", {"message": "(sender node2)"})])
    assert trace.layout.show(trace.states[-1]) == {"network": "{sender node1}"}
    text = program(machine, scope, "anything", trace)
    assert '("receive", {"message": "(sender node2)"})' in text
    with pytest.raises(ModelError, match=r"receive\(message=\(sender node2\)\) cannot happen"):
        run(machine, scope, [sent[1], ("receive", {"message": "(sender node2)"})])


def test_random_runs_are_the_same_for_one_seed_however_they_are_spread() -> None:
    mutant = current.mutated(GUARD)

    def spread(numbers: range) -> list[Tally]:
        parts = (numbers[:10], numbers[10:45], numbers[45:])
        return [tally(mutant, LARGE, part, 40, seed=5) for part in parts]

    alone = simulate(mutant, LARGE, runs=60, longest=40, seed=5)
    parted = simulate(mutant, LARGE, runs=60, longest=40, seed=5, spread=spread)
    other = simulate(mutant, LARGE, runs=60, longest=40, seed=6)
    assert (alone.steps, alone.fired, alone.reached) == (
        parted.steps, parted.fired, parted.reached,
    )  # fmt: skip
    assert {n: str(t) for n, t in alone.broken.items()} == {
        n: str(t) for n, t in parted.broken.items()
    }
    assert alone.fired != other.fired


def test_random_runs_count_every_action_and_reach_the_witnesses() -> None:
    found = simulate(current, LARGE, runs=100, longest=60, seed=1)
    assert not found.broken
    assert not found.never_fired
    assert sum(found.fired.values()) == found.steps
    assert set(found.reached) == {
        p.name for p in current.properties.values() if p.kind == "sometimes"
    }


def test_a_run_that_breaks_a_property_is_shortened() -> None:
    machine = jug()

    @machine.action()
    def spill(s: Any) -> None:
        """A litre less."""
        needs(has_water=s.water > 0)
        s.water -= 1

    found = simulate(machine, machine.scopes["default"], runs=20, longest=200, seed=2)
    assert found.steps > 200
    assert found.broken["never_full"].actions == ["pour()"] * 5
    assert found.reached == ("half_full",)


def test_a_run_that_may_not_end_where_it_does_is_a_deadlock() -> None:
    machine = jug()

    @machine.ends
    def is_empty(s: Any) -> Any:
        return s.water == 0

    del machine.properties["never_full"]
    found = simulate(machine, machine.scopes["default"], runs=2, longest=9)
    assert found.ended == 2
    assert found.broken["deadlock"].actions == ["pour()"] * 5
