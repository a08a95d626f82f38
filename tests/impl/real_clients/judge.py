"""What producers and consumers were told, and whether the logs agree: nothing that is acknowledged
is lost, nothing is there twice, and the values of a producer stand in its order.

A value is its number; value n goes to partition n modulo the number of partitions, so that order
can be judged by partition. A reader that is no part of the test reads the logs in the end.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest

from tests.impl.real_clients.cluster import PATIENCE_S, POLL_INTERVAL_S

confluent_kafka = pytest.importorskip("confluent_kafka")

PARTITIONS = 3
MOST_IN_FLIGHT = 200
BUNDLE = 20


class Ledger:
    """What one producer sent, and what it was told of it. Used by several threads.

    With `seen` it does not run away from those who read.
    """

    def __init__(self, seen: Seen | None = None) -> None:
        self.acknowledged: list[int] = []
        self.failures: list[object] = []
        self.is_over = threading.Event()
        self._seen = seen
        self._sent = 0

    def numbers(self) -> Iterator[int]:
        """The next value to send, until the test has seen enough."""
        while not self.is_over.is_set():
            yield self._sent
            self._sent += 1

    def bundles(self) -> Iterator[tuple[list[int], bool]]:
        """The values of the next transaction, and whether it is to be committed.

        Every third is not; the values of what was not committed come again with the next.
        """
        numbers = self.numbers()
        values: list[int] = []
        for turn in count(1):
            if not values or values[-1] in self.acknowledged[-1:]:
                values = [number for number, _ in zip(numbers, range(BUNDLE), strict=False)]
            if self.is_over.is_set():
                return
            yield values, turn % 3 != 0

    @property
    def is_full(self) -> bool:
        """Whether the producer is to wait."""
        if self.is_over.is_set():
            return False
        done = len(self.acknowledged) + len(self.failures)
        return (
            self._sent - (done if self._seen is None else len(self._seen.values)) > MOST_IN_FLIGHT
        )

    def wait_for_room(self) -> None:
        while self.is_full:
            time.sleep(POLL_INTERVAL_S)

    def done(self, number: int, failure: object = None) -> None:
        if failure is None:
            self.acknowledged.append(number)
        else:
            self.failures.append(failure)


class Seen:
    """The values that the members of a group were given."""

    def __init__(self) -> None:
        self.values: Counter[int] = Counter()
        self.is_over = threading.Event()

    def note(self, value: bytes) -> None:
        self.values[int(value)] += 1

    def has(self, numbers: list[int]) -> bool:
        return all(number in self.values for number in numbers)


def everything(address: str, topic: str) -> list[list[int]]:
    """By partition, the values of all committed records in the order of the log."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "judge",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    start = confluent_kafka.OFFSET_BEGINNING
    consumer.assign(
        [confluent_kafka.TopicPartition(topic, each, start) for each in range(PARTITIONS)]
    )
    found: list[list[int]] = [[] for _ in range(PARTITIONS)]
    ended: set[int] = set()
    try:
        while len(ended) < PARTITIONS:
            message: Any = consumer.poll(PATIENCE_S)
            assert message is not None, "nothing more came, not even an end"
            if message.error() is None:
                found[message.partition()].append(int(message.value()))
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    finally:
        consumer.close()
    return found


def assert_exactly_once(logs: list[list[int]], acknowledged: list[int]) -> None:
    """Whatever was acknowledged is there, each value once, in the order in which it was sent."""
    lost = sorted(set(acknowledged).difference(*logs))
    assert not lost, f"{len(lost)} acknowledged values are lost: {lost[:10]}"
    for partition, log in enumerate(logs):
        assert all(value % PARTITIONS == partition for value in log)
        twice = [value for value, count in Counter(log).items() if count > 1]
        assert not twice, f"twice in partition {partition}: {twice[:10]}"
        assert log == sorted(log), f"partition {partition} is out of order: {disorder(log)}"
    assert acknowledged, "nothing was acknowledged"


def assert_each_once(logs: list[list[int]], count: int) -> None:
    """The numbers below are there, each once and wherever, and in order in each partition."""
    found = Counter(value for log in logs for value in log)
    lost = sorted(set(range(count)) - set(found))
    assert not lost, f"{len(lost)} values are lost: {lost[:10]}"
    assert found == Counter(range(count)), found - Counter(range(count))
    for partition, log in enumerate(logs):
        assert log == sorted(log), f"partition {partition} is out of order: {disorder(log)}"


def disorder(log: list[int]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in pairwise(log) if a > b][:5]
