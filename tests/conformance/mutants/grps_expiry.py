"""Brokers that let offsets expire which are in use."""

from tests.conformance.mutants import Mutant

OFFSETS = "impl.core.groups.offsets"

MUTANTS = (
    Mutant(
        "GRPS-15/offsets_of_subscribed_topics_do_not_expire",
        OFFSETS,
        old="if not group.subscribes_to(at.topic)\n        and not",
        new="if not",
    ),
    Mutant(
        "GRPS-15/offsets_with_an_open_transaction_do_not_expire",
        OFFSETS,
        old="        and not offsets.is_unstable(group.group_id, at)\n",
        new="",
    ),
    Mutant(
        "GRPS-16/offsets_outlive_their_group",
        OFFSETS,
        old="return now_ms - start_ms >= retention_ms",
        new="return now_ms - start_ms >= 0",
    ),
)
