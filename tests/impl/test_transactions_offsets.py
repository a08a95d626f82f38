"""Offsets that a group commits within a transaction: TxnOffsetCommit."""

from __future__ import annotations

from typing import Any

import pytest

from impl.core.groups.messages import (
    CommitOffsets,
    FetchedOffset,
    FetchOffsets,
    JoinGroup,
    OffsetsOfGroup,
    OffsetToCommit,
    PartitionReference,
    Protocol,
)
from impl.core.groups.messages import ProducerIdentity as GroupProducer
from impl.core.log.markers import ProducerIdentity
from impl.core.transactions.messages import AddOffsets, EndTransaction
from spec.wire.errors import ErrorCode
from tests.impl.transaction_world import OFFSETS, TOPIC, World, identity

PLACE = PartitionReference(TOPIC, 0)


@pytest.fixture
def world() -> World:
    """The offsets of groups are kept elsewhere than the state of transactions."""
    world = World()
    world.elect(OFFSETS, 2)
    return world


def commit(
    world: World, offset: int, producer: ProducerIdentity | None = None, **fields: Any
) -> ErrorCode:
    owner = None if producer is None else GroupProducer(*producer)
    fields = {"api_version": 5, "transactional_id": "t", **fields}
    request = CommitOffsets("g", {PLACE: OffsetToCommit(offset)}, producer=owner, **fields)
    error: ErrorCode = world.ask(request, world.leader(OFFSETS)).errors[PLACE]
    return error


def fetched(world: World, *, require_stable: bool = False) -> FetchedOffset:
    request = FetchOffsets((OffsetsOfGroup("g", (PLACE,)),), require_stable=require_stable)
    (group,) = world.ask(request, world.leader(OFFSETS)).groups
    found: FetchedOffset = group.offsets[PLACE]
    return found


def end(world: World, producer: ProducerIdentity, *, commits: bool) -> None:
    assert not world.ask(EndTransaction("t", producer, commits, 4)).error


@pytest.mark.parametrize("commits", [True, False])
def test_offsets_wait_for_the_decision(world: World, commits: bool) -> None:
    producer = identity(world.init())
    assert not commit(world, 10)
    assert not commit(world, 30, producer)
    assert fetched(world).offset == 10
    unstable = fetched(world, require_stable=True)
    assert unstable.error is ErrorCode.UNSTABLE_OFFSET_COMMIT
    end(world, producer, commits=commits)
    assert fetched(world, require_stable=True).offset == (30 if commits else 10)


def test_the_later_record_counts_not_the_later_decision(world: World) -> None:
    producer = identity(world.init())
    assert not commit(world, 30, producer)
    assert not commit(world, 25)
    end(world, producer, commits=True)
    assert fetched(world).offset == 25


@pytest.mark.parametrize("commits", [True, False, None])
def test_replaying_the_log_gives_the_same(world: World, commits: bool | None) -> None:
    producer = identity(world.init())
    assert not commit(world, 10)
    assert not commit(world, 30, producer)
    if commits is not None:
        end(world, producer, commits=commits)
    before = fetched(world), fetched(world, require_stable=True)
    world.restart(2)
    assert (fetched(world), fetched(world, require_stable=True)) == before
    world.elect(OFFSETS, 3)
    assert (fetched(world), fetched(world, require_stable=True)) == before
    if commits is None:
        end(world, producer, commits=True)
        assert fetched(world, require_stable=True).offset == 30


@pytest.mark.parametrize(
    ("version", "error"),
    [(3, ErrorCode.INVALID_TXN_STATE), (4, ErrorCode.TRANSACTION_ABORTABLE)],
)
def test_older_clients_add_the_group_first(world: World, version: int, error: ErrorCode) -> None:
    producer = identity(world.init())
    assert commit(world, 30, producer, api_version=version) is error
    assert not world.ask(AddOffsets("t", producer, "g")).error
    assert not commit(world, 30, producer, api_version=version)
    end(world, producer, commits=True)
    assert fetched(world).offset == 30


def test_a_fenced_producer_commits_nothing(world: World) -> None:
    zombie = identity(world.init())
    world.init()
    assert commit(world, 30, zombie) is ErrorCode.INVALID_PRODUCER_EPOCH
    assert fetched(world) == FetchedOffset()


def test_while_nobody_coordinates_the_transaction_a_commit_is_to_be_repeated(
    world: World,
) -> None:
    producer = identity(world.init())
    world.losing = lambda _: True
    assert commit(world, 30, producer) is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    world.losing = lambda _: False
    assert not commit(world, 30, producer)


def test_only_members_commit_in_a_transaction(world: World) -> None:
    producer = identity(world.init())
    join = JoinGroup("g", "", 10_000, 10_000, "consumer", (Protocol("range", b""),), api_version=3)
    world.send(join, world.leader(OFFSETS))
    world.advance(4_000)
    stranger = commit(world, 30, producer, generation_id=1, member_id="stranger")
    assert stranger is ErrorCode.UNKNOWN_MEMBER_ID
    (member,) = world.leader(OFFSETS).groups.coordinator._shards.at(0).groups["g"].members
    late = commit(world, 30, producer, generation_id=7, member_id=member)
    assert late is ErrorCode.ILLEGAL_GENERATION
    end(world, producer, commits=True)
    assert fetched(world) == FetchedOffset()


def test_a_marker_that_is_not_committed_makes_no_offset_visible(world: World) -> None:
    producer = identity(world.init())
    assert not commit(world, 30, producer)
    world.demand_follower(OFFSETS, 3)
    end(world, producer, commits=True)
    request = FetchOffsets((OffsetsOfGroup("g", (PLACE,)),))
    assert world.ask(request, world.leader(OFFSETS)) is None
    world.replicate(OFFSETS, 3)
    assert fetched(world).offset == 30
