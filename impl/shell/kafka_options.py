"""The names of the broker's options in Apache Kafka 4.4, as its `KafkaConfig` lists them.

A property file of Kafka may hold any of them. What this broker does with each is said elsewhere:
here is only what is a name and what is a slip of the pen.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path

# Kafka lets these stand before an option, or gives what follows to a plugin.
_PREFIXES = ("listener.name.", "metrics.context.", "rlmm.config.", "rsm.config.")


@cache
def kafka_options() -> frozenset[str]:
    file = Path(__file__).with_suffix(".json")
    return frozenset(json.loads(file.read_text()))


def is_kafka_option(name: str) -> bool:
    return name in kafka_options() or name.startswith(_PREFIXES)


def nearest_option(name: str) -> str | None:
    """The option that was meant, if there is one that looks like it."""
    return next(iter(get_close_matches(name, sorted(kafka_options()), n=1, cutoff=0.8)), None)
