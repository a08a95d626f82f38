"""What a coordinator knows once its log is loaded, and what it says when the log is elsewhere."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from impl.core.cluster.metadata_records import PartitionRecord, TopicRecord
from impl.core.cluster.topics import OFFSETS_TOPIC
from impl.core.groups.messages import (
    CommitOffsets,
    DeleteGroups,
    DescribeGroups,
    FetchOffsets,
    Heartbeat,
    LeaveGroup,
    ListGroups,
    MemberIdentity,
    OffsetsOfGroup,
    OffsetToCommit,
    ProducerIdentity,
    SyncGroup,
)
from spec.wire.errors import ErrorCode
from tests.impl.group_world import CONFIG, GROUP, ORDERS, SESSION_MS, World

OFFSETS_ID = UUID(int=50)


def test_a_stable_group_is_the_same_after_a_restart() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    before = world.describe()
    world.restart()
    assert world.describe() == before
    for each in (leader, follower):
        assert world.heartbeat(each.reply.member_id, 1) is ErrorCode.NONE
        assert world.sync(each).reply.assignment == each.reply.member_id.encode()


def test_generations_go_on_counting_after_a_restart() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.restart()
    again = world.join(leader.reply.member_id)
    assert again.reply.generation_id == 2
    world.leave(leader.reply.member_id)
    world.restart()
    assert world.state == "Empty"
    (newcomer,) = world.stable_group(1)
    assert newcomer.reply.generation_id == 4


def test_members_get_a_full_session_timeout_to_find_the_coordinator() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.pass_time(SESSION_MS - 1)
    world.restart()
    world.pass_time(SESSION_MS - 1)
    assert world.state == "Stable"
    world.pass_time(1)
    assert world.state == "Empty"
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_static_member_is_fenced_after_a_restart_too() -> None:
    world = World()
    joined = world.join(group_instance_id="a")
    world.pass_time(CONFIG.group_initial_rebalance_delay_ms)
    world.settle(joined)
    successor = world.join(group_instance_id="a").reply.member_id
    world.restart()
    old = joined.reply.member_id
    assert world.heartbeat(old, 1, group_instance_id="a") is ErrorCode.FENCED_INSTANCE_ID
    assert world.heartbeat(successor, 1, group_instance_id="a") is ErrorCode.NONE


def test_groups_are_found_under_another_default_for_the_size_of_their_topic() -> None:
    world = World()
    world.commit(1)
    world.catalogue.apply(TopicRecord(OFFSETS_TOPIC, OFFSETS_ID))
    for partition in range(world.config.offsets_topic_num_partitions):
        world.catalogue.apply(PartitionRecord(OFFSETS_ID, partition, (1,), (1,), 1))
    world.config = replace(CONFIG, offsets_topic_num_partitions=50)
    world.restart()
    assert world.fetch().offset == 1


def test_offsets_are_the_same_after_a_restart() -> None:
    world = World()
    world.commit(1, leader_epoch=2, metadata="a")
    world.commit(3, group_id="other", leader_epoch=4, metadata="b")
    before = [world.fetch(), world.fetch(group_id="other")]
    world.restart()
    assert [world.fetch(), world.fetch(group_id="other")] == before
    assert before[0].offset == 1


def test_what_was_deleted_stays_deleted() -> None:
    world = World()
    world.commit(1)
    world.ask(DeleteGroups((GROUP,)))
    world.restart()
    assert world.state == "Dead"
    assert world.fetch().offset == -1


def test_an_open_transaction_is_still_open_after_a_restart() -> None:
    world = World()
    world.commit(5, producer=ProducerIdentity(7, 0))
    world.restart()
    assert world.fetch(require_stable=True).error is ErrorCode.UNSTABLE_OFFSET_COMMIT
    world.coordinator.end_transaction(world.partition(), 7, commit=True)
    assert world.fetch(require_stable=True).offset == 5


def test_a_group_above_a_lowered_limit_rebalances_at_the_restart() -> None:
    world = World()
    members = [each.reply.member_id for each in world.stable_group(3)]
    world.config = replace(CONFIG, group_max_size=2)
    world.restart()
    assert world.state == "PreparingRebalance"
    joins = [world.join(member_id) for member_id in members]
    assert [each.error for each in joins] == [
        ErrorCode.NONE,
        ErrorCode.NONE,
        ErrorCode.GROUP_MAX_SIZE_REACHED,
    ]


def test_an_empty_group_of_an_unknown_time_expires_with_its_commits() -> None:
    world = World()
    world.stable_group(1)
    world.pass_time(CONFIG.offsets_retention_ms * 3)
    assert world.state == "Dead"


# Where the coordinator is not

REQUESTS = [
    SyncGroup(GROUP, 1, "a", {}, None, "consumer", "range"),
    Heartbeat(GROUP, 1, "a"),
    LeaveGroup(GROUP, (MemberIdentity("a"),)),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: type(each).__name__)
def test_a_broker_without_the_log_is_not_the_coordinator(
    request_: SyncGroup | Heartbeat | LeaveGroup,
) -> None:
    world = World()
    world.unload()
    assert world.ask(request_).error is ErrorCode.NOT_COORDINATOR


def test_no_request_of_a_group_is_served_without_its_log() -> None:
    world = World()
    world.unload()
    not_here = ErrorCode.NOT_COORDINATOR
    assert world.join().error is not_here
    assert world.commit(1) is not_here
    assert world.describe().error is not_here
    assert world.ask(DeleteGroups((GROUP,))).reply.errors == {GROUP: not_here}
    fetched = world.ask(FetchOffsets((OffsetsOfGroup(GROUP, (ORDERS,)),))).reply
    assert fetched.groups[0].error is not_here
    assert world.ask(ListGroups()).reply.groups == ()


def test_while_the_log_is_loading_requests_are_told_to_come_back() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.unload()
    world.coordinator.start_loading(world.partition())
    loading = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert world.join().error is loading
    assert world.commit(1) is loading
    assert world.leave(leader.reply.member_id) == [loading]
    assert world.ask(DescribeGroups((GROUP,))).reply.groups[0].error is loading
    assert world.ask(ListGroups()).error is loading
    # A heartbeat must not send a member away whose group is about to come back.
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.NONE


def test_who_waits_hears_that_the_coordinator_has_moved() -> None:
    world = World()
    world.stable_group(1)
    _, joined = world.first_join()
    world.commits_at_once = False
    offsets = {ORDERS: OffsetToCommit(1)}
    committed = world.ask(CommitOffsets(GROUP, offsets, producer=ProducerIdentity(7, 0)))
    world.unload()
    assert joined.error is ErrorCode.NOT_COORDINATOR
    assert committed.reply.errors == {ORDERS: ErrorCode.NOT_COORDINATOR}


# What administrators see


def test_groups_are_listed_by_state_and_type() -> None:
    world = World()
    world.stable_group(1)
    world.commit(1, group_id="simple")

    def listed(**filters: frozenset[str]) -> list[str]:
        reply = world.ask(ListGroups(**filters)).reply
        return sorted(each.group_id for each in reply.groups)

    assert listed() == [GROUP, "simple"]
    assert listed(states=frozenset({" STABLE "})) == [GROUP]
    assert listed(states=frozenset({"empty", "dead"})) == ["simple"]
    assert listed(types=frozenset({"Classic"})) == [GROUP, "simple"]
    assert listed(types=frozenset({"consumer"})) == []


def test_a_description_shows_subscriptions_of_a_stable_group_only() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    me = leader.reply.member_id
    (member,) = world.describe().members
    assert (member.member_id, member.client_id) == (me, "client")
    assert (member.metadata, member.assignment) == (b"orders", me.encode())
    assert world.describe().protocol_name == "range"
    world.join(me)
    assert world.describe().members[0].metadata == b""
    assert world.describe().protocol_name == ""


@pytest.mark.parametrize(
    ("api_version", "error"), [(5, ErrorCode.NONE), (6, ErrorCode.GROUP_ID_NOT_FOUND)]
)
def test_an_unknown_group_is_described_as_dead(api_version: int, error: ErrorCode) -> None:
    reply = World().ask(DescribeGroups(("nobody",), api_version)).reply
    assert (reply.groups[0].state, reply.groups[0].error) == ("Dead", error)
