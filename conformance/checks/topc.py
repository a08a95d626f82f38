"""TOPC: which topics can be created: names, numbers, assignments, configurations."""

from conformance import topics
from conformance.check import check
from conformance.judge import at_least
from conformance.session import Session
from conformance.settings import broker_number
from spec.wire.errors import ErrorCode

ILLEGAL_NAMES = ("", ".", "..", "my orders", "주문", "a/b", "a\\b", "a:b", "a\nb", "a" * 250)
MANY = 32767
"""More replicas than a cluster has brokers."""

# TOPC-01 and TOPC-02: names


@check("TOPC-01", apis=("CreateTopics", "Metadata 1+"))
def illegal_names_are_refused(session: Session) -> None:
    """CreateTopics refuses empty, too long and otherwise illegal names."""
    for name in ILLEGAL_NAMES:
        session.permit(
            f"the error code for a topic called {name[:20]!r}",
            topics.create(session, name).error_code,
            {ErrorCode.INVALID_TOPIC_EXCEPTION},
            "A name is 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'; not '.', '..'.",
        )
    topics.permit_absent(session, *ILLEGAL_NAMES, because="A topic that is refused is not made.")


@check("TOPC-01", apis=("CreateTopics",))
def legal_names_are_accepted(session: Session) -> None:
    """CreateTopics accepts a name of 249 characters, and names of odd but legal ones."""
    name = session.name("topic")
    for legal in (name.ljust(249, "x"), f"...{name}", f"-{name}", f"{name.upper()}.", f"0{name}"):
        session.permit(
            f"the error code for a topic called {legal[:20]!r}",
            topics.create(session, legal).error_code,
            {ErrorCode.NONE},
            "Every name of 1 to 249 legal characters is accepted.",
        )


@check("TOPC-01", apis=("CreateTopics",))
def upper_and_lower_case_differ(session: Session) -> None:
    """Two topics may have names that differ in upper and lower case only."""
    topic = session.create_topic()
    session.permit(
        "the error code",
        topics.create(session, topic.name.upper()).error_code,
        {ErrorCode.NONE},
        "Names that differ in case are different names.",
    )


@check("TOPC-01", apis=("Metadata 4+",))
def metadata_knows_illegal_names(session: Session) -> None:
    """Metadata answers INVALID_TOPIC_EXCEPTION for an illegal name, creation allowed or not."""
    for name in ("my orders", "a" * 250):
        for allowed in (False, True):
            answer = session.broker.call(
                "Metadata", topics=[{"name": name}], allow_auto_topic_creation=allowed
            )
            session.permit(
                f"the error code for {name[:20]!r} with creation {allowed}",
                answer.topics[0].error_code,
                {ErrorCode.INVALID_TOPIC_EXCEPTION},
                "No topic can have such a name.",
            )


@check("TOPC-02", apis=("CreateTopics", "Metadata 1+"))
def colliding_names_are_refused(session: Session) -> None:
    """A name that differs from an existing one in dot and underscore only is refused."""
    stem = session.name("topic")
    for there, colliding in ((".a", "_a"), ("_b", ".b"), (".c_d", "_c.d")):
        session.create_topic(name=stem + there)
        session.permit(
            f"the error code for {colliding} beside {there}",
            topics.create(session, stem + colliding).error_code,
            {ErrorCode.INVALID_TOPIC_EXCEPTION},
            "Both names would be one name in the metrics.",
        )
    absent = [stem + "_a", stem + ".b", stem + "_c.d"]
    topics.permit_absent(session, *absent, because="A topic that is refused is not made.")


# TOPC-03: topics that exist


@check("TOPC-03", apis=("CreateTopics", "Metadata"))
def an_existing_topic_is_not_created_again(session: Session) -> None:
    """Creating a topic that exists gives TOPIC_ALREADY_EXISTS and leaves its partitions alone."""
    topic = session.create_topic(2)
    session.permit(
        "the error code",
        topics.create(session, topic.name, num_partitions=5).error_code,
        {ErrorCode.TOPIC_ALREADY_EXISTS},
        "The topic exists.",
    )
    session.create_topic()
    session.permit(
        "the number of partitions",
        topics.size(session, topic.name),
        [2],
        "A topic is not changed by an attempt to create it again.",
    )


@check("TOPC-03", apis=("CreateTopics",))
def that_a_topic_exists_is_said_before_other_errors(session: Session) -> None:
    """TOPIC_ALREADY_EXISTS comes before errors about partition counts and replication factors."""
    topic = session.create_topic()
    for partitions, replicas in ((0, 1), (1, MANY)):
        result = topics.create(
            session, topic.name, num_partitions=partitions, replication_factor=replicas
        )
        session.permit(
            f"the error code with {partitions} partitions and {replicas} replicas",
            result.error_code,
            {ErrorCode.TOPIC_ALREADY_EXISTS},
            "The first thing that is wrong is that the topic exists.",
        )


