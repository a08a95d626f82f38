"""Why KIP-320 replication loses no committed record: an inductive invariant, for logs, epochs and
numbers of records without limit.

The members of an ISR hold all that was committed before its epoch. While one of them is still
behind, nothing was committed in between. The ISR of a leader that was replaced covers every later
one, or one of its members has moved on and will not help that leader to commit again. So all that
may be elected hold what was committed.

This file decides which claims the proof of each claim rests on. That spares a solver what it need
not look at; it is no part of what is trusted. Clauses: REPL-05, REPL-13.
"""

from typing import Final

from model.areas.replication_lemmas import machine

COMMITTED_RECORDS_SURVIVE: Final = "committed_records_survive_election"
ISR_HOLDS: Final = "isr_of_each_leader_holds_what_it_committed"

# Each claim, with those that must hold before a step for it to hold after it, besides itself.
RESTS_ON: Final[dict[str, tuple[str, ...]]] = {
    "replicas_follow_notices_that_were_issued": ("an_epoch_that_was_not_given_out_has_no_leader",),
    "leaders_of_followers_have_reached_their_epoch": (),
    "a_replica_that_is_in_no_epoch_knows_nothing": (),
    "a_replica_finds_its_leader_in_its_isr": ("the_leader_of_a_notice_is_in_its_isr",),
    "an_epoch_that_was_not_given_out_has_no_leader": (),
    "the_leader_of_a_notice_is_in_its_isr": ("leader_is_a_member_of_the_isr",),
    "the_last_notice_says_who_leads": (),
    "leader_is_a_member_of_the_isr": ("a_replica_finds_its_leader_in_its_isr",),
    "isr_of_the_true_leader_is_the_isr_of_the_controller": (
        "replicas_follow_notices_that_were_issued",
        "the_isr_of_the_last_notice_stays_until_its_leader_takes_office",
    ),
    "the_isr_of_the_last_notice_stays_until_its_leader_takes_office": (
        "the_last_notice_says_who_leads",
    ),
    "records_are_of_epochs_and_identities_that_were_used": (
        "a_replica_that_is_in_no_epoch_knows_nothing",
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
        "leader_is_a_member_of_the_isr",
        "a_leaders_isr_covers_that_of_the_controller_or_a_member_moved_on",
        "an_awaited_notice_covers_later_ones_or_a_member_moved_on",
    ),
    "a_leaders_isr_covers_that_of_the_controller_or_a_member_moved_on": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "leader_is_a_member_of_the_isr",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "an_awaited_notice_covers_the_controller_or_a_member_moved_on",
    ),
    "an_awaited_notice_covers_later_ones_or_a_member_moved_on": (
        "leader_is_a_member_of_the_isr",
        "an_awaited_notice_covers_the_controller_or_a_member_moved_on",
    ),
    "an_awaited_notice_covers_the_controller_or_a_member_moved_on": (
        "the_last_notice_says_who_leads",
        "leader_is_a_member_of_the_isr",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
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
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
    ),
    "a_leader_holds_what_was_committed_up_to_its_epoch": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "the_leader_of_a_notice_is_in_its_isr",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "the_isr_of_a_notice_holds_what_was_committed_before_it",
    ),
    "the_isr_of_a_notice_holds_what_was_committed_before_it": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "the_leader_of_a_notice_is_in_its_isr",
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
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_that_of_the_controller_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "a_member_of_the_isr_that_is_behind_missed_no_commit",
    ),
    "a_member_of_a_notice_that_is_behind_missed_no_commit": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_member_of_the_isr_that_is_behind_missed_no_commit",
    ),
    "a_member_of_the_isr_that_is_behind_missed_no_commit": (
        "replicas_follow_notices_that_were_issued",
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "leader_is_a_member_of_the_isr",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_leaders_isr_covers_that_of_the_controller_or_a_member_moved_on",
        "all_below_a_high_watermark_was_committed_and_is_held",
    ),
    "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit": (
        "replicas_follow_notices_that_were_issued",
        "leaders_of_followers_have_reached_their_epoch",
        "a_replica_that_is_in_no_epoch_knows_nothing",
        "a_replica_finds_its_leader_in_its_isr",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "the_leader_of_a_notice_is_in_its_isr",
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_member_of_a_notice_that_is_behind_missed_no_commit",
        "a_member_of_the_isr_that_is_behind_missed_no_commit",
    ),
    "the_isr_of_each_leader_holds_what_it_knows_to_be_committed": (
        "a_replica_finds_its_leader_in_its_isr",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "the_leader_of_a_notice_is_in_its_isr",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_later_notices_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_a_notice_holds_what_was_committed_before_it",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    ),
    "committed_records_survive_election": (
        "isr_of_the_true_leader_is_the_isr_of_the_controller",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "a_leaders_isr_covers_that_of_the_controller_or_a_member_moved_on",
        "what_was_committed_was_committed_in_an_epoch_that_began",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_the_controller_holds_all_that_was_committed",
        "a_member_of_the_isr_that_is_behind_missed_no_commit",
    ),
    "isr_of_each_leader_holds_what_it_committed": (
        "a_replica_finds_its_leader_in_its_isr",
        "an_epoch_that_was_not_given_out_has_no_leader",
        "followers_in_their_leaders_epoch_are_prefixes_of_it",
        "all_below_a_high_watermark_was_committed_and_is_held",
        "a_leader_holds_what_was_committed_up_to_its_epoch",
        "the_isr_of_a_notice_holds_what_was_committed_before_it",
        "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
        "the_isr_of_each_leader_holds_what_it_knows_to_be_committed",
    ),
}

# What only the second goal needs: what the ISR that a presumed leader knows holds, also when it
# leads no more.
OF_FORMER_LEADERS: Final = (
    "a_member_of_a_leaders_isr_that_is_behind_missed_no_commit",
    "the_isr_of_each_leader_holds_what_it_knows_to_be_committed",
)
LEMMAS: Final = tuple(
    name
    for name in RESTS_ON
    if name not in (COMMITTED_RECORDS_SURVIVE, ISR_HOLDS, *OF_FORMER_LEADERS)
)
machine.proof(COMMITTED_RECORDS_SURVIVE, by=LEMMAS)
machine.proof(ISR_HOLDS, by=(*LEMMAS, *OF_FORMER_LEADERS))
