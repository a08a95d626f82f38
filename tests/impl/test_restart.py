"""What a broker finds again after a stop, a kill, the loss of power: STOR-07, STOR-09."""

from __future__ import annotations

from uuid import uuid4

import crc32c
import pytest

from impl.core.config import TopicConfig
from impl.core.log.batch import read_header
from impl.core.log.leader_epochs import EpochStart, LeaderEpochs
from impl.core.log.log import Log, Platform
from impl.core.storage import MemoryStorage, StorageError
from impl.shell.compression import compress, decompress
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import START_MS, TOPIC, World, batch

LOG = f"{TOPIC}-0/00000000000000000000.log"


@pytest.fixture
def world() -> World:
    world = World()
    world.create()
    for value in (b"a", b"b", b"c"):
        world.produce(batch(value))
    return world


@pytest.mark.parametrize("cleanly", [True, False])
def test_topics_records_and_options_survive(world: World, cleanly: bool) -> None:
    world.create("other", num_partitions=3, retention_ms="5")
    topic_id = world.describe("other").topic_id
    world.restart(cleanly=cleanly)
    assert world.values() == [(0, b"a"), (1, b"b"), (2, b"c")]
    assert world.describe("other").topic_id == topic_id
    assert len(world.describe("other").partitions) == 3
    assert world.broker.catalogue.topics["other"].configs == {"retention.ms": "5"}
    assert world.produce(batch(b"d")).base_offset == 3


def test_a_deleted_topic_stays_deleted(world: World) -> None:
    world.delete()
    world.restart(cleanly=False)
    assert TOPIC not in world.broker.catalogue.topics
    assert world.storage.folders() == ["__cluster_metadata-0"]


def test_a_folder_that_outlived_its_topic_is_removed(world: World) -> None:
    left = {
        p: world.storage.read(f"{TOPIC}-0/{p}", 0, 1 << 20)
        for p in world.storage.files(f"{TOPIC}-0")
    }
    world.delete()
    for path, content in left.items():
        world.storage.replace(path, content)
    world.restart(cleanly=False)
    assert world.storage.folders() == ["__cluster_metadata-0"]


@pytest.mark.parametrize("left", [0, 2])
def test_data_that_a_damaged_metadata_log_forgot_is_not_written_over(
    world: World, left: int
) -> None:
    before = world.storage.read(LOG, 0, 1 << 20)
    world.storage.truncate("__cluster_metadata-0/00000000000000000000.log", left)
    with pytest.raises(StorageError, match=f"holds {TOPIC}-0, of which its metadata log knows"):
        world.restart()
    assert world.storage.read(LOG, 0, 1 << 20) == before


def test_a_folder_of_somebody_else_is_left_alone(world: World) -> None:
    world.storage.replace("photos-2024/cat.jpg", b"meow")
    world.restart()
    assert world.storage.files("photos-2024") == ["cat.jpg"]


def test_what_was_flushed_by_a_clean_stop_survives_the_loss_of_power(world: World) -> None:
    world.restart()
    world.lose_power()
    assert len(world.values()) == 3


def test_topics_survive_the_loss_of_power_though_their_records_may_not(world: World) -> None:
    world.lose_power()
    assert world.describe().partitions
    assert world.values() == []
    assert world.produce(batch(b"x")).base_offset == 0


def test_each_start_begins_a_new_leader_epoch(world: World) -> None:
    epochs = []
    for _ in range(3):
        epochs.append(world.leader_epoch())
        world.restart()
    assert epochs == sorted(set(epochs))


def damage(world: World, what: str) -> None:
    content = bytearray(world.storage.read(LOG, 0, 1 << 20))
    last = len(content) - len(batch(b"c"))
    match what:
        case "a torn batch":
            del content[-5:]
        case "a flipped bit":
            content[-1] ^= 1
        case "half a header":
            del content[last + 30 :]
        case "zeros":
            content[last:] = bytes(200)
    world.storage.replace(LOG, bytes(content))


@pytest.mark.parametrize("what", ["a torn batch", "a flipped bit", "half a header", "zeros"])
def test_the_log_is_cut_at_the_first_invalid_batch(world: World, what: str) -> None:
    damage(world, what)
    world.restart(cleanly=False)
    assert world.values() == [(0, b"a"), (1, b"b")]
    assert world.produce(batch(b"d")).base_offset == 2
    assert world.values() == [(0, b"a"), (1, b"b"), (2, b"d")]


def test_segments_behind_a_cut_are_dropped() -> None:
    world = World()
    world.create(segment_bytes="200")
    for i in range(6):
        world.produce(batch(b"%d" % i * 50))
    names = [n for n in world.storage.files(f"{TOPIC}-0") if n.endswith(".log")]
    assert len(names) == 6
    world.storage.truncate(f"{TOPIC}-0/{names[2]}", 50)
    world.restart(cleanly=False)
    assert [offset for offset, _ in world.values()] == [0]
    assert world.offset_at(-1).offset == 2


