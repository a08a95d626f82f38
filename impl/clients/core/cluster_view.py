"""What a client knows of the cluster: its brokers, and who leads which partition.

Asks for what it does not know, again when it was told that it is wrong, and in any case from time
to time. One question is under way at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from impl.clients.core.asking import Ask
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_METADATA = 12


@dataclass(slots=True)
class TopicView:
    error: ErrorCode
    leaders: dict[int, int] = field(default_factory=dict)
    """By partition, the node that leads it, or -1."""


class ClusterView:
    def __init__(self, maximum_age_ms: int, backoff_ms: int, timeout_ms: int) -> None:
        self.brokers: dict[int, tuple[str, int]] = {}
        self.topics: dict[str, TopicView] = {}
        self._maximum_age_ms = maximum_age_ms
        self._backoff_ms = backoff_ms
        self._timeout_ms = timeout_ms
        self._wanted: set[str] = set()
        self._is_stale = True
        self._asked: Ask | None = None
        self._not_before_ms = 0
        self._expires_ms = 0

    def want(self, topic: str) -> None:
        """Keep knowing this topic."""
        if topic not in self._wanted:
            self._wanted.add(topic)
            self._is_stale = True
            self._not_before_ms = 0

    def doubt(self) -> None:
        """What is known was found to be wrong."""
        self._is_stale = True

    def forget(self, topic: str) -> None:
        self._wanted.discard(topic)
        self.topics.pop(topic, None)

    def leader(self, topic: str, partition: int) -> int | None:
        """The node to ask; None when nobody leads it, as far as is known."""
        view = self.topics.get(topic)
        leader = -1 if view is None else view.leaders.get(partition, -1)
        return leader if leader in self.brokers else None

    def partitions(self, topic: str) -> list[int] | None:
        """The partitions of a topic, in order; None while that is not known."""
        view = self.topics.get(topic)
        return sorted(view.leaders) if view is not None and view.leaders else None

    # Asking

    def tick(self, now_ms: int) -> list[Ask]:
        due_ms = self.next_deadline_ms()
        if due_ms is None or now_ms < due_ms:
            return []
        self._is_stale = False
        topics = [Struct(name=name) for name in sorted(self._wanted)]
        body = Struct(topics=topics, allow_auto_topic_creation=True)
        self._asked = Ask(None, "Metadata", body, NEWEST_METADATA, self._timeout_ms)
        return [self._asked]

    def next_deadline_ms(self) -> int | None:
        if self._asked is not None or not self._wanted:
            return None
        return self._not_before_ms if self._is_stale else self._expires_ms

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> bool:
        """Whether this was our question."""
        if ask is not self._asked:
            return False
        self._asked = None
        self._not_before_ms = now_ms + self._backoff_ms
        self._expires_ms = now_ms + self._maximum_age_ms
        if body is None:
            self._is_stale = True
        else:
            self._learn(body)
        return True

    def _learn(self, body: Struct) -> None:
        self.brokers = {each.node_id: (each.host, each.port) for each in body.brokers}
        for topic in body.topics:
            leaders = {each.partition_index: each.leader_id for each in topic.partitions}
            known = self.topics.get(topic.name)
            if topic.error_code and known is not None and known.leaders:
                leaders = known.leaders  # an error says nothing about what was known before
            self.topics[topic.name] = TopicView(ErrorCode(topic.error_code), leaders)
        self._is_stale |= any(
            view.error or -1 in view.leaders.values()
            for name, view in self.topics.items()
            if name in self._wanted
        )
