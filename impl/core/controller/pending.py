"""Answers that wait until what they tell is committed.

An answer waits for all that was written before it, also when its own request wrote nothing: what
it says was decided in view of those records, and they could still be lost.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from impl.core.events import Call, Output, Reply


class _Waiting(NamedTuple):
    end_offset: int
    call: Call
    refusal: Any
    result: Any


class PendingAnswers:
    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()

    def add(self, end_offset: int, call: Call, refusal: Any, result: Any) -> None:
        """`end_offset` never decreases from one call of this to the next."""
        self._waiting.append(_Waiting(end_offset, call, refusal, result))

    def release(self, high_watermark: int) -> list[Output]:
        released: list[Output] = []
        while self._waiting and self._waiting[0].end_offset <= high_watermark:
            answered = self._waiting.popleft()
            released.append(Reply(answered.call, answered.result))
        return released

    def give_up(self) -> list[Output]:
        """Nobody here can tell any more whether they will be committed."""
        given_up = [Reply(each.call, each.refusal) for each in self._waiting]
        self._waiting.clear()
        return list(given_up)

    def forget(self, connection_id: int) -> None:
        kept = (each for each in self._waiting if each.call.connection_id != connection_id)
        self._waiting = deque(kept)
