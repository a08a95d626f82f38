"""One node of a cluster: takes requests, answers and the time, and says what follows.

Puts together what runs the cluster (`control_plane`), what keeps records (`data_plane`) and the
coordinators: committed metadata becomes leaderships, leaderships become coordinators. What a node
asks of itself stays inside. The caller's duties stand in `impl.core`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from impl.core.cluster.administration import ADMINISTRATION_REQUESTS, Administration
from impl.core.cluster.broker_messages import AlterPartitions
from impl.core.cluster.catalogue import Catalogue, Topic
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.messages import BROKER_RESOURCE, CreateTopics, Endpoint
from impl.core.cluster.metadata_records import (
    ConfigRecord,
    MetadataCodec,
    RemoveTopicRecord,
)
from impl.core.cluster.standing import Standing
from impl.core.config import BrokerConfig, Properties
from impl.core.control_plane import ControlPlane
from impl.core.coordinators import (
    ASKED_BY_COORDINATORS,
    COORDINATOR_REQUESTS,
    CoordinatorCodecs,
    Coordinators,
    internal_topics,
)
from impl.core.data.messages import Fetch, ListOffsets
from impl.core.data_plane import DATA_REQUESTS, DataPlane
from impl.core.events import Call, Forward, Output, Send
from impl.core.log.log import Platform
from impl.core.loopback import Answer, Loopback, Question
from impl.core.quorum.messages import is_metadata_fetch


@dataclass(frozen=True, slots=True)
class Codecs:
    """How records of the broker's own logs become bytes."""

    metadata: MetadataCodec
    coordinators: CoordinatorCodecs


