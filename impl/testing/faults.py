"""What is to happen to requests, and to which: ordered by a test, counted while it happens.

Decides which request is struck. How it is struck is the business of `tap`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from impl.testing.journal import Asked
from spec.wire.errors import ErrorCode


@dataclass(eq=False)
class Fault:
    """A trouble that was ordered; `struck` tells how many requests it befell so far."""

    api: str
    nth: int
    times: int | None
    broker: int | None
    where: Callable[[Asked], bool] | None
    carried_out: bool
    error: ErrorCode | None = None
    delay_ms: int = 0
    struck: int = 0
    is_cancelled: bool = False
    _met: int = field(default=0, repr=False)

    def cancel(self) -> None:
        """Strike nobody any more."""
        self.is_cancelled = True

    @property
    def is_over(self) -> bool:
        """Whether it has struck, or been cancelled, for good."""
        return self.is_cancelled or (self.times is not None and self.struck >= self.times)

    def concerns(self, asked: Asked) -> bool:
        return (
            not self.is_over
            and self.api == asked.api
            and self.broker in (None, asked.broker)
            and (self.where is None or self.where(asked))
        )

    def is_due(self) -> bool:
        """Count a request that it concerns; says whether to strike it, if no other fault does."""
        self._met += 1
        return self._met >= self.nth


class Faults:
    """All that were ordered; used in the threads of all brokers."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults = [each for each in self._faults if not each.is_over] + [fault]

    def cancel_all(self) -> None:
        with self._lock:
            for fault in self._faults:
                fault.cancel()
            self._faults.clear()

    def strike(self, asked: Asked, fits: Callable[[Fault], bool]) -> Fault | None:
        """The first fault that strikes; a request that it does not fit is not counted by it."""
        if not self._faults:
            return None
        with self._lock:
            concerned = [each for each in self._faults if each.concerns(asked) and fits(each)]
            due = [fault for fault in concerned if fault.is_due()]
            if due:
                due[0].struck += 1
            return due[0] if due else None
