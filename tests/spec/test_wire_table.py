"""The committed tables of messages and errors: well formed, and known facts are in them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spec.wire import Field, Message, api_keys, api_names, generate, request, response, table
from spec.wire.errors import ErrorCode, name_of

SCALARS = {"int8", "int16", "uint16", "int32", "uint32", "int64", "float64", "bool"}
PRIMITIVES = SCALARS | {"string", "bytes", "records", "uuid"}


def every_field(message: Message) -> Iterator[Field]:
    pending = list(message.fields)
    while pending:
        field = pending.pop()
        yield field
        pending.extend(field.fields or ())


def field_of(message: Message, name: str) -> Field:
    return next(field for field in every_field(message) if field.name == name)


def test_every_type_is_a_primitive_or_a_struct_with_fields() -> None:
    for message in table().values():
        for field in every_field(message):
            assert (field.element_type in PRIMITIVES) != field.is_struct, (message.name, field)


def test_every_request_has_its_response_with_the_same_key_and_versions() -> None:
    for name, key in api_keys().items():
        assert request(name).api_key == response(name).api_key == key
        assert request(name).valid_versions == response(name).valid_versions
        assert api_names()[key] == name


def test_the_versions_of_fields_lie_within_those_of_their_message() -> None:
    for message in table().values():
        for field in every_field(message):
            assert set(field.versions) <= set(message.valid_versions)
            assert set(field.tagged_versions) <= set(message.flexible_versions)


def test_tags_are_unique_within_a_struct_and_version() -> None:
    def levels(fields: tuple[Field, ...]) -> Iterator[tuple[Field, ...]]:
        yield fields
        for field in fields:
            yield from levels(field.fields or ())

    for message in table().values():
        for fields in levels(message.fields):
            for version in message.valid_versions:
                tags = [field.tag for field in fields if version in field.tagged_versions]
                assert len(tags) == len(set(tags)), (message.name, version, tags)


def test_names_are_unique_within_a_struct_and_version() -> None:
    for message in table().values():
        for version in message.valid_versions:
            names = [field.name for field in message.fields if version in field.versions]
            assert len(names) == len(set(names)), (message.name, version)


@pytest.mark.parametrize(
    ("name", "key", "versions", "flexible_from"),
    [
        ("Produce", 0, range(3, 14), 9),
        ("Fetch", 1, range(4, 19), 12),
        ("ListOffsets", 2, range(1, 12), 6),
        ("Metadata", 3, range(14), 9),
        ("OffsetCommit", 8, range(2, 11), 8),
        ("OffsetFetch", 9, range(1, 11), 6),
        ("FindCoordinator", 10, range(7), 3),
        ("JoinGroup", 11, range(10), 6),
        ("ApiVersions", 18, range(6), 3),
        ("CreateTopics", 19, range(2, 8), 5),
        ("InitProducerId", 22, range(7), 2),
        ("ConsumerGroupHeartbeat", 68, range(2), 0),
    ],
)
def test_known_apis_have_their_key_and_versions(
    name: str, key: int, versions: range, flexible_from: int
) -> None:
    message = request(name)
    assert (message.api_key, message.valid_versions) == (key, versions)
    assert message.flexible_versions.start == flexible_from


def test_a_client_id_is_never_compact_and_acks_has_no_default() -> None:
    client_id = field_of(table()["RequestHeader"], "client_id")
    assert client_id.never_flexible
    assert client_id.nullable_versions == range(1, 3)
    assert field_of(request("Produce"), "acks").default == 0


def test_defaults_have_the_type_of_their_field() -> None:
    assert field_of(request("Fetch"), "max_bytes").default == 0x7FFFFFFF
    assert field_of(request("Fetch"), "current_leader_epoch").default == -1
    assert field_of(request("Metadata"), "allow_auto_topic_creation").default is True
    assert field_of(request("ConsumerGroupHeartbeat"), "subscribed_topic_names").default_is_null
    for message in table().values():
        for field in every_field(message):
            scalar = field.type in SCALARS | {"string"}
            assert (field.default is not None or field.default_is_null) == scalar or (
                field.default is None and field.default_is_null
            ), (message.name, field)


def test_a_default_of_null_is_only_given_where_null_is_valid() -> None:
    for message in table().values():
        for field in every_field(message):
            if field.default_is_null:
                assert field.nullable_versions, (message.name, field.name)


def test_stored_records_are_in_the_table() -> None:
    names = {"OffsetCommitKey", "OffsetCommitValue", "GroupMetadataValue", "TransactionLogValue"}
    assert names | {"TopicRecord", "PartitionRecord", "ProducerSnapshot", "VotersRecord"} <= set(
        table()
    )


def test_apis_that_no_version_supports_any_more_are_left_out() -> None:
    assert not {"LeaderAndIsr", "StopReplica", "UpdateMetadata", "ControlledShutdown"} & set(
        api_keys()
    )


def test_error_codes_are_dense_and_retriable_ones_are_marked() -> None:
    codes = sorted(ErrorCode)
    assert codes == list(range(-1, codes[-1] + 1))
    assert int(ErrorCode.NOT_LEADER_OR_FOLLOWER) == 6
    assert ErrorCode.NOT_LEADER_OR_FOLLOWER.retriable
    assert ErrorCode.COORDINATOR_LOAD_IN_PROGRESS.retriable
    assert not ErrorCode.NONE.retriable
    assert not ErrorCode.INVALID_PRODUCER_EPOCH.retriable
    assert name_of(35) == "UNSUPPORTED_VERSION"
    assert name_of(12345) == "error 12345"


def test_the_table_is_laid_out_as_the_generator_writes_it() -> None:
    text = (Path(generate.__file__).parent / "messages.json").read_text(encoding="utf-8")
    assert generate.layout(json.loads(text)) == text


def test_the_generator_carries_facts_and_leaves_prose(tmp_path: Path) -> None:
    definition = """
    // a comment
    {"apiKey": 7, "type": "request", "name": "SampleRequest", "validVersions": "1-3",
     "flexibleVersions": "2+", "commonStructs": [
       {"name": "Pair", "versions": "0+", "fields": [
         {"name": "KRaftVersion", "type": "int16", "versions": "1+", "default": "0x10"}]}],
     "fields": [
       {"name": "Pairs", "type": "[]Pair", "versions": "0+", "about": "prose"},
       {"name": "Note", "type": "string", "versions": "2+", "nullableVersions": "2+",
        "taggedVersions": "2+", "tag": 0, "default": "null", "ignorable": true}]}"""
    (tmp_path / "SampleRequest.json").write_text(definition, encoding="utf-8")
    (entry,) = map(generate.message, generate.definitions([tmp_path]))
    assert "prose" not in json.dumps(entry)
    pairs, note = entry["fields"]
    assert pairs["fields"] == [
        {"name": "kraft_version", "type": "int16", "versions": "1+", "default": 16}
    ]
    assert note["default"] is None
    assert note["tag"] == 0
