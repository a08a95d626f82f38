"""TOPC: the ids that tell a topic from its successor, and what goes with a topic."""

import uuid

from conformance import appends, offsets, requests, topics
from conformance.check import check
from conformance.judge import other_than
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

NO_ID = uuid.UUID(int=0)

# TOPC-09 and TOPC-10: identity


@check("TOPC-09", apis=("Metadata 10+",))
def a_topic_has_an_id(session: Session) -> None:
    """Every topic has an id that is not zero, its own, and the same whenever one asks."""
    first, second = session.create_topic(), session.create_topic()
    for topic in (first, second):
        session.permit("the id", topic.id, other_than(NO_ID), "Every topic has an id.")
        session.permit(
            "the id when asked again",
            topics.look(session, {"name": topic.name})[0].topic_id,
            [topic.id],
            "An id stays the same for as long as the topic exists.",
        )
    session.permit("the id", second.id, other_than(first.id), "No two topics have one id.")


@check("TOPC-09", apis=("CreateTopics 7+", "Metadata 10+"))
def creation_tells_the_id(session: Session) -> None:
    """The answer to CreateTopics has the id that Metadata shows."""
    name = session.name("topic")
    told = topics.create(session, name).topic_id
    session.create_topic()
    session.permit(
        "the id in Metadata",
        topics.look(session, {"name": name})[0].topic_id,
        [told],
        "The id is visible in the answer of CreateTopics.",
    )


@check("TOPC-09", apis=("DeleteTopics", "Metadata 10+"))
def a_topic_that_is_created_again_has_another_id(session: Session) -> None:
    """A topic under the name of a deleted one has another id."""
    former, present = topics.create_again(session)
    session.permit(
        "the id of the new topic",
        present.id,
        other_than(former.id, NO_ID),
        "The id tells two topics of one name apart.",
    )


@check("TOPC-09", apis=("DeleteTopics", "Produce", "Fetch", "ListOffsets"))
def a_topic_that_is_created_again_is_empty(session: Session) -> None:
    """A topic under the name of a deleted one is empty and assigns offsets from 0 again."""
    former = session.create_topic()
    appends.store(session, former, [b"a", b"b", b"c"])
    topics.delete(session, former)
    present = session.create_topic(name=former.name)
    session.permit(
        "the end of the new topic",
        session.list_offset(present, requests.LATEST).offset,
        [0],
        "A new topic is empty.",
    )
    (answer,) = appends.store(session, present, [b"new"])
    session.permit("the first offset", answer.base_offset, [0], "Offsets start at 0.")
    session.permit(
        "the values in the log",
        session.read(present, count=1).values,
        [[b"new"]],
        "Nothing of the former topic is left.",
    )


@check("TOPC-09", apis=("Metadata 10+",), needs=("restart",))
def a_topic_keeps_its_id_over_a_restart(session: Session) -> None:
    """After a restart a topic has the id that it had."""
    topic = session.create_topic()
    session.restart()
    session.permit(
        "the id after the restart",
        session.poll_until(lambda: known(session, topic), "Metadata shows the topic").topic_id,
        [topic.id],
        "An id stays the same for as long as the topic exists.",
    )


def known(session: Session, topic: Topic) -> Struct | None:
    found = topics.look(session, {"name": topic.name})[0]
    return found if found.error_code == ErrorCode.NONE else None


def permit_unknown_id(session: Session, error_code: int) -> None:
    session.permit(
        "the error code for the id of a topic that was deleted",
        error_code,
        {ErrorCode.UNKNOWN_TOPIC_ID},
        "No topic has this id, although one has the name.",
    )


@check("TOPC-10", apis=("Fetch 13+", "DeleteTopics", "Produce"))
def fetch_of_a_vanished_id_says_so(session: Session) -> None:
    """Fetch of a deleted topic's id gives UNKNOWN_TOPIC_ID, not records of the new topic."""
    former, present = topics.create_again(session)
    appends.store(session, present, [b"new"])
    answer = session.leader(present).call(
        "Fetch", session.leader(present).version("Fetch"), **requests.fetch(former, {0: 0})
    )
    partition = answer.responses[0].partitions[0]
    permit_unknown_id(session, partition.error_code)
    session.permit(
        "the records", partition.records or b"", [b""], "The records belong to another topic."
    )


