"""The broker options that transactions depend on."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.messages import NewTopic
from impl.core.config import HOUR_MS, INT_MAX, MINUTE_MS, option
from impl.core.groups.lookup import TRANSACTIONS_TOPIC


@dataclass(frozen=True, slots=True)
class TransactionConfig:
    transaction_abort_timed_out_transaction_cleanup_interval_ms: int = option(
        10_000, at_least=1, at_most=INT_MAX
    )
    transaction_max_timeout_ms: int = option(15 * MINUTE_MS, at_least=1, at_most=INT_MAX)
    transaction_partition_verification_enable: bool = option(True)
    transaction_remove_expired_transaction_cleanup_interval_ms: int = option(
        HOUR_MS, at_least=1, at_most=INT_MAX
    )
    transaction_state_log_min_isr: int = option(2, at_least=1, at_most=INT_MAX)
    transaction_state_log_num_partitions: int = option(50, at_least=1, at_most=INT_MAX)
    transaction_state_log_replication_factor: int = option(3, at_least=1, at_most=INT_MAX)
    transaction_state_log_segment_bytes: int = option(100 << 20, at_least=1, at_most=INT_MAX)
    transactional_id_expiration_ms: int = option(7 * 24 * HOUR_MS, at_least=1, at_most=INT_MAX)


def state_topic(config: TransactionConfig) -> NewTopic:
    """How `__transaction_state` is created, when somebody first asks for a coordinator."""
    return NewTopic(
        TRANSACTIONS_TOPIC,
        config.transaction_state_log_num_partitions,
        config.transaction_state_log_replication_factor,
        configs=(
            ("cleanup.policy", "compact"),
            ("compression.type", "uncompressed"),
            ("min.insync.replicas", str(config.transaction_state_log_min_isr)),
            ("segment.bytes", str(config.transaction_state_log_segment_bytes)),
            ("unclean.leader.election.enable", "false"),
        ),
    )
