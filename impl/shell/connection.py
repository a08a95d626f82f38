"""One client connection: frames in, frames out, one request at a time.

The next request is not looked at before the last one is answered, and nothing is read while the
client does not take its answers: that is all the back-pressure there is, and it bounds every
buffer (WIRE-01, WIRE-02). What a frame means is the server's business.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import cast

from impl.core.storage import Bytes

_SIZE_LENGTH = 4


class Connection(asyncio.Protocol):
    def __init__(
        self,
        maximum_size: int,
        on_frame: Callable[[Connection, bytes], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.client_host = ""
        self.last_active = 0.0
        self.is_busy = False
        self._maximum_size = maximum_size
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._is_writable = True
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.client_host = f"/{transport.get_extra_info('peername')[0]}"
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.last_active = self._loop.time()

    def data_received(self, data: bytes) -> None:
        self.last_active = self._loop.time()
        self._buffer += data
        self._proceed()

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._proceed()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._buffer.clear()
        self._on_lost(self)

    # Frames

    def _proceed(self) -> None:
        """Hand over the next frame, if the last is answered; stop reading when enough is here."""
        while self._transport is not None and not self.is_busy and self._is_writable:
            frame = self._next_frame()
            if frame is None:
                break
            self.is_busy = True
            self._on_frame(self, frame)
        self._throttle()

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < _SIZE_LENGTH:
            return None
        size = int.from_bytes(self._buffer[:_SIZE_LENGTH], "big", signed=True)
        if not 0 <= size <= self._maximum_size:  # WIRE-01
            self.abort()
            return None
        end = _SIZE_LENGTH + size
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            frame = bytes(view[_SIZE_LENGTH:end])
        del self._buffer[:end]
        return frame

    def _throttle(self) -> None:
        """A connection that waits for its answer may send one request ahead, not more."""
        if self._transport is None or self._transport.is_closing():
            return
        waits = self.is_busy or not self._is_writable
        if waits and len(self._buffer) > self._needed():
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _needed(self) -> int:
        if len(self._buffer) < _SIZE_LENGTH:
            return _SIZE_LENGTH
        size = int.from_bytes(self._buffer[:_SIZE_LENGTH], "big", signed=True)
        return _SIZE_LENGTH + min(max(size, 0), self._maximum_size)

    def answer(self, parts: Sequence[Bytes] | None) -> None:
        """The request is dealt with: send the parts, if there are any, and go on."""
        if self._transport is None:
            return
        if parts is not None:
            self._transport.writelines(parts)
        self.last_active = self._loop.time()
        self.is_busy = False
        # Not at once: an answer may come out of `_proceed`, which then goes on by itself.
        self._loop.call_soon(self._proceed)

    def close(self) -> None:
        """Send what is still to be sent, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
