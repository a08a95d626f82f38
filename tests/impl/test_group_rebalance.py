"""Rebalances in virtual time: both phases, who is waited for, and who is dropped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impl.core.groups.config import NEW_MEMBER_JOIN_TIMEOUT_MS
from impl.core.groups.messages import SyncGroup
from spec.wire.errors import ErrorCode
from tests.impl.group_world import CONFIG, GROUP, REBALANCE_MS, SESSION_MS, Ticket, World

DELAY_MS = CONFIG.group_initial_rebalance_delay_ms


def joined_pair(world: World) -> list[Ticket]:
    """Two joins of a new generation, the leader's first; nobody has synced."""
    joins = [world.first_join()[1] for _ in range(2)]
    world.pass_time(2 * DELAY_MS)
    return sorted(joins, key=lambda j: j.reply.member_id != j.reply.leader)


# The join phase


def test_the_first_rebalance_waits_for_company() -> None:
    world = World()
    _, joined = world.first_join()
    world.pass_time(DELAY_MS - 1)
    assert joined.is_parked
    world.pass_time(1)
    assert joined.reply.generation_id == 1


def test_every_newcomer_prolongs_the_first_rebalance_up_to_the_rebalance_timeout() -> None:
    world = World()
    timeout_ms = DELAY_MS * 2 + 500
    fields = {"rebalance_timeout_ms": timeout_ms}
    joins = [world.first_join(**fields)[1]]
    for _ in range(2):
        world.pass_time(DELAY_MS - 1)
        joins.append(world.first_join(**fields)[1])
        world.pass_time(1)
    assert all(each.is_parked for each in joins)
    world.pass_time(500)
    assert {each.reply.generation_id for each in joins} == {1}
    assert len(joins[0].reply.members) == 3


def test_without_a_delay_the_first_rebalance_ends_at_once() -> None:
    world = World(replace(CONFIG, group_initial_rebalance_delay_ms=0))
    _, joined = world.first_join()
    assert joined.reply.generation_id == 1


def test_each_rebalance_raises_the_generation_by_one_for_all() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    for generation_id in (2, 3, 4):
        joins = [world.join(each.reply.member_id) for each in (leader, follower)]
        assert {each.reply.generation_id for each in joins} == {generation_id}
        assert len({(each.reply.leader, each.reply.protocol_name) for each in joins}) == 1
        leader, follower = world.settle(*joins)


def test_a_rebalance_ends_when_the_last_member_is_back() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    again = world.join(leader.reply.member_id)
    assert again.is_parked
    world.join(follower.reply.member_id)
    assert again.reply.generation_id == 2


def test_a_newcomer_sets_off_a_rebalance() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    _, joined = world.first_join()
    assert joined.is_parked
    again = world.join(leader.reply.member_id)
    assert joined.reply.generation_id == again.reply.generation_id == 2


def test_a_rebalance_waits_for_a_joiner_that_was_asked_to_come_again() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    pending = world.join().reply.member_id
    again = world.join(leader.reply.member_id)
    assert again.is_parked
    joined = world.join(pending)
    assert again.reply.generation_id == joined.reply.generation_id == 2


def test_a_member_that_is_not_back_in_time_is_dropped() -> None:
    world = World()
    fields = {"session_timeout_ms": REBALANCE_MS * 2}
    leader, follower = world.stable_group(2, **fields)
    again = world.join(leader.reply.member_id, **fields)
    world.pass_time(REBALANCE_MS - 1)
    assert again.is_parked
    world.pass_time(1)
    assert [m.member_id for m in again.reply.members] == [leader.reply.member_id]
    assert world.heartbeat(follower.reply.member_id, 2) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_leader_that_is_not_back_in_time_loses_the_lead() -> None:
    world = World()
    fields = {"session_timeout_ms": REBALANCE_MS * 2}
    leader, follower = world.stable_group(2, **fields)
    _, joined = world.first_join(**fields)
    again = world.join(follower.reply.member_id, **fields)
    world.pass_time(REBALANCE_MS)
    assert again.reply.leader == joined.reply.leader != leader.reply.member_id


