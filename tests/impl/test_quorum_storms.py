"""What holds of a quorum whatever goes wrong, and that these tests find it where it does not."""

from contextlib import suppress

import pytest

from tests.impl.quorum_mistakes import MISTAKES
from tests.impl.quorum_stories import STORIES
from tests.impl.quorum_storms import storm
from tests.impl.quorum_world import RuleBroken


@pytest.mark.parametrize("voters", [3, 5])
@pytest.mark.parametrize("seed", range(20))
def test_a_quorum_comes_through_a_storm(seed: int, voters: int) -> None:
    world = storm(seed, voters)
    assert world.is_settled


def test_storms_are_not_empty() -> None:
    worlds = [storm(seed, 3) for seed in range(8)]
    assert max(len(world.rules.leaders) for world in worlds) > 3
    assert max(len(world.rules.committed) for world in worlds) > 10


def test_one_seed_gives_one_run() -> None:
    one, other = storm(7, 3), storm(7, 3)
    assert [(n, s.to, s.request) for n, s in one.sent] == [
        (n, s.to, s.request) for n, s in other.sent
    ]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_quorum_comes_through_a_story(story) -> None:  # type: ignore[no-untyped-def]
    story()


def go_through_all() -> None:
    for story in STORIES:
        with suppress(AssertionError):  # a mistake may lead the story elsewhere
            story()
    for seed in range(30):
        storm(seed, 3 + 2 * (seed % 2))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MISTAKES[mistake](monkeypatch)
    with pytest.raises(RuleBroken):
        go_through_all()
