"""Fetch sessions: WIRE-10, WIRE-11, TOPC-10."""

from __future__ import annotations

from typing import Any

import pytest

from impl.core.cluster.topics import TopicReference
from impl.core.data.fetch_sessions import EVICTION_MS
from impl.core.data.messages import Fetch, Fetched, FetchPartition
from spec.wire.errors import ErrorCode
from tests.impl.broker_world import TOPIC, World, batch

E = ErrorCode


@pytest.fixture
def world() -> World:
    world = World()
    world.create(num_partitions=3)
    return world


def fetch(world: World, session: tuple[int, int], *partitions: int, **options: Any) -> Fetched:
    topic: TopicReference = options.pop("topic", TOPIC)
    offset = options.pop("offset", 0)
    asked = tuple(FetchPartition(topic, p, offset, 1 << 20) for p in partitions)
    fetched: Fetched = world.ask(
        Fetch(0, 1, 1 << 20, asked, session_id=session[0], session_epoch=session[1], **options)
    )
    return fetched


def opened(world: World, *partitions: int, **options: Any) -> int:
    session_id = fetch(world, (0, 0), *partitions, **options).session_id
    assert session_id > 0
    return session_id


def told(fetched: Fetched) -> list[int]:
    assert fetched.error is E.NONE
    return [p.partition for p in fetched.partitions]


@pytest.mark.parametrize("session_id", [0, 5])
def test_an_unknown_session_is_refused(world: World, session_id: int) -> None:
    assert fetch(world, (session_id, 1)).error is E.FETCH_SESSION_ID_NOT_FOUND


def test_the_first_answer_is_full_and_the_next_only_has_news(world: World) -> None:
    first = fetch(world, (0, 0), 0, 1)
    assert told(first) == [0, 1]
    assert told(fetch(world, (first.session_id, 1))) == []
    world.produce(batch(b"a"), partition=1)
    assert told(fetch(world, (first.session_id, 2))) == [1]


def test_a_moved_log_start_and_a_moved_high_watermark_are_news(world: World) -> None:
    world.produce(batch(b"a"))
    session = opened(world, 0, offset=1)
    world.delete_records(1)
    assert told(fetch(world, (session, 1))) == [0]
    assert told(fetch(world, (session, 2))) == []


def test_partitions_join_and_leave_a_session(world: World) -> None:
    for partition in range(3):
        world.produce(batch(b"a"), partition=partition)
    session = opened(world, 0, 1)
    assert told(fetch(world, (session, 1), 2, forgotten=((TOPIC, 1),))) == [0, 2]


def test_an_error_is_told_each_time(world: World) -> None:
    session = opened(world, 0, 9)
    for epoch in (1, 2):
        (only,) = fetch(world, (session, epoch)).partitions
        assert (only.partition, only.error) == (9, E.UNKNOWN_TOPIC_OR_PARTITION)


@pytest.mark.parametrize("epoch", [2, 3])
def test_another_epoch_than_the_next_is_refused(world: World, epoch: int) -> None:
    session = opened(world, 0)
    assert fetch(world, (session, epoch)).error is E.INVALID_FETCH_SESSION_EPOCH
    assert fetch(world, (session, 1)).error is E.NONE
    assert fetch(world, (session, 1)).error is E.INVALID_FETCH_SESSION_EPOCH


def test_names_and_ids_are_not_mixed(world: World) -> None:
    session = opened(world, 0)
    answer = fetch(world, (session, 1), uses_topic_ids=True)
    assert answer.error is E.FETCH_SESSION_TOPIC_ID_ERROR


@pytest.mark.parametrize("epoch", [0, -1])
def test_a_full_fetch_ends_the_session(world: World, epoch: int) -> None:
    session = opened(world, 0)
    assert fetch(world, (session, epoch), 0).session_id != session
    assert fetch(world, (session, 1)).error is E.FETCH_SESSION_ID_NOT_FOUND


def test_forgetting_all_partitions_ends_the_session(world: World) -> None:
    session = opened(world, 0)
    assert fetch(world, (session, 1), forgotten=((TOPIC, 0),)).session_id == 0
    assert fetch(world, (session, 2)).error is E.FETCH_SESSION_ID_NOT_FOUND


def test_an_id_that_its_name_lost_is_inconsistent(world: World) -> None:
    session = opened(world, 0, topic=world.describe().topic_id, uses_topic_ids=True)
    world.delete()
    answer = fetch(world, (session, 1), uses_topic_ids=True)
    assert answer.partitions[0].error is E.UNKNOWN_TOPIC_ID
    world.create()
    answer = fetch(world, (session, 2), uses_topic_ids=True)
    assert answer.partitions[0].error is E.INCONSISTENT_TOPIC_ID


def test_who_was_served_waits_for_the_others(world: World) -> None:
    sent = batch(b"x" * 100)
    for partition in (0, 1):
        world.produce(sent, partition=partition)
    asked = tuple(FetchPartition(TOPIC, p, 0, 1 << 20) for p in (0, 1))
    session = world.ask(Fetch(0, 1, len(sent), asked, session_epoch=0))
    served = []
    for epoch in (1, 2):
        request = Fetch(0, 1, len(sent), (), session_id=session.session_id, session_epoch=epoch)
        served += [p.partition for p in world.ask(request).partitions if p.records]
    assert served == [1, 0]


def test_sessions_are_bounded_and_silent_ones_make_room() -> None:
    world = World(max_incremental_fetch_session_cache_slots="1")
    world.create()
    first = opened(world, 0)
    assert fetch(world, (0, 0), 0).session_id == 0
    world.advance(EVICTION_MS + 1)
    second = opened(world, 0)
    assert second != first
    assert fetch(world, (first, 1)).error is E.FETCH_SESSION_ID_NOT_FOUND


def test_a_waiting_fetch_of_a_session_wakes_with_the_news(world: World) -> None:
    session = opened(world, 0, 1, 2)
    request = Fetch(500, 1, 1 << 20, (), session_id=session, session_epoch=1)
    call = world.send(request)
    assert call not in world.replies
    world.produce(batch(b"a"), partition=2)
    assert told(world.replies[call]) == [2]
