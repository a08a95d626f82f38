"""Who gets into a group, under which id, and what members hear of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impl.core.groups.messages import (
    NO_MEMBER_ID,
    Heartbeat,
    LeaveGroup,
    MemberIdentity,
    Protocol,
    SyncGroup,
)
from spec.wire.errors import ErrorCode
from tests.impl.group_world import (
    CONFIG,
    GROUP,
    RANGE,
    REBALANCE_MS,
    ROUNDROBIN,
    SESSION_MS,
    World,
)

DELAY_MS = CONFIG.group_initial_rebalance_delay_ms
WITHOUT_A_NAME = [
    SyncGroup("", 1, "a", {}, None, "consumer", "range"),
    Heartbeat("", 1, "a"),
    LeaveGroup("", (MemberIdentity("a"),)),
]


def test_first_join_of_a_dynamic_member_is_told_its_member_id() -> None:
    told = World().join(client_id="tester").reply
    assert told.error is ErrorCode.MEMBER_ID_REQUIRED
    assert told.member_id.startswith("tester-")


def test_a_member_id_that_is_never_used_expires_and_stops_nobody() -> None:
    world = World()
    lost = world.join().reply.member_id
    world.pass_time(SESSION_MS + 1)
    assert world.join(lost).error is ErrorCode.UNKNOWN_MEMBER_ID


def test_old_joiners_are_let_in_at_once() -> None:
    world = World()
    joined = world.join(api_version=3)
    world.pass_time(DELAY_MS)
    assert joined.error is ErrorCode.NONE


@pytest.mark.parametrize("session_timeout_ms", [5_999, 1_800_001])
def test_a_session_timeout_out_of_range_is_refused(session_timeout_ms: int) -> None:
    joined = World().join(session_timeout_ms=session_timeout_ms)
    assert joined.error is ErrorCode.INVALID_SESSION_TIMEOUT


@pytest.mark.parametrize("session_timeout_ms", [6_000, 1_800_000])
def test_a_session_timeout_at_the_limit_is_accepted(session_timeout_ms: int) -> None:
    joined = World().join(session_timeout_ms=session_timeout_ms)
    assert joined.error is ErrorCode.MEMBER_ID_REQUIRED


def test_a_group_without_a_name_is_refused() -> None:
    assert World().join(group_id="").error is ErrorCode.INVALID_GROUP_ID


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol_type": "connect"},
        {"protocols": (Protocol("sticky", b""),)},
        {"protocols": ()},
    ],
)
def test_a_joiner_that_shares_no_protocol_is_refused(fields: dict[str, Any]) -> None:
    world = World()
    (leader,) = world.stable_group(1)
    joined = world.join(**fields)
    assert joined.error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.NONE


@pytest.mark.parametrize("fields", [{"protocol_type": ""}, {"protocols": ()}])
def test_a_joiner_that_names_no_protocol_founds_no_group(fields: dict[str, Any]) -> None:
    world = World()
    assert world.join(**fields).error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert world.state == "Dead"


def test_the_protocol_with_the_most_votes_wins() -> None:
    world = World()
    only = Protocol("only", b"")
    _, first = world.first_join(protocols=(RANGE, ROUNDROBIN))
    _, second = world.first_join(protocols=(ROUNDROBIN, RANGE))
    _, third = world.first_join(protocols=(only, ROUNDROBIN, RANGE))
    world.pass_time(2 * DELAY_MS)
    assert {j.reply.protocol_name for j in (first, second, third)} == {"roundrobin"}


def test_above_the_size_limit_a_joiner_is_turned_away() -> None:
    world = World(replace(CONFIG, group_max_size=2))
    world.stable_group(2)
    assert world.join().error is ErrorCode.GROUP_MAX_SIZE_REACHED


def test_a_joiner_in_excess_does_not_hold_up_the_rebalance() -> None:
    world = World(replace(CONFIG, group_max_size=1))
    ids = [world.join().reply.member_id for _ in range(2)]
    first, second = (world.join(member_id) for member_id in ids)
    assert second.error is ErrorCode.GROUP_MAX_SIZE_REACHED
    world.pass_time(DELAY_MS)
    assert first.error is ErrorCode.NONE


def test_only_the_leader_hears_of_the_members() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    assert {m.member_id for m in leader.reply.members} == {
        leader.reply.member_id,
        follower.reply.member_id,
    }
    assert {m.metadata for m in leader.reply.members} == {b"orders"}
    assert follower.reply.members == ()
    assert follower.reply.leader == leader.reply.member_id


def test_an_unknown_member_id_may_not_join() -> None:
    world = World()
    assert world.join("made-up").error is ErrorCode.UNKNOWN_MEMBER_ID
    world.stable_group(1)
    assert world.join("made-up").error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_follower_that_rejoins_unchanged_learns_the_generation_without_a_rebalance() -> None:
    world = World()
    _, follower = world.stable_group(2)
    again = world.join(follower.reply.member_id)
    assert again.reply == follower.reply
    assert world.state == "Stable"


def test_a_follower_that_rejoins_changed_sets_off_a_rebalance() -> None:
    world = World()
    _, follower = world.stable_group(2)
    again = world.join(follower.reply.member_id, protocols=(Protocol("range", b"payments"),))
    assert again.is_parked
    assert world.state == "PreparingRebalance"


def test_a_leader_that_rejoins_sets_off_a_rebalance() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    again = world.join(leader.reply.member_id)
    assert again.reply.generation_id == leader.reply.generation_id + 1


def test_a_member_that_lost_the_join_reply_gets_it_again() -> None:
    world = World()
    member_id, joined = world.first_join()
    world.pass_time(DELAY_MS)
    assert world.state == "CompletingRebalance"
    assert world.join(member_id).reply == joined.reply


def test_a_second_join_of_the_same_member_takes_over() -> None:
    world = World()
    member_id, joined = world.first_join()
    again = world.join(member_id)
    world.pass_time(DELAY_MS)
    assert joined.error is ErrorCode.REBALANCE_IN_PROGRESS
    assert again.error is ErrorCode.NONE


@pytest.mark.parametrize("request_", WITHOUT_A_NAME, ids=lambda each: type(each).__name__)
def test_a_request_that_names_no_group_is_refused(
    request_: SyncGroup | Heartbeat | LeaveGroup,
) -> None:
    assert World().ask(request_).error is ErrorCode.INVALID_GROUP_ID


# Heartbeats


def test_a_heartbeat_tells_the_state_of_the_generation() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    me = follower.reply.member_id
    assert world.heartbeat(me, 1) is ErrorCode.NONE
    assert world.heartbeat(me, 0) is ErrorCode.ILLEGAL_GENERATION
    assert world.heartbeat(me, 2) is ErrorCode.ILLEGAL_GENERATION
    assert world.heartbeat("made-up", 1) is ErrorCode.UNKNOWN_MEMBER_ID

    again = world.join(leader.reply.member_id)
    assert world.heartbeat(me, 1) is ErrorCode.REBALANCE_IN_PROGRESS

    world.join(me)
    assert again.reply.generation_id == 2
    assert world.state == "CompletingRebalance"
    assert world.heartbeat(me, 2) is ErrorCode.NONE


def test_a_heartbeat_to_a_group_that_does_not_exist_is_from_an_unknown_member() -> None:
    assert World().heartbeat("made-up", 1) is ErrorCode.UNKNOWN_MEMBER_ID


# Leaving


def test_who_leaves_is_gone_and_the_others_rebalance() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    assert world.leave(leader.reply.member_id) == [ErrorCode.NONE]
    assert world.heartbeat(leader.reply.member_id, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.heartbeat(follower.reply.member_id, 1) is ErrorCode.REBALANCE_IN_PROGRESS
    again = world.join(follower.reply.member_id)
    assert again.reply.leader == follower.reply.member_id


def test_the_last_member_leaves_an_empty_group_behind() -> None:
    world = World()
    (leader,) = world.stable_group(1)
    world.leave(leader.reply.member_id)
    assert world.state == "Empty"
    assert world.describe().protocol_type == "consumer"


def test_members_leave_in_one_request_with_an_answer_each() -> None:
    world = World()
    leader, follower = world.stable_group(2)
    pending = world.join().reply.member_id
    ids = (follower.reply.member_id, "made-up", pending)
    assert world.leave(*ids) == [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE]
    again = world.join(leader.reply.member_id)
    assert [m.member_id for m in again.reply.members] == [leader.reply.member_id]


def test_leaving_what_does_not_exist_is_an_error() -> None:
    assert World().leave("a", "b") == [ErrorCode.UNKNOWN_MEMBER_ID] * 2


def test_a_parked_member_that_is_removed_gets_its_answer() -> None:
    world = World()
    world.stable_group(1)
    member_id, joined = world.first_join()
    assert joined.is_parked
    world.leave(member_id)
    assert joined.error is ErrorCode.UNKNOWN_MEMBER_ID


# Static members (KIP-345)


def static_group(world: World) -> tuple[str, str]:
    """Two static members, `a` leading, in a stable group: their member ids."""
    joins = [world.join(group_instance_id=name) for name in ("a", "b")]
    world.pass_time(2 * DELAY_MS)
    leader, follower = world.settle(*joins)
    assert leader is joins[0]
    return leader.reply.member_id, follower.reply.member_id


def test_a_static_member_needs_one_join_only() -> None:
    world = World()
    a, b = static_group(world)
    assert a.startswith("a-")
    assert b.startswith("b-")


def test_a_static_member_that_restarts_keeps_its_place_without_a_rebalance() -> None:
    world = World()
    a, b = static_group(world)
    again = world.join(group_instance_id="b").reply
    assert again.error is ErrorCode.NONE
    assert again.generation_id == 1
    assert again.member_id not in ("", b)
    assert world.state == "Stable"
    assert world.heartbeat(a, 1, group_instance_id="a") is ErrorCode.NONE
    assert world.heartbeat(b, 1, group_instance_id="b") is ErrorCode.FENCED_INSTANCE_ID
    assert world.heartbeat(b, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    synced = world.ask(SyncGroup(GROUP, 1, again.member_id, {}, "b", "consumer", "range"))
    assert synced.reply.assignment == b.encode()


def test_a_static_leader_that_restarts_leads_but_does_not_assign() -> None:
    world = World()
    a, _ = static_group(world)
    again = world.join(group_instance_id="a", api_version=9).reply
    assert again.leader == again.member_id != a
    assert again.skip_assignment
    assert len(again.members) == 2


def test_an_old_static_leader_that_restarts_hears_of_the_leader_it_was() -> None:
    world = World()
    a, _ = static_group(world)
    again = world.join(group_instance_id="a", api_version=8).reply
    assert again.leader == a != again.member_id
    assert not again.skip_assignment
    assert again.members == ()


def test_a_static_member_that_restarts_with_another_choice_sets_off_a_rebalance() -> None:
    world = World()
    static_group(world)
    again = world.join(group_instance_id="b", protocols=(ROUNDROBIN,))
    assert again.is_parked
    assert world.state == "PreparingRebalance"


def test_the_predecessor_of_a_static_member_is_fenced_while_it_waits() -> None:
    world = World()
    joined = world.join(group_instance_id="a")
    again = world.join(group_instance_id="a")
    assert joined.error is ErrorCode.FENCED_INSTANCE_ID
    world.pass_time(2 * DELAY_MS)
    assert again.reply.leader == again.reply.member_id


def test_a_static_member_replaced_before_the_assignment_starts_the_rebalance_over() -> None:
    world = World()
    joins = [world.join(group_instance_id=name) for name in ("a", "b")]
    world.pass_time(2 * DELAY_MS)
    waiting = world.sync(joins[1])
    again = world.join(group_instance_id="b")
    assert waiting.error is ErrorCode.FENCED_INSTANCE_ID
    assert again.is_parked
    rejoined = world.join(joins[0].reply.member_id, group_instance_id="a")
    assert rejoined.reply.generation_id == again.reply.generation_id == 2


def test_an_administrator_removes_a_static_member_by_its_instance_id() -> None:
    world = World()
    a, _ = static_group(world)
    who = [MemberIdentity(NO_MEMBER_ID, "b"), MemberIdentity(NO_MEMBER_ID, "c")]
    assert world.leave(*who) == [ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID]
    assert world.heartbeat(a, 1, group_instance_id="a") is ErrorCode.REBALANCE_IN_PROGRESS


def test_leaving_with_the_instance_id_of_another_is_fenced() -> None:
    world = World()
    a, _ = static_group(world)
    assert world.leave(MemberIdentity(a, "b")) == [ErrorCode.FENCED_INSTANCE_ID]


def test_a_static_member_that_misses_a_rebalance_stays_until_its_session_ends() -> None:
    world = World()
    a, _ = static_group(world)
    again = world.join(a, group_instance_id="a", session_timeout_ms=REBALANCE_MS * 10)
    assert again.is_parked
    world.pass_time(SESSION_MS)
    assert [m.group_instance_id for m in again.reply.members] == ["a"]


def test_a_static_leader_that_misses_a_rebalance_loses_the_lead() -> None:
    world = World()
    a, b = static_group(world)
    fields = {"group_instance_id": "b", "protocols": (ROUNDROBIN,)}
    again = world.join(b, rebalance_timeout_ms=SESSION_MS - 1, **fields)
    assert again.is_parked
    for _ in range(REBALANCE_MS // 5_000):
        world.pass_time(5_000)
        world.heartbeat(a, 1, group_instance_id="a")
    assert again.reply.leader == b
    assert {m.group_instance_id for m in again.reply.members} == {"a", "b"}


def test_a_static_member_replaced_before_its_own_sync_still_has_to_sync() -> None:
    world = World()
    joins = [world.join(group_instance_id=name) for name in ("a", "b")]
    world.pass_time(2 * DELAY_MS)
    leader, follower = joins
    world.sync(leader, {follower.reply.member_id: b"mine"})
    successor = world.join(group_instance_id="b").reply.member_id
    assert world.state == "Stable"
    synced = world.ask(SyncGroup(GROUP, 1, successor, {}, "b", "consumer", "range"))
    assert synced.reply.assignment == b"mine"
    for _ in range(2 * REBALANCE_MS // 5_000):
        world.pass_time(5_000)
        world.heartbeat(leader.reply.member_id, 1)
        world.heartbeat(successor, 1)
    assert world.state == "Stable"


def test_a_replacement_that_cannot_be_stored_leaves_the_member_as_it_was() -> None:
    world = World()
    _, b = static_group(world)
    world.refuses_appends = ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert world.join(group_instance_id="b").error is ErrorCode.NOT_COORDINATOR
    world.refuses_appends = None
    assert world.heartbeat(b, 1, group_instance_id="b") is ErrorCode.NONE
