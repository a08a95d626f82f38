"""Proofs without upper limits: what is proved, what is refuted, and what has no unbounded reading.

The machines are toys that one can check in the head: a counter, a ticket lock, two logs of which
one copies the other, requests in a bag.
"""

import pytest

from model.engines.smt.induction import Induction
from model.engines.smt.obligations import ROOM
from model.engines.smt.trees import exploration_limits
from model.engines.smt.unbounded import houdini_unbounded, prove_unbounded
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
    Seq,
    Set,
    Sort,
    Value,
    every,
    exists,
    implies,
    largest,
    needs,
    none,
    set_of,
    smallest,
    some,
    those,
)

FOLLOWS = "the_second_is_never_ahead"


class Height(Range):
    """As far as the scope lets it count."""

    low, high = 0, Bound("most")


class Counters(Record):
    """Two counters, of which the second follows."""

    ahead: Height
    behind: Height


def counters() -> Machine[Counters]:
    """The first counter goes up; the second one goes up where it is below the first."""
    machine = Machine("counters", Counters, "two counters")

    @machine.action("STOR-01")
    def up(s: Counters) -> None:
        """The first goes up."""
        needs(has_room=s.ahead < Bound("most"))
        s.ahead += 1

    @machine.action("STOR-01")
    def follow(s: Counters) -> None:
        """The second goes up."""
        needs(is_below=s.behind < s.ahead)
        s.behind += 1

    @machine.action("STOR-01")
    def down(s: Counters) -> None:
        """Both go down."""
        needs(is_above_nothing=s.behind > 0)
        s.ahead -= 1
        s.behind -= 1

    @machine.lemma
    def the_second_is_never_ahead(s: Counters) -> Bool:
        """It follows."""
        return s.behind <= s.ahead

    @machine.lemma
    def the_first_is_at_most_five(s: Counters) -> Bool:
        """It is not, after six steps."""
        return s.ahead <= 5

    @machine.lemma
    def the_second_is_at_most_two(s: Counters) -> Bool:
        """It is not, after the first one is at three."""
        return s.behind <= 2

    machine.proof(FOLLOWS)
    return machine


def test_a_counter_is_proved_for_all_heights_though_its_guard_names_a_limit() -> None:
    proof = prove_unbounded(counters(), {}, FOLLOWS)
    assert proof.proved
    assert len(proof.obligations) == 2 * (1 + 3)
    assert exploration_limits(counters()) == {"most"}


def test_a_claim_that_fails_beyond_every_small_scope_is_not_proved() -> None:
    found = prove_unbounded(counters(), {}, "the_first_is_at_most_five", lemmas=[FOLLOWS])
    (failed,) = [o for o in found.obligations if not o.proved]
    assert (failed.claim, failed.step) == ("the_first_is_at_most_five", "up")
    assert failed.undecided, "no scope that is looked at has room for six"


def test_a_counterexample_to_induction_is_two_states_and_the_step() -> None:
    found = prove_unbounded(counters(), {}, "the_second_is_at_most_two", lemmas=[FOLLOWS])
    (failed,) = [o for o in found.obligations if o.counterexample]
    assert not failed.undecided
    assert "follow()" in (failed.counterexample or "")
    assert "behind: 2 -> 3" in (failed.counterexample or "")


def test_a_number_that_falls_below_its_lowest_value_breaks_the_proof() -> None:
    machine = counters().mutated("down.is_above_nothing")
    proof = prove_unbounded(machine, {}, FOLLOWS)
    assert {(o.claim, o.step) for o in proof.obligations if not o.proved} == {(ROOM, "down")}


def test_houdini_keeps_what_is_inductive_together() -> None:
    machine = counters()
    assert houdini_unbounded(machine, {}, list(machine.properties)) == (FOLLOWS,)


class Customer(Sort):
    """Somebody who waits."""

    size = Bound("customers")


class Ticket(Range):
    """A number that is given out once."""

    low, high = 0, Bound("tickets")


