"""TOPC: how topics grow, and what is special about the broker's own and those nobody made."""

from functools import partial

from conformance import appends, requests, topics
from conformance.check import check
from conformance.requests import Topic
from conformance.session import Session
from conformance.wire import Struct
from conformance.wire.records import Record, build_batch
from spec.wire.errors import ErrorCode

# TOPC-07: growing


@check("TOPC-07", apis=("CreatePartitions", "Produce", "Fetch", "ListOffsets"))
def a_topic_grows_and_keeps_its_records(session: Session) -> None:
    """CreatePartitions adds empty partitions, and leaves records and offsets as they were."""
    topic = session.create_topic()
    appends.store(session, topic, [b"a", b"b"], [b"c"])
    (result,) = topics.grow(session, topic.name, count=3)
    appends.permit_accepted(session, result, "A topic may grow.")
    count = session.poll_until(
        lambda: max(0, topics.size(session, topic.name) - 1),
        "the topic has more than one partition",
        timeout=session.patience,
        demanded="CreatePartitions increases the number of partitions.",
    )
    session.permit(
        "the number of new partitions", count, [2], "There are as many as were asked for."
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
        topics.size(session, topic.name),
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


# TOPC-12 to TOPC-14: internal topics and automatic creation


@check("TOPC-12", apis=("Produce", "Fetch", "FindCoordinator", "ListOffsets"))
def clients_do_not_write_to_internal_topics(session: Session) -> None:
    """Produce to the topic of committed offsets is refused and appends nothing."""
    topic = topics.offsets_topic(session)
    end = session.list_offset(topic, requests.LATEST).offset
    forged = session.name("commit").encode()
    appends.permit_refused(
        session,
        topic,
        "a forged commit",
        build_batch([Record(key=forged, value=b"commit")]),
        {ErrorCode.INVALID_TOPIC_EXCEPTION},
        "A forged commit would be replayed as a real one.",
    )
    session.permit(
        "whether it is among the records that were written since, of others too",
        forged in {record.key for record in session.read(topic, end).records},
        [False],
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
    topic = topics.offsets_topic(session)
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
