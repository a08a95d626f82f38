"""What is wrong in a machine is said in a sentence: all of them, as a reader sees them.

`golden/errors.txt` has the sentences; `REWRITE_GOLDEN=1 pytest tests/model/test_errors.py` writes
it anew, to be read in the diff.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.engines.explore import explore
from model.lang import (
    Bag,
    Bool,
    Bound,
    Enum,
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
    every,
    implies,
    needs,
    set_of,
    some,
)

GOLDEN = Path(__file__).parent / "golden" / "errors.txt"


class Broker(Sort):
    """A broker."""

    size = Bound("brokers")


class Offset(Range):
    """A position in a log."""

    low, high = 0, Bound("log_size")


class Unsized(Seq[Offset]):
    """A row that does not say how long it may be."""


class Letter(Record):
    """A message."""

    to: Broker


class Network(Bag[Letter]):
    """What is on its way."""

    capacity = 1


class State(Record):
    """A state."""

    leader: Option[Broker]
    isr: Set[Broker]
    end: Map[Broker, Offset]
    network: Network


def fresh() -> Machine[State]:
    return Machine("brokers", State, "brokers")


def an_action(body: Callable[[Any, Any], object]) -> Callable[[], None]:
    """What happens when this is the body of an action."""

    def define() -> None:
        @fresh().action()
        def act(s: State, broker: Broker) -> None:
            """Act."""
            body(s, broker)

    return define


def explored(body: Callable[[Any, Any], object], **bounds: int) -> Callable[[], None]:
    """What happens when a machine with this action is explored."""

    def run() -> None:
        machine = fresh()

        @machine.action()
        def act(s: State, broker: Broker) -> None:
            """Act."""
            body(s, broker)

        explore(machine, Scope("small", bounds, "by hand"))

    return run


def advances(s: State, broker: Broker) -> None:
    s.end[broker] += 1


def sends(s: State, broker: Broker) -> None:
    s.network.add(Letter(to=broker))


def guards_twice(s: State, broker: Broker) -> None:
    needs(x=s.isr.has(broker))
    needs(x=s.isr.has(broker))


def guards_late(s: State, broker: Broker) -> None:
    advances(s, broker)
    needs(x=s.isr.has(broker))


def updates_for_each(s: State, broker: Broker) -> None:
    def claim(other: Broker) -> Bool:
        advances(s, other)
        return other == broker

    needs(x=every(Broker, claim))


def an_unsized_state() -> None:
    class Odd(Record):
        log: Unsized

    Machine("odd", Odd, "odd")


def an_enum_without_values() -> None:
    class Phase(Enum):
        pass


def a_field_with_a_value() -> None:
    class Odd(Record):
        end: Offset = Offset(0)


def a_field_of_python() -> None:
    class Odd(Record):
        end: int


def a_bag_of_numbers() -> None:
    Bag[Offset]


def an_option_of_a_set() -> None:
    Option[Set[Broker]]


def no_docstring() -> None:
    @fresh().action()
    def act(s: State, broker: Broker) -> None:
        s.leader = some(broker)


def a_wrong_clause() -> None:
    fresh().action("REPL-4")


def an_unknown_bag() -> None:
    @fresh().action(message=lambda s: s.network)
    def act(s: State, letter: Letter) -> None:
        """Act."""
        s.network.remove(letter)


def a_bag_of_others() -> None:
    @fresh().action(letter=lambda s: s.isr)
    def act(s: State, letter: Letter) -> None:
        """Act."""
        s.network.remove(letter)


def a_record_parameter() -> None:
    @fresh().action()
    def act(s: State, letter: Letter) -> None:
        """Act."""
        s.network.remove(letter)


def a_claim_that_changes() -> None:
    @fresh().always(broken_by="act")
    def claim(s: State) -> Bool:
        """Claim."""
        s.leader = some(s.leader.value)
        return s.leader.is_some


def a_claim_with_guards() -> None:
    @fresh().always(broken_by="act")
    def claim(s: State) -> Bool:
        """Claim."""
        needs(x=s.leader.is_some)
        return s.leader.is_some


def a_proof_of_nothing() -> None:
    fresh().proof("everything_is_fine")


def an_unknown_mutant() -> None:
    fresh().mutated("act.guard")


def fairness_of_nothing() -> None:
    fresh().eventually(broken_by="act", fair=["act"])(lambda s: s.leader.is_some)


def a_name_twice() -> None:
    machine = fresh()
    for _ in range(2):

        @machine.sometimes()
        def there_is_a_leader(s: State) -> Bool:
            """There is a leader."""
            return s.leader.is_some


def a_quantifier_anywhere() -> None:
    every(Broker, lambda b: b == b)


class Unlike(Sort):
    """Another sort."""

    size = 2


MISTAKES: dict[str, Callable[[], object]] = {
    "if on a term": an_action(lambda s, b: s.isr.__ior__(set_of(b)) if b == b else None),
    "for on a term": an_action(lambda s, _: needs(*s.isr)),
    "and on terms": an_action(lambda s, b: needs(x=s.isr.has(b) and s.leader.is_some)),
    "two guards of one name": an_action(guards_twice),
    "a guard after an update": an_action(guards_late),
    "an action that changes nothing": an_action(lambda s, b: needs(x=s.isr.has(b))),
    "an update in a quantifier": an_action(updates_for_each),
    "an unknown field": an_action(lambda s, b: setattr(s, "leeder", some(b))),
    "a value of another type": an_action(lambda s, b: setattr(s, "leader", b)),
    "another sort": an_action(lambda _, b: needs(x=implies(b == Unlike.of_node(b.node), b == b))),
    "a truth value as a number": an_action(lambda s, b: s.end.__setitem__(b, True)),
    "a value that is no place": an_action(lambda _, b: Letter(to=b).__setattr__("to", b)),
    "a missing field": an_action(lambda s, _: s.network.add(Letter())),  # type: ignore[call-arg]
    "a type without a size": an_unsized_state,
    "an enum without values": an_enum_without_values,
    "a field with a value": a_field_with_a_value,
    "a field of Python's": a_field_of_python,
    "a bag of numbers": a_bag_of_numbers,
    "an option of a set": an_option_of_a_set,
    "no docstring": no_docstring,
    "no clause": a_wrong_clause,
    "a bag for no parameter": an_unknown_bag,
    "a parameter from another bag": a_bag_of_others,
    "a record as a parameter": a_record_parameter,
    "a claim that changes the state": a_claim_that_changes,
    "a claim with guards": a_claim_with_guards,
    "a proof of nothing": a_proof_of_nothing,
    "an unknown mutant": an_unknown_mutant,
    "fairness of nothing": fairness_of_nothing,
    "two claims of one name": a_name_twice,
    "a quantifier outside of a machine": a_quantifier_anywhere,
    "a bound that the scope lacks": explored(advances, log_size=1),
    "a type without values": explored(advances, brokers=1, log_size=-1),
    "a number that has no room": explored(advances, brokers=1, log_size=1),
    "a bag that has no room": explored(sends, brokers=1, log_size=1),
}


def sentence(mistake: Callable[[], object]) -> str:
    with pytest.raises(ModelError) as raised:
        mistake()
    return str(raised.value)


def test_every_mistake_is_told_as_in_the_golden_file() -> None:
    told = "\n".join(f"{name}\n    {sentence(mistake)}" for name, mistake in MISTAKES.items())
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(told + "\n")
    assert told + "\n" == GOLDEN.read_text()
