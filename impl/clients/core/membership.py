"""A consumer as a member of its group, by the classic protocol (GRPS-01 to GRPS-11, KIP-394,
KIP-345).

Joins, has the partitions handed out if it leads, sends heartbeats, joins again when the group
rebalances, and leaves when its user does not poll for `max.poll.interval.ms`. Partitions are given
up for a rebalance only while the user polls: that says that he is done with what he was given,
so it may be committed. Where positions come from is `positions`' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from impl.clients.core import assignor
from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ConsumerConfig
from impl.clients.core.coordinator import CoordinatorFinder
from impl.clients.core.errors import RETRIABLE, ClientError
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_JOIN, NEWEST_SYNC, NEWEST_HEARTBEAT, NEWEST_LEAVE = 7, 4, 4, 3
NO_GENERATION = -1
REJOIN = frozenset(
    {
        ErrorCode.REBALANCE_IN_PROGRESS,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.MEMBER_ID_REQUIRED,
    }
)

OUT, JOINING, STABLE = "out", "joining", "stable"


class Membership:
    def __init__(
        self,
        config: ConsumerConfig,
        view: ClusterView,
        coordinator: CoordinatorFinder,
        on_assigned: Callable[[Sequence[Target]], None],
        on_revoked: Callable[[], None],
        may_join: Callable[[], bool],
    ) -> None:
        """`may_join`: commits of the generation that ends come before the next one."""
        self.state = OUT
        self.must_rejoin = False
        self.has_lapsed = False
        """Nobody polled for too long, and that is not over."""
        self.member_id = ""
        self.generation_id = NO_GENERATION
        self.error: ClientError | None = None
        self._config = config
        self._view = view
        self._coordinator = coordinator
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._may_join = may_join
        self._topics: frozenset[str] = frozenset()
        self._joined_for: frozenset[str] = frozenset()
        self._instance_id = config.group_instance_id or None
        self._divided: dict[str, list[int]] = {}
        """What the leader of the group last handed out: when it changes, the group rebalances."""
        self._asked: Ask | None = None
        self._beat: Ask | None = None
        self._next_beat_ms = 0
        self._next_ms = 0
        self._polled_ms = 0

    # What the user does

    def subscribe(self, topics: frozenset[str]) -> None:
        self._topics = topics
        self.must_rejoin = self.state == STABLE

    def polled(self, now_ms: int) -> None:
        """The user still wants records; who was thrown out for not polling joins again."""
        self._polled_ms = now_ms
        self.has_lapsed = False
        if self.must_rejoin:
            self._on_revoked()
            self.must_rejoin = False
            self.state = JOINING
        elif self.state == OUT and self._topics:
            self.state = JOINING

    def leave(self) -> list[Ask]:
        """A static member stays in the group until its session runs out (KIP-345)."""
        node_id, was_in = self._coordinator.node_id, bool(self.member_id)
        self._on_revoked()
        self.state, self.generation_id = OUT, NO_GENERATION
        self._topics = frozenset()
        if not was_in or node_id is None or self._instance_id is not None:
            return []
        return [self._leave_request(node_id)]

    def _leave_request(self, node_id: int) -> Ask:
        members = [Struct(member_id=self.member_id, group_instance_id=None)]
        body = Struct(group_id=self._config.group_id, member_id=self.member_id, members=members)
        self.member_id = ""
        return Ask(node_id, "LeaveGroup", body, NEWEST_LEAVE, self._config.request_timeout_ms)

    # Time

    def tick(self, now_ms: int) -> list[Ask]:
        node_id = self._coordinator.node_id
        if node_id is None or self.error is not None:
            return []
        if self.state == STABLE:
            return self._pass_time(node_id, now_ms)
        if not self._is_to_join or now_ms < self._next_ms:
            return []
        return [self._join(node_id)]

    @property
    def _is_to_join(self) -> bool:
        is_ready = self.state == JOINING and self._asked is None and self._may_join()
        return is_ready and all(topic in self._view.topics for topic in self._topics)

    def _pass_time(self, node_id: int, now_ms: int) -> list[Ask]:
        if now_ms >= self._polled_ms + self._config.max_poll_interval_ms:
            self.state, self.generation_id = OUT, NO_GENERATION
            self.must_rejoin, self.has_lapsed = False, True
            self._on_revoked()
            return [self._leave_request(node_id)]
        if any(self._view.partitions(t) not in (None, each) for t, each in self._divided.items()):
            self.must_rejoin = True
        if self._beats and now_ms >= self._next_beat_ms:
            self._next_beat_ms = now_ms + self._config.heartbeat_interval_ms
            body = self._body()
            timeout_ms = self._config.session_timeout_ms
            self._beat = Ask(node_id, "Heartbeat", body, NEWEST_HEARTBEAT, timeout_ms)
            return [self._beat]
        return []

    def next_deadline_ms(self) -> int | None:
        if self._coordinator.node_id is None or self.error is not None:
            return None
        if self.state == STABLE:
            late_ms = self._polled_ms + self._config.max_poll_interval_ms
            return min(late_ms, self._next_beat_ms) if self._beats else late_ms
        return self._next_ms if self._is_to_join else None

    @property
    def _beats(self) -> bool:
        return self._beat is None and self.generation_id != NO_GENERATION

    # Requests

    def _body(self, **fields: object) -> Struct:
        return Struct(
            group_id=self._config.group_id,
            generation_id=self.generation_id,
            member_id=self.member_id,
            group_instance_id=self._instance_id,
            **fields,
        )

    def _join(self, node_id: int) -> Ask:
        self._joined_for = self._topics
        metadata = assignor.write_subscription(self._topics)
        body = Struct(
            group_id=self._config.group_id,
            session_timeout_ms=self._config.session_timeout_ms,
            rebalance_timeout_ms=self._config.max_poll_interval_ms,
            member_id=self.member_id,
            group_instance_id=self._instance_id,
            protocol_type="consumer",
            protocols=[Struct(name=assignor.NAME, metadata=metadata)],
        )
        patience_ms = self._config.max_poll_interval_ms + self._config.request_timeout_ms
        self._asked = Ask(node_id, "JoinGroup", body, NEWEST_JOIN, patience_ms)
        return self._asked

    def _sync(self, joined: Struct) -> Ask:
        self.member_id, self.generation_id = joined.member_id, joined.generation_id
        assignments, self._divided = [], {}
        if joined.leader == joined.member_id:
            wanted = {m.member_id: assignor.read_subscription(m.metadata) for m in joined.members}
            for topic in sorted({topic for topics in wanted.values() for topic in topics}):
                self._view.want(topic)
                self._divided[topic] = self._view.partitions(topic) or []
            assignments = [
                Struct(member_id=member, assignment=assignor.write_assignment(targets))
                for member, targets in assignor.assign(wanted, self._divided).items()
            ]
        body = self._body(
            protocol_type="consumer", protocol_name=assignor.NAME, assignments=assignments
        )
        patience_ms = self._config.max_poll_interval_ms + self._config.request_timeout_ms
        node_id = self._coordinator.node_id
        self._asked = Ask(node_id, "SyncGroup", body, NEWEST_SYNC, patience_ms)
        return self._asked

    # Answers

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> list[Ask] | None:
        """What follows; None when this was not our question."""
        if ask.api_name == "LeaveGroup":
            return []
        if ask is self._beat:
            self._beat = None
            if self.state == STABLE:
                self._check(body, now_ms)
            return []
        if ask is not self._asked:
            return None
        self._asked = None
        if self.state == OUT:
            return []
        if not self._check(body, now_ms):
            if body is not None and ask.api_name == "JoinGroup" and body.member_id:
                self.member_id = body.member_id  # KIP-394
            return []
        assert body is not None
        if ask.api_name == "JoinGroup":
            return [self._sync(body)]
        self.state = STABLE
        self.must_rejoin = self._topics != self._joined_for
        self._next_beat_ms = now_ms + self._config.heartbeat_interval_ms
        self._on_assigned(assignor.read_assignment(body.assignment))
        return []

    def _check(self, body: Struct | None, now_ms: int) -> bool:
        """Whether the answer was a yes; otherwise what follows from the error is done."""
        error = ErrorCode.NETWORK_EXCEPTION if body is None else ErrorCode(body.error_code)
        if not error:
            return True
        if error in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION):
            self.member_id = "" if error is ErrorCode.UNKNOWN_MEMBER_ID else self.member_id
            self.generation_id = NO_GENERATION
        if error in REJOIN and self.state == STABLE:
            self.must_rejoin = True
        elif error in REJOIN:
            self._next_ms = (
                now_ms if error is ErrorCode.MEMBER_ID_REQUIRED else self._later(now_ms)
            )
        elif error in RETRIABLE:
            self._coordinator.lost()
            self._next_ms = self._later(now_ms)
        else:
            self.error = ClientError(error, f"the group refuses this consumer: {error.name}")
        return False

    def _later(self, now_ms: int) -> int:
        return now_ms + self._config.retry_backoff_ms
