"""One request that waits for its answer, and how the answer goes back.

An answer is written in the words of its request. That of a request that another node forwarded
goes back in an envelope; what could not be answered costs the connection that asked, and no other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from impl.api.envelope import Enclosed, answer_envelope, refuse_envelope
from impl.api.served import SERVED
from impl.core.events import NOT_CONTROLLER
from impl.core.storage import Bytes
from impl.wire import Request, Struct, encode_response
from impl.wire.frames import SIZE
from spec.wire.errors import ErrorCode

_log = logging.getLogger("brokerspec.broker")


class Asker(Protocol):
    """Who waits for the answer: `impl.shell.connection.Connection`, or what stands before it."""

    @property
    def connection_id(self) -> int: ...
    @property
    def client_host(self) -> str: ...
    def answer(self, parts: Sequence[Bytes] | None) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


@dataclass(slots=True, eq=False)
class Exchange:
    """`enclosed`: the frame as it came, to be forwarded; `envelope`: what it came in, if any."""

    connection: Asker
    request: Request
    enclosed: Enclosed
    envelope: Request | None = None

    def question(self) -> Any:
        """What the core is asked. Raises what a translation raises."""
        return SERVED[self.request.api_name].read(self.request, self.enclosed.client_host)

    def reply(self, result: Any) -> None:
        if result is NOT_CONTROLLER and self.envelope is not None:
            self._answer(self.envelope, refuse_envelope(ErrorCode.NOT_CONTROLLER))
            return
        try:
            body = SERVED[self.request.api_name].write(self.request, result)
            parts = encode_response(self.request, body)
        except Exception:
            _log.exception("the answer to %s cannot be written", self.request.api_name)
            self.connection.abort()
            return
        if self.envelope is None:
            self.connection.answer(parts)
        else:
            self._answer(self.envelope, answer_envelope(parts))

    def pass_on(self, frame: bytes) -> None:
        """Another node has written the answer."""
        self.connection.answer((SIZE.pack(len(frame)), frame))

    def end(self) -> None:
        """There is no answer, and none is missed."""
        self.connection.answer(None)

    def close(self) -> None:
        self.connection.close()

    def _answer(self, request: Request, body: Struct) -> None:
        self.connection.answer(encode_response(request, body))
