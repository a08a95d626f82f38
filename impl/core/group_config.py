"""The broker options that groups depend on, under Apache Kafka's names and with its defaults."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_MS = 60_000

# KIP-394: a member that joins for the first time cannot send heartbeats yet, so its parked
# JoinGroup has a limit of its own; Kafka offers no option for it.
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class GroupConfig:
    group_min_session_timeout_ms: int = 6_000
    group_max_session_timeout_ms: int = 30 * MINUTE_MS
    group_initial_rebalance_delay_ms: int = 3_000
    group_max_size: int = 2**31 - 1
    offset_metadata_max_bytes: int = 4_096
    offsets_commit_timeout_ms: int = 5_000
    offsets_retention_minutes: int = 7 * 24 * 60
    offsets_retention_check_interval_ms: int = 10 * MINUTE_MS
    offsets_topic_num_partitions: int = 50

    @property
    def offsets_retention_ms(self) -> int:
        return self.offsets_retention_minutes * MINUTE_MS
