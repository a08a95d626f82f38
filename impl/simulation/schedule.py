"""Virtual time: what is to happen when, and in which order what happens at the same time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TypeAlias

Action: TypeAlias = Callable[[], None]

MOST_AT_ONE_TIME = 100_000


class LivelockError(Exception):
    """More and more happens, and time does not pass any more."""


class Schedule:
    """Time passes only from one event to the next; events of one time happen as they were set."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self._events: list[tuple[int, int, Action]] = []
        self._count = 0
        self._at_this_time = 0

    def at(self, time_ms: int, action: Action) -> None:
        self._count += 1
        heapq.heappush(self._events, (max(time_ms, self.now_ms), self._count, action))

    def after(self, delay_ms: int, action: Action) -> None:
        self.at(self.now_ms + delay_ms, action)

    def run_until(self, time_ms: int) -> None:
        """Let everything happen that is due until then, and that time be now."""
        events = self._events
        while events and events[0][0] <= time_ms:
            time_of_event_ms, _, action = heapq.heappop(events)
            self._pass(time_of_event_ms)
            action()
        self.now_ms = max(self.now_ms, time_ms)

    def _pass(self, time_ms: int) -> None:
        """Raises LivelockError."""
        self._at_this_time = self._at_this_time + 1 if time_ms == self.now_ms else 0
        self.now_ms = time_ms
        if self._at_this_time > MOST_AT_ONE_TIME:
            raise LivelockError(f"{MOST_AT_ONE_TIME} events at {time_ms} ms")
