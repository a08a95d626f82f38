"""What the suite knows of a broker that it tests: its profile, how to reach it, how to restart it.

Targets that the suite starts itself are `Started`; a broker that was running before is `Running`.
Which brokers there are stands in `catalogue.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.broker import TargetError
from conformance.client import Address, Versions
from conformance.probe import Cluster, Unreachable, probe
from conformance.targets.process import Process, free_port

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Profile:
    """What is known of a broker before it is asked.

    `capabilities`: which of `conformance.check.NEEDS` the suite can provide with it.
    `not_applicable`: prefixes of checks that do not concern it, each with the reason.
    `newest_usable`: by API, the version that checks use unless they say which, where the broker
    advertises newer ones that it does not serve; that is a violation, but of one clause only.
    """

    name: str
    version: str
    capabilities: frozenset[str] = frozenset()
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    newest_usable: Mapping[str, int] = field(default_factory=dict)


class Target(ABC):
    """A broker under test. `start` before anything else, `stop` in every case."""

    profile: Profile

    def __init__(self) -> None:
        self._cluster = Cluster({}, 0)

    @property
    @abstractmethod
    def address(self) -> Address: ...

    @property
    def versions(self) -> Versions:
        """The versions of each API that both sides know."""
        return self._cluster.versions

    @property
    def newest_usable(self) -> Mapping[str, int]:
        return self.profile.newest_usable

    @property
    def size(self) -> int:
        """How many brokers there turned out to be."""
        return self._cluster.brokers

    @property
    def capabilities(self) -> frozenset[str]:
        """What the profile provides, and whether there turned out to be several brokers."""
        several = frozenset({"cluster"}) if self.size > 1 else frozenset()
        return self.profile.capabilities | several

    @property
    def selector(self) -> list[str]:
        """The arguments of `brokerspec conform` that choose this target."""
        return ["--target", self.profile.name]

    @abstractmethod
    def start(self) -> None:
        """Start it, or find it, and wait until it answers. Raises TargetError."""

    @abstractmethod
    def stop(self) -> None:
        """Leave nothing behind that `start` made."""

    def restart(self) -> None:
        raise TargetError(f"{self.profile.name} cannot be restarted")

    def crash(self) -> None:
        raise TargetError(f"{self.profile.name} cannot be killed")

    def revive(self) -> None:
        """Bring back a broker that has died; its data may be lost."""
        raise TargetError(f"{self.profile.name} has died and was not started by the suite")

    def under(self, settings: Mapping[str, str], nodes: int = 1) -> "Target":
        """Others of this kind, not yet started: so many nodes, under these settings."""
        wanted = [f"{nodes} nodes"] if nodes > 1 else []
        raise TargetError(f"{self.profile.name} cannot have {', '.join([*wanted, *settings])}")

    # One node of several; `conformance.session.Broker` says what each call is for

    def kill(self, node_id: int) -> None:
        raise self._out_of_reach(node_id)

    def pause(self, node_id: int) -> None:
        raise self._out_of_reach(node_id)

    def resume(self, node_id: int) -> None:
        raise self._out_of_reach(node_id)

    def stop_node(self, node_id: int) -> None:
        raise self._out_of_reach(node_id)

    def start_node(self, node_id: int) -> None:
        raise self._out_of_reach(node_id)

    def heal(self) -> None:
        """Bring back the nodes to which something was done; here nothing can be."""
        return

    def controller(self, node_id: int) -> tuple[Address, Versions]:
        raise self._out_of_reach(node_id)

    def _out_of_reach(self, node_id: int) -> TargetError:
        return TargetError(f"node {node_id} of {self.profile.name} is out of reach")

    def answers(self) -> bool:
        """Whether it still answers."""
        try:
            probe(self.address, ANSWER_TIMEOUT_S)
        except Unreachable:
            return False
        return True


class Running(Target):
    """A broker that somebody else started."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address
        self.profile = Profile(f"{address[0]}:{address[1]}", "unknown")

    @property
    def address(self) -> Address:
        return self._address

    @property
    def selector(self) -> list[str]:
        return ["--bootstrap-server", self.profile.name]

    def start(self) -> None:
        try:
            self._cluster = probe(self._address, ANSWER_TIMEOUT_S)
        except Unreachable as error:
            raise TargetError(str(error)) from None

    def stop(self) -> None:
        """Leave the broker to whoever started it."""


class Started(Target):
    """A broker that the suite starts as a child process, with a data folder of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._port = 0
        self._process: Process | None = None

    @abstractmethod
    def command(self, port: int, folder: Path) -> list[str]:
        """The command that runs the broker on a port of 127.0.0.1, with its data below `folder`.

        Called once, when it is first started; may prepare the folder. Raises TargetError.
        """

    @property
    def address(self) -> Address:
        return "127.0.0.1", self._port

    @property
    def process(self) -> Process:
        if self._process is None:
            raise TargetError(f"{self.profile.name} is not started")
        return self._process

    def start(self) -> None:
        self._port = free_port()
        self._process = Process(self.profile.name)
        self.process.command = self.command(self._port, self._process.folder)
        self._run()

    def stop(self) -> None:
        if self._process is not None:
            self._process.remove()
            self._process = None

    def restart(self) -> None:
        self.process.stop()
        self._run()

    def crash(self) -> None:
        self.process.stop(kill=True)
        self._run()

    def revive(self) -> None:
        self.stop()
        self.start()

    def _run(self) -> None:
        self.process.start()
        self._await()

    def _await(self) -> None:
        self._cluster = self.process.await_answer(self.address, START_TIMEOUT_S)
