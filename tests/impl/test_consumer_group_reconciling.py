"""One member on its way to its target: GRPS-21, GRPS-22, row by row."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.core.groups.consumer.reconciling import Target, reconcile
from impl.core.groups.consumer.records import (
    STABLE,
    UNRELEASED_PARTITIONS,
    UNREVOKED_PARTITIONS,
    CurrentAssignment,
    MemberState,
    Partitions,
    TopicIdPartition,
)

TOPIC = UUID(int=1)


def some(numbers: str) -> Partitions:
    return frozenset(TopicIdPartition(TOPIC, int(each)) for each in numbers)


def current(
    epoch: int, state: MemberState, assigned: str, to_revoke: str = "", previous: int = 4
) -> CurrentAssignment:
    return CurrentAssignment(epoch, previous, state, some(assigned), some(to_revoke))


STEPS = {
    "nothing new": (current(5, STABLE, "12"), (5, "12"), "12", "", current(5, STABLE, "12")),
    "a new epoch with the same partitions": (
        current(5, STABLE, "12"),
        (7, "12"),
        "12",
        "",
        current(7, STABLE, "12", previous=5),
    ),
    "more that is free": (
        current(5, STABLE, "1"),
        (6, "12"),
        "1",
        "",
        current(6, STABLE, "12", previous=5),
    ),
    "more that is held": (
        current(5, STABLE, "1"),
        (6, "123"),
        "1",
        "3",
        current(6, UNRELEASED_PARTITIONS, "12", previous=5),
    ),
    "less": (
        current(5, STABLE, "12"),
        (6, "1"),
        "12",
        "",
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
    ),
    "less, and it does not say what it owns": (
        current(5, STABLE, "12"),
        (6, "1"),
        None,
        "",
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
    ),
    "less, which it has given up already": (
        current(5, STABLE, "12"),
        (6, "1"),
        "1",
        "",
        current(6, STABLE, "1", previous=5),
    ),
    "others, of which it gets nothing yet": (
        current(5, STABLE, "12"),
        (6, "13"),
        "12",
        "",
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
    ),
    "not given up yet": (
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
        (6, "13"),
        "12",
        "",
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
    ),
    "given up": (
        current(5, UNREVOKED_PARTITIONS, "1", "2"),
        (6, "13"),
        "1",
        "",
        current(6, STABLE, "13", previous=5),
    ),
    "given up, and there is more to give up": (
        current(5, UNREVOKED_PARTITIONS, "13", "2"),
        (8, "1"),
        "13",
        "",
        current(6, UNREVOKED_PARTITIONS, "1", "3", previous=5),
    ),
    "still held": (
        current(6, UNRELEASED_PARTITIONS, "1"),
        (6, "12"),
        "1",
        "2",
        current(6, UNRELEASED_PARTITIONS, "1"),
    ),
    "released": (
        current(6, UNRELEASED_PARTITIONS, "1"),
        (6, "12"),
        "1",
        "",
        current(6, STABLE, "12"),
    ),
    "while it waits the target changes": (
        current(6, UNRELEASED_PARTITIONS, "1"),
        (7, "3"),
        "1",
        "",
        current(6, UNREVOKED_PARTITIONS, "", "1"),
    ),
}


@pytest.mark.parametrize(
    ("before", "target", "owned", "held", "after"), STEPS.values(), ids=STEPS.keys()
)
def test_step(
    before: CurrentAssignment,
    target: tuple[int, str],
    owned: str | None,
    held: str,
    after: CurrentAssignment,
) -> None:
    epoch, partitions = target
    said = None if owned is None else some(owned)
    found = reconcile(before, Target(epoch, some(partitions)), said, lambda p: p & some(held))
    assert found == after


ANY = st.frozensets(st.builds(TopicIdPartition, st.just(TOPIC), st.integers(0, 4)))
AT = st.integers(1, 5)


@given(assigned=ANY, target=ANY, held=ANY, epoch=AT, ahead=AT, owned=st.none() | ANY)
def test_a_step_gives_nothing_that_is_held_and_nothing_before_the_rest_is_given_up(
    assigned: Partitions,
    target: Partitions,
    held: Partitions,
    epoch: int,
    ahead: int,
    owned: Partitions | None,
) -> None:
    before = CurrentAssignment(epoch, epoch - 1, STABLE, assigned, frozenset())
    after = reconcile(before, Target(epoch + ahead, target), owned, lambda p: p & held)
    assert (after.assigned - assigned).isdisjoint(held)
    still_used = assigned if owned is None else assigned & owned
    assert after.assigned | after.to_revoke >= still_used
    if after.to_revoke:
        assert (after.member_epoch, after.assigned) == (epoch, assigned & target)
    else:
        assert after.member_epoch == epoch + ahead
