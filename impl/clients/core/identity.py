"""The identity of an idempotent or transactional producer: producer id and epoch (PROD-01,
TXNI-01, KIP-360).
"""

from __future__ import annotations

from impl.clients.core.asking import Ask
from impl.clients.core.batches import Identity
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ProducerConfig
from impl.clients.core.coordinator import TRANSACTION, CoordinatorFinder
from impl.clients.core.errors import RETRIABLE, ClientError
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_INIT_PRODUCER_ID = 4


class Identification:
    """Asks once, and again after `renew`. A transactional producer does so when it is told to."""

    def __init__(self, config: ProducerConfig, view: ClusterView) -> None:
        self.identity: Identity | None = None
        self.error: ClientError | None = None
        self.coordinator: CoordinatorFinder | None = None
        if config.transactional_id:
            self.coordinator = CoordinatorFinder(
                view,
                config.transactional_id,
                TRANSACTION,
                config.retry_backoff_ms,
                config.request_timeout_ms,
            )
        self._config = config
        self._former = Identity()
        self._is_wanted = not config.transactional_id
        self._asked: Ask | None = None
        self._next_ms = 0

    def begin(self) -> None:
        self._is_wanted = True

    def renew(self) -> None:
        """Ask for the next epoch."""
        if self.identity is not None:
            self._former, self.identity = self.identity, None

    def tick(self, now_ms: int) -> list[Ask]:
        outputs = [] if self.coordinator is None else self.coordinator.tick(now_ms)
        is_due = self._is_wanted and self.identity is None and self.error is None
        node_id = None if self.coordinator is None else self.coordinator.node_id
        is_reachable = self.coordinator is None or node_id is not None
        if not is_due or not is_reachable or self._asked is not None or now_ms < self._next_ms:
            return outputs
        body = Struct(
            transactional_id=self._config.transactional_id or None,
            transaction_timeout_ms=self._config.transaction_timeout_ms,
            producer_id=self._former.producer_id,
            producer_epoch=self._former.epoch,
        )
        timeout_ms = self._config.request_timeout_ms
        self._asked = Ask(node_id, "InitProducerId", body, NEWEST_INIT_PRODUCER_ID, timeout_ms)
        return [*outputs, self._asked]

    def next_deadline_ms(self) -> int | None:
        finder = None if self.coordinator is None else self.coordinator.next_deadline_ms()
        is_due = self._is_wanted and self.identity is None and self._asked is None
        own = self._next_ms if is_due and self.error is None else None
        if self.coordinator is not None and self.coordinator.node_id is None:
            own = None
        return min((each for each in (finder, own) if each is not None), default=None)

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> bool:
        """Whether this was our question."""
        if self.coordinator is not None and self.coordinator.answered(ask, body, now_ms):
            return True
        if ask is not self._asked:
            return False
        self._asked = None
        self._next_ms = now_ms + self._config.retry_backoff_ms
        error = ErrorCode.NETWORK_EXCEPTION if body is None else ErrorCode(body.error_code)
        if body is not None and not error:
            self.identity = Identity(body.producer_id, body.producer_epoch)
        elif error not in RETRIABLE:
            self.error = ClientError(error, f"the producer got no id: {error.name}")
        elif self.coordinator is not None:
            self.coordinator.lost()
        return True
