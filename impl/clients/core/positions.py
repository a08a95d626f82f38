"""Where a consumer begins and how far it got: committed offsets, `auto.offset.reset`, commits
(GRPS-10 to GRPS-14, STOR-11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from impl.clients.core.accumulator import Target
from impl.clients.core.asking import Ask, Done
from impl.clients.core.cluster_view import ClusterView
from impl.clients.core.config import ConsumerConfig
from impl.clients.core.coordinator import CoordinatorFinder
from impl.clients.core.errors import RETRIABLE, ClientError
from impl.clients.core.membership import Membership
from impl.clients.core.subscription import Subscription
from impl.wire import Struct
from spec.wire.errors import ErrorCode

NEWEST_OFFSET_FETCH, NEWEST_OFFSET_COMMIT, NEWEST_LIST_OFFSETS = 7, 8, 7
LATEST, EARLIEST = -1, -2
NO_OFFSET = -1


class Positions:
    def __init__(
        self,
        config: ConsumerConfig,
        view: ClusterView,
        subscription: Subscription,
        coordinator: CoordinatorFinder | None,
        membership: Membership | None,
    ) -> None:
        self.error: ClientError | None = None
        self._config = config
        self._view = view
        self._subscription = subscription
        self._coordinator = coordinator
        self._membership = membership
        self._asked: set[Target] = set()
        self._not_before_ms = 0
        self._commits: dict[Ask, Any] = {}
        self._waiting: list[tuple[Mapping[Target, int], Any]] = []

    # Where to begin

    def tick(self, now_ms: int) -> list[Ask]:
        outputs = self._send_commits()
        if now_ms < self._not_before_ms or self.error is not None:
            return outputs
        unknown = self._unknown()
        fresh = [t for t in unknown if not self._subscription.places[t].must_reset]
        if self._coordinator is None:
            for target in fresh:
                self._subscription.places[target].must_reset = True
        elif fresh and self._coordinator.node_id is not None:
            outputs.append(self._fetch_committed(self._coordinator.node_id, fresh))
        resets = [t for t in unknown if self._subscription.places[t].must_reset]
        return outputs + self._reset(resets, now_ms)

    def _unknown(self) -> list[Target]:
        places = self._subscription.places.items()
        return [t for t, p in places if p.position is None and t not in self._asked]

    def next_deadline_ms(self) -> int | None:
        is_known = self._coordinator is None or self._coordinator.node_id is not None
        unknown = [
            t for t in self._unknown() if is_known or self._subscription.places[t].must_reset
        ]
        return self._not_before_ms if unknown and self.error is None else None

    def _fetch_committed(self, node_id: int, targets: Iterable[Target]) -> Ask:
        topics: dict[str, list[int]] = defaultdict(list)
        for target in targets:
            topics[target.topic].append(target.partition)
            self._asked.add(target)
        body = Struct(
            group_id=self._config.group_id,
            topics=[Struct(name=n, partition_indexes=each) for n, each in topics.items()],
            require_stable=self._config.isolation_level == "read_committed",  # TXNI-18
        )
        timeout_ms = self._config.request_timeout_ms
        context = (self._subscription.version, list(targets))
        return Ask(node_id, "OffsetFetch", body, NEWEST_OFFSET_FETCH, timeout_ms, context)

    def _reset(self, targets: list[Target], now_ms: int) -> list[Ask]:
        if not targets:
            return []
        if self._config.auto_offset_reset == "none":
            self.error = ClientError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"there is no offset for {targets[0]}, and auto.offset.reset=none",
            )
            return []
        earliest = self._config.auto_offset_reset == "earliest"
        by_leader: dict[int, list[Target]] = defaultdict(list)
        for target in targets:
            leader = self._view.leader(*target)
            if leader is None:
                self._view.doubt()
                self._not_before_ms = now_ms + self._config.retry_backoff_ms
            else:
                by_leader[leader].append(target)
                self._asked.add(target)
        timestamp = EARLIEST if earliest else LATEST
        return [
            self._list_offsets(node_id, each, timestamp) for node_id, each in by_leader.items()
        ]

    def _list_offsets(self, node_id: int, targets: list[Target], timestamp: int) -> Ask:
        topics: dict[str, list[Struct]] = defaultdict(list)
        for target in targets:
            each = Struct(partition_index=target.partition, timestamp=timestamp)
            topics[target.topic].append(each)
        body = Struct(
            isolation_level=int(self._config.isolation_level == "read_committed"),
            topics=[Struct(name=name, partitions=each) for name, each in topics.items()],
        )
        timeout_ms = self._config.request_timeout_ms
        context = (self._subscription.version, targets)
        return Ask(node_id, "ListOffsets", body, NEWEST_LIST_OFFSETS, timeout_ms, context)

    # Commits

    def commit(self, offsets: Mapping[Target, int], handle: Any) -> list[Done]:
        """`Done(handle)` follows."""
        if self._coordinator is None:
            error = ClientError(
                ErrorCode.INVALID_GROUP_ID, "without group.id nothing is committed"
            )
            return [Done(handle, error=error)]
        if not offsets:
            return [Done(handle)]
        self._waiting.append((dict(offsets), handle))
        return []

    @property
    def is_committing(self) -> bool:
        return bool(self._waiting or self._commits)

    def _send_commits(self) -> list[Ask]:
        if self._coordinator is None or self._coordinator.node_id is None:
            return []
        asks = [self._commit(self._coordinator.node_id, *each) for each in self._waiting]
        self._waiting.clear()
        return asks

    def _commit(self, node_id: int, offsets: Mapping[Target, int], handle: Any) -> Ask:
        topics: dict[str, list[Struct]] = defaultdict(list)
        for target, offset in offsets.items():
            each = Struct(partition_index=target.partition, committed_offset=offset)
            topics[target.topic].append(each)
        member = self._membership
        body = Struct(
            group_id=self._config.group_id,
            generation_id_or_member_epoch=-1 if member is None else member.generation_id,
            member_id="" if member is None else member.member_id,
            group_instance_id=self._config.group_instance_id or None,
            topics=[Struct(name=name, partitions=each) for name, each in topics.items()],
        )
        timeout_ms = self._config.request_timeout_ms
        ask = Ask(node_id, "OffsetCommit", body, NEWEST_OFFSET_COMMIT, timeout_ms, offsets)
        self._commits[ask] = handle
        return ask

    # Answers

    def answered(self, ask: Ask, body: Struct | None, now_ms: int) -> list[Done] | None:
        """What follows; None when this was not our question."""
        if ask in self._commits:
            return self._committed(ask, body)
        if ask.api_name not in ("OffsetFetch", "ListOffsets"):
            return None
        version, targets = ask.context
        self._asked.difference_update(targets)
        if body is None or (ask.api_name == "OffsetFetch" and body.error_code):
            self._retry(ErrorCode.NETWORK_EXCEPTION if body is None else body.error_code, now_ms)
            return []
        if version == self._subscription.version:
            name = "committed_offset" if ask.api_name == "OffsetFetch" else "offset"
            for topic in body.topics:
                for each in topic.partitions:
                    target = Target(topic.name, each.partition_index)
                    self._learn(target, ErrorCode(each.error_code), getattr(each, name), now_ms)
        return []

    def _learn(self, target: Target, error: ErrorCode, offset: int, now_ms: int) -> None:
        place = self._subscription.places.get(target)
        if error:
            self._retry(error, now_ms)
        elif place is not None and place.position is None:
            if offset == NO_OFFSET:
                place.must_reset = True
            else:
                place.position = place.fetch_offset = offset
                place.must_reset = False

    def _retry(self, error: int, now_ms: int) -> None:
        code = ErrorCode(error)
        self._not_before_ms = now_ms + self._config.retry_backoff_ms
        self._view.doubt()
        if self._coordinator is not None and code in (
            ErrorCode.NOT_COORDINATOR,
            ErrorCode.COORDINATOR_NOT_AVAILABLE,
            ErrorCode.NETWORK_EXCEPTION,
        ):
            self._coordinator.lost()
        if code not in RETRIABLE:
            self.error = ClientError(code, f"there is no position to be had: {code.name}")

    def _committed(self, ask: Ask, body: Struct | None) -> list[Done]:
        handle = self._commits.pop(ask)
        errors = {
            ErrorCode(each.error_code)
            for topic in ([] if body is None else body.topics)
            for each in topic.partitions
        }
        if body is None:
            errors = {ErrorCode.NETWORK_EXCEPTION}
        errors.discard(ErrorCode.NONE)
        if not errors:
            return [Done(handle)]
        if errors <= RETRIABLE:
            assert self._coordinator is not None
            self._coordinator.lost()
            self._waiting.append((ask.context, handle))
            return []
        error = min(errors - RETRIABLE)
        return [Done(handle, error=ClientError(error, f"the commit was refused: {error.name}"))]