def test_a_first_joiner_does_not_wait_for_ever() -> None:
    world = World()
    fields = {
        "session_timeout_ms": CONFIG.group_max_session_timeout_ms,
        "rebalance_timeout_ms": NEW_MEMBER_JOIN_TIMEOUT_MS * 2,
    }
    world.stable_group(1, **fields)
    _, joined = world.first_join(**fields)
    world.pass_time(NEW_MEMBER_JOIN_TIMEOUT_MS - 1)
    assert joined.is_parked
    world.pass_time(1)
    assert joined.error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_rebalance_timeout_of_zero_lets_time_pass() -> None:
    world = World()
    joins = [world.join(group_instance_id=name, rebalance_timeout_ms=0) for name in "ab"]
    world.pass_time(DELAY_MS)
    world.settle(*joins)
    world.leave(joins[0].reply.member_id)
    world.pass_time(SESSION_MS)
    assert world.state == "Empty"


# Sessions


def test_a_silent_member_is_removed_and_the_others_rebalance() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    world.pass_time(SESSION_MS - 1)
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.NONE
    world.pass_time(1)
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.REBALANCE_IN_PROGRESS
    assert world.heartbeat(follower.reply.member_id, 1) is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_with_heartbeats_stays() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    for _ in range(10):
        world.pass_time(SESSION_MS - 1)
        assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.NONE


def test_a_commit_counts_as_a_sign_of_life() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.pass_time(SESSION_MS - 1)
    me = {"generation_id": 1, "member_id": leader.reply.member_id}
    assert world.commit(1, **me) is ErrorCode.NONE
    world.pass_time(SESSION_MS - 1)
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.NONE


def test_a_member_that_waits_for_the_others_needs_no_heartbeat() -> None:
    world = World()
    fields = {"session_timeout_ms": REBALANCE_MS * 2}
    leader, follower = world.stable_group(2, **fields)
    again = world.join(leader.reply.member_id, session_timeout_ms=SESSION_MS)
    world.pass_time(SESSION_MS * 3)
    world.join(follower.reply.member_id, **fields)
    assert again.error is ErrorCode.NONE


def test_a_group_whose_members_all_fall_silent_becomes_empty() -> None:
    world = World()
    world.stable_group(3)
    world.pass_time(SESSION_MS + REBALANCE_MS)
    assert world.state == "Empty"
    assert world.describe().members == ()


# The sync phase


def test_followers_wait_for_the_leader() -> None:
    world = World()
    leader, follower = joined_pair(world)
    a, b = leader.reply.member_id, follower.reply.member_id
    waiting = world.sync(follower)
    assert waiting.is_parked
    synced = world.sync(leader, {a: b"to a", b: b"to b"})
    assert synced.reply.assignment == b"to a"
    assert waiting.reply.assignment == b"to b"


def test_followers_may_ask_after_the_leader() -> None:
    world = World()
    leader, follower = joined_pair(world)
    a, b = leader.reply.member_id, follower.reply.member_id
    assert world.sync(leader, {a: b"to a", b: b"to b"}).reply.assignment == b"to a"
    assert world.sync(follower).reply.assignment == b"to b"


def test_a_follower_cannot_assign() -> None:
    world = World()
    leader, follower = joined_pair(world)
    a, b = leader.reply.member_id, follower.reply.member_id
    waiting = world.sync(follower, {a: b"stolen", b: b"stolen"})
    assert waiting.is_parked
    world.sync(leader, {a: b"to a", b: b"to b"})
    assert waiting.reply.assignment == b"to b"


def test_a_member_that_the_leader_forgot_gets_an_empty_assignment() -> None:
    world = World()
    leader, follower = joined_pair(world)
    world.sync(leader, {leader.reply.member_id: b"all", "made-up": b"?"})
    assert world.sync(follower).reply.assignment == b""


def test_a_stable_group_repeats_its_assignment() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    again = world.sync(leader, {leader.reply.member_id: b"another"})
    assert again.reply.assignment == leader.reply.member_id.encode()


