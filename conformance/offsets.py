"""Committed offsets: OffsetCommit from outside a group, and OffsetFetch of any version."""

from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode, name_of

BATCHED_OFFSET_FETCH = 8


def commit_from_outside(
    session: Session,
    group: str,
    topic: Topic,
    offset: int,
    *,
    partition: int = 0,
    leader_epoch: int = -1,
    metadata: str | None = "",
    member_id: str = "",
) -> int:
    """OffsetCommit without generation, as consumers without a group send it; its error code."""
    committed = {
        "partition_index": partition,
        "committed_offset": offset,
        "committed_leader_epoch": leader_epoch,
        "committed_metadata": metadata,
    }
    answer = session.coordinator(group).call(
        "OffsetCommit",
        group_id=group,
        generation_id_or_member_epoch=-1,
        member_id=member_id,
        topics=[{"name": topic.name, "topic_id": topic.id, "partitions": [committed]}],
    )
    return int(answer.topics[0].partitions[0].error_code)


def prepare_offset(session: Session, group: str, topic: Topic, offset: int) -> None:
    """Commit an offset that the check needs, to a group without members."""
    if commit_from_outside(session, group, topic, offset) != ErrorCode.NONE:
        session.inconclusive("an offset could not be committed")


def fetch_offset(
    session: Session,
    group: str,
    topic: Topic,
    partition: int = 0,
    version: int | None = None,
    *,
    require_stable: bool = False,
) -> Struct:
    """OffsetFetch of one partition: its part of the answer, of the form of any version.

    Inconclusive if the answer has an error for the whole group.
    """
    client = session.coordinator(group)
    version = client.version("OffsetFetch") if version is None else version
    asked = {"name": topic.name, "partition_indexes": [partition]}
    answer = client.call(
        "OffsetFetch",
        version,
        group_id=group,
        topics=[asked],
        groups=[{"group_id": group, "topics": [{**asked, "topic_id": topic.id}]}],
        require_stable=require_stable,
    )
    of_group = answer.groups[0] if version >= BATCHED_OFFSET_FETCH else answer
    if of_group.error_code != ErrorCode.NONE or not of_group.topics:
        session.inconclusive(
            f"OffsetFetch answers {name_of(of_group.error_code)} and no partition"
        )
    found: Struct = of_group.topics[0].partitions[0]
    return found
