"""Brokers that show readers too much of transactions, or too little."""

from tests.conformance.mutants import Mutant

PRODUCERS = "impl.core.log.producer_state"
MARKERS = "impl.core.log.markers"
PARTITION = "impl.core.data.partition"

STABLE = "return min([high_watermark, *self._decided, *list(self._undecided)[:1]])"

MUTANTS = (
    Mutant(
        "TXNI-12/an_open_transaction_holds_up_committed_readers",
        PRODUCERS,
        old=STABLE,
        new="return min([high_watermark, *self._decided])",
    ),
    Mutant(
        "TXNI-12/without_transactions_the_stable_end_is_the_end",
        PRODUCERS,
        old=STABLE,
        new="return min([*self._decided, *list(self._undecided)[:1]], default=0)",
    ),
    Mutant(
        "TXNI-12/the_first_of_several_open_transactions_counts",
        PRODUCERS,
        old=STABLE,
        new="return min([high_watermark, *self._decided, *list(self._undecided)[-1:]])",
    ),
    Mutant(
        "TXNI-12/uncommitted_readers_are_not_held_up",
        PARTITION,
        old="return self.last_stable_offset if committed else self.high_watermark",
        new="return self.last_stable_offset",
    ),
    Mutant(
        "TXNI-13/aborted_transactions_are_listed",
        "impl.core.log.transaction_index",
        old="return self.last_offset >= start and self.first_offset < end",
        new="return self.first_offset >= start and self.first_offset < end",
    ),
    Mutant(
        "TXNI-13/uncommitted_readers_get_aborted_and_open_records",
        "impl.core.data.reading",
        old="lists_aborted_transactions=request.isolation_level == READ_COMMITTED",
        new="lists_aborted_transactions=True",
    ),
    Mutant(
        "TXNI-13/interleaved_transactions_can_be_told_apart",
        PRODUCERS,
        old="        if marker.commits:\n            return None",
        new="        if marker.commits or self._undecided:\n            return None",
    ),
    Mutant(
        "TXNI-13/a_producer_may_commit_after_an_abort",
        "impl.core.log.producers",
        old="if aborted.last_stable_offset >= end:",
        new="if aborted.last_stable_offset <= end:",
    ),
    Mutant(
        "TXNI-14/a_marker_takes_an_offset",
        MARKERS,
        old="batch = build_batch([(key, value)], timestamp_ms, checksum)",
        new="batch = build_batch([(key, value)] * 2, timestamp_ms, checksum)",
    ),
    Mutant(
        "TXNI-14/markers_are_delivered_as_control_batches",
        MARKERS,
        old="CONTROL | TRANSACTIONAL, checksum",
        new="CONTROL, checksum",
    ),
    Mutant(
        "TXNI-14/a_transaction_marks_every_partition_that_took_part",
        "impl.core.transactions.marker_sending",
        old="dict.fromkeys(sorted(transaction.partitions), 0)",
        new="dict.fromkeys(sorted(transaction.partitions)[:1], 0)",
    ),
)
