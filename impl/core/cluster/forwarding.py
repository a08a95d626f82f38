"""Requests of clients that only the active controller can answer (KIP-590).

They wait here while nobody knows who that is, and after an attempt that reached nobody. Whether
such an attempt was carried out is not known, and the request is sent again all the same: what the
controller is asked to do twice it refuses the second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from impl.core.cluster.standing import Standing
from impl.core.events import Call, Close, Forward, Output

ATTEMPT_MS = 30_000
PATIENCE_MS = 60_000
BACKOFF_MS = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    request: Any
    not_before_ms: int
    until_ms: int


class Forwarding:
    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._waiting: dict[Call, Waiting] = {}

    def forward(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        self._waiting[call] = Waiting(request, now_ms, now_ms + PATIENCE_MS)
        return self.tick(now_ms)

    def not_forwarded(self, forward: Forward, now_ms: int) -> list[Output]:
        until_ms = forward.until_ms
        self._waiting[forward.call] = Waiting(forward.request, now_ms + BACKOFF_MS, until_ms)
        return self.tick(now_ms)

    def take_all(self) -> list[tuple[Call, Any]]:
        """What waits, for a controller that is this very node."""
        taken = [(call, waiting.request) for call, waiting in self._waiting.items()]
        self._waiting.clear()
        return taken

    def tick(self, now_ms: int) -> list[Output]:
        outputs: list[Output] = []
        controller = self._standing.controller
        for call, waiting in list(self._waiting.items()):
            if now_ms >= waiting.until_ms:
                del self._waiting[call]
                outputs.append(Close(call))
            elif controller is not None and now_ms >= waiting.not_before_ms:
                del self._waiting[call]
                timeout_ms = min(ATTEMPT_MS, waiting.until_ms - now_ms)
                until_ms = waiting.until_ms
                outputs.append(Forward(call, waiting.request, controller, timeout_ms, until_ms))
        return outputs

    def next_deadline_ms(self) -> int | None:
        has_controller = self._standing.controller is not None
        return min(
            (w.not_before_ms if has_controller else w.until_ms for w in self._waiting.values()),
            default=None,
        )

    def forget(self, connection_id: int) -> None:
        for call in [c for c in self._waiting if c.connection_id == connection_id]:
            del self._waiting[call]
