"""What an API looks like from the side of the node that asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from impl.wire import Struct


@dataclass(frozen=True, slots=True)
class Asking:
    """`write(request)` puts what the core asks in words of one version; `read` is the answer.

    All nodes of a cluster are of one make, so one version is enough.
    """

    api_name: str
    version: int
    write: Callable[[Any], Struct]
    read: Callable[[Struct], Any]
