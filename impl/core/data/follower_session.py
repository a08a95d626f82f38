"""The follower's side of a fetch session (KIP-227): what its leader knows of what it asks for.

Decides what has to be said in the next request. The leader's side stands in `fetch_sessions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from impl.core.cluster.topics import TopicReference
from impl.core.data.fetch_sessions import INITIAL_EPOCH, NO_SESSION
from impl.core.data.messages import Fetched, FetchPartition

_INT_MAX = 2**31 - 1

Key = tuple[TopicReference, int]


class Increment(NamedTuple):
    """What to say to a leader that knows the rest; all of it when there is no session yet."""

    session_id: int
    session_epoch: int
    partitions: tuple[FetchPartition, ...]
    forgotten: tuple[Key, ...]


class FollowerSession:
    def __init__(self) -> None:
        self.told: dict[Key, FetchPartition] = {}
        """What the leader has been asked for, as of the last request."""
        self._session_id = NO_SESSION
        self._epoch = INITIAL_EPOCH

    def increment(self, changed: Mapping[Key, FetchPartition | None]) -> Increment:
        """`changed`: what is asked for now, of which None is nothing any more."""
        for key, asked in changed.items():
            if asked is None:
                self.told.pop(key, None)
            else:
                self.told[key] = asked
        if self._epoch == INITIAL_EPOCH:
            return Increment(self._session_id, INITIAL_EPOCH, tuple(self.told.values()), ())
        asked_anew = tuple(asked for asked in changed.values() if asked is not None)
        forgotten = tuple(key for key, asked in changed.items() if asked is None)
        return Increment(self._session_id, self._epoch, asked_anew, forgotten)

    def answered(self, answer: Fetched | None) -> None:
        """Whoever gets no answer, or a refusal, cannot know what the other side knows."""
        if answer is None:
            self._epoch = INITIAL_EPOCH  # the leader is told to end the former session
        elif answer.error or answer.session_id == NO_SESSION:
            self._session_id, self._epoch = NO_SESSION, INITIAL_EPOCH
        else:
            self._session_id, self._epoch = answer.session_id, self._epoch % _INT_MAX + 1
