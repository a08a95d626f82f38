"""GRPS-21 in storms: no partition has two owners, and each has one when the storm is over."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.wire.errors import ErrorCode
from tests.impl.consumer_mistakes import MISTAKES, Mistake
from tests.impl.consumer_storm import RuleBroken, storm

SEEDS = range(60)
SEEDS_PER_MISTAKE = range(300)


@settings(deadline=None, max_examples=25)
@given(random=st.randoms(use_true_random=False))
def test_a_group_comes_through_any_storm(random: Random) -> None:
    storm(random, steps=30)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_group_comes_through_a_long_storm(seed: int) -> None:
    storm(Random(seed), steps=120)


def test_storms_are_not_empty() -> None:
    storms = [storm(Random(seed), steps=120) for seed in range(30)]
    groups = [each.world.group() for each in storms if each.clients]
    assert max(group.epoch for group in groups) > 10
    assert max(len(group.members) for group in groups) > 3
    errors = sum((each.errors for each in storms), Counter())
    assert errors[ErrorCode.NONE] > 500
    assert errors.keys() >= {
        ErrorCode.FENCED_MEMBER_EPOCH,
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.NOT_COORDINATOR,
        ErrorCode.UNRELEASED_INSTANCE_ID,
    }


def test_one_seed_gives_one_storm() -> None:
    one, other = storm(Random(7)), storm(Random(7))
    assert one.world.logs == other.world.logs


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_storm_finds_a_rule_that_is_left_out(
    mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    for seed in SEEDS_PER_MISTAKE:
        with suppress(AssertionError, KeyError):  # what a mistake breaks besides
            try:
                storm(Random(seed))
            except RuleBroken:
                return
    raise AssertionError("the mistake was not found")