@check("TOPC-10", apis=("Fetch 13+", "DeleteTopics", "Produce"))
def fetch_of_a_vanished_id_does_not_spoil_others(session: Session) -> None:
    """A Fetch of an unknown id and a known one delivers the records of the known one."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a"])
    nobody = Topic(session.name("topic"), uuid.uuid4(), 1)
    fields = requests.fetch(topic, {0: 0}, max_wait_ms=20)
    fields["topics"] = requests.fetch(nobody, {0: 0})["topics"] + fields["topics"]
    answer = session.leader(topic).call("Fetch", **fields)
    codes = {each.topic_id: each.partitions[0].error_code for each in answer.responses}
    session.permit(
        "the error code of each topic",
        [codes.get(nobody.id), codes.get(topic.id)],
        [[ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.NONE]],
        "Each topic of a request is answered for itself.",
    )


@check("TOPC-10", apis=("Metadata 12+", "DeleteTopics"))
def metadata_of_a_vanished_id_says_so(session: Session) -> None:
    """Metadata of a deleted topic's id gives UNKNOWN_TOPIC_ID."""
    former, _ = topics.create_again(session)
    (found,) = topics.look(session, {"name": None, "topic_id": former.id})
    permit_unknown_id(session, found.error_code)


@check("TOPC-10", apis=("DeleteTopics 6+", "Metadata 1+"))
def deletion_by_a_vanished_id_says_so(session: Session) -> None:
    """DeleteTopics of a deleted topic's id gives UNKNOWN_TOPIC_ID and leaves the new topic."""
    former, present = topics.create_again(session)
    answer = session.broker.call(
        "DeleteTopics", topics=[{"name": None, "topic_id": former.id}], timeout_ms=5000
    )
    permit_unknown_id(session, answer.responses[0].error_code)
    session.create_topic()
    session.permit(
        "whether the new topic is there",
        present.name in topics.names(session),
        [True],
        "It has another id than the one that was to be deleted.",
    )


@check("TOPC-10", apis=("Produce 13+", "DeleteTopics", "ListOffsets"))
def produce_to_a_vanished_id_says_so(session: Session) -> None:
    """Produce to a deleted topic's id gives UNKNOWN_TOPIC_ID and appends nothing to the new."""
    former, present = topics.create_again(session)
    fields = requests.produce(former, {0: [b"late"]})
    answer = session.leader(present).call("Produce", **fields)
    permit_unknown_id(session, answer.responses[0].partition_responses[0].error_code)
    appends.permit_nothing_appended(session, present)


@check("TOPC-10", apis=("OffsetCommit 10+", "DeleteTopics"))
def a_commit_for_a_vanished_id_says_so(session: Session) -> None:
    """OffsetCommit for a deleted topic's id gives UNKNOWN_TOPIC_ID."""
    former, _ = topics.create_again(session)
    group = session.group_name()
    permit_unknown_id(session, offsets.commit_from_outside(session, group, former, 1))


@check("TOPC-10", apis=("OffsetFetch 10+", "DeleteTopics"))
def committed_offsets_of_a_vanished_id_are_unknown(session: Session) -> None:
    """OffsetFetch for a deleted topic's id gives UNKNOWN_TOPIC_ID."""
    former, _ = topics.create_again(session)
    answer = offsets.fetch_offset(session, session.group_name(), former)
    permit_unknown_id(session, answer.error_code)


# TOPC-11: deletion and committed offsets


@check("TOPC-11", apis=("DeleteTopics", "OffsetCommit", "OffsetFetch 2-9"))
def deletion_removes_committed_offsets(session: Session) -> None:
    """After a topic was deleted OffsetFetch for its name gives -1, also when a new one has it."""
    topic, group = session.create_topic(), session.group_name()
    offsets.prepare_offset(session, group, topic, 7)
    version = session.coordinator(group).version("OffsetFetch", at_most=9)
    if offsets.fetch_offset(session, group, topic, version=version).committed_offset != 7:
        session.inconclusive("the offset that was committed did not come back")
    topics.delete(session, topic)
    session.poll_until(
        lambda: offsets.fetch_offset(session, group, topic, version=version).committed_offset < 0,
        "the offset is gone",
        timeout=session.patience,
        demanded="The offsets that were committed for a deleted topic disappear.",
    )
    session.create_topic(name=topic.name)
    again = offsets.fetch_offset(session, group, topic, version=version)
    session.permit(
        "the offset and the error for the new topic",
        (again.committed_offset, again.error_code),
        [(-1, ErrorCode.NONE)],
        "An offset of the former topic means nothing in the new one.",
    )
