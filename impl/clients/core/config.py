"""The options of the clients, under Kafka's names and with the defaults of Kafka 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from impl.core.config import INT_MAX, LONG_MAX, MINUTE_MS, option, parse_options, render_option

Config = TypeVar("Config", "ProducerConfig", "ConsumerConfig")

COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


@dataclass(frozen=True, slots=True)
class ProducerConfig:
    bootstrap_servers: str = option("127.0.0.1:9092")
    client_id: str = option("brokerspec-producer")
    acks: str = option("all", one_of=("all", "-1", "0", "1"))
    batch_size: int = option(16_384, at_least=0, at_most=INT_MAX)
    buffer_memory: int = option(32 << 20, at_least=0)
    compression_type: str = option("none", one_of=COMPRESSIONS)
    delivery_timeout_ms: int = option(2 * MINUTE_MS, at_least=0, at_most=INT_MAX)
    enable_idempotence: bool = option(True)
    linger_ms: int = option(5, at_least=0)
    max_block_ms: int = option(MINUTE_MS, at_least=0)
    max_request_size: int = option(1 << 20, at_least=0, at_most=INT_MAX)
    metadata_max_age_ms: int = option(5 * MINUTE_MS, at_least=0)
    request_timeout_ms: int = option(30_000, at_least=0, at_most=INT_MAX)
    retries: int = option(INT_MAX, at_least=0, at_most=INT_MAX)
    retry_backoff_ms: int = option(100, at_least=0)
    transaction_timeout_ms: int = option(MINUTE_MS, at_least=0, at_most=INT_MAX)
    transactional_id: str = option("")


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    bootstrap_servers: str = option("127.0.0.1:9092")
    client_id: str = option("brokerspec-consumer")
    group_id: str = option("")
    group_instance_id: str = option("")
    auto_commit_interval_ms: int = option(5_000, at_least=0, at_most=INT_MAX)
    auto_offset_reset: str = option("latest", one_of=("latest", "earliest", "none"))
    check_crcs: bool = option(True)
    enable_auto_commit: bool = option(True)
    fetch_max_bytes: int = option(50 << 20, at_least=0, at_most=INT_MAX)
    fetch_max_wait_ms: int = option(500, at_least=0, at_most=INT_MAX)
    fetch_min_bytes: int = option(1, at_least=0, at_most=INT_MAX)
    heartbeat_interval_ms: int = option(3_000, at_least=1, at_most=INT_MAX)
    isolation_level: str = option(
        "read_uncommitted", one_of=("read_uncommitted", "read_committed")
    )
    max_partition_fetch_bytes: int = option(1 << 20, at_least=0, at_most=INT_MAX)
    max_poll_interval_ms: int = option(5 * MINUTE_MS, at_least=1, at_most=INT_MAX)
    max_poll_records: int = option(500, at_least=1, at_most=INT_MAX)
    metadata_max_age_ms: int = option(5 * MINUTE_MS, at_least=0)
    request_timeout_ms: int = option(30_000, at_least=0, at_most=INT_MAX)
    retry_backoff_ms: int = option(100, at_least=0, at_most=LONG_MAX)
    session_timeout_ms: int = option(45_000, at_least=1, at_most=INT_MAX)


def read_config(kind: type[Config], given: Mapping[str, Any]) -> Config:
    """Options by Kafka's names; values may be of their own type or text. Raises ConfigError."""
    return parse_options(kind, {name: render_option(value) for name, value in given.items()})