@check("TOPC-03", apis=("CreateTopics", "Metadata 1+"))
def a_name_that_stands_twice_in_a_request_is_refused(session: Session) -> None:
    """A name twice in one CreateTopics is answered once, with INVALID_REQUEST, and not created."""
    name, other = session.name("topic"), session.name("topic")
    for each in (name, other):
        session.delete_later(each)
    twice = [{"name": each, "num_partitions": 1, "replication_factor": 1} for each in (name, name)]
    once = {"name": other, "num_partitions": 1, "replication_factor": 1}
    answer = session.broker.call("CreateTopics", topics=[*twice, once], timeout_ms=5000)
    session.permit(
        "the answers",
        sorted((result.name == other, result.error_code) for result in answer.topics),
        [[(False, ErrorCode.INVALID_REQUEST), (True, ErrorCode.NONE)]],
        "The name that stands twice is answered once, and the other topic is created.",
    )
    topics.permit_absent(session, name, because="Which of the two was meant cannot be known.")


# TOPC-04: counts


@check("TOPC-04", apis=("CreateTopics", "Metadata 1+"))
def invalid_partition_counts_are_refused(session: Session) -> None:
    """0 partitions, or fewer than -1, are refused with INVALID_PARTITIONS."""
    name = session.name("topic")
    for count in (0, -2, -(2**31)):
        session.permit(
            f"the error code for {count} partitions",
            topics.create(session, name, num_partitions=count).error_code,
            {ErrorCode.INVALID_PARTITIONS},
            "A topic has 1 or more partitions; -1 takes the default.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


@check("TOPC-04", apis=("CreateTopics", "Metadata 1+"))
def invalid_replication_factors_are_refused(session: Session) -> None:
    """A replication factor of 0, below -1, or above the number of brokers is refused."""
    name = session.name("topic")
    for factor in (0, -2, MANY):
        session.permit(
            f"the error code for a replication factor of {factor}",
            topics.create(session, name, replication_factor=factor).error_code,
            {ErrorCode.INVALID_REPLICATION_FACTOR},
            "Each replica of a partition is on another broker; -1 takes the default.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


@check("TOPC-04", apis=("CreateTopics 4+", "Metadata 1+"))
def the_number_of_partitions_has_a_default(session: Session) -> None:
    """With -1 partitions a topic gets as many as num.partitions of the broker says."""
    name, default = session.name("topic"), broker_number(session, "num.partitions")
    session.permit(
        "the error code",
        topics.create(session, name, num_partitions=topics.BY_DEFAULT).error_code,
        {ErrorCode.NONE},
        "-1 takes the default.",
    )
    session.create_topic()
    session.permit(
        "the number of partitions",
        topics.size(session, name),
        at_least(1) if default is None else [default],
        "A topic whose creator does not say has num.partitions partitions.",
    )


@check("TOPC-04", apis=("CreateTopics 4+", "Metadata 1+"), settings={"num.partitions": "3"})
def the_default_number_of_partitions_is_a_setting(session: Session) -> None:
    """With num.partitions=3 a topic of -1 partitions has three."""
    name = session.name("topic")
    topics.create(session, name, num_partitions=topics.BY_DEFAULT)
    session.create_topic()
    session.permit(
        "the number of partitions",
        topics.size(session, name),
        [3],
        "The broker's num.partitions says how many.",
    )


# TOPC-05: manual assignments


def broker_id(session: Session) -> int:
    """The id of a broker of the cluster."""
    return int(session.broker.call("Metadata", topics=[]).brokers[0].node_id)


def stranger(session: Session) -> int:
    """An id that no broker of the cluster has."""
    known = session.broker.call("Metadata", topics=[]).brokers
    return 999 + max(int(broker.node_id) for broker in known)


@check("TOPC-05", apis=("CreateTopics", "Metadata 1+"))
def assigned_partitions_count_from_zero(session: Session) -> None:
    """A manual assignment whose partitions are not 0 to n-1, each once, is refused."""
    name, here = session.name("topic"), broker_id(session)
    for partitions in ([1], [0, 2], [0, 0], [-1, 0]):
        replicas = [[here] for _ in partitions]
        assignment = topics.by_hand(*replicas, partitions=partitions)
        session.permit(
            f"the error code for the partitions {partitions}",
            topics.create(session, name, **assignment).error_code,
            {ErrorCode.INVALID_REPLICA_ASSIGNMENT},
            "The partitions are 0 to n-1, each once.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


@check("TOPC-05", apis=("CreateTopics", "Metadata 1+"))
def assigned_replicas_are_different_brokers_that_exist(session: Session) -> None:
    """A manual assignment without replicas, with one twice, or with an unknown one is refused."""
    name, here = session.name("topic"), broker_id(session)
    for replicas in ([], [here, here], [stranger(session)]):
        session.permit(
            f"the error code for the replicas {replicas}",
            topics.create(session, name, **topics.by_hand(replicas)).error_code,
            {ErrorCode.INVALID_REPLICA_ASSIGNMENT},
            "The replicas of a partition are one or more brokers that are registered, each once.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


@check("TOPC-05", apis=("CreateTopics", "Metadata 1+"))
def an_assignment_and_counts_exclude_each_other(session: Session) -> None:
    """A manual assignment together with a count other than -1 is refused with INVALID_REQUEST."""
    name, assignment = session.name("topic"), topics.by_hand([broker_id(session)])
    for counts in ({"num_partitions": 1}, {"replication_factor": 1}):
        session.permit(
            f"the error code with {counts}",
            topics.create(session, name, **{**assignment, **counts}).error_code,
            {ErrorCode.INVALID_REQUEST},
            "The assignment says how many partitions and replicas there are.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


# TOPC-06: only to validate


@check("TOPC-06", apis=("CreateTopics 1+", "Metadata 1+"))
def validation_creates_no_topic(session: Session) -> None:
    """CreateTopics with validateOnly answers without an error, and the topic is not there."""
    name = session.name("topic")
    session.permit(
        "the error code",
        topics.create(session, name, validate_only=True).error_code,
        {ErrorCode.NONE},
        "Validation answers as creation would.",
    )
    topics.permit_absent(session, name, because="Validation changes nothing.")


@check("TOPC-06", apis=("CreateTopics 1+",))
def validation_finds_the_same_errors(session: Session) -> None:
    """CreateTopics with validateOnly answers with the errors that creation would have."""
    there, name = session.create_topic(), session.name("topic")
    for error, result in (
        (
            ErrorCode.TOPIC_ALREADY_EXISTS,
            topics.create(session, there.name, validate_only=True),
        ),
        (
            ErrorCode.INVALID_PARTITIONS,
            topics.create(session, name, num_partitions=0, validate_only=True),
        ),
        (
            ErrorCode.INVALID_CONFIG,
            topics.create(session, name, configs={"no.such": "x"}, validate_only=True),
        ),
    ):
        session.permit(
            "the error code", result.error_code, {error}, "Validation answers as creation would."
        )


@check("TOPC-06", apis=("CreatePartitions", "Metadata 1+"))
def validation_adds_no_partitions(session: Session) -> None:
    """CreatePartitions with validateOnly answers as it would, and adds nothing."""
    topic = session.create_topic()
    for count, error in ((3, ErrorCode.NONE), (1, ErrorCode.INVALID_PARTITIONS)):
        (result,) = topics.grow(session, topic.name, count=count, validate_only=True)
        session.permit(
            f"the error code for {count} partitions",
            result.error_code,
            {error},
            "Validation answers as growing would.",
        )
    session.create_topic()
    session.permit(
        "the number of partitions",
        topics.size(session, topic.name),
        [1],
        "Validation changes nothing.",
    )


# TOPC-08: configurations


@check("TOPC-08", apis=("CreateTopics", "Metadata 1+"))
def a_null_value_is_no_configuration(session: Session) -> None:
    """A topic with a configuration whose value is null is refused with INVALID_CONFIG."""
    name = session.name("topic")
    session.permit(
        "the error code",
        topics.create(session, name, configs={"retention.ms": None}).error_code,
        {ErrorCode.INVALID_CONFIG},
        "To leave a setting at its default, one does not send it.",
    )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")


@check("TOPC-08", apis=("CreateTopics", "Metadata 1+"))
def wrong_configurations_are_refused(session: Session) -> None:
    """A topic with a setting that is unknown, or cannot be parsed, is refused."""
    name = session.name("topic")
    for configs in (
        {"no.such.setting": "1"},
        {"retention.ms": "a week"},
        {"cleanup.policy": "burn"},
        {"min.insync.replicas": "0"},
    ):
        session.permit(
            f"the error code for {configs}",
            topics.create(session, name, configs=dict(configs)).error_code,
            {ErrorCode.INVALID_CONFIG},
            "There is no such setting, or no such value of it.",
        )
    topics.permit_absent(session, name, because="A topic that is refused is not made.")
