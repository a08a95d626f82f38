"""One simulated machine: a broker that comes and goes, and the disk that stays.

While a machine is busy with its disk, or stopped, what reaches it waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from impl.core.broker import Broker
from impl.core.cluster.messages import Endpoint
from impl.core.events import NOT_CONTROLLER, Call, Close, Forward, NoReply, Output, Reply, Send
from impl.core.log.log import Platform
from impl.core.storage import MemoryStorage
from impl.shell.platform import platform
from impl.simulation.network import NOT_ANSWERED, Answer, Connection, Network
from impl.simulation.schedule import Schedule

FORWARD = "forward"


class Disk(MemoryStorage):
    """Counts what takes time on a real disk."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0

    def flush(self, path: str) -> None:
        self.flushes += 1
        super().flush(path)

    def replace(self, path: str, content: bytes, *, durable: bool = True) -> None:
        self.flushes += durable
        super().replace(path, content, durable=durable)


class Node:
    """A machine of the cluster. It is down until `start`."""

    def __init__(
        self,
        endpoint: Endpoint,
        make_broker: Callable[[Node, Platform], Broker],
        schedule: Schedule,
        network: Network,
        random: Random,
    ) -> None:
        self.endpoint = endpoint
        self.disk = Disk()
        self.broker: Broker | None = None
        self.flush_ms = 0
        self.is_paused = False
        self.has_lost = False
        """Whether unflushed data went, since the cluster was last seen whole by a fault."""
        self._make_broker = make_broker
        self._schedule = schedule
        self._network = network
        self._random = random
        self._inbox: deque[Callable[[Broker], list[Output]]] = deque()
        self._busy_until_ms = 0
        self._wake_at_ms: int | None = None
        self._calls: dict[Call, tuple[Any, Answer | None]] = {}
        self._connection_ids: dict[Connection, int] = {}
        self._count = 0

    @property
    def node_id(self) -> int:
        return self.endpoint.node_id

    @property
    def is_up(self) -> bool:
        return self.broker is not None

    # Life

    def start(self) -> None:
        assert self.broker is None, "the machine is up"
        self.broker = self._make_broker(self, platform(self.disk, self._new_id))
        self._network.attach(self.node_id, self)
        self._work(lambda broker: broker.tick(self._schedule.now_ms))

    def _new_id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128))

    def kill(self) -> None:
        """The process dies. The operating system writes what it was given."""
        self._leave()

    def crash(self) -> None:
        """The power goes: of what was not flushed some bytes survive by chance, mostly none."""
        self._leave()
        self.has_lost = True
        self.disk.crash(
            lambda size: self._random.randint(0, size) if self._random.random() < 0.3 else 0
        )

    def _leave(self) -> None:
        self.broker = None
        self.is_paused = False
        self._busy_until_ms = 0
        self._wake_at_ms = None
        self._inbox.clear()
        self._calls.clear()
        self._connection_ids.clear()
        self._network.detach(self.node_id)

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        self._proceed()

    # What reaches the machine

    def receive(self, connection: Connection, request: Any, answer: Answer | None) -> None:
        self._count += 1
        number = self._connection_ids.setdefault(
            connection, len(self._connection_ids) + self._count
        )
        call = Call(number, self._count)
        self._calls[call] = request, answer
        now = self._schedule
        if connection.lane == FORWARD:
            self._work(lambda broker: broker.handle_forwarded(call, request, now.now_ms))
        else:
            self._work(lambda broker: broker.handle(call, request, now.now_ms))

    def disconnected(self, connection: Connection) -> None:
        number = self._connection_ids.pop(connection, None)
        if number is None:
            return
        for call in [c for c in self._calls if c.connection_id == number]:
            del self._calls[call]
        self._work(partial(_disconnect, number))

    # Work

    def _work(self, step: Callable[[Broker], list[Output]]) -> None:
        self._inbox.append(step)
        self._proceed()

    def _proceed(self) -> None:
        while self.broker is not None and self._inbox and not self.is_paused:
            if self._schedule.now_ms < self._busy_until_ms:
                return
            flushes = self.disk.flushes
            outputs = self._inbox.popleft()(self.broker)
            delay_ms = (self.disk.flushes - flushes) * self.flush_ms
            if delay_ms:
                self._busy_until_ms = self._schedule.now_ms + delay_ms
                self._schedule.after(delay_ms, partial(self._finish, self.broker, outputs))
                return
            self._carry_out(outputs)
        self._sleep()

    def _finish(self, life: Broker, outputs: list[Output]) -> None:
        if self.broker is life:
            self._carry_out(outputs)
            self._proceed()

    def _sleep(self) -> None:
        """Be woken when the broker next has something to do by itself."""
        if self.broker is None or self.is_paused:
            return
        at_ms = max(self.broker.next_deadline_ms(), self._schedule.now_ms + 1)
        if self._wake_at_ms is not None and self._wake_at_ms <= at_ms:
            return
        self._wake_at_ms = at_ms
        life = self.broker
        self._schedule.at(at_ms, lambda: self._wake(life, at_ms))

    def _wake(self, life: Broker, at_ms: int) -> None:
        if self.broker is not life or self._wake_at_ms != at_ms:
            return
        self._wake_at_ms = None
        self._work(lambda broker: broker.tick(self._schedule.now_ms))

    # What the broker says

    def _carry_out(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            match output:
                case Send():
                    self._send(output)
                case Forward():
                    self._forward(output)
                case Reply(call, result):
                    _, answer = self._calls.pop(call, (None, None))
                    if answer is not None:
                        answer(result)
                case NoReply(call) | Close(call):
                    _, answer = self._calls.pop(call, (None, None))
                    if answer is not None:
                        answer(NOT_ANSWERED)

    def _send(self, sent: Send) -> None:
        def then(answer: Any) -> None:
            if self.broker is life:
                self._work(lambda broker: broker.answered(sent, answer, self._schedule.now_ms))

        life = self.broker
        self._network.ask(
            self.node_id, sent.to.node_id, sent.lane, sent.request, sent.timeout_ms, then
        )

    def _forward(self, forward: Forward) -> None:
        life = self.broker
        now = self._schedule

        def then(result: Any) -> None:
            if self.broker is not life or forward.call not in self._calls:
                return
            if result is None or result is NOT_CONTROLLER:
                self._work(lambda broker: broker.not_forwarded(forward, now.now_ms))
            else:
                self._carry_out([Reply(forward.call, result)])

        to = forward.to.node_id
        self._network.ask(self.node_id, to, FORWARD, forward.request, forward.timeout_ms, then)


def _disconnect(connection_id: int, broker: Broker) -> list[Output]:
    broker.disconnected(connection_id)
    return []
