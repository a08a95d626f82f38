"""Kafka's small files beside the logs: recovery points and how far logs are clean."""

from __future__ import annotations

from impl.core.cluster.topics import TopicPartition
from impl.core.log.checkpoints import OffsetCheckpoint
from impl.core.storage import MemoryStorage
from tests.impl.broker_world import TOPIC, World, batch, keyed_batch

AT = TopicPartition(TOPIC, 0)
MINUTE_MS = 60_000
SIZE = len(batch(b"x" * 100))


def noted(storage: MemoryStorage, name: str) -> int:
    return OffsetCheckpoint(storage, name).get(AT)


def records(world: World) -> list[tuple[int, bytes | None]]:
    """All that a reader gets who asks again and again."""
    found: list[tuple[int, bytes | None]] = []
    while more := world.values(found[-1][0] + 1 if found else 0):
        found += more
    return found


def recovery_point(world: World) -> int:
    return noted(world.storage, "recovery-point-offset-checkpoint")


def test_closed_segments_need_no_check_after_a_crash() -> None:
    world = World()
    world.create(segment_bytes=str(2 * SIZE))
    for _ in range(5):
        world.produce(batch(b"x" * 100))
    world.advance(MINUTE_MS)
    assert recovery_point(world) == 4
    world.lose_power()
    assert [offset for offset, _ in records(world)] == [0, 1, 2, 3]


def test_after_a_clean_stop_nothing_needs_a_check() -> None:
    world = World()
    world.create()
    world.produce(batch(b"x"))
    world.restart()
    assert recovery_point(world) == 1


def test_a_cut_log_is_checked_from_the_cut_on() -> None:
    world = World()
    world.create(segment_bytes=str(2 * SIZE))
    for _ in range(5):
        world.produce(batch(b"x" * 100))
    world.advance(MINUTE_MS)
    log = world.broker.partitions.find(TOPIC, 0).log
    log.truncate_to(3)
    assert recovery_point(world) == log.recovery_point == 3


def test_the_broker_compacts() -> None:
    world = World(log_cleaner_backoff_ms="1000")
    world.create(cleanup_policy="compact", segment_bytes=str(SIZE))
    for value in (b"1", b"2", b"3"):
        world.produce(keyed_batch([(b"key", value)]))
        world.produce(keyed_batch([(value, b"x" * 60)]))
    world.advance(MINUTE_MS)
    kept = [value for _, value in records(world) if value in (b"1", b"2", b"3")]
    assert kept == [b"3"]
    assert noted(world.storage, "cleaner-offset-checkpoint") > 0
    before = records(world)
    world.restart()
    assert records(world) == before
