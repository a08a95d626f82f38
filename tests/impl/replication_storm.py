"""Everything that can go wrong with the replicas of one partition, one thing at a time.

What must hold after each step: replicas agree below their high watermarks (REPL-13), whoever may
be elected has all that any leader holds for committed, and all that a producer was promised
(ACKS-10). No unclean elections, and no broker loses data while it is in sync.
"""

from __future__ import annotations

from itertools import pairwise

from impl.core.cluster.metadata_records import BrokerRegistrationChangeRecord
from impl.core.data.config import ReplicationConfig
from impl.core.data.messages import Produce, RecordsForPartition
from impl.core.data.partition import Partition
from impl.core.events import Call
from impl.core.log.batch import HEADER_SIZE, read_records
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC, batch
from tests.impl.replica_world import Node, Replicas

NODES = (1, 2, 3)
CONFIG = ReplicationConfig(
    replica_lag_time_max_ms=1_000,
    replica_fetch_backoff_ms=50,
    replica_fetch_wait_max_ms=50,
    replica_high_watermark_checkpoint_interval_ms=500,
)

Content = list[tuple[int, int, bytes]]


class Storm:
    def __init__(self) -> None:
        self.world = Replicas(config=CONFIG)
        self.world.learns_at_once = False
        self.logs: dict[int, Node] = dict(self.world.nodes)
        """Of each node the present life, or the last one."""
        self.acked: dict[int, bytes] = {}
        self._calls: dict[tuple[int, int, Call], bytes] = {}
        self._values = 0
        self._known: dict[int, tuple[Partition, int, Content]] = {}
        self._led: dict[tuple[int, int, int], int] = {}

    # What happens

    def produce(self, node_id: int) -> None:
        node = self.world.nodes.get(node_id)
        if node is None:
            return
        self._values += 1
        value = b"%d" % self._values
        asked = RecordsForPartition(TOPIC, 0, batch(value, timestamp=self.world.now_ms))
        call = node.call(Produce(-1, 60_000, (asked,)), self.world.now_ms)
        self._calls[node_id, node.life, call] = value

    def carry(self, index: int) -> None:
        if self.world.messages:
            self.world.carry(self.world.messages[index % len(self.world.messages)])

    def lose(self, index: int) -> None:
        if self.world.messages:
            self.world.lose(self.world.messages[index % len(self.world.messages)])

    def time_out(self, index: int) -> None:
        """Who asked gives up, and what it asked arrives all the same."""
        if self.world.messages:
            message = self.world.messages[index % len(self.world.messages)]
            self.world.give_up(message)

    def pass_time(self, milliseconds: int) -> None:
        self.world.now_ms += milliseconds
        self.world.tick()

    def learn(self, node_id: int, records: int) -> None:
        node = self.world.nodes.get(node_id)
        if node is not None:
            end = node.applied + records
            node.learn(self.world.controller.records[node.applied : end], self.world.now_ms)

    def elect(self, node_id: int) -> None:
        controller = self.world.controller
        if node_id in self.world.isr() and controller.catalogue.is_active(node_id):
            self.world.elect(node_id)

    def fence(self, node_id: int) -> None:
        if not self.world.controller.catalogue.brokers[node_id].fenced:
            self.world.fence(node_id)

    def unfence(self, node_id: int) -> None:
        registered = self.world.controller.catalogue.brokers[node_id]
        if node_id in self.world.nodes and registered.fenced:
            self.world.controller.decide(
                BrokerRegistrationChangeRecord(node_id, registered.broker_epoch, fenced=False)
            )
            if self.world.controller.assignment().leader < 0:
                self.elect(node_id)

    def kill(self, node_id: int) -> None:
        if node_id in self.world.nodes:
            self.world.kill(node_id)

    def restart(self, node_id: int) -> None:
        if node_id not in self.world.nodes:
            self.fence(node_id)
            self.world.restart(node_id)
            self.logs[node_id] = self.world.nodes[node_id]

    def lose_power(self, node_id: int) -> None:
        """Off and on again: what was not flushed is gone; only where the node is not in sync."""
        if self.world.isr() == (node_id,):
            return
        self.kill(node_id)
        self.fence(node_id)
        self.world.storages[node_id].crash()
        self.restart(node_id)

    # What must hold

    def check(self) -> None:
        self.world.collect()
        self._note_answers()
        contents = {node_id: self._content(node_id) for node_id in NODES}
        ends = {n: self.logs[n].partition().high_watermark for n in NODES}
        for one in NODES:
            for other in NODES:
                end = min(ends[one], ends[other])
                assert _below(contents[one], end) == _below(contents[other], end), "REPL-13"
        leaders = [n for n, node in self.world.nodes.items() if node.partition().is_leader]
        for member in self.world.isr():
            for leader in leaders:
                expected = _below(contents[leader], ends[leader])
                assert _below(contents[member], ends[leader]) == expected, "committed, and lost"
            held = {offset: value for offset, _, value in contents[member]}
            lost = {o: v for o, v in self.acked.items() if held.get(o) != v}
            assert not lost, f"acknowledged, and not on {member}: {lost}"
        for leader in leaders:
            self._check_leader(leader, ends[leader])

    def _check_leader(self, node_id: int, high_watermark: int) -> None:
        """REPL-01, ELEC-08."""
        node = self.world.nodes[node_id]
        reign = node_id, node.life, node.partition().leader_epoch
        assert high_watermark >= self._led.get(reign, 0), "the high watermark went back"
        self._led[reign] = high_watermark
        epochs = node.partition().log.epochs.entries
        assert all(a < b and c < d for (a, c), (b, d) in pairwise(epochs))

    def _note_answers(self) -> None:
        for (node_id, life, call), value in list(self._calls.items()):
            node = self.world.nodes.get(node_id)
            if node is None or node.life != life:
                del self._calls[node_id, life, call]
            elif (answer := node.replies.pop(call, None)) is not None:
                del self._calls[node_id, life, call]
                if answer.partitions[0].error is ErrorCode.NONE:
                    offset = answer.partitions[0].base_offset
                    assert offset not in self.acked, "two records were promised one offset"
                    self.acked[offset] = value

    def _content(self, node_id: int) -> Content:
        partition = self.logs[node_id].partition()
        known = self._known.get(node_id)
        if known is None or known[:2] != (partition, partition.revision):
            known = partition, partition.revision, content_of(partition)
            self._known[node_id] = known
        return known[2]

    # How it ends

    def calm(self) -> None:
        """Everybody is back, and all replicas get equal and in sync."""
        for node_id in NODES:
            self.restart(node_id)
            self.unfence(node_id)
        self.world.learns_at_once = True
        self.world.advance(5_000)
        self.check()
        assert sorted(self.world.isr()) == list(NODES)
        assert self._content(1) == self._content(2) == self._content(3)
        values = [value for _, _, value in self._content(1)]
        assert len(values) == len(set(values))


def content_of(partition: Partition) -> Content:
    """Offset, leader epoch and value of every record."""
    content = []
    for header, payload in partition.log.batches():
        assert header.size == HEADER_SIZE + len(payload)
        for record in read_records(header, payload):
            assert record.value is not None
            offset = header.base_offset + record.offset_delta
            content.append((offset, header.partition_leader_epoch, bytes(record.value)))
    return content


def _below(content: Content, end: int) -> Content:
    return [entry for entry in content if entry[0] < end]
