"""librdkafka's mock cluster: three brokers inside a client of the package confluent-kafka.

The cluster lives as long as its client does, so this module is also the program that keeps one
alive, in a process of its own: `python -m conformance.targets.librdkafka_mock FILE` writes the
addresses of the brokers to FILE and then waits to be ended. Some inputs abort that process.
"""

import importlib
import signal
import sys
import time
from pathlib import Path

from conformance.broker import TargetError
from conformance.client import Address
from conformance.targets.target import START_TIMEOUT_S, Profile, Started

PACKAGE = "confluent-kafka"
BROKERS = 3
POLL_INTERVAL_S = 0.02


class LibrdkafkaMock(Started):
    """The mock cluster; its ports are its own choice."""

    def __init__(self) -> None:
        super().__init__()
        try:
            package = importlib.import_module("confluent_kafka")
        except ImportError:
            raise TargetError(
                f"librdkafka-mock needs the package {PACKAGE}: pip install {PACKAGE}"
            ) from None
        self.profile = Profile(
            name="librdkafka-mock",
            version=package.libversion()[0],
            not_applicable={
                "STOR": "the mock keeps a bounded window of each log in memory",
                "RETN": "the mock keeps a bounded window of each log in memory",
                "COMP": "the mock does not compact",
            },
            newest_usable={"JoinGroup": 5, "LeaveGroup": 2, "SyncGroup": 3},
        )
        self._addresses: list[Address] = []

    def command(self, port: int, folder: Path) -> list[str]:
        del port
        return [sys.executable, "-m", __name__, str(self._file(folder))]

    @property
    def address(self) -> Address:
        return self._addresses[0] if self._addresses else ("127.0.0.1", 0)

    def _run(self) -> None:
        file = self._file(self.process.folder)
        file.unlink(missing_ok=True)
        self.process.start()
        until = time.monotonic() + START_TIMEOUT_S
        while not file.exists():
            if not self.process.running or time.monotonic() > until:
                self.process.fail("gave no address")
            time.sleep(POLL_INTERVAL_S)
        pairs = (line.rpartition(":") for line in file.read_text().split())
        self._addresses = [(host, int(port)) for host, _, port in pairs]
        super()._await()

    def _file(self, folder: Path) -> Path:
        return folder / "addresses"


def main(path: str) -> None:
    """Keep a mock cluster alive until this process is ended."""
    admin = importlib.import_module("confluent_kafka.admin")
    client = admin.AdminClient({"test.mock.num.brokers": BROKERS})
    brokers = client.list_topics(timeout=START_TIMEOUT_S).brokers
    lines = [f"{brokers[id_].host}:{brokers[id_].port}\n" for id_ in sorted(brokers)]
    draft = Path(path + ".draft")
    draft.write_text("".join(lines))
    draft.rename(path)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
