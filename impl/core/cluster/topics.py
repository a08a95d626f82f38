"""What a topic may be called, and how requests refer to one."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias
from uuid import UUID

MAXIMUM_NAME_LENGTH = 249
OFFSETS_TOPIC = "__consumer_offsets"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, "__transaction_state"})
METADATA_TOPIC = "__cluster_metadata"
NO_TOPIC_ID = UUID(int=0)

_LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]+")

# Older versions of a request name the topic, newer ones give its id (KIP-516).
TopicReference: TypeAlias = str | UUID


class TopicPartition(NamedTuple):
    topic: str
    partition: int

    @property
    def folder(self) -> str:
        return f"{self.topic}-{self.partition}"


def partition_of_folder(folder: str) -> TopicPartition | None:
    topic, dash, partition = folder.rpartition("-")
    if not dash or not partition.isdecimal() or name_problem(topic):
        return None
    return TopicPartition(topic, int(partition))


def name_problem(name: str) -> str | None:
    """TOPC-01: why a topic cannot have this name, as a sentence; None if it can."""
    if not name:
        return "A topic name cannot be empty."
    if name in (".", ".."):
        return "A topic name cannot be '.' or '..'."
    if len(name) > MAXIMUM_NAME_LENGTH:
        return f"A topic name cannot have more than {MAXIMUM_NAME_LENGTH} characters."
    if not _LEGAL_NAME.fullmatch(name):
        return "A topic name consists of ASCII letters, digits, '.', '_' and '-'."
    return None


def collision_key(name: str) -> str:
    """Names that differ only in '.' and '_' are one metric, so only one may exist (TOPC-02)."""
    return name.replace(".", "_")
