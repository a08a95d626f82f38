"""Ids for idempotent producers: taken in blocks from the controller, given out one by one.

PROD-01.
"""

from __future__ import annotations

from impl.core.cluster.broker_messages import AllocatedProducerIds, AllocateProducerIds
from impl.core.cluster.standing import Standing
from impl.core.data.messages import InitProducerId, ProducerIdentityGranted
from impl.core.events import Call, Output, Reply, Send
from spec.wire.errors import ErrorCode

LANE = "producer ids"
TIMEOUT_MS = 10_000
FIRST_EPOCH = 0


class ProducerIds:
    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._block = range(0)
        self._waiting: list[Call] = []
        self._asked: Send | None = None

    def handle(self, call: Call, request: InitProducerId, now_ms: int) -> list[Output]:
        """Transactions are not served here, and whoever asks for one is told at once."""
        del now_ms
        if request.transactional_id is not None:
            return [Reply(call, ProducerIdentityGranted(ErrorCode.INVALID_REQUEST))]
        self._waiting.append(call)
        return self._grant()

    def answered(
        self, sent: Send, answer: AllocatedProducerIds | None, now_ms: int
    ) -> list[Output]:
        """Without a block nobody gets an id now, and whoever waits is to ask again."""
        del now_ms
        if sent is not self._asked:
            return []
        self._asked = None
        if answer is not None and not answer.error:
            self._block = range(answer.first, answer.first + answer.count)
            return self._grant()
        waiting, self._waiting = self._waiting, []
        refused = ProducerIdentityGranted(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
        return [Reply(call, refused) for call in waiting]

    def _grant(self) -> list[Output]:
        outputs: list[Output] = []
        while self._waiting and self._block:
            producer_id, self._block = self._block[0], self._block[1:]
            granted = ProducerIdentityGranted(producer_id=producer_id, producer_epoch=FIRST_EPOCH)
            outputs.append(Reply(self._waiting.pop(0), granted))
        if not self._waiting or self._asked is not None:
            return outputs
        controller = self._standing.controller
        if controller is None:
            refused = ProducerIdentityGranted(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
            outputs += [Reply(call, refused) for call in self._waiting]
            self._waiting.clear()
            return outputs
        request = AllocateProducerIds(self._standing.node_id, self._standing.broker_epoch)
        self._asked = Send(controller, LANE, request, TIMEOUT_MS)
        return [*outputs, self._asked]

    def forget(self, connection_id: int) -> None:
        self._waiting = [c for c in self._waiting if c.connection_id != connection_id]
