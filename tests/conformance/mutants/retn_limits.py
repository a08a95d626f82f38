"""Brokers whose retention takes too much."""

from tests.conformance.mutants import Mutant

LOG = "impl.core.log.log"
SEGMENT = "impl.core.log.segment"

MUTANTS = (
    Mutant(
        "RETN-01/time_retention_stops_at_the_first_young_segment",
        LOG,
        old="(is_old or is_excess):\n                break",
        new="(is_old or is_excess):\n                continue",
    ),
    Mutant(
        "RETN-01/one_young_record_keeps_its_segment",
        SEGMENT,
        old="self.max_timestamp = header.max_timestamp",
        new="self.max_timestamp = header.base_timestamp",
    ),
    Mutant(
        "RETN-02/size_retention_leaves_the_limit",
        LOG,
        old="segment.size <= excess",
        new="excess > 0",
    ),
    Mutant(
        "RETN-05/without_limits_nothing_is_deleted",
        LOG,
        old="is_old = 0 <= self.config.retention_ms <",
        new="is_old = self.config.retention_ms <",
    ),
    Mutant(
        "RETN-06/compaction_alone_has_no_retention",
        LOG,
        old="if expired == 0 or not self.config.is_deleted:",
        new="if expired == 0:",
    ),
    Mutant(
        "RETN-10/what_retention_leaves_is_unchanged",
        LOG,
        old="keep = self.segment_of(offset)\n        for",
        new="keep = self.segment_of(offset) + 1\n        for",
    ),
)
