"""GRPS: which committed offsets do not expire, seen beside offsets that do.

OffsetCommit 2 to 4 says how long an offset is to be kept. One millisecond is soon over; that the
coordinator has looked shows an offset of another group, which expired.
"""

from conformance.check import check
from conformance.groups import stable_group, subscribed_member
from conformance.offsets import fetch_offset
from conformance.requests import Fields, Topic
from conformance.session import Session
from conformance.transactions import TV1_APIS, producer
from spec.wire.errors import ErrorCode

OFTEN = {"offsets.retention.check.interval.ms": "100"}
APIS = ("OffsetCommit 2-4", "OffsetFetch", "JoinGroup", "SyncGroup")
NEWEST_WITH_RETENTION = 4
NOT_COMMITTED = -1


def commit_briefly(
    session: Session, group: str, topic: Topic, offset: int, member: Fields
) -> None:
    """An offset that is to be kept for a millisecond: a preparation."""
    client = session.coordinator(group)
    committed = {"partition_index": 0, "committed_offset": offset}
    answer = client.call(
        "OffsetCommit",
        client.version("OffsetCommit", NEWEST_WITH_RETENTION),
        group_id=group,
        retention_time_ms=1,
        topics=[{"name": topic.name, "partitions": [committed]}],
        **{"generation_id_or_member_epoch": -1, **member},
    )
    if answer.topics[0].partitions[0].error_code != ErrorCode.NONE:
        session.inconclusive("an offset could not be committed")


def await_expiry(session: Session, topic: Topic) -> None:
    """Return when offsets that were committed just now have expired, several times."""
    for _ in range(3):
        other = session.group_name()
        commit_briefly(session, other, topic, 1, {})
        session.poll_until(
            lambda other=other: committed(session, other, topic) == NOT_COMMITTED,  # type: ignore[misc]
            "an offset has expired",
        )


def committed(session: Session, group: str, topic: Topic) -> int:
    return int(fetch_offset(session, group, topic).committed_offset)


def permit_kept(session: Session, group: str, topic: Topic, because: str) -> None:
    await_expiry(session, topic)
    session.permit("the committed offset", committed(session, group, topic), [7], because)


@check("GRPS-15", apis=APIS, settings=OFTEN)
def offsets_of_subscribed_topics_do_not_expire(session: Session) -> None:
    """While a member is subscribed to a topic, no offset of the group for it expires."""
    topic = session.create_topic()
    member = subscribed_member(session, topic)
    who = {"member_id": member.member_id, "generation_id_or_member_epoch": member.generation_id}
    commit_briefly(session, member.group, topic, 7, who)
    permit_kept(session, member.group, topic, "A member of the group goes on from there.")


@check("GRPS-15", apis=(*APIS, *TV1_APIS, "TxnOffsetCommit"), settings=OFTEN)
def offsets_with_an_open_transaction_do_not_expire(session: Session) -> None:
    """While a transaction holds an offset for a partition, the one before does not expire."""
    topic, group = session.create_topic(), session.group_name()
    producer(session).prepare_offset(group, topic, 9)
    commit_briefly(session, group, topic, 7, {})
    permit_kept(session, group, topic, "It is not decided which of the two holds.")


@check("GRPS-16", apis=APIS, settings=OFTEN)
def offsets_outlive_their_group(session: Session) -> None:
    """When the last member has left, the group's offsets stay for their time."""
    topic = session.create_topic()
    (member,) = stable_group(session, 1)
    if member.commit(topic, 0, 7) != ErrorCode.NONE:
        session.inconclusive("a member could not commit")
    member.leave()
    permit_kept(session, member.group, topic, "They are kept for offsets.retention.minutes.")
