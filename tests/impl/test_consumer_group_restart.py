"""What a coordinator knows of a group of the consumer protocol once its log is loaded: GRPS-19."""

from __future__ import annotations

from dataclasses import replace

from impl.core.groups.consumer.group import ConsumerGroup
from impl.core.groups.messages import ListGroups
from spec.wire.errors import ErrorCode
from tests.impl.consumer_world import (
    REBALANCE_TIMEOUT_MS,
    SESSION_TIMEOUT_MS,
    ConsumerWorld,
    settle,
)
from tests.impl.group_world import GROUP


def known(world: ConsumerWorld) -> ConsumerGroup:
    """All that is in the log."""
    return replace(world.group().copy(), metadata_revision=0)


def test_a_group_is_the_same_after_a_restart() -> None:
    world = ConsumerWorld()
    static = world.consumer(group_instance_id="a", assignor="range")
    dynamic = world.consumer("payments", regex="ord.*")
    leaving = world.consumer(group_instance_id="b")
    for member in (static, dynamic, leaving, static, dynamic):
        member.beat()
    leaving.leave_for_a_while()
    before = known(world)
    world.restart()
    assert known(world) == before
    settle(static, dynamic, leaving)


def test_members_need_not_join_again() -> None:
    world = ConsumerWorld()
    members = [world.consumer(), world.consumer()]
    settle(*members)
    owned = [member.owned for member in members]
    world.restart()
    assert [member.beat() for member in members] == [ErrorCode.NONE, ErrorCode.NONE]
    assert [member.owned for member in members] == owned
    assert world.group().epoch == 2


def test_a_change_is_one_batch_so_that_no_coordinator_finds_half_of_it() -> None:
    world = ConsumerWorld()
    batches = world.batches[world.partition()]
    members = [world.consumer(regex="or.*"), world.consumer(group_instance_id="a")]
    for change in (
        members[0].beat,
        members[1].beat,
        members[0].beat,
        members[1].leave_for_a_while,
        members[1].beat,
        members[0].leave,
    ):
        before = len(batches)
        change()
        assert len(batches) == before + 1


def test_members_get_a_full_session_to_find_the_coordinator() -> None:
    world = ConsumerWorld()
    world.consumer().beat()
    world.pass_time(SESSION_TIMEOUT_MS - 1)
    world.restart()
    world.pass_time(SESSION_TIMEOUT_MS - 1)
    assert world.group().state == "Stable"
    world.pass_time(1)
    assert world.group().state == "Empty"


def test_a_member_that_gives_nothing_up_is_removed_by_the_next_coordinator_too() -> None:
    world = ConsumerWorld()
    slow, other = world.consumer(), world.consumer()
    slow.beat()
    other.beat()
    slow.ask()
    world.restart()
    for _ in range(REBALANCE_TIMEOUT_MS // 10_000):
        assert slow.member_id in world.group().members
        world.pass_time(10_000)
        slow.ask()
        other.beat()
    assert slow.member_id not in world.group().members


def test_topics_that_changed_meanwhile_are_noticed() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    world.grow_topic("orders", 3)
    world.restart()
    member.beat()
    assert member.numbers() == [0, 1, 2]


def test_a_compacted_log_tells_the_same() -> None:
    world = ConsumerWorld()
    world.commit(3)
    members = [world.consumer(), world.consumer(), world.consumer(group_instance_id="a")]
    settle(*members)
    members[0].leave()
    members[2].leave_for_a_while()
    before = known(world)
    log = world.logs[world.partition()]
    latest = {repr(replace(entry.record, value=None)): entry for entry in log}
    log[:] = sorted(latest.values(), key=lambda entry: entry.offset)
    assert any(entry.record.value is None for entry in log)
    log[:] = [entry for entry in log if entry.record.value is not None]
    world.restart()
    assert known(world) == before
    assert world.fetch().offset == 3


def test_a_deleted_group_is_gone_whatever_compaction_leaves_of_it() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    member.leave()
    world.coordinator._write_or_leave(
        next(iter(s for s in world.coordinator._shards if s.consumer_groups)),
        GROUP,
        list(world.group().tombstones()),
    )
    log = world.logs[world.partition()]
    log[:] = [entry for entry in log if entry.record.value is None]
    world.restart()
    assert world.ask(ListGroups()).reply.groups == ()


def test_who_waits_hears_that_the_coordinator_has_moved() -> None:
    world = ConsumerWorld()
    world.commits_at_once = False
    member = world.consumer()
    asked = member.ask()
    world.unload()
    assert asked.error is ErrorCode.NOT_COORDINATOR
    assert member.ask().error is ErrorCode.NOT_COORDINATOR
    world.coordinator.start_loading(world.partition())
    assert member.ask().error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
    assert world.describe_consumers().error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
