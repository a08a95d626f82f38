"""Recorded observations that are behaviours of a machine, and some that are not."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from random import Random

import pytest

from model.engines.admit import Event, Look, Operation, admit
from model.engines.concrete import ScopeTooSmallError, Stepper
from model.engines.lowering.lower import Lowering
from model.lang import (
    Bag,
    Bound,
    Enum,
    Machine,
    ModelError,
    Option,
    Range,
    Record,
    Scope,
    Seq,
    Sort,
    Value,
    needs,
    some,
)
from tests.model.toys import house, jug


class Amount(Range):
    """What a client writes."""

    low, high = 0, 5


class Client(Sort):
    """Who writes."""

    size = 2


class Offset(Range):
    """A position."""

    low, high = 0, Bound("room")


class Written(Record):
    """A value, and who wrote it."""

    value: Amount
    by: Client


class Values(Seq[Written]):
    """What was written."""

    capacity = Bound("room")


class Shelf(Record):
    """A log of which readers see a part, and who wrote last."""

    log: Values
    readable: Offset
    last: Option[Client]


def shelf() -> Machine[Shelf]:
    """Clients append; what they appended becomes readable unseen, one by one."""
    machine = Machine("shelf", Shelf, "a shelf")

    @machine.initial
    def empty(s: Shelf) -> None:
        s.readable = Offset(0)

    @machine.action()
    def append(s: Shelf, client: Client, value: Amount) -> None:
        """A client writes a value that is greater than the last."""
        needs(
            has_room=s.log.length < Bound("room"),
            grows=s.log.is_empty | (s.log.last.value < value),
        )
        s.log.append(Written(value=value, by=client))
        s.last = some(client)

    @machine.action()
    def show_next(s: Shelf) -> None:
        """One more value becomes readable."""
        needs(is_there=s.readable < s.log.length)
        s.readable += 1

    machine.scope("default", why="by hand", room=4)
    return machine


machine = shelf()
scope = machine.scopes["default"]
HIDDEN = ["show_next"]


def test_a_run_with_hidden_steps_in_between_is_admitted_and_explained() -> None:
    history: list[Event | Look] = [
        Event("append", {"value": 2}),
        Look({"readable": 1}),
        Event("append", {"value": 4}),
    ]
    found = admit(machine, scope, history, HIDDEN)
    assert found.outcome == "admitted"
    assert [name.split("(")[0] for name in found.run.actions] == ["append", "show_next", "append"]
    assert found.as_data()["explained"] == 3


def test_the_same_run_is_refused_when_nothing_is_hidden() -> None:
    history: list[Event | Look | Operation] = [
        Event("append", {"value": 2}),
        Look({"readable": 1}),
    ]
    found = admit(machine, scope, history)
    assert (found.outcome, found.explained) == ("refused", 1)
    assert found.obstacles[0].differences == ("readable is 0, not 1",)


def test_the_first_impossible_event_is_named_with_the_guards_that_forbid_it() -> None:
    history = [Event("append", {"value": v, "client": "client1"}) for v in (1, 3, 3, 5)]
    found = admit(machine, scope, history, HIDDEN)
    assert (found.outcome, found.explained, found.event) == ("refused", 2, history[2])
    assert [o.guards for o in found.obstacles] == [("grows",)]
    assert len(found.states) == 3
    assert "append(client=client1, value=3): grows does not hold" in str(found)
    assert "event 3 of 4 cannot be" in str(found)


def test_arguments_that_nobody_saw_are_found() -> None:
    history = [Event("append"), Event("append", after={"log[1].value": 2, "last": 1})]
    found = admit(machine, scope, history, HIDDEN)
    assert found.outcome == "admitted"
    assert found.run.actions[-1] == "append(client=client2, value=2)"
    low = [Event("append"), Event("append"), Event("append", {"value": range(3)})]
    assert admit(machine, scope, low).outcome == "admitted"
    low.append(Event("append", {"value": range(3)}))
    assert admit(machine, scope, low).outcome == "refused"


def test_what_was_seen_after_an_event_can_refuse_it() -> None:
    whole = [{"value": 1, "by": 0}]
    assert admit(machine, scope, [Event("append", after={"log": whole})]).outcome == "admitted"
    found = admit(machine, scope, [Event("append", {"value": 2}, after={"log": whole})])
    assert found.outcome == "refused"
    assert found.obstacles[0].differences == ("log.0.value is 2 after it, not 1",)
    before = admit(machine, scope, [Event("append", {"value": 2}, before={"log.length": 1})])
    assert before.obstacles[0].differences == ("log.length is 0, not 1",)


def appended(value: int, called: float, returned: float | None) -> Operation:
    return Operation(Event("append", {"value": value}), called, returned, f"writer of {value}")


def seen(count: int, called: float, returned: float) -> Operation:
    return Operation(Look({"readable": count}), called, returned, "reader")


def test_operations_that_overlap_may_take_effect_in_any_order() -> None:
    overlap = [appended(3, 0, 9), appended(1, 1, 2), appended(2, 3, 4)]
    assert admit(machine, scope, overlap, HIDDEN).outcome == "admitted"
    apart = [appended(3, 0, 2), appended(1, 3, 5), appended(2, 6, 7)]
    found = admit(machine, scope, apart, HIDDEN)
    assert (found.outcome, found.event) == ("refused", apart[1])


def test_an_operation_without_an_answer_happens_once_or_never() -> None:
    lost = appended(2, 1, None)
    assert admit(machine, scope, [lost], HIDDEN).outcome == "admitted"
    answered = [appended(1, 0, 1), lost, seen(2, 5, 6)]
    assert admit(machine, scope, answered, HIDDEN).outcome == "admitted"
    assert admit(machine, scope, [*answered, seen(3, 7, 8)], HIDDEN).outcome == "refused"
    # It happens after its call, so not before an operation that returned by then.
    late = [appended(3, 0, 1), appended(2, 2, None), seen(2, 5, 6)]
    assert admit(machine, scope, late, HIDDEN).outcome == "refused"


def recorded(seed: int) -> list[Event | Look | Operation]:
    """What clients record of a random run: intervals around its steps, some answers lost."""
    random = Random(seed)
    lowering = Lowering(machine, scope)
    stepper, state = Stepper(lowering), lowering.initial()
    history: list[Event | Look | Operation] = []
    for time in range(8):
        name, state = random.choice([*stepper.successors(state), ("nothing", state)])
        readable = int(lowering.layout.show(state)["readable"])
        called, returned = time - random.random() * 3, time + random.random() * 3
        if name.startswith("append"):
            value = int(name.split("value=")[1][:-1])
            lost = random.random() < 0.2
            history.append(appended(value, called, None if lost else returned))
        elif name == "nothing":
            history.append(seen(readable, called, returned))
    return history


def has_an_order(history: list[Operation]) -> bool:
    """Every order of the operations that times allow, with and without those whose answer was
    lost, is tried on a shelf that is a list.
    """
    lost = [operation for operation in history if operation.returned is None]
    sure = [operation for operation in history if operation.returned is not None]
    return any(
        explains(order)
        for count in range(len(lost) + 1)
        for kept in combinations(lost, count)
        for order in permutations([*sure, *kept])
    )


def explains(order: Sequence[Operation]) -> bool:
    for later, earlier in combinations(reversed(order), 2):
        if later.returned is not None and later.returned < earlier.called:
            return False
    values: list[object] = []
    readable = 0
    for operation in order:
        if isinstance(operation.what, Event):
            values.append(operation.what.arguments["value"])
            if len(values) > 4 or values != sorted(set(values), key=str):
                return False
        elif isinstance(operation.what, Look):
            count = operation.what.seen["readable"]
            assert isinstance(count, int)
            if not readable <= count <= len(values):
                return False
            readable = count
    return True


@pytest.mark.parametrize("seed", range(30))
def test_what_clients_record_of_a_real_run_is_admitted(seed: int) -> None:
    history = recorded(seed)
    assert admit(machine, scope, history, HIDDEN).outcome == "admitted", history


@pytest.mark.parametrize("seed", range(40))
def test_a_forged_history_is_admitted_just_where_some_order_explains_it(seed: int) -> None:
    random = Random(seed)
    history = [item for item in recorded(seed) if isinstance(item, Operation)][:6]
    for number, operation in enumerate(history):
        if random.random() < 0.4:
            history[number] = replace(operation, called=operation.called + random.choice([-4, 2]))
        if isinstance(operation.what, Look) and random.random() < 0.5:
            history[number] = seen(random.randrange(4), operation.called, operation.called + 1)
    history = [o for o in history if o.returned is None or o.called <= o.returned]
    found = admit(machine, scope, history, HIDDEN)
    assert (found.outcome == "admitted") == has_an_order(history)


def test_a_reader_sees_no_value_go_away() -> None:
    history = [appended(1, 0, 1), seen(1, 2, 3), seen(0, 4, 5)]
    found = admit(machine, scope, history, HIDDEN)
    assert (found.outcome, found.event) == ("refused", history[2])
    overlapping = [appended(1, 0, 1), seen(1, 2, 5), seen(0, 4, 6)]
    assert admit(machine, scope, overlapping, HIDDEN).outcome == "admitted"


def test_a_search_past_its_budget_is_undecided_and_says_how_far_it_came() -> None:
    history = [appended(v, 0, 10) for v in (4, 3, 2, 1)]
    found = admit(machine, scope, history, HIDDEN, budget=2)
    assert found.outcome == "undecided"
    assert "undecided after" in str(found)
    assert admit(machine, scope, history, HIDDEN).outcome == "admitted"


def test_histories_of_some_thousand_events_are_decided() -> None:
    tall = jug()

    @tall.action()
    def drain(s):  # type: ignore[no-untyped-def]
        """A litre less."""
        needs(has_water=s.water > 0)
        s.water -= 1

    history = [Event("pour"), Event("drain")] * 1500
    found = admit(tall, tall.scopes["default"], history)
    assert (found.outcome, len(found.run)) == ("admitted", 3001)
    found = admit(tall, tall.scopes["default"], [*history, Event("drain")])
    assert (found.outcome, found.explained) == ("refused", 3000)


def test_sets_and_maps_are_seen_in_part() -> None:
    rooms = house()
    history = [
        Event("enter", {"room": "room2"}, after={"visited": {1}, "lit": {"room2": 1}}),
        Event("enter", after={"visited": {"room2", 3}, "lit[room4]": 1, "lit[0]": 0}),
    ]
    found = admit(rooms, rooms.scopes["default"], history)
    assert found.run.actions == ["enter(room=room2)", "enter(room=room4)"]


@pytest.mark.parametrize(
    ("history", "text"),
    [
        ([Event("remove")], "shelf has no action 'remove'"),
        ([Event("append", {"key": 1})], "append has no parameter 'key'"),
        ([Event("append", {"value": 6})], "this scope has no room for 6 in Amount"),
        ([Event("append", {"value": "x"})], "'x' is no Amount in this scope"),
        ([Event("append", {"value": None})], "None is no Amount"),
        ([Event("append", {"value": True})], "True is no Amount"),
        ([Look({"log[4].value": 1})], r"no room for a Values of that length"),
        ([Look({"log.size": 1})], "Values has no part 'size'"),
        ([Look({"log[0].key": 1})], "Written has no part 'key'"),
        ([Look({"log": [{"key": 1}]})], "Written has no field 'key'"),
        ([Look({"log[0": 1})], "is no path such as"),
        ([Look({"log": 1})], "1 is no Values"),
        ([appended(1, 3, 2)], "returns before it is called"),
    ],
)
def test_a_history_that_speaks_of_what_is_not_there_is_an_error(
    history: list[Event | Look | Operation], text: str
) -> None:
    with pytest.raises(ModelError, match=text):
        admit(machine, scope, history)


def test_only_actions_can_be_hidden() -> None:
    with pytest.raises(ModelError, match="shelf has no action 'hide' to be hidden"):
        admit(machine, scope, [], ["hide"])


def test_a_step_that_does_not_fit_the_scope_is_an_error_of_the_scope() -> None:
    broken = machine.mutated("append.has_room")
    with pytest.raises(ScopeTooSmallError):
        admit(broken, scope, [Event("append", {"value": v}) for v in (1, 2, 3, 4, 5)])


class Kind(Enum):
    """What a message asks for."""

    ASK = Value()
    ANSWER = Value()


class Message(Record):
    """What is on its way."""

    kind: Kind
    value: Amount


class Network(Bag[Message]):
    """Messages in no order."""

    capacity = 3


class Post(Record):
    """A network, and what was answered."""

    network: Network
    answered: Amount


def test_messages_and_bags_are_seen_by_their_values() -> None:
    post = Machine("post", Post, "a post")

    @post.initial
    def two_questions(s: Post) -> None:
        s.network.add(Message(kind=Kind.ASK, value=Amount(4)))
        s.network.add(Message(kind=Kind.ASK, value=Amount(2)))

    @post.action(question=lambda s: s.network)
    def answer(s: Post, question: Message) -> None:
        """A question is answered."""
        needs(asks=question.kind == Kind.ASK)
        s.network.remove(question)
        s.network.add(Message(kind=Kind.ANSWER, value=question.value))
        s.answered = question.value

    small = Scope("default", {}, "by hand")
    rest = [{"kind": "ANSWER", "value": 4}, {"kind": "ASK", "value": 2}]
    seen_after = {"answered": 4, "network": rest, "network.length": 2}
    history = [Event("answer", {"question": {"value": 4}}, after=seen_after), Event("answer")]
    found = admit(post, small, history)
    assert found.outcome == "admitted"
    assert "value 2" in found.run.actions[1]
    again = admit(post, small, [*history, Event("answer", {"question": {"kind": "ANSWER"}})])
    assert (again.outcome, again.explained) == ("refused", 2)
    assert {o.guards for o in again.obstacles} >= {("asks",)}
    with pytest.raises(ModelError, match="does not say all of each element"):
        admit(post, small, [Look({"network": [{"value": 2}]})])
