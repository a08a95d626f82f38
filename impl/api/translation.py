"""What an API looks like from both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from impl.wire import Request, Struct


@dataclass(frozen=True, slots=True)
class Translation:
    """`read(request, client_host)` is what the core is asked; `write` puts its result in words.

    Only the versions that are served are advertised.
    """

    read: Callable[[Request, str], Any]
    write: Callable[[Request, Any], Struct]
    versions: range
