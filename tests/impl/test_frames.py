"""Bytes cut into frames, however they arrive. WIRE-01."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.shell.frames import FrameError, Frames

LIMIT = 5_000_000


def put(frames: Frames, data: bytes) -> int:
    """As many bytes as the reader has room for."""
    room = frames.room()
    count = min(len(room), len(data))
    room[:count] = data[:count]
    frames.arrived(count)
    return count


@given(
    sizes=st.lists(st.one_of(st.integers(0, 50), st.integers(16_000, 40_000)), max_size=12),
    steps=st.lists(st.integers(1, 30_000), min_size=1),
    waits=st.booleans(),
)
def test_frames_come_out_as_they_went_in(sizes: list[int], steps: list[int], waits: bool) -> None:
    """In pieces of any size, taken at once or only when no more may be read."""
    sent = [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    stream = b"".join(struct.pack(">i", len(frame)) + frame for frame in sent)
    frames, position, step = Frames(LIMIT), 0, 0
    received: list[bytes] = []
    while len(received) < len(sent):
        if position < len(stream) and not (waits and frames.has_next()):
            piece = stream[position : position + steps[step % len(steps)]]
            position += put(frames, piece)
            step += 1
            if waits:
                continue
        while (frame := frames.next()) is not None:
            received.append(bytes(frame))
    assert received == sent
    assert not frames.has_next()


def test_a_frame_grows_with_what_arrives() -> None:
    frames = Frames(LIMIT)
    content = bytes(range(256)) * 16_000
    stream = struct.pack(">i", len(content)) + content
    largest = position = 0
    while not frames.has_next():
        largest = max(largest, len(frames.room()))
        position += put(frames, stream[position:])
    assert largest <= 2_200_000
    frame = frames.next()
    assert isinstance(frame, memoryview)
    assert frame.readonly
    assert frame == content


@pytest.mark.parametrize("size", [-1, LIMIT + 1, -(2**31)])
def test_a_size_that_cannot_be_is_an_error(size: int) -> None:
    frames = Frames(LIMIT)
    put(frames, struct.pack(">i", size))
    assert frames.has_next()
    with pytest.raises(FrameError):
        frames.next()