class Shop(Record):
    """Who holds which ticket, who is served, and the numbers at the door and at the counter."""

    ticket: Map[Customer, Option[Ticket]]
    served: Set[Customer]
    next_ticket: Ticket
    now: Ticket


def shop() -> Machine[Shop]:
    """The ticket lock: at most one customer is served."""
    machine = Machine("shop", Shop, "a ticket lock")

    @machine.action("STOR-01")
    def takes_ticket(s: Shop, customer: Customer) -> None:
        """A customer takes the next number."""
        needs(has_none=s.ticket[customer].is_none, are_left=s.next_ticket < Bound("tickets"))
        s.ticket[customer] = some(s.next_ticket)
        s.next_ticket += 1

    @machine.action("STOR-01")
    def is_called(s: Shop, customer: Customer) -> None:
        """The customer whose number it is goes to the counter."""
        needs(has_the_number=s.ticket[customer] == some(s.now))
        s.served |= set_of(customer)

    @machine.action("STOR-01")
    def leaves(s: Shop, customer: Customer) -> None:
        """The customer goes, and the next one is called."""
        needs(is_served=s.served.has(customer))
        s.served -= set_of(customer)
        s.ticket[customer] = none(Ticket)
        s.now += 1

    @machine.lemma
    def one_is_served(s: Shop) -> Bool:
        """No two customers are served."""
        return every(
            Customer,
            lambda a: every(
                Customer, lambda b: implies(s.served.has(a) & s.served.has(b), a == b)
            ),
        )

    @machine.lemma
    def who_is_served_has_the_number(s: Shop) -> Bool:
        """The number at the counter is that of the customer there."""
        return every(s.served, lambda c: s.ticket[c] == some(s.now))

    @machine.lemma
    def tickets_differ_and_were_given_out(s: Shop) -> Bool:
        """No number is held twice."""
        return every(
            Customer,
            lambda a: implies(
                s.ticket[a].is_some,
                (s.ticket[a].value < s.next_ticket)
                & every(Customer, lambda b: implies(s.ticket[a] == s.ticket[b], a == b)),
            ),
        )

    machine.proof(
        "one_is_served", ["who_is_served_has_the_number", "tickets_differ_and_were_given_out"]
    )
    return machine


@pytest.mark.parametrize("customers", [1, 2, 3, 6])
def test_a_ticket_lock_serves_one_however_many_tickets_there_are(customers: int) -> None:
    assert prove_unbounded(shop(), {"customers": customers}, "one_is_served").proved


@pytest.mark.parametrize("guard", ["is_called.has_the_number", "leaves.is_served"])
def test_a_ticket_lock_without_a_guard_is_not_proved(guard: str) -> None:
    proof = prove_unbounded(shop().mutated(guard), {"customers": 2}, "one_is_served")
    failed = [o for o in proof.obligations if not o.proved]
    assert failed
    assert all(o.step == guard.partition(".")[0] and o.counterexample for o in failed)


def test_the_fewest_hypotheses_are_found_for_few_and_serve_many() -> None:
    small = prove_unbounded(shop(), {"customers": 2}, "one_is_served", minimise=True)
    needed = small.hypotheses
    assert set(needed["one_is_served", "is_called"]) == {
        "who_is_served_has_the_number",
        "tickets_differ_and_were_given_out",
    }
    assert needed["tickets_differ_and_were_given_out", "is_called"] == (
        "tickets_differ_and_were_given_out",
    )
    large = prove_unbounded(shop(), {"customers": 4}, "one_is_served", given=needed)
    assert large.proved


def test_without_a_lemma_there_is_a_step_that_breaks_the_claim() -> None:
    proof = prove_unbounded(
        shop(), {"customers": 2}, "one_is_served", lemmas=["tickets_differ_and_were_given_out"]
    )
    failed = [o for o in proof.obligations if not o.proved]
    assert {(o.claim, o.step) for o in failed} == {("one_is_served", "is_called")}
    assert "is_called(" in (failed[0].counterexample or "")


