"""The life of brokers: registration, heartbeats, fencing, controlled shutdown.

Decides who is alive. A session is what the controller alone remembers of a broker: when it was
heard last, and how far it has read. It is not in the log, so a new controller gives everybody a
whole session timeout from the moment when it begins.

CLUS-01 to CLUS-08, ELEC-15.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from impl.core.cluster.broker_messages import (
    BrokerHeartbeat,
    BrokerHeartbeatReply,
    BrokerRegistered,
    RegisterBroker,
)
from impl.core.cluster.catalogue import Registration
from impl.core.cluster.messages import BrokerUnregistered, UnregisterBroker
from impl.core.cluster.metadata_records import (
    BrokerRegistrationChangeRecord,
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
)
from impl.core.controller.cluster import Cluster
from impl.core.controller.leadership import (
    broker_arrives,
    broker_leaves,
    broker_struck,
    leads_any,
)
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

NOTHING_READ = -1


class State(Enum):
    FENCED = auto()
    UNFENCED = auto()
    SHUTTING_DOWN = auto()
    MAY_STOP = auto()


@dataclass(slots=True)
class _Session:
    heard_ms: int
    is_presumed: bool = False
    """Nobody heard of the broker since this controller took office."""
    may_stop: bool = False
    """It was told so, and is not expected any more."""
    metadata_offset: int = NOTHING_READ
    shutdown_offset: int | None = None
    """Where in the log its controlled shutdown stands, once it has begun."""


class Brokers:
    def __init__(
        self, cluster: Cluster, cluster_id: str, session_timeout_ms: int, now_ms: int
    ) -> None:
        self._cluster = cluster
        self._ledger = cluster.ledger
        self._cluster_id = cluster_id
        self._session_timeout_ms = session_timeout_ms
        self._sessions = {
            broker_id: _Session(
                now_ms, is_presumed=True, shutdown_offset=self._shutdown_of_old(registration)
            )
            for broker_id, registration in cluster.catalogue.brokers.items()
        }

    def _shutdown_of_old(self, registration: Registration) -> int | None:
        leaves = registration.in_controlled_shutdown and not registration.fenced
        return self._ledger.next_offset - 1 if leaves else None

    # Registration

    def register(self, request: RegisterBroker, now_ms: int) -> BrokerRegistered:
        """Raises KafkaError."""
        if request.cluster_id != self._cluster_id:  # CLUS-01
            raise KafkaError(ErrorCode.INCONSISTENT_CLUSTER_ID)
        broker_id = request.endpoint.node_id
        known = self._cluster.catalogue.brokers.get(broker_id)
        if known is not None and known.incarnation_id == request.incarnation_id:
            return self._register_again(request, known, now_ms)
        if known is not None and self._is_in_touch(broker_id, now_ms):  # CLUS-02
            raise KafkaError(ErrorCode.DUPLICATE_BROKER_REGISTRATION)
        broker_epoch = self._ledger.next_offset  # CLUS-03
        self._ledger.write(
            RegisterBrokerRecord(request.endpoint, request.incarnation_id, broker_epoch)
        )
        self._sessions[broker_id] = _Session(now_ms)
        if known is not None and request.previous_broker_epoch == known.broker_epoch:
            broker_leaves(self._cluster, broker_id)
        else:  # ELEC-15
            broker_struck(self._cluster, broker_id)
        return BrokerRegistered(broker_epoch=broker_epoch)

    def _register_again(
        self, request: RegisterBroker, known: Registration, now_ms: int
    ) -> BrokerRegistered:
        """CLUS-03: the same life of the broker, which may have moved to another address."""
        self._ledger.write(
            RegisterBrokerRecord(
                request.endpoint,
                known.incarnation_id,
                known.broker_epoch,
                known.fenced,
                known.in_controlled_shutdown,
            )
        )
        session = self._sessions[request.endpoint.node_id]
        session.heard_ms, session.is_presumed = now_ms, False
        return BrokerRegistered(broker_epoch=known.broker_epoch)

    def _has_session(self, broker_id: int, now_ms: int) -> bool:
        return now_ms < self._sessions[broker_id].heard_ms + self._session_timeout_ms

    def _is_in_touch(self, broker_id: int, now_ms: int) -> bool:
        """Also one that is fenced, unless it was told that it may stop.

        A new controller does not refuse a broker for a former life that it never heard of. Kafka's
        does, so that a cluster of one that was killed waits for its own session to end. Who is
        fenced wrongly hears so with its next heartbeat (CLUS-04).
        """
        session = self._sessions[broker_id]
        is_alive = not session.is_presumed and not session.may_stop
        return is_alive and self._has_session(broker_id, now_ms)

    def unregister(self, request: UnregisterBroker) -> BrokerUnregistered:
        """Raises KafkaError."""
        known = self._cluster.catalogue.brokers.get(request.broker_id)
        if known is None:
            message = f"Broker {request.broker_id} is not registered."
            raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, message)
        self._ledger.write(UnregisterBrokerRecord(request.broker_id, known.broker_epoch))
        del self._sessions[request.broker_id]
        broker_leaves(self._cluster, request.broker_id)
        return BrokerUnregistered()

    # Heartbeats

    def heartbeat(self, request: BrokerHeartbeat, now_ms: int) -> BrokerHeartbeatReply:
        """Raises KafkaError."""
        known = self._cluster.registered(request.broker_id, request.broker_epoch)
        session = self._sessions[request.broker_id]
        present = self._state(known)
        state = self._next_state(request, present, session)
        session.heard_ms, session.is_presumed = now_ms, False
        session.metadata_offset = request.metadata_offset
        session.may_stop = state is State.MAY_STOP
        if state is not present:
            self._enter(state, request.broker_id, known)
        return BrokerHeartbeatReply(
            is_caught_up=self._is_caught_up(request),
            is_fenced=state in (State.FENCED, State.MAY_STOP),
            should_shut_down=state is State.MAY_STOP,
        )

    def _state(self, known: Registration) -> State:
        if known.fenced:
            return State.FENCED
        return State.SHUTTING_DOWN if known.in_controlled_shutdown else State.UNFENCED

    def _is_caught_up(self, request: BrokerHeartbeat) -> bool:
        return request.metadata_offset >= self._ledger.registered_at[request.broker_id]

    def _next_state(self, request: BrokerHeartbeat, present: State, session: _Session) -> State:
        """CLUS-08 for those who want to stop."""
        if present is State.FENCED:
            if request.wants_shut_down:
                return State.MAY_STOP
            may_return = not request.wants_fence and self._is_caught_up(request)
            return State.UNFENCED if may_return else State.FENCED
        if present is State.SHUTTING_DOWN:
            leads = leads_any(self._cluster, request.broker_id)
            may_stop = not leads and self._is_known_to_all(session)
            return State.MAY_STOP if may_stop else State.SHUTTING_DOWN
        if request.wants_fence:
            return State.MAY_STOP if request.wants_shut_down else State.FENCED
        if request.wants_shut_down:
            leads = leads_any(self._cluster, request.broker_id)
            return State.SHUTTING_DOWN if leads else State.MAY_STOP
        return State.UNFENCED

    def _is_known_to_all(self, session: _Session) -> bool:
        active = (b for b in self._sessions if self._cluster.catalogue.is_active(b))
        read = (self._sessions[broker_id].metadata_offset for broker_id in active)
        return session.shutdown_offset is None or all(
            offset >= session.shutdown_offset for offset in read
        )

    def _enter(self, state: State, broker_id: int, known: Registration) -> None:
        if state is State.UNFENCED:
            self._unfence(broker_id, known)
        elif state is State.SHUTTING_DOWN:
            self._begin_shutdown(broker_id, known)
        elif not known.fenced:
            self._fence(broker_id, known)

    def _unfence(self, broker_id: int, known: Registration) -> None:
        self._ledger.write(
            BrokerRegistrationChangeRecord(broker_id, known.broker_epoch, fenced=False)
        )
        broker_arrives(self._cluster)  # CLUS-07

    def _begin_shutdown(self, broker_id: int, known: Registration) -> None:
        change = BrokerRegistrationChangeRecord(
            broker_id, known.broker_epoch, in_controlled_shutdown=True
        )
        self._ledger.write(change)
        broker_leaves(self._cluster, broker_id)
        self._sessions[broker_id].shutdown_offset = self._ledger.next_offset - 1

    def _fence(self, broker_id: int, known: Registration) -> None:
        """CLUS-06: the records of one decision reach the log together."""
        self._ledger.write(
            BrokerRegistrationChangeRecord(broker_id, known.broker_epoch, fenced=True)
        )
        self._sessions[broker_id].shutdown_offset = None
        broker_leaves(self._cluster, broker_id)

    # Time

    def tick(self, now_ms: int) -> None:
        """CLUS-05."""
        for broker_id, known in sorted(self._cluster.catalogue.brokers.items()):
            if not known.fenced and not self._has_session(broker_id, now_ms):
                self._fence(broker_id, known)

    def next_deadline_ms(self) -> int | None:
        unfenced = (b for b, known in self._cluster.catalogue.brokers.items() if not known.fenced)
        heard = [self._sessions[broker_id].heard_ms for broker_id in unfenced]
        return min(heard) + self._session_timeout_ms if heard else None
