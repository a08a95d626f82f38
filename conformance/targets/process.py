"""A broker as a child process: in a group of its own, polled until it answers, always stopped.

It knows how to run any command that listens on a port of the loopback; which command that is, is
the business of the targets.
"""

import contextlib
import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from conformance.broker import TargetError
from conformance.client import Address
from conformance.probe import Cluster, Unreachable, probe

POLL_INTERVAL_S = 0.05
PROBE_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 20.0
LINES_OF_LOG = 5
START_TRIES = 3
FREE_PORTS = 15_000, 32_000


class Process:
    """A child process and its log file. Start it again as often as you like."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.command: list[str] = []
        self.folder = Path(tempfile.mkdtemp(prefix="brokerspec-"))
        self._failed = False
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "broker.log"

    def start(self) -> None:
        """Start it. Raises TargetError if there is no such program."""
        for tries_left in reversed(range(START_TRIES)):
            try:
                self._child = self._spawn()
                return
            except OSError as error:
                # "Bad address" was seen when several threads start processes at once, and never
                # twice in a row; every other error means what it says.
                if error.errno == errno.EFAULT and tries_left:
                    continue
                reason = f"{self.command[0]} cannot be started: {error.strerror}."
                raise TargetError(reason) from None

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_answer(self, address: Address, timeout: float) -> Cluster:
        """Poll until it answers ApiVersions and lists itself in Metadata. Raises TargetError."""
        return self.await_brokers(address, 1, timeout)

    def await_brokers(self, address: Address, count: int, timeout: float) -> Cluster:
        """Poll until it answers and lists so many brokers, or more. Raises TargetError."""
        until = time.monotonic() + timeout
        while True:
            try:
                cluster = probe(address, PROBE_TIMEOUT_S)
                if cluster.brokers >= count:
                    return cluster
                reason = f"it lists {cluster.brokers} brokers in Metadata, and not {count}."
            except Unreachable as error:
                reason = str(error)
            if not self.running:
                self.fail("ended before it answered")
            if time.monotonic() > until:
                self.fail(f"did not answer within {timeout:g} s: {reason}")
            time.sleep(POLL_INTERVAL_S)

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def process_id(self) -> int:
        """The id of the child, which is that of its group too. Raises TargetError if none runs."""
        if self._child is None:
            raise TargetError(f"{self.what} is not running")
        return self._child.pid

    def stop(self, *, kill: bool = False) -> None:
        """End the whole process group: politely first, or at once with `kill`."""
        child, self._child = self._child, None
        if child is None:
            return
        if not kill:
            signal_group(child.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_TIMEOUT_S)
        signal_group(child.pid, signal.SIGKILL)
        child.wait()

    def pause(self) -> None:
        """Let it stand still, with all its connections open, until `resume`."""
        signal_group(self.process_id, signal.SIGSTOP)

    def resume(self) -> None:
        signal_group(self.process_id, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it for good, and remove its folder unless its log was promised to somebody."""
        self.stop(kill=True)
        if not self._failed:
            shutil.rmtree(self.folder, ignore_errors=True)

    def fail(self, how: str) -> NoReturn:
        """Stop, and raise TargetError with the end of the log and the place of the whole."""
        self.stop(kill=True)
        self._failed = True
        lines = self.log.read_text(errors="replace").strip().splitlines()[-LINES_OF_LOG:]
        end = "".join(f"\n  {line}" for line in lines)
        raise TargetError(f"{self.what} {how}; its log is {self.log}{end}")


def signal_group(process_id: int, number: int) -> None:
    """Signal a process group, which may have gone already."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, number)


def free_port() -> int:
    """A port of the loopback on which nobody listens now.

    It is below those that systems give to outgoing connections: one of these could take it before
    it is listened on, or while a broker that has it is away.
    """
    while True:
        port = random.randrange(*FREE_PORTS)
        with socket.socket() as probe_socket, contextlib.suppress(OSError):
            probe_socket.bind(("127.0.0.1", port))
            return port
