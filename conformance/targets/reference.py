"""The reference broker, started by its command line and Kafka's properties like any other."""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from conformance.targets.nodes import CLUSTER_ID, NODES_CAN, Nodes
from conformance.targets.target import Profile

FAST = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "200",
}
"""The suite forms its groups step by step; waiting for further members would only cost time, and
so would members that nobody may miss for six seconds, and fifty partitions for its few groups."""


class Reference(Nodes):
    """`brokerspec broker`. Must pass everything."""

    module = "brokerspec"
    arguments: tuple[str, ...] = ("broker",)
    program_settings = FAST

    def __init__(self, settings: Mapping[str, str] | None = None, count: int = 1) -> None:
        super().__init__(settings, count)
        self.profile = Profile(
            name="reference", version=version("brokerspec"), capabilities=NODES_CAN
        )

    def node_command(self, properties: Path) -> list[str]:
        command = [sys.executable, "-m", self.module, *self.arguments]
        return [*command, "--cluster-id", CLUSTER_ID, "--config", str(properties)]
