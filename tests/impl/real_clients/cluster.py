"""Three brokers, each a process, of which a test kills any at any moment and brings it back.

Who leads a partition, coordinates a group or is the controller is asked of the brokers themselves.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from impl.wire import Struct
from tests.impl.broker_process import BROKERSPEC, Client, Process, broker

NODES = (1, 2, 3)
PATIENCE_S = 60.0
POLL_INTERVAL_S = 0.02
GROUP, TRANSACTION = 0, 1
SETTINGS = {
    "broker.heartbeat.interval.ms": 200,
    "broker.session.timeout.ms": 1_500,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1_000,
    "default.replication.factor": 3,
    "group.consumer.heartbeat.interval.ms": 500,
    "group.consumer.min.heartbeat.interval.ms": 500,
    # Not 0: kafka-python may be made the leader before it has read the metadata, assigns nothing
    # then, and does not look again for minutes.
    "group.initial.rebalance.delay.ms": 300,
    "min.insync.replicas": 2,
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.num.partitions": 3,
}


def until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen that {what}"
        time.sleep(POLL_INTERVAL_S)


@dataclass
class Cluster:
    """`running` is the parent of all three until one of them is killed and started alone."""

    running: Process
    folder: Path
    program: Sequence[str]
    restarted: dict[int, ExitStack] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)

    @property
    def bootstrap(self) -> str:
        return self.running.address

    # Faults

    def pause(self, node_id: int) -> None:
        """Until another is killed."""
        os.kill(self.process_id(node_id), signal.SIGSTOP)
        self.paused.add(node_id)

    def resume(self) -> None:
        while self.paused:
            os.kill(self.process_id(self.paused.pop()), signal.SIGCONT)

    def kill(self, node_id: int) -> None:
        os.kill(self.process_id(node_id), signal.SIGKILL)
        self.dead.add(node_id)
        self.resume()
        if node_id in self.restarted:
            self.restarted.pop(node_id).close()

    def restart(self, node_id: int) -> None:
        """Start it alone, by the properties that are kept for it; it is ready on return."""
        stack = self.restarted[node_id] = ExitStack()
        properties = str(self.folder / f"broker-{node_id}.properties")
        stack.enter_context(broker(properties, port=None, program=self.program))
        self.dead.discard(node_id)

    def process_id(self, node_id: int) -> int:
        return int((self.folder / f"broker-{node_id}" / ".lock").read_text())

    # Questions

    def ask(self, api_name: str, api_version: int, **fields: object) -> Struct:
        """The answer of the first broker that is alive."""
        node_id = next(each for each in NODES if each not in self.dead)
        with Client(self.running.ports[node_id - 1]) as client:
            return client.ask(api_name, api_version, **fields)

    def partitions(self, topic: str) -> dict[int, Struct]:
        answer = self.ask("Metadata", 9, topics=[Struct(name=topic)])
        return {each.partition_index: each for each in answer.topics[0].partitions}

    def leader(self, topic: str, partition: int = 0) -> int:
        return int(self.partitions(topic)[partition].leader_id)

    def controller(self) -> int:
        """The node that leads the quorum, as soon as one does."""
        return self._first_known(self._controller)

    def coordinator(self, key: str, key_type: int) -> int:
        """As soon as there is one: the first question creates what it needs."""
        question = partial(self.ask, "FindCoordinator", 3, key=key, key_type=key_type)
        return self._first_known(lambda: int(question().node_id))

    def _first_known(self, question: Callable[[], int]) -> int:
        answers: list[int] = []

        def is_known() -> bool:
            answers.append(question())
            return answers[-1] > 0

        until(is_known, "there is one to be found")
        return answers[-1]

    def _controller(self) -> int:
        answer = self.ask("DescribeQuorum", 0, topics=[QUORUM])
        if answer.error_code or answer.topics[0].partitions[0].error_code:
            return -1
        return int(answer.topics[0].partitions[0].leader_id)

    def create(self, topic: str, num_partitions: int = 3) -> None:
        """A topic of which every broker holds every partition; each has its leader on return."""
        asked = Struct(name=topic, num_partitions=num_partitions, replication_factor=3)
        answer = self.ask("CreateTopics", 7, topics=[asked], timeout_ms=10_000)
        assert answer.topics[0].error_code == 0, answer
        until(lambda: self.is_whole(topic, num_partitions), f"{topic} is led and in sync")

    def is_whole(self, topic: str, num_partitions: int = 3) -> bool:
        """Whether each partition has a leader and all replicas are in sync."""
        found = self.partitions(topic).values()
        whole = [each.leader_id >= 0 and len(each.isr_nodes) == len(NODES) for each in found]
        return len(whole) == num_partitions and all(whole)


QUORUM = Struct(topic_name="__cluster_metadata", partitions=[Struct(partition_index=0)])


@contextmanager
def cluster(folder: Path, program: Sequence[str] = BROKERSPEC) -> Iterator[Cluster]:
    """Gone after the block, whatever happened, with those that were started alone."""
    given = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    with broker("--cluster", "3", *given, folder=folder, program=program) as running:
        started = Cluster(running, folder, program)
        try:
            yield started
        finally:
            started.resume()
            for stack in started.restarted.values():
                with suppress(ProcessLookupError):
                    stack.close()