def test_who_waits_for_an_assignment_hears_of_the_next_rebalance() -> None:
    world = World()
    _, follower = joined_pair(world)
    waiting = world.sync(follower)
    world.first_join()
    assert waiting.error is ErrorCode.REBALANCE_IN_PROGRESS


def test_sync_is_refused_to_who_is_not_in_the_generation() -> None:
    world = World()
    leader, _ = joined_pair(world)
    me = leader.reply.member_id
    named = {"protocol_type": "consumer", "protocol_name": "range"}

    def ask(generation_id: int, member_id: str, **fields: Any) -> ErrorCode:
        return world.ask(SyncGroup(GROUP, generation_id, member_id, {}, **fields)).error

    assert ask(0, me, **named) is ErrorCode.ILLEGAL_GENERATION
    assert ask(1, "made-up", **named) is ErrorCode.UNKNOWN_MEMBER_ID
    assert ask(1, me) is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    wrong_name = named | {"protocol_name": "roundrobin"}
    assert ask(1, me, **wrong_name) is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    wrong_type = named | {"protocol_type": "connect"}
    assert ask(1, me, **wrong_type) is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    world.first_join()
    assert ask(1, me, **named) is ErrorCode.REBALANCE_IN_PROGRESS


def test_sync_with_a_group_that_does_not_exist_is_from_an_unknown_member() -> None:
    request = SyncGroup(GROUP, 1, "a", {}, None, "consumer", "range")
    assert World().ask(request).error is ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("leader_syncs", [True, False])
def test_a_member_that_never_syncs_is_dropped(leader_syncs: bool) -> None:
    world = World()
    joins = joined_pair(world)
    present, absent = joins if leader_syncs else joins[::-1]
    world.sync(present, {})
    for _ in range(REBALANCE_MS // 1_000):
        world.pass_time(1_000)
        for each in joins:
            world.heartbeat(each.reply.member_id, 1)
    assert world.heartbeat(absent.reply.member_id, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.heartbeat(present.reply.member_id, 1) is ErrorCode.REBALANCE_IN_PROGRESS


# The log


def test_an_assignment_is_handed_out_once_it_is_committed() -> None:
    world = World()
    leader, follower = joined_pair(world)
    world.commits_at_once = False
    waiting = [world.sync(follower), world.sync(leader, {follower.reply.member_id: b"mine"})]
    assert all(each.is_parked for each in waiting)
    assert world.state == "CompletingRebalance"
    world.commit_log()
    assert waiting[0].reply.assignment == b"mine"
    assert world.state == "Stable"


def test_a_rebalance_overtakes_an_assignment_that_is_not_committed_yet() -> None:
    world = World()
    leader, follower = joined_pair(world)
    world.commits_at_once = False
    synced = world.sync(leader, {})
    world.first_join()
    assert synced.error is ErrorCode.REBALANCE_IN_PROGRESS
    world.commit_log()
    assert world.state == "PreparingRebalance"
    assert world.heartbeat(follower.reply.member_id, 1) is ErrorCode.REBALANCE_IN_PROGRESS


def test_an_assignment_that_cannot_be_stored_is_not_handed_out() -> None:
    world = World()
    leader, follower = joined_pair(world)
    waiting = world.sync(follower)
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    assert world.sync(leader, {}).error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert waiting.error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert world.state == "PreparingRebalance"


def test_an_assignment_that_is_not_committed_in_time_is_given_up() -> None:
    world = World()
    (leader, _) = joined_pair(world)
    world.commits_at_once = False
    synced = world.sync(leader, {})
    world.pass_time(CONFIG.offsets_commit_timeout_ms)
    assert synced.error is ErrorCode.COORDINATOR_NOT_AVAILABLE


def test_a_group_becomes_empty_even_when_that_cannot_be_stored() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    world.leave(leader.reply.member_id)
    assert world.state == "Empty"


def test_a_group_that_cannot_be_stored_is_not_founded() -> None:
    world = World()
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    assert world.join().error is ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert world.state == "Dead"
