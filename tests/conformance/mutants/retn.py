"""Brokers that delete too much, too little, or what is not theirs to delete."""

from tests.conformance.mutants import Mutant

BATCH_RULES = "impl.core.log.batch_rules"
LOG = "impl.core.log.log"
DELETING = "impl.core.data.deleting"
PARTITION = "impl.core.data.partition"
READING = "impl.core.data.reading"

MUTANTS = (
    Mutant(
        "RETN-04/the_log_start_does_not_move_down",
        LOG,
        old="if offset <= self.log_start_offset:",
        new="if offset == self.log_start_offset:",
    ),
    Mutant(
        "RETN-04/the_log_start_survives_a_restart",
        DELETING,
        old="self._partitions.log_start_moved(partition)\n",
        new="\n",
    ),
    Mutant(
        "RETN-07/records_are_deleted_up_to_an_offset",
        PARTITION,
        old="offset = self.high_watermark if offset == -1 else offset\n"
        "        if not 0 <= offset <= self.high_watermark:\n"
        "            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)\n",
        new="if not -1 <= offset < self.high_watermark:\n"
        "            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)\n"
        "        offset = self.high_watermark if offset == -1 else offset\n",
    ),
    Mutant(
        "RETN-07/deletion_may_mean_all",
        PARTITION,
        old="offset = self.high_watermark if offset == -1 else offset",
        new="offset = self.log.log_start_offset if offset == -1 else offset",
    ),
    Mutant(
        "RETN-07/deletion_of_what_is_gone_succeeds",
        PARTITION,
        old="if not 0 <= offset <= self.high_watermark:",
        new="if not self.log.log_start_offset <= offset <= self.high_watermark:",
    ),
    Mutant(
        "RETN-07/deletion_above_the_high_watermark_is_refused",
        PARTITION,
        old="if not 0 <= offset <= self.high_watermark:",
        new="offset = min(offset, self.high_watermark)\n        if offset < 0:",
    ),
    Mutant(
        "RETN-07/what_was_deleted_is_out_of_range",
        READING,
        old="return log.log_start_offset <= asked.fetch_offset <= log.log_end_offset",
        new="return 0 <= asked.fetch_offset <= log.log_end_offset",
    ),
    Mutant(
        "RETN-08/internal_topics_are_not_deleted_from",
        DELETING,
        old="if asked.topic in INTERNAL_TOPICS:",
        new='if asked.topic == "__transaction_state":',
    ),
    Mutant(
        "RETN-09/compacted_topics_are_not_deleted_from",
        PARTITION,
        old="if not self.log.config.is_deleted:",
        new="if not self.log.config.cleanup_policy:",
    ),
    Mutant(
        "RETN-09/topics_with_both_policies_are_deleted_from",
        PARTITION,
        old="if not self.log.config.is_deleted:",
        new="if self.log.config.is_compacted:",
    ),
    Mutant(
        "RETN-11/timestamps_from_the_future_are_refused",
        BATCH_RULES,
        old="not earliest <= timestamp <= latest:",
        new="timestamp < earliest:",
    ),
    Mutant(
        "RETN-11/timestamps_a_little_ahead_are_accepted",
        BATCH_RULES,
        old="latest = now_ms + config.message_timestamp_after_max_ms",
        new="latest = now_ms + TopicConfig().message_timestamp_after_max_ms",
    ),
)
