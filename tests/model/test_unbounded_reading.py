"""One definition, two readers: without upper limits, steps and claims are what they are in a scope
that has room for them.
"""

import random
from typing import Any

import pytest
import z3

from model.areas.replication.ghost import machine as replication
from model.areas.replication.proof import RESTS_ON
from model.engines.concrete import Stepper, evaluate
from model.engines.lowering.layout import LENGTH, Layout, Path
from model.engines.lowering.lower import Lowering
from model.engines.smt.reading import Reading
from model.engines.smt.values import Family, Heap, Row, Shapes, conjunction, either, same
from model.lang import Bag, Bool, Machine, Map, Option, Record, Scope, Seq, Set
from tests.model.test_unbounded_prover import bank, counters, logs, shop

ROOMY = {
    "replication": {"brokers": 3, "log_size": 4, "max_records": 5, "max_leader_epoch": 4},
    "counters": {"most": 6},
    "logs": {"most": 2, "log_size": 4},
    "bank": {"customers": 2, "most": 2, "in_flight": 3},
    "shop": {"customers": 3, "tickets": 6},
}
MACHINES = [replication, counters(), shop(), logs(), bank()]


class Seen:
    """A packed state as a value of the unbounded reader."""

    def __init__(self, shapes: Shapes, layout: Layout, state: int) -> None:
        self.shapes, self.layout, self.numbers = shapes, layout, layout.unpack(state)

    def value(self, of: type[Any], path: Path = ()) -> Any:
        """The part of the state at a path."""
        if issubclass(of, Record):
            return {name: self.value(part, (*path, name)) for name, part in of.fields().items()}
        if issubclass(of, Map):
            items = [
                self.value(of.item, (*path, i))
                for i in range(self.layout.sizes.cardinality(of.key))
            ]
            return tuple(items) if self.shapes.is_finite(of.key) else self._family(of.item, items)
        if issubclass(of, Seq | Bag):
            length = self.numbers[self.layout.index[*path, LENGTH]]
            items = [self.value(of.item, (*path, i)) for i in range(length)]
            if issubclass(of, Seq):
                return Row(length, self._family(of.item, items).at)
            parts = [self.shapes.parts(of.item, item) for item in items]
            return Heap(lambda wanted: self._times(parts, wanted))
        number = self.numbers[self.layout.index[path]]
        if issubclass(of, Set):
            held = [bool(number >> i & 1) for i in range(self.layout.sizes.cardinality(of.item))]
            return tuple(held) if self.shapes.is_finite(of.item) else self._family(Bool, held)
        if issubclass(of, Option):
            return self.shapes.low(of) + number
        return bool(number) if issubclass(of, Bool) else number

    def _family(self, item: type[Any], items: list[Any]) -> Family:
        default = self.shapes.default(item)

        def at(index: Any) -> Any:
            found = default
            for number, value in enumerate(items):
                found = either(same(index, number), value, found)
            return found

        return Family(at)

    @staticmethod
    def _times(items: list[list[Any]], wanted: Any) -> Any:
        found: Any = 0
        for item in items:
            alike = conjunction(*(same(a, b) for a, b in zip(item, wanted, strict=True)))
            found = either(alike, found + 1, found)
        return found


def some_states(stepper: Stepper, first: int, how_many: int) -> list[int]:
    """States that random runs meet."""
    choose = random.Random(5)
    found: list[int] = []
    while len(found) < how_many * 4:
        state = first
        for _ in range(25):
            found.append(state)
            following = [after for _, after in stepper.successors(state)]
            if not following:
                break
            state = choose.choice(following)
    return choose.sample(found, how_many)


# In a scope the first value of a Sort is the one with number 0; without limits it is any of them.
FIRST = [z3.Int(f"first {name}") == 0 for name in ("Broker", "Customer")]


def decided(claim: Any, facts: list[Any]) -> bool:
    """The truth value of what speaks of constants only."""
    if isinstance(claim, bool):
        return claim
    answers = []
    for wanted in (claim, z3.Not(claim)):
        solver = z3.Solver()
        solver.add(*facts, *FIRST, wanted)
        answers.append(solver.check())
    assert sorted(map(str, answers)) == ["sat", "unsat"], claim
    return bool(answers[0] == z3.sat)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_claims_hold_where_they_hold_in_a_scope(machine: Machine[Any]) -> None:
    scope = Scope("roomy", ROOMY[machine.name], "")
    lowering, shapes = Lowering(machine, scope), Shapes(ROOMY[machine.name])
    stepper = Stepper(lowering)
    claims = [p for p in machine.properties.values() if p.kind != "sometimes"]
    claims = [p for p in claims if machine is not replication or p.name in RESTS_ON]
    for state in some_states(stepper, lowering.initial(), 4):
        seen = Seen(shapes, lowering.layout, state)
        for claim in claims:
            reading = Reading(shapes, seen.value(machine.state))
            expected = bool(evaluate(lowering.truth(claim.holds), seen.numbers))
            assert decided(reading.truth(claim.holds), reading.facts) == expected


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_steps_lead_where_they_lead_in_a_scope(machine: Machine[Any]) -> None:
    scope = Scope("roomy", ROOMY[machine.name], "")
    lowering, shapes = Lowering(machine, scope), Shapes(ROOMY[machine.name])
    stepper = Stepper(lowering)
    for state in some_states(stepper, lowering.initial(), 12):
        after = dict(stepper.successors(state))
        seen = Seen(shapes, lowering.layout, state)
        for name, step in zip(stepper.names, stepper.steps, strict=True):
            if step.action.drawn:
                continue
            reading = Reading(shapes, seen.value(machine.state))
            given = {
                parameter: bool(value.low)
                if issubclass(step.action.parameters[parameter], Bool)
                else value.low
                for parameter, value in step.arguments.items()
            }
            for guard, holds in step.guards.items():
                if not (machine.name == "bank" and guard == "has_room"):  # it asks for a size
                    said = reading.truth(step.action.guards[guard], given)
                    expected = bool(evaluate(holds, seen.numbers))
                    assert decided(said, reading.facts) == expected, (name, guard)
            if name in after:
                wanted = Seen(shapes, lowering.layout, after[name]).value(machine.state)
                reached = reading.value(step.action.after, given)
                alike = shapes.equal(machine.state, reached, wanted)
                assert decided(alike, reading.facts), name
