"""Apache Kafka's own clients, as its performance tools use them: `kafka-producer-perf-test` and
`kafka-consumer-perf-test`.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.impl.kafka_tools import command
from tests.impl.real_clients.cluster import PATIENCE_S
from tests.impl.real_clients.scenarios import READERS, SOURCE

WINDOW = re.compile(r"(\d+) records sent, ")
CONSUMED = 4
"""The column of the number of records."""


class Tool:
    """One that runs; `lines` are what it has printed, its complaints among them."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._running = running
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._running.stdout is not None
        self.lines.extend(iter(self._running.stdout.readline, ""))

    @property
    def is_running(self) -> bool:
        return self._running.poll() is None

    def result(self) -> str:
        """Its last line."""
        status = self._running.wait(PATIENCE_S)
        self._listener.join(PATIENCE_S)
        assert status == 0, "".join(self.lines)
        return self.lines[-1]

    def sent(self) -> int:
        """How many records a producer says that it has written so far."""
        found = [WINDOW.match(line) for line in list(self.lines)]
        return sum(int(each[1]) for each in found if each is not None)

    def consumed(self) -> int:
        """How many records a consumer says that it has read, in the end."""
        return int(self.result().split(", ")[CONSUMED])


@contextmanager
def started(tool: str, address: str, *arguments: str) -> Iterator[Tool]:
    given = ("--bootstrap-server", address, "--topic", SOURCE, *arguments)
    running = subprocess.Popen(
        command(tool, *given), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield Tool(running)
    finally:
        running.kill()
        running.wait(PATIENCE_S)


def producing(
    address: str, count: int, a_second: int, *arguments: str
) -> AbstractContextManager[Tool]:
    """Writes the numbers from 0 on, to any partitions."""
    numbers = ("--payload-monotonic", "--num-records", str(count))
    pace = ("--throughput", str(a_second), "--reporting-interval", "100")
    return started("ProducerPerformance", address, *numbers, *pace, *arguments)


def consuming(address: str, count: int, protocol: str) -> AbstractContextManager[Tool]:
    """A group of one that reads so many records, and then ends."""
    options = ("--group", READERS, "--command-property", f"group.protocol={protocol}")
    patience = ("--timeout", str(int(PATIENCE_S * 1_000)), "--hide-header")
    return started(
        "ConsumerPerformance", address, "--num-records", str(count), *patience, *options
    )
