"""The proof that replication loses no committed record, in its three readings: without limits, in
small scopes by a solver, and on all reachable states.
"""

import pytest

from model.areas.replication.proof import COMMITTED_RECORDS_SURVIVE, ISR_HOLDS, RESTS_ON, machine
from model.engines.explore import explore
from model.engines.smt import prove
from model.engines.smt.obligations import Proof
from model.engines.smt.unbounded import houdini_unbounded, prove_unbounded

GIVEN = {claim: (claim, *others) for claim, others in RESTS_ON.items()}
# Enough to prove what holds; where a guard or a lemma is missing, Z3 need not try for long.
LITTLE_EFFORT = 4_000_000

# Without the lemma, this claim is broken by a step of this action, among so many brokers.
WITHOUT_LEMMA = {
    "replicas_follow_notices_that_were_issued": (
        2, "isr_of_the_true_leader_is_the_isr_of_the_controller", "controller_elects_leader",
    ),
    "leaders_of_followers_have_reached_their_epoch": (
        2, "records_are_of_epochs_and_identities_that_were_used", "leader_accepts_produce",
    ),
    "an_epoch_that_was_not_given_out_has_no_leader": (
        2, "replicas_follow_notices_that_were_issued", "replica_becomes_leader",
    ),
    "isr_of_the_true_leader_is_the_isr_of_the_controller": (
        2, "the_leader_of_a_notice_is_in_its_isr", "controller_shrinks_isr",
    ),
    "a_replica_finds_its_leader_in_its_isr": (
        2, "the_leader_of_a_notice_is_in_its_isr", "controller_shrinks_isr",
    ),
    "the_leader_of_a_notice_is_in_its_isr": (
        2, "a_replica_finds_its_leader_in_its_isr", "replica_becomes_leader",
    ),
    "the_last_notice_says_who_leads": (
        2, "the_leader_of_a_notice_is_in_its_isr", "controller_shrinks_isr",
    ),
    "the_isr_of_the_last_notice_stays_until_its_leader_takes_office": (
        2, "isr_of_the_true_leader_is_the_isr_of_the_controller", "replica_becomes_leader",
    ),
    "records_are_of_epochs_and_identities_that_were_used": (
        2, "logs_that_share_a_record_share_all_before_it", "leader_accepts_produce",
    ),
    "logs_that_share_a_record_share_all_before_it": (
        2, "followers_in_their_leaders_epoch_are_prefixes_of_it", "replica_becomes_follower",
    ),
    "followers_in_their_leaders_epoch_are_prefixes_of_it": (
        2, "logs_that_share_a_record_share_all_before_it", "follower_fetches",
    ),
    "a_leaders_isr_covers_later_notices_or_a_member_moved_on": (
        2, "what_was_committed_was_committed_in_an_epoch_that_began",
        "leader_advances_high_watermark",
    ),
    "an_awaited_notice_covers_later_ones_or_a_member_moved_on": (
        2, "a_leaders_isr_covers_later_notices_or_a_member_moved_on", "replica_becomes_leader",
    ),
    "what_was_committed_was_committed_in_an_epoch_that_began": (
        2, "all_below_a_high_watermark_was_committed_and_is_held",
        "leader_advances_high_watermark",
    ),
    "all_below_a_high_watermark_was_committed_and_is_held": (
        2, "what_was_committed_was_committed_in_an_epoch_that_began",
        "leader_advances_high_watermark",
    ),
    "a_leader_holds_what_was_committed_up_to_its_epoch": (
        2, "all_below_a_high_watermark_was_committed_and_is_held",
        "leader_advances_high_watermark",
    ),
    "the_isr_of_a_notice_holds_what_was_committed_before_it": (
        2, "a_leader_holds_what_was_committed_up_to_its_epoch", "replica_becomes_leader",
    ),
    "the_isr_of_the_controller_holds_all_that_was_committed": (
        2, "the_isr_of_a_notice_holds_what_was_committed_before_it", "controller_elects_leader",
    ),
    "a_member_of_a_notice_that_is_behind_missed_no_commit": (
        3, "the_isr_of_a_notice_holds_what_was_committed_before_it", "replica_becomes_follower",
    ),
    "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit": (
        2, "a_member_of_a_notice_that_is_behind_missed_no_commit", "controller_elects_leader",
    ),
}  # fmt: skip

# Without the guard, a step of its action breaks this claim, among two brokers.
WITHOUT_GUARD = {
    "controller_elects_leader.is_in_isr": "the_leader_of_a_notice_is_in_its_isr",
    "replica_becomes_leader.names_a_leader": "replicas_follow_notices_that_were_issued",
    "replica_becomes_leader.is_news": ISR_HOLDS,
    "leader_accepts_produce.presumes_leadership": (
        "followers_in_their_leaders_epoch_are_prefixes_of_it"
    ),
    "leader_advances_high_watermark.leader_has_the_record": (
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit"
    ),
    "leader_advances_high_watermark.isr_follows_this_epoch": ISR_HOLDS,
    "leader_advances_high_watermark.isr_has_the_record": ISR_HOLDS,
    "leader_expands_isr.is_true_leader": (
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office"
    ),
    "leader_expands_isr.follows_this_epoch": ISR_HOLDS,
    "leader_expands_isr.reached_high_watermark": ISR_HOLDS,
    "leader_expands_isr.high_watermark_reached_own_epoch": (
        "the_isr_of_the_controller_holds_all_that_was_committed"
    ),
    "leader_removes_replica_of_another_epoch.is_true_leader": COMMITTED_RECORDS_SURVIVE,
    "leader_removes_lagging_replica.is_true_leader": COMMITTED_RECORDS_SURVIVE,
    "replica_becomes_follower.is_news": "a_member_of_a_notice_that_is_behind_missed_no_commit",
    "replica_becomes_follower.leader_reached_this_epoch": (
        "leaders_of_followers_have_reached_their_epoch"
    ),
    "follower_fetches.follows_this_epoch": ISR_HOLDS,
    "follower_fetches.leader_has_more": "followers_in_their_leaders_epoch_are_prefixes_of_it",
}
ALL_GUARDS = [f"{a.name}.{guard}" for a in machine.actions.values() for guard in a.guards]
SOME = slice(None, None, 6)


