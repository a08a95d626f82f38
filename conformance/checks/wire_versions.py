"""WIRE: which versions a broker offers, and that it serves them and nothing else."""

from collections.abc import Sequence

from conformance import requests
from conformance.check import check
from conformance.outcomes import permit_unsupported, topic_exists
from conformance.requests import Fields
from conformance.session import Session
from conformance.well_formed import (
    ADMINISTRATION,
    CLUSTER,
    DATA,
    GROUPS,
    TRANSACTIONS,
    Requests,
    World,
)
from conformance.wire import Struct, encode_request
from spec import wire
from spec.wire.errors import ErrorCode

UNKNOWN_API_KEY = 9999
UNKNOWN_VERSIONS = (90, 2**15 - 1)
CHECKED_SOFTWARE_SINCE = 3
SOFTWARE: Fields = {"client_software_name": "brokerspec", "client_software_version": "1"}


# WIRE-04


def unknown_api_versions(session: Session, version: int) -> Struct:
    """The answer to ApiVersions of a version that nobody knows."""
    return session.broker.call("ApiVersions", version, body=b"\x00\x00\x00")


@check("WIRE-04")
def an_unknown_api_versions_is_answered_in_version_0(session: Session) -> None:
    """ApiVersions of an unknown version gets UNSUPPORTED_VERSION in the shape of version 0."""
    for version in UNKNOWN_VERSIONS:
        session.permit(
            f"the error code for version {version}",
            unknown_api_versions(session, version).error_code,
            {ErrorCode.UNSUPPORTED_VERSION},
            "A client knows nothing of the broker before this answer.",
        )


@check("WIRE-04")
def an_unknown_api_versions_leaves_the_connection_open(session: Session) -> None:
    """After ApiVersions of an unknown version the client can ask again on the connection."""
    client = session.connect()
    client.call("ApiVersions", UNKNOWN_VERSIONS[0], body=b"\x00\x00\x00")
    answer = client.call("ApiVersions", 0, demanded="The connection stays open.")
    session.permit(
        "the error code of version 0",
        answer.error_code,
        {ErrorCode.NONE},
        "The connection stays open, so that the client can ask again.",
    )


@check("WIRE-04", level="SHOULD")
def an_unknown_api_versions_learns_the_known_ones(session: Session) -> None:
    """The answer to an unknown version of ApiVersions tells the versions of ApiVersions."""
    known = session.broker.call("ApiVersions", 0)
    wanted = [(a.min_version, a.max_version) for a in known.api_keys if a.api_key == 18]
    answer = unknown_api_versions(session, UNKNOWN_VERSIONS[0])
    session.permit(
        "the versions of ApiVersions",
        [(a.min_version, a.max_version) for a in answer.api_keys or [] if a.api_key == 18],
        [wanted],
        "With this range the client can ask again properly.",
    )


# WIRE-05 and WIRE-06


def judge_software(
    session: Session, names: Sequence[str], permitted: ErrorCode, because: str
) -> None:
    """Judge ApiVersions with each of these as name, and as version, of the client's software."""
    client = session.connect()
    for name in names:
        for field in SOFTWARE:
            answer = client.call("ApiVersions", **{**SOFTWARE, field: name})
            session.permit(
                f"the error code for {field} {name!r}", answer.error_code, {permitted}, because
            )


@check("WIRE-05", apis=("ApiVersions 3+",))
def wrong_software_names_are_refused(session: Session) -> None:
    """A client software name or version that does not match gets INVALID_REQUEST."""
    judge_software(
        session,
        ("", "-a", "a-", ".a", "a.", "a b", "a_b", "a/b", "ä", "a\n"),
        ErrorCode.INVALID_REQUEST,
        "Letters, digits, dashes and dots, with a letter or digit at both ends, not empty.",
    )


@check("WIRE-05", apis=("ApiVersions 3+",))
def right_software_names_are_accepted(session: Session) -> None:
    """A client software name and version that match are accepted."""
    judge_software(
        session,
        ("a", "7", "Z9", "a-b", "apache-kafka-java", "1.0.0-SNAPSHOT.1", "a..b--c"),
        ErrorCode.NONE,
        "Letters, digits, dashes and dots, with a letter or digit at both ends.",
    )


@check("WIRE-06", apis=("ApiVersions 3+",))
def api_versions_is_answered_under_the_old_header(session: Session) -> None:
    """Between correlation id and body of the ApiVersions answer stand no tagged fields."""
    for version in session.broker.versions["ApiVersions"]:
        answer = session.broker.call("ApiVersions", version, **SOFTWARE)
        listed = {a.api_key: (a.min_version, a.max_version) for a in answer.api_keys or []}
        session.permit(
            f"whether version {version} lists ApiVersions itself with version {version}",
            18 in listed and listed[18][0] <= version <= listed[18][1],
            [True],
            "Read with response header version 0, the body is a list of APIs.",
        )


# WIRE-07


@check("WIRE-07", alone=True)
def an_unknown_api_is_refused(session: Session) -> None:
    """A request with an API key that the broker does not offer closes the connection or errs."""
    session.broker.call("Metadata", topics=[])
    client = session.connect()
    payload = bytearray(encode_request("Metadata", 0, 1, "brokerspec", {"topics": []}))
    payload[:2] = UNKNOWN_API_KEY.to_bytes(2, "big")
    client.send_frame(bytes(payload), f"a request with API key {UNKNOWN_API_KEY}")
    permit_unsupported(session, client)


