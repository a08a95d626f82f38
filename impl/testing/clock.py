"""The time as one broker of the double has it."""

from __future__ import annotations

from collections.abc import Callable

from impl.shell.platform import now_ms

BEAT_S = 0.05
LONGEST_TURN_MS = 250


class Clock:
    """That of the computer, and more where it was set forward.

    It is looked at every `BEAT_S` at least. A gap that is much longer means that the whole process
    stood still, in a debugger for instance: `stalled` is told how long, so that nobody is taken
    for dead because of it.
    """

    def __init__(self, stalled: Callable[[int], None]) -> None:
        self._ahead_ms = 0
        self._stalled = stalled
        self._seen_ms = now_ms()

    def __call__(self) -> int:
        time_ms = now_ms()
        gap_ms, self._seen_ms = time_ms - self._seen_ms, time_ms
        if gap_ms > LONGEST_TURN_MS:
            self._stalled(gap_ms)
        return time_ms + self._ahead_ms

    def set_forward(self, duration_ms: int) -> None:
        self._ahead_ms += duration_ms

    def resume(self) -> None:
        """The time since it was looked at last counts as any other."""
        self._seen_ms = now_ms()
