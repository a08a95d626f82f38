"""What a kernel of `explore` is: it holds the reached states of one machine at one scope, and
expands them.

A state is known by its position in breadth-first order; the initial one has position 0. All
kernels count the same; they differ in speed, memory and what must be installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from model.engines.lowering.layout import Layout
from model.engines.lowering.lower import Step
from model.engines.lowering.scalars import TRUE, Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Problem:
    """What there is to explore.

    `watched` are truth values of which the first state is wanted where each holds. A state without
    an enabled step where `may_end` does not hold is a deadlock. Each of `symmetries` gives the new
    value of every slot under one permutation of the sorts, the identity left out; with them a
    state stands for its orbit, whose least packed integer it is.
    """

    layout: Layout
    steps: Sequence[Step]
    actions: Sequence[str]
    watched: Sequence[Scalar]
    first: int
    may_end: Scalar = TRUE
    symmetries: Sequence[Sequence[Scalar]] = ()


@dataclass
class Snapshot:
    """All that a kernel knows, as plain arrays: for checkpoints, and to go on in another kernel.

    `states` has one row per state of `layout.words` little-endian words, in breadth-first order;
    `parents` the position from which each was first reached (0 for the initial one). The states
    before `expanded` have been expanded; the current level ends before `level_end`; `depth` counts
    the levels begun; `generated` the successors made, and one for the initial state; `fired` the
    steps of each action; `found` the first position at which each watched truth holds.
    """

    states: NDArray[np.uint64]
    parents: NDArray[np.uint32]
    expanded: int
    level_end: int
    depth: int
    generated: int
    fired: list[int]
    found: dict[int, int]
    deadlock: int | None


class Kernel(Protocol):
    """The states reached so far. Made by `K(problem)` or `K(problem, snapshot)`."""

    @property
    def distinct(self) -> int:
        """How many states are known."""
        ...

    generated: int
    depth: int
    expanded: int
    level_end: int
    fired: list[int]
    found: dict[int, int]
    deadlock: int | None

    @property
    def bytes(self) -> int:
        """The memory that states, parents and look-up take."""
        ...

    def expand(self, most: int) -> None:
        """Expand at most this many more states of the current level, in order; where it is done,
        the next one begins.

        Raises ScopeTooSmallError where an enabled step does not fit.
        """
        ...

    def state(self, position: int) -> int:
        """A state, packed."""
        ...

    def parent(self, position: int) -> int:
        """The position from which a state was first reached."""
        ...

    def snapshot(self) -> Snapshot:
        """All that is known, to be kept."""
        ...

    def close(self) -> None:
        """Give the memory back; the kernel cannot be used any more."""
        ...
