"""Processes of this program, and the one that watches them.

Each is a fork: what was imported is shared, so that all start as fast as one, and what was bound
is handed over. A pipe that nobody writes to ties them together: its end tells a child that the
parent is gone, however it went, so no child outlives it. Nothing is started anew when it ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from impl.shell.running import READY


@dataclass(frozen=True, slots=True)
class Task:
    """`run` gets the end of the pipe to watch and returns an exit status.

    `close` gives back what only this task needs; every other process calls it.
    """

    name: str
    run: Callable[[int], int]
    close: Callable[[], None]


@dataclass(slots=True)
class _Child:
    name: str
    process_id: int
    output: int
    ready_on: str | None = None
    status: int | None = None


def run_together(tasks: Sequence[Task], on_ready: Callable[[list[str]], None]) -> int:
    """Run until told to end, or until all have ended; 0 if they ended well and because of that.

    `on_ready` gets the addresses of those that live once all of these are ready.
    """
    watched, held = os.pipe()
    gc.freeze()  # what the children share is not to be written to by their collectors
    children = [_fork(task, tasks, watched, held) for task in tasks]
    os.close(watched)
    for task in tasks:
        task.close()
    return asyncio.run(_Watch(children, held, on_ready).run())


def _fork(task: Task, tasks: Sequence[Task], watched: int, held: int) -> _Child:
    output, written = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    process_id = os.fork()
    if process_id:
        os.close(written)
        return _Child(task.name, process_id, output)
    status = 1
    try:
        # A Ctrl-C is for the parent alone, which tells the children.
        os.setpgid(0, 0)
        os.close(held)
        os.close(output)
        os.dup2(written, 1)
        os.close(written)
        for other in tasks:
            if other is not task:
                other.close()
        status = task.run(watched)
        sys.stdout.flush()
    finally:
        sys.stderr.flush()
        os._exit(status)


class _Watch:
    def __init__(
        self, children: Sequence[_Child], held: int, on_ready: Callable[[list[str]], None]
    ) -> None:
        self._children = children
        self._held = held
        self._on_ready = on_ready
        self._is_told = False
        self._is_announced = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        await asyncio.gather(*(self._follow(child) for child in self._children))
        well = self._is_told and not any(child.status for child in self._children)
        return 0 if well else 1

    def _end(self) -> None:
        """All end at once, as nobody stays who could take over; told again, they are killed."""
        if not self._is_told:
            self._is_told = True
            os.close(self._held)
            return
        for child in self._children:
            if child.status is None:
                os.kill(child.process_id, signal.SIGKILL)

    async def _follow(self, child: _Child) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(child.output, "rb")
        )
        while line := await reader.readline():
            text = line.decode().strip()
            if text.startswith(READY):
                child.ready_on = text.removeprefix(READY)
                self._announce()
            else:
                print(f"{child.name}: {text}", flush=True)
        _, status = os.waitpid(child.process_id, 0)
        child.status = os.waitstatus_to_exitcode(status)
        if not self._is_told:
            print(f"brokerspec broker: {child.name} {_how(child.status)}", file=sys.stderr)
            self._announce()

    def _announce(self) -> None:
        living = [child for child in self._children if child.status is None]
        addresses = [child.ready_on for child in living if child.ready_on is not None]
        if living and len(addresses) == len(living) and not self._is_announced:
            self._is_announced = True
            self._on_ready(addresses)


def _how(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}."
    return f"ended with status {status}."
