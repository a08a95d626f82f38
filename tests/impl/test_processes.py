"""Processes and the one that watches them: nobody is left behind, and nobody dies in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.impl.broker_process import PATIENCE_S

POLL_INTERVAL_S = 0.01


@dataclass
class Family:
    parent: subprocess.Popen[str]
    children: dict[str, int]

    def errors(self) -> str:
        return self.parent.communicate(timeout=PATIENCE_S)[1]


@contextmanager
def family(*names: str) -> Iterator[Family]:
    """Running, all that are to be ready being so; gone after the block, whatever happened."""
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.impl.family", *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = Family(parent, {})
    try:
        assert parent.stdout is not None
        line = parent.stdout.readline().strip()
        addresses = (each.rpartition(":") for each in line.split(",") if each)
        started.children = {name: int(number) for name, _, number in addresses}
        yield started
    finally:
        for number in started.children.values():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        parent.kill()
        parent.communicate(timeout=PATIENCE_S)


def is_gone(process_id: int) -> bool:
    """Gone, or dead and not yet waited for by whoever inherited it."""
    with suppress(FileNotFoundError):
        status = Path(f"/proc/{process_id}/stat").read_text()
        return status.rpartition(")")[2].split()[0] == "Z"
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    return False


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(POLL_INTERVAL_S)


def test_a_signal_ends_all_of_them_well() -> None:
    with family("a", "b", "c") as running:
        assert list(running.children) == ["a", "b", "c"]
        running.parent.terminate()
        assert running.parent.wait(PATIENCE_S) == 0
        assert all(map(is_gone, running.children.values()))
        assert running.errors() == ""


def test_children_do_not_outlive_a_parent_that_is_killed() -> None:
    with family("a", "b") as running:
        running.parent.kill()
        until(lambda: all(map(is_gone, running.children.values())))


def test_one_that_dies_is_named_and_the_others_go_on() -> None:
    with family("a", "b") as running:
        os.kill(running.children["a"], signal.SIGKILL)
        assert running.parent.stderr is not None
        assert "a was killed by SIGKILL." in running.parent.stderr.readline()
        assert not is_gone(running.children["b"])
        running.parent.terminate()
        assert running.parent.wait(PATIENCE_S) == 1


def test_one_that_dies_at_once_does_not_keep_the_others_from_being_ready() -> None:
    with family("dies", "b") as running:
        assert list(running.children) == ["b"]
        running.parent.terminate()
        assert "dies ended with status 3." in running.errors()


def test_the_end_of_all_is_the_end_of_the_parent() -> None:
    with family("dies", "dies") as running:
        assert running.parent.wait(PATIENCE_S) == 1
        assert running.errors().count("dies ended with status 3.") == 2


def test_a_second_signal_kills_who_does_not_end() -> None:
    with family("deaf", "b") as running:
        running.parent.terminate()
        until(lambda: is_gone(running.children["b"]))
        assert not is_gone(running.children["deaf"])
        running.parent.terminate()
        assert running.parent.wait(PATIENCE_S) == 1
        assert is_gone(running.children["deaf"])