def proved_for(brokers: int) -> Proof:
    return prove_unbounded(machine, {"brokers": brokers}, ISR_HOLDS, given=GIVEN)


def require_proved(proof: Proof) -> None:
    assert proof.proved, [o for o in proof.obligations if not o.proved]
    assert {o.claim for o in proof.obligations} >= set(RESTS_ON)


@pytest.mark.parametrize("brokers", [2, 3])
def test_no_committed_record_is_lost_however_long_logs_and_runs_are(brokers: int) -> None:
    require_proved(proved_for(brokers))


@pytest.mark.deep
@pytest.mark.parametrize("brokers", [1, 4, 5, 7])
def test_no_committed_record_is_lost_among_as_many_brokers(brokers: int) -> None:
    require_proved(proved_for(brokers))


@pytest.mark.deep
@pytest.mark.parametrize("brokers", [2, 3])
def test_the_proof_needs_nobody_to_say_what_rests_on_what(brokers: int) -> None:
    require_proved(prove_unbounded(machine, {"brokers": brokers}, ISR_HOLDS))


def require_counterexample(proof: Proof, action: str) -> None:
    (failed,) = proof.obligations
    assert not failed.proved
    assert not failed.undecided
    steps = [line for line in (failed.counterexample or "").splitlines() if line[:1].isdigit()]
    assert len(steps) == 2
    assert steps[1].startswith(f"2  {action}(")


def require_broken_without_lemma(lemma: str) -> None:
    brokers, claim, action = WITHOUT_LEMMA[lemma]
    others = [name for name in RESTS_ON if name not in (lemma, claim)]
    proof = prove_unbounded(
        machine, {"brokers": brokers}, claim,
        lemmas=others, only=[(claim, action)], effort=LITTLE_EFFORT,
    )  # fmt: skip
    require_counterexample(proof, action)


@pytest.mark.parametrize("lemma", list(WITHOUT_LEMMA)[SOME])
def test_without_a_lemma_a_step_breaks_another(lemma: str) -> None:
    require_broken_without_lemma(lemma)


@pytest.mark.deep
@pytest.mark.parametrize("lemma", WITHOUT_LEMMA)
def test_no_lemma_can_be_spared(lemma: str) -> None:
    require_broken_without_lemma(lemma)


def test_each_lemma_is_shown_to_be_needed() -> None:
    assert WITHOUT_LEMMA.keys() == RESTS_ON.keys() - {COMMITTED_RECORDS_SURVIVE, ISR_HOLDS}


def require_broken_without_guard(guard: str) -> None:
    action, claim = guard.partition(".")[0], WITHOUT_GUARD[guard]
    proof = prove_unbounded(
        machine.mutated(guard), {"brokers": 2}, ISR_HOLDS,
        given=GIVEN, only=[(claim, action)], effort=LITTLE_EFFORT,
    )  # fmt: skip
    require_counterexample(proof, action)


@pytest.mark.parametrize("guard", list(WITHOUT_GUARD)[SOME])
def test_without_a_guard_a_step_breaks_a_claim(guard: str) -> None:
    require_broken_without_guard(guard)


@pytest.mark.deep
@pytest.mark.parametrize("guard", WITHOUT_GUARD)
def test_without_any_guard_that_matters_a_step_breaks_a_claim(guard: str) -> None:
    require_broken_without_guard(guard)


@pytest.mark.deep
@pytest.mark.parametrize("guard", [g for g in ALL_GUARDS if g not in WITHOUT_GUARD])
def test_the_proof_does_without_the_other_guards(guard: str) -> None:
    action = guard.partition(".")[0]
    proof = prove_unbounded(
        machine.mutated(guard), {"brokers": 3}, ISR_HOLDS,
        given=GIVEN, only=[(claim, action) for claim in RESTS_ON],
    )  # fmt: skip
    assert proof.proved


@pytest.mark.deep
def test_the_goals_alone_are_not_inductive_and_all_claims_together_are() -> None:
    goals = [COMMITTED_RECORDS_SURVIVE, ISR_HOLDS]
    little = {"effort": 200_000}
    assert houdini_unbounded(machine, {"brokers": 2}, goals, **little) == ()
    assert houdini_unbounded(machine, {"brokers": 2}, list(RESTS_ON)) == tuple(RESTS_ON)


@pytest.mark.deep
@pytest.mark.parametrize("goal", machine.proofs)
def test_the_invariant_is_inductive_in_a_small_scope_too(goal: str) -> None:
    assert prove(machine, machine.scopes["tiny"], goal).proved


@pytest.mark.parametrize(("scope", "states"), [("tiny", 1_067), ("two-brokers", 209_279)])
def test_the_lemmas_hold_in_all_states_that_can_be_reached(scope: str, states: int) -> None:
    seen = explore(machine, machine.scopes[scope])
    assert seen.complete
    assert seen.distinct == states
    assert not seen.violations


@pytest.mark.deep
def test_the_lemmas_hold_in_all_states_of_the_default_scope() -> None:
    seen = explore(machine, machine.scopes["default"])
    assert (seen.distinct, seen.generated, seen.depth) == (946_987, 2_382_088, 28)
    assert not seen.violations
