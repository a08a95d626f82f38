"""Answers with an error, made from the table of messages, for every API and version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from impl.api.served import BROKER, versions_on
from impl.testing.answers import put_error, refuse
from impl.wire import (
    Request,
    Struct,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from spec.wire import Field, api_keys
from spec.wire import request as request_of
from spec.wire.errors import ErrorCode

ERROR = ErrorCode.KAFKA_STORAGE_ERROR
VERSIONS = [(name, v) for name, versions in versions_on(BROKER).items() for v in versions]
TOPIC_ID = UUID(int=7)

_EXAMPLES = {"string": "orders", "uuid": TOPIC_ID, "bytes": b"", "records": None}


def example(fields: Sequence[Field], version: int) -> Struct:
    """A request with one element in each of its lists."""
    made = Struct()
    for field in fields:
        if version in field.versions:
            value = _value(field, version)
            if value is not None:
                setattr(made, field.name, [value] if field.is_array else value)
    return made


def _value(field: Field, version: int) -> Any:
    if field.fields is not None:
        return example(field.fields, version)
    if field.element_type.startswith(("int", "uint")):
        return 3
    return _EXAMPLES.get(field.element_type)


def asked(name: str, version: int, body: Struct) -> Request:
    parts = encode_request(name, version, 5, "client", body)
    return decode_request(b"".join(parts[1:]))


def refused(request: Request) -> Struct:
    """What a client reads of the answer."""
    answer = refuse(request, ERROR)
    assert answer is not None
    frame = b"".join(encode_response(request, answer)[1:])
    correlation_id, body = decode_response(request.api_name, request.api_version, frame)
    assert correlation_id == 5
    return body


def errors(body: Any) -> Iterator[int]:
    """All error codes of an answer."""
    for name, value in vars(body).items():
        if name in ("error_code", "partition_error_code"):
            yield value
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Struct):
                yield from errors(each)


@pytest.mark.parametrize(("name", "version"), VERSIONS)
def test_every_api_can_be_refused(name: str, version: int) -> None:
    request = asked(name, version, example(request_of(name).fields, version))
    assert ERROR in errors(refused(request))


def produce(version: int, *partitions: int) -> Struct:
    data = [Struct(index=partition) for partition in partitions]
    topic = Struct(name="orders", topic_id=TOPIC_ID, partition_data=data)
    del topic.__dict__["topic_id" if version < 13 else "name"]
    return Struct(acks=-1, topic_data=[topic])


def test_an_error_stands_beside_each_partition() -> None:
    (topic,) = refused(asked("Produce", 9, produce(9, 4, 2))).responses
    found = [(each.index, each.error_code) for each in topic.partition_responses]
    assert (topic.name, found) == ("orders", [(4, ERROR), (2, ERROR)])


def test_a_topic_is_named_as_the_request_names_it() -> None:
    (topic,) = refused(asked("Produce", 13, produce(13, 0))).responses
    assert topic.topic_id == TOPIC_ID


def test_a_fetch_names_partitions_in_other_words_than_its_answer() -> None:
    body = Struct(topics=[Struct(topic="orders", partitions=[Struct(partition=6)])])
    answer = refused(asked("Fetch", 12, body))
    assert answer.error_code == ErrorCode.NONE
    (partition,) = answer.responses[0].partitions
    assert (partition.partition_index, partition.error_code) == (6, ERROR)


def test_a_fetch_that_names_no_partition_is_refused_as_a_whole() -> None:
    answer = refused(asked("Fetch", 12, Struct(topics=[])))
    assert (answer.error_code, answer.responses) == (ERROR, [])


def test_plain_names_become_what_is_described() -> None:
    answer = refused(asked("DescribeGroups", 6, Struct(groups=["a", "b"])))
    assert [(each.group_id, each.error_code) for each in answer.groups] == [
        ("a", ERROR),
        ("b", ERROR),
    ]
    answer = refused(asked("FindCoordinator", 4, Struct(coordinator_keys=["g"])))
    assert [(each.key, each.error_code) for each in answer.coordinators] == [("g", ERROR)]


def test_an_error_of_a_group_stands_beside_the_group() -> None:
    topics = [Struct(name="orders", partition_indexes=[0])]
    body = Struct(groups=[Struct(group_id="g", topics=topics)])
    (group,) = refused(asked("OffsetFetch", 9, body)).groups
    assert (group.group_id, group.error_code, group.topics) == ("g", ERROR, [])
    answer = refused(asked("LeaveGroup", 3, Struct(members=[Struct(member_id="m")])))
    assert answer.error_code == ERROR


def test_where_there_is_no_room_there_is_no_answer() -> None:
    for version, has_room in ((12, False), (13, True)):
        request = asked("Metadata", version, Struct(topics=None))
        assert (refuse(request, ERROR) is not None) == has_room


def test_an_error_goes_over_a_real_answer() -> None:
    partitions = [Struct(partition_index=n, error_code=0, high_watermark=9) for n in (0, 1)]
    answer = Struct(error_code=0, responses=[Struct(topic="orders", partitions=partitions)])
    assert put_error("Fetch", 12, answer, ERROR)
    assert list(errors(answer)) == [0, ERROR, ERROR]
    assert [each.high_watermark for each in partitions] == [9, 9]


def test_all_that_clients_are_served_is_here() -> None:
    assert {name for name, _ in VERSIONS} >= {"Produce", "Fetch", "Metadata", "ApiVersions"}
    assert all(name in api_keys() for name, _ in VERSIONS)
