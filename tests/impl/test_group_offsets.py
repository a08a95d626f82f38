"""Committed offsets: who may commit, what a fetch says, what is deleted, and what expires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from impl.core.cluster.metadata_records import RemoveTopicRecord
from impl.core.cluster.topics import TopicPartition
from impl.core.groups.messages import (
    CommitOffsets,
    DeleteGroups,
    DeleteOffsets,
    FetchedOffset,
    FetchOffsets,
    OffsetsOfGroup,
    OffsetToCommit,
    PartitionReference,
    ProducerIdentity,
    Protocol,
)
from impl.core.groups.records import OffsetRecord
from spec.wire.errors import ErrorCode
from tests.impl.group_world import CONFIG, GROUP, ORDERS, PAYMENTS, SESSION_MS, World

RETENTION_MS = CONFIG.offsets_retention_ms
CHECK_MS = CONFIG.offsets_retention_check_interval_ms
PRODUCER = ProducerIdentity(7, 0)
NOTHING = FetchedOffset()
ORDERS_ID = UUID(int=1)
ORDERS_BY_ID = PartitionReference(ORDERS_ID, 0)
NO_TOPIC = PartitionReference("no-topic", 0)
NO_TOPIC_ID = PartitionReference(UUID(int=99), 0)
NO_PARTITION = PartitionReference("orders", 99)


def member_of(world: World) -> dict[str, Any]:
    """A stable group with one member: what its commits name."""
    (leader,) = world.stable_group(1)
    return {"generation_id": 1, "member_id": leader.reply.member_id}


# Commit and fetch


def test_a_fetch_returns_the_last_commit() -> None:
    world = World()
    me = member_of(world)
    world.commit(10, leader_epoch=3, metadata="here", **me)
    assert world.fetch() == FetchedOffset(10, 3, "here")
    world.commit(4, **me)
    assert world.fetch() == FetchedOffset(4, -1, "")


def test_a_fetch_of_what_was_never_committed_is_no_error() -> None:
    world = World()
    assert world.fetch() == NOTHING
    world.commit(1)
    assert world.fetch(PAYMENTS) == NOTHING


def test_a_fetch_of_everything_names_what_has_an_offset() -> None:
    world = World()
    world.commit(1, ORDERS)
    world.commit(2, PAYMENTS)
    wanted = (OffsetsOfGroup(GROUP, None), OffsetsOfGroup("nobody", None))
    mine, nobodys = world.ask(FetchOffsets(wanted)).reply.groups
    assert {at: each.offset for at, each in mine.offsets.items()} == {ORDERS: 1, PAYMENTS: 2}
    assert nobodys.offsets == {}


def test_a_stale_generation_may_not_commit() -> None:
    world = World()
    me = member_of(world)
    world.commit(5, **me)
    for generation_id in (0, 2):
        stale = me | {"generation_id": generation_id}
        assert world.commit(6, **stale) is ErrorCode.ILLEGAL_GENERATION
    assert world.commit(6, **(me | {"member_id": "x"})) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.fetch().offset == 5


def test_a_commit_between_join_and_sync_is_refused() -> None:
    world = World()
    member_id, _ = world.first_join()
    world.pass_time(CONFIG.group_initial_rebalance_delay_ms)
    me: dict[str, Any] = {"generation_id": 1, "member_id": member_id}
    assert world.commit(1, **me) is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.fetch() == NOTHING


def test_a_commit_while_the_group_prepares_a_rebalance_is_accepted() -> None:
    world = World()
    me = member_of(world)
    world.first_join()
    assert world.state == "PreparingRebalance"
    assert world.commit(1, **me) is ErrorCode.NONE


def test_a_commit_without_generation_needs_an_empty_group() -> None:
    world = World()
    assert world.commit(1) is ErrorCode.NONE
    member_of(world)
    assert world.commit(2) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.commit(2, member_id="x") is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.fetch().offset == 1


@pytest.mark.parametrize(
    ("api_version", "error"),
    [(8, ErrorCode.ILLEGAL_GENERATION), (9, ErrorCode.GROUP_ID_NOT_FOUND)],
)
def test_the_error_for_an_unknown_group_depends_on_the_version(
    api_version: int, error: ErrorCode
) -> None:
    fields: dict[str, Any] = {"generation_id": 1, "member_id": "x", "api_version": api_version}
    assert World().commit(1, **fields) is error


def test_a_replaced_static_member_may_not_commit() -> None:
    world = World()
    joined = world.join(group_instance_id="a")
    world.pass_time(CONFIG.group_initial_rebalance_delay_ms)
    world.settle(joined)
    world.join(group_instance_id="a")
    me = joined.reply.member_id
    committed = world.commit(1, member_id=me, group_instance_id="a", generation_id=1)
    assert committed is ErrorCode.FENCED_INSTANCE_ID


def test_metadata_has_a_limit_per_partition() -> None:
    world = World()
    limit = CONFIG.offset_metadata_max_bytes
    offsets = {
        ORDERS: OffsetToCommit(1, metadata="x" * (limit + 1)),
        PAYMENTS: OffsetToCommit(2, metadata="x" * limit),
    }
    reply = world.ask(CommitOffsets(GROUP, offsets)).reply
    assert reply.errors == {
        ORDERS: ErrorCode.OFFSET_METADATA_TOO_LARGE,
        PAYMENTS: ErrorCode.NONE,
    }
    assert world.fetch(ORDERS) == NOTHING
    assert world.fetch(PAYMENTS).offset == 2


def test_a_partition_that_does_not_exist_takes_no_commit() -> None:
    world = World()
    offsets = {ORDERS: OffsetToCommit(1), NO_PARTITION: OffsetToCommit(2)}
    reply = world.ask(CommitOffsets(GROUP, offsets)).reply
    assert reply.errors[ORDERS] is ErrorCode.NONE
    assert reply.errors[NO_PARTITION] is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert world.commit(2, NO_TOPIC) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert world.commit(2, NO_TOPIC_ID) is ErrorCode.UNKNOWN_TOPIC_ID


def test_newer_clients_refer_to_topics_by_id() -> None:
    world = World()
    assert world.commit(3, ORDERS_BY_ID) is ErrorCode.NONE
    assert world.fetch(ORDERS).offset == world.fetch(ORDERS_BY_ID).offset == 3
    assert world.fetch(NO_TOPIC_ID).error is ErrorCode.UNKNOWN_TOPIC_ID
    everything = FetchOffsets((OffsetsOfGroup(GROUP, None),), refers_by_id=True)
    assert list(world.ask(everything).reply.groups[0].offsets) == [ORDERS_BY_ID]
    world.catalogue.apply(RemoveTopicRecord(ORDERS_ID))
    assert world.ask(everything).reply.groups[0].offsets == {}


# What is committed in the log


def test_a_commit_is_answered_once_the_log_has_committed_it() -> None:
    world = World()
    world.commits_at_once = False
    committed = world.ask_commit(1)
    assert committed.is_parked
    world.commit_log()
    assert committed.reply.errors == {ORDERS: ErrorCode.NONE}


def test_a_fetch_does_not_show_what_may_still_be_lost() -> None:
    world = World()
    world.commits_at_once = False
    world.ask_commit(1)
    fetched = world.ask(FetchOffsets((OffsetsOfGroup(GROUP, (ORDERS,)),)))
    assert fetched.is_parked
    world.commit_log()
    assert fetched.reply.groups[0].offsets[ORDERS].offset == 1


def test_a_commit_that_is_not_committed_in_time_fails() -> None:
    world = World()
    world.commits_at_once = False
    committed = world.ask_commit(1)
    fetched = world.ask(FetchOffsets((OffsetsOfGroup(GROUP, (ORDERS,)),)))
    world.pass_time(CONFIG.offsets_commit_timeout_ms)
    assert committed.reply.errors == {ORDERS: ErrorCode.COORDINATOR_NOT_AVAILABLE}
    assert fetched.reply.groups[0].error is ErrorCode.NOT_COORDINATOR


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE),
        (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR),
        (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR),
    ],
)
def test_a_commit_that_cannot_be_appended_changes_nothing(
    refusal: ErrorCode, error: ErrorCode
) -> None:
    world = World()
    world.commit(1)
    world.refuses_appends = refusal
    assert world.commit(2) is error
    assert world.fetch().offset == 1


# Offsets in a transaction


def test_an_offset_in_a_transaction_shows_when_the_transaction_commits() -> None:
    world = World()
    world.commit(1)
    assert world.commit(2, producer=PRODUCER) is ErrorCode.NONE
    assert world.fetch().offset == 1
    assert world.fetch(require_stable=True).error is ErrorCode.UNSTABLE_OFFSET_COMMIT
    world.coordinator.end_transaction(world.partition(), PRODUCER.producer_id, commit=True)
    assert world.fetch(require_stable=True).offset == 2


def test_an_offset_in_an_aborted_transaction_never_shows() -> None:
    world = World()
    world.commit(1)
    world.commit(2, producer=PRODUCER)
    world.coordinator.end_transaction(world.partition(), PRODUCER.producer_id, commit=False)
    assert world.fetch(require_stable=True).offset == 1


def test_a_commit_after_the_one_in_the_transaction_counts() -> None:
    world = World()
    world.commit(2, producer=PRODUCER)
    world.commit(3)
    world.coordinator.end_transaction(world.partition(), PRODUCER.producer_id, commit=True)
    assert world.fetch().offset == 3


def test_a_transaction_may_name_no_member_while_the_group_has_some() -> None:
    world = World()
    me = member_of(world)
    assert world.commit(2, producer=PRODUCER) is ErrorCode.NONE
    stale = me | {"generation_id": 0}
    assert world.commit(2, producer=PRODUCER, **stale) is ErrorCode.ILLEGAL_GENERATION


def test_a_transaction_of_an_unknown_group_is_of_an_illegal_generation() -> None:
    fields: dict[str, Any] = {"generation_id": 1, "member_id": "x", "producer": PRODUCER}
    assert World().commit(1, **fields) is ErrorCode.ILLEGAL_GENERATION


# OffsetDelete and DeleteGroups


def delete(world: World, *partitions: PartitionReference) -> dict[PartitionReference, ErrorCode]:
    reply = world.ask(DeleteOffsets(GROUP, partitions)).reply
    assert reply.error is ErrorCode.NONE
    return dict(reply.errors)


def test_offsets_of_a_subscribed_topic_are_not_deleted() -> None:
    world = World()
    me = member_of(world)
    world.commit(1, ORDERS, **me)
    world.commit(2, PAYMENTS, **me)
    assert delete(world, ORDERS, PAYMENTS, NO_TOPIC) == {
        ORDERS: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
        PAYMENTS: ErrorCode.NONE,
        NO_TOPIC: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    assert world.fetch(ORDERS).offset == 1
    assert world.fetch(PAYMENTS) == NOTHING


def test_offsets_of_an_empty_group_are_deleted() -> None:
    world = World()
    me = member_of(world)
    world.commit(1, **me)
    world.leave(me["member_id"])
    assert delete(world, ORDERS) == {ORDERS: ErrorCode.NONE}
    assert world.fetch() == NOTHING


def test_a_subscription_that_cannot_be_read_protects_every_topic() -> None:
    world = World()
    world.stable_group(1, protocols=(Protocol("range", b"?"),))
    assert delete(world, PAYMENTS) == {PAYMENTS: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC}


def test_offsets_of_a_group_that_is_no_consumer_are_deleted_only_while_it_is_empty() -> None:
    world = World()
    world.stable_group(1, protocol_type="connect")
    request = DeleteOffsets(GROUP, (ORDERS,))
    assert world.ask(request).error is ErrorCode.NON_EMPTY_GROUP


@pytest.mark.parametrize(
    ("group_id", "error"),
    [("", ErrorCode.INVALID_GROUP_ID), ("nobody", ErrorCode.GROUP_ID_NOT_FOUND)],
)
def test_offsets_of_an_unknown_group_cannot_be_deleted(group_id: str, error: ErrorCode) -> None:
    assert World().ask(DeleteOffsets(group_id, (ORDERS,))).error is error


def test_only_an_empty_group_is_deleted() -> None:
    world = World()
    me = member_of(world)
    world.commit(1, **me)
    request = DeleteGroups((GROUP, "nobody"))
    assert world.ask(request).reply.errors == {
        GROUP: ErrorCode.NON_EMPTY_GROUP,
        "nobody": ErrorCode.GROUP_ID_NOT_FOUND,
    }
    world.leave(me["member_id"])
    assert world.ask(DeleteGroups((GROUP,))).reply.errors == {GROUP: ErrorCode.NONE}
    assert world.state == "Dead"
    assert world.fetch() == NOTHING


def test_what_the_log_refuses_is_not_deleted() -> None:
    world = World()
    world.commit(1)
    world.refuses_appends = ErrorCode.NOT_LEADER_OR_FOLLOWER
    deleted = world.ask(DeleteGroups((GROUP,))).reply
    assert deleted.errors == {GROUP: ErrorCode.NOT_COORDINATOR}
    assert world.ask(DeleteOffsets(GROUP, (ORDERS,))).error is ErrorCode.NOT_COORDINATOR
    world.refuses_appends = None
    assert world.fetch().offset == 1


def test_a_member_id_given_before_the_group_was_deleted_means_nothing() -> None:
    world = World()
    pending = world.join().reply.member_id
    world.ask(DeleteGroups((GROUP,)))
    assert world.join(pending).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_offsets_of_deleted_partitions_are_forgotten() -> None:
    world = World()
    world.commit(1, ORDERS)
    world.commit(2, PAYMENTS)
    world.coordinator.partitions_deleted([TopicPartition("orders", 0)])
    assert world.fetch(ORDERS) == NOTHING
    assert world.fetch(PAYMENTS).offset == 2


def test_offsets_of_deleted_partitions_are_forgotten_in_open_transactions_too() -> None:
    world = World()
    world.commit(1, ORDERS, producer=PRODUCER)
    world.coordinator.partitions_deleted([TopicPartition("orders", 0)])
    world.coordinator.end_transaction(world.partition(), PRODUCER.producer_id, commit=True)
    assert world.fetch() == NOTHING


# Expiry


def test_offsets_of_a_simple_consumer_live_from_their_commit() -> None:
    world = World()
    world.commit(1, ORDERS)
    world.pass_time(RETENTION_MS - CHECK_MS)
    world.commit(2, PAYMENTS)
    assert world.fetch(ORDERS).offset == 1
    world.pass_time(2 * CHECK_MS)
    assert world.fetch(ORDERS) == NOTHING
    assert world.fetch(PAYMENTS).offset == 2


def test_offsets_of_an_empty_group_live_from_when_it_became_empty() -> None:
    world = World()
    me = member_of(world)
    world.commit(1, **me)
    quiet_ms = SESSION_MS - 1
    for _ in range(RETENTION_MS // quiet_ms + 10):
        world.pass_time(quiet_ms)
        world.heartbeat(me["member_id"], 1)
    world.leave(me["member_id"])
    world.pass_time(RETENTION_MS - CHECK_MS)
    assert world.fetch().offset == 1
    world.pass_time(2 * CHECK_MS)
    assert world.fetch() == NOTHING


def test_a_group_goes_with_its_last_offset() -> None:
    world = World()
    world.commit(1)
    assert world.state == "Empty"
    world.pass_time(RETENTION_MS + CHECK_MS)
    assert world.state == "Dead"


def test_offsets_of_a_topic_no_longer_subscribed_expire_in_a_stable_group() -> None:
    config = replace(CONFIG, offsets_retention_minutes=1)
    world = World(replace(config, offsets_retention_check_interval_ms=1_000))
    me = member_of(world)
    world.commit(1, ORDERS, **me)
    world.commit(2, PAYMENTS, **me)
    for _ in range(62):
        world.pass_time(1_000)
        assert world.heartbeat(me["member_id"], 1) is ErrorCode.NONE
    assert world.fetch(ORDERS).offset == 1
    assert world.fetch(PAYMENTS) == NOTHING


def test_offsets_do_not_expire_while_the_group_is_rebalancing() -> None:
    config = replace(CONFIG, offsets_retention_minutes=1)
    world = World(replace(config, offsets_retention_check_interval_ms=1_000))
    fields = {"session_timeout_ms": 1_000_000, "rebalance_timeout_ms": 200_000}
    (leader,) = world.stable_group(1, **fields)
    world.commit(2, PAYMENTS, generation_id=1, member_id=leader.reply.member_id)
    world.first_join(**fields)
    world.pass_time(100_000)
    assert world.state == "PreparingRebalance"
    assert world.fetch(PAYMENTS).offset == 2


def test_offsets_do_not_expire_under_an_open_transaction() -> None:
    world = World()
    world.commit(1)
    world.commit(2, producer=PRODUCER)
    world.pass_time(RETENTION_MS + CHECK_MS)
    assert world.fetch().offset == 1


def test_an_old_client_may_name_its_own_retention_time() -> None:
    world = World()
    world.commit(1, retention_time_ms=RETENTION_MS * 2, api_version=4)
    world.pass_time(RETENTION_MS + CHECK_MS)
    assert world.fetch().offset == 1
    world.pass_time(RETENTION_MS)
    assert world.fetch() == NOTHING


def test_expiry_that_the_log_refuses_is_tried_again() -> None:
    world = World()
    world.commit(1)
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    world.pass_time(RETENTION_MS + CHECK_MS)
    assert world.fetch().offset == 1
    world.refuses_appends = None
    world.pass_time(CHECK_MS)
    assert world.fetch() == NOTHING
    last = [entry.record for entry in world.logs[world.partition()]][-2:]
    assert last[0] == OffsetRecord(GROUP, TopicPartition("orders", 0), None)
