"""Brokers that promise of their replicas what they do not keep."""

from tests.conformance.mutants import Mutant

PARTITION = "impl.core.data.partition"
PRODUCING = "impl.core.data.producing"

MUTANTS = (
    Mutant(
        "ACKS-04/acks_1_does_not_wait_for_followers",
        PRODUCING,
        old="            parked.pending.clear()\n",
        new="            pass\n",
    ),
    Mutant(
        "ACKS-05/a_write_waits_for_every_in_sync_replica",
        PARTITION,
        old="if self.high_watermark < required_offset:",
        new="if self.log.log_end_offset < required_offset:",
    ),
    Mutant(
        "ACKS-05/a_write_goes_on_without_a_follower_that_is_cut_off",
        PARTITION,
        old="if self.high_watermark < required_offset:",
        new="if self.log.log_end_offset < required_offset:",
    ),
    Mutant(
        "ACKS-06/below_the_minimum_writes_are_refused",
        PARTITION,
        old=(
            "raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS)\n"
            "        sent = only_batch(records, may_use_zstd=may_use_zstd)"
        ),
        new=(
            "raise KafkaError(ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)\n"
            "        sent = only_batch(records, may_use_zstd=may_use_zstd)"
        ),
    ),
    Mutant(
        "ACKS-06/with_too_few_brokers_writes_are_refused",
        PARTITION,
        old="return len(isr) >= demanded",
        new="return len(isr) > 0",
    ),
    Mutant(
        "ACKS-07/losing_the_minimum_after_the_append_is_no_success",
        PARTITION,
        old="return len(isr) >= demanded",
        new="return len(isr) > 0",
    ),
    Mutant(
        "ACKS-08/a_write_that_times_out_stays_in_the_log",
        PRODUCING,
        old="error = ErrorCode.REQUEST_TIMED_OUT",
        new="error = ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    ),
    Mutant(
        "ACKS-08/partitions_that_do_not_wait_have_their_true_result",
        PRODUCING,
        old="parked.partitions[index] = self._failed(answer, error)",
        new="parked.partitions = [self._failed(each, error) for each in parked.partitions]",
    ),
    Mutant(
        "ACKS-10/an_acknowledged_record_survives_its_leader",
        PARTITION,
        old="        self.log.begin_epoch(epoch)",
        new=(
            "        self.log.truncate_to(max(self.high_watermark - 1, "
            "self.log.log_start_offset))\n"
            "        self.log.begin_epoch(epoch)"
        ),
    ),
)
