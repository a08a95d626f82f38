"""The broker options that groups depend on."""

from __future__ import annotations

from dataclasses import dataclass

from impl.core.cluster.messages import NewTopic
from impl.core.cluster.topics import OFFSETS_TOPIC
from impl.core.config import INT_MAX, MINUTE_MS, ConfigError, option

# A member that joins for the first time cannot send heartbeats yet, so its parked JoinGroup has a
# limit of its own; Kafka offers no option for it.
NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class GroupConfig:
    group_consumer_assignors: tuple[str, ...] = option(
        ("uniform", "range"), one_of=("uniform", "range")
    )
    group_consumer_heartbeat_interval_ms: int = option(5_000, at_least=1, at_most=INT_MAX)
    group_consumer_max_heartbeat_interval_ms: int = option(15_000, at_least=1, at_most=INT_MAX)
    group_consumer_max_session_timeout_ms: int = option(MINUTE_MS, at_least=1, at_most=INT_MAX)
    group_consumer_max_size: int = option(INT_MAX, at_least=1, at_most=INT_MAX)
    group_consumer_min_heartbeat_interval_ms: int = option(5_000, at_least=1, at_most=INT_MAX)
    group_consumer_min_session_timeout_ms: int = option(45_000, at_least=1, at_most=INT_MAX)
    group_consumer_session_timeout_ms: int = option(45_000, at_least=1, at_most=INT_MAX)
    group_coordinator_rebalance_protocols: tuple[str, ...] = option(
        ("classic", "consumer"), one_of=("classic", "consumer")
    )
    group_min_session_timeout_ms: int = option(6_000)
    group_max_session_timeout_ms: int = option(30 * MINUTE_MS)
    group_initial_rebalance_delay_ms: int = option(3_000, at_least=0)
    group_max_size: int = option(INT_MAX, at_least=1)
    offset_metadata_max_bytes: int = option(4_096, at_least=0)
    offsets_commit_timeout_ms: int = option(5_000, at_least=1)
    offsets_retention_check_interval_ms: int = option(10 * MINUTE_MS, at_least=1)
    offsets_retention_minutes: int = option(7 * 24 * 60, at_least=1)
    offsets_topic_num_partitions: int = option(50, at_least=1)
    offsets_topic_replication_factor: int = option(3, at_least=1)

    def __post_init__(self) -> None:
        for name in ("session_timeout_ms", "heartbeat_interval_ms"):
            value, least, most = (
                getattr(self, f"group_consumer_{limit}{name}") for limit in ("", "min_", "max_")
            )
            if not least <= value <= most:
                option_name = f"group.consumer.{name.replace('_', '.')}"
                raise ConfigError(f"{option_name} is between {least} and {most}, {value} is not.")
        interval_ms = self.group_consumer_heartbeat_interval_ms
        if interval_ms >= self.group_consumer_session_timeout_ms:
            raise ConfigError(
                "group.consumer.heartbeat.interval.ms is less than"
                " group.consumer.session.timeout.ms, or members would time out between heartbeats."
            )

    @property
    def offsets_retention_ms(self) -> int:
        return self.offsets_retention_minutes * MINUTE_MS


def offsets_topic(config: GroupConfig) -> NewTopic:
    """How `__consumer_offsets` is created, when somebody first asks for a coordinator."""
    return NewTopic(
        OFFSETS_TOPIC,
        config.offsets_topic_num_partitions,
        config.offsets_topic_replication_factor,
        configs=(
            ("cleanup.policy", "compact"),
            ("compression.type", "producer"),
            ("segment.bytes", str(100 << 20)),
        ),
    )
