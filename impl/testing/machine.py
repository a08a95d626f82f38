"""One broker of the double: it comes and goes, and its ports, its disk and its thread stay.

Decides nothing about the cluster. What is done to a broker here is what an operator, or a power
cut, does to a process.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from enum import Enum
from threading import Event
from typing import Protocol, TypeVar

from impl.core.broker import Broker
from impl.core.storage import Storage
from impl.shell.node import Node, Sockets
from impl.testing.clock import BEAT_S, Clock
from impl.testing.disk import Disk
from impl.testing.loop_thread import LoopThread

HOST = "127.0.0.1"
LONGEST_S = 30.0
"""How long a broker may take to come up, or to leave."""

_Result = TypeVar("_Result")

_log = logging.getLogger("brokerspec.testing")


class ClusterError(Exception):
    """What was asked of a cluster cannot be, or did not come about; the message is a sentence."""


class State(Enum):
    UP = "up"
    PAUSED = "paused"
    DOWN = "down"


class MakeNode(Protocol):
    def __call__(self, storage: Storage, sockets: Sockets, clock: Clock) -> Node: ...


class Machine:
    """It is down until `start`. Not to be used by several threads at once."""

    def __init__(self, node_id: int, make_node: MakeNode, disk: Disk, sockets: Sockets) -> None:
        """The sockets are bound, and nobody listens on them."""
        self.node_id = node_id
        self.state = State.DOWN
        self.disk = disk
        self.port = _port(sockets.clients)
        self._controller_port = None if sockets.controller is None else _port(sockets.controller)
        self._make_node = make_node
        self._sockets = sockets
        self._node: Node | None = None
        self._clock = Clock(self._stalled)
        self._thread = LoopThread(f"kafka-broker-{node_id}")
        self._stands = Event()
        self._goes_on = Event()
        self._dies = False

    @property
    def has_failed(self) -> bool:
        """Whether the broker ended by itself, which it never should."""
        return self._node is not None and self._node.failed.is_set()

    # Coming

    def start(self) -> None:
        """Begin to come up. Raises what makes a broker impossible."""
        try:
            self._thread.run(self._start())
        except BaseException:
            self.disk.close()
            raise
        self.state = State.UP

    async def _start(self) -> None:
        self._clock.resume()
        node = self._make_node(self.disk.open(), self._sockets, self._clock)
        self._node = node
        await node.start()
        self._beat(node)

    def _beat(self, node: Node) -> None:
        if node is self._node:
            self._clock()
            asyncio.get_running_loop().call_later(BEAT_S, self._beat, node)

    def wait_until_ready(self) -> None:
        """Wait until the cluster counts this broker as alive. Raises ClusterError."""
        assert self._node is not None
        self._thread.run(self._first(self._node.ready))
        if not self._node.ready.is_set():
            raise ClusterError(f"broker {self.node_id} did not become ready.")

    async def _first(self, event: asyncio.Event) -> None:
        """Wait for what is expected, or for what is feared."""
        assert self._node is not None
        waits = [asyncio.ensure_future(each.wait()) for each in (event, self._node.failed)]
        await asyncio.wait(waits, timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    # Going

    def kill(self) -> None:
        """The process dies; the operating system writes what it was given."""
        if self.state is State.PAUSED:
            self._dies = True
            self._goes_on.set()
        self._thread.call(self._die)
        self._gone()

    def _die(self) -> None:
        if self._node is not None:
            self._node.kill()
            self._node = None

    def leave(self) -> None:
        """Stop in order: others take over first, as far as there are any."""
        self._thread.run(self._leave())
        self._gone()

    async def _leave(self) -> None:
        assert self._node is not None
        self._node.begin_shutdown()
        await self._first(self._node.may_stop)
        node, self._node = self._node, None
        await node.stop()

    def _gone(self) -> None:
        """Nobody listens on the ports any more; they are kept for the next life."""
        self.disk.close()
        self.state = State.DOWN
        controller = None if self._controller_port is None else bind(self._controller_port)
        self._sockets = Sockets(bind(self.port), controller)

    def close(self) -> None:
        """End it and its thread."""
        if self.state is not State.DOWN:
            self.kill()
        self._sockets.close()
        self._thread.close()

    # Standing still

    def pause(self) -> None:
        """Stand still, as a process that is stopped: what reaches it waits in its sockets."""
        self._stands.clear()
        self._goes_on.clear()
        self._thread.post(self._stand_still)
        self._stands.wait()
        self.state = State.PAUSED

    def _stand_still(self) -> None:
        self._stands.set()
        self._goes_on.wait()
        self._clock.resume()
        if self._dies:  # before it does anything else
            self._dies = False
            self._die()

    def resume(self) -> None:
        self._goes_on.set()
        self.state = State.UP

    # What others want of it

    def look(self, step: Callable[[Broker], _Result]) -> _Result:
        """What the broker says to somebody in its thread; it has to be up."""
        node = self._node
        assert node is not None
        return self._thread.call(lambda: step(node.core))

    def set_clock_forward(self, duration_ms: int) -> None:
        """One that is paused sees it when it goes on."""
        post = self._thread.post if self.state is State.PAUSED else self._thread.call
        post(lambda: self._set_clock_forward(duration_ms))

    def _set_clock_forward(self, duration_ms: int) -> None:
        self._clock.set_forward(duration_ms)
        if self._node is not None:
            self._node.clock_skipped(duration_ms)

    def _stalled(self, duration_ms: int) -> None:
        _log.info("broker %d stood still for %d ms", self.node_id, duration_ms)
        if self._node is not None:
            self._node.core.skip(duration_ms)

    def post(self, step: Callable[[], object]) -> None:
        """Let it be called in the broker's thread."""
        self._thread.post(step)

    def reconnect(self) -> None:
        """Give up the connections to other brokers."""
        if self._node is not None:
            self._thread.post(self._node.reconnect)


def bind(port: int) -> socket.socket:
    """A port that is taken, on which nobody listens yet; 0 takes a free one."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _port(bound: socket.socket) -> int:
    port: int = bound.getsockname()[1]
    return port
