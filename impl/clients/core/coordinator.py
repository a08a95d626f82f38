"""Where the coordinator of a group or of a transactional id is, as far as a client knows
(GRPS-27).
"""

from __future__ import annotations

from impl.clients.core.asking import Ask
from impl.clients.core.cluster_view import ClusterView
from impl.wire import Struct

NEWEST_FIND_COORDINATOR = 3
GROUP, TRANSACTION = 0, 1


class CoordinatorFinder:
    def __init__(
        self, view: ClusterView, key: str, key_type: int, backoff_ms: int, timeout_ms: int
    ) -> None:
        self.node_id: int | None = None
        self._view = view
        self._body = Struct(key=key, key_type=key_type)
        self._backoff_ms = backoff_ms
        self._timeout_ms = timeout_ms
        self._asked: Ask | None = None
        self._next_ms = 0

    def lost(self) -> None:
        """It is not there (any more)."""
        self.node_id = None

    def tick(self, now_ms: int) -> list[Ask]:
        if self.node_id is not None or self._asked is not None or now_ms < self._next_ms:
            return []
        self._asked = Ask(
            None, "FindCoordinator", self._body, NEWEST_FIND_COORDINATOR, self._timeout_ms
        )
        return [self._asked]

    def next_deadline_ms(self) -> int | None:
        return None if self.node_id is not None or self._asked is not None else self._next_ms

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> bool:
        """Whether this was our question."""
        if ask is not self._asked:
            return False
        self._asked = None
        self._next_ms = now_ms + self._backoff_ms
        if body is not None and not body.error_code:
            self.node_id = body.node_id
            self._view.brokers[body.node_id] = (body.host, body.port)
        return True
