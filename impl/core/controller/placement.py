"""Where the replicas of new partitions go: in stripes over racks, and over the brokers of a rack.

Each partition begins with the next rack, and each rack gives the next of its brokers; so leaders
and replicas spread evenly, and two partitions rarely share all their brokers. Spreading over racks
comes before spreading over brokers. Brokers that are fenced are taken last and never lead.

It follows Apache Kafka's `StripedReplicaPlacer`; what is random there is drawn here from a
function, so that the same draws give the same placement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain, cycle
from typing import TypeAlias, TypeVar
from uuid import UUID

from impl.core.cluster.catalogue import Registration
from impl.core.refusal import KafkaError
from spec.wire.errors import ErrorCode

Replicas: TypeAlias = tuple[int, ...]
Draw: TypeAlias = Callable[[int], int]

Item = TypeVar("Item")


def drawing(new_id: Callable[[], UUID]) -> Draw:
    """A number below a limit, from the bits of a new id."""

    def draw(limit: int) -> int:
        return (new_id().int >> 64) % limit if limit > 1 else 0

    return draw


def place(
    brokers: Iterable[Registration], num_partitions: int, replication_factor: int, draw: Draw
) -> tuple[Replicas, ...]:
    """The replicas of each partition, its leader first. Raises KafkaError."""
    stripes = _Stripes(brokers, draw)
    if replication_factor > stripes.num_brokers or not stripes.num_unfenced:
        raise KafkaError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"{replication_factor} replicas need as many brokers; there are"
            f" {stripes.num_brokers}, of which {stripes.num_unfenced} are not fenced.",
        )
    return tuple(stripes.next_row(replication_factor) for _ in range(num_partitions))


class _Circle:
    """The brokers of a rack in a circle; a row that follows on one that used it begins later."""

    def __init__(self, brokers: Iterable[int], draw: Draw) -> None:
        self.brokers = sorted(brokers)
        self._start = draw(len(self.brokers))
        self._taken = 0

    def begin_row(self) -> None:
        if self._taken:
            self._start = (self._start + 1) % len(self.brokers)
            self._taken = 0

    def take(self) -> int | None:
        if self._taken == len(self.brokers):
            return None
        self._taken += 1
        return self.brokers[(self._start + self._taken - 1) % len(self.brokers)]


class _Rack:
    def __init__(self, brokers: list[Registration], draw: Draw) -> None:
        self.unfenced = _Circle((b.endpoint.node_id for b in brokers if not b.fenced), draw)
        self.fenced = _Circle((b.endpoint.node_id for b in brokers if b.fenced), draw)

    def begin_row(self) -> None:
        self.unfenced.begin_row()
        self.fenced.begin_row()

    def take(self) -> int | None:
        taken = self.unfenced.take()
        return self.fenced.take() if taken is None else taken


class _Stripes:
    def __init__(self, brokers: Iterable[Registration], draw: Draw) -> None:
        by_rack: dict[str, list[Registration]] = {}
        for broker in brokers:
            by_rack.setdefault(broker.endpoint.rack or "", []).append(broker)
        self._racks = [_Rack(by_rack[name], draw) for name in sorted(by_rack)]
        self.num_unfenced = sum(len(rack.unfenced.brokers) for rack in self._racks)
        self.num_brokers = sum(len(each) for each in by_rack.values())
        self._first = draw(len(self._racks))
        self._rows = 0
        self._draw = draw

    def next_row(self, replication_factor: int) -> Replicas:
        if self._rows == self.num_unfenced > 1:
            self._shuffle()
            self._rows = 0
        for rack in self._racks:
            rack.begin_row()
        start = self._first % len(self._racks)
        row = self._row(self._racks[start:] + self._racks[:start], replication_factor)
        self._first, self._rows = start + 1, self._rows + 1
        return row

    def _row(self, racks: list[_Rack], replication_factor: int) -> Replicas:
        """The leader from the first rack that can give one, then one of each other in turn."""
        led_by, leader = next(
            (number, taken)
            for number, rack in enumerate(racks)
            if (taken := rack.unfenced.take()) is not None
        )
        replicas = [leader]
        turns = chain(racks[:led_by], racks[led_by + 1 :], cycle(racks))
        while len(replicas) < replication_factor:
            if (taken := next(turns).take()) is not None:
                replicas.append(taken)
        return tuple(replicas)

    def _shuffle(self) -> None:
        """All rows there are were given; others in another order are better than the same."""
        _shuffle(self._racks, self._draw)
        for rack in self._racks:
            _shuffle(rack.unfenced.brokers, self._draw)
            _shuffle(rack.fenced.brokers, self._draw)


def _shuffle(items: list[Item], draw: Draw) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = draw(last + 1)
        items[last], items[other] = items[other], items[last]
