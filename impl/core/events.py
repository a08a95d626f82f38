"""What the broker says to its caller.

What it is asked stands in the `messages` of each room of the core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from impl.core.cluster.messages import Endpoint


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


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Ask another node; `Broker.answered` gets this very object back, with what that node said.

    That is None when no answer came within `timeout_ms`, whatever the reason: then nobody knows
    whether the request took effect. Requests of one lane to one node are asked in order, each
    after the answer to the one before; lanes do not wait for each other.
    """

    to: Endpoint
    lane: str
    request: Any
    timeout_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Forward:
    """Let another node, the active controller, answer the call in place of this one.

    That node is to be asked by `Broker.handle_forwarded`. When it does not answer in time, or
    answers `NOT_CONTROLLER`, `Broker.not_forwarded` gets this very object back.
    """

    call: Call
    request: Any
    to: Endpoint
    timeout_ms: int
    until_ms: int = 0
    """When the call is given up."""


NOT_CONTROLLER = "NOT_CONTROLLER"
"""The result of a forwarded request at a node that is not the active controller."""

Output: TypeAlias = Reply | NoReply | Close | Send | Forward
