"""TOPC: how topics grow and are told apart, what deletion leaves, and the broker's own topics."""

import uuid
from functools import partial

from conformance import appends, offsets, requests, topics
from conformance.check import check
from conformance.judge import other_than
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from spec.wire.errors import ErrorCode

OFFSETS_TOPIC = "__consumer_offsets"
NO_ID = uuid.UUID(int=0)

# TOPC-07: growing


@check("TOPC-07", apis=("CreatePartitions", "Produce", "Fetch", "ListOffsets"))
def a_topic_grows_and_keeps_its_records(session: Session) -> None:
    """CreatePartitions adds empty partitions, and leaves records and offsets as they were."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    (result,) = topics.grow(session, topic.name, count=3)
    appends.permit_accepted(session, result, "A topic may grow.")
    session.poll_until(
        lambda: len(topics.look(session, {"name": topic.name})[0].partitions) == 3,
        "the topic has 3 partitions",
        demanded="CreatePartitions increases the number of partitions to the count asked for.",
    )
    session.permit(
        "what is in partition 0",
        session.read(topic, count=3).values,
        [[b"a", b"b", b"c"]],
        "The partitions that were there stay as they were.",
    )
    session.forget_leaders()
    for partition in (1, 2):
        end = session.poll_until(
            partial(served_end, session, topic, partition), "its leader serves it"
        )
        session.permit(
            f"the end of partition {partition}", end.offset, [0], "New partitions start at 0."
        )


def served_end(session: Session, topic: Topic, partition: int) -> Struct | None:
    """Where a partition ends, once its leader knows that it leads it."""
    answer = session.list_offset(topic, requests.LATEST, partition)
    return answer if answer.error_code == ErrorCode.NONE else None


@check("TOPC-07", apis=("CreatePartitions", "Metadata"))
def a_topic_does_not_shrink(session: Session) -> None:
    """An equal, smaller, zero or negative count is refused with INVALID_PARTITIONS."""
    topic = session.create_topic(2)
    for count in (2, 1, 0, -1):
        (result,) = topics.grow(session, topic.name, count=count)
        session.permit(
            f"the error code for {count} partitions",
            result.error_code,
            {ErrorCode.INVALID_PARTITIONS},
            "Partitions can only be added.",
        )
    session.create_topic()
    session.permit(
        "the number of partitions",
        len(topics.look(session, {"name": topic.name})[0].partitions),
        [2],
        "Partitions can only be added.",
    )


@check("TOPC-07", apis=("CreatePartitions",))
def an_unknown_topic_does_not_grow(session: Session) -> None:
    """CreatePartitions for an unknown topic is answered with UNKNOWN_TOPIC_OR_PARTITION."""
    (result,) = topics.grow(session, session.name("topic"), count=2)
    session.permit(
        "the error code",
        result.error_code,
        {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION},
        "There is no such topic.",
    )


@check("TOPC-07", apis=("CreatePartitions", "Metadata"))
def each_new_partition_is_assigned(session: Session) -> None:
    """Assignments that do not fit the new partitions, or name unknown brokers, are refused."""
    topic = session.create_topic()
    here = [each.node_id for each in session.broker.call("Metadata", topics=[]).brokers]
    unknown = max(here) + 999
    for assignments in ([here[:1]], [here[:1]] * 3, [here[:1], [unknown]]):
        (result,) = topics.grow(session, topic.name, count=3, assignments=assignments)
        session.permit(
            f"the error code for the assignments {assignments} of 2 new partitions",
            result.error_code,
            {ErrorCode.INVALID_REPLICA_ASSIGNMENT},
            "There is one assignment for each new partition, to brokers that exist.",
        )


@check("TOPC-07", apis=("CreatePartitions", "Metadata"))
def a_topic_grows_once_in_a_request(session: Session) -> None:
    """A topic that stands twice in one CreatePartitions is refused with INVALID_REQUEST."""
    topic = session.create_topic()
    results = topics.grow(session, topic.name, topic.name, count=2)
    session.permit(
        "the error codes",
        {result.error_code for result in results},
        [{ErrorCode.INVALID_REQUEST}],
        "Which of the two was meant cannot be known.",
    )


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


# TOPC-12 to TOPC-14: internal topics and automatic creation


def internal_topic(session: Session) -> Topic:
    """The topic of committed offsets, which is there once a group has a coordinator."""
    session.coordinator(session.group_name())
    return topics.find(session, OFFSETS_TOPIC)


@check("TOPC-12", apis=("Produce", "FindCoordinator", "ListOffsets"))
def clients_do_not_write_to_internal_topics(session: Session) -> None:
    """Produce to the topic of committed offsets is refused and appends nothing."""
    topic = internal_topic(session)
    before = session.list_offset(topic, requests.LATEST).offset
    appends.permit_refused(
        session,
        topic,
        "a forged commit",
        requests.batch([b"forged"]),
        {ErrorCode.INVALID_TOPIC_EXCEPTION},
        "A forged commit would be replayed as a real one.",
    )
    session.permit(
        "the end of the internal topic",
        session.list_offset(topic, requests.LATEST).offset,
        [before],
        "A refused batch appends nothing.",
    )


def ask_for(session: Session, name: str, *, allowed: bool) -> int:
    answer = session.broker.call(
        "Metadata", topics=[{"name": name}], allow_auto_topic_creation=allowed
    )
    return int(answer.topics[0].error_code)


def permit_not_created(session: Session, name: str, error_code: int, because: str) -> None:
    session.permit("the error code", error_code, {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}, because)
    session.permit(
        "whether the topic is there, a moment later",
        name in topics.names(session),
        [False],
        because,
    )


@check("TOPC-13", apis=("Metadata 4+",))
def metadata_creates_nothing_that_the_client_does_not_allow(session: Session) -> None:
    """Metadata without allowAutoTopicCreation does not create a topic."""
    name = session.name("topic")
    error_code = ask_for(session, name, allowed=False)
    session.create_topic()
    permit_not_created(session, name, error_code, "The client did not allow its creation.")


@check(
    "TOPC-13",
    apis=("Metadata 4+", "CreateTopics"),
    settings={"auto.create.topics.enable": "false"},
)
def metadata_creates_nothing_that_the_broker_does_not_allow(session: Session) -> None:
    """Metadata does not create a topic on a broker with auto.create.topics.enable=false."""
    name = session.name("topic")
    error_code = ask_for(session, name, allowed=True)
    session.create_topic()
    permit_not_created(session, name, error_code, "The broker does not allow its creation.")


@check("TOPC-14", apis=("Metadata 1+", "FindCoordinator"))
def metadata_marks_the_internal_topic(session: Session) -> None:
    """Metadata sets isInternal for the topic of committed offsets."""
    topic = internal_topic(session)
    session.permit(
        "isInternal",
        topics.look(session, {"name": topic.name})[0].is_internal,
        [True],
        "Consumers that subscribe to all topics leave internal ones out by this flag.",
    )


@check("TOPC-14", apis=("Metadata 1+",))
def metadata_does_not_mark_topics_of_users(session: Session) -> None:
    """Metadata does not set isInternal for a topic that a user created, whatever its name."""
    for name in (session.name("topic"), "__" + session.name("topic")):
        topic = session.create_topic(name=name)
        session.permit(
            "isInternal",
            topics.look(session, {"name": topic.name})[0].is_internal,
            [False],
            "The topic belongs to its users.",
        )
