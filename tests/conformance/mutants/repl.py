"""Leaders that get their followers wrong, and followers their leaders."""

from tests.conformance.mutants import Mutant

DELETING = "impl.core.data.deleting"
LEADERSHIP = "impl.core.data.leadership"
PARTITION = "impl.core.data.partition"
READING = "impl.core.data.reading"

MUTANTS = (
    Mutant(
        "REPL-01/the_high_watermark_waits_for_every_in_sync_replica",
        PARTITION,
        old="reached = self._leadership.reached_offset(self.log.log_end_offset, now_ms)",
        new="reached = self.log.log_end_offset",
    ),
    Mutant(
        "REPL-01/the_high_watermark_does_not_go_back",
        PARTITION,
        old="if reached > self.high_watermark:",
        new="if reached != self.high_watermark:",
    ),
    Mutant(
        "REPL-02/below_the_minimum_the_high_watermark_stands_still",
        PARTITION,
        old="if self._leadership is None or self.is_under_min_isr:",
        new="if self._leadership is None:",
    ),
    Mutant(
        "REPL-03/the_minimum_is_no_more_than_the_replicas",
        PARTITION,
        old=(
            "demanded = min(self.log.config.min_insync_replicas, len(self._assignment.replicas))"
        ),
        new="demanded = self.log.config.min_insync_replicas",
    ),
    Mutant(
        "REPL-04/consumers_see_nothing_above_the_high_watermark",
        PARTITION,
        old="return self.last_stable_offset if committed else self.high_watermark",
        new="return self.last_stable_offset if committed else self.log.log_end_offset",
    ),
    Mutant(
        "REPL-05/a_follower_below_the_high_watermark_stays_out",
        LEADERSHIP,
        old="needed = max(high_watermark, self.epoch_start_offset)",
        new="needed = self.epoch_start_offset",
    ),
    Mutant(
        "REPL-07/a_follower_that_does_not_fetch_is_given_up",
        LEADERSHIP,
        old="if staying == self.isr:",
        new="if staying:",
    ),
    Mutant(
        "REPL-07/a_follower_that_keeps_pace_stays",
        LEADERSHIP,
        old="elif fetch.offset >= self.leader_end_at_last_fetch >= 0:",
        new="elif fetch.offset > self.leader_end_at_last_fetch >= 0:",
    ),
    Mutant(
        "REPL-11/a_fetch_from_another_branch_does_not_count",
        READING,
        old="if not _is_in_range(partition, asked) or divergence(partition, asked) is not None:",
        new="if not partition.is_leader:",
    ),
    Mutant(
        "REPL-12/a_follower_with_too_long_a_log_is_told_where_they_part",
        READING,
        old="end.end_offset >= asked.fetch_offset",
        new="end.end_offset >= 0",
    ),
    Mutant(
        "REPL-13/replicas_agree_on_what_is_committed",
        PARTITION,
        old=(
            "            self._producers.append(header, payload, now_ms)\n"
            "            self.note_change()"
        ),
        new=(
            "            later = header._replace(base_timestamp=header.base_timestamp + 1)\n"
            "            self._producers.append(later, payload, now_ms)\n"
            "            self.note_change()"
        ),
    ),
    Mutant(
        "REPL-14/deleting_records_waits_for_the_replicas",
        DELETING,
        old="is_done = low_watermark >= offset",
        new="is_done = True",
    ),
    Mutant(
        "RETN-03/what_is_not_committed_is_not_deleted",
        PARTITION,
        old="if not 0 <= offset <= self.high_watermark:",
        new="if not 0 <= offset <= self.log.log_end_offset:",
    ),
)
