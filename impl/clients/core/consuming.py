"""The consumer without I/O: subscribe or assign, poll, commit, seek, close (GRPS-*, STOR-11,
STOR-12).

Puts together membership, positions and fetching. A user's poll is what keeps it going: commits of
its own accord happen there, and so does the handing out of records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done, Output
from impl.clients.core.batches import Codecs
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ConsumerConfig
from impl.clients.core.coordinator import GROUP, CoordinatorFinder
from impl.clients.core.errors import ClientError
from impl.clients.core.fetching import ConsumerRecord, Fetcher
from impl.clients.core.membership import NO_GENERATION, STABLE, Membership
from impl.clients.core.positions import Positions
from impl.clients.core.subscription import Subscription
from impl.clients.core.transactions import GroupMember
from impl.core.config import ConfigError
from impl.wire import Struct
from spec.wire.errors import ErrorCode


class ConsumerCore:
    def __init__(self, config: ConsumerConfig, codecs: Codecs) -> None:
        """Raises ConfigError for options that exclude each other."""
        _check(config)
        self.config = config
        self.view = ClusterView(
            config.metadata_max_age_ms, config.retry_backoff_ms, config.request_timeout_ms
        )
        self.subscription = Subscription()
        self.coordinator: CoordinatorFinder | None = None
        self.membership: Membership | None = None
        self._now_ms = 0
        self._next_commit_ms = 0
        self._outputs: list[Output] = []
        if config.group_id:
            self.coordinator = CoordinatorFinder(
                self.view,
                config.group_id,
                GROUP,
                config.retry_backoff_ms,
                config.request_timeout_ms,
            )
            self.membership = Membership(
                config,
                self.view,
                self.coordinator,
                self._assigned,
                self._revoked,
                may_join=lambda: not self.positions.is_committing,
            )
        self.fetcher = Fetcher(config, codecs, self.view, self.subscription)
        self.positions = Positions(
            config, self.view, self.subscription, self.coordinator, self.membership
        )

    @property
    def _commits_by_itself(self) -> bool:
        return self.config.enable_auto_commit and self.coordinator is not None

    # What to read

    def subscribe(self, topics: Iterable[str], now_ms: int) -> None:
        """Raises ConfigError without `group.id`."""
        if self.membership is None:
            raise ConfigError("subscribe needs group.id; without a group, assign partitions.")
        self._now_ms = now_ms
        self.subscription.subscribe(topics)
        for topic in sorted(self.subscription.topics):
            self.view.want(topic)
        self.fetcher.drop()
        self.membership.subscribe(self.subscription.topics)

    def assign(self, targets: Iterable[Target]) -> None:
        """Read these partitions, whatever others read."""
        self.subscription.assign_by_user(targets)
        for target in self.subscription.places:
            self.view.want(target.topic)
        self.fetcher.drop()

    def seek(self, target: Target, offset: int) -> None:
        if target not in self.subscription.places:
            raise ClientError(ErrorCode.INVALID_REQUEST, f"{target} is not assigned")
        self.subscription.seek(target, offset)
        self.fetcher.forget(target)

    def _assigned(self, targets: Sequence[Target]) -> None:
        self.subscription.assign_by_group(targets)
        for target in targets:
            self.view.want(target.topic)
        self._next_commit_ms = self._now_ms + self.config.auto_commit_interval_ms

    def _revoked(self) -> None:
        """What was handed out is committed while the generation still holds."""
        is_by_user = self.subscription.is_by_user
        if self._commits_by_itself and (is_by_user or self._is_in_generation):
            self._outputs += self.positions.commit(self.subscription.positions(), None)
            self._outputs += self.positions.tick(self._now_ms)
        self.subscription.assign_by_group(())
        self.fetcher.drop()

    @property
    def _is_in_generation(self) -> bool:
        return self.membership is not None and self.membership.generation_id != NO_GENERATION

    # Polling

    def poll(self, now_ms: int) -> tuple[list[ConsumerRecord], list[Output]]:
        """Up to `max.poll.records` records, and what is to be done. Raises ClientError."""
        self._now_ms = now_ms
        self._raise_error()
        if self.membership is not None and not self.subscription.is_by_user:
            self.membership.polled(now_ms)
        if self._commits_by_itself and now_ms >= self._next_commit_ms:
            self._next_commit_ms = now_ms + self.config.auto_commit_interval_ms
            self._outputs += self.positions.commit(self.subscription.positions(), None)
        records = self.fetcher.take(self.config.max_poll_records)
        return records, self.tick(now_ms)

    def _raise_error(self) -> None:
        for room in (self.membership, self.positions, self.fetcher):
            if room is not None and room.error is not None:
                error, room.error = room.error, None
                raise error

    @property
    def has_news(self) -> bool:
        """Whether a poll would hand something out, raise, or give up partitions."""
        if self.membership is not None and self.membership.must_rejoin:
            return True
        rooms = (self.membership, self.positions, self.fetcher)
        return self.fetcher.has_records or any(r is not None and r.error for r in rooms)

    def commit(
        self, offsets: Mapping[Target, int] | None, handle: Any, now_ms: int
    ) -> list[Output]:
        """By default, the positions behind what the last polls handed out."""
        self._now_ms = now_ms
        chosen = self.subscription.positions() if offsets is None else offsets
        if (error := self._why_not_commit(chosen)) is not None:
            return [Done(handle, error=error)]
        return [*self.positions.commit(chosen, handle), *self.tick(now_ms)]

    def _why_not_commit(self, offsets: Mapping[Target, int]) -> ClientError | None:
        """Whoever is out of the group does not speak for partitions that may be another's."""
        if self.membership is None or self.subscription.is_by_user:
            return None
        if self.membership.has_lapsed:
            message = "nobody polled for max.poll.interval.ms, so the group went on without"
            return ClientError(ErrorCode.UNKNOWN_MEMBER_ID, message)
        if offsets and self.membership.state != STABLE:
            message = "the group is about to hand out its partitions"
            return ClientError(ErrorCode.REBALANCE_IN_PROGRESS, message)
        return None

    def group_member(self) -> GroupMember:
        """As whom a producer hands the offsets over in its transaction. Raises ClientError."""
        if self.membership is None:
            raise ClientError(ErrorCode.INVALID_GROUP_ID, "a consumer without group has no member")
        return GroupMember(
            self.config.group_id,
            self.membership.generation_id,
            self.membership.member_id,
            self.config.group_instance_id or None,
        )

    def close(self, now_ms: int) -> list[Output]:
        """Commit what is to be committed, and leave the group."""
        self._now_ms = now_ms
        if self.membership is not None:
            self._outputs += self.membership.leave()
        outputs, self._outputs = self._outputs, []
        return outputs

    # Driving

    def tick(self, now_ms: int) -> list[Output]:
        self._now_ms = now_ms
        if self.coordinator is not None:
            self._outputs += self.coordinator.tick(now_ms)
        self._outputs += self.view.tick(now_ms)
        self._outputs += self.positions.tick(now_ms)
        if self.membership is not None:
            self._outputs += self.membership.tick(now_ms)
        self._outputs += self.fetcher.tick(now_ms)
        outputs, self._outputs = self._outputs, []
        return outputs

    def next_deadline_ms(self) -> int | None:
        rooms = (self.coordinator, self.view, self.membership, self.positions, self.fetcher)
        deadlines = (None if room is None else room.next_deadline_ms() for room in rooms)
        return min((each for each in deadlines if each is not None), default=None)

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> list[Output]:
        self._now_ms = now_ms
        self._take_answer(ask, body, now_ms)
        return self.tick(now_ms)

    def _take_answer(self, ask: Ask, body: Struct | None, now_ms: int) -> None:
        if self.view.answered(ask, body, now_ms) or self.fetcher.answered(ask, body, now_ms):
            return
        if self.coordinator is not None and self.coordinator.answered(ask, body, now_ms):
            return
        if self.membership is not None:
            follows = self.membership.answered(ask, body, now_ms)
            if follows is not None:
                self._outputs += follows
                return
        self._outputs += self.positions.answered(ask, body, now_ms) or []


def _check(config: ConsumerConfig) -> None:
    if config.heartbeat_interval_ms >= config.session_timeout_ms:
        raise ConfigError("heartbeat.interval.ms is less than session.timeout.ms.")


__all__ = ["ConsumerCore", "ConsumerRecord", "Done"]
