"""Who can talk to whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations, product
from typing import Final, Literal, TypeAlias

CLIENTS: Final = "clients"
"""In a partition: all who are not brokers."""

Party: TypeAlias = int | Literal["clients"]


class Network:
    """Everybody hears everybody, apart from those whom a partition keeps apart.

    It is read in the threads of all brokers, so it changes at once.
    """

    def __init__(self) -> None:
        self._cuts: frozenset[frozenset[Party]] = frozenset()

    def hear_each_other(self, one: Party, other: Party) -> bool:
        return not self._cuts or frozenset((one, other)) not in self._cuts

    def partition(self, groups: Iterable[Collection[Party]]) -> None:
        """Nobody hears those of another group; who is in no group hears all."""
        self._cuts = frozenset(
            frozenset(pair)
            for one, other in combinations(groups, 2)
            for pair in product(one, other)
        )

    def heal(self) -> None:
        self._cuts = frozenset()
