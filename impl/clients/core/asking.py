"""What the core of a client says to whoever drives it.

Duties of the driver:

1. `Ask` goes to the node it names, or to any that can be reached if it names none, in the highest
   version that both sides have and `newest` permits. `answered` gets the very `Ask` back, once,
   with the body of the response; or with None when there is none, since the connection broke or
   `timeout_ms` ran out.
2. `Done` tells the user of the client what became of something that he asked for.
3. `tick` is called at `next_deadline_ms` at the latest; time never runs backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from impl.wire import Struct


@dataclass(slots=True, eq=False)
class Ask:
    """`context` is the core's own note of what the question was about."""

    node_id: int | None
    api_name: str
    body: Struct
    newest: int
    timeout_ms: int
    context: Any = None
    expects_answer: bool = True


@dataclass(slots=True)
class Done:
    """`handle` is what the user was given; `error` says why `result` is not."""

    handle: Any
    result: Any = None
    error: Exception | None = None


Output: TypeAlias = Ask | Done
