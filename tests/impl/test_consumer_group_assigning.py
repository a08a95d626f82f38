"""The assignors of the coordinator, on their own: what holds of any target (GRPS-21)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.core.groups.consumer.assigning import ASSIGNORS, Assignor, Subscriber
from impl.core.groups.consumer.records import NO_PARTITIONS, Partitions, TopicIdPartition

TOPICS = [UUID(int=number) for number in range(4)]


def subscriber(member_id: str, topics: str, instance_id: str | None = None) -> Subscriber:
    wanted = frozenset(TOPICS[int(each)] for each in topics)
    return Subscriber(member_id, instance_id, wanted, NO_PARTITIONS)


def numbers(share: Partitions, topic: int = 0) -> list[int]:
    return sorted(at.partition for at in share if at.topic_id == TOPICS[topic])


@st.composite
def groups(draw: st.DrawFn) -> tuple[list[Subscriber], Mapping[UUID, int]]:
    """Members with any subscriptions, and a last assignment that may be out of date."""
    sizes = {topic: draw(st.integers(0, 5)) for topic in TOPICS}
    members = []
    for number in range(draw(st.integers(1, 5))):
        wanted = draw(st.frozensets(st.sampled_from(TOPICS)))
        instance_id = draw(st.none() | st.just(f"i{draw(st.integers(0, 9))}-{number}"))
        at = st.builds(TopicIdPartition, st.sampled_from(TOPICS), st.integers(0, 6))
        members.append(Subscriber(f"m{number}", instance_id, wanted, draw(st.frozensets(at))))
    return members, {t: n for t, n in sizes.items() if any(t in m.topic_ids for m in members)}


@pytest.mark.parametrize("assignor", ASSIGNORS.values(), ids=ASSIGNORS.keys())
@given(group=groups())
def test_every_partition_goes_to_one_subscriber(
    assignor: Assignor, group: tuple[list[Subscriber], Mapping[UUID, int]]
) -> None:
    members, sizes = group
    shares = assignor(members, sizes)
    assert shares.keys() == {member.member_id for member in members}
    given_out = sorted(at for share in shares.values() for at in share)
    assert given_out == sorted(TopicIdPartition(t, p) for t, n in sizes.items() for p in range(n))
    for member in members:
        assert {at.topic_id for at in shares[member.member_id]} <= member.topic_ids


@pytest.mark.parametrize("assignor", ASSIGNORS.values(), ids=ASSIGNORS.keys())
@given(group=groups())
def test_an_assignment_does_not_depend_on_the_order_of_members(
    assignor: Assignor, group: tuple[list[Subscriber], Mapping[UUID, int]]
) -> None:
    members, sizes = group
    assert assignor(members, sizes) == assignor(members[::-1], sizes)


@given(group=groups())
def test_uniform_leaves_nobody_with_two_more_than_somebody_who_could_have_one(
    group: tuple[list[Subscriber], Mapping[UUID, int]],
) -> None:
    members, sizes = group
    shares = ASSIGNORS["uniform"](members, sizes)
    for giver in members:
        for taker in members:
            if len(shares[giver.member_id]) - len(shares[taker.member_id]) >= 2:
                wanted = {at.topic_id for at in shares[giver.member_id]}
                assert wanted.isdisjoint(taker.topic_ids)


@given(group=groups())
def test_uniform_moves_nothing_that_is_well_placed(
    group: tuple[list[Subscriber], Mapping[UUID, int]],
) -> None:
    members, sizes = group
    shares = ASSIGNORS["uniform"](members, sizes)
    placed = [
        Subscriber(m.member_id, m.group_instance_id, m.topic_ids, shares[m.member_id])
        for m in members
    ]
    assert ASSIGNORS["uniform"](placed, sizes) == shares


def test_uniform_takes_no_more_from_members_than_a_newcomer_is_due() -> None:
    before = ASSIGNORS["uniform"]([subscriber("a", "0"), subscriber("b", "0")], {TOPICS[0]: 6})
    members = [Subscriber(m, None, frozenset(TOPICS[:1]), share) for m, share in before.items()]
    after = ASSIGNORS["uniform"]([*members, subscriber("c", "0")], {TOPICS[0]: 6})
    assert after["a"] < before["a"]
    assert after["b"] < before["b"]
    assert len(after["c"]) == 2


def test_uniform_gives_those_without_a_choice_what_only_they_can_have() -> None:
    members = [subscriber("a", "0"), subscriber("b", "01")]
    shares = ASSIGNORS["uniform"](members, {TOPICS[0]: 4, TOPICS[1]: 2})
    assert [len(shares[each]) for each in "ab"] == [3, 3]
    assert numbers(shares["b"], 1) == [0, 1]


def test_ranges_are_cut_in_the_order_of_instance_ids_and_then_of_member_ids() -> None:
    members = [subscriber("a", "0"), subscriber("b", "0", "z"), subscriber("c", "0", "y")]
    shares = ASSIGNORS["range"](members, {TOPICS[0]: 7})
    assert [numbers(shares[each]) for each in "cba"] == [[0, 1, 2], [3, 4], [5, 6]]


def test_equal_ranges_of_two_topics_go_together() -> None:
    members = [subscriber("a", "01"), subscriber("b", "01")]
    shares = ASSIGNORS["range"](members, {TOPICS[0]: 3, TOPICS[1]: 3})
    for share in shares.values():
        assert numbers(share, 0) == numbers(share, 1)


def test_ranges_count_the_subscribers_of_each_topic() -> None:
    members = [subscriber("a", "0"), subscriber("b", "01"), subscriber("c", "1")]
    shares = ASSIGNORS["range"](members, {TOPICS[0]: 2, TOPICS[1]: 2})
    assert (numbers(shares["a"]), numbers(shares["b"])) == ([0], [1])
    assert (numbers(shares["b"], 1), numbers(shares["c"], 1)) == ([0], [1])
