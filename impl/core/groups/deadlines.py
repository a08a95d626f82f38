"""Deadlines of the coordinator: what is due when, in virtual time that only the caller moves."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, order=True)
class SessionDeadline:
    """The member, pending or not, must be heard from until then."""

    group_id: str
    member_id: str


@dataclass(frozen=True, slots=True, order=True)
class JoinDeadline:
    """The join phase of the rebalance ends then, whoever is missing."""

    group_id: str


@dataclass(frozen=True, slots=True, order=True)
class SyncDeadline:
    """Members of the new generation must have sent SyncGroup until then."""

    group_id: str


@dataclass(frozen=True, slots=True, order=True)
class MemberDeadline:
    """A member of the consumer protocol must be heard from until then."""

    group_id: str
    member_id: str


@dataclass(frozen=True, slots=True, order=True)
class RevocationDeadline:
    """It must have given up the partitions that it is to lose until then."""

    group_id: str
    member_id: str


@dataclass(frozen=True, slots=True, order=True)
class CommitDeadline:
    """What was appended must be committed until then."""

    ticket: int


@dataclass(frozen=True, slots=True, order=True)
class RetentionDeadline:
    """Time to look for expired offsets."""


Deadline: TypeAlias = (
    SessionDeadline
    | JoinDeadline
    | SyncDeadline
    | MemberDeadline
    | RevocationDeadline
    | CommitDeadline
    | RetentionDeadline
)


class Deadlines:
    """At most one time per deadline. Equal times fall due in the order in which they were set."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._set: dict[Deadline, int] = {}
        self._queue: list[tuple[int, int, Deadline]] = []
        self._sequence = 0

    def set(self, deadline: Deadline, after_ms: int) -> None:
        self._sequence += 1
        self._set[deadline] = self._sequence
        heapq.heappush(self._queue, (self.now_ms + after_ms, self._sequence, deadline))

    def cancel(self, deadline: Deadline) -> None:
        self._set.pop(deadline, None)

    def next_ms(self) -> int | None:
        while self._queue:
            due_ms, sequence, deadline = self._queue[0]
            if self._set.get(deadline) == sequence:
                return due_ms
            heapq.heappop(self._queue)
        return None

    def pass_until(self, now_ms: int) -> Iterator[Deadline]:
        """Move time forward, deadline by deadline; each sees the time at which it was due."""
        while (due_ms := self.next_ms()) is not None and due_ms <= now_ms:
            _, _, deadline = heapq.heappop(self._queue)
            del self._set[deadline]
            self.now_ms = max(self.now_ms, due_ms)
            yield deadline
        self.now_ms = max(self.now_ms, now_ms)
