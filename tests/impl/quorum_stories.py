"""Runs of a quorum, step by step, in which one mistake would be enough to break a rule."""

from __future__ import annotations

from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import Vote
from tests.impl.quorum_world import QuorumWorld, RuleBroken, Weather

AT_ONCE = Weather(longest_delay_ms=0)
ONE_BATCH_A_FETCH = QuorumConfig(controller_quorum_fetch_max_bytes=1)


def a_voter_restarts_after_its_vote() -> None:
    world = QuorumWorld(3)
    for candidate in (2, 3):
        answer = world.ask(1, Vote(candidate, epoch=5, last_epoch=0, end_offset=0))
        if answer.is_granted != (candidate == 2):
            raise RuleBroken("it votes for two candidates of an epoch")
        world.lose_power(1)
        world.start(1)


def a_leader_restarts_that_nobody_knows_of() -> None:
    world = QuorumWorld(3)
    world.run_until(lambda: bool(world.leaders))
    [leader] = world.leaders
    world.isolate(leader)
    world.run(10)
    world.lose_power(leader)
    world.heal()
    world.start(leader)
    world.run(10_000)


def _two_logs_part(*values: str) -> tuple[QuorumWorld, int, int, int]:
    """The first leader has values of epoch 1 that nobody else has, and the next has its own first
    record at the same offset; the third voter has neither, and only it and the first can talk.
    """
    world = QuorumWorld(3, weather=AT_ONCE, config=ONE_BATCH_A_FETCH)
    world.settle()
    first = world.leader
    world.isolate(first)
    for value in values:
        world.append(first, value)
    world.run_until(lambda: any(node != first for node in world.leaders))
    [second] = [node for node in world.leaders if node != first]
    [third] = {1, 2, 3} - {first, second}
    world.heal()
    world.isolate(second)
    return world, first, second, third


def an_old_record_on_a_majority_is_overwritten() -> None:
    """The first leads again and copies its old record to the third, and nothing after it."""
    world, first, second, third = _two_logs_part("of epoch 1")
    world.run_until(lambda: world.quorums[third].log_end_offset == 2)
    assert world.quorums[first].is_leader
    world.cut.add((first, third))
    world.run(100)  # now the first knows that the third has it
    world.heal()
    world.isolate(first)
    epoch = world.quorums[first].epoch
    world.run_until(lambda: max(world.rules.leaders) > epoch)
    assert world.quorums[second].is_leader


def a_follower_cuts_what_differs() -> None:
    """The second's own records lie where the new leader has some of an older epoch."""
    world, first, second, _ = _two_logs_part("a", "b", "c")
    world.append(second, "d", "e")
    world.run_until(lambda: world.quorums[first].is_leader)
    world.heal()
    try:
        world.settle()
    except AssertionError as stuck:
        raise RuleBroken("no progress") from stuck


STORIES = (
    a_voter_restarts_after_its_vote,
    a_leader_restarts_that_nobody_knows_of,
    an_old_record_on_a_majority_is_overwritten,
    a_follower_cuts_what_differs,
)
