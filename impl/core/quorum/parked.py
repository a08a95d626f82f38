"""Fetches of the metadata log that wait until there is more to tell, or their time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from impl.core.data.messages import Fetch, FetchedPartition
from impl.core.events import Call


@dataclass(frozen=True, slots=True, eq=False)
class ParkedFetch:
    call: Call
    request: Fetch
    deadline_ms: int


class ParkedFetches:
    def __init__(self) -> None:
        self._parked: list[ParkedFetch] = []

    def add(self, call: Call, request: Fetch, now_ms: int) -> None:
        self._parked.append(ParkedFetch(call, request, now_ms + request.max_wait_ms))

    def take(self, is_over: Callable[[ParkedFetch], bool]) -> list[ParkedFetch]:
        """Those that wait no longer, in the order in which they came."""
        over = [each for each in self._parked if is_over(each)]
        self._parked = [each for each in self._parked if each not in over]
        return over

    def forget(self, connection_id: int) -> None:
        self._parked = [e for e in self._parked if e.call.connection_id != connection_id]

    def next_deadline_ms(self) -> int | None:
        return min((each.deadline_ms for each in self._parked), default=None)


def says_something(request: Fetch, fetched: FetchedPartition) -> bool:
    """Whether an answer holds anything that its follower waits for."""
    return bool(
        fetched.error
        or len(fetched.records)
        or fetched.diverging_epoch is not None
        or fetched.high_watermark > request.partitions[0].high_watermark
    )
