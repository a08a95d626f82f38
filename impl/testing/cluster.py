"""The cluster that a test has in its hands.

Decides what a test may ask for in which state, and says in a sentence what it may not. How a
broker stops, is struck or is cut off is decided by the modules around.
"""

from __future__ import annotations

import asyncio
import atexit
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self

from impl.api.served import BROKER, versions_on
from impl.testing.assembly import Assembly, text_of
from impl.testing.faults import Fault
from impl.testing.journal import Asked
from impl.testing.machine import HOST, ClusterError, Machine, State
from impl.testing.network import CLIENTS, Party
from impl.testing.topics import PATIENCE_S, Topics, wait_until
from spec.wire.errors import ErrorCode


class Cluster:
    """Kafka brokers 1, 2, ... in this process, up and ready as soon as it is made.

    Use it in a `with` or `async with` statement, or call `close`; at the end of the process it
    closes itself. Every method may be called from any thread. All return within moments, apart
    from those that wait for something to come about (`start`, `stop`, `create_topic`, `elect`,
    `wait_until`): in a coroutine, call these by `asyncio.to_thread`.

    `properties` are those of Apache Kafka's server.properties, for all brokers;
    `broker_properties` those of single ones by their id. Some defaults are shorter than Kafka's
    so that tests need not wait: `impl.testing.defaults` lists them. Disks are in memory, unless
    there is a `folder`, which then has Kafka's files. With a `port`, the brokers listen on it and
    those after it.

    Raises ClusterError, as do all its methods.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        properties: Mapping[str, object] | None = None,
        broker_properties: Mapping[int, Mapping[str, object]] | None = None,
        folder: Path | str | None = None,
        port: int = 0,
    ) -> None:
        self._lock = RLock()
        self._assembly = Assembly(
            brokers,
            properties or {},
            broker_properties or {},
            None if folder is None else Path(folder),
            port,
        )
        self._machines = self._assembly.machines
        self._topics = Topics(self._assembly)
        self._is_closed = False
        atexit.register(self.close)
        try:
            self.start(*self._machines)
            self.wait_until(self._topics.know_each_other)
        except BaseException:
            self.close()
            raise

    # Beginning and end

    def close(self) -> None:
        """End all brokers. May be called again."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                atexit.unregister(self.close)
                for machine in self._machines.values():
                    machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    # What there is

    @property
    def bootstrap_servers(self) -> str:
        """What clients are given: the addresses of all brokers, up or not."""
        return ",".join(map(self.address, self._machines))

    def address(self, broker: int) -> str:
        """Where clients reach one broker, as host:port."""
        return f"{HOST}:{self._machine(broker).port}"

    @property
    def brokers(self) -> dict[int, str]:
        """Each broker with what it is: "up", "paused" or "down"."""
        return {node_id: each.state.value for node_id, each in self._machines.items()}

    @property
    def controller(self) -> int | None:
        """The broker that most take for the active controller, if it does so itself."""
        with self._lock:
            return self._topics.controller()

    def leader(self, topic: str, partition: int = 0) -> int | None:
        """The broker that leads a partition, or None while nobody does."""
        with self._lock:
            leader = self._topics.assignment(topic, partition).leader
        return None if leader < 0 else leader

    def in_sync_replicas(self, topic: str, partition: int = 0) -> set[int]:
        with self._lock:
            return set(self._topics.assignment(topic, partition).isr)

    @property
    def requests(self) -> list[Asked]:
        """What clients asked of the brokers so far, the latest ten thousand at the most."""
        return self._assembly.journal.all()

    # Brokers come and go

    def start(self, *brokers: int) -> None:
        """Let brokers that are down come up, all of them without arguments.

        Waits until the cluster counts them as alive, if a majority of the brokers is up.
        """
        with self._lock:
            down = [n for n, machine in self._machines.items() if machine.state is State.DOWN]
            starting = self._chosen(brokers or tuple(down), State.DOWN)
            for machine in starting:
                machine.start()
            if 2 * len(self._topics.up()) > len(self._machines):
                for machine in starting:
                    machine.wait_until_ready()

    def stop(self, *brokers: int) -> None:
        """Let brokers leave in order: others take over what they lead, as far as they can."""
        with self._lock:
            for machine in self._chosen(brokers, State.UP):
                machine.leave()

    def kill(self, *brokers: int) -> None:
        """Let brokers die as by `kill -9`: what they wrote is on their disks."""
        with self._lock:
            for machine in self._chosen(brokers, State.UP, State.PAUSED):
                machine.kill()

    def lose_power(self, *brokers: int) -> None:
        """Let brokers die, and their disks forget all that was not flushed.

        As Kafka's do, brokers hardly ever flush records: they rely on other replicas.
        """
        with self._lock:
            chosen = self._chosen(brokers, State.UP, State.PAUSED)
            if not all(machine.disk.can_lose_power for machine in chosen):
                raise ClusterError("a disk in a folder cannot lose power; one in memory can.")
            for machine in chosen:
                machine.kill()
                machine.disk.lose_power()

    def pause(self, *brokers: int) -> None:
        """Let brokers stand still as by SIGSTOP: they keep their connections and do not answer."""
        with self._lock:
            for machine in self._chosen(brokers, State.UP):
                machine.pause()

    def resume(self, *brokers: int) -> None:
        """Let brokers that are paused go on."""
        with self._lock:
            for machine in self._chosen(brokers, State.PAUSED):
                machine.resume()

    # The network and the time

    def partition(self, *groups: Collection[Party]) -> None:
        """Let nothing pass between the groups, in place of a partition that there was before.

        A group is a set of brokers, and may have `CLIENTS` in it:
        `partition({1, CLIENTS}, {2, 3})`. Nobody is told: who asks somebody in another group waits
        in vain. Who is in no group reaches all.
        """
        named = Counter(party for group in groups for party in group)
        for party, count in named.items():
            if party != CLIENTS:
                self._machine(party)
            if count > 1:
                raise ClusterError(f"{party} cannot be in two groups of a partition.")
        if len(groups) < 2:
            raise ClusterError("a partition has at least two groups.")
        with self._lock:
            self._assembly.network.partition(groups)

    def heal(self) -> None:
        """Let all reach all again; connections on which somebody waited in vain are closed."""
        with self._lock:
            self._assembly.network.heal()
            for node_id, machine in self._machines.items():
                machine.reconnect()
                machine.post(self._assembly.taps[node_id].give_up_unheard)

    def move_time(self, milliseconds: int) -> None:
        """Set the clock of all brokers forward, for good.

        What rests on it happens now: sessions of consumers and transactions time out, retention
        deletes. The brokers do not take each other for dead because of it.
        """
        if milliseconds < 0:
            raise ClusterError("time does not run backwards.")
        with self._lock:
            for machine in self._machines.values():
                machine.set_clock_forward(milliseconds)

    # Faults

    def fail(
        self,
        api: str,
        *,
        error: ErrorCode,
        nth: int = 1,
        times: int | None = 1,
        broker: int | None = None,
        where: Callable[[Asked], bool] | None = None,
        carried_out: bool = False,
    ) -> Fault:
        """Answer requests of clients with an error, in place of carrying them out or after that.

        Counted from now on, the `nth` request of an API is struck and those that follow, `times`
        in all (None: without end). Only requests to this `broker` count, and for which `where` is
        true. A request whose answer has no room for an error, such as a Fetch that names no
        partition in a version that has no other place, does not count; a Produce that wants no
        answer gets its connection closed.
        """
        return self._order(Fault(api, nth, times, broker, where, carried_out, error=error))

    def delay(
        self,
        api: str,
        *,
        milliseconds: int,
        nth: int = 1,
        times: int | None = 1,
        broker: int | None = None,
        where: Callable[[Asked], bool] | None = None,
        carried_out: bool = False,
    ) -> Fault:
        """Keep requests waiting before they are carried out, or their answers after that.

        Which ones is said as in `fail`.
        """
        if milliseconds < 1:
            raise ClusterError("a delay takes at least a millisecond.")
        return self._order(
            Fault(api, nth, times, broker, where, carried_out, delay_ms=milliseconds)
        )

    def drop(
        self,
        api: str,
        *,
        nth: int = 1,
        times: int | None = 1,
        broker: int | None = None,
        where: Callable[[Asked], bool] | None = None,
        carried_out: bool = False,
    ) -> Fault:
        """Close the connection in place of an answer, before the request is carried out or after.

        Which ones is said as in `fail`.
        """
        return self._order(Fault(api, nth, times, broker, where, carried_out))

    def cancel_faults(self) -> None:
        """Let no fault strike any more."""
        self._assembly.faults.cancel_all()

    def _order(self, fault: Fault) -> Fault:
        known = versions_on(BROKER)
        if fault.api not in known:
            near = get_close_matches(fault.api, known, 1)
            meant = f"; {near[0]} is one" if near else ""
            raise ClusterError(f"the brokers serve no API named {fault.api}{meant}.")
        if fault.broker is not None:
            self._machine(fault.broker)
        if fault.nth < 1 or (fault.times is not None and fault.times < 1):
            raise ClusterError("nth and times are counted from one.")
        self._assembly.faults.add(fault)
        return fault

    # Topics

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        **configs: object,
    ) -> None:
        """Create a topic, and wait until the brokers know it and who leads its partitions.

        Without a replication factor it has `default.replication.factor`, three at the most.
        `configs` are its options, with underscores for dots: `retention_ms=1000`.
        """
        options = {option.replace("_", "."): text_of(value) for option, value in configs.items()}
        with self._lock:
            self._topics.create(name, partitions, replication_factor or -1, options)

    def elect(
        self, topic: str, partition: int = 0, *, leader: int | None = None, unclean: bool = False
    ) -> None:
        """Hold an election, and wait until it is over.

        The `leader`, an in-sync replica, becomes the preferred replica as well; without one, that
        one is elected that is preferred now. With `unclean`, and only where nobody leads, any
        replica that is up is elected, and what it has not is lost.
        """
        with self._lock:
            if leader is not None:
                self._machine(leader)
                self._topics.prefer(topic, partition, leader)
            self._topics.elect(topic, partition, unclean=unclean)

    # Waiting

    def wait_until(
        self, condition: Callable[[], object], timeout_seconds: float = PATIENCE_S
    ) -> None:
        """Wait until the condition is true, which is tried again and again."""
        try:
            wait_until(condition, timeout_seconds)
        except TimeoutError:
            states = ", ".join(f"broker {n} is {state}" for n, state in self.brokers.items())
            raise ClusterError(
                f"what was waited for did not come about in {timeout_seconds:g} seconds; {states}."
            ) from None

    # Who is meant

    def _machine(self, broker: object) -> Machine:
        for node_id, machine in self._machines.items():
            if node_id == broker:
                return machine
        known = ", ".join(map(str, self._machines))
        raise ClusterError(f"there is no broker {broker}; there are {known}.")

    def _chosen(self, brokers: Collection[int], *states: State) -> list[Machine]:
        """Those that are meant, which all have to be in one of the states."""
        if self._is_closed:
            raise ClusterError("the cluster is closed.")
        chosen = [self._machine(broker) for broker in brokers]
        for machine in chosen:
            if machine.state not in states:
                raise ClusterError(f"broker {machine.node_id} is {machine.state.value}.")
        return chosen
