"""A kernel whose states are spread over workers by their hash, and which expands them level by
level, all workers at once.

A level is dealt out: its positions go round the workers, so a share of a level is nearly as much
work for each, and one knows from the sizes of the parts alone where a position stands. So states
of one level are ordered otherwise than in other kernels, and all that is counted is the same.
What the workers are, this does not know: here they are parts in one process, elsewhere more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.engines.concrete import too_small
from model.engines.kernels import Problem, Snapshot
from model.engines.kernels.columns import words_of
from model.engines.kernels.orbits import Orbits
from model.engines.kernels.part import (
    INDEX_BITS,
    LOWER_HALF,
    Account,
    Order,
    Parcel,
    Part,
    owners,
    places_of,
)
from model.engines.kernels.table import MOST_STATES

Positions = NDArray[np.intp]
Held = tuple[int, int]


class Parts(Protocol):
    """The parts of one exploration, one of each worker."""

    def held(self) -> list[Held]:
        """How many states each part has, and the bytes that they take."""
        ...

    def turn(self, orders: Sequence[Order]) -> list[tuple[Account, Held]]:
        """Have each part expand, and then take in what all of them sent to it."""
        ...

    def state(self, worker: int, index: int) -> int:
        """A state, packed."""
        ...

    def parent(self, worker: int, index: int) -> tuple[int, int]:
        """Worker and index of the state from which one was first reached."""
        ...

    def wholes(self) -> list[Parcel]:
        """All that the parts have."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


class Workers(Protocol):
    """Who can hold parts of explorations."""

    count: int

    def begin(self, problem: Problem, known: Sequence[Parcel]) -> Parts:
        """Parts that know these states, one for each worker."""
        ...


@dataclass(frozen=True)
class Deal:
    """Some states in a row of positions from `first` on, of which each worker has those with the
    indices `starts` to before `ends`: the first of each worker, then the second of each.
    """

    first: int
    starts: Sequence[int]
    ends: Sequence[int]

    @property
    def counts(self) -> list[int]:
        """How many states each worker has."""
        return [end - start for start, end in zip(self.starts, self.ends, strict=True)]

    def shares(self, position: int) -> list[int]:
        """The index at each worker before which its states stand before a position."""
        rounds, rest = self._round(position)
        return [
            start + min(count, rounds) + (worker in rest)
            for worker, (start, count) in enumerate(zip(self.starts, self.counts, strict=True))
        ]

    def place(self, position: int) -> tuple[int, int]:
        """Worker and index of a position."""
        rounds, before = self._round(position)
        worker = self._players(rounds)[len(before)]
        return worker, self.starts[worker] + rounds

    def position(self, worker: int, index: int) -> int:
        """The position of an index at a worker."""
        rounds = index - self.starts[worker]
        return self.first + self._before(rounds) + self._players(rounds).index(worker)

    def positions(self, worker: int) -> Positions:
        """The positions of all states of a worker."""
        rounds = np.arange(self.counts[worker])
        found = np.full(len(rounds), self.first)
        for other, count in enumerate(self.counts):
            found += np.minimum(rounds, count) + ((other < worker) & (rounds < count))
        return found

    def _round(self, position: int) -> tuple[int, list[int]]:
        """The round in which a position is dealt, and the workers that come before in it."""
        offset = position - self.first
        rounds = bisect_right(range(max(self.counts) + 1), offset, key=self._before) - 1
        return rounds, self._players(rounds)[: offset - self._before(rounds)]

    def _before(self, rounds: int) -> int:
        return sum(min(count, rounds) for count in self.counts)

    def _players(self, rounds: int) -> list[int]:
        return [worker for worker, count in enumerate(self.counts) if count > rounds]


