"""Brokers that begin and end transactions wrongly, or let the wrong ones act in them."""

from tests.conformance.mutants import Mutant

COORDINATOR = "impl.core.transactions.coordinator"
RULES = "impl.core.transactions.rules"
TRANSACTION = "impl.core.transactions.transaction"
ADMITTING = "impl.core.transactions.admitting"
SENDING = "impl.core.transactions.marker_sending"
PRODUCERS = "impl.core.log.producer_state"

TIMEOUT_BOUNDS = "if not 0 < request.transaction_timeout_ms <= longest_ms:"
ADDS_SINCE = "PRODUCE_ADDS_SINCE, COMMIT_ADDS_SINCE = 12, 5"
EPOCH_IS_CURRENT = "if producer.producer_epoch != known.producer_epoch:"
NOTHING_TO_COMMIT = "if known.state is not State.ONGOING and request.commits:  # TXNI-07"
NOBODY_TO_ADD_FOR = """\
there is nothing to add. Raises KafkaError.\"""
    if known is None:
        raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)"""
EPOCH_FENCE = """\
            State.PREPARE_EPOCH_FENCE,
            producer_epoch=self.producer_epoch"""

MUTANTS = (
    Mutant(
        "TXNI-01/a_newcomer_gets_a_higher_epoch",
        RULES,
        old="return known.producer_epoch + 1, NO_PRODUCER_EPOCH",
        new="return max(known.producer_epoch, 0), NO_PRODUCER_EPOCH",
    ),
    Mutant(
        "TXNI-01/a_predecessor_is_refused",
        RULES,
        old=EPOCH_IS_CURRENT,
        new="if producer.producer_epoch > known.producer_epoch:",
    ),
    Mutant(
        "TXNI-01/a_producer_that_names_its_epoch_gets_a_higher_one",
        RULES,
        old="return known.producer_epoch + 1, known.producer_epoch",
        new="return known.producer_epoch, known.producer_epoch",
    ),
    Mutant(
        "TXNI-01/a_producer_that_names_an_old_epoch_is_fenced",
        RULES,
        old="if expected.producer_epoch == known.last_producer_epoch:",
        new="if expected.producer_epoch <= known.producer_epoch:",
    ),
    Mutant(
        "TXNI-02/leftovers_are_aborted_before_a_newcomer_begins",
        COORDINATOR,
        old="            if error or not changed.is_decided:",
        new="            if error or changed:",
    ),
    Mutant(
        "TXNI-03/an_empty_transactional_id_is_refused",
        COORDINATOR,
        old="if request.transactional_id is None:",
        new="if not request.transactional_id:",
    ),
    Mutant(
        "TXNI-04/timeouts_out_of_bounds_are_refused",
        COORDINATOR,
        old=TIMEOUT_BOUNDS,
        new="if not 0 < request.transaction_timeout_ms <= longest_ms + 1:",
    ),
    Mutant(
        "TXNI-04/the_greatest_timeout_is_taken",
        COORDINATOR,
        old=TIMEOUT_BOUNDS,
        new="if not 0 < request.transaction_timeout_ms < longest_ms:",
    ),
    Mutant(
        "TXNI-05/requests_for_an_unknown_transactional_id_are_refused",
        RULES,
        old=NOBODY_TO_ADD_FOR,
        new=NOBODY_TO_ADD_FOR.replace("INVALID_PRODUCER_ID_MAPPING", "INVALID_TXN_STATE"),
    ),
    Mutant(
        "TXNI-05/requests_with_another_epoch_are_refused",
        COORDINATOR,
        old="\nFENCED_SINCE = 2",
        new="\nFENCED_SINCE = 1",
    ),
    Mutant(
        "TXNI-05/requests_with_another_producer_id_are_refused",
        RULES,
        old="    if producer.producer_id != known.producer_id:\n        raise "
        "KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)",
        new="    if producer.producer_id != known.producer_id:\n        raise "
        "KafkaError(ErrorCode.PRODUCER_FENCED)",
    ),
    Mutant(
        "TXNI-06/adding_a_partition_again_changes_nothing",
        RULES,
        old="known.partitions.issuperset(partitions):\n        return known",
        new="known.partitions.issuperset(partitions):\n        raise "
        "KafkaError(ErrorCode.INVALID_TXN_STATE)",
    ),
    Mutant(
        "TXNI-06/with_a_missing_partition_none_is_added",
        COORDINATOR,
        old="missing = [at for at in asked.partitions if not self._exists(at)]",
        new="missing = [at for at in asked.partitions[:1] if not self._exists(at)]",
    ),
    Mutant(
        "TXNI-07/without_a_transaction_there_is_no_end",
        RULES,
        old="raise KafkaError(ErrorCode.INVALID_TXN_STATE)  # TXNI-07",
        new="return known",
    ),
    Mutant(
        "TXNI-07/a_commit_of_nothing_is_refused_under_tv2",
        RULES,
        old=f"{NOTHING_TO_COMMIT}\n        raise KafkaError(ErrorCode.INVALID_TXN_STATE)",
        new=f"{NOTHING_TO_COMMIT}\n        return known",
    ),
    Mutant(
        "TXNI-07/an_abort_of_nothing_raises_the_epoch_under_tv2",
        RULES,
        old=NOTHING_TO_COMMIT,
        new="if known.state is not State.ONGOING:",
    ),
    Mutant(
        "TXNI-08/ending_twice_is_ending_once",
        RULES,
        old="    if _ended_so(known, request):  # TXNI-08\n        return known\n",
        new="",
    ),
    Mutant(
        "TXNI-08/a_repeated_end_brings_the_same_answer_under_tv2",
        RULES,
        old="return producer.producer_epoch + 1 == known.producer_epoch",
        new="return producer.producer_epoch == known.producer_epoch",
    ),
    Mutant(
        "TXNI-08/every_end_raises_the_epoch_under_tv2",
        TRANSACTION,
        old="            return self.producer\n",
        new="            return self.producer._replace(producer_epoch=self.producer_epoch - 1)\n",
    ),
    Mutant(
        "TXNI-09/the_states_follow_the_table",
        TRANSACTION,
        old="        return self._to(\n            State.EMPTY,\n",
        new="        return replace(\n            self,\n",
    ),
    Mutant(
        "TXNI-10/a_decision_survives_a_crash",
        "impl.core.log.producers",
        old="                segment.aborted.append(aborted)\n",
        new="                continue\n",
    ),
    Mutant(
        "TXNI-11/records_outside_a_transaction_are_refused",
        RULES,
        old="stray = ErrorCode.TRANSACTION_ABORTABLE",
        new="stray = ErrorCode.NONE",
    ),
    Mutant(
        "TXNI-11/records_after_the_end_are_refused",
        PRODUCERS,
        old="            and known.transaction_start is not None\n",
        new="",
    ),
    Mutant(
        "TXNI-11/the_broker_adds_the_partition_under_tv2",
        ADMITTING,
        old=ADDS_SINCE,
        new="PRODUCE_ADDS_SINCE, COMMIT_ADDS_SINCE = 99, 5",
    ),
    Mutant(
        "TXNI-11/plain_batches_within_a_transaction_are_refused",
        PRODUCERS,
        old="if producer.transaction_start is not None and not header.is_transactional:",
        new="if producer.transaction_start is not None and header.is_control:",
    ),
    Mutant(
        "TXNI-15/a_forgotten_transaction_is_aborted",
        TRANSACTION,
        old=f"{EPOCH_FENCE} + 1",
        new=EPOCH_FENCE,
    ),
    Mutant(
        "TXNI-15/a_producer_that_slept_is_refused_its_records",
        COORDINATOR,
        old="fenced = transaction.fenced(self._now_ms)",
        new="fenced = transaction.decided(self._now_ms, commits=False)",
    ),
    Mutant(
        "TXNI-21/a_marker_of_an_earlier_coordinator_is_refused",
        PRODUCERS,
        old="marker.coordinator_epoch < known.coordinator_epoch:",
        new="marker.coordinator_epoch < known.coordinator_epoch - 1:",
    ),
    Mutant(
        "TXNI-22/a_marker_that_comes_again_ends_nothing",
        PRODUCERS,
        old="        if has_own_epoch:\n",
        new="        if False:\n",
    ),
)
