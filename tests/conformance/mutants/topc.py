"""Brokers that get topics wrong: which can be created, and with what."""

from tests.conformance.mutants import Mutant

TOPICS = "impl.core.topics"

MUTANTS = (
    Mutant(
        "TOPC-01/illegal_names_are_refused",
        TOPICS,
        old='if name in (".", ".."):',
        new='if name == ".":',
    ),
)