class Spread:
    """A `Kernel` whose states are held by workers."""

    def __init__(
        self, workers: Workers, problem: Problem, snapshot: Snapshot | None = None
    ) -> None:
        self._problem = problem
        known = snapshot or _beginning(problem)
        self.expanded, self.level_end = known.expanded, known.level_end
        self.depth, self.generated = known.depth, known.generated
        self.fired = list(known.fired)
        owner = owners(known.states, workers.count)
        rows = [np.flatnonzero(owner == worker) for worker in range(workers.count)]
        places = np.empty(len(owner), np.uint64)
        for worker, chosen in enumerate(rows):
            places[chosen] = places_of(worker, np.arange(len(chosen)))
        parents = places.take(known.parents)
        self._parts = workers.begin(problem, [(known.states[r], parents[r]) for r in rows])
        self._hold(self._parts.held())
        self._deals: list[Deal] = []
        ends = [0] * workers.count
        for cut in _cuts(known):
            starts, ends = ends, [int(np.searchsorted(r, cut)) for r in rows]
            self._deals.append(Deal(sum(starts), starts, ends))
        self.found = {n: self._again(places[at]) for n, at in known.found.items()}
        dead = known.deadlock
        self.deadlock = None if dead is None else self._again(places[dead])

    @property
    def distinct(self) -> int:
        """How many states are known."""
        return sum(self._counts)

    @property
    def bytes(self) -> int:
        """The memory of all workers for states, parents and look-up."""
        return self._bytes

    def expand(self, most: int) -> None:
        """Expand at most this many more states of the current level."""
        if self.expanded == self.level_end < self.distinct:
            self._deals.append(self._next_deal())
            self.level_end = self.distinct
            self.depth += 1
        stop = min(self.expanded + most, self.level_end)
        if stop == self.expanded:
            return
        deal = self._deals[-1]
        unseen = [n for n in range(len(self._problem.watched)) if n not in self.found]
        orders = [
            Order(start, end, unseen, self.deadlock is None)
            for start, end in zip(deal.shares(self.expanded), deal.shares(stop), strict=True)
        ]
        turns = self._parts.turn(orders)
        self._note([account for account, _ in turns], deal)
        self._hold([held for _, held in turns])
        self.expanded = stop

    def state(self, position: int) -> int:
        """A state, packed."""
        return self._parts.state(*self._deal(position).place(position))

    def parent(self, position: int) -> int:
        """The position from which a state was first reached."""
        return self._position(*self._parts.parent(*self._deal(position).place(position)))

    def snapshot(self) -> Snapshot:
        """All that is known, brought together."""
        if self.distinct > MOST_STATES:
            raise MemoryError(f"more than {MOST_STATES:,} states cannot be in one place")
        deals = [*self._deals, self._next_deal()]
        positions = [
            np.concatenate([deal.positions(worker) for deal in deals])
            for worker in range(len(self._counts))
        ]
        states = np.empty((self.distinct, self._problem.layout.words), np.uint64)
        parents = np.empty(self.distinct, np.uint32)
        for here, (part, origins) in zip(positions, self._parts.wholes(), strict=True):
            states[here] = part
            at, index = origins >> INDEX_BITS, (origins & LOWER_HALF).astype(np.intp)
            for worker, there in enumerate(positions):
                chosen = at == worker
                parents[here[chosen]] = there[index[chosen]]
        return Snapshot(
            states, parents, self.expanded, self.level_end, self.depth, self.generated,
            list(self.fired), dict(self.found), self.deadlock,
        )  # fmt: skip

    def close(self) -> None:
        """Have the workers forget everything."""
        self._parts.close()

    def _hold(self, held: Sequence[Held]) -> None:
        self._counts = [count for count, _ in held]
        self._bytes = sum(size for _, size in held)

    def _note(self, accounts: Sequence[Account], deal: Deal) -> None:
        """Add up what the workers saw; of what they found the first by position stays."""
        misfits = [
            (deal.position(worker, account.misfit[0]), *account.misfit[1:])
            for worker, account in enumerate(accounts)
            if account.misfit is not None
        ]
        if misfits:
            _, number, state = min(misfits)
            raise too_small(self._problem.layout, self._problem.steps[number], state)
        dead = []
        for worker, account in enumerate(accounts):
            self.generated += account.generated
            self.fired = [a + b for a, b in zip(self.fired, account.fired, strict=True)]
            if account.deadlock is not None:
                dead.append(deal.position(worker, account.deadlock))
            for number, index in account.found.items():
                position = deal.position(worker, index)
                self.found[number] = min(position, self.found.get(number, position))
        if dead:
            self.deadlock = min(dead)

    def _next_deal(self) -> Deal:
        """The states after the current level; more may come while it is expanded."""
        starts = self._deals[-1].ends if self._deals else [0] * len(self._counts)
        return Deal(self.level_end, starts, self._counts)

    def _deal(self, position: int) -> Deal:
        deals = [*self._deals, self._next_deal()]
        return deals[bisect_right(deals, position, key=lambda deal: deal.first) - 1]

    def _position(self, worker: int, index: int) -> int:
        deals = [*self._deals, self._next_deal()]
        return next(d for d in deals if index < d.ends[worker]).position(worker, index)

    def _again(self, place: np.uint64) -> int:
        """The position that a place has among the states that are known."""
        return self._position(int(place >> INDEX_BITS), int(place & LOWER_HALF))


class Here:
    """`Workers` that are in this process."""

    def __init__(self, count: int) -> None:
        self.count = count

    def begin(self, problem: Problem, known: Sequence[Parcel]) -> Parts:
        """Parts that know these states."""
        return PartsHere([Part(problem, n, self.count, k) for n, k in enumerate(known)])


class PartsHere:
    """`Parts` that are in this process."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts

    def held(self) -> list[Held]:
        """How many states each part has, and the bytes that they take."""
        return [part.held for part in self._parts]

    def turn(self, orders: Sequence[Order]) -> list[tuple[Account, Held]]:
        """Have each part expand, and then take in what all of them sent to it."""
        done = [part.expand(order) for part, order in zip(self._parts, orders, strict=True)]
        sent = zip(*(parcels for _, parcels in done), strict=True)
        held = [part.receive(*parcels) for part, parcels in zip(self._parts, sent, strict=True)]
        return [(account, now) for (account, _), now in zip(done, held, strict=True)]

    def state(self, worker: int, index: int) -> int:
        """A state, packed."""
        return self._parts[worker].state(index)

    def parent(self, worker: int, index: int) -> tuple[int, int]:
        """Worker and index of the state from which one was first reached."""
        return self._parts[worker].parent(index)

    def wholes(self) -> list[Parcel]:
        """All that the parts have."""
        return [part.whole() for part in self._parts]

    def close(self) -> None:
        """Forget the parts."""
        self._parts.clear()


def _cuts(known: Snapshot) -> list[int]:
    """Where each level ends, to the current one, and what was expanded of that: states are dealt
    out anew between these.
    """
    parents, ends = np.sort(known.parents), {known.expanded, known.level_end}
    end = min(1, known.level_end)
    while end not in ends:
        ends.add(end)
        end = int(np.searchsorted(parents, end))
    return sorted(ends - {0})


def _beginning(problem: Problem) -> Snapshot:
    orbits = Orbits(problem.layout, problem.symmetries)
    first = orbits.least(words_of(problem.layout, [problem.first]))
    fired = [0] * len(problem.actions)
    return Snapshot(first, np.zeros(1, np.uint32), 0, 0, 0, 1, fired, {}, None)
