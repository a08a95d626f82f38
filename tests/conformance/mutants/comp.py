"""Brokers that take anything into a compacted topic, or not enough."""

from tests.conformance.mutants import Mutant

RULES = "impl.core.log.batch_rules"
SURVEY = "impl.core.log.record_survey"

MUTANTS = (
    Mutant(
        "COMP-10/records_without_a_key_are_refused",
        RULES,
        old="if header.compression == NOT_COMPRESSED or config.is_compacted:",
        new="if header.compression == NOT_COMPRESSED:",
    ),
    Mutant(
        "COMP-10/an_empty_key_is_a_key",
        SURVEY,
        old="if key_size & 1:",
        new="if key_size <= 1:",
    ),
)
