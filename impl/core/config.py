"""The options of the broker and of a topic, under Apache Kafka's names and with its defaults.

An option is a field whose name has underscores for dots. A topic that does not set an option takes
it from the broker option that stands beside it here; DescribeConfigs tells which of them decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
WEEK_MS = 7 * 24 * HOUR_MS
INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1

# As Java reads them; Python would also take underscores, and the digits of all languages.
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")
_FRACTION = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

# The codecs by their number in a batch, and "producer" for the one that the producer chose.
COMPRESSIONS = ("uncompressed", "gzip", "snappy", "lz4", "zstd", "producer")

Options = TypeVar("Options")


class ConfigError(Exception):
    """A name or a value that cannot be; the message is a sentence."""


def option(
    default: Any,
    *,
    at_least: int | None = None,
    at_most: int = LONG_MAX,
    one_of: tuple[str, ...] = (),
    broker: str | None = None,
    is_idle: bool = False,
) -> Any:
    """A field with its limits, and the broker option that a topic option falls back on, if any.

    An idle one is taken, kept and shown, because Kafka's tools count on it, and has no effect.
    """
    limits = {"at_least": at_least, "at_most": at_most, "one_of": one_of}
    return field(default=default, metadata={**limits, "broker": broker, "is_idle": is_idle})


@dataclass(frozen=True, slots=True)
class TopicConfig:
    cleanup_policy: tuple[str, ...] = option(
        ("delete",), one_of=("delete", "compact"), broker="log.cleanup.policy"
    )
    compression_gzip_level: int = option(
        -1, at_least=-1, at_most=9, broker="compression.gzip.level"
    )
    compression_lz4_level: int = option(9, at_least=1, at_most=17, broker="compression.lz4.level")
    compression_type: str = option("producer", one_of=COMPRESSIONS, broker="compression.type")
    compression_zstd_level: int = option(
        3, at_least=-131_072, at_most=22, broker="compression.zstd.level"
    )
    delete_retention_ms: int = option(
        24 * HOUR_MS, at_least=0, broker="log.cleaner.delete.retention.ms"
    )
    file_delete_delay_ms: int = option(
        MINUTE_MS, at_least=0, broker="log.segment.delete.delay.ms", is_idle=True
    )
    flush_messages: int = option(LONG_MAX, at_least=1, broker="log.flush.interval.messages")
    flush_ms: int = option(LONG_MAX, at_least=0, broker="log.flush.interval.ms", is_idle=True)
    follower_replication_throttled_replicas: str = option("", is_idle=True)
    index_interval_bytes: int = option(
        4096, at_most=INT_MAX, at_least=0, broker="log.index.interval.bytes"
    )
    leader_replication_throttled_replicas: str = option("", is_idle=True)
    max_compaction_lag_ms: int = option(
        LONG_MAX, at_least=1, broker="log.cleaner.max.compaction.lag.ms"
    )
    max_message_bytes: int = option(
        1_048_588, at_most=INT_MAX, at_least=0, broker="message.max.bytes"
    )
    message_timestamp_after_max_ms: int = option(
        HOUR_MS, at_least=0, broker="log.message.timestamp.after.max.ms"
    )
    message_timestamp_before_max_ms: int = option(
        LONG_MAX, at_least=0, broker="log.message.timestamp.before.max.ms"
    )
    message_timestamp_type: str = option(
        "CreateTime", one_of=("CreateTime", "LogAppendTime"), broker="log.message.timestamp.type"
    )
    min_cleanable_dirty_ratio: float = option(
        0.5, at_least=0, at_most=1, broker="log.cleaner.min.cleanable.ratio"
    )
    min_compaction_lag_ms: int = option(0, at_least=0, broker="log.cleaner.min.compaction.lag.ms")
    min_insync_replicas: int = option(1, at_most=INT_MAX, at_least=1, broker="min.insync.replicas")
    preallocate: bool = option(False, broker="log.preallocate", is_idle=True)
    retention_bytes: int = option(-1, at_least=-1, broker="log.retention.bytes")
    retention_ms: int = option(WEEK_MS, at_least=-1, broker="log.retention.ms")
    segment_bytes: int = option(1 << 30, at_most=INT_MAX, at_least=14, broker="log.segment.bytes")
    segment_index_bytes: int = option(
        10 << 20, at_most=INT_MAX, at_least=24, broker="log.index.size.max.bytes"
    )
    segment_jitter_ms: int = option(0, at_least=0, broker="log.roll.jitter.ms", is_idle=True)
    segment_ms: int = option(WEEK_MS, at_least=1, broker="log.roll.ms")
    unclean_leader_election_enable: bool = option(False, broker="unclean.leader.election.enable")

    def __post_init__(self) -> None:
        if self.compression_gzip_level == 0:
            raise ConfigError("compression.gzip.level is -1 for the usual, or 1 to 9, and not 0.")

    def check_lags(self) -> None:
        """Raises ConfigError if they contradict each other.

        For who sets one of them. Options of a topic and defaults that change later meet each other
        all the same, and a broker has to live with that.
        """
        if self.min_compaction_lag_ms > self.max_compaction_lag_ms:
            raise ConfigError(
                f"min.compaction.lag.ms, {self.min_compaction_lag_ms}, is more than"
                f" max.compaction.lag.ms, {self.max_compaction_lag_ms}."
            )

    @property
    def codec(self) -> int | None:
        """The number of the codec that all batches get, or None if they keep their own."""
        if self.compression_type == "producer":
            return None
        return COMPRESSIONS.index(self.compression_type)

    @property
    def compression_level(self) -> int | None:
        """For the codec of the topic, where it has levels."""
        levels = {
            "gzip": self.compression_gzip_level,
            "lz4": self.compression_lz4_level,
            "zstd": self.compression_zstd_level,
        }
        return levels.get(self.compression_type)

    @property
    def roll_ms(self) -> int:
        """How old the active segment may become: no older than compaction may be late."""
        return min(self.segment_ms, self.max_compaction_lag_ms if self.is_compacted else LONG_MAX)

    @property
    def is_compacted(self) -> bool:
        return "compact" in self.cleanup_policy

    @property
    def is_deleted(self) -> bool:
        return "delete" in self.cleanup_policy


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    auto_create_topics_enable: bool = option(True)
    auto_leader_rebalance_enable: bool = option(True)
    broker_heartbeat_interval_ms: int = option(2_000, at_least=1, at_most=INT_MAX)
    broker_rack: str = option("")
    broker_session_timeout_ms: int = option(9_000, at_least=1, at_most=INT_MAX)
    connections_max_idle_ms: int = option(10 * MINUTE_MS)
    default_replication_factor: int = option(1, at_most=INT_MAX, at_least=1)
    delete_topic_enable: bool = option(True)
    fetch_max_bytes: int = option(55 << 20, at_most=INT_MAX, at_least=1024)
    follower_replication_throttled_rate: int = option(LONG_MAX, at_least=0, is_idle=True)
    leader_imbalance_check_interval_seconds: int = option(300, at_least=1, at_most=INT_MAX)
    leader_imbalance_per_broker_percentage: int = option(10, at_least=0, at_most=INT_MAX)
    leader_replication_throttled_rate: int = option(LONG_MAX, at_least=0, is_idle=True)
    log_cleaner_backoff_ms: int = option(15_000, at_least=0)
    log_cleaner_dedupe_buffer_size: int = option(128 << 20, at_least=1)
    log_cleaner_enable: bool = option(True)
    log_cleaner_io_buffer_size: int = option(512 << 10, at_most=INT_MAX, at_least=1)
    log_retention_check_interval_ms: int = option(5 * MINUTE_MS, at_least=1)
    max_incremental_fetch_session_cache_slots: int = option(1000, at_least=0, at_most=INT_MAX)
    node_id: int = option(1, at_most=INT_MAX, at_least=0)
    num_partitions: int = option(1, at_most=INT_MAX, at_least=1)
    producer_id_expiration_ms: int = option(24 * HOUR_MS, at_most=INT_MAX, at_least=1)
    socket_request_max_bytes: int = option(100 << 20, at_most=INT_MAX, at_least=1)


# Kafka counts these in a larger unit under another name; the smaller unit wins if both are given.
_LARGER_UNITS = {
    "log.retention.minutes": ("log.retention.ms", MINUTE_MS),
    "log.retention.hours": ("log.retention.ms", HOUR_MS),
    "log.roll.hours": ("log.roll.ms", HOUR_MS),
}
_SYNONYMS = {"broker.id": "node.id"}


def option_name(definition: Field[Any]) -> str:
    return definition.name.replace("_", ".")


def options(kind: type[Any]) -> dict[str, Field[Any]]:
    return {option_name(definition): definition for definition in fields(kind)}


def _number(name: str, text: str, at_least: int | None = None, at_most: int = LONG_MAX) -> int:
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise ConfigError(f"{name} is a whole number, and {text!r} is none.")
    value = int(text)
    if at_least is not None and value < at_least:
        raise ConfigError(f"{name} is at least {at_least}, and {value} is less.")
    if value > at_most:
        raise ConfigError(f"{name} is at most {at_most}, and {value} is more.")
    return value


def _fraction(name: str, text: str, at_least: int, at_most: int) -> float:
    if not _FRACTION.fullmatch(text.strip()):
        raise ConfigError(f"{name} is a number, and {text!r} is none.")
    value = float(text)
    if not at_least <= value <= at_most:
        raise ConfigError(f"{name} lies between {at_least} and {at_most}, and {value} does not.")
    return value


def _check_choice(name: str, value: str, one_of: tuple[str, ...]) -> None:
    if one_of and value not in one_of:
        raise ConfigError(f"{name} is one of {', '.join(one_of)}, and not {value!r}.")


def parse_option(kind: type[Any], name: str, text: str) -> Any:
    """The value of one option of a dataclass of options. Raises ConfigError."""
    definition = options(kind).get(name)
    if definition is None:
        raise ConfigError(f"There is no option {name}.")
    type_ = get_type_hints(kind)[definition.name]
    rules = definition.metadata
    one_of = rules.get("one_of", ())
    if type_ is int:
        return _number(name, text, rules.get("at_least"), rules.get("at_most", LONG_MAX))
    if type_ is float:
        return _fraction(name, text, rules["at_least"], rules["at_most"])
    if type_ is bool:
        _check_choice(name, text.strip().lower(), ("true", "false"))
        return text.strip().lower() == "true"
    if type_ is str:
        _check_choice(name, text.strip(), one_of)
        return text.strip()
    values = tuple(part.strip() for part in text.split(",") if part.strip())
    if not values:
        raise ConfigError(f"{name} is a list with at least one of {', '.join(one_of)}.")
    for value in values:
        _check_choice(name, value, one_of)
    return values


def render_option(value: Any) -> str:
    """The text that `parse_option` reads as this value."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def parse_options(
    kind: type[Options], values: Mapping[str, str], base: Options | None = None
) -> Options:
    """A dataclass of options from the values that were given, over `base` or the defaults."""
    given = {name.replace(".", "_"): parse_option(kind, name, v) for name, v in values.items()}
    kept = {} if base is None else {f: getattr(base, f) for f in _field_names(kind)}
    return kind(**{**kept, **given})


