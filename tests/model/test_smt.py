"""Proofs by induction over finite types: several states at once, fewest hypotheses, candidates."""

import pytest
import z3

from model import catalogue
from model.engines.explore import Limits, explore
from model.engines.lowering.lower import Lowering
from model.engines.smt import Translation, houdini, prove
from model.engines.smt.obligations import ROOM, Obligation, Proof, fewest, supported
from model.lang import (
    Bag,
    Bool,
    Enum,
    Machine,
    Range,
    Record,
    Scope,
    Seq,
    Sort,
    Value,
    needs,
)

ONLY = Scope("only", {}, "fixed sizes")
current = catalogue.machine("replication")
TINY = current.scopes["tiny"]


class Place(Range):
    """A place on the way."""

    low, high = 0, 7


class Way(Record):
    """Where one is."""

    at: Place


def way(pause: bool = False) -> Machine[Way]:
    """0, 1, 2 and round again; nobody comes to 4, 5, 6, 7, which lie on one way as well."""
    machine = Machine("way", Way, "a way")

    @machine.action()
    def go(s: Way) -> None:
        """One place further."""
        needs(is_not_last=s.at != 2, goes_on=s.at != 3, is_not_the_end=s.at != 7)
        s.at += 1

    @machine.action()
    def turn(s: Way) -> None:
        """Back to the first place."""
        needs(is_last=s.at == 2)
        s.at = Place(0)

    if pause:

        @machine.action()
        def rest(s: Way) -> None:
            """Nothing changes."""
            needs(is_far=s.at == 4)
            s.at = Place(4)

    @machine.always(broken_by="go.is_not_last")
    def never_at_the_end(s: Way) -> Bool:
        """Nobody comes to 7."""
        return s.at != 7

    @machine.always(broken_by="go.is_not_last")
    def never_at_two(s: Way) -> Bool:
        """This is wrong, but only after two steps."""
        return s.at != 2

    machine.proof("never_at_the_end")
    machine.proof("never_at_two")
    return machine


@pytest.mark.parametrize("pause", [False, True])
def test_a_claim_that_one_step_does_not_keep_is_proved_over_several(pause: bool) -> None:
    # From 4 there are three states before 7; with a pause at 4 only if they have to differ.
    proved = [prove(way(pause), ONLY, "never_at_the_end", length=n).proved for n in range(1, 6)]
    assert proved == [False, False, False, True, True]


def test_a_counterexample_to_induction_over_several_states_shows_all_of_them() -> None:
    proof = prove(way(), ONLY, "never_at_the_end", length=2)
    (failed,) = [o for o in proof.obligations if not o.proved]
    assert (failed.claim, failed.step) == ("never_at_the_end", "go")
    assert failed.counterexample == (
        "1  initial state\n       at = 5\n2  go()\n       at: 5 -> 6\n3  go()\n       at: 6 -> 7"
    )


def test_the_first_states_are_as_many_as_the_induction_is_over() -> None:
    for length in range(1, 5):
        proof = prove(way(), ONLY, "never_at_two", length=length)
        (at_first,) = [o for o in proof.obligations if o.step is None]
        assert at_first.proved == (length < 3)
        assert not proof.proved
    assert str(at_first.counterexample).splitlines()[-1] == "       at: 1 -> 2"


def test_induction_over_several_states_does_not_miss_what_has_no_room() -> None:
    machine = way().mutated("go.is_not_the_end")

    @machine.initial
    def far(s: Way) -> None:
        s.at = Place(6)

    @machine.lemma
    def anywhere(s: Way) -> Bool:
        """Anything."""
        return s.at <= 7

    for length in range(1, 4):
        proof = prove(machine, ONLY, "anywhere", lemmas=(), length=length)
        failed = [o for o in proof.obligations if not o.proved]
        assert failed
        assert all("would set at to 8" in str(o.counterexample) for o in failed)


GOAL, LEMMA = (
    "replicas_follow_notices_that_were_issued",
    "an_epoch_that_was_not_given_out_has_no_leader",
)
SPARE = "high_watermark_is_within_the_log"


def test_the_fewest_hypotheses_suffice_and_none_of_them_can_be_spared() -> None:
    proof = prove(current, TINY, GOAL, lemmas=[LEMMA, SPARE], minimise=True)
    assert proof.proved
    assert proof.hypotheses.keys() == {(o.claim, o.step) for o in proof.obligations if o.step}
    assert proof.hypotheses[GOAL, "controller_elects_leader"] == (GOAL,)
    larger = current.scopes["two-brokers"]
    again = prove(current, larger, GOAL, lemmas=[LEMMA, SPARE], given=proof.hypotheses)
    assert again.proved
    for key, names in proof.hypotheses.items():
        for spared in names:
            fewer = {key: [n for n in names if n != spared]}
            weaker = prove(current, TINY, GOAL, lemmas=[LEMMA, SPARE], given=fewer, only=[key])
            assert [o.proved for o in weaker.obligations] == [False], (key, spared)


def test_a_lemma_that_nothing_was_proved_from_is_spare() -> None:
    proof = prove(current, TINY, GOAL, lemmas=[LEMMA, SPARE], minimise=True)
    assert proof.spare == (SPARE,)
    assert prove(current, TINY, GOAL, lemmas=[LEMMA, SPARE]).spare == ()


