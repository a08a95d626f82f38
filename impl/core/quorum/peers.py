"""The other nodes of the quorum: one request of a kind at a time to each, a pause after a failure.

Refuses to know what is asked. An answer that was not waited for any more, since the node has
another role by now, is told from one that was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impl.core.cluster.messages import Endpoint
from impl.core.events import Send
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.roles import first_deadline

VOTES_LANE = "quorum"
FETCH_LANE = "metadata"


class Peers:
    def __init__(self, endpoints: Mapping[int, Endpoint], config: QuorumConfig) -> None:
        self._endpoints = endpoints
        self._timeout_ms = config.controller_quorum_request_timeout_ms
        self._shortest_ms = config.controller_quorum_retry_backoff_ms
        self._longest_ms = config.controller_quorum_election_backoff_max_ms
        self._awaited: dict[tuple[int, str], Send] = {}
        self._retry_ms: dict[tuple[int, str], int] = {}
        self._failures: dict[tuple[int, str], int] = {}

    def can_be_asked(self, node_id: int, lane: str) -> bool:
        return (node_id, lane) not in self._awaited and (node_id, lane) not in self._retry_ms

    def is_awaited(self, lane: str) -> bool:
        return any(each == lane for _, each in self._awaited)

    def ask(self, node_id: int, lane: str, request: Any) -> Send:
        send = Send(self._endpoints[node_id], lane, request, self._timeout_ms)
        self._awaited[node_id, lane] = send
        return send

    def answered(self, sent: Send) -> bool:
        """Whether this answer was waited for; it is not any more."""
        key = (sent.to.node_id, sent.lane)
        if self._awaited.get(key) is not sent:
            return False
        del self._awaited[key]
        return True

    def helped(self, sent: Send) -> None:
        self._failures.pop((sent.to.node_id, sent.lane), None)

    def failed(self, sent: Send, now_ms: int) -> None:
        """Each failure in a row makes the pause twice as long."""
        key = (sent.to.node_id, sent.lane)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause_ms = self._shortest_ms << min(failures - 1, 20)
        self._retry_ms[key] = now_ms + max(min(pause_ms, self._longest_ms), self._shortest_ms)

    def reset(self) -> None:
        """Wait for nothing any more."""
        self._awaited.clear()
        self._retry_ms.clear()
        self._failures.clear()

    def tick(self, now_ms: int) -> None:
        self._retry_ms = {key: ms for key, ms in self._retry_ms.items() if ms > now_ms}

    def next_deadline_ms(self) -> int | None:
        return first_deadline(self._retry_ms.values())