@check("WIRE-07", apis=("CreateTopics",), alone=True)
def an_unknown_version_is_not_executed(session: Session) -> None:
    """CreateTopics of a version that is not offered is refused and creates nothing."""
    offered = session.broker.call("ApiVersions", 0)
    key = wire.api_keys()["CreateTopics"]
    (greatest,) = [a.max_version for a in offered.api_keys if a.api_key == key]
    known = session.broker.version("CreateTopics")
    for version in (greatest + 1, 2**15 - 1, -1):
        name = session.name("topic")
        client = session.connect()
        payload = bytearray(
            client.encode("CreateTopics", known, **requests.create_topic(name, 1, 1, {}))
        )
        payload[2:4] = version.to_bytes(2, "big", signed=True)
        client.send_frame(bytes(payload), f"CreateTopics v{version}")
        permit_unsupported(session, client)
        session.permit(
            "whether the topic exists",
            topic_exists(session, name),
            [False],
            "What is not offered is not executed.",
        )


# WIRE-08


def permit_all_served(session: Session, family: Requests) -> None:
    """Judge that every offered version of these APIs gets a well-formed answer."""
    world = World(session)
    for api, fields in family.items():
        for version in session.broker.versions.get(api, range(0)):
            client = session.connect()
            findings = len(session.transcript.findings)
            client.call(api, version, demanded="What is offered is served.", **fields(world))
            session.permit(
                f"what is odd in the answer to {api} v{version}",
                session.transcript.findings[findings:],
                [[]],
                "A well-formed request gets a well-formed response of its version.",
            )
            client.close()


@check("WIRE-08")
def every_version_of_the_apis_for_data_is_served(session: Session) -> None:
    """Every offered version of Produce, Fetch and the requests about offsets is served."""
    permit_all_served(session, DATA)


@check("WIRE-08")
def every_version_of_the_apis_for_groups_is_served(session: Session) -> None:
    """Every offered version of the requests about groups is served."""
    permit_all_served(session, GROUPS)


@check("WIRE-08")
def every_version_of_the_apis_for_transactions_is_served(session: Session) -> None:
    """Every offered version of the requests about transactions is served."""
    permit_all_served(session, TRANSACTIONS)


@check("WIRE-08")
def every_version_of_the_apis_for_administration_is_served(session: Session) -> None:
    """Every offered version of the requests that change topics and settings is served."""
    permit_all_served(session, ADMINISTRATION)


@check("WIRE-08")
def every_version_of_the_apis_about_the_cluster_is_served(session: Session) -> None:
    """Every offered version of the requests that only tell something is served."""
    permit_all_served(session, CLUSTER)


@check("WIRE-08")
def a_client_need_not_have_a_name(session: Session) -> None:
    """A request whose client id is null is served, in every version of Metadata."""
    for version in session.broker.versions["Metadata"]:
        client = session.connect(client_id=None)
        client.call("Metadata", version, topics=[], demanded="The client id may be null.")


# WIRE-09

TAGS = {7: b"unknown", 4000: b""}


@check("WIRE-09", apis=("Metadata 9+",))
def unknown_tags_in_the_header_are_ignored(session: Session) -> None:
    """Tagged fields that nobody knows in the request header change nothing."""
    topic = session.create_topic()
    answer = session.broker.call("Metadata", header_tags=TAGS, topics=[{"name": topic.name}])
    session.permit(
        "the error code of the topic",
        answer.topics[0].error_code,
        {ErrorCode.NONE},
        "The request is handled as if they were not there.",
    )


@check("WIRE-09", apis=("Produce 9+",))
def unknown_tags_in_the_body_are_ignored(session: Session) -> None:
    """Tagged fields that nobody knows, in the body and in what it contains, change nothing."""
    topic = session.create_topic()
    fields = requests.produce(topic, {0: [b"kept"]})
    tagged = {"tags": TAGS}
    (of_topic,) = fields["topic_data"]
    of_topic["partition_data"] = [p | tagged for p in of_topic["partition_data"]]
    answer = session.leader(topic).call(
        "Produce", **fields | tagged | {"topic_data": [of_topic | tagged]}
    )
    got = answer.responses[0].partition_responses[0]
    session.permit(
        "error and base offset",
        (got.error_code, got.base_offset),
        [(ErrorCode.NONE, 0)],
        "The request is handled as if they were not there.",
    )
    session.permit(
        "the values in the log",
        session.read(topic, count=1).values,
        [[b"kept"]],
        "So is the record.",
    )


@check("WIRE-09", apis=("ApiVersions 3+",))
def unknown_tags_in_api_versions_are_ignored(session: Session) -> None:
    """Tagged fields that nobody knows in ApiVersions change nothing."""
    answer = session.connect().call("ApiVersions", header_tags=TAGS, tags=TAGS, **SOFTWARE)
    session.permit(
        "the error code",
        answer.error_code,
        {ErrorCode.NONE},
        "The request is handled as if they were not there.",
    )
