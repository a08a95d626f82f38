"""ConsumerGroupHeartbeat: joining, being fenced, giving up partitions, leaving, timing out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impl.core.cluster.metadata_records import FeatureLevelRecord
from impl.core.config import ConfigError
from spec.wire.errors import ErrorCode
from tests.impl.consumer_world import (
    REBALANCE_TIMEOUT_MS,
    SESSION_TIMEOUT_MS,
    ConsumerWorld,
    settle,
)
from tests.impl.group_world import CONFIG


def test_the_first_member_gets_everything_in_the_first_epoch() -> None:
    world = ConsumerWorld()
    member = world.consumer("orders", "payments")
    reply = member.ask().reply
    assert (reply.member_id, reply.member_epoch) == (member.member_id, 1)
    assert reply.assignment == world.partitions("orders", "payments")
    assert reply.heartbeat_interval_ms == CONFIG.group_consumer_heartbeat_interval_ms
    assert world.group().state == "Stable"


def test_a_heartbeat_that_changes_nothing_writes_and_repeats_nothing() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    before = len(world.logs[world.partition()])
    reply = member.ask(owned=None).reply
    assert (reply.member_epoch, reply.assignment) == (1, None)
    assert len(world.logs[world.partition()]) == before


def test_a_full_heartbeat_is_told_its_assignment_again() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    full = {"topics": member.topics, "rebalance_timeout_ms": REBALANCE_TIMEOUT_MS}
    assert member.ask(**full).reply.assignment == world.partitions("orders")


def test_an_older_client_is_given_its_member_id() -> None:
    world = ConsumerWorld()
    reply = world.consumer().ask(member_id="", api_version=0).reply
    assert reply.member_id in world.group().members


@pytest.mark.parametrize(
    "said",
    [
        {"group_id": ""},
        {"member_id": ""},
        {"group_instance_id": ""},
        {"rack_id": ""},
        {"member_epoch": -3},
        {"member_epoch": -2},
        {"rebalance_timeout_ms": None},
        {"topics": None},
        {"topics": frozenset()},
        {"owned": None},
        {"member_epoch": 1, "member_id": "", "api_version": 0},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(said: dict[str, Any]) -> None:
    assert ConsumerWorld().consumer().ask(**said).error is ErrorCode.INVALID_REQUEST


def test_who_joins_cannot_own_anything() -> None:
    world = ConsumerWorld()
    asked = world.consumer().ask(owned=world.partitions("orders"))
    assert asked.error is ErrorCode.INVALID_REQUEST


def test_an_assignor_that_the_broker_does_not_offer_is_refused() -> None:
    world = ConsumerWorld(config=replace(CONFIG, group_consumer_assignors=("range",)))
    assert world.consumer(assignor="uniform").beat() is ErrorCode.UNSUPPORTED_ASSIGNOR
    assert world.consumer(assignor="range").beat() is ErrorCode.NONE


def test_a_group_can_be_full() -> None:
    world = ConsumerWorld(config=replace(CONFIG, group_consumer_max_size=1))
    first, second = world.consumer(group_instance_id="a"), world.consumer()
    first.beat()
    assert second.beat() is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert first.beat() is ErrorCode.NONE
    first.leave_for_a_while()
    assert world.consumer(group_instance_id="a").beat() is ErrorCode.NONE


def test_a_cluster_without_the_feature_does_not_serve_the_protocol() -> None:
    world = ConsumerWorld()
    world.catalogue.apply(FeatureLevelRecord("group.version", 0))
    assert world.consumer().beat() is ErrorCode.UNSUPPORTED_VERSION


def test_a_broker_may_serve_the_classic_protocol_alone() -> None:
    config = replace(CONFIG, group_coordinator_rebalance_protocols=("classic",))
    assert ConsumerWorld(config=config).consumer().beat() is ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    "options",
    [
        {"group_consumer_session_timeout_ms": 44_999},
        {"group_consumer_session_timeout_ms": 60_001},
        {"group_consumer_heartbeat_interval_ms": 4_999},
        {"group_consumer_heartbeat_interval_ms": 15_001},
    ],
    ids=str,
)
def test_times_have_bounds(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(CONFIG, **options)


def test_heartbeats_come_more_often_than_sessions_end() -> None:
    with pytest.raises(ConfigError):
        replace(
            CONFIG,
            group_consumer_min_session_timeout_ms=1,
            group_consumer_session_timeout_ms=5_000,
        )


# GRPS-20


@pytest.mark.parametrize("epoch", [1, 3])
def test_another_epoch_than_the_present_one_is_fenced(epoch: int) -> None:
    world = ConsumerWorld()
    member, other = world.consumer(), world.consumer("payments")
    settle(member, other)
    assert member.member_epoch == 2
    asked = member.ask(member_epoch=epoch, owned=world.partitions("payments"))
    assert asked.error is ErrorCode.FENCED_MEMBER_EPOCH


def test_the_epoch_before_is_accepted_from_who_missed_an_answer() -> None:
    world = ConsumerWorld()
    member, other = world.consumer(), world.consumer()
    member.beat()
    other.beat()
    member.beat()  # gives up what the other shall have
    lost = member.ask().reply
    assert lost.member_epoch == 2
    assert member.member_epoch == 1
    again = member.ask().reply
    assert (again.error, again.member_epoch) == (ErrorCode.NONE, 2)


def test_the_epoch_before_is_fenced_with_partitions_that_are_no_more_the_members() -> None:
    world = ConsumerWorld()
    member, other = world.consumer(), world.consumer()
    member.beat()
    had = member.owned
    other.beat()
    member.beat()
    member.beat()
    assert member.member_epoch == 2
    assert member.ask(member_epoch=1, owned=had).error is ErrorCode.FENCED_MEMBER_EPOCH
    assert member.ask(member_epoch=1, owned=None).error is ErrorCode.FENCED_MEMBER_EPOCH


def test_a_member_that_joins_again_gets_what_it_has() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    member.member_epoch, member.owned = 0, frozenset()
    member.beat()
    assert (member.member_epoch, member.numbers()) == (1, [0, 1])


def test_who_is_no_member_is_told_so() -> None:
    world = ConsumerWorld()
    member, stranger = world.consumer(), world.consumer()
    stranger.member_epoch = 1
    assert stranger.beat() is ErrorCode.GROUP_ID_NOT_FOUND
    member.beat()
    assert stranger.beat(member_epoch=1) is ErrorCode.UNKNOWN_MEMBER_ID


# GRPS-21, GRPS-22


def test_a_partition_goes_to_the_next_only_when_it_was_given_up() -> None:
    world = ConsumerWorld()
    old, new = world.consumer(), world.consumer()
    old.beat()
    new.beat()
    assert (new.member_epoch, new.owned) == (2, frozenset())
    reply = old.ask().reply
    assert (reply.member_epoch, len(reply.assignment)) == (1, 1)
    assert world.group().state == "Reconciling"
    new.beat()
    assert new.owned == frozenset()  # it was told to give it up, and has not said that it did
    old.hear(reply)
    old.obey()
    old.beat()
    assert old.member_epoch == 2
    new.beat()
    assert len(new.owned) == 1
    assert not old.owned & new.owned
    assert world.group().state == "Stable"


def test_a_heartbeat_that_does_not_say_what_is_owned_confirms_nothing() -> None:
    world = ConsumerWorld()
    old, new = world.consumer(), world.consumer()
    old.beat()
    new.beat()
    old.beat()
    assert old.ask(owned=None).reply.member_epoch == 1
    assert old.ask().reply.member_epoch == 2


def test_an_answer_waits_until_the_change_is_committed() -> None:
    world = ConsumerWorld()
    world.commits_at_once = False
    asked = world.consumer().ask()
    assert asked.is_parked
    world.commit_log()
    assert asked.reply.member_epoch == 1


def test_a_change_that_the_log_refuses_has_not_happened() -> None:
    world = ConsumerWorld()
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    member = world.consumer()
    assert member.beat() is ErrorCode.COORDINATOR_NOT_AVAILABLE
    world.refuses_appends = None
    assert member.beat() is ErrorCode.NONE
    assert world.group().epoch == 1


# Time


def test_a_silent_member_is_removed_after_its_session() -> None:
    world = ConsumerWorld()
    silent, other = world.consumer(), world.consumer()
    settle(silent, other)
    world.pass_time(SESSION_TIMEOUT_MS - 1)
    other.beat()
    assert len(world.group().members) == 2
    world.pass_time(1)
    assert list(world.group().members) == [other.member_id]
    other.beat()
    assert other.numbers() == [0, 1]
    assert silent.beat() is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_does_not_give_up_partitions_in_time_is_removed() -> None:
    world = ConsumerWorld()
    slow, other = world.consumer(), world.consumer()
    slow.beat()
    other.beat()
    slow.hear(slow.ask().reply)  # and goes on using what it is to give up
    for _ in range(REBALANCE_TIMEOUT_MS // 10_000):
        assert len(world.group().members) == 2
        world.pass_time(10_000)
        slow.ask()
        other.beat()
    assert list(world.group().members) == [other.member_id]
    other.beat()
    assert other.numbers() == [0, 1]


def test_a_member_that_times_out_while_the_log_is_closed_goes_when_it_opens() -> None:
    world = ConsumerWorld()
    world.consumer().beat()
    world.refuses_appends = ErrorCode.NOT_ENOUGH_REPLICAS
    world.pass_time(SESSION_TIMEOUT_MS)
    assert world.group().members
    world.refuses_appends = None
    world.pass_time(1_000)
    assert world.group().state == "Empty"


# GRPS-24


def test_who_leaves_frees_its_partitions_at_once() -> None:
    world = ConsumerWorld()
    leaving, other = world.consumer(), world.consumer()
    settle(leaving, other)
    assert leaving.leave() is ErrorCode.NONE
    other.beat()
    assert other.numbers() == [0, 1]


def test_a_static_member_that_leaves_for_a_while_finds_its_partitions_again() -> None:
    world = ConsumerWorld()
    static, other = world.consumer(group_instance_id="a"), world.consumer()
    settle(static, other)
    had = static.owned
    assert static.leave_for_a_while() is ErrorCode.NONE
    other.beat()
    assert len(other.owned) == 1
    successor = world.consumer(group_instance_id="a")
    successor.beat()
    assert (successor.owned, successor.member_epoch) == (had, world.group().epoch)
    assert world.group().epoch == 2
    assert static.beat(member_epoch=2) is ErrorCode.FENCED_INSTANCE_ID


def test_a_static_member_that_does_not_return_loses_its_partitions() -> None:
    world = ConsumerWorld()
    static, other = world.consumer(group_instance_id="a"), world.consumer()
    settle(static, other)
    static.leave_for_a_while()
    for _ in range(SESSION_TIMEOUT_MS // 5_000):
        world.pass_time(5_000)
        other.beat()
    assert other.numbers() == [0, 1]


def test_the_place_of_an_active_static_member_is_not_free() -> None:
    world = ConsumerWorld()
    static = world.consumer(group_instance_id="a")
    static.beat()
    rival = world.consumer(group_instance_id="a")
    assert rival.beat() is ErrorCode.UNRELEASED_INSTANCE_ID
    assert rival.beat(member_epoch=1) is ErrorCode.FENCED_INSTANCE_ID
    assert rival.leave() is ErrorCode.FENCED_INSTANCE_ID
    assert static.beat() is ErrorCode.NONE


def test_a_static_member_that_lost_the_answer_to_its_join_joins_again() -> None:
    world = ConsumerWorld()
    static = world.consumer(group_instance_id="a")
    static.ask()
    assert static.beat() is ErrorCode.NONE
    assert static.numbers() == [0, 1]


def test_an_instance_that_nobody_knows_cannot_go_on_or_leave() -> None:
    world = ConsumerWorld()
    world.consumer().beat()
    static = world.consumer(group_instance_id="a")
    assert static.beat(member_epoch=1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert static.leave() is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.consumer().leave() is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.consumer().ask(group_id="x", member_epoch=-1).error is (
        ErrorCode.GROUP_ID_NOT_FOUND
    )


def test_what_a_static_member_was_about_to_lose_is_free_once_it_left_for_a_while() -> None:
    world = ConsumerWorld()
    static, other = world.consumer(group_instance_id="a"), world.consumer()
    static.beat()
    other.beat()
    static.beat()
    static.leave_for_a_while()
    other.beat()
    assert len(other.owned) == 1
    world.pass_time(SESSION_TIMEOUT_MS - 1)
    assert "a" in world.group().static_members


# Topics


def test_a_topic_that_grows_is_assigned_anew() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    world.grow_topic("orders", 4)
    member.beat()
    assert (member.member_epoch, member.numbers()) == (2, [0, 1, 2, 3])


def test_a_topic_that_comes_and_goes_is_noticed() -> None:
    world = ConsumerWorld()
    member = world.consumer("orders", "later")
    member.beat()
    assert member.owned == world.partitions("orders")
    world.create_topic("later")
    member.beat()
    assert member.owned == world.partitions("orders", "later")
    world.delete_topic("later")
    member.beat()
    assert member.owned == world.partitions("orders")


def test_a_topic_under_an_old_name_is_another_topic() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    before = member.owned
    world.delete_topic("orders")
    world.create_topic("orders")
    member.beat()
    member.beat()
    assert member.owned == world.partitions("orders")
    assert not member.owned & before


def test_a_change_of_other_topics_begins_no_epoch() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    world.create_topic("others")
    member.beat()
    assert member.member_epoch == 1


def test_a_member_may_want_other_topics() -> None:
    world = ConsumerWorld()
    member = world.consumer()
    member.beat()
    member.beat(topics=frozenset({"payments"}))
    member.beat()
    assert (member.member_epoch, member.owned) == (2, world.partitions("payments"))


def test_a_regular_expression_is_the_topics_that_match_it_whole() -> None:
    world = ConsumerWorld()
    world.create_topic("order")
    world.create_topic("reorders")
    member = world.consumer(regex="order.*")
    member.topics = frozenset()
    member.beat()
    assert member.owned == world.partitions("order", "orders")
    world.create_topic("orders-2")
    member.beat()
    assert member.owned == world.partitions("order", "orders", "orders-2")
    member.beat(regex="", topics=frozenset({"payments"}))
    member.beat()
    assert member.owned == world.partitions("payments")
    assert world.group().regexes == {}


@pytest.mark.parametrize("regex", ["(", "a(?=b)", "(?<!a)b", r"(a)\1", "a++", "(?>a)", "(?P=a)"])
def test_what_is_no_regular_expression_is_refused(regex: str) -> None:
    member = ConsumerWorld().consumer(regex=regex)
    assert member.beat() is ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.parametrize(("votes", "shares"), [(2, [4, 2]), (0, [3, 3])])
def test_most_votes_choose_the_assignor(votes: int, shares: list[int]) -> None:
    """Two topics of three partitions: ranges give the longer part of both to the same member."""
    world = ConsumerWorld()
    world.grow_topic("orders", 3)
    world.grow_topic("payments", 3)
    names = ["range"] * votes + ["uniform", None]
    members = [world.consumer("orders", "payments", assignor=name) for name in names[:2]]
    settle(*members)
    assert [len(member.owned) for member in members] == shares
    assert world.describe_consumers().assignor == ("range" if votes else "uniform")
