"""The broker's codec: what it writes it reads again, and what is not a message it refuses."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impl.wire import (
    Request,
    Struct,
    UnsupportedVersion,
    WireError,
    decode_message,
    decode_request,
    decode_response,
    encode_message,
    encode_request,
    encode_response,
)
from spec.wire import table
from tests.wire_values import EVERY_VERSION, complete, fields_of, plain, sample, structs


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_every_version_of_every_message_survives_a_round_trip(name: str, version: int) -> None:
    fields = sample(name, version)
    encoded = encode_message(name, version, structs(fields))
    decoded = decode_message(name, version, encoded)
    assert plain(decoded) == complete(table()[name], fields)
    assert encode_message(name, version, decoded) == encoded
    for end in {0, len(encoded) // 2, len(encoded) - 1} & set(range(len(encoded))):
        with pytest.raises(WireError):
            decode_message(name, version, encoded[:end])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_values_survive_a_round_trip(data: st.DataObject) -> None:
    name, version = data.draw(st.sampled_from(EVERY_VERSION))
    fields = data.draw(fields_of(name, version))
    decoded = decode_message(name, version, encode_message(name, version, structs(fields)))
    assert plain(decoded) == complete(table()[name], fields)


def test_a_struct_without_fields_is_written_as_the_defaults() -> None:
    encoded = encode_message("MetadataRequest", 9, Struct())
    assert encoded == bytes.fromhex("01 01 00 00 00")
    decoded = decode_message("MetadataRequest", 9, encoded)
    assert decoded.allow_auto_topic_creation is True


def test_records_are_a_view_of_the_request_and_a_part_of_the_response() -> None:
    records = bytes(1000)
    topic = Struct(name="t", partition_data=[Struct(index=0, records=memoryview(records))])
    frame = b"".join(encode_request("Produce", 9, 1, None, Struct(topic_data=[topic])))[4:]
    read = decode_request(frame).body.topic_data[0].partition_data[0].records
    assert isinstance(read, memoryview)
    assert read.obj is frame

    fetch = Request(1, "Fetch", 12, 1, None)
    partition = Struct(partition_index=0, high_watermark=1, records=read)
    topic = Struct(topic="t", partitions=[partition])
    parts = encode_response(fetch, Struct(responses=[topic]))
    assert any(part is read for part in parts)
    assert int.from_bytes(b"".join(parts)[:4], "big") == len(b"".join(parts)) - 4


def test_a_request_is_read_with_its_header() -> None:
    frame = b"".join(encode_request("Metadata", 12, 77, "me", Struct(topics=None)))[4:]
    request = decode_request(frame)
    assert (request.api_key, request.api_name, request.api_version) == (3, "Metadata", 12)
    assert (request.correlation_id, request.client_id) == (77, "me")
    assert request.body.topics is None


@pytest.mark.parametrize(("version", "header"), [(8, "0000004d"), (9, "0000004d 00")])
def test_a_response_has_a_flexible_header_in_flexible_versions(version: int, header: str) -> None:
    request = Request(3, "Metadata", version, 77, None)
    frame = b"".join(encode_response(request, Struct()))[4:]
    assert frame.startswith(bytes.fromhex(header))
    assert decode_response("Metadata", version, frame) == (
        77,
        decode_message("MetadataResponse", version, frame[len(bytes.fromhex(header)) :]),
    )


def test_the_response_to_api_versions_never_has_a_flexible_header() -> None:
    frame = b"".join(encode_response(Request(18, "ApiVersions", 3, 7, None), Struct()))[4:]
    assert frame == bytes.fromhex("00000007 0000 01 00000000 00")


@pytest.mark.parametrize(("key", "version", "name"), [(18, 99, "ApiVersions"), (999, 0, "")])
def test_an_unknown_version_says_what_is_to_be_answered(key: int, version: int, name: str) -> None:
    frame = key.to_bytes(2, "big") + version.to_bytes(2, "big") + b"\0\0\0\x05anything"
    with pytest.raises(UnsupportedVersion) as raised:
        decode_request(frame)
    request = raised.value.request
    assert (request.api_name, request.api_version, request.correlation_id) == (name, version, 5)


@pytest.mark.parametrize(
    ("name", "version", "data", "sentence"),
    [
        ("MetadataRequest", 1, "00000000 ff", "1 bytes trail it"),
        ("MetadataRequest", 1, "000000", "end before its last field"),
        ("MetadataRequest", 1, "fffffffe", "a length of -2"),
        ("MetadataRequest", 1, "7fffffff", "a length of 2147483647 at byte 4, where 0 are left"),
        ("MetadataRequest", 1, "00000001 ffff", "name is null"),
        ("MetadataRequest", 1, "00000001 0001ff", "no UTF-8"),
        ("MetadataRequest", 0, "ffffffff", "topics is null"),
        ("MetadataRequest", 9, "ffffffffff01 00", "more than 5 bytes"),
        ("MetadataRequest", 9, "ffffffff7f 00", "exceeds 32 bits"),
        ("MetadataRequest", 9, "01010000 02 0100 0100", "tag 1 follows tag 1"),
        ("MetadataRequest", 9, "01010000 01 05 10 00", "tag 5 has 16 bytes, where 1 are left"),
        ("FetchRequest", 12, "00" * 25 + "010101 01 00 03 02 61 00", "cluster_id ends at byte"),
        ("ConsumerGroupDescribeResponse", 0, "00" * 4, "end before its last field"),
    ],
)
def test_what_is_no_message_is_refused_with_a_sentence(
    name: str, version: int, data: str, sentence: str
) -> None:
    with pytest.raises(WireError, match=sentence):
        decode_message(name, version, bytes.fromhex(data))


def test_unknown_tagged_fields_are_skipped() -> None:
    data = bytes.fromhex("01 01 00 00 02 01 03 616263 05 00")
    assert decode_message("MetadataRequest", 9, data) == decode_message(
        "MetadataRequest", 9, encode_message("MetadataRequest", 9, Struct())
    )


def test_a_nullable_struct_has_a_marker_that_is_checked() -> None:
    null = encode_message("DescribeTopicPartitionsRequest", 0, Struct(cursor=None))
    assert decode_message("DescribeTopicPartitionsRequest", 0, null).cursor is None
    wrong = null.replace(b"\xff", b"\x07")
    with pytest.raises(WireError, match="cursor begins with 7"):
        decode_message("DescribeTopicPartitionsRequest", 0, wrong)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"topic": []}, "there is no field topic"),
        ({"topics": [{"names": ""}]}, "there is no field names"),
        ({"topics": [{"name": None, "topic_id": 5}]}, "cannot be written"),
        ({"topics": [{"name": "x" * 40000}]}, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        encode_message("MetadataRequest", 8, structs(fields))


def test_fields_of_other_versions_are_left_out() -> None:
    topic = Struct(name="t", topic_id=uuid.UUID(int=5))
    assert encode_message("MetadataRequest", 8, Struct(topics=[topic])) == encode_message(
        "MetadataRequest", 8, Struct(topics=[Struct(name="t")])
    )


def test_a_name_or_version_outside_the_table_is_an_error() -> None:
    with pytest.raises(WireError, match="there is no message Nonsense"):
        encode_message("Nonsense", 0, Struct())
    with pytest.raises(WireError, match="ProduceRequest has no version 2"):
        decode_message("ProduceRequest", 2, b"")
