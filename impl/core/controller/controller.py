"""The active controller: takes what brokers and clients ask to be changed, and the time.

Decides which room of the controller deals with a request, and when its answer may go out: once
all is committed that it was decided by. Elected and deposed by the quorum, which the caller
tells it with `activate`, `deactivate` and `committed`; in between it writes through `append`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from impl.core.cluster.broker_messages import (
    AllocatedProducerIds,
    AllocateProducerIds,
    AlterPartitions,
    BrokerHeartbeat,
    RegisterBroker,
)
from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.configuring import Describing
from impl.core.cluster.current_options import CurrentOptions
from impl.core.cluster.electing import ElectLeaders
from impl.core.cluster.messages import (
    AlterConfigs,
    AlterReassignments,
    CreatePartitions,
    CreateTopics,
    DeleteTopics,
    ListReassignments,
    UnregisterBroker,
)
from impl.core.cluster.metadata_records import MetadataRecord, ProducerIdsRecord
from impl.core.config import BrokerConfig, Properties
from impl.core.controller.bootstrap import bootstrap_records
from impl.core.controller.brokers import Brokers
from impl.core.controller.cluster import Cluster
from impl.core.controller.configs import Configs
from impl.core.controller.isr import alter_partitions
from impl.core.controller.leadership import balance_leaders, elect_leaders
from impl.core.controller.ledger import Append, Ledger
from impl.core.controller.pending import PendingAnswers
from impl.core.controller.reassigning import alter_reassignments, list_reassignments
from impl.core.controller.refusals import BROKER_REQUESTS, refusal, resigned
from impl.core.controller.topics import Topics
from impl.core.events import NOT_CONTROLLER, Call, Output, Reply
from impl.core.refusal import KafkaError

PRODUCER_IDS_PER_BLOCK = 1000


class Controller:
    def __init__(
        self,
        properties: Properties,
        cluster_id: str,
        new_id: Callable[[], UUID],
        append: Append,
    ) -> None:
        self._properties = properties
        self._cluster_id = cluster_id
        self._new_id = new_id
        self._append = append
        self.epoch = 0
        """The latest epoch in which it took office."""
        self._high_watermark = 0
        self._pending = PendingAnswers()
        self._active: _Active | None = None

    # Office

    @property
    def is_active(self) -> bool:
        return self._active is not None

    def activate(
        self, epoch: int, records: Iterable[tuple[int, MetadataRecord]], now_ms: int
    ) -> None:
        """Take office in an epoch of the quorum, with all records of the log, committed or not.

        Writes what a new cluster begins with. Raises KafkaError if the quorum has another leader.
        """
        ledger = Ledger(self._append, Catalogue(), records)
        if ledger.end_offset == 0:
            ledger.write(*bootstrap_records(self._properties))
            ledger.flush(now_ms)
        self.epoch = epoch
        self._active = _Active(self._properties, self._cluster_id, self._new_id, ledger, now_ms)

    def deactivate(self) -> list[Output]:
        """Leave office. What was asked and is not committed may be lost, or not: ask the next."""
        self._active = None
        return self._pending.give_up()

    # Driving

    def handle(
        self, call: Call, request: Any, now_ms: int, *, is_forwarded: bool = False
    ) -> list[Output]:
        """One of BROKER_REQUESTS or FORWARDED_REQUESTS. Who is not active says so: to a node that
        forwarded it with `NOT_CONTROLLER`, to all others with what `resigned` says.
        """
        no = NOT_CONTROLLER if is_forwarded else resigned(request)
        if self._active is None:
            return [Reply(call, no)]
        result = self._active.answer(request, now_ms)
        try:
            self._active.ledger.flush(now_ms)
        except KafkaError:
            return [Reply(call, no), *self.deactivate()]
        self._pending.add(self._active.ledger.end_offset, call, no, result)
        return self._pending.release(self._high_watermark)

    def committed(self, high_watermark: int) -> list[Output]:
        """The records below it will never be lost."""
        self._high_watermark = max(high_watermark, self._high_watermark)
        return self._pending.release(self._high_watermark)

    def tick(self, now_ms: int) -> list[Output]:
        if self._active is None:
            return []
        self._active.tick(now_ms)
        try:
            self._active.ledger.flush(now_ms)
        except KafkaError:
            return self.deactivate()
        return []

    def next_deadline_ms(self) -> int | None:
        return None if self._active is None else self._active.next_deadline_ms()

    def forget(self, connection_id: int) -> None:
        self._pending.forget(connection_id)


class _Active:
    """What lives as long as one term of office."""

    def __init__(
        self,
        properties: Properties,
        cluster_id: str,
        new_id: Callable[[], UUID],
        ledger: Ledger,
        now_ms: int,
    ) -> None:
        self.ledger = ledger
        options = CurrentOptions(properties, ledger.catalogue)
        describing = Describing(ledger.catalogue, options)
        self._config: BrokerConfig = properties.broker
        self._cluster = Cluster(ledger, options)
        self._topics = Topics(self._cluster, describing, new_id)
        self._configs = Configs(self._cluster, describing)
        self._brokers = Brokers(
            self._cluster, cluster_id, self._config.broker_session_timeout_ms, now_ms
        )
        self._next_balancing_ms = now_ms + self._balancing_interval_ms

    def answer(self, request: Any, now_ms: int) -> Any:
        try:
            if isinstance(request, BROKER_REQUESTS):
                return self._answer_broker(request, now_ms)
            return self._answer_client(request)
        except KafkaError as refused:
            return refusal(request, refused.error, refused.message)

    def _answer_broker(self, request: Any, now_ms: int) -> Any:
        match request:
            case RegisterBroker():
                return self._brokers.register(request, now_ms)
            case BrokerHeartbeat():
                return self._brokers.heartbeat(request, now_ms)
            case AlterPartitions():
                return alter_partitions(self._cluster, request)
        return self._allocate_producer_ids(request)

    def _answer_client(self, request: Any) -> Any:
        match request:
            case CreateTopics():
                return self._topics.create(request)
            case DeleteTopics():
                return self._topics.delete(request)
            case CreatePartitions():
                return self._topics.add_partitions(request)
            case AlterConfigs():
                return self._configs.alter(request)
            case ElectLeaders():
                return elect_leaders(self._cluster, request)
            case AlterReassignments():
                return alter_reassignments(self._cluster, request)
            case ListReassignments():
                return list_reassignments(self._cluster, request)
            case UnregisterBroker():
                return self._brokers.unregister(request)
        raise AssertionError(f"the controller does not serve {request!r}")

    def _allocate_producer_ids(self, request: AllocateProducerIds) -> AllocatedProducerIds:
        """PROD-01: a block is given once, whoever is the controller."""
        self._cluster.registered(request.broker_id, request.broker_epoch)
        first = self.ledger.catalogue.next_producer_id
        self.ledger.write(ProducerIdsRecord(request.broker_id, first + PRODUCER_IDS_PER_BLOCK))
        return AllocatedProducerIds(first=first, count=PRODUCER_IDS_PER_BLOCK)

    # Time

    @property
    def _balancing_interval_ms(self) -> int:
        return self._config.leader_imbalance_check_interval_seconds * 1000

    def tick(self, now_ms: int) -> None:
        self._brokers.tick(now_ms)
        if self._config.auto_leader_rebalance_enable and now_ms >= self._next_balancing_ms:
            self._next_balancing_ms = now_ms + self._balancing_interval_ms
            balance_leaders(self._cluster, self._config.leader_imbalance_per_broker_percentage)

    def next_deadline_ms(self) -> int | None:
        deadlines = [self._brokers.next_deadline_ms()]
        if self._config.auto_leader_rebalance_enable:
            deadlines.append(self._next_balancing_ms)
        known = [deadline for deadline in deadlines if deadline is not None]
        return min(known) if known else None
