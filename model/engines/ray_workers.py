"""Workers that are processes of Ray: on this machine, or wherever a cluster has processors.

States go from worker to worker; this process sees counts, and a state only when it asks for it.
The only module that knows Ray, which is an extra and may not be installed.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from model.engines.kernels import Kernel, Problem, Snapshot
from model.engines.kernels.part import Account, Order, Parcel, Part
from model.engines.kernels.spread import Held, Parts, Spread
from model.engines.runs.simulate import Tally, tally
from model.lang.containers import Record
from model.lang.machine import Machine
from model.lang.parts import Scope
from model.lang.places import ModelError

# Parts of a simulation for each worker: the more, the less do some wait for others at the end.
PARTS_OF_RUNS = 8
SECONDS_TO_ANSWER = 5
# A Ray of our own: nothing is sent to its makers, and only this machine can reach it.
ALONE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Host:
    """The parts that one worker has, by the number of their exploration."""

    def __init__(self) -> None:
        self._parts: dict[int, Part] = {}

    def learn(self, name: str, file: str, source: str) -> None:
        """Have a module that cannot be imported here."""
        module = sys.modules[name] = ModuleType(name)
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)

    def begin(
        self, number: int, problem: Problem, worker: int, workers: int, known: Parcel
    ) -> Held:
        """A part of a new exploration; what it holds."""
        part = self._parts[number] = Part(problem, worker, workers, known)
        return part.held

    def expand(self, number: int, order: Order) -> tuple[Account | Parcel, ...]:
        """What was seen, and one parcel for each worker."""
        account, parcels = self._parts[number].expand(order)
        return account, *parcels

    def receive(self, number: int, *parcels: Parcel) -> Held:
        """Take in what all workers sent."""
        return self._parts[number].receive(*parcels)

    def state(self, number: int, index: int) -> int:
        """A state, packed."""
        return self._parts[number].state(index)

    def parent(self, number: int, index: int) -> tuple[int, int]:
        """Worker and index of the state from which one was first reached."""
        return self._parts[number].parent(index)

    def whole(self, number: int) -> Parcel:
        """All that a part has."""
        return self._parts[number].whole()

    def forget(self, number: int) -> None:
        """Give the memory of a part back."""
        del self._parts[number]

    def tally(
        self, machine: Machine[Any], scope: Scope, numbers: range, longest: int, seed: int
    ) -> Tally:
        """Make the runs of these numbers."""
        return tally(machine, scope, numbers, longest, seed)


class RayWorkers:
    """`Workers` that are actors of Ray, one for each processor."""

    def __init__(self, ray: Any, count: int) -> None:
        self.count = count
        self.ray = ray
        host = ray.remote(Host).options(num_cpus=1)
        self.hosts = [host.remote() for _ in range(count)]
        self._begun = 0

    def begin(self, problem: Problem, known: Sequence[Parcel]) -> Parts:
        """Parts that know these states."""
        self._begun += 1
        self._carry(problem.layout.state)
        return _RayParts(self, self._begun, problem, known)

    def kernel(self, problem: Problem, known: Snapshot | None) -> Kernel:
        """A kernel whose states these workers hold."""
        return Spread(self, problem, known)

    def tallies(
        self, machine: Machine[Any], scope: Scope, longest: int, seed: int
    ) -> Callable[[range], Iterator[Tally]]:
        """What has these workers make the runs of a range."""
        self._carry(machine.state)
        sent = self.ray.put(machine)

        def spread(numbers: range) -> Iterator[Tally]:
            size = max(1, -(-len(numbers) // (PARTS_OF_RUNS * self.count)))
            parts = [numbers[at : at + size] for at in range(0, len(numbers), size)]
            pool = self.ray.util.ActorPool(self.hosts)
            return iter(
                pool.map_unordered(
                    lambda host, part: host.tally.remote(sent, scope, part, longest, seed), parts
                )
            )

        return spread

    def _carry(self, state: type[Record]) -> None:
        """Send the module of a machine along where workers cannot import it: that of a file."""
        module = sys.modules[state.__module__]
        file, name = module.__file__, module.__name__
        found = module.__spec__ if "." in name else PathFinder.find_spec(name)
        if file is not None and (found is None or found.origin != file):
            source = Path(file).read_text(encoding="utf-8")
            self.ray.get([host.learn.remote(name, file, source) for host in self.hosts])


class _RayParts:
    """`Parts` of one exploration, held by the actors."""

    def __init__(
        self, workers: RayWorkers, number: int, problem: Problem, known: Sequence[Parcel]
    ) -> None:
        self._get, self._hosts, self._number = workers.ray.get, workers.hosts, number
        sent = workers.ray.put(problem)
        self._held: list[Held] = self._get(
            [
                host.begin.remote(number, sent, worker, workers.count, part)
                for worker, (host, part) in enumerate(zip(self._hosts, known, strict=True))
            ]
        )

    def held(self) -> list[Held]:
        """How many states each part has at first, and the bytes that they take."""
        return self._held

    def turn(self, orders: Sequence[Order]) -> list[tuple[Account, Held]]:
        """Have each part expand, and then take in what all of them sent to it."""
        # Only names of the parcels come here: Ray brings each to its owner when it is there.
        results = 1 + len(self._hosts)
        done = [
            host.expand.options(num_returns=results).remote(self._number, order)
            for host, order in zip(self._hosts, orders, strict=True)
        ]
        accounts, *sent = zip(*done, strict=True)
        held = [
            host.receive.remote(self._number, *parcels)
            for host, parcels in zip(self._hosts, sent, strict=True)
        ]
        return list(zip(self._get(list(accounts)), self._get(held), strict=True))

    def state(self, worker: int, index: int) -> int:
        """A state, packed."""
        return int(self._get(self._hosts[worker].state.remote(self._number, index)))

    def parent(self, worker: int, index: int) -> tuple[int, int]:
        """Worker and index of the state from which one was first reached."""
        place: tuple[int, int] = self._get(self._hosts[worker].parent.remote(self._number, index))
        return place

    def wholes(self) -> list[Parcel]:
        """All that the parts have."""
        return list(self._get([host.whole.remote(self._number) for host in self._hosts]))

    def close(self) -> None:
        """Have the actors forget the parts."""
        self._get([host.forget.remote(self._number) for host in self._hosts])


@contextmanager
def ray_workers(address: str = "", count: int | None = None) -> Iterator[RayWorkers]:
    """Workers of the cluster at an address (`HOST:PORT`, `ray://HOST:PORT`, or `auto` for one on
    this machine); without an address of a Ray that is started here, and ended after use.

    `count` is how many, by default one for each processor that is free. ModelError where Ray is
    not installed, where the cluster cannot be joined, and where a worker is lost.
    """
    with ExitStack() as stack:
        folder = ""
        if address:
            _require_answer(address)
        else:
            stack.enter_context(_environment(ALONE))
            # Paths of sockets must be short, and those of other temporary folders may not be.
            short = "/tmp" if Path("/tmp").is_dir() else None
            folder = stack.enter_context(tempfile.TemporaryDirectory("", "ray-", short))
        ray = _ray()
        stack.callback(ray.shutdown)
        try:
            if address:
                ray.init(address, log_to_driver=False, logging_level="ERROR")
            else:
                ray.init(
                    "local", num_cpus=count or os.cpu_count(), include_dashboard=False,
                    _temp_dir=folder, log_to_driver=False, logging_level="ERROR",
                )  # fmt: skip
            free = int(ray.available_resources().get("CPU", 0))
        except (ConnectionError, ImportError, RuntimeError, ValueError) as error:
            raise ModelError(f"Ray at {address or 'this machine'}: {error}") from None
        if not free:
            raise ModelError(f"Ray at {address} has no processor that is free")
        try:
            yield RayWorkers(ray, count or free)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            raise ModelError(f"a worker of Ray was lost: {error}") from error


def _require_answer(address: str) -> None:
    """Ray itself would try for minutes to reach an address where nobody is."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not host or not port.isdecimal():
        raise ModelError(f"--ray {address}: give HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ModelError(f"nobody answers at {address}: {error}") from None


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ModelError(
            "--ray needs the extra: python3 -m pip install 'brokerspec[ray]'"
        ) from None
    return ray


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
