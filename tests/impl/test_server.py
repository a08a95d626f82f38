"""The broker on its port: frames, versions, order, limits. WIRE."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from impl.api.served import API_VERSIONS_VERSIONS, BROKER, served_on
from impl.wire import Struct
from spec.wire import api_keys
from spec.wire.errors import ErrorCode
from tests.impl.broker_process import Client, Process, broker
from tests.impl.broker_world import batch

MAXIMUM_REQUEST = 100_000
CLIENT_APIS = served_on(BROKER)


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    limits = (f"socket.request.max.bytes={MAXIMUM_REQUEST}", "group.initial.rebalance.delay.ms=0")
    with broker(*(a for limit in limits for a in ("--set", limit))) as running:
        yield running


@pytest.fixture
def client(process: Process) -> Iterator[Client]:
    with Client(process.port) as connected:
        yield connected


def create(client: Client, name: str, partitions: int = 1) -> None:
    topic = {"name": name, "num_partitions": partitions, "replication_factor": 1}
    answer = client.ask("CreateTopics", 7, topics=[Struct(**topic)], timeout_ms=1_000)
    assert answer.topics[0].error_code in (0, ErrorCode.TOPIC_ALREADY_EXISTS)


def test_what_is_advertised_is_what_is_served(client: Client) -> None:
    answer = client.ask("ApiVersions", 3, client_software_name="t", client_software_version="1")
    advertised = {k.api_key: range(k.min_version, k.max_version + 1) for k in answer.api_keys}
    served = {api_keys()[name]: each.versions for name, each in CLIENT_APIS.items()}
    assert advertised == served | {api_keys()["ApiVersions"]: API_VERSIONS_VERSIONS}


@pytest.mark.parametrize("version", API_VERSIONS_VERSIONS)
def test_every_version_of_api_versions_is_answered(client: Client, version: int) -> None:
    names = {"client_software_name": "a", "client_software_version": "1.0-b"}
    assert client.ask("ApiVersions", version, **names).error_code == 0


def test_an_unknown_version_of_api_versions_is_answered_in_version_zero(client: Client) -> None:
    header = struct.pack(">hhih", api_keys()["ApiVersions"], 99, 7, -1)
    client.send_bytes(struct.pack(">i", len(header)) + header)
    correlation_id, answer = client.receive("ApiVersions", 0)
    assert (correlation_id, answer.error_code) == (7, ErrorCode.UNSUPPORTED_VERSION)
    (only,) = answer.api_keys
    assert (only.min_version, only.max_version) == (0, API_VERSIONS_VERSIONS[-1])
    assert client.ask("ApiVersions", 0).error_code == 0


@pytest.mark.parametrize("name", ["", "a b", "-a", "a\n"])
def test_a_bad_software_name_is_an_invalid_request(client: Client, name: str) -> None:
    answer = client.ask("ApiVersions", 3, client_software_name=name, client_software_version="1")
    assert answer.error_code == ErrorCode.INVALID_REQUEST


def frame(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


def head(api_name: str, version: int) -> bytes:
    return struct.pack(">hhih", api_keys()[api_name], version, 1, -1)


BROKEN = {
    "a negative size": struct.pack(">i", -1),
    "a size beyond the limit": struct.pack(">i", MAXIMUM_REQUEST + 1),
    "no header": frame(b"\0\1"),
    "an unknown API": frame(struct.pack(">hhih", 999, 0, 1, -1)),
    "a version that is not served": frame(head("Produce", 2)),
    "an API that is not served": frame(head("UpdateFeatures", 0)),
    "a body that ends too early": frame(head("Metadata", 1) + b"\0\0"),
    "an array longer than the frame": frame(head("Metadata", 1) + b"\x7f\xff\xff\xff"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_request_closes_its_connection_only(
    process: Process, client: Client, what: str
) -> None:
    with Client(process.port) as other:
        other.send_bytes(BROKEN[what])
        assert other.is_closed_by_peer()
    assert client.ask("ApiVersions", 0).error_code == 0


def test_requests_of_a_connection_are_answered_in_order(client: Client) -> None:
    create(client, "order")
    waiting = {"max_wait_ms": 200, "min_bytes": 1, "topics": fetch_of("order")}
    sent = [client.send("Fetch", 12, **waiting), client.send("ApiVersions", 0)]
    received = [client.receive("Fetch", 12)[0], client.receive("ApiVersions", 0)[0]]
    assert received == sent


def fetch_of(topic: str) -> list[object]:
    return [Struct(topic=topic, partitions=[Struct(partition=0, partition_max_bytes=1 << 20)])]


def test_requests_may_arrive_byte_by_byte_and_all_at_once(client: Client) -> None:
    request = frame(head("ApiVersions", 0))
    for byte in request:
        client.send_bytes(bytes([byte]))
    assert client.receive("ApiVersions", 0)[0] == 1
    client.send_bytes(request * 50)
    assert [client.receive("ApiVersions", 0)[0] for _ in range(50)] == [1] * 50


def produce(topic: str, records: bytes, acks: int = -1) -> dict[str, object]:
    partition = Struct(index=0, records=records)
    data = [Struct(name=topic, partition_data=[partition])]
    return {"acks": acks, "timeout_ms": 1_000, "topic_data": data}


def test_acks_zero_leaves_the_connection_in_step(client: Client) -> None:
    create(client, "zero")
    client.send("Produce", 9, **produce("zero", batch(b"a"), acks=0))
    answer = client.ask("Produce", 9, **produce("zero", batch(b"b")))
    assert answer.responses[0].partition_responses[0].base_offset == 1


def test_acks_zero_with_an_error_closes_the_connection(client: Client) -> None:
    client.send("Produce", 9, **produce("nowhere", batch(b"a"), acks=0))
    assert client.is_closed_by_peer()


def test_a_request_near_the_limit_is_served(client: Client) -> None:
    create(client, "large")
    records = batch(b"x" * (MAXIMUM_REQUEST - 500))
    answer = client.ask("Produce", 9, **produce("large", records))
    assert answer.responses[0].partition_responses[0].error_code == 0
    fetched = client.ask(
        "Fetch", 12, max_wait_ms=0, min_bytes=1, max_bytes=1 << 20, topics=fetch_of("large")
    )
    assert bytes(fetched.responses[0].partitions[0].records)[16:] == records[16:]


@pytest.mark.parametrize("api_name", sorted(CLIENT_APIS))
def test_every_version_that_is_advertised_is_answered(process: Process, api_name: str) -> None:
    """WIRE-08: a request of defaults is well formed, whatever it asks for."""
    for version in CLIENT_APIS[api_name].versions:
        with Client(process.port) as client:
            client.ask(api_name, version, **({"acks": 1} if api_name == "Produce" else {}))


def test_an_idle_connection_is_closed() -> None:
    with (
        broker("--set", "connections.max.idle.ms=50") as running,
        Client(running.port) as client,
    ):
        assert client.is_closed_by_peer()
