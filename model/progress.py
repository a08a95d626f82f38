"""The line that shows how an exploration goes on: states, rate, what waits, memory.

It is there where a person looks at a terminal, and is gone when the exploration ends.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from model.engines.kernels import Kernel

SECONDS_BETWEEN = 0.2


class Progress:
    """To be opened around explorations, and called by them."""

    def __init__(self, wanted: bool = True) -> None:
        self._shown = wanted and sys.stderr.isatty()
        self._began = self._last = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write("")

    def __call__(self, kernel: Kernel) -> None:
        now = time.monotonic()
        if not self._shown or now - self._last < SECONDS_BETWEEN:
            return
        self._last = now
        self._write(line(kernel, now - self._began))

    def _write(self, text: str) -> None:
        if self._shown:
            print(f"\r{text:{self._width}}\r{text}", end="", file=sys.stderr, flush=True)
            self._width = len(text)


def line(kernel: Kernel, seconds: float) -> str:
    """How far an exploration is after some seconds."""
    rate = kernel.distinct / seconds if seconds else 0
    waiting = kernel.distinct - kernel.expanded
    return (
        f"{kernel.distinct:,} states, {waiting:,} to expand, depth {kernel.depth}, "
        f"{rate:,.0f} states/s, {kernel.bytes / 1e6:,.0f} MB"
    )
