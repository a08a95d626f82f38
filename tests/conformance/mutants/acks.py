"""Brokers that get acknowledgements wrong."""

from tests.conformance.mutants import Mutant

PARTITION = "impl.core.data.partition"
PRODUCING = "impl.core.data.producing"

MUTANTS = (
    Mutant(
        "ACKS-01/other_acks_are_refused",
        PRODUCING,
        old="if request.acks not in (NO_ACKS, LEADER_ONLY, ALL_REPLICAS):",
        new="if request.acks < ALL_REPLICAS:",
    ),
    Mutant(
        "ACKS-02/acks_zero_is_not_answered",
        PRODUCING,
        old="return [Close(call) if failed else NoReply(call)]",
        new=(
            "return [Close(call) if failed else Reply(call, Produced(tuple(parked.partitions)))]"
        ),
    ),
    Mutant(
        "ACKS-03/acks_zero_with_an_error_closes_the_connection",
        PRODUCING,
        old="return [Close(call) if failed else NoReply(call)]",
        new="return [NoReply(call)]",
    ),
    Mutant(
        "ACKS-03/acks_zero_of_a_damaged_batch_closes_the_connection",
        PRODUCING,
        old="failed = any(p.error for p in parked.partitions)",
        new=(
            "failed = any(p.error is not ErrorCode.CORRUPT_MESSAGE and p.error for p in "
            "parked.partitions)"
        ),
    ),
    Mutant(
        "ACKS-03/earlier_answers_come_before_the_close",
        PRODUCING,
        old="return [Close(call) if failed else NoReply(call)]",
        new="return [Reply(call, Produced(tuple(parked.partitions)))]",
    ),
    Mutant(
        "ACKS-04/acks_one_does_not_ask_for_the_minimum",
        PARTITION,
        old="if acks == ALL_REPLICAS and self.is_under_min_isr:",
        new="if acks and len(self._assignment.isr) < self.log.config.min_insync_replicas:",
    ),
    Mutant(
        "ACKS-05/what_acks_all_confirms_is_committed",
        PARTITION,
        old=(
            "        self.advance_high_watermark(now_ms)\n"
            "        log_append_time_ms = header.max_timestamp if "
            "header.is_log_append_time else NO_TIMESTAMP\n"
            "        return Appended(header.base_offset, log_append_time_ms, "
            "header.next_offset)"
        ),
        new="        return Appended(header.base_offset, NO_TIMESTAMP, header.base_offset)",
    ),
    Mutant(
        "ACKS-09/one_bad_partition_does_not_spoil_the_others",
        PRODUCING,
        old="            self._append(asked, request, admission, parked, now_ms)\n",
        new=(
            "            self._append(asked, request, admission, parked, now_ms)\n"
            "            if parked.partitions[-1].error:\n"
            "                break\n"
        ),
    ),
    Mutant(
        "ACKS-09/one_unknown_topic_does_not_spoil_the_others",
        PRODUCING,
        old="            self._append(asked, request, admission, parked, now_ms)\n",
        new=(
            "            self._append(asked, request, admission, parked, now_ms)\n"
            "            if parked.partitions[-1].error is "
            "ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:\n"
            "                break\n"
        ),
    ),
)
