"""What the broker says to its caller.

What it is asked stands in `data_messages`, `topic_messages` and `group_messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias


class Call(NamedTuple):
    """A request that waits for its answer: which connection, and the how manieth request on it."""

    connection_id: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer the call with this result."""

    call: Call
    result: Any


@dataclass(frozen=True, slots=True)
class NoReply:
    """The call is over and is not to be answered (ACKS-02)."""

    call: Call


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection of the call, which gets no answer (ACKS-03)."""

    call: Call


Output: TypeAlias = Reply | NoReply | Close
