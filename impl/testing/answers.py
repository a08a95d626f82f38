"""Answers that say that something went wrong, for any API, made from the table of messages.

Decides where in an answer an error stands: beside each thing that was asked for, as far as the
answer lists these, or else at its head. For some APIs that have both, an error of the whole
request is the rule (`_AT_THE_HEAD`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from impl.wire import Request, Struct
from spec.wire import Field
from spec.wire import request as request_of
from spec.wire import response as response_of
from spec.wire.errors import ErrorCode

_ERRORS = ("error_code", "partition_error_code")
_AT_THE_HEAD = frozenset({"LeaveGroup", "OffsetDelete", "OffsetFetch"})
# Where an answer has another word for what the request says.
_IN_OTHER_WORDS = {"partition_index": "partition"}


def refuse(request: Request, error: ErrorCode) -> Struct | None:
    """The answer to a request that was not carried out; None where it has no room for an error."""
    name, version = request.api_name, request.api_version
    asked_fields, fields = request_of(name).fields, response_of(name).fields
    at_the_head = name in _AT_THE_HEAD
    body = _mirror(asked_fields, request.body, fields, version, at_the_head=at_the_head)
    return body if put_error(name, version, body, error) else None


def put_error(api_name: str, version: int, answer: Struct, error: ErrorCode) -> bool:
    """Write an error into an answer; says whether there was room for it."""
    fields = response_of(api_name).fields
    return _put(fields, answer, version, error, at_the_head=api_name in _AT_THE_HEAD)


def _put(
    fields: Sequence[Field], answer: Struct, version: int, error: ErrorCode, *, at_the_head: bool
) -> bool:
    own = _own_errors(fields, version)
    if not (own and at_the_head):
        placed = [
            _put(field.fields or (), each, version, error, at_the_head=at_the_head)
            for field in _lists(fields, version)
            for each in getattr(answer, field.name, None) or ()
        ]
        if any(placed):
            return True
    for name in own:
        setattr(answer, name, error)
    return bool(own)


def _own_errors(fields: Sequence[Field], version: int) -> list[str]:
    return [f.name for f in fields if f.name in _ERRORS and version in f.versions]


def _lists(fields: Sequence[Field], version: int) -> list[Field]:
    """The lists of an answer whose elements may have errors."""
    return [f for f in fields if f.is_array and version in f.versions and _has_error(f)]


def _has_error(field: Field) -> bool:
    return any(each.name in _ERRORS or _has_error(each) for each in field.fields or ())


def _mirror(
    asked_fields: Sequence[Field],
    asked: Any,
    fields: Sequence[Field],
    version: int,
    *,
    at_the_head: bool,
) -> Struct:
    """An answer that lists what was asked for, and says nothing about it."""
    answer = Struct()
    for field in fields:
        said = getattr(asked, _IN_OTHER_WORDS.get(field.name, field.name), None)
        if said is not None and not field.is_array and not field.is_struct:
            setattr(answer, field.name, said)
    if at_the_head and _own_errors(fields, version):
        return answer
    for field in _lists(fields, version):
        source = _source(asked_fields, field, version)
        if source is None:
            continue
        elements, inner = getattr(asked, source.name) or (), field.fields or ()
        if source.fields is None:
            made = [_named(each, inner) for each in elements]
        else:
            made = [
                _mirror(source.fields, each, inner, version, at_the_head=at_the_head)
                for each in elements
            ]
        setattr(answer, field.name, made)
    return answer


def _source(asked_fields: Sequence[Field], field: Field, version: int) -> Field | None:
    """The list of the request that a list of the answer follows."""
    lists = [each for each in asked_fields if each.is_array and version in each.versions]
    same = [each for each in lists if each.name == field.name]
    return next(iter(same or lists), None)


def _named(name: str | int, fields: Sequence[Field]) -> Struct:
    """What is said of something that the request gives by its name or number alone."""
    kind = "string" if isinstance(name, str) else "int32"
    key = next(f.name for f in fields if f.type == kind and not f.name.startswith("error"))
    return Struct(**{key: name})
