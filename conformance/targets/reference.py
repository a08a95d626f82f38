"""The reference broker, started by its command line like any other."""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from conformance.targets.target import Profile, Started


class Reference(Started):
    """`brokerspec broker`. Must pass everything."""

    module = "brokerspec"
    arguments = ("broker",)

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(settings)
        self.profile = Profile(
            name="reference",
            version=version("brokerspec"),
            capabilities=frozenset({"config", "kill", "restart"}),
        )

    def command(self, port: int, folder: Path) -> list[str]:
        command = [sys.executable, "-m", self.module, *self.arguments]
        command += ["--port", str(port), "--data", str(folder / "data")]
        for key, value in {**FAST, **self.settings}.items():
            command += ["--set", f"{key}={value}"]
        return command


FAST = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "offsets.topic.num.partitions": "4",
}
"""The suite forms its groups step by step; waiting for further members would only cost time, and
so would members that nobody may miss for six seconds, and fifty partitions for its few groups."""
