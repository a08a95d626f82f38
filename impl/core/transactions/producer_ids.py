"""Producer ids: taken in blocks from the controller, given out one by one (PROD-01).

The next block is asked for before the present one is used up. Who needs an id while there is none
waits for it, for a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from impl.core.cluster.broker_messages import AllocatedProducerIds, AllocateProducerIds
from impl.core.cluster.standing import NO_BROKER_EPOCH, Standing
from impl.core.events import Output, Send

LANE = "controller"
TIMEOUT_MS = 10_000
BACKOFF_MS = 50
WAIT_MS = 20_000
PREFETCH_BELOW = 0.1

# None: there was no id in time.
Taker: TypeAlias = Callable[[int | None, int], list[Output]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    take: Taker
    until_ms: int


class ProducerIds:
    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._ids: deque[int] = deque()
        self._prefetch_at = 0
        self._waiting: deque[_Waiting] = deque()
        self._asked: Send | None = None
        self._not_before_ms = 0

    def take(self, then: Taker, now_ms: int) -> list[Output]:
        """Calls back with an id that nobody else has, and the time: at once, or later."""
        self._waiting.append(_Waiting(then, now_ms + WAIT_MS))
        return self.tick(now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        outputs: list[Output] = []
        while self._waiting and self._ids:
            outputs += self._waiting.popleft().take(self._ids.popleft(), now_ms)
        while self._waiting and self._waiting[0].until_ms <= now_ms:
            outputs += self._waiting.popleft().take(None, now_ms)
        return [*outputs, *self._ask(now_ms)]

    def _ask(self, now_ms: int) -> list[Output]:
        controller = self._standing.controller
        if not self._needs_more or controller is None or now_ms < self._not_before_ms:
            return []
        if self._standing.broker_epoch == NO_BROKER_EPOCH:
            return []
        request = AllocateProducerIds(self._standing.node_id, self._standing.broker_epoch)
        self._asked = Send(controller, LANE, request, TIMEOUT_MS)
        return [self._asked]

    @property
    def _needs_more(self) -> bool:
        """Nobody asks for the first block before somebody needs it."""
        if self._asked is not None:
            return False
        return bool(self._waiting) or len(self._ids) < self._prefetch_at

    def answered(
        self, sent: Send, answer: AllocatedProducerIds | None, now_ms: int
    ) -> list[Output]:
        if sent is not self._asked:
            return []
        self._asked = None
        if answer is not None and not answer.error:
            self._ids.extend(range(answer.first, answer.first + answer.count))
            self._prefetch_at = int(answer.count * PREFETCH_BELOW)
        else:
            self._not_before_ms = now_ms + BACKOFF_MS
        return self.tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        deadlines = [self._waiting[0].until_ms] if self._waiting else []
        if self._needs_more:
            deadlines.append(self._not_before_ms)
        return min(deadlines, default=None)
