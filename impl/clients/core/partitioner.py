"""Which partition a record goes to, when the one who sends it does not say.

A key decides by its murmur2 hash, as in Kafka's own clients, so that all of them agree; records
without a key stay on one partition for a batch, which makes full batches (KIP-480).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

_MASK = 0xFFFF_FFFF
_MIXER = 0x5BD1_E995

Partitioner: TypeAlias = Callable[[str, bytes | None, Sequence[int]], int]
"""Topic, key as bytes, the partitions there are; returns one of them."""


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key, 32 bits without sign.

    >>> murmur2(b"21") == -973932308 & 0xFFFFFFFF
    True
    """
    length = len(data)
    value = (0x9747_B28C ^ length) & _MASK
    whole = length & ~3
    for position in range(0, whole, 4):
        word = int.from_bytes(data[position : position + 4], "little") * _MIXER & _MASK
        word = (word ^ word >> 24) * _MIXER & _MASK
        value = (value * _MIXER & _MASK) ^ word
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * _MIXER & _MASK
    value = (value ^ value >> 13) * _MIXER & _MASK
    return value ^ value >> 15


def by_key(key: bytes, partitions: Sequence[int]) -> int:
    return partitions[(murmur2(key) & 0x7FFF_FFFF) % len(partitions)]


class DefaultPartitioner:
    """By key, else the same partition until `turn`."""

    def __init__(self) -> None:
        self._turns: dict[str, int] = {}

    def __call__(self, topic: str, key: bytes | None, partitions: Sequence[int]) -> int:
        if key is not None:
            return by_key(key, partitions)
        return partitions[self._turns.get(topic, 0) % len(partitions)]

    def turn(self, topic: str) -> None:
        """A batch of the topic is full: the next begins on another partition."""
        self._turns[topic] = self._turns.get(topic, 0) + 1


def round_robin() -> Partitioner:
    """Each record to the next partition, whatever its key."""
    turns: dict[str, int] = {}

    def choose(topic: str, _key: bytes | None, partitions: Sequence[int]) -> int:
        turns[topic] = turns.get(topic, -1) + 1
        return partitions[turns[topic] % len(partitions)]

    return choose
