"""Both codecs against bytes that other implementations wrote: see tests/golden/wire/README.md."""

from pathlib import Path

import pytest

import impl.wire as broker
from conformance.wire import decode_message, decode_request, encode_message, encode_request
from conformance.wire.records import read_batches
from spec.wire import table
from tests.golden import wire
from tests.wire_values import EVERY_VERSION, complete, plain, sample, structs

GOLDEN = Path(wire.__file__).parent


def rows(name: str) -> list[list[str]]:
    return [line.split() for line in (GOLDEN / name).read_text(encoding="ascii").splitlines()]


def unhex(text: str) -> bytes:
    return b"" if text == "empty" else bytes.fromhex(text)


KAFKA = {
    (name, int(version)): (unhex(defaults), unhex(written))
    for name, version, defaults, written in rows("apache_kafka.txt")
}
CLIENTS = [(client, api, bytes.fromhex(frame)) for client, api, frame in rows("clients.txt")]


def test_every_version_of_every_message_is_there() -> None:
    assert list(KAFKA) == EVERY_VERSION


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_both_codecs_write_and_read_as_apache_kafka_does(name: str, version: int) -> None:
    defaults, written = KAFKA[name, version]
    fields = sample(name, version)
    assert encode_message(name, version, {}) == defaults
    assert broker.encode_message(name, version, broker.Struct()) == defaults
    assert encode_message(name, version, fields) == written
    assert broker.encode_message(name, version, structs(fields)) == written

    lenient, findings = decode_message(name, version, written)
    assert findings == []
    assert plain(lenient) == complete(table()[name], fields)
    assert plain(broker.decode_message(name, version, written)) == plain(lenient)


@pytest.mark.parametrize(("client", "api", "frame"), CLIENTS, ids=lambda part: str(part)[:16])
def test_both_codecs_read_what_clients_send_and_write_it_again(
    client: str, api: str, frame: bytes
) -> None:
    read = decode_request(frame)
    assert read.api_name == api
    assert read.findings == ()
    assert client.partition("_")[0] in {"librdkafka", *str(read.client_id).split("-")}
    assert (client == "librdkafka") == (read.client_id == "rdkafka")
    again = encode_request(api, read.api_version, read.correlation_id, read.client_id, read.body)
    assert again == frame

    strict = broker.decode_request(frame)
    assert plain(strict.body) == plain(read.body)
    assert strict.client_id == read.client_id
    parts = broker.encode_request(
        api, strict.api_version, strict.correlation_id, strict.client_id, strict.body
    )
    assert b"".join(parts)[4:] == frame


@pytest.mark.parametrize("frame", [frame for _, api, frame in CLIENTS if api == "Produce"])
def test_the_batches_of_clients_are_read(frame: bytes) -> None:
    (topic,) = decode_request(frame).body.topic_data
    (batch,) = read_batches(topic.partition_data[0].records)
    assert batch.findings == []
    assert topic.name == "golden"
    assert [record.value for record in batch.records] == [b"a record"]
