"""One part of the states of an exploration that is spread: those whose hash says so.

A part expands states of its own and sends the successors to those who own them; it takes in what
is sent to it, each state once. A state is known here by its worker and its index there, in the
order of arrival. Which states are to be expanded when is for the one who coordinates the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.engines.kernels import Problem
from model.engines.kernels.columns import packed
from model.engines.kernels.expansion import Expansion
from model.engines.kernels.orbits import Orbits
from model.engines.kernels.sheet import Words
from model.engines.kernels.table import Table, hashes, put

# A place is one number: the worker above this many bits, the index at that worker below.
INDEX_BITS: Final = np.uint64(32)
LOWER_HALF: Final = np.uint64((1 << 32) - 1)
Places = NDArray[np.uint64]
# States, of the shape (states, words), and the places from which they were reached.
Parcel = tuple[Words, Places]


@dataclass(frozen=True)
class Order:
    """Expand the states `start` to before `stop`; look for the truths of these numbers, and, if
    it is asked for, for a deadlock.
    """

    start: int
    stop: int
    open_truths: list[int]
    deadlocks: bool


@dataclass
class Account:
    """What a part saw while it followed an order, by the indices of its states.

    `generated` counts successors, `fired` the steps of each action. `found` has the first state of
    each truth, `deadlock` the first that is one; `misfit` the first state with an enabled step for
    which there is no room, packed, after its index and the number of this step.
    """

    generated: int
    fired: list[int]
    found: dict[int, int]
    deadlock: int | None = None
    misfit: tuple[int, int, int] | None = None


def owners(states: Words, workers: int) -> NDArray[np.intp]:
    """The number of the worker that owns each state, the same on every machine."""
    # The look-up of a part uses the upper bits.
    return (((hashes(states) & LOWER_HALF) * np.uint64(workers)) >> INDEX_BITS).astype(np.intp)


def places_of(worker: int, indices: NDArray[np.integer]) -> Places:
    """The places of these indices at one worker."""
    return indices.astype(np.uint64) | np.uint64(worker) << INDEX_BITS


def place(worker_and_index: np.uint64) -> tuple[int, int]:
    """Worker and index of a place."""
    return int(worker_and_index >> INDEX_BITS), int(worker_and_index & LOWER_HALF)


class Part:
    """The states of one worker, and from where each was first reached."""

    def __init__(self, problem: Problem, worker: int, workers: int, known: Parcel) -> None:
        self._worker, self._workers = worker, workers
        self._expansion = Expansion(problem)
        self._orbits = Orbits(problem.layout, problem.symmetries)
        states, parents = known
        self._table, self._parents = Table(states), parents.copy()
        self._none = [0] * len(problem.actions)

    @property
    def held(self) -> tuple[int, int]:
        """How many states there are, and the bytes that they take."""
        return self._table.count, self._table.bytes + self._parents.nbytes

    def expand(self, order: Order) -> tuple[Account, list[Parcel]]:
        """Expand some states: what was seen, and the successors for each worker."""
        seen = Account(0, self._none, {})
        states, origins = [self._table.states[:0]], [np.empty(0, np.uint64)]
        for start in range(order.start, order.stop, self._expansion.rows):
            chunk = self._table.states[start : min(start + self._expansion.rows, order.stop)]
            unseen = [number for number in order.open_truths if number not in seen.found]
            made = self._expansion.expand(chunk, unseen, order.deadlocks and seen.deadlock is None)
            if made.misfit is not None:
                row, number = made.misfit
                seen.misfit = start + row, number, packed(chunk[row])
                break
            seen.generated += len(made.successors)
            seen.fired = [a + b for a, b in zip(seen.fired, made.fired, strict=True)]
            seen.found.update({number: start + row for number, row in made.found.items()})
            if made.deadlock is not None:
                seen.deadlock = start + made.deadlock
            states.append(self._orbits.least(made.successors))
            origins.append(
                places_of(self._worker, made.origins.astype(np.uint64) + np.uint64(start))
            )
        return seen, self._addressed(np.concatenate(states), np.concatenate(origins))

    def _addressed(self, states: Words, origins: Places) -> list[Parcel]:
        owner = owners(states, self._workers)
        chosen = [np.flatnonzero(owner == worker) for worker in range(self._workers)]
        return [(states.take(rows, axis=0), origins.take(rows)) for rows in chosen]

    def receive(self, *parcels: Parcel) -> tuple[int, int]:
        """Take in what all workers sent, in the order of the workers; what is held then."""
        for states, origins in parcels:
            unknown = np.flatnonzero(self._table.find(states) < 0)
            known = self._table.count
            new = unknown.take(self._table.add(states.take(unknown, axis=0)))
            self._parents = put(self._parents, known, origins.take(new))
        return self.held

    def state(self, index: int) -> int:
        """A state, packed."""
        return packed(self._table.states[index])

    def parent(self, index: int) -> tuple[int, int]:
        """The worker that has the state from which one was first reached, and its index there."""
        return place(self._parents[index])

    def whole(self) -> Parcel:
        """All states, and the places from which they were reached."""
        count = self._table.count
        return self._table.states[:count].copy(), self._parents[:count].copy()
