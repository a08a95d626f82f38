"""The suite's codec: it writes what a check says, and reads what a broker should not have sent."""

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impl.wire as broker
from conformance.wire import (
    Raw,
    Struct,
    Unreadable,
    Unwritable,
    decode_message,
    decode_request,
    decode_response,
    encode_message,
    encode_request,
    encode_response,
)
from spec.wire import table
from tests.wire_values import EVERY_VERSION, complete, fields_of, plain, sample, structs

METADATA = "MetadataRequest"


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_both_codecs_agree_on_every_version_of_every_message(name: str, version: int) -> None:
    fields = sample(name, version)
    encoded = encode_message(name, version, fields)
    assert encoded == broker.encode_message(name, version, structs(fields))
    decoded, findings = decode_message(name, version, encoded)
    assert not findings
    assert plain(decoded) == complete(table()[name], fields)
    assert plain(decoded) == plain(broker.decode_message(name, version, encoded))
    assert encode_message(name, version, decoded) == encoded


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_both_codecs_agree_on_any_values(data: st.DataObject) -> None:
    name, version = data.draw(st.sampled_from(EVERY_VERSION))
    fields = data.draw(fields_of(name, version))
    encoded = encode_message(name, version, fields)
    assert encoded == broker.encode_message(name, version, structs(fields))
    decoded, findings = decode_message(name, version, encoded)
    assert not findings
    assert plain(decoded) == complete(table()[name], fields)


@settings(max_examples=500, deadline=1000)
@given(st.sampled_from(EVERY_VERSION), st.binary(max_size=64))
def test_what_the_broker_reads_the_suite_reads_without_findings(
    at: tuple[str, int], data: bytes
) -> None:
    """And whatever the bytes, the suite reads them or raises Unreadable, and soon."""
    name, version = at
    try:
        lenient, findings = decode_message(name, version, data)
    except Unreadable:
        with pytest.raises(broker.WireError):
            broker.decode_message(name, version, data)
        return
    try:
        strict = broker.decode_message(name, version, data)
    except broker.WireError:
        assert findings
        return
    harmless = [each for each in findings if "unknown tag" in each or "for true" in each]
    assert findings == harmless
    assert repr(plain(strict)) == repr(plain(lenient))


def test_requests_and_responses_pass_between_the_codecs() -> None:
    frame = encode_request("Fetch", 12, 5, "me", {"session_id": 9})
    request = broker.decode_request(frame)
    assert (request.client_id, request.body.session_id) == ("me", 9)
    parts = broker.encode_response(request, broker.Struct(session_id=9))
    answer, findings = decode_response("Fetch", 12, b"".join(parts)[4:])
    assert (answer.session_id, findings) == (9, [])

    read = decode_request(b"".join(broker.encode_request("Fetch", 12, 5, None, request.body))[4:])
    assert (read.api_name, read.api_version, read.correlation_id) == ("Fetch", 12, 5)
    assert (read.client_id, read.body.session_id, read.findings) == (None, 9, ())
    sent = encode_response("Fetch", 12, 5, {"session_id": 9})
    assert broker.decode_response("Fetch", 12, sent)[1].session_id == 9


@pytest.mark.parametrize(
    ("name", "version", "data", "finding"),
    [
        (METADATA, 1, "00000000 ff", "1 bytes trail the message"),
        (METADATA, 0, "ffffffff", "topics is null, and must not be"),
        (METADATA, 1, "fffffffe", "topics has a length of -2, read as null"),
        (METADATA, 1, "00000001 0001ff", "topics[0].name is no UTF-8"),
        (
            METADATA,
            4,
            "00000000 07",
            "allow_auto_topic_creation is 7, not 0 for false or 1 for true",
        ),
        (METADATA, 9, "01010000 01 05 02 6161", "unknown tag 5 of 2 bytes in the message"),
        (METADATA, 9, "01010000 02 05 00 05 00", "tag 5 in the message follows tag 5"),
        (
            "DescribeTopicPartitionsRequest",
            0,
            "01 00000000 09 02 61 00000000 00 00",
            "cursor begins with 9",
        ),
    ],
)
def test_oddities_are_findings(name: str, version: int, data: str, finding: str) -> None:
    _, findings = decode_message(name, version, bytes.fromhex(data))
    assert any(finding in each for each in findings), findings


@pytest.mark.parametrize(
    ("version", "data", "sentence"),
    [
        (1, "000000", "the length of topics needs 4 bytes at byte 0, where 3 are left"),
        (1, "7fffffff", "topics needs 2147483647 bytes"),
        (9, "ffffffffffff", "the length of topics has more than 5 bytes"),
        (99, "00", "there is no version 99 of MetadataRequest"),
    ],
)
def test_only_what_leaves_no_place_to_go_on_from_is_unreadable(
    version: int, data: str, sentence: str
) -> None:
    with pytest.raises(Unreadable, match=sentence):
        decode_message(METADATA, version, bytes.fromhex(data))


def test_an_api_versions_response_with_error_35_is_read_as_version_0() -> None:
    keys = [{"api_key": 18, "min_version": 0, "max_version": 4}]
    data = encode_response("ApiVersions", 0, 1, {"error_code": 35, "api_keys": keys})
    answer, findings = decode_response("ApiVersions", 4, data)
    assert not findings
    assert answer.error_code == 35
    assert vars(answer.api_keys[0]) == keys[0]


def test_missing_fields_are_defaults_and_those_of_other_versions_are_left_out() -> None:
    defaults = encode_message(METADATA, 1, {"topics": []})
    assert encode_message(METADATA, 1, {"include_topic_authorized_operations": True}) == defaults
    topic = {"name": "t", "topic_id": uuid.UUID(int=1)}
    assert encode_message(METADATA, 1, {"topics": [topic]}) == bytes.fromhex("00000001 0001 74")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"topic": []}, "MetadataRequest has no field topic in any version"),
        ({"topics": [{"names": ""}]}, r"topics\[0\] has no field names in any version"),
        ({"topics": "name"}, "topics needs a list, not 'name'"),
        ({"topics": ["name"]}, r"topics\[0\] needs a dictionary of fields, not 'name'"),
        ({"topics": [{"name": 5}]}, "name is string and cannot be 5"),
    ],
)
def test_what_cannot_be_written_is_said(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Unwritable, match=sentence):
        encode_message(METADATA, 9, fields)


def test_a_check_may_write_what_no_client_would() -> None:
    assert encode_message(METADATA, 0, {"topics": None}) == bytes.fromhex("ffffffff")
    assert encode_message(METADATA, 0, {"topics": Raw(b"\x7f")}) == b"\x7f"
    assert encode_message(METADATA, 0, {"topics": [Raw(b"?")]}) == bytes.fromhex("00000001 3f")
    tagged = encode_message(METADATA, 9, {"topics": [], "tags": {7: b"ab"}})
    assert decode_message(METADATA, 9, tagged)[1] == ["unknown tag 7 of 2 bytes in the message"]
    assert encode_request("Metadata", 99, 1, None, b"body").endswith(b"\xff\xff\x00body")
    header = encode_request("Metadata", 9, 1, "c", b"", {3: b"x"})
    assert header == bytes.fromhex("0003 0009 00000001 0001 63 01 03 01 78")


def test_structs_that_were_read_can_be_written() -> None:
    struct = Struct(topics=[Struct(name="t", topic_id=uuid.UUID(int=0))])
    assert encode_message(METADATA, 9, struct) == encode_message(
        METADATA, 9, {"topics": [{"name": "t"}]}
    )
