"""A simulated cluster, and what can be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from impl.core.broker import Broker
from impl.core.cluster.messages import Endpoint
from impl.core.log.log import Platform
from impl.shell.node import CODECS
from impl.shell.properties import read_properties
from impl.simulation.network import Network
from impl.simulation.node import Node
from impl.simulation.schedule import Schedule

START_MS = 1_700_000_000_000
CLUSTER_ID = "simulated"


class Simulation:
    """Brokers 1 to `nodes`, all started. One seed and the same calls give the same run."""

    def __init__(
        self, seed: int, *, nodes: int = 3, properties: Mapping[str, str] | None = None
    ) -> None:
        self.random = Random(seed)
        self.schedule = Schedule(START_MS)
        self.network = Network(self.schedule, self.random)
        self._properties = dict(properties or {})
        self._voters = {n: Endpoint(n, f"node-{n}", 9092) for n in range(1, nodes + 1)}
        self.nodes = {
            number: Node(endpoint, self._make_broker, self.schedule, self.network, self.random)
            for number, endpoint in self._voters.items()
        }
        for node in self.nodes.values():
            node.start()

    def _make_broker(self, node: Node, platform: Platform) -> Broker:
        given = {"node.id": str(node.node_id), **self._properties}
        return Broker(
            platform,
            CODECS,
            read_properties(given).properties,
            node.endpoint,
            CLUSTER_ID,
            self._voters,
            self.schedule.now_ms,
        )

    @property
    def now_ms(self) -> int:
        return self.schedule.now_ms

    @property
    def is_whole(self) -> bool:
        """Whether all brokers are up, and all replicas in sync as far as each of them has read.

        Only then may one lose what it has not flushed: the others have it.
        """
        brokers = [node.broker for node in self.nodes.values()]
        return all(
            broker is not None
            and broker.is_ready
            and all(
                len(assignment.isr) == len(assignment.replicas)
                for topic in broker.catalogue.topics.values()
                for assignment in topic.partitions.values()
            )
            for broker in brokers
        )

    def mend(self) -> None:
        """End all trouble: everybody is up, awake, fast, and hears everybody."""
        self.network.calm()
        self.network.heal()
        for node in self.nodes.values():
            node.flush_ms = 0
            node.resume()
            if not node.is_up:
                node.start()

    def run(self, duration_ms: int) -> None:
        """Let this much time pass."""
        self.schedule.run_until(self.now_ms + duration_ms)
