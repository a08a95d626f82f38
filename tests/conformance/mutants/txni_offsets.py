"""Brokers with offsets that do not wait for the end of their transaction, or wait for too much."""

from tests.conformance.mutants import Mutant

ADMITTING = "impl.core.transactions.admitting"
REQUESTS = "impl.core.groups.offsets_requests"
OFFSETS = "impl.core.groups.offsets"

MUTANTS = (
    Mutant(
        "TXNI-16/offsets_come_with_the_commit",
        "impl.core.groups.shard",
        old="producer_id = None if producer is None else producer.producer_id",
        new="producer_id = None",
    ),
    Mutant(
        "TXNI-16/offsets_go_with_the_abort",
        OFFSETS,
        old="if not commit or not offsets:",
        new="if not offsets:",
    ),
    Mutant(
        "TXNI-16/offsets_need_a_group_that_was_added",
        ADMITTING,
        old="PRODUCE_ABORTABLE_SINCE, COMMIT_ABORTABLE_SINCE = 11, 4",
        new="PRODUCE_ABORTABLE_SINCE, COMMIT_ABORTABLE_SINCE = 11, 3",
    ),
    Mutant(
        "TXNI-16/the_broker_adds_the_group_under_tv2",
        ADMITTING,
        old="PRODUCE_ADDS_SINCE, COMMIT_ADDS_SINCE = 12, 5",
        new="PRODUCE_ADDS_SINCE, COMMIT_ADDS_SINCE = 12, 99",
    ),
    Mutant(
        "TXNI-16/the_later_record_of_a_commit_wins",
        OFFSETS,
        old="if at not in stored or entry.record_offset > stored[at].record_offset:",
        new="if at not in stored or entry.record_offset < stored[at].record_offset:",
    ),
    Mutant(
        "TXNI-17/strangers_do_not_commit_in_transactions",
        REQUESTS,
        old="    if claims:\n        who",
        new="    if claims and request.producer is None:\n        who",
    ),
    Mutant(
        "TXNI-17/members_commit_in_transactions",
        "impl.core.groups.group",
        old="COMMIT_IN_TRANSACTION: _row(_OK, _OK, _OK, _OK, ErrorCode.ILLEGAL_GENERATION)",
        new="COMMIT_IN_TRANSACTION: _row(_OK, _OK, _OK, _REBALANCE, ErrorCode.ILLEGAL_GENERATION)",
    ),
    Mutant(
        "TXNI-18/pending_offsets_can_be_waited_for",
        REQUESTS,
        old="if require_stable and shard.offsets.is_unstable(group_id, at):",
        new="if shard.offsets.is_unstable(group_id, at):",
    ),
    Mutant(
        "TXNI-18/a_plain_commit_does_not_make_an_offset_stable",
        OFFSETS,
        old="return any(at in groups.get(group_id, {})",
        new="return not self.get(group_id, at) and any(at in groups.get(group_id, {})",
    ),
)
