"""What a node of the quorum takes itself for, as Apache Kafka names it, and what it keeps as such.

A role begins anew whenever a node takes it, so nothing of it outlives the epoch. `deadline_ms` is
when the node loses patience; None: never.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(slots=True, eq=False)
class Votes:
    """Who has answered, of all voters."""

    voters: frozenset[int]
    granted: set[int]
    refused: set[int] = field(default_factory=set)

    @property
    def is_won(self) -> bool:
        return is_majority(len(self.granted), len(self.voters))

    @property
    def is_lost(self) -> bool:
        """Not even all that are still to answer could make a majority."""
        return not is_majority(len(self.voters) - len(self.refused), len(self.voters))

    @property
    def awaited(self) -> list[int]:
        return [] if self.is_lost else sorted(self.voters - self.granted - self.refused)


def is_majority(count: int, of: int) -> bool:
    return 2 * count > of


@dataclass(slots=True, eq=False)
class Unattached:
    """It knows no leader of its epoch."""

    deadline_ms: int | None


@dataclass(slots=True, eq=False)
class Prospective:
    """It asks whether it would be elected (pre-vote, KIP-996)."""

    votes: Votes
    deadline_ms: int | None


@dataclass(slots=True, eq=False)
class Candidate:
    """It asks for votes."""

    votes: Votes
    deadline_ms: int | None


@dataclass(slots=True, eq=False)
class Follower:
    """It knows the leader, and fetches from it; while it hears the leader it refuses pre-votes."""

    leader_id: int
    deadline_ms: int | None
    hears_leader: bool = False


@dataclass(slots=True, eq=False)
class Progress:
    """What a leader knows of another node; offsets and times are -1 before its first fetch."""

    known_end: int = -1
    last_fetch_ms: int = -1
    last_caught_up_ms: int = -1
    leader_end_at_last_fetch: int = -1

    def fetched(self, fetch_offset: int, leader_end: int, now_ms: int) -> None:
        """It fetches from an offset, so it has everything below, and has it on disk."""
        if fetch_offset >= leader_end:
            self.last_caught_up_ms = now_ms
        elif 0 <= self.leader_end_at_last_fetch <= fetch_offset:
            self.last_caught_up_ms = self.last_fetch_ms
        self.known_end = fetch_offset
        self.leader_end_at_last_fetch = leader_end
        self.last_fetch_ms = now_ms


@dataclass(slots=True, eq=False)
class Leader:
    """`high_watermark` is None until a record of its own epoch is committed (CLUS-12)."""

    epoch_start_offset: int
    followers: dict[int, Progress]
    deadline_ms: int | None
    next_begin_ms: int
    observers: dict[int, Progress] = field(default_factory=dict)
    high_watermark: int | None = None
    fetched: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Resigned:
    """It led this epoch, and will not do so again."""

    unacknowledged: set[int]
    preferred_candidates: tuple[int, ...]
    deadline_ms: int | None


Role: TypeAlias = Unattached | Prospective | Candidate | Follower | Leader | Resigned


def first_deadline(deadlines: Iterable[int | None]) -> int | None:
    return min((each for each in deadlines if each is not None), default=None)
