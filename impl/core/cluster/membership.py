"""A broker's own life in the cluster: it registers, is heard of, and asks before it stops.

Decides when the broker talks to the controller, and what its broker epoch is. What follows from
its messages is decided by the controller (CLUS-01 to CLUS-08).

The caller calls `tick` also when `Standing.controller` or the applied offset has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any
from uuid import UUID

from impl.core.cluster.broker_messages import (
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    RegisterBroker,
)
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.standing import NO_BROKER_EPOCH, Standing
from impl.core.config import BrokerConfig
from impl.core.events import Output, Send
from spec.wire.errors import ErrorCode

LANE = "membership"
FIRST_BACKOFF_MS = 100
SHUTDOWN_INTERVAL_MS = 50


class Phase(Enum):
    REGISTERING = auto()
    MEMBER = auto()
    SHUTTING_DOWN = auto()
    MAY_STOP = auto()


class Membership:
    def __init__(
        self,
        standing: Standing,
        endpoint: Endpoint,
        config: BrokerConfig,
        new_id: Callable[[], UUID],
        previous_broker_epoch: int,
        now_ms: int,
    ) -> None:
        """`previous_broker_epoch` is known after an orderly stop only; -1 otherwise (ELEC-15)."""
        self._standing = standing
        self._endpoint = endpoint
        self._config = config
        self._incarnation_id = new_id()
        self._previous_broker_epoch = previous_broker_epoch
        self._phase = Phase.REGISTERING
        self._asked: Send | None = None
        self._failures = 0
        self._due_ms = now_ms
        self._told_offset = -1
        self._session_end_ms = now_ms
        """When a broker that wants to stop is fenced by whatever controller there is."""
        self.is_unfenced = False
        """Whether the controller counts this broker among those that are alive."""

    @property
    def may_stop(self) -> bool:
        return self._phase is Phase.MAY_STOP

    # Talking

    def tick(self, now_ms: int, applied_offset: int) -> list[Output]:
        """`applied_offset`: of the last record of the metadata log that was applied here."""
        if self._phase is Phase.SHUTTING_DOWN and now_ms >= self._session_end_ms:
            self._phase = Phase.MAY_STOP
        controller = self._standing.controller
        if self._asked is not None and controller is not None and self._asked.to != controller:
            self._asked, self._due_ms = None, now_ms  # whom it asked cannot answer any more
        if controller is None or self._asked is not None or self.may_stop:
            return []
        if now_ms < self._due_ms and not self._has_news(applied_offset):
            return []
        timeout_ms = max(self._config.broker_session_timeout_ms // 2, 1)
        self._told_offset = applied_offset
        self._asked = Send(controller, LANE, self._request(applied_offset), timeout_ms)
        return [self._asked]

    def _has_news(self, applied_offset: int) -> bool:
        """A broker that is fenced is waited for until it has read of its own registration."""
        waits = self._phase is Phase.MEMBER and not self.is_unfenced
        return waits and not self._failures and applied_offset > self._told_offset

    def _request(self, applied_offset: int) -> RegisterBroker | BrokerHeartbeat:
        if self._phase is Phase.REGISTERING:
            return RegisterBroker(
                self._endpoint,
                self._standing.cluster_id,
                self._incarnation_id,
                self._previous_broker_epoch,
            )
        return BrokerHeartbeat(
            self._standing.node_id,
            self._standing.broker_epoch,
            applied_offset,
            wants_shut_down=self._phase is Phase.SHUTTING_DOWN,
        )

    def next_deadline_ms(self) -> int | None:
        """None while there is nobody to talk to or an answer is awaited, unless it is to stop."""
        deadlines_ms = []
        if self._phase is Phase.SHUTTING_DOWN:
            deadlines_ms.append(self._session_end_ms)
        if self._standing.controller is not None and self._asked is None and not self.may_stop:
            deadlines_ms.append(self._due_ms)
        return min(deadlines_ms, default=None)

    def begin_shutdown(self, now_ms: int) -> None:
        """CLUS-08: a broker that nobody counts on need not ask."""
        if self._phase is Phase.MEMBER and self.is_unfenced:
            self._phase, self._due_ms = Phase.SHUTTING_DOWN, now_ms
            self._session_end_ms = now_ms + self._config.broker_session_timeout_ms
        elif self._phase is not Phase.SHUTTING_DOWN:
            self._phase = Phase.MAY_STOP

    # Hearing

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        if sent is not self._asked:
            return []
        self._asked = None
        match answer:
            case BrokerRegistered(error=ErrorCode.NONE) if self._phase is Phase.REGISTERING:
                self._registered(answer, now_ms)
            case BrokerHeartbeatReply(error=ErrorCode.NONE):
                self._heard(answer, sent.request, now_ms)
            case BrokerHeartbeatReply(error=ErrorCode.STALE_BROKER_EPOCH):
                self._begin_again(now_ms)
            case _:
                self._failed(now_ms)
        return []

    def _registered(self, answer: BrokerRegistered, now_ms: int) -> None:
        self._standing.broker_epoch = answer.broker_epoch
        self._phase, self._failures, self._due_ms = Phase.MEMBER, 0, now_ms

    def _heard(self, answer: BrokerHeartbeatReply, request: BrokerHeartbeat, now_ms: int) -> None:
        self._failures = 0
        self.is_unfenced = not answer.is_fenced
        interval_ms = self._config.broker_heartbeat_interval_ms
        if self._phase is Phase.SHUTTING_DOWN:
            self._session_end_ms = now_ms + self._config.broker_session_timeout_ms
            if answer.should_shut_down:
                self._phase = Phase.MAY_STOP
            interval_ms = min(SHUTDOWN_INTERVAL_MS, interval_ms)
            if not request.wants_shut_down:  # it was under way when the wish came up
                interval_ms = 0
        self._due_ms = now_ms + interval_ms

    def _begin_again(self, now_ms: int) -> None:
        """It was unregistered, or another has its id, which the registration will tell."""
        self._standing.broker_epoch = NO_BROKER_EPOCH
        self.is_unfenced = False
        stops = self._phase is Phase.SHUTTING_DOWN
        self._phase = Phase.MAY_STOP if stops else Phase.REGISTERING
        self._failed(now_ms)

    def _failed(self, now_ms: int) -> None:
        """Try again, later each time."""
        backoff_ms = FIRST_BACKOFF_MS << min(self._failures, 16)
        self._failures += 1
        self._due_ms = now_ms + min(backoff_ms, self._config.broker_heartbeat_interval_ms)
