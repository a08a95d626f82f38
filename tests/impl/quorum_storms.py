"""A quorum under whatever may go wrong, drawn from a seed, and calm weather after it."""

from __future__ import annotations

from impl.core.quorum.config import QuorumConfig
from impl.core.quorum.messages import Vote
from tests.impl.quorum_world import QuorumWorld, RuleBroken, Weather

CALM = Weather()


def storm(seed: int, voters: int, rounds: int = 40) -> QuorumWorld:
    """Raises RuleBroken as soon as something is not as it must be of every quorum."""
    fetch_max_bytes = 1 if seed % 3 == 0 else 1 << 20
    config = QuorumConfig(controller_quorum_fetch_max_bytes=fetch_max_bytes)
    world = QuorumWorld(voters, observers=seed % 2, seed=seed, config=config)
    random = world.random
    appended = 0
    for _ in range(rounds):
        for leader in world.leaders:
            for _ in range(random.randint(0, 2)):
                appended += 1
                world.append(leader, f"value {appended}")
        world.run(random.choice((0, 1, 3, 10, 100, 1_000, 3_000)))
        _disturb(world, random.randrange(12))
    _calm_down(world)
    return world


def _disturb(world: QuorumWorld, what: int) -> None:
    random = world.random
    node = random.choice(world.nodes)
    match what:
        case 0:
            world.isolate(*random.sample(world.nodes, len(world.nodes) // 2))
        case 1:
            world.isolate(random.choice(world.leaders or [node]))
        case 2:
            world.lose_power(random.choice(world.leaders or [node]))
        case 3 if node in world.quorums:
            world.lose_power(node)
        case 4:
            world.weather = Weather(random.choice((0, 0.05, 0.3)), random.choice((1, 20, 300)))
        case 5 if node in world.quorums:
            world.resign(node)
            world.run(random.choice((0, 10, 100)))
            world.kill(node)
        case 6:
            _strike_at_an_election(world)
        case 7 | 8:
            world.heal()
        case _:
            for stopped in [n for n in world.nodes if n not in world.quorums]:
                world.start(stopped)


def _strike_at_an_election(world: QuorumWorld) -> None:
    """All machines lose power while a vote is on its way, or has just been counted."""
    random = world.random
    asked = len(world.sent)
    end_ms = world.now_ms + 5_000
    while world.now_ms < end_ms and not any(
        isinstance(send.request, Vote) and not send.request.is_pre_vote
        for _, send in world.sent[asked:]
    ):
        world.run(10)
    world.run(random.randint(0, 2 * world.weather.longest_delay_ms))
    for node in list(world.quorums):
        if random.random() < 0.8:
            world.lose_power(node)
            world.start(node)


def _calm_down(world: QuorumWorld) -> None:
    """What was broken is mended; then all agree, and go on."""
    world.heal()
    world.weather = CALM
    for node in world.nodes:
        if node not in world.quorums:
            world.start(node)
    try:
        world.settle(within_ms=60_000)
        for attempt in range(3):  # a fetch that was lost before may still cost an election
            assert world.append(world.leader, f"after the storm {attempt}") is not None
            world.settle()
    except AssertionError as stuck:
        raise RuleBroken(f"no progress: {stuck}") from stuck
    if len({world.log(node) for node in world.nodes}) != 1:
        raise RuleBroken("the logs differ")
    if not {f"after the storm {n}" for n in range(3)} & set(world.rules.committed.values()):
        raise RuleBroken("nothing is committed")
