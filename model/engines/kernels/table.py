"""States and their positions: an open hash table that compares whole states, many at a time.

Each round looks at one entry for every state that is still undecided, so there are as many rounds
as the longest search has steps, and all else is work on columns. Hashes decide where to look and
nothing more.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.lang.places import ModelError

Words = NDArray[np.uint64]
Numbers = NDArray[np.intp]
# Odd numbers without a pattern in their bits.
MULTIPLIERS: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))
HALF: Final = np.uint64(32)
SMALLEST_BITS = 10
# Positions are entries of 32 bits, and 0 is a free one.
MOST_STATES = (1 << 32) - 2


class Table:
    """A growing list of different states; `states` has room, and the first `count` are in use."""

    def __init__(self, states: Words) -> None:
        """States that are known to be different, of the shape (states, words)."""
        self.count = 0
        self.states = np.empty((0, states.shape[1]), np.uint64)
        self._entries = np.zeros(1 << SMALLEST_BITS, np.uint32)
        self.add(states)

    @property
    def bytes(self) -> int:
        """The memory that is held."""
        return self.states.nbytes + self._entries.nbytes

    def find(self, keys: Words) -> Numbers:
        """The position of each state, -1 where it is not known; shape (states,)."""
        found = np.full(len(keys), -1, np.intp)
        at = self._begin(keys)
        pending: NDArray[Any] = np.arange(len(keys))
        while len(pending):
            entries = self._entries.take(at).astype(np.intp)
            pending, at, entries = _rows(entries > 0, pending, at, entries)
            entries -= 1
            same = _equal(self.states, entries, keys, pending)
            found[pending[same]] = entries[same]
            pending, at = _rows(~same, pending, at)
            at = (at + 1) & (len(self._entries) - 1)
        return found

    def add(self, keys: Words) -> Numbers:
        """Append the states that are new, each once, in their order; none may be known.

        The numbers of the keys that were appended.
        """
        self._reserve(len(keys))
        first = self.count
        self.states[first : first + len(keys)] = keys
        at, won = self._begin(keys), np.zeros(len(keys), np.bool_)
        pending: NDArray[Any] = np.arange(len(keys))
        ended = np.zeros(len(keys), np.intp)
        while len(pending):
            free = np.flatnonzero(self._entries.take(at) == 0)
            # Where several want one entry the last assignment stays: that of the first state.
            self._entries[at[free[::-1]]] = (pending[free[::-1]] + (first + 1)).astype(np.uint32)
            entries = self._entries.take(at).astype(np.intp) - (first + 1)
            mine = entries == pending
            won[pending[mine]] = True
            ended[pending[mine]] = at[mine]
            pending, at, entries = _rows(~mine, pending, at, entries)
            same = _equal(self.states, entries + first, keys, pending)
            pending, at = _rows(~same, pending, at)
            at = (at + 1) & (len(self._entries) - 1)
        new = np.flatnonzero(won)
        if len(new) < len(keys):
            self.states[first : first + len(new)] = keys.take(new, axis=0)
            self._entries[ended[new]] = np.arange(first + 1, first + 1 + len(new), dtype=np.uint32)
        self.count = first + len(new)
        return new

    def _begin(self, keys: Words) -> Numbers:
        """The entry at which the search for each state begins."""
        bits = len(self._entries).bit_length() - 1
        return (hashes(keys) >> np.uint64(64 - bits)).astype(np.intp)

    def _reserve(self, more: int) -> None:
        """Room for more states, and twice as many entries."""
        needed = self.count + more
        if needed > MOST_STATES:
            raise ModelError(f"a table of states has room for {MOST_STATES:,}, and there are more")
        if needed > len(self.states):
            room = max(needed, len(self.states) * 3 // 2)
            self.states = np.concatenate(
                (
                    self.states[: self.count],
                    np.empty((room - self.count, self.states.shape[1]), np.uint64),
                )
            )
        if 2 * needed > len(self._entries):
            self._entries = np.zeros(1 << (2 * needed - 1).bit_length(), np.uint32)
            self._enter(self.count)

    def _enter(self, count: int) -> None:
        """Enter the first states anew: they are different, so none is compared."""
        at = self._begin(self.states[:count])
        pending: NDArray[Any] = np.arange(1, count + 1, dtype=np.uint32)
        while len(pending):
            free = self._entries.take(at) == 0
            self._entries[at[free]] = pending[free]
            pending, at = _rows(self._entries.take(at) != pending, pending, at)
            at = (at + 1) & (len(self._entries) - 1)


def find_positions(haystack: Words, needles: Words) -> Numbers:
    """Where each needle stands among different states, -1 where it does not.

    Both have the shape (states, words).
    """
    return Table(haystack).find(needles)


def put(column: NDArray[Any], at: int, values: NDArray[Any]) -> NDArray[Any]:
    """Values put into a column from this row on; the column, or a longer one with more room."""
    end = at + len(values)
    if end > len(column):
        grown = np.empty(max(end, len(column) * 3 // 2), column.dtype)
        grown[:at] = column[:at]
        column = grown
    column[at:end] = values
    return column


def hashes(keys: Words) -> Words:
    """Well mixed numbers of states: one column for the shape (states, words)."""
    mixed = np.zeros(len(keys), np.uint64)
    for word in range(keys.shape[1]):
        mixed ^= keys[:, word]
        mixed *= MULTIPLIERS[0]
        mixed ^= mixed >> HALF
        mixed *= MULTIPLIERS[1]
    return mixed


def _rows(chosen: NDArray[np.bool_], *columns: NDArray[Any]) -> list[NDArray[Any]]:
    rows = np.flatnonzero(chosen)
    return [column.take(rows) for column in columns]


def _equal(states: Words, at: Numbers, keys: Words, rows: Numbers) -> NDArray[np.bool_]:
    """Are the states at these positions the keys of these rows."""
    known, wanted = states.take(at, axis=0), keys.take(rows, axis=0)
    same: NDArray[np.bool_] = known[:, 0] == wanted[:, 0]
    for word in range(1, states.shape[1]):
        same &= known[:, word] == wanted[:, word]
    return same
