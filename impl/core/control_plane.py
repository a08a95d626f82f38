"""How a node takes part in running the cluster: the metadata quorum, the controller, membership.

CLUS-01 to CLUS-14. Decides when this node is the active controller, to whom requests for the
controller go, and in which order its rooms act on each other. What committed metadata means for
partitions and coordinators is the caller's business (`take_committed`). Nodes wait for each other
by the time that they lived: who sets the clock forward with `skip` makes nobody look dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from impl.core.cluster.broker_messages import BrokerHeartbeat, RegisterBroker
from impl.core.cluster.forwarding import Forwarding
from impl.core.cluster.membership import Membership
from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import MetadataCodec, MetadataRecord
from impl.core.cluster.standing import Standing
from impl.core.config import Properties
from impl.core.controller.controller import Controller
from impl.core.controller.refusals import BROKER_REQUESTS, FORWARDED_REQUESTS, Undecided
from impl.core.events import Call, Forward, Output, Reply, Send
from impl.core.log.log import Platform
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import DescribeQuorum
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.quorum.quorum import Quorum
from impl.core.refusal import KafkaError

MEMBERSHIP_REQUESTS = (RegisterBroker, BrokerHeartbeat)


class ControlPlane:
    def __init__(
        self,
        platform: Platform,
        codec: MetadataCodec,
        properties: Properties,
        endpoint: Endpoint,
        standing: Standing,
        voters: Mapping[int, Endpoint],
        previous_broker_epoch: int,
        now_ms: int,
    ) -> None:
        """Raises StorageError."""
        self._standing = standing
        self._quorum = Quorum(
            platform,
            MetadataLog(platform, codec, now_ms),
            properties.others[QuorumConfig],
            endpoint.node_id,
            standing.cluster_id,
            voters,
            now_ms,
        )
        self._controller = Controller(
            properties, standing.cluster_id, platform.new_id, self._append
        )
        self.membership = Membership(
            standing,
            endpoint,
            properties.broker,
            platform.new_id,
            previous_broker_epoch,
            now_ms,
        )
        self._forwarding = Forwarding(standing)
        self._has_appended = False
        self._is_resigned = False
        self._skipped_ms = 0
        self._settled_offset: int | None = None
        """With what `settle` found nothing to do, while nothing has happened here since."""
        self._settled_until_ms: int | None = None
        """And when something is due, in the time that this node lives by."""

    def _append(self, records: Sequence[MetadataRecord], now_ms: int) -> int:
        self._has_appended = True
        return self._quorum.append(records, now_ms)

    # Driving

    def _at(self, now_ms: int) -> int:
        """The time by which this node lives, of something that is to be settled."""
        self._settled_offset = None
        return now_ms - self._skipped_ms

    def skip(self, duration_ms: int) -> None:
        """From now on the caller's clock shows so much more than this node has lived."""
        self._skipped_ms += duration_ms

    def handle(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        now_ms = self._at(now_ms)
        is_for_controller = isinstance(request, (*FORWARDED_REQUESTS, DescribeQuorum))
        if is_for_controller and not self._controller.is_active:
            return self._forwarding.forward(call, request, now_ms)
        if isinstance(request, (*BROKER_REQUESTS, *FORWARDED_REQUESTS)):
            return self._hand_on(self._controller.handle(call, request, now_ms), now_ms)
        return self._quorum.handle(call, request, now_ms)

    def _hand_on(self, outputs: list[Output], now_ms: int) -> list[Output]:
        """What a client asked of a controller that left office is for the next one."""
        kept: list[Output] = []
        for output in outputs:
            if isinstance(output, Reply) and isinstance(output.result, Undecided):
                kept += self._forwarding.forward(output.call, output.result.request, now_ms)
            else:
                kept.append(output)
        return kept

    def handle_forwarded(self, call: Call, request: Any, now_ms: int) -> list[Output]:
        """A request that another node was asked, and that is for the active controller."""
        if isinstance(request, DescribeQuorum) and self._controller.is_active:
            return self._quorum.handle(call, request, self._at(now_ms))
        now_ms = self._at(now_ms)
        outputs = self._controller.handle(call, request, now_ms, is_forwarded=True)
        return self._hand_on(outputs, now_ms)

    def not_forwarded(self, forward: Forward, now_ms: int) -> list[Output]:
        return self._forwarding.not_forwarded(forward, self._at(now_ms))

    def answered(self, sent: Send, answer: Any | None, now_ms: int) -> list[Output]:
        room = self.membership if isinstance(sent.request, MEMBERSHIP_REQUESTS) else self._quorum
        return room.answered(sent, answer, self._at(now_ms))

    def tick(self, now_ms: int) -> list[Output]:
        now_ms = self._at(now_ms)
        return [
            *self._quorum.tick(now_ms),
            *self._hand_on(self._controller.tick(now_ms), now_ms),
            *self._forward(now_ms),
        ]

    def _forward(self, now_ms: int) -> list[Output]:
        """What waits for a controller goes to it, which may be here."""
        if not self._controller.is_active:
            return self._forwarding.tick(now_ms)
        outputs: list[Output] = []
        for call, request in self._forwarding.take_all():
            room = self._quorum if isinstance(request, DescribeQuorum) else self._controller
            outputs += room.handle(call, request, now_ms)
        return self._hand_on(outputs, now_ms)

    def begin_shutdown(self, now_ms: int) -> None:
        self.membership.begin_shutdown(self._at(now_ms))

    def next_deadline_ms(self) -> int | None:
        settled = self._settled_offset is not None
        first_ms = self._settled_until_ms if settled else self._first_deadline_ms()
        return None if first_ms is None else first_ms + self._skipped_ms

    def _first_deadline_ms(self) -> int | None:
        rooms = (self._quorum, self._controller, self.membership, self._forwarding)
        deadlines = [room.next_deadline_ms() for room in rooms]
        return min((each for each in deadlines if each is not None), default=None)

    def forget(self, connection_id: int) -> None:
        self._quorum.forget(connection_id)
        self._controller.forget(connection_id)
        self._forwarding.forget(connection_id)

    # What follows

    def settle(self, now_ms: int, applied_offset: int) -> list[Output]:
        """To be called after everything that this plane did, and until nothing more comes."""
        if applied_offset == self._settled_offset:
            return []
        now_ms -= self._skipped_ms
        outputs: list[Output] = []
        if self._has_appended:
            self._has_appended = False
            outputs += self._quorum.tick(now_ms)
        outputs += self._change_office(now_ms)
        outputs += self._controller.committed(self._quorum.high_watermark)
        outputs += self.membership.tick(now_ms, applied_offset)
        if self.membership.may_stop and not self._is_resigned:
            self._is_resigned = True
            outputs += self._quorum.resign(now_ms)
        elif not outputs and not self._has_appended:
            self._settled_offset = applied_offset
            self._settled_until_ms = self._first_deadline_ms()
        return outputs

    def _change_office(self, now_ms: int) -> list[Output]:
        """The leader of the quorum is the controller, from one of its epochs to the next."""
        quorum, controller = self._quorum, self._controller
        outputs: list[Output] = []
        has_moved = self._standing.controller != quorum.leader
        self._standing.controller = quorum.leader
        if controller.is_active and not (quorum.is_leader and controller.epoch == quorum.epoch):
            outputs += self._hand_on(controller.deactivate(), now_ms)
        if quorum.is_leader and not controller.is_active:
            with suppress(KafkaError):  # it was deposed just now
                controller.activate(quorum.epoch, quorum.records(), now_ms)
        return outputs + (self._forward(now_ms) if has_moved else [])

    def take_committed(self) -> list[tuple[int, MetadataRecord]]:
        """Records with their offsets that are committed and were not taken before."""
        return self._quorum.take_committed()
