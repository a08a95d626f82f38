"""Which kernel explores: the one that was asked for, or the plain one first and numpy when there
is much to do.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from model.engines.kernels import Kernel, Problem, Snapshot
from model.engines.kernels.plain import Plain
from model.engines.lowering.layout import WORD
from model.lang.places import ModelError

KERNELS: Final = ("auto", "plain", "numpy", "c")
# Fewer states than this, and numpy is not yet worth its import and its arrays.
MANY_STATES = 5_000
NUMBER_BITS = WORD - 2
Maker = Callable[[Problem, Snapshot | None], Kernel]


def begin(kernel: str | Maker, problem: Problem, known: Snapshot | None = None) -> Kernel:
    """A kernel of this name, or of this maker, which must be one of columns; ModelError where
    there is none, or it cannot hold the states.
    """
    if isinstance(kernel, str) and kernel not in KERNELS:
        raise ModelError(f"there is no kernel {kernel!r}; there is {', '.join(KERNELS)}")
    if kernel in ("plain", "auto"):
        return Plain(problem, known)
    if _is_wide(problem):
        raise ModelError(f"a part of the state has more than {NUMBER_BITS} bits: use kernel plain")
    return (_made(kernel) if isinstance(kernel, str) else kernel)(problem, known)


def go_on(kernel: str | Maker, problem: Problem, current: Kernel) -> Kernel:
    """The kernel to go on with; the current one is closed when it is another."""
    many = current.distinct - current.expanded > 0 and current.distinct > MANY_STATES
    if kernel != "auto" or not isinstance(current, Plain) or not many or _is_wide(problem):
        return current
    faster = _made("numpy")(problem, current.snapshot())
    current.close()
    return faster


def _made(kernel: str) -> Maker:
    # Imported when asked for: numpy and the compiler take longer than a small exploration.
    module, name = {"numpy": ("vectors", "Vectors"), "c": ("compiled", "Compiled")}[kernel]
    found: Maker = getattr(import_module(f"model.engines.kernels.{module}"), name)
    return found


def _is_wide(problem: Problem) -> bool:
    return any(slot.bits > NUMBER_BITS for slot in problem.layout.slots)
