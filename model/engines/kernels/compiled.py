"""The kernel made of C: compiled for one machine at one scope, with as many threads as there are
processors.

What is generated for a machine is in `c_source.py`, how states are stored in `compiled_store.c`,
how a level is expanded in `compiled_rounds.c`, how the library is made in `c_build.py`. Here they
become a kernel. The states, their order and their parents are those of the plain kernel, whatever
the number of threads.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from pathlib import Path
from typing import Any

from model.engines.concrete import too_small
from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.c_build import library
from model.engines.kernels.c_source import source
from model.engines.kernels.plain import compile_canonical
from model.lang.places import ModelError

NOWHERE = 2**64 - 1
MOST_THREADS = 64
# What kernel_expand answers.
NO_MEMORY, TOO_MANY, TOO_SMALL = 1, 2, 3


class Compiled:
    """The kernel in C; the interpreter is free for other threads while it expands.

    Raises ModelError where there is no C compiler, and where states are too many for the memory.
    """

    def __init__(
        self, problem: Problem, snapshot: Snapshot | None = None, threads: int | None = None
    ) -> None:
        self.problem = problem
        self._actions = [problem.actions.index(step.action.name) for step in problem.steps]
        self._library = _load(problem)
        wanted = threads or _processors()
        store = self._open(max(1, min(wanted, MOST_THREADS)), snapshot)
        if not store:
            raise ModelError("there is no memory for the states to begin with")
        self._store = ctypes.c_void_p(store)
        self._free = weakref.finalize(self, self._library.kernel_close, self._store)
        self._figures: Any = _figures_type(problem).from_address(store)
        self._fired_before = [0] * len(problem.actions)
        self._begin(snapshot)
        self._read()

    def expand(self, most: int) -> None:
        """Expand at most this many more states of the current level, in breadth-first order.

        Raises ScopeTooSmallError for the first state with an enabled step that does not fit.
        """
        answer = self._library.kernel_expand(self._alive(), most)
        self._read()
        if answer == TOO_SMALL:
            step = self.problem.steps[self._figures.too_small_step]
            state = self.state(self._figures.too_small_at)
            raise too_small(self.problem.layout, step, state)
        if answer in (NO_MEMORY, TOO_MANY):
            limit = "memory" if answer == NO_MEMORY else "room in 32 bits"
            raise ModelError(f"there is no {limit} for more than {self.distinct} states")

    @property
    def bytes(self) -> int:
        """The memory that states, parents and look-up take."""
        return int(self._library.kernel_bytes(self._alive()))

    def state(self, position: int) -> int:
        """A state, packed."""
        words = (ctypes.c_uint64 * self.problem.layout.words)()
        self._library.kernel_states(self._alive(), self._checked(position), 1, words)
        return int.from_bytes(words, "little")

    def parent(self, position: int) -> int:
        """The position from which a state was first reached."""
        return int(self._library.kernel_parents(self._alive())[self._checked(position)])

    def snapshot(self) -> Snapshot:
        """All that is known, to be kept."""
        import numpy as np

        states = np.empty((self.distinct, self.problem.layout.words), np.uint64)
        self._library.kernel_states(self._alive(), 0, self.distinct, states.ctypes.data)
        parents = np.empty(self.distinct, np.uint32)
        known = self._library.kernel_parents(self._store)
        ctypes.memmove(parents.ctypes.data, known, parents.nbytes)
        return Snapshot(
            states, parents, self.expanded, self.level_end, self.depth, self.generated,
            list(self.fired), dict(self.found), self.deadlock,
        )  # fmt: skip

    def close(self) -> None:
        """Give the memory back; the kernel cannot be used any more."""
        self._free()

    def _open(self, threads: int, snapshot: Snapshot | None) -> int | None:
        if snapshot is None:
            size = 8 * self.problem.layout.words
            first = compile_canonical(self.problem.layout, self.problem.symmetries)
            words = first(self.problem.first).to_bytes(size, "little")
            given: tuple[Any, ...] = (words, bytes(4), 1)
        else:
            import numpy as np

            states = np.ascontiguousarray(snapshot.states, np.uint64)
            parents = np.ascontiguousarray(snapshot.parents, np.uint32)
            given = (states.ctypes.data, parents.ctypes.data, len(states))
        store: int | None = self._library.kernel_open(threads, *given)
        return store

    def _begin(self, snapshot: Snapshot | None) -> None:
        figures = self._figures
        figures.generated = 1
        if snapshot is None:
            return
        figures.generated, figures.depth = snapshot.generated, snapshot.depth
        figures.expanded, figures.level_end = snapshot.expanded, snapshot.level_end
        if snapshot.deadlock is not None:
            figures.deadlock = snapshot.deadlock
        for number, position in snapshot.found.items():
            figures.found[number] = position
        self._fired_before = list(snapshot.fired)

    def _read(self) -> None:
        figures = self._figures
        self.distinct: int = figures.distinct
        self.generated: int = figures.generated
        self.depth: int = figures.depth
        self.expanded: int = figures.expanded
        self.level_end: int = figures.level_end
        self.deadlock: int | None = figures.deadlock if figures.deadlock != NOWHERE else None
        found = enumerate(figures.found[: len(self.problem.watched)])
        self.found: dict[int, int] = {n: at for n, at in found if at != NOWHERE}
        self.fired: list[int] = list(self._fired_before)
        for action, count in zip(self._actions, figures.fired, strict=False):
            self.fired[action] += count

    def _alive(self) -> ctypes.c_void_p:
        if not self._free.alive:
            raise ValueError("this kernel is closed")
        return self._store

    def _checked(self, position: int) -> int:
        if not 0 <= position < self.distinct:
            raise IndexError(f"there is no state at {position}: there are {self.distinct}")
        return position


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _load(problem: Problem) -> ctypes.CDLL:
    text = source(problem)
    for name in ("compiled.h", "compiled_store.c", "compiled_rounds.c"):
        content = Path(__file__).with_name(name).read_text()
        text = text.replace(f'#include "{name}"', content)
    loaded = library(text)
    integer, pointer = ctypes.c_uint64, ctypes.c_void_p
    for function, answer, arguments in (
        ("kernel_open", pointer, [ctypes.c_uint32, pointer, pointer, integer]),
        ("kernel_expand", ctypes.c_int, [pointer, integer]),
        ("kernel_bytes", integer, [pointer]),
        ("kernel_states", None, [pointer, integer, integer, pointer]),
        ("kernel_parents", ctypes.POINTER(ctypes.c_uint32), [pointer]),
        ("kernel_close", None, [pointer]),
    ):
        found = getattr(loaded, function)
        found.restype, found.argtypes = answer, arguments
    return loaded


def _figures_type(problem: Problem) -> type[ctypes.Structure]:
    """The beginning of the store, which C and Python both read and write."""
    names = (
        "distinct", "generated", "depth", "expanded", "level_end", "deadlock",
        "too_small_at", "too_small_step",
    )  # fmt: skip
    integer = ctypes.c_uint64
    fields: list[tuple[str, Any]] = [(name, integer) for name in names]
    fields.append(("found", integer * (len(problem.watched) + 1)))
    fields.append(("fired", integer * (len(problem.steps) + 1)))
    return type("Figures", (ctypes.Structure,), {"_fields_": fields})
