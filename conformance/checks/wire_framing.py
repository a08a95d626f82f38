"""WIRE: sizes, order, and requests that cannot be parsed."""

from conformance import requests
from conformance.check import check
from conformance.client import Client
from conformance.outcomes import outcome, permit_refused, topic_exists
from conformance.session import Session
from conformance.settings import broker_number
from conformance.wire import Raw, encode_request
from conformance.wire.write import write_varint
from spec import wire
from spec.wire.errors import ErrorCode

GREATEST_SIZE = 2**31 - 1
SMALL_LIMIT = 20_000


def size(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


# WIRE-01


@check("WIRE-01", alone=True)
def a_negative_size_closes_the_connection(session: Session) -> None:
    """A request that begins with a negative size gets no answer but a closed connection."""
    for negative in (-1, -(2**31)):
        client = session.connect()
        client.send_bytes(size(negative) + bytes(16), f"a size of {negative} and 16 bytes")
        client.expect_close("Nobody can know where the next request begins.")


@check("WIRE-01", alone=True)
def a_size_above_the_limit_closes_the_connection(session: Session) -> None:
    """A size above socket.request.max.bytes closes the connection before the bytes have come."""
    limit = broker_number(session, "socket.request.max.bytes")
    if limit == GREATEST_SIZE:
        session.not_applicable("every size is permitted")
    too_large = GREATEST_SIZE if limit is None else limit + 1
    client = session.connect()
    client.send_bytes(size(too_large) + bytes(16), f"a size of {too_large} and 16 bytes")
    client.expect_close("The broker does not wait for what it will not read.")


@check("WIRE-01", settings={"socket.request.max.bytes": str(SMALL_LIMIT)})
def the_limit_of_a_size_is_inclusive(session: Session) -> None:
    """A request of exactly socket.request.max.bytes is served, one byte more is not."""
    for length in (SMALL_LIMIT, SMALL_LIMIT + 1):
        client = session.connect(client_id="")
        version = client.version("Metadata")
        header = len(client.encode("Metadata", version, topics=[]))
        client = session.connect(client_id="x" * (length - header))
        client.send_frame(client.encode("Metadata", version, topics=[]), "Metadata")
        if length == SMALL_LIMIT:
            client.receive_as("Metadata", version)
        else:
            client.expect_close("The request is larger than the limit.")


# WIRE-02


@check("WIRE-02", apis=("ListOffsets",))
def answers_come_in_the_order_of_requests(session: Session) -> None:
    """Requests of several kinds that are sent ahead are answered in their order."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    sent = []
    for _ in range(5):
        sent.append(client.send("Metadata", topics=[]).correlation_id)
        latest = requests.list_offsets(topic, {0: requests.LATEST})
        sent.append(client.send("ListOffsets", **latest).correlation_id)
        sent.append(client.send("ApiVersions", **software("brokerspec")).correlation_id)
    got = [correlation_id(client) for _ in sent]
    session.permit(
        "the correlation ids of the answers", got, [sent], "Answers come in request order."
    )


def software(name: str) -> requests.Fields:
    return {"client_software_name": name, "client_software_version": "1"}


def correlation_id(client: Client) -> int | str:
    """That of the next answer, or what happens instead of an answer."""
    got = outcome(client)
    return got if isinstance(got, str) else int.from_bytes(got[:4], "big", signed=True)


@check("WIRE-02", apis=("Fetch",))
def a_waiting_fetch_holds_up_what_follows(session: Session) -> None:
    """A request behind a Fetch that waits is answered after the Fetch."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    waiting = client.send("Fetch", **requests.fetch(topic, {0: 0}, max_wait_ms=400))
    following = client.send("Metadata", topics=[])
    session.permit(
        "the correlation ids of the answers",
        [correlation_id(client), correlation_id(client)],
        [[waiting.correlation_id, following.correlation_id]],
        "A later request that could be answered sooner waits for its turn.",
    )


@check("WIRE-02")
def any_correlation_id_comes_back(session: Session) -> None:
    """The correlation id of the answer is that of the request, whatever number it is."""
    client = session.connect()
    version = client.version("Metadata")
    for number in (0, -1, 2**31 - 1, -(2**31), 7, 7):
        payload = encode_request("Metadata", version, number, "brokerspec", {"topics": []})
        client.send_frame(payload, f"Metadata with correlation id {number}")
        session.permit(
            "the correlation id", correlation_id(client), [number], "It is the client's choice."
        )


@check("WIRE-02")
def pieces_of_requests_are_put_together(session: Session) -> None:
    """Requests are told apart by their sizes alone, however the bytes arrive."""
    client = session.connect()
    version = client.version("Metadata")
    frames = b""
    for number in (1, 2):
        payload = encode_request("Metadata", version, number, "brokerspec", {"topics": []})
        frames += size(len(payload)) + payload
    client.call("Metadata", topics=[])  # so that the broker reads from here already
    for index in range(len(frames)):
        client.send_bytes(frames[index : index + 1], f"byte {index} of two requests")
        if index % 8 == 1:  # let the broker meet the pieces, and not what the network made of them
            session.broker.call("Metadata", topics=[])
    got = [correlation_id(client), correlation_id(client)]
    client.send_bytes(frames, "both requests at once")
    got += [correlation_id(client), correlation_id(client)]
    session.permit(
        "the correlation ids", got, [[1, 2, 1, 2]], "Every request is answered, in order."
    )


# WIRE-14


@check("WIRE-14", apis=("CreateTopics",), alone=True)
def a_request_that_ends_too_early_is_not_executed(session: Session) -> None:
    """CreateTopics of which the end is missing is refused and creates nothing."""
    for version in session.broker.versions["CreateTopics"]:
        name = session.name("topic")
        fields = requests.create_topic(name, 1, 1, {})
        whole = session.connect().encode("CreateTopics", version, **fields)
        for missing in (1, 3, 5, len(name)):
            client = session.connect()
            client.send_frame(whole[:-missing], f"CreateTopics v{version} without its end")
            permit_refused(session, client, "CreateTopics", version)
        session.permit(
            "whether the topic exists",
            topic_exists(session, name),
            [False],
            "A request that cannot be parsed is not executed.",
        )


@check("WIRE-14", alone=True)
def an_impossible_count_is_refused(session: Session) -> None:
    """An array that claims two thousand million elements is refused, in every version."""
    for version in session.broker.versions["Metadata"]:
        flexible = version in wire.request("Metadata").flexible_versions
        count = write_varint(GREATEST_SIZE) if flexible else size(GREATEST_SIZE)
        permit_malformed(session, version, Raw(count + bytes(8)), "an impossible count")


def permit_malformed(session: Session, version: int, topics: Raw, what: str) -> None:
    """Judge a Metadata request with these bytes where its topics should stand."""
    client = session.connect()
    payload = client.encode("Metadata", version, topics=topics)
    client.send_frame(payload, f"Metadata v{version} with {what}")
    permit_refused(session, client, "Metadata", version)


@check("WIRE-14", alone=True)
def a_length_past_the_end_is_refused(session: Session) -> None:
    """A string that claims to be longer than the rest of the request is refused."""
    for version in session.broker.versions["Metadata"]:
        flexible = version in wire.request("Metadata").flexible_versions
        one = write_varint(2) if flexible else size(1)
        id_ = bytes(16) if version >= 10 else b""
        length = write_varint(5001) if flexible else (5000).to_bytes(2, "big")
        permit_malformed(session, version, Raw(one + id_ + length + b"abc"), "a long string")


@check("WIRE-14", apis=("CreateTopics",), alone=True)
def a_null_that_cannot_be_is_refused(session: Session) -> None:
    """A null string where none is allowed is refused."""
    for version in session.broker.versions["CreateTopics"]:
        client = session.connect()
        topic = {"name": None, "num_partitions": 1, "replication_factor": 1}
        payload = client.encode("CreateTopics", version, topics=[topic], timeout_ms=1000)
        client.send_frame(payload, f"CreateTopics v{version} of a topic without a name")
        permit_refused(session, client, "CreateTopics", version)


@check("WIRE-14", alone=True)
def a_request_shorter_than_its_header_is_refused(session: Session) -> None:
    """A request in which not even a header has room is refused."""
    for length in (0, 1, 4, 7):
        client = session.connect()
        version = client.version("Metadata")
        whole = client.encode("Metadata", version, topics=[])
        client.send_frame(whole[:length], f"the first {length} bytes of a request")
        permit_refused(session, client, "Metadata", version)


@check("WIRE-14", apis=("Produce",), alone=True)
def half_a_request_is_not_executed(session: Session) -> None:
    """A client that goes away within a request leaves no trace."""
    topic = session.create_topic()
    client = session.connect(near=session.leader(topic))
    client.call("Metadata", topics=[])  # so that it is served before the other connection
    payload = client.encode("Produce", **requests.produce(topic, {0: [b"lost", b"too"]}))
    client.send_bytes(size(len(payload)) + payload[:-1], "Produce without its last byte")
    client.close()
    answer = session.produce(topic, [b"kept"])
    session.permit(
        "error and base offset of what another client stores",
        (answer.error_code, answer.base_offset),
        [(ErrorCode.NONE, 0)],
        "The request before never arrived as a whole, and disturbs nobody.",
    )


# WIRE-16


@check("WIRE-16", settings={"connections.max.idle.ms": "1000"})
def an_idle_connection_is_closed(session: Session) -> None:
    """A connection on which nothing is sent is closed after connections.max.idle.ms."""
    client = session.connect()
    client.call("Metadata", topics=[])
    client.expect_close("Nothing was sent or received for connections.max.idle.ms.")
