"""What clients asked of the brokers, for a test to look at."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock
from typing import Any

MOST_REQUESTS = 10_000
MOST_RECORD_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a client, as it reached a broker.

    `api` is its name in Kafka's protocol, such as "Produce"; `body` has the fields of that
    protocol as attributes, in the spelling of `spec/wire`.
    """

    broker: int
    api: str
    version: int
    client_id: str | None
    body: Any


class Journal:
    """The latest requests at all brokers: so many, and with so many bytes of records."""

    def __init__(self) -> None:
        self._requests: deque[Asked] = deque()
        self._record_bytes = 0
        self._lock = Lock()

    def note(self, asked: Asked) -> None:
        with self._lock:
            self._requests.append(asked)
            self._record_bytes += _record_bytes(asked)
            while len(self._requests) > MOST_REQUESTS or self._record_bytes > MOST_RECORD_BYTES:
                self._record_bytes -= _record_bytes(self._requests.popleft())

    def all(self) -> list[Asked]:
        with self._lock:
            return list(self._requests)


def _record_bytes(asked: Asked) -> int:
    if asked.api != "Produce":
        return 0
    return sum(
        len(partition.records or b"")
        for topic in asked.body.topic_data
        for partition in topic.partition_data
    )
