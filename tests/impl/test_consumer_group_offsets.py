"""Groups of the consumer protocol: offsets, administrators, the way between the protocols."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impl.core.groups.messages import (
    DeleteGroups,
    DeleteOffsets,
    FetchOffsets,
    ListGroups,
    OffsetsOfGroup,
    ProducerIdentity,
)
from spec.wire.errors import ErrorCode
from tests.impl.consumer_world import Consumer, ConsumerWorld, settle
from tests.impl.group_world import CONFIG, GROUP, ORDERS, PAYMENTS


def settled_member(world: ConsumerWorld) -> Consumer:
    member = world.consumer()
    settle(member)
    return member


# GRPS-23


def test_a_member_commits_in_its_epoch() -> None:
    world = ConsumerWorld()
    me = settled_member(world).member_id
    assert world.commit(7, member_id=me, generation_id=1) is ErrorCode.NONE
    assert world.fetch().offset == 7


@pytest.mark.parametrize("epoch", [-1, 0, 2])
def test_a_commit_in_another_epoch_is_stale(epoch: int) -> None:
    world = ConsumerWorld()
    me = settled_member(world).member_id
    world.commit(7, member_id=me, generation_id=1)
    stale = world.commit(8, member_id=me, generation_id=epoch)
    assert stale is ErrorCode.STALE_MEMBER_EPOCH
    assert world.fetch().offset == 7


def test_a_commit_of_a_stranger_is_refused_while_there_are_members() -> None:
    world = ConsumerWorld()
    settled_member(world)
    assert world.commit(7, member_id="who", generation_id=1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.commit(7) is ErrorCode.UNKNOWN_MEMBER_ID


def test_an_older_client_cannot_commit_with_an_epoch() -> None:
    world = ConsumerWorld()
    me = settled_member(world).member_id
    old = world.commit(7, member_id=me, generation_id=1, api_version=8)
    assert old is ErrorCode.UNSUPPORTED_VERSION


def test_a_commit_in_a_transaction_calls_an_epoch_a_generation() -> None:
    world = ConsumerWorld()
    me = settled_member(world).member_id
    producer = ProducerIdentity(7, 0)
    stale = world.commit(7, member_id=me, generation_id=2, producer=producer, api_version=3)
    assert stale is ErrorCode.ILLEGAL_GENERATION
    good = world.commit(7, member_id=me, generation_id=1, producer=producer, api_version=3)
    assert good is ErrorCode.NONE


def test_what_is_about_to_be_lost_can_be_committed_until_it_is_given_up() -> None:
    world = ConsumerWorld()
    old, new = world.consumer(), world.consumer()
    old.beat()
    new.beat()
    old.beat()
    assert world.commit(7, member_id=old.member_id, generation_id=1) is ErrorCode.NONE
    old.beat()
    stale = world.commit(8, member_id=old.member_id, generation_id=1)
    assert stale is ErrorCode.STALE_MEMBER_EPOCH


def test_once_it_is_empty_anybody_may_commit() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    member.leave()
    assert world.commit(7) is ErrorCode.NONE
    assert world.group().state == "Empty"


@pytest.mark.parametrize(
    ("member_id", "epoch", "error"),
    [
        (None, -1, ErrorCode.NONE),
        ("m1", 1, ErrorCode.NONE),
        ("m1", 2, ErrorCode.STALE_MEMBER_EPOCH),
        ("m2", 1, ErrorCode.UNKNOWN_MEMBER_ID),
        (None, 1, ErrorCode.UNKNOWN_MEMBER_ID),
    ],
)
def test_who_fetches_as_a_member_has_to_be_one(
    member_id: str | None, epoch: int, error: ErrorCode
) -> None:
    world = ConsumerWorld()
    settled_member(world)
    wanted = OffsetsOfGroup(GROUP, (ORDERS,), member_id, epoch)
    assert world.ask(FetchOffsets((wanted,))).reply.groups[0].error is error


# GRPS-15 to GRPS-17


def test_offsets_of_subscribed_topics_do_not_expire_and_others_do() -> None:
    world = ConsumerWorld(config=replace(CONFIG, offsets_retention_minutes=20))
    member = settled_member(world)
    for at in (ORDERS, PAYMENTS):
        world.commit(7, at, member_id=member.member_id, generation_id=1)
    for _ in range(60):
        world.pass_time(40_000)
        member.beat()
    assert (world.fetch(ORDERS).offset, world.fetch(PAYMENTS).offset) == (7, -1)


def test_an_empty_group_goes_with_its_last_offset() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    world.commit(7, member_id=member.member_id, generation_id=1)
    member.leave()
    world.pass_time(CONFIG.offsets_retention_ms * 2)
    assert world.fetch().offset == -1
    assert world.describe_consumers().error is ErrorCode.GROUP_ID_NOT_FOUND
    world.restart()
    assert world.describe_consumers().error is ErrorCode.GROUP_ID_NOT_FOUND


def test_a_group_with_members_is_not_deleted() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    world.commit(7, member_id=member.member_id, generation_id=1)

    def delete() -> ErrorCode:
        reply = world.ask(DeleteGroups((GROUP,))).reply
        return ErrorCode(reply.errors[GROUP])

    assert delete() is ErrorCode.NON_EMPTY_GROUP
    member.leave()
    assert delete() is ErrorCode.NONE
    assert delete() is ErrorCode.GROUP_ID_NOT_FOUND
    world.restart()
    assert world.fetch().offset == -1
    assert world.describe_consumers().error is ErrorCode.GROUP_ID_NOT_FOUND


def test_offsets_of_a_subscribed_topic_are_not_deleted() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    for at in (ORDERS, PAYMENTS):
        world.commit(7, at, member_id=member.member_id, generation_id=1)
    errors = world.ask(DeleteOffsets(GROUP, (ORDERS, PAYMENTS))).reply.errors
    assert errors == {ORDERS: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, PAYMENTS: ErrorCode.NONE}
    assert (world.fetch(ORDERS).offset, world.fetch(PAYMENTS).offset) == (7, -1)


def test_groups_are_listed_with_their_type() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    world.commit(1, group_id="simple")

    def listed(**filters: frozenset[str]) -> list[tuple[str, str, str]]:
        reply = world.ask(ListGroups(**filters)).reply
        return [(each.group_id, each.group_type, each.state) for each in reply.groups]

    assert sorted(listed()) == [(GROUP, "consumer", "Stable"), ("simple", "classic", "Empty")]
    assert listed(types=frozenset({"Consumer"})) == [(GROUP, "consumer", "Stable")]
    assert listed(states=frozenset({"reconciling"})) == []
    member.leave()
    assert listed(types=frozenset({"consumer"})) == [(GROUP, "consumer", "Empty")]


def test_a_description_shows_what_members_have_and_shall_have() -> None:
    world = ConsumerWorld()
    old, new = world.consumer(group_instance_id="a"), world.consumer("orders", "payments")
    old.beat()
    new.beat()
    described = world.describe_consumers()
    assert (described.state, described.epoch, described.target_epoch) == ("Reconciling", 2, 2)
    first, second = described.members
    assert (first.subscription.group_instance_id, first.member_epoch) == ("a", 1)
    assert first.assigned == (("orders", world.partitions("orders")),)
    assert second.subscription.topics == {"orders", "payments"}
    assert dict(second.assigned) == {"payments": world.partitions("payments")}
    world.delete_topic("payments")
    assert world.describe_consumers().members[1].assigned == ()


def test_a_classic_description_knows_nothing_of_it() -> None:
    world = ConsumerWorld()
    settled_member(world)
    assert world.describe().error is ErrorCode.GROUP_ID_NOT_FOUND


# Between the protocols


def test_an_empty_classic_group_becomes_one_of_the_consumer_protocol() -> None:
    world = ConsumerWorld()
    (joined,) = world.stable_group(1)
    world.commit(7, member_id=joined.reply.member_id, generation_id=1)
    member = world.consumer()
    assert member.beat() is ErrorCode.GROUP_ID_NOT_FOUND
    world.leave(joined.reply.member_id)
    assert member.beat() is ErrorCode.NONE
    assert world.fetch().offset == 7
    world.restart()
    assert world.fetch().offset == 7
    assert world.describe().error is ErrorCode.GROUP_ID_NOT_FOUND
    assert member.beat() is ErrorCode.NONE


def test_an_empty_group_of_the_consumer_protocol_becomes_a_classic_one() -> None:
    world = ConsumerWorld()
    member = settled_member(world)
    world.commit(7, member_id=member.member_id, generation_id=1)
    assert world.join().error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    member.leave()
    world.stable_group(1)
    assert world.fetch().offset == 7
    assert world.describe_consumers().error is ErrorCode.GROUP_ID_NOT_FOUND
    world.restart()
    assert world.state == "Stable"
    assert world.describe_consumers().error is ErrorCode.GROUP_ID_NOT_FOUND


def test_a_group_of_offsets_alone_becomes_one_of_the_consumer_protocol() -> None:
    world = ConsumerWorld()
    world.commit(7)
    settled_member(world)
    world.restart()
    assert world.fetch().offset == 7
    assert world.group().state == "Stable"


def test_a_member_of_the_consumer_protocol_is_none_of_the_classic_one() -> None:
    world = ConsumerWorld()
    me = settled_member(world).member_id
    assert world.heartbeat(me, 1) is ErrorCode.UNKNOWN_MEMBER_ID
    assert world.leave(me) == [ErrorCode.UNKNOWN_MEMBER_ID]