def test_copies_of_the_process_share_the_obligations() -> None:
    alone = prove_unbounded(shop(), {"customers": 2}, "one_is_served")
    shared = prove_unbounded(shop(), {"customers": 2}, "one_is_served", processes=2)
    assert [(o.claim, o.step, o.proved) for o in alone.obligations] == [
        (o.claim, o.step, o.proved) for o in shared.obligations
    ]


class Place(Range):
    """Where something stands in a log, or the end of one."""

    low, high = 0, Bound("log_size")


class Log(Seq[Height]):
    """Numbers in a row."""

    capacity = Bound("log_size")


class Side(Enum):
    """Two logs."""

    ORIGINAL = Value()
    COPY = Value()


class Logs(Record):
    """A log and a copy of it, which may be longer than what they have in common."""

    log: Map[Side, Log]
    marked: Set[Place]


def agree_below(s: Logs, end: Range) -> Bool:
    """Both have the same below this end."""
    one, two = s.log[Side.ORIGINAL], s.log[Side.COPY]
    return every(Place, lambda o: implies(o < end, one[o] == two[o]))


def logs() -> Machine[Logs]:
    """Both logs grow; before it copies, the copy cuts what differs."""
    machine = Machine("logs", Logs, "a log and its copy")

    @machine.action("STOR-01")
    def grows(s: Logs, side: Side, number: Height) -> None:
        """Something is added at an end."""
        needs(has_room=s.log[side].length < Bound("log_size"))
        s.log[side].append(number)

    @machine.action("STOR-01")
    def is_copied(s: Logs) -> None:
        """The copy cuts what differs, and takes what comes next."""
        one, two = s.log[Side.ORIGINAL], s.log[Side.COPY]
        first = smallest(
            Place,
            lambda o: (o >= one.length) | (o >= two.length) | (one[o] != two[o]),
            otherwise=Place(0),
        )
        needs(has_more=first < one.length)
        s.marked = those(Place, lambda o: o <= first)
        two.truncate(first)
        two.append(one[first])

    @machine.lemma
    def marks_are_below_a_place_that_both_have(s: Logs) -> Bool:
        """What is marked was common when it was marked, and the logs only grew since."""
        return every(
            Place,
            lambda o: implies(
                s.marked.has(o),
                (o < s.log[Side.ORIGINAL].length)
                & (o < s.log[Side.COPY].length)
                & (s.log[Side.ORIGINAL][o] == s.log[Side.COPY][o]),
            ),
        )

    @machine.lemma
    def the_largest_mark_ends_what_both_have(s: Logs) -> Bool:
        """All up to the largest mark is common."""
        end = largest(
            Place,
            lambda o: (o < s.log[Side.COPY].length) & s.marked.has(o),
            otherwise=Place(0),
        )
        return implies(exists(Place, lambda o: s.marked.has(o)), agree_below(s, end + 1))

    @machine.lemma
    def marks_have_no_holes(s: Logs) -> Bool:
        """Below a mark all is marked."""
        return every(
            Place,
            lambda o: implies(
                s.marked.has(o), every(Place, lambda p: implies(p < o, s.marked.has(p)))
            ),
        )

    machine.proof(
        "the_largest_mark_ends_what_both_have",
        ["marks_are_below_a_place_that_both_have", "marks_have_no_holes"],
    )
    return machine


def test_logs_of_any_length_are_cut_where_they_differ() -> None:
    assert prove_unbounded(logs(), {}, "the_largest_mark_ends_what_both_have").proved


def test_a_claim_about_logs_that_is_wrong_is_refuted() -> None:
    proof = prove_unbounded(logs(), {}, "the_largest_mark_ends_what_both_have", lemmas=[])
    assert any(o.counterexample for o in proof.obligations)


class Request(Record):
    """What somebody asks for."""

    by: Customer
    amount: Height


