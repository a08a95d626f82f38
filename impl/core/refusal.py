"""How the core says no."""

from __future__ import annotations

from spec.wire.errors import ErrorCode


class KafkaError(Exception):
    """A request, or its part for one topic or partition, gets this error and changes nothing."""

    def __init__(self, error: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or error.name)
        self.error = error
        self.message = message
