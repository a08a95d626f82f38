"""The consumer's core in virtual time: what each of its options does, seen from a broker."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from impl.clients.core.accumulator import Target
from impl.clients.core.batches import Codecs, Identity
from impl.clients.core.config import ConsumerConfig, read_config
from impl.clients.core.consuming import ConsumerCore
from impl.clients.core.errors import ClientError
from impl.core.config import ConfigError
from impl.shell.platform import CODECS
from impl.wire import Struct
from spec.wire.errors import ErrorCode
from tests.impl.client_world import MEMBER, ConsumerWorld

FIRST = Target("t", 0)


def member(**options: Any) -> ConsumerWorld:
    """A consumer that has its share of the group `g`."""
    world = ConsumerWorld(**{"group_id": "g", "auto_offset_reset": "earliest", **options})
    world.core.subscribe(["t"], world.now_ms)
    world.poll()
    world.pass_time(10)
    assert world.core.subscription.places
    return world


def reader(**options: Any) -> ConsumerWorld:
    """A consumer that reads a partition without a group."""
    world = ConsumerWorld(**{"auto_offset_reset": "earliest", **options})
    world.core.assign([FIRST])
    return world


# Where to begin


@pytest.mark.parametrize(
    ("reset", "expected"), [("earliest", [b"old", b"new"]), ("latest", [b"new"])]
)
def test_auto_offset_reset_says_where_to_begin(reset: str, expected: list[bytes]) -> None:
    world = reader(auto_offset_reset=reset)
    world.append(b"old")
    world.poll()
    world.pass_time(200)
    world.append(b"new")
    found = []
    while values := world.values():
        found += values
    assert found == expected


def test_auto_offset_reset_none_leaves_it_to_the_user() -> None:
    world = reader(auto_offset_reset="none")
    world.append(b"old")
    world.pass_time(100)
    with pytest.raises(ClientError, match=r"auto\.offset\.reset=none"):
        world.poll()
    world.core.seek(FIRST, 0)
    assert world.values() == [b"old"]


@pytest.mark.parametrize("reset", ["earliest", "latest", "none"])
def test_an_offset_that_is_gone_resets_too(reset: str) -> None:
    world = reader(auto_offset_reset=reset)
    world.starts[FIRST] = 5
    world.append(b"a", b"b")
    world.core.seek(FIRST, 2)
    if reset == "none":
        with pytest.raises(ClientError) as refused:
            world.values()
        assert refused.value.error is ErrorCode.OFFSET_OUT_OF_RANGE
    else:
        found = world.values()
        world.append(b"c")
        found += world.values()
        assert found == ([b"a", b"b", b"c"] if reset == "earliest" else [b"c"])


def test_a_member_goes_on_where_its_group_committed() -> None:
    world = ConsumerWorld(group_id="g", auto_offset_reset="earliest")
    world.append(b"a", b"b", b"c")
    world.committed[FIRST] = 2
    world.core.subscribe(["t"], world.now_ms)
    assert world.values() == [b"c"]


def test_what_was_read_ahead_is_dropped_by_a_seek() -> None:
    world = reader(max_poll_records=1)
    world.append(b"a", b"b", b"c", b"d")
    assert world.values() == [b"a"]
    world.core.seek(FIRST, 2)
    assert world.values() == [b"c"]
    world.core.seek(FIRST, 0)
    assert world.values() == [b"a"]


# Reading


def test_a_poll_hands_out_max_poll_records_at_most() -> None:
    world = reader(max_poll_records=2)
    world.append(b"a", b"b", b"c")
    assert world.values() == [b"a", b"b"]
    assert world.core.subscription.positions() == {FIRST: 2}
    assert world.values() == [b"c"]


@pytest.mark.parametrize("level", ["read_committed", "read_uncommitted"])
def test_isolation_level_decides_on_aborted_records(level: str) -> None:
    world = reader(isolation_level=level)
    world.aborted = [Struct(producer_id=7, first_offset=0)]
    world.append(b"aborted", identity=Identity(7, 0))
    world.append(b"other", identity=Identity(8, 0))
    found = world.values() + world.values()
    (ask, *_) = world.asked["Fetch"]
    assert ask.body.isolation_level == (level == "read_committed")
    assert found == ([b"other"] if level == "read_committed" else [b"aborted", b"other"])


def test_a_fetch_asks_for_what_the_options_say() -> None:
    world = reader(
        fetch_max_wait_ms=11, fetch_min_bytes=12, fetch_max_bytes=13, max_partition_fetch_bytes=14
    )
    world.poll()
    world.pass_time(105)
    ask = world.asked["Fetch"][0]
    body = ask.body
    assert (body.max_wait_ms, body.min_bytes, body.max_bytes) == (11, 12, 13)
    assert body.topics[0].partitions[0].partition_max_bytes == 14


# Commits


def test_positions_are_committed_every_auto_commit_interval_ms() -> None:
    world = member(auto_commit_interval_ms=1_000)
    world.append(b"a", b"b")
    assert world.values() == [b"a", b"b"]
    world.pass_time(900)
    world.poll()
    assert world.committed == {}
    world.pass_time(100)
    assert world.committed == {}, "a user who does not poll may not be done yet"
    world.poll()
    assert world.committed == {FIRST: 2}


def test_without_enable_auto_commit_only_the_user_commits() -> None:
    world = member(enable_auto_commit=False, auto_commit_interval_ms=10)
    world.append(b"a", b"b")
    world.values()
    world.pass_time(100)
    world.poll()
    assert world.committed == {}
    assert world.commit() is None
    assert world.committed == {FIRST: 2}
    assert world.commit({FIRST: 1}) is None
    assert world.committed == {FIRST: 1}


@pytest.mark.parametrize("commits", [True, False])
def test_closing_commits_and_leaves(commits: bool) -> None:
    world = member(enable_auto_commit=commits)
    world.append(b"a")
    world.values()
    world.take(world.core.close(world.now_ms))
    assert world.committed == ({FIRST: 1} if commits else {})
    (left,) = world.asked["LeaveGroup"]
    assert left.body.members[0].member_id == MEMBER
    asked = world.asked["OffsetCommit"]
    assert [each.body.generation_id_or_member_epoch for each in asked] == [1] * commits


def test_a_commit_that_meets_no_coordinator_looks_for_it_and_is_repeated() -> None:
    world = member()
    world.append(b"a")
    world.values()
    world.errors["OffsetCommit"] = ErrorCode.NOT_COORDINATOR
    world.silent.add("FindCoordinator")
    handle = object()
    world.take(world.core.commit(None, handle, world.now_ms))
    assert handle not in world.done
    world.errors.clear()
    world.silent.clear()
    world.pass_time(200)
    world.answer(
        world.asked["FindCoordinator"][-1], world._FindCoordinator(Struct(), ErrorCode.NONE)
    )
    world.pass_time(200)
    assert world.done[handle] is None
    assert world.committed == {FIRST: 1}


def test_a_commit_without_a_group_is_refused() -> None:
    world = reader()
    world.append(b"a")
    world.values()
    assert isinstance(world.commit(), ClientError)


# Membership


def test_a_member_joins_with_its_timeouts() -> None:
    world = member(session_timeout_ms=7_000, max_poll_interval_ms=9_000)
    (_, join) = world.asked["JoinGroup"]
    assert join.body.member_id == MEMBER
    assert (join.body.session_timeout_ms, join.body.rebalance_timeout_ms) == (7_000, 9_000)


def test_heartbeats_go_out_every_heartbeat_interval_ms() -> None:
    world = member(heartbeat_interval_ms=500, session_timeout_ms=2_000)
    began_ms = world.now_ms
    world.pass_time(2_000)
    sent = [at for at in world.asked_at_ms["Heartbeat"] if at > began_ms]
    assert len(sent) == 4
    assert {b - a for a, b in pairwise(sent)} == {500}


def test_a_heartbeat_that_nobody_answers_is_given_up_after_session_timeout_ms() -> None:
    world = member(heartbeat_interval_ms=500, session_timeout_ms=2_000)
    world.silent.add("Heartbeat")
    world.pass_time(5_000)
    (beat,) = world.asked["Heartbeat"]
    assert beat.timeout_ms == 2_000


def test_who_does_not_poll_for_max_poll_interval_ms_leaves() -> None:
    world = member(max_poll_interval_ms=3_000)
    world.append(b"a")
    world.values()
    world.pass_time(2_900)
    assert world.core.subscription.places
    world.pass_time(200)
    assert world.asked["LeaveGroup"]
    assert world.core.subscription.places == {}
    assert world.committed == {}, "nobody said that he is done with the record"
    error = world.commit({FIRST: 1})
    assert isinstance(error, ClientError)
    assert error.error is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.values() == [b"a"], "a poll joins again"


def test_partitions_are_given_up_for_a_rebalance_only_by_a_poll() -> None:
    world = member(heartbeat_interval_ms=100)
    world.append(b"a")
    world.values()
    world.errors["Heartbeat"] = ErrorCode.REBALANCE_IN_PROGRESS
    world.pass_time(1_000)
    assert world.core.subscription.places
    assert world.committed == {}
    assert world.core.has_news, "a poll that waits is to go on with the rebalance"
    world.errors.clear()
    world.poll()
    assert world.committed == {FIRST: 1}
    assert world.generation_id == 2


def test_a_commit_of_the_old_generation_comes_before_the_next() -> None:
    world = member(heartbeat_interval_ms=100)
    world.append(b"a")
    world.values()
    world.errors["Heartbeat"] = ErrorCode.REBALANCE_IN_PROGRESS
    world.pass_time(200)
    world.silent.add("OffsetCommit")
    joins = len(world.asked["JoinGroup"])
    world.poll()
    world.pass_time(50)
    (commit,) = world.asked["OffsetCommit"]
    assert commit.body.generation_id_or_member_epoch == 1
    assert len(world.asked["JoinGroup"]) == joins
    assert world.commit({FIRST: 1}) is not None, "it is about to have no partitions"
    world.errors.clear()
    world.answer(commit, world._OffsetCommit(commit.body, ErrorCode.NONE))
    assert len(world.asked["JoinGroup"]) == joins + 1


@pytest.mark.parametrize("error", [ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION])
def test_who_is_out_of_the_group_joins_again_and_commits_nothing(error: ErrorCode) -> None:
    world = member(heartbeat_interval_ms=100)
    world.append(b"a")
    world.values()
    world.errors["Heartbeat"] = error
    world.pass_time(1_000)
    assert len(world.asked["Heartbeat"]) == 1
    world.errors.clear()
    assert world.values() == [b"a"]
    assert world.asked["OffsetCommit"] == []
    (*_, join) = world.asked["JoinGroup"]
    assert join.body.member_id == MEMBER


def test_new_partitions_are_handed_out() -> None:
    world = member(metadata_max_age_ms=1_000)
    world.partitions = 2
    world.pass_time(2_000)
    world.values()
    assert list(world.core.subscription.places) == [FIRST, Target("t", 1)]


def test_a_static_member_stays_when_it_closes() -> None:
    world = member(group_instance_id="i")
    assert world.asked["JoinGroup"][0].body.group_instance_id == "i"
    world.take(world.core.close(world.now_ms))
    assert world.asked["LeaveGroup"] == []


def test_a_group_that_refuses_says_so() -> None:
    world = ConsumerWorld(group_id="g")
    world.errors["JoinGroup"] = ErrorCode.GROUP_AUTHORIZATION_FAILED
    world.core.subscribe(["t"], world.now_ms)
    with pytest.raises(ClientError, match="GROUP_AUTHORIZATION_FAILED"):
        world.values()


@pytest.mark.parametrize("api_name", ["FindCoordinator", "JoinGroup", "OffsetFetch", "Metadata"])
def test_nothing_is_due_while_an_answer_is_waited_for(api_name: str) -> None:
    for by_user in (True, False):
        world = ConsumerWorld(group_id="g")
        world.silent.add(api_name)
        if by_user:
            world.core.assign([FIRST])
        else:
            world.core.subscribe(["t"], world.now_ms)
        world.poll()
        world.pass_time(1_000)
        assert len(world.asked[api_name]) <= 1


# Input


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"group": "g"}, "There is no option group."),
        (
            {"auto.offset.reset": "first"},
            "auto.offset.reset is one of latest, earliest, none, and not 'first'.",
        ),
        (
            {"isolation.level": "dirty"},
            "isolation.level is one of read_uncommitted, read_committed, and not 'dirty'.",
        ),
        ({"max.poll.records": 0}, "max.poll.records is at least 1, and 0 is less."),
        (
            {"max.poll.interval.ms": "soon"},
            "max.poll.interval.ms is a whole number, and 'soon' is none.",
        ),
        (
            {"enable.auto.commit": "maybe"},
            "enable.auto.commit is one of true, false, and not 'maybe'.",
        ),
        (
            {"session.timeout.ms": 1_000, "heartbeat.interval.ms": 1_000},
            "heartbeat.interval.ms is less than session.timeout.ms.",
        ),
    ],
)
def test_bad_options_get_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ConsumerCore(read_config(ConsumerConfig, options), Codecs(*CODECS))
    assert str(caught.value) == sentence


def test_who_subscribes_needs_a_group_and_who_seeks_a_partition() -> None:
    world = reader()
    with pytest.raises(ConfigError, match=r"subscribe needs group\.id"):
        world.core.subscribe(["t"], world.now_ms)
    with pytest.raises(ClientError, match="is not assigned"):
        world.core.seek(Target("t", 1), 0)
    with pytest.raises(ClientError, match="without group"):
        world.core.group_member()
