"""How in-sync replicas come and go: REPL-01, REPL-05 to REPL-08."""

from __future__ import annotations

import pytest

from impl.core.cluster.broker_messages import AlteredPartitions
from impl.core.data.messages import (
    Fetch,
    FetchPartition,
)
from spec.wire.errors import ErrorCode
from tests.impl.replica_world import PAST_LAG_MS, TOPIC_ID, Replicas, apart, follower_fetch

E = ErrorCode


def test_a_follower_that_falls_behind_leaves_and_comes_back() -> None:
    """REPL-05, REPL-07."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1, 2, 3)  # it has all that there is
    world.produce(b"a")
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1, 2)
    assert world.consume() == [(0, b"a")]
    world.cut.clear()
    world.advance(2_000)
    assert world.isr() == (1, 2, 3)
    assert world.log(3) == [(0, b"a")]


def test_a_follower_that_keeps_pace_with_a_busy_leader_stays() -> None:
    """REPL-07: it never is at the end, and each fetch reaches the end of the time before."""
    world = Replicas(nodes=2)
    partition = world.nodes[1].partition()
    world.cut.add(apart(1, 2))
    world.advance(1_000)
    for i in range(60):
        world.produce(b"x", acks=1)
        follower_fetch(2, i, world)
        world.advance(1_000)
        assert partition.log.log_end_offset > i
    assert world.isr() == (1, 2)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1,)


def test_a_proposed_addition_counts_before_it_is_answered() -> None:
    """REPL-01: the controller may have accepted it already."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1, 2)
    world.cut = {apart(1, 0)}
    world.advance(2_000)
    proposal = world.nodes[1].partition().proposal
    assert proposal is not None
    assert proposal.added == 3
    world.cut = {apart(1, 0), apart(1, 3)}
    world.advance(PAST_LAG_MS)
    world.produce(b"b", acks=1)
    world.advance(PAST_LAG_MS)
    assert world.consume() == [(0, b"a")]


def test_a_proposed_removal_counts_only_when_it_is_accepted() -> None:
    """REPL-01: the controller may refuse it."""
    world = Replicas()
    world.cut = {apart(1, 0), apart(1, 3)}
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    proposal = world.nodes[1].partition().proposal
    assert proposal is not None
    assert [member for member, _ in proposal.isr] == [1, 2]
    assert world.consume() == []
    world.cut.discard(apart(1, 0))
    world.advance(1_000)
    assert world.isr() == (1, 2)
    assert world.consume() == [(0, b"a")]


def test_what_the_controller_says_of_a_known_state_does_not_void_the_next_proposal() -> None:
    """The metadata log may tell of the state on which a proposal was built after the answer."""
    world = Replicas()
    world.cut = {apart(1, 2), apart(1, 3)}
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1,)
    world.learns_at_once = False
    world.cut = {apart(1, 3)}
    world.advance(2_000)
    assert world.isr() == (1, 2)  # and node 1 knows it from the answer alone
    world.cut = {apart(1, 0)}
    world.advance(2_000)
    proposal = world.nodes[1].partition().proposal
    assert proposal is not None
    world.learn(1)
    assert world.nodes[1].partition().proposal is proposal


def test_a_follower_below_the_start_of_the_epoch_is_not_proposed() -> None:
    """REPL-05: the high watermark of a new leader is old."""
    world = Replicas()
    world.cut = {apart(1, 3)}
    world.advance(PAST_LAG_MS)
    for value in (b"a", b"b"):
        world.produce(value, acks=1)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1, 2)
    world.cut = {apart(2, 3), apart(2, 1)}
    world.nodes[2].partition().high_watermark = 0
    world.elect(2)
    world.run()
    leader = world.nodes[2].partition()
    assert leader.high_watermark == 0
    asked = FetchPartition(TOPIC_ID, 0, 1, 1 << 20, 1, 0)
    request = Fetch(0, 1, 1 << 20, (asked,), replica_id=3, replica_epoch=world.broker_epochs[3])
    world.ask(request, 2)
    assert leader.proposal is None
    end = FetchPartition(TOPIC_ID, 0, 2, 1 << 20, 1, 0)
    request = Fetch(0, 1, 1 << 20, (end,), replica_id=3, replica_epoch=world.broker_epochs[3])
    world.ask(request, 2)
    assert leader.proposal is not None or 3 in world.isr()


def test_what_followers_had_in_another_epoch_does_not_count() -> None:
    """The leader may have missed that another one led, and had its followers cut their logs."""
    world = Replicas()
    world.cut = {apart(1, 2), apart(1, 3)}
    world.advance(2_000)
    for value in (b"a", b"b"):
        world.produce(value, acks=1)
    leader = world.nodes[1].partition()
    follower_fetch(2, 2, world)
    follower_fetch(3, 1, world)
    assert leader.high_watermark == 1
    world.elect(2)
    world.elect(1)
    world.run()
    assert leader.leader_epoch == 2
    follower_fetch(3, 2, world, current_leader_epoch=2)
    assert leader.high_watermark == 1
    follower_fetch(2, 2, world, current_leader_epoch=2)
    assert leader.high_watermark == 2