class Broker:
    def __init__(
        self,
        platform: Platform,
        codecs: Codecs,
        properties: Properties,
        endpoint: Endpoint,
        cluster_id: str,
        voters: Mapping[int, Endpoint],
        now_ms: int,
    ) -> None:
        """Come back with what the storage holds; `tick` begins. Raises StorageError, ConfigError.

        `voters` are the nodes of the metadata quorum, each where other nodes reach it.
        """
        self.config: BrokerConfig = properties.broker
        self.catalogue = Catalogue()
        self._node_id = endpoint.node_id
        self._standing = Standing(endpoint.node_id, cluster_id)
        options = CurrentOptions(properties, self.catalogue)
        self._data = DataPlane(platform, self.catalogue, options, self._standing, now_ms)
        self.partitions = self._data.partitions
        self._control = ControlPlane(
            platform,
            codecs.metadata,
            properties,
            endpoint,
            self._standing,
            voters,
            self.partitions.previous_broker_epoch(),
            now_ms,
        )
        self._administration = Administration(
            self._standing, self.catalogue, options, internal_topics(options)
        )
        self._coordinators = Coordinators(
            platform,
            codecs.coordinators,
            options,
            self.catalogue,
            self.partitions,
            self._data.producing,
            self._standing,
            now_ms,
        )
        self._loopback = Loopback(endpoint.node_id)
        self._applied_offset = -1
        self._is_loaded = False

    # Driving

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        """What follows from a request, for its own call and for others that waited."""
        return self._settle(self._route(call, request, now_ms), now_ms)

    def handle_forwarded(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        """The same for a request that another node forwarded to the active controller."""
        return self._settle(self._control.handle_forwarded(call, request, now_ms), now_ms)

    def not_forwarded(self, forward: Forward, now_ms: int) -> list[Output]:
        """Nobody took a request that was forwarded."""
        return self._settle(self._control.not_forwarded(forward, now_ms), now_ms)

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        """What another node said; None when nobody knows."""
        return self._settle(self._take_answer(sent, answer, now_ms), now_ms)

    def tick(self, now_ms: int) -> list[Output]:
        """What follows from the time alone. To be called at `next_deadline_ms` at the latest."""
        outputs = [
            *self._control.tick(now_ms),
            *self._data.tick(now_ms),
            *self._coordinators.tick(now_ms),
        ]
        for late in self._loopback.overdue(now_ms):
            outputs += self._take_answer(late.sent, late.answer, now_ms)
        return self._settle(outputs, now_ms)

    def next_deadline_ms(self) -> int:
        deadlines = (
            self._control.next_deadline_ms(),
            self._coordinators.next_deadline_ms(),
            self._loopback.next_deadline_ms(),
        )
        return min(d for d in (self._data.next_deadline_ms(), *deadlines) if d is not None)

    def skip(self, duration_ms: int) -> None:
        """The clock was set forward by so much: what rests on it comes to its end.

        That is retention, sessions of group members, and the like; but no node takes another for
        dead because of it. The times of all later calls include it.
        """
        self._control.skip(duration_ms)

    def disconnected(self, connection_id: int) -> None:
        """Nobody waits for the answers to this connection's requests any more."""
        self._control.forget(connection_id)
        self._data.forget(connection_id)
        self._coordinators.forget(connection_id)

    # Life

    @property
    def is_ready(self) -> bool:
        """Whether this broker counts as alive, and knows it."""
        return self._is_loaded and self.catalogue.is_active(self._node_id)

    def begin_shutdown(self, now_ms: int) -> list[Output]:
        """Leave the cluster in order (CLUS-08); `may_stop` tells when that is done."""
        self._control.begin_shutdown(now_ms)
        return self._settle([], now_ms)

    @property
    def may_stop(self) -> bool:
        return self._control.membership.may_stop

    @property
    def controller(self) -> Endpoint | None:
        """Whom this node takes for the active controller."""
        return self._standing.controller

    @property
    def features(self) -> Mapping[str, int]:
        """The levels of the cluster's features, as of `metadata_offset`."""
        return self.catalogue.features

    @property
    def metadata_offset(self) -> int:
        """The last offset of the metadata log that was applied, or -1."""
        return self._applied_offset

    def stop(self) -> None:
        """Make all that was written durable. The broker is not to be used after this."""
        if self._is_loaded:
            self.partitions.stop(self._standing.broker_epoch)

    # Routing

    def _route(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        if isinstance(request, COORDINATOR_REQUESTS):
            return self._coordinators.handle(call, request, now_ms)
        if isinstance(request, DATA_REQUESTS) and not _is_for_quorum(request):
            return self._data.handle(call, request, now_ms)
        if isinstance(request, ADMINISTRATION_REQUESTS):
            return self._administration.handle(call, request, now_ms)
        return self._control.handle(call, request, now_ms)

    def _take_answer(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        request = sent.request
        if isinstance(request, (AlterPartitions, ListOffsets, Fetch)) and not _is_for_quorum(
            request
        ):
            return self._data.answered(sent, answer, now_ms)
        if isinstance(request, CreateTopics):
            return self._administration.answered(sent, answer, now_ms)
        if isinstance(request, ASKED_BY_COORDINATORS):
            return self._coordinators.answered(sent, answer, now_ms)
        return self._control.answered(sent, answer, now_ms)

    # What follows

    def _settle(self, outputs: Iterable[Output], now_ms: int) -> list[Output]:
        """Let the planes act on each other, until nothing more stays inside."""
        out: list[Output] = []
        inside: deque[Question | Answer] = deque()

        def take(more: Iterable[Output]) -> None:
            goes_out, stays = self._loopback.sort(more, now_ms)
            out.extend(goes_out)
            inside.extend(stays)

        take(outputs)
        while True:
            take(self._control.settle(now_ms, self._applied_offset))
            has_learnt = self._learn(now_ms, take)
            moved, more = self._data.settle(now_ms)
            take(more)
            take(self._coordinators.moved(moved, now_ms))
            if inside:
                match inside.popleft():
                    case Question(call, request):
                        take(self._route(call, request, now_ms))
                    case Answer(sent, answer):
                        take(self._take_answer(sent, answer, now_ms))
            elif not has_learnt and not self._data.has_moved:
                return out

    # Metadata

    def _learn(self, now_ms: int, take: Callable[[Iterable[Output]], None]) -> bool:
        """Do what the metadata says that was committed since; says whether there was any."""
        committed = self._control.take_committed()
        changed: dict[str, Topic] = {}
        for offset, record in committed:
            self._applied_offset = offset
            topic = self.catalogue.apply(record)
            if isinstance(record, RemoveTopicRecord):
                assert topic is not None
                changed.pop(topic.name, None)
                take(self._remove(topic, now_ms))
            elif topic is not None:
                changed[topic.name] = topic
            elif isinstance(record, ConfigRecord) and record.resource_type == BROKER_RESOURCE:
                changed.update(self.catalogue.topics)
        if not self._is_loaded:
            return self._load(now_ms, take)
        for topic in changed.values():
            self.partitions.follow(topic, now_ms)
        if committed:
            take(self._coordinators.follow(self.partitions, now_ms))
        return bool(committed)

    def _load(self, now_ms: int, take: Callable[[Iterable[Output]], None]) -> bool:
        """Open the partitions once this broker's registration in this life was read.

        What the metadata log says before that point is of a former life: this broker might be
        the leader there in an epoch that has long passed.
        """
        registered = self.catalogue.brokers.get(self._node_id)
        if registered is None or registered.broker_epoch != self._standing.broker_epoch:
            return False
        self._is_loaded = True
        self.partitions.load(now_ms)
        take(self._coordinators.follow(self.partitions, now_ms))
        return True

    def _remove(self, topic: Topic, now_ms: int) -> list[Output]:
        gone = self.partitions.remove(topic) if self._is_loaded else []
        return self._coordinators.partitions_deleted(gone, now_ms)


def _is_for_quorum(request: Any) -> bool:
    return isinstance(request, Fetch) and is_metadata_fetch(request)
