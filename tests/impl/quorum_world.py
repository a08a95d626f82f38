"""Some nodes of a quorum in virtual time, with a network and disks that fail as they are told.

One seed gives one run. What must hold of every run is looked at after each step: `Rules`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

from impl.core.cluster.messages import Endpoint
from impl.core.cluster.metadata_records import ConfigRecord, MetadataRecord
from impl.core.events import Call, Output, Reply, Send
from impl.core.log.log import Platform
from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import Vote
from impl.core.quorum.metadata_log import MetadataLog
from impl.core.quorum.quorum import Quorum
from impl.core.refusal import KafkaError
from impl.core.storage import MemoryStorage
from impl.shell.platform import platform as node_platform

START_MS = 1_700_000_000_000
CLUSTER_ID = "cluster"
CONFIG = QuorumConfig()


def endpoints(nodes: Iterable[int]) -> dict[int, Endpoint]:
    return {node: Endpoint(node, "localhost", 9000 + node) for node in nodes}


def record(value: str) -> ConfigRecord:
    return ConfigRecord(2, "orders", "name", value)


class TextCodec:
    """Records of which only the value matters."""

    def encode(self, record: MetadataRecord) -> bytes:
        assert isinstance(record, ConfigRecord)
        assert record.value is not None
        return record.value.encode()

    def decode(self, value: bytes) -> MetadataRecord | None:
        return record(value.decode())


def text_of(record: MetadataRecord) -> str:
    assert isinstance(record, ConfigRecord)
    return record.value or ""


def platform(storage: MemoryStorage, random: Random) -> Platform:
    def new_id() -> UUID:
        return UUID(int=random.getrandbits(128))

    return node_platform(storage, new_id)


class RuleBroken(Exception):  # noqa: N818 (a finding, not a fault of the test)
    """What must hold of a quorum did not."""


@dataclass
class Rules:
    """CLUS-11 to CLUS-13, as far as the users of a quorum see them."""

    leaders: dict[int, tuple[int, int]] = field(default_factory=dict)
    committed: dict[int, str] = field(default_factory=dict)

    def look(self, node_id: int, life: int, quorum: Quorum) -> None:
        """Look at one node, in the how manieth of its lives."""
        for offset, each in quorum.take_committed():
            known = self.committed.setdefault(offset, text_of(each))
            if known != text_of(each):
                raise RuleBroken(f"{offset} is {known}, and {text_of(each)} on node {node_id}")
        if quorum.is_leader and quorum.epoch not in self.leaders:
            self._new_leader(node_id, life, quorum)
        if quorum.is_leader and self.leaders[quorum.epoch] != (node_id, life):
            raise RuleBroken(f"epoch {quorum.epoch} has two leaders")

    def hear(self, node_id: int, request: Any) -> None:
        """Look at what a node asks others."""
        if isinstance(request, Vote) and not request.is_pre_vote:
            led_by, _ = self.leaders.get(request.epoch, (None, 0))
            if led_by == node_id:
                raise RuleBroken(f"{node_id} led epoch {request.epoch} and asks for votes in it")

    def _new_leader(self, node_id: int, life: int, quorum: Quorum) -> None:
        self.leaders[quorum.epoch] = (node_id, life)
        if quorum.epoch < max(self.leaders):
            return  # it was elected late, and those of later epochs know more
        held = {offset: text_of(each) for offset, each in quorum.records()}
        for offset, value in self.committed.items():
            if held.get(offset) != value:
                raise RuleBroken(f"leader {node_id} of epoch {quorum.epoch} lacks {offset}")


@dataclass
class Weather:
    """What the network does to a message, in one direction."""

    loss: float = 0.0
    longest_delay_ms: int = 5


class QuorumWorld:
    def __init__(
        self,
        voters: int = 3,
        observers: int = 0,
        seed: int = 0,
        config: QuorumConfig = CONFIG,
        weather: Weather | None = None,
    ) -> None:
        self.random = Random(seed)
        self.now_ms = START_MS
        self.weather = weather or Weather()
        self.rules = Rules()
        self.config = config
        self.voters = endpoints(range(1, voters + 1))
        self.nodes = list(range(1, voters + observers + 1))
        self.storages = {node: MemoryStorage() for node in self.nodes}
        self.quorums: dict[int, Quorum] = {}
        self.lives = dict.fromkeys(self.nodes, 0)
        self.cut: set[tuple[int, int]] = set()
        self.sent: list[tuple[int, Send]] = []
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._calls = count()
        self._waiting: dict[Call, Callable[[Any], None]] = {}
        self._lanes: dict[tuple[int, int, int, str], deque[Send]] = {}
        for node in self.nodes:
            self.start(node)

    # Nodes

    def start(self, node: int) -> None:
        own = platform(self.storages[node], self.random)
        log = MetadataLog(own, TextCodec(), self.now_ms)
        self.lives[node] += 1
        self.quorums[node] = Quorum(
            own, log, self.config, node, CLUSTER_ID, self.voters, self.now_ms
        )
        self._follow_up(node, self.quorums[node].tick(self.now_ms))

    def kill(self, node: int) -> None:
        """The process dies; what it wrote survives."""
        self.quorums.pop(node, None)
        self.lives[node] += 1

    def lose_power(self, node: int) -> None:
        """The machine dies, and with it what was not flushed, but for some of it by chance."""
        self.kill(node)
        self.storages[node].crash(lambda size: self.random.randint(0, size))

    def isolate(self, *nodes: int) -> None:
        """Cut these nodes off from all others, but not from each other."""
        for inside in nodes:
            for outside in set(self.nodes) - set(nodes):
                self.cut |= {(inside, outside), (outside, inside)}

    def heal(self) -> None:
        self.cut.clear()

    # Time

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        heappush(self._events, (self.now_ms + delay_ms, next(self._order), action))

    def run(self, milliseconds: int) -> None:
        end_ms = self.now_ms + milliseconds
        while (due_ms := self._next_ms()) <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.step()
        self.now_ms = end_ms

    def run_until(self, is_reached: Callable[[], bool], within_ms: int = 30_000) -> int:
        """Let time pass until something is so; how long it took."""
        start_ms = self.now_ms
        while not is_reached():
            due_ms = self._next_ms()
            assert due_ms <= start_ms + within_ms, "it does not come to that"
            self.now_ms = max(self.now_ms, due_ms)
            self.step()
        return self.now_ms - start_ms

    def _next_ms(self) -> int:
        deadlines = [quorum.next_deadline_ms() for quorum in self.quorums.values()]
        due = [deadline for deadline in deadlines if deadline is not None]
        due += [self._events[0][0]] if self._events else []
        return min(due, default=1 << 60)

    def step(self) -> None:
        """Do one thing whose time has come."""
        for node, quorum in self.quorums.items():
            deadline = quorum.next_deadline_ms()
            if deadline is not None and deadline <= self.now_ms:
                self._follow_up(node, quorum.tick(self.now_ms))
                return
        if self._events and self._events[0][0] <= self.now_ms:
            heappop(self._events)[2]()

    # Messages

    def _follow_up(self, node: int, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self._queue(node, output)
            else:
                assert isinstance(output, Reply)
                self._waiting.pop(output.call)(output.result)
        self.rules.look(node, self.lives[node], self.quorums[node])

    def _queue(self, node: int, send: Send) -> None:
        self.rules.hear(node, send.request)
        self.sent.append((node, send))
        lane = (node, self.lives[node], send.to.node_id, send.lane)
        queue = self._lanes.setdefault(lane, deque())
        queue.append(send)
        if len(queue) == 1:
            self._ask(lane)

    def _ask(self, lane: tuple[int, int, int, str]) -> None:
        """Requests of one lane are asked in order, each after the answer to the one before."""
        node, _, to, _ = lane
        send = self._lanes[lane][0]
        self.at(send.timeout_ms, lambda: self._answer(lane, send, None))
        if to not in self.quorums:
            self.at(1, lambda: self._answer(lane, send, None))
        else:
            self._carry(node, to, lambda: self._arrive(lane, send))

    def _carry(self, sender: int, receiver: int, arrive: Callable[[], None]) -> None:
        delay_ms = self.random.randint(0, self.weather.longest_delay_ms)
        if self.random.random() >= self.weather.loss:
            self.at(delay_ms, lambda: None if (sender, receiver) in self.cut else arrive())

    def _arrive(self, lane: tuple[int, int, int, str], send: Send) -> None:
        node, _, to, _ = lane
        if to in self.quorums:
            call = Call(node, next(self._calls))
            self._waiting[call] = lambda result: self._carry(
                to, node, lambda: self._answer(lane, send, result)
            )
            self._follow_up(to, self.quorums[to].handle(call, send.request, self.now_ms))

    def _answer(self, lane: tuple[int, int, int, str], send: Send, result: Any) -> None:
        node, life, _, _ = lane
        queue = self._lanes.get(lane)
        if not queue or queue[0] is not send:
            return  # it was answered before
        queue.popleft()
        if queue:
            self._ask(lane)
        if self.lives[node] == life and node in self.quorums:
            self._follow_up(node, self.quorums[node].answered(send, result, self.now_ms))

    # What tests do and ask

    def ask(self, node: int, request: Any) -> Any:
        """What a node says to a request; None while the request waits."""
        answers = self.park(node, request)
        return answers[0] if answers else None

    def park(self, node: int, request: Any) -> list[Any]:
        """Where the answer to a request is, as soon as there is one."""
        answers: list[Any] = []
        call = Call(99, next(self._calls))
        self._waiting[call] = answers.append
        self._follow_up(node, self.quorums[node].handle(call, request, self.now_ms))
        return answers

    def append(self, node: int, *values: str) -> int | None:
        """The log end after the records; None if the node does not lead."""
        try:
            end = self.quorums[node].append([record(v) for v in values], self.now_ms)
        except KafkaError:
            return None
        self._follow_up(node, self.quorums[node].tick(self.now_ms))
        return end

    def resign(self, node: int) -> None:
        self._follow_up(node, self.quorums[node].resign(self.now_ms))

    def log(self, node: int) -> bytes:
        """All that the node has on its disk, as it would be sent."""
        own = platform(self.storages[node], self.random)
        return bytes(MetadataLog(own, TextCodec(), self.now_ms).read(0, 1 << 30))

    @property
    def leaders(self) -> list[int]:
        return [node for node, quorum in self.quorums.items() if quorum.is_leader]

    @property
    def leader(self) -> int:
        """The leader of the latest epoch, when everybody that runs knows it."""
        [leader] = {quorum.leader_id for quorum in self.quorums.values()}
        assert leader is not None
        return leader

    @property
    def is_settled(self) -> bool:
        """Whether all that run agree on a leader that runs, and have the same log, committed."""
        views = {
            (quorum.epoch, quorum.leader_id, quorum.log_end_offset, quorum.high_watermark)
            for quorum in self.quorums.values()
        }
        return (
            len(views) == 1
            and len(self.leaders) == 1
            and all(q.high_watermark == q.log_end_offset for q in self.quorums.values())
        )

    def settle(self, within_ms: int = 30_000) -> int:
        return self.run_until(lambda: self.is_settled, within_ms)