def test_a_fenced_follower_is_not_proposed_and_not_waited_for() -> None:
    """REPL-06."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.fence(3)
    world.run()
    assert world.isr() == (1, 2)
    answer = world.produced(world.produce(b"a"))
    assert answer is not None
    assert answer.error is E.NONE
    world.cut.clear()
    world.advance(5_000)
    assert world.log(3) == [(0, b"a")]
    assert world.isr() == (1, 2)
    assert world.controller.asked == []


def test_a_message_from_a_former_life_does_not_count() -> None:
    """REPL-06, KIP-903."""
    world = Replicas()
    former = world.broker_epochs[3]
    world.kill(3)
    world.fence(3)
    world.produce(b"a")
    world.restart(3)
    world.cut.add(apart(1, 3))
    world.learn()
    answer = follower_fetch(3, 1, world, replica_epoch=former, last_fetched_epoch=0)
    assert answer.error is E.NOT_LEADER_OR_FOLLOWER
    world.run()
    assert world.isr() == (1, 2)
    assert follower_fetch(3, 1, world, last_fetched_epoch=0).error is E.NONE
    world.run()
    assert world.isr() == (1, 2, 3)


def test_a_proposal_names_the_life_in_which_a_follower_was_found_fit() -> None:
    """REPL-06: not a later one, which may have lost the data."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    fit_in = world.broker_epochs[3]
    world.cut = {apart(1, 0)}
    world.advance(2_000)
    world.kill(3)
    world.fence(3)
    world.storages[3].crash()
    world.restart(3)
    world.learn(3)
    world.cut.clear()
    world.learns_at_once = False
    world.advance(1_000)
    proposals = [p for request in world.controller.asked for p in request.proposals]
    assert (3, fit_in) in proposals[-1].isr
    assert 3 not in world.isr()


def test_a_refused_proposal_is_withdrawn() -> None:
    """REPL-06: the controller says for certain that nothing was changed."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    world.controller.refuses_with = E.INELIGIBLE_REPLICA
    follower_fetch(3, 1, world, last_fetched_epoch=0)
    world.run()
    assert world.controller.asked[-1].proposals[0].isr[-1][0] == 3
    assert world.nodes[1].partition().proposal is None


@pytest.mark.parametrize("error", [E.INVALID_UPDATE_VERSION, E.FENCED_LEADER_EPOCH])
def test_a_proposal_stands_when_nobody_knows_what_became_of_it(error: ErrorCode) -> None:
    """REPL-01: until the metadata log tells."""
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    world.controller.refuses_with = error
    follower_fetch(3, 1, world, last_fetched_epoch=0)
    world.run()
    asked = len(world.controller.asked)
    proposal = world.nodes[1].partition().proposal
    assert proposal is not None
    world.advance(1_000)
    assert len(world.controller.asked) == asked
    assert world.nodes[1].partition().proposal is proposal
    world.controller.change(isr=(1, 2))
    world.run()
    assert world.nodes[1].partition().proposal is None


def test_a_proposal_is_repeated_until_it_is_answered() -> None:
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    world.controller.refuses_with = E.UNKNOWN_SERVER_ERROR
    world.cut = set()
    world.advance(2_000)
    assert len(world.controller.asked) > 2
    world.controller.refuses_with = None
    world.advance(100)
    assert world.isr() == (1, 2, 3)


def test_a_stale_broker_epoch_is_tried_again_with_the_new_one() -> None:
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.nodes[1].standing.broker_epoch += 100
    world.produce(b"a", acks=1)
    world.advance(PAST_LAG_MS)
    assert world.isr() == (1, 2, 3)
    world.nodes[1].standing.broker_epoch -= 100
    world.advance(100)
    assert world.isr() == (1, 2)


def test_a_late_answer_to_a_proposal_of_a_former_epoch_changes_nothing() -> None:
    world = Replicas()
    world.cut.add(apart(1, 3))
    world.produce(b"a", acks=1)
    sent = None
    while sent is None:
        world.now_ms += 1_000
        world.tick()
        found = [m for m in world.messages if m.send.lane == "controller"]
        sent = found[0] if found else None
        for message in [m for m in world.messages if m is not sent]:
            world.carry(message)
    world.messages.clear()
    world.elect(2)
    world.elect(1)
    world.learn()
    isr = world.nodes[1].partition()._assignment.isr
    answer = AlteredPartitions(partitions=[])
    world.nodes[1].answered(sent.send, answer, world.now_ms)
    assert world.nodes[1].partition()._assignment.isr == isr
