"""What arrives on a connection, cut into frames: a size, and as many bytes (WIRE-01).

Both sides of a connection read through this. The bytes go from the socket to where they stay:
small frames through one buffer of the connection, a large one into a buffer of its own, which
grows with what arrives and not with what was announced. What a frame means is others' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from impl.core.storage import Bytes

Frame: TypeAlias = bytes | memoryview

SIZE_LENGTH = 4
_CAPACITY = 16 << 10
_FIRST_LARGE = 1 << 20
_LARGE_PART = 64 << 10


class FrameError(Exception):
    """A size that no frame may have; the connection is of no more use."""


class Frames:
    def __init__(self, maximum_size: int) -> None:
        self._maximum_size = maximum_size
        self._buffer = bytearray(_CAPACITY)
        self._start = 0
        self._end = 0
        self._large: bytearray | None = None
        self._large_size = 0
        self._filled = 0

    def room(self) -> memoryview:
        """Where the next bytes are to be put; never empty while no frame is complete."""
        if self._large is None and self._begins_large():
            self._begin_large()
        if self._large is not None:
            if self._filled == len(self._large):
                self._large += bytes(min(self._large_size - self._filled, self._filled))
            return memoryview(self._large)[self._filled :]
        if self._start:
            self._buffer[: self._end - self._start] = self._buffer[self._start : self._end]
            self._start, self._end = 0, self._end - self._start
        return memoryview(self._buffer)[self._end :]

    def arrived(self, count: int) -> None:
        """So many bytes were put into the room."""
        if self._large is not None:
            self._filled += count
        else:
            self._end += count

    def has_next(self) -> bool:
        """Whether `next` has something to say, be it a frame or an error."""
        if self._large is not None:
            return self._filled == self._large_size
        size = self._announced()
        return size is not None and (
            not self._may_be(size) or self._start + SIZE_LENGTH + size <= self._end
        )

    def next(self) -> Frame | None:
        """The next frame without its size, if it is complete. Raises FrameError."""
        if self._large is not None:
            return self._take_large() if self._filled == self._large_size else None
        size = self._announced()
        if size is None:
            return None
        if not self._may_be(size):
            raise FrameError(f"a frame of {size} bytes, where {self._maximum_size} are the most")
        start = self._start + SIZE_LENGTH
        if start + size <= self._end:
            self._start = start + size
            return bytes(memoryview(self._buffer)[start : start + size])
        return None

    def _announced(self) -> int | None:
        end = self._start + SIZE_LENGTH
        if end > self._end:
            return None
        return int.from_bytes(self._buffer[self._start : end], "big", signed=True)

    def _may_be(self, size: int) -> bool:
        return 0 <= size <= self._maximum_size

    def _begins_large(self) -> bool:
        size = self._announced()
        return size is not None and size > _CAPACITY - SIZE_LENGTH and self._may_be(size)

    def _begin_large(self) -> None:
        size = self._announced() or 0
        begun = memoryview(self._buffer)[self._start + SIZE_LENGTH : self._end]
        self._large = bytearray(min(size, _FIRST_LARGE))
        self._large[: len(begun)] = begun
        self._large_size, self._filled = size, len(begun)
        self._start = self._end = 0

    def _take_large(self) -> memoryview:
        assert self._large is not None
        frame = memoryview(self._large).toreadonly()
        self._large = None
        return frame


def write_parts(transport: asyncio.WriteTransport, parts: Sequence[Bytes]) -> None:
    """Send the parts, as one packet if they are small; a large part is not copied for that."""
    small: list[Bytes] = []
    for part in parts:
        if len(part) < _LARGE_PART:
            small.append(part)
            continue
        if small:
            transport.write(b"".join(small))
            small.clear()
        transport.write(part)
    if small:
        transport.write(b"".join(small))
