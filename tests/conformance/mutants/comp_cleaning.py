"""Brokers whose cleaner removes what has to stay, or changes what it leaves."""

from tests.conformance.mutants import Mutant

CLEANER = "impl.core.log.cleaner"
COMPACTION = "impl.core.log.compaction"
CLEANED_BATCH = "impl.core.log.cleaned_batch"
TRACE = "impl.core.log.transaction_trace"

REPLACED = "offset < self._last_offsets.get(bytes(record.key), -1)"
IS_OVER = "is_over = horizon_ms is not None and horizon_ms <= self._now_ms"
LIMITS = "limits = [partition.last_stable_offset, log.segments[-1].base_offset]"

MUTANTS = (
    Mutant(
        "COMP-01/the_last_record_of_each_key_stays",
        COMPACTION,
        old="if record.key is None or offset",
        new="if not record.key or offset",
    ),
    Mutant(
        "COMP-02/what_stays_is_unchanged",
        CLEANED_BATCH,
        old="    if earlier_ms:\n",
        new="    if earlier_ms > 0:\n",
    ),
    Mutant(
        "COMP-02/batches_keep_their_frame",
        CLEANED_BATCH,
        old="cleaned = cleaned._replace(record_count=len(kept))",
        new="cleaned = cleaned._replace(\n"
        "        record_count=len(kept), last_offset_delta=kept[-1][0].offset_delta\n"
        "    )",
    ),
    Mutant(
        "COMP-03/the_active_segment_is_not_compacted",
        CLEANER,
        old="range(start, max(start, end)),",
        new="range(start, log.log_end_offset),",
    ),
    Mutant(
        "COMP-03/what_is_undecided_replaces_nothing",
        CLEANER,
        old=LIMITS,
        new="limits = [log.log_end_offset, log.segments[-1].base_offset]",
    ),
    Mutant(
        "COMP-04/young_records_are_left_alone",
        CLEANER,
        old="segment.youngest_ms > now_ms - lag_ms",
        new="segment.youngest_ms > now_ms",
    ),
    Mutant(
        "COMP-05/a_tombstone_stays_for_a_time",
        COMPACTION,
        old=IS_OVER,
        new="is_over = horizon_ms is not None",
    ),
    Mutant(
        "COMP-05/the_delete_horizon_is_written_down",
        COMPACTION,
        old="self._horizon_ms = now_ms + partition.log.config.delete_retention_ms",
        new="self._horizon_ms = now_ms",
    ),
    Mutant(
        "COMP-06/a_tombstone_goes_in_the_end",
        COMPACTION,
        old=IS_OVER,
        new="is_over = horizon_ms is not None and horizon_ms <= 0",
    ),
    Mutant(
        "COMP-07/a_marker_outlives_the_records",
        COMPACTION,
        old="keeps = _nothing if is_idle and is_over else _everything",
        new="keeps = _nothing if is_idle else _everything",
    ),
    Mutant(
        "COMP-08/aborted_records_go_and_replace_nothing",
        COMPACTION,
        old="        elif not trace.is_aborted(header):  # COMP-08\n",
        new="        else:\n",
    ),
    Mutant(
        "COMP-09/the_last_batch_of_a_producer_is_kept",
        COMPACTION,
        old="last = last_batches.get(header.producer_id) if header.has_producer_id else None",
        new="last = last_batches.get(header.producer_id) if header.is_transactional else None",
    ),
    Mutant(
        "COMP-12/who_reads_to_the_end_has_the_table",
        COMPACTION,
        old=REPLACED,
        new="offset < self._last_offsets.get(bytes(record.key), offset + 1)",
    ),
    Mutant(
        "COMP-12/who_reads_what_is_committed_has_its_table",
        TRACE,
        old="aborted = self._aborting.pop(producer_id, None)",
        new="aborted = self._aborting.get(producer_id)",
    ),
)