class Network(Bag[Request]):
    """Requests on their way."""

    capacity = Bound("in_flight")


class Bank(Record):
    """What was asked for, and what was paid to whom."""

    network: Network
    asked: Map[Customer, Option[Height]]
    paid: Map[Customer, Height]


def bank() -> Machine[Bank]:
    """Each customer asks once; requests are lost, or paid once or more often, to the same end."""
    machine = Machine("bank", Bank, "requests in a bag")

    @machine.action("STOR-01")
    def asks(s: Bank, customer: Customer, amount: Height) -> None:
        """A customer asks for an amount."""
        needs(is_first=s.asked[customer].is_none, has_room=s.network.size < Bound("in_flight"))
        s.asked[customer] = some(amount)
        s.network.add(Request(by=customer, amount=amount))

    @machine.action("STOR-01", request=lambda s: s.network)
    def is_lost(s: Bank, request: Request) -> None:
        """A request is gone."""
        s.network.remove(request)

    @machine.action("STOR-01", request=lambda s: s.network)
    def pays(s: Bank, request: Request) -> None:
        """The account of the customer says what was asked for."""
        s.paid[request.by] = request.amount

    @machine.mutant("pays")
    def pays_more(s: Bank, request: Request) -> None:
        """The account grows with each payment."""
        s.paid[request.by] = s.paid[request.by] + request.amount

    @machine.lemma
    def what_is_paid_was_asked_for(s: Bank) -> Bool:
        """Nobody gets what he did not ask for."""
        return every(Customer, lambda c: (s.paid[c] == 0) | (some(s.paid[c]) == s.asked[c]))

    @machine.lemma
    def requests_are_of_those_who_asked(s: Bank) -> Bool:
        """A request on its way is what its customer asked for."""
        return every(s.network, lambda r: s.asked[r.by] == some(r.amount))

    machine.proof("what_is_paid_was_asked_for", ["requests_are_of_those_who_asked"])
    return machine


def test_messages_in_a_bag_of_any_size_are_read_by_what_they_say() -> None:
    assert prove_unbounded(bank(), {"customers": 2}, "what_is_paid_was_asked_for").proved


def test_a_wrong_version_of_an_action_is_refuted() -> None:
    broken = bank().mutated("pays_more")
    proof = prove_unbounded(broken, {"customers": 2}, "what_is_paid_was_asked_for")
    assert {o.step for o in proof.obligations if not o.proved} == {"pays_more"}
    assert all(o.counterexample for o in proof.obligations if not o.proved)


class Numbers(Record):
    """A set of numbers."""

    chosen: Set[Height]
    count: Height


def numbers() -> Machine[Numbers]:
    """Numbers are chosen."""
    machine = Machine("numbers", Numbers, "chosen numbers")

    @machine.action("STOR-01")
    def chooses(s: Numbers, number: Height) -> None:
        """One more is chosen."""
        s.chosen |= set_of(number)
        s.count = Height.of(s.chosen.size)

    @machine.lemma
    def the_largest_is_there(s: Numbers) -> Bool:
        """A largest number needs a limit."""
        return s.chosen.has(largest(Height, lambda n: s.chosen.has(n), otherwise=Height(0)))

    return machine


def test_what_has_no_unbounded_reading_is_refused_with_a_sentence() -> None:
    with pytest.raises(ModelError, match="the size of a Set"):
        Induction(numbers(), {}, []).instances("chooses")
    with pytest.raises(ModelError, match="the largest Height may not exist without upper limits"):
        Induction(numbers(), {}, ["the_largest_is_there"]).hypothesis("the_largest_is_there")
    with pytest.raises(ModelError, match="how large 'customers' is"):
        prove_unbounded(shop(), {}, "one_is_served")
    with pytest.raises(ModelError, match="has no claim 'nothing'"):
        prove_unbounded(shop(), {"customers": 2}, "nothing", lemmas=[])