def _field_names(kind: type[Any]) -> Iterator[str]:
    return (definition.name for definition in fields(kind))


def topic_options_of_broker() -> dict[str, str]:
    """The broker options that set the default of a topic option, each with that topic option."""
    by_option = {option_name(d): d.metadata["broker"] for d in fields(TopicConfig)}
    return {broker: topic for topic, broker in by_option.items() if broker is not None}


def idle_options() -> frozenset[str]:
    """The broker options that are known and have no effect."""
    of_topics = (d.metadata["broker"] for d in fields(TopicConfig) if d.metadata["is_idle"])
    of_brokers = (option_name(d) for d in fields(BrokerConfig) if d.metadata["is_idle"])
    return frozenset(name for name in (*of_topics, *of_brokers) if name is not None)


@dataclass(frozen=True, slots=True)
class Properties:
    """A broker's properties, sorted by whom they concern."""

    broker: BrokerConfig
    topic_defaults: TopicConfig
    others: Mapping[type[Any], Any]
    given: Mapping[str, str]


def known_names(*others: type[Any]) -> frozenset[str]:
    """Every name that `parse_properties` takes."""
    kinds: tuple[type[Any], ...] = (BrokerConfig, *others)
    names = (name for kind in kinds for name in options(kind))
    return frozenset((*names, *topic_options_of_broker(), *_LARGER_UNITS, *_SYNONYMS))


