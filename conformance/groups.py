"""Groups in a certain state, for checks of what is asked in it: a preparation, nothing is judged.

What `members` does for one request or generation, this does for a whole group.
"""

from collections.abc import Mapping, Sequence

from conformance.members import (
    Member,
    await_rebalance,
    form_group,
    join_first,
    new_member,
    synchronise,
)
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct, encode_message

SUBSCRIPTION_VERSION = 1


def assignment_of(member: Member) -> bytes:
    """What `stable_group` assigns to a member: something that nobody else gets."""
    return b"for " + member.member_id.encode()


def completing_group(session: Session, size: int) -> list[Member]:
    """Members of a new group that waits for its leader's assignment; the leader stands first."""
    group = session.group_name()
    members = [new_member(session, group) for _ in range(size)]
    form_group(session, members)
    return sorted(members, key=lambda member: not member.is_leader)


def stable_group(
    session: Session, size: int, protocols: Mapping[str, bytes] | None = None
) -> list[Member]:
    """Members of a new group that all have their assignments; the leader stands first."""
    group = session.group_name()
    members = [new_member(session, group) for _ in range(size)]
    for member in members:
        member.protocols = protocols or member.protocols
    form_group(session, members)
    make_stable(members)
    return sorted(members, key=lambda member: not member.is_leader)


def subscribed_member(session: Session, topic: Topic) -> Member:
    """The only member of a stable group of consumers that is subscribed to a topic."""
    version = SUBSCRIPTION_VERSION
    subscription = version.to_bytes(2, "big") + encode_message(
        "ConsumerProtocolSubscription", version, {"topics": [topic.name]}
    )
    (member,) = stable_group(session, 1, {"range": subscription})
    return member


def make_stable(members: Sequence[Member]) -> None:
    """SyncGroup of all members of a generation, each with an assignment of its own."""
    synchronise(members, {member.member_id: assignment_of(member) for member in members})


def let_join(session: Session, members: Sequence[Member], newcomer: Member) -> None:
    """Bring a group into PreparingRebalance: a newcomer waits for the members to join again."""
    join_first(newcomer)
    await_rebalance(session, members[0])


def join_again(members: Sequence[Member], newcomer: Member) -> list[Struct]:
    """Complete the rebalance that a newcomer began: the answers to the members, then to it."""
    for member in members:
        member.send_join()
    return [member.receive_join() for member in (*members, newcomer)]
