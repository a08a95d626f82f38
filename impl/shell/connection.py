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
from impl.shell.frames import Frame, FrameError, Frames, write_parts


class Connection(asyncio.BufferedProtocol):
    def __init__(
        self,
        connection_id: int,
        maximum_size: int,
        on_frame: Callable[[Connection, Frame], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.connection_id = connection_id
        self.client_host = ""
        self.last_active = 0.0
        self.is_busy = False
        self._frames = Frames(maximum_size)
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._is_writable = True
        self._is_paused = False
        self._is_proceeding = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        address: str = transport.get_extra_info("peername")[0]
        self.client_host = f"/{address.removeprefix('::ffff:')}"
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.last_active = self._loop.time()

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._frames.room()

    def buffer_updated(self, count: int) -> None:
        self.last_active = self._loop.time()
        self._frames.arrived(count)
        self._proceed()

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._proceed()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._on_lost(self)

    # Frames

    def _proceed(self) -> None:
        """Hand over the next frame, if the last is answered; stop reading when one is here."""
        self._is_proceeding = True
        try:
            while self._transport is not None and not self.is_busy and self._is_writable:
                frame = self._frames.next()
                if frame is None:
                    break
                self.is_busy = True
                self._on_frame(self, frame)
        except FrameError:  # WIRE-01
            self.abort()
        self._is_proceeding = False
        self._throttle()

    def _throttle(self) -> None:
        """A connection that waits for its answer may send one request ahead, not more."""
        if self._transport is None or self._transport.is_closing():
            return
        pauses = (self.is_busy or not self._is_writable) and self._frames.has_next()
        if pauses != self._is_paused:
            self._is_paused = pauses
            if pauses:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def answer(self, parts: Sequence[Bytes] | None) -> None:
        """The request is dealt with: send the parts, if there are any, and go on."""
        if self._transport is None:
            return
        if parts is not None:
            write_parts(self._transport, parts)
        self.last_active = self._loop.time()
        self.is_busy = False
        # Not at once: the answer may be one of several outputs, and those come first.
        if not self._is_proceeding and self._frames.has_next():
            self._loop.call_soon(self._proceed)

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        """Send what is still to be sent, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
