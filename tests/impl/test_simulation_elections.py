"""What the voters of a simulated cluster do is admitted by the machine of the quorum, and what
voters do that break a rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from model.engines.admit import ADMITTED, REFUSED, Admission
from tests.impl.admission_of_elections import watched
from tests.impl.cluster_storm import storm
from tests.impl.quorum_mistakes import MISTAKES
from tests.impl.quorum_stories import STORIES, a_voter_restarts_after_its_vote
from tests.impl.quorum_storms import storm as quorum_storm
from tests.impl.quorum_world import RuleBroken

PAUSE_MS = 1_000


def judged(seed: int) -> Admission:
    with watched() as elections:
        storm(seed, pause_ms=PAUSE_MS)
    return elections.judge()


@pytest.mark.parametrize("seed", [2, 3, 90])
def test_what_voters_do_is_admitted(seed: int) -> None:
    admission = judged(seed)
    assert admission.events > 30
    assert admission.outcome == ADMITTED, str(admission)


@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_what_voters_do_is_admitted_in_many_storms(first: int) -> None:
    for seed in range(first, first + 50):
        admission = judged(seed)
        assert admission.outcome == ADMITTED, f"seed {seed}: {admission}"


# A quorum by itself comes more often to where a mistake shows. In the story that is left out, one
# who is no voter asks for votes.

RUNS: list[Callable[[], object]] = [
    *(story for story in STORIES if story is not a_voter_restarts_after_its_vote),
    *(partial(quorum_storm, seed, voters=3, rounds=20) for seed in (1, 5)),
]


def judged_alone() -> Iterator[Admission]:
    for run in RUNS:
        with watched() as elections, suppress(AssertionError, RuleBroken):
            run()
        yield elections.judge()


def test_a_quorum_by_itself_is_admitted() -> None:
    assert [str(each) for each in judged_alone() if each.outcome != ADMITTED] == []


# Where a follower cuts less than it must, it lacks no epoch, and the admission looks at epochs.
SEEN = sorted(MISTAKES.keys() - {"cuts_only_where_the_leader_ends"})


@pytest.mark.parametrize("mistake", SEEN)
def test_a_mistake_is_refused(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MISTAKES[mistake](monkeypatch)
    assert any(each.outcome == REFUSED for each in judged_alone())
