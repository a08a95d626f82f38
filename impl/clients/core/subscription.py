"""Which partitions a consumer reads, and where it stands in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from impl.clients.core.accumulator import Target


@dataclass(slots=True)
class Place:
    """`position`: the offset of the next record to hand out; None until it is known.

    `fetch_offset` is further on when records wait to be handed out.
    """

    position: int | None = None
    fetch_offset: int | None = None
    is_asked: bool = False
    must_reset: bool = False
    """There is no committed offset, or it is out of range: `auto.offset.reset` decides."""


class Subscription:
    """Either topics, whose partitions the group hands out, or partitions that the user names."""

    def __init__(self) -> None:
        self.topics: frozenset[str] = frozenset()
        self.places: dict[Target, Place] = {}
        self.is_by_user = False
        self.version = 0
        """Grows when partitions come or go: an answer from before means nothing any more."""

    def subscribe(self, topics: Iterable[str]) -> None:
        """What a group handed out before stays until it hands out anew."""
        if self.is_by_user:
            self._keep(())
        self.topics, self.is_by_user = frozenset(topics), False

    def assign_by_user(self, targets: Iterable[Target]) -> None:
        self.topics, self.is_by_user = frozenset(), True
        self._keep(targets)

    def assign_by_group(self, targets: Iterable[Target]) -> None:
        self._keep(targets)

    def _keep(self, targets: Iterable[Target]) -> None:
        """Places that stay keep their position."""
        self.version += 1
        self.places = {t: self.places.get(t, Place()) for t in sorted(targets)}

    def seek(self, target: Target, offset: int) -> None:
        self.version += 1
        self.places[target] = Place(offset, offset)

    def positions(self) -> Mapping[Target, int]:
        return {t: p.position for t, p in self.places.items() if p.position is not None}