def test_a_lost_index_is_rebuilt() -> None:
    world = World()
    world.create(index_interval_bytes="100", segment_bytes="2000")
    for i in range(60):
        world.produce(batch(b"%02d" % i * 20, timestamp=START_MS - 60 + i))
    world.broker.stop()
    folder = f"{TOPIC}-0"
    indexes = [n for n in world.storage.files(folder) if n.endswith("index")]
    before = {n: world.storage.read(f"{folder}/{n}", 0, 1 << 20) for n in indexes}
    assert sum(map(len, before.values())) > 0
    for name in indexes:
        world.storage.replace(f"{folder}/{name}", b"nonsense")
    world.restart(cleanly=False)
    closed = [n for n in indexes if n < indexes[-2]]
    assert closed
    assert {n: world.storage.read(f"{folder}/{n}", 0, 1 << 20) for n in closed} == {
        n: before[n] for n in closed
    }
    for i in range(60):
        assert world.offset_at(START_MS - 60 + i).offset == i


@pytest.mark.parametrize("is_flushed", [True, False])
def test_a_log_start_behind_the_lost_end_begins_an_empty_log(
    world: World, is_flushed: bool
) -> None:
    if is_flushed:
        world.restart()
    world.produce(batch(b"d"))
    world.delete_records(4)
    world.lose_power()
    assert world.read(4).error == 0
    assert world.read(3).error == ErrorCode.OFFSET_OUT_OF_RANGE
    assert world.produce(batch(b"e")).base_offset == 4


# Segments


def open_log(storage: MemoryStorage, **options: int) -> Log:
    platform = Platform(storage, crc32c.crc32c, decompress, compress, uuid4)
    return Log(platform, "t-0", TopicConfig(**options), START_MS)  # type: ignore[arg-type]


def test_epochs_that_begin_behind_the_end_of_a_cut_log_are_forgotten() -> None:
    storage = MemoryStorage()
    append(open_log(storage), 0)
    storage.replace("t-0/leader-epoch-checkpoint", b"0\n3\n0 0\n1 1\n2 5\n")
    assert open_log(storage).epochs.entries == [EpochStart(0, 0), EpochStart(1, 1)]


def append(log: Log, base_offset: int, timestamp: int = START_MS, last_delta: int = 0) -> None:
    plain = batch(b"x" * 50, timestamp=timestamp)
    header = read_header(plain)._replace(
        base_offset=base_offset, partition_leader_epoch=0, last_offset_delta=last_delta
    )
    log.append(header, plain[61:], START_MS)


ROLLS: dict[str, tuple[dict[str, int], list[tuple[int, int]]]] = {
    "it would grow too large": ({"segment_bytes": 250}, [(0, 0), (1, 0), (2, 0)]),
    "it is too old": ({"segment_ms": 10}, [(0, 0), (1, 10), (2, 11)]),
    "its index is full": (
        {"segment_index_bytes": 24, "index_interval_bytes": 0},
        [(0, 0), (1, 0), (2, 0)],
    ),
    "an offset does not fit the index": ({}, [(0, 0), (2**31 - 1, 0), (2**31, 0)]),
}


@pytest.mark.parametrize("reason", ROLLS)
def test_a_segment_rolls_when(reason: str) -> None:
    options, appends = ROLLS[reason]
    log = open_log(MemoryStorage(), **options)
    for offset, after_ms in appends[:-1]:
        append(log, offset, START_MS + after_ms)
    assert len(log.segments) == 1
    append(log, appends[-1][0], START_MS + appends[-1][1])
    assert [s.base_offset for s in log.segments] == [0, appends[-1][0]]


def test_gaps_between_offsets_are_read_over() -> None:
    log = open_log(MemoryStorage(), segment_bytes=200)
    for offset in (0, 5, 20):
        append(log, offset)
    for asked, found in {0: 0, 1: 5, 5: 5, 6: 20, 20: 20}.items():
        data = log.read(asked, 1, 100, at_least_one=True)
        assert read_header(data).base_offset == found
    assert not log.read(21, 1, 100, at_least_one=True)


# Leader epochs


def test_the_history_of_epochs_stays_increasing_in_both() -> None:
    epochs = LeaderEpochs()
    assert epochs.assign(1, 0)
    assert not epochs.assign(1, 5)
    assert epochs.assign(3, 5)
    assert epochs.assign(4, 5)
    assert epochs.entries == [EpochStart(1, 0), EpochStart(4, 5)]
    epochs.assign(6, 9)
    assert [epochs.epoch_at(o) for o in (0, 4, 5, 8, 9)] == [1, 1, 4, 4, 6]
    assert epochs.end_of(5, 20) == (4, 9)
    assert epochs.end_of(0, 20) == (0, 0)
    epochs.truncate_start(7)
    assert epochs.entries == [EpochStart(4, 7), EpochStart(6, 9)]
    epochs.truncate_end(9)
    assert epochs.entries == [EpochStart(4, 7)]
