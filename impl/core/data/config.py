"""The broker options that replication depends on, and what replicas write down and when."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.config import INT_MAX, option


@dataclass(frozen=True, slots=True)
class ReplicationConfig:
    log_flush_offset_checkpoint_interval_ms: int = option(60_000, at_least=1, at_most=INT_MAX)
    replica_fetch_backoff_ms: int = option(1_000, at_least=0, at_most=INT_MAX)
    replica_fetch_max_bytes: int = option(1 << 20, at_least=0, at_most=INT_MAX)
    replica_fetch_min_bytes: int = option(1, at_most=INT_MAX)
    replica_fetch_response_max_bytes: int = option(10 << 20, at_least=0, at_most=INT_MAX)
    replica_fetch_wait_max_ms: int = option(500, at_most=INT_MAX)
    replica_high_watermark_checkpoint_interval_ms: int = option(5_000, at_least=1)
    replica_lag_time_max_ms: int = option(30_000)
    replica_socket_timeout_ms: int = option(30_000, at_most=INT_MAX)