def parse_properties(given: Mapping[str, str], *others: type[Any]) -> Properties:
    """Read a broker's properties; `others` are more dataclasses of options. Raises ConfigError."""
    values = _in_smallest_unit(given)
    topic_options = topic_options_of_broker()
    groups: dict[type[Any], dict[str, str]] = {
        kind: {} for kind in (BrokerConfig, TopicConfig, *others)
    }
    for name, text in values.items():
        if name in topic_options:
            groups[TopicConfig][topic_options[name]] = text
            continue
        owners = [kind for kind in groups if kind is not TopicConfig and name in options(kind)]
        if not owners:
            raise ConfigError(f"{name} is not a property of this broker.")
        groups[owners[0]][name] = text
    return Properties(
        broker=parse_options(BrokerConfig, groups[BrokerConfig]),
        topic_defaults=parse_options(TopicConfig, groups[TopicConfig]),
        others={kind: parse_options(kind, groups[kind]) for kind in others},
        given=values,
    )


def _in_smallest_unit(given: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in sorted(given, key=lambda name: name not in _LARGER_UNITS):
        name_, text = _SYNONYMS.get(name, name), given[name]
        if name in _LARGER_UNITS:
            name_, factor = _LARGER_UNITS[name]
            number = _number(name, text, at_least=-1)
            text = str(number * factor if number >= 0 else number)
        values[name_] = text
    return values
