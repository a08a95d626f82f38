"""How old segments leave a log: RETN-01 to RETN-06."""

from __future__ import annotations

from typing import Any

from impl.core.data.messages import EARLIEST, LATEST
from tests.impl.broker_world import START_MS, TOPIC, World, batch, keyed_batch

INTERVAL_MS = 5 * 60_000
SIZE = len(batch(b"x" * 100))


def world_with(count: int = 4, **configs: Any) -> World:
    """One batch in each segment, the first a minute older than the second, and so on."""
    world = World()
    world.create(segment_bytes=str(SIZE), **configs)
    for i in range(count):
        world.produce(batch(b"x" * 100, timestamp=START_MS - (count - i) * 60_000))
    return world


def bounds(world: World) -> tuple[int, int]:
    return world.offset_at(EARLIEST).offset, world.offset_at(LATEST).offset


def test_segments_older_than_the_retention_time_are_deleted() -> None:
    world = world_with(retention_ms=str(INTERVAL_MS + 2 * 60_000))
    world.advance(INTERVAL_MS)
    assert bounds(world) == (2, 4)
    assert [offset for offset, _ in world.values(2)] == [2]
    logs = [n for n in world.storage.files(f"{TOPIC}-0") if n.endswith(".log")]
    assert len(logs) == 2


def test_the_last_segment_goes_too_and_the_offsets_go_on() -> None:
    world = world_with(retention_ms="1")
    world.advance(INTERVAL_MS)
    assert bounds(world) == (4, 4)
    world.restart(cleanly=False)
    assert bounds(world) == (4, 4)
    assert world.produce(batch(b"y")).base_offset == 4


def test_a_young_segment_protects_older_ones_behind_it() -> None:
    world = World()
    world.create(segment_bytes=str(SIZE), retention_ms=str(INTERVAL_MS))
    for timestamp in (START_MS, START_MS - 60_000, START_MS - 60_000):
        world.produce(batch(b"x" * 100, timestamp=timestamp))
    world.advance(INTERVAL_MS)
    assert bounds(world) == (0, 3)


def test_size_retention_keeps_at_least_its_size() -> None:
    for retention, kept in ((4 * SIZE, 4), (3 * SIZE, 3), (3 * SIZE - 1, 3), (0, 0)):
        world = world_with(retention_bytes=str(retention), retention_ms="-1")
        world.advance(INTERVAL_MS)
        assert bounds(world) == (4 - kept, 4), retention


def test_minus_one_means_no_limit() -> None:
    world = world_with(retention_ms="-1", retention_bytes="-1")
    world.advance(10 * INTERVAL_MS)
    assert bounds(world) == (0, 4)


def test_a_compacted_topic_is_not_deleted_from() -> None:
    world = world_with(0, cleanup_policy="compact", retention_ms="1", retention_bytes="0")
    world.produce(keyed_batch([(b"k", b"v")]))
    world.advance(INTERVAL_MS)
    assert bounds(world) == (0, 1)
