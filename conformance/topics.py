"""One topic at a time: made, grown, looked at and deleted with every field at the check's will.

`create` and `grow` return what the broker says and judge nothing. Metadata may lag behind what
the controller answered, so `permit_absent` looks only when a later change can be seen.
"""

from collections.abc import Mapping
from typing import Any

from conformance import requests
from conformance.requests import REQUEST_TIMEOUT_MS, Topic
from conformance.session import Session, preparing
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

OFFSETS_TOPIC = "__consumer_offsets"
BY_DEFAULT = -1
"""The number of partitions, or of replicas, that the brokers take where nobody says."""


def create(
    session: Session,
    name: str,
    *,
    num_partitions: int = 1,
    replication_factor: int = 1,
    configs: Mapping[str, str | None] | None = None,
    assignments: list[dict[str, Any]] | None = None,
    validate_only: bool = False,
) -> Struct:
    """CreateTopics for one topic, which is deleted when the check is over; its result."""
    session.delete_later(name)
    fields = requests.create_topic(name, num_partitions, replication_factor, configs or {})
    fields["topics"][0]["assignments"] = assignments or []
    answer = session.broker.call("CreateTopics", **fields, validate_only=validate_only)
    result: Struct = answer.topics[0]
    return result


def by_hand(*replicas: list[int], partitions: list[int] | None = None) -> dict[str, Any]:
    """The fields of `create` for a manual assignment, of partitions 0 to n-1 unless told."""
    indexes = partitions or range(len(replicas))
    assignments = [
        {"partition_index": index, "broker_ids": ids}
        for index, ids in zip(indexes, replicas, strict=True)
    ]
    counts = {"num_partitions": BY_DEFAULT, "replication_factor": BY_DEFAULT}
    return {**counts, "assignments": assignments}


def grow(
    session: Session,
    *names: str,
    count: int,
    assignments: list[list[int]] | None = None,
    validate_only: bool = False,
) -> list[Struct]:
    """CreatePartitions for topics of these names; the results."""
    given = None if assignments is None else [{"broker_ids": ids} for ids in assignments]
    answer = session.broker.call(
        "CreatePartitions",
        topics=[{"name": name, "count": count, "assignments": given} for name in names],
        timeout_ms=REQUEST_TIMEOUT_MS,
        validate_only=validate_only,
    )
    return list(answer.results)


def look(session: Session, *topics: dict[str, Any]) -> list[Struct]:
    """What Metadata says of topics, given as `{"name": ...}` or with an id; creates none."""
    answer = session.broker.call("Metadata", topics=list(topics), allow_auto_topic_creation=False)
    return list(answer.topics)


def size(session: Session, name: str) -> int:
    """How many partitions the topic has."""
    return len(look(session, {"name": name})[0].partitions)


def names(session: Session) -> set[str]:
    """The names of all topics."""
    return {topic.name for topic in session.broker.call("Metadata", topics=None).topics}


def permit_absent(session: Session, *absent: str, because: str) -> None:
    """Judge that no topic of these names came into being before now."""
    session.create_topic()  # whoever knows of this one knows of everything before it
    there = sorted(names(session) & set(absent))
    session.permit("what exists of these topics", there, [[]], because)


def delete(session: Session, topic: Topic) -> None:
    """Delete a topic that the check has made, and wait until it is gone."""
    with preparing(f"deleting {topic.name}"):
        fields = requests.delete_topics([topic.name])
        error = session.broker.call("DeleteTopics", **fields).responses[0].error_code
        if error != ErrorCode.NONE:
            session.inconclusive(f"DeleteTopics answers {ErrorCode(error).name}")
        session.poll_until(lambda: topic.name not in names(session), f"{topic.name} is gone")
    session.forget_leaders()


def create_again(session: Session) -> tuple[Topic, Topic]:
    """A topic that was deleted, and the one that has its name now."""
    former = session.create_topic()
    delete(session, former)
    present = session.create_topic(name=former.name)
    return former, present


def restart(session: Session, topic: Topic) -> None:
    """Restart the broker, and wait until partition 0 has a leader that knows that it leads."""
    session.restart()
    session.poll_until(lambda: _is_served(session, topic), f"{topic.name} is served again")


def offsets_topic(session: Session) -> Topic:
    """The topic of committed offsets, once a group has a coordinator and partition 0 is served."""
    session.coordinator(session.group_name())
    with preparing(f"finding {OFFSETS_TOPIC}"):
        (found,) = look(session, {"name": OFFSETS_TOPIC})
        if found.error_code != ErrorCode.NONE:
            session.inconclusive(f"there is no {OFFSETS_TOPIC}")
        topic = Topic(OFFSETS_TOPIC, found.topic_id, len(found.partitions))
        session.poll_until(lambda: _is_served(session, topic), f"{OFFSETS_TOPIC} is served")
    return topic


def _is_served(session: Session, topic: Topic) -> bool:
    """Whether partition 0 has a leader that knows that it leads."""
    (found,) = look(session, {"name": topic.name})
    if found.error_code != ErrorCode.NONE or found.partitions[0].leader_id < 0:
        return False
    session.forget_leaders()
    return bool(session.list_offset(topic, requests.LATEST).error_code == ErrorCode.NONE)
