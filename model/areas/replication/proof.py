"""Why KIP-320 replication loses no committed record: an inductive invariant, for logs, epochs and
numbers of records without limit.

The members of an ISR hold all that was committed before its epoch. While one of them is still
behind, nothing was committed in between. The ISR of a leader that was replaced covers every later
one, or one of its members has moved on and will not help that leader to commit again. So all that
may be elected hold what was committed. The two goals and the lemmas support each other: they are
one invariant.

This file decides which claims the proof of each claim rests on. That spares a solver what it need
not look at; it is no part of what is trusted. Clauses: REPL-05, REPL-13.
"""

from typing import Final

from model.areas.replication.lemmas import machine

__all__ = ["COMMITTED_RECORDS_SURVIVE", "ISR_HOLDS", "RESTS_ON", "machine"]

COMMITTED_RECORDS_SURVIVE: Final = "committed_records_survive_election"
ISR_HOLDS: Final = "isr_of_each_leader_holds_what_it_committed"

# Each claim, with those that must hold before a step for it to hold after it, besides itself.
RESTS_ON: Final[dict[str, tuple[str, ...]]] = {
    "replicas_follow_notices_that_were_issued": ("an_epoch_that_was_not_given_out_has_no_leader",),
    "leaders_of_followers_have_reached_their_epoch": (),
    "an_epoch_that_was_not_given_out_has_no_leader": (),
    "isr_of_the_true_leader_is_the_isr_of_the_controller": (
        "replicas_follow_notices_that_were_issued",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
    ),
    "a_replica_finds_its_leader_in_its_isr": ("the_leader_of_a_notice_is_in_its_isr",),
    "the_leader_of_a_notice_is_in_its_isr": (
        "replicas_follow_notices_that_were_issued",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_replica_finds_its_leader_in_its_isr",
        "the_last_notice_says_who_leads",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
    ),
    "the_last_notice_says_who_leads": (),
    "the_isr_of_the_last_notice_stays_until_its_leader_takes_office": (
        "the_last_notice_says_who_leads",
    ),
    "records_are_of_epochs_and_identities_that_were_used": (
        "leaders_of_followers_have_reached_their_epoch",
    ),
    "logs_that_share_a_record_share_all_before_it": (
        "records_are_of_epochs_and_identities_that_were_used",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
    ),
    "followers_in_their_leaders_epoch_are_prefixes_of_it": (
        "leaders_of_followers_have_reached_their_epoch",
        "logs_that_share_a_record_share_all_before_it",
    ),
    "a_leaders_isr_covers_later_notices_or_a_member_moved_on": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "the_leader_of_a_notice_is_in_its_isr",
        "the_last_notice_says_who_leads",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
        "an_awaited_notice_covers_later_ones_or_a_member_moved_on",
    ),
    "an_awaited_notice_covers_later_ones_or_a_member_moved_on": (
        "the_leader_of_a_notice_is_in_its_isr",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
    ),
    "what_was_committed_was_committed_in_an_epoch_that_began": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "records_are_of_epochs_and_identities_that_were_used",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "all_below_a_high_watermark_was_committed_and_is_held",
    ),
    "all_below_a_high_watermark_was_committed_and_is_held": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "records_are_of_epochs_and_identities_that_were_used",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
    ),
    "a_leader_holds_what_was_committed_up_to_its_epoch": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "records_are_of_epochs_and_identities_that_were_used",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "the_isr_of_a_notice_holds_what_was_committed_before_it",
    ),
    "the_isr_of_a_notice_holds_what_was_committed_before_it": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "records_are_of_epochs_and_identities_that_were_used",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_the_controller_holds_all_that_was_committed",
        "a_member_of_a_notice_that_is_behind_missed_no_commit",
    ),
    "the_isr_of_the_controller_holds_all_that_was_committed": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "the_last_notice_says_who_leads",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
        "records_are_of_epochs_and_identities_that_were_used",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    ),
    "a_member_of_a_notice_that_is_behind_missed_no_commit": (
        "replicas_follow_notices_that_were_issued",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_replica_finds_its_leader_in_its_isr",
        "the_last_notice_says_who_leads",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
        "records_are_of_epochs_and_identities_that_were_used",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    ),
    "committed_records_survive_election": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "the_last_notice_says_who_leads",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
        "records_are_of_epochs_and_identities_that_were_used",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_the_controller_holds_all_that_was_committed",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    ),
    "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "records_are_of_epochs_and_identities_that_were_used",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_member_of_a_notice_that_is_behind_missed_no_commit",
    ),
    "isr_of_each_leader_holds_what_it_committed": (
        "an_epoch_that_was_not_given_out_has_no_leader",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_a_notice_holds_what_was_committed_before_it",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    ),
}

for goal in (COMMITTED_RECORDS_SURVIVE, ISR_HOLDS):
    machine.proof(goal, by=[claim for claim in RESTS_ON if claim != goal])