def test_houdini_keeps_what_is_inductive_together_and_nothing_else() -> None:
    truth = [GOAL, LEMMA, SPARE, "leaders_of_followers_have_reached_their_epoch"]
    wishes = [
        "committed_records_survive_election",
        "logs_that_share_a_record_share_all_before_it",
        "isr_of_each_leader_holds_what_it_committed",
    ]
    assert houdini(current, TINY, [*wishes, *truth]) == tuple(truth)
    assert prove(current, TINY, GOAL, lemmas=truth[1:]).proved
    for wish in wishes:
        assert not prove(current, TINY, GOAL, lemmas=[*truth[1:], wish]).proved


def test_houdini_drops_what_does_not_hold_at_first() -> None:
    machine = way()

    @machine.lemma
    def not_at_the_beginning(s: Way) -> Bool:
        """Kept by every step but for the last, and wrong at first."""
        return s.at != 0

    @machine.lemma
    def before_the_gap(s: Way) -> Bool:
        """Nobody leaves the circle."""
        return s.at < 3

    names = ["not_at_the_beginning", "never_at_two", "never_at_the_end", "before_the_gap"]
    assert houdini(machine, ONLY, names) == ("never_at_the_end", "before_the_gap")


def test_the_core_of_what_is_needed_is_found_by_dropping_one_after_the_other() -> None:
    asked = []

    def proves(names):  # type: ignore[no-untyped-def]
        asked.append(tuple(names))
        return names if {"b", "d"} <= set(names) else None

    assert fewest("abcd", proves) == ("b", "d")
    assert len(asked) == 5
    assert fewest("abc", proves) is None
    assert supported("abcd", lambda names: {"b"} if "d" in names and "b" in names else set()) == (
        "a", "c", "d",
    )  # fmt: skip


def test_spare_lemmas_are_those_that_the_goal_does_not_lead_to() -> None:
    def kept(claim: str, *hypotheses: str) -> Obligation:
        return Obligation(claim, "step", True, 0.0, None, hypotheses)

    obligations = [
        kept("goal", "one"),
        kept("one", "two", "one"),
        kept("two"),
        kept("three", "goal"),
    ]
    proof = Proof("goal", ("one", "two", "three"), [*obligations, kept(ROOM)])
    assert proof.spare == ("three",)
    assert Proof("goal", ("one", "three"), [*obligations, kept(ROOM, "three")]).spare == ()


class Kind(Enum):
    """What a message is for."""

    ASK = Value()
    ANSWER = Value()
    FORGET = Value()


class Node(Sort):
    """A sender."""

    size = 2


class Message(Record):
    """What is on its way."""

    kind: Kind
    sender: Node


class Network(Bag[Message]):
    """At most two messages."""

    capacity = 2


class Sent(Seq[Kind]):
    """What was sent."""

    capacity = 1


class Post(Record):
    """What is on its way, and what was sent at first."""

    network: Network
    first: Sent


def post() -> Machine[Post]:
    """Anything may be sent, and lost."""
    machine = Machine("post", Post, "a post office")

    @machine.action()
    def send(s: Post, kind: Kind, sender: Node) -> None:
        """A message is on its way."""
        needs(has_room=s.network.size < 2)
        s.network.add(Message(kind=kind, sender=sender))

    @machine.action(message=lambda s: s.network)
    def lose(s: Post, message: Message) -> None:
        """A message is lost."""
        s.network.remove(message)

    @machine.action()
    def note(s: Post, kind: Kind) -> None:
        """It is noted what the first message was."""
        needs(is_first=s.first.is_empty)
        s.first.append(kind)

    @machine.lemma
    def at_most_two(s: Post) -> Bool:
        """There is no room for three."""
        return s.network.size <= 2

    return machine


def test_the_states_of_a_proof_are_those_that_can_be_written_down() -> None:
    machine = post()
    lowering = Lowering(machine, ONLY)
    translation = Translation(lowering, [], [])
    state = translation.fresh_state("s")
    solver = z3.SolverFor("QF_BV")
    solver.add(*translation.well_formed(state))
    found = set()
    while solver.check() == z3.sat:
        model = solver.model()
        found.add(translation.packed(model, state))
        solver.add(z3.Or(*(v != model.eval(v, model_completion=True) for v in state)))
    seen = explore(machine, ONLY, Limits(to_the_end=True))
    reached = {seen.kernel.state(position) for position in range(seen.kernel.distinct)}
    # Six messages: no, one or two of them, times what was noted: nothing or one of three.
    assert len(reached) == (1 + 6 + 21) * 4
    assert found == reached


def test_steps_over_bags_have_room_and_keep_them_sorted() -> None:
    assert prove(post(), ONLY, "at_most_two", lemmas=()).proved
    crowded = post().mutated("send.has_room")
    failed = [
        o for o in prove(crowded, ONLY, "at_most_two", lemmas=()).obligations if not o.proved
    ]
    assert [(o.claim, o.step) for o in failed] == [(ROOM, "send")]
