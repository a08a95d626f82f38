"""Values for every message of the table, and what they are after a round trip, as plain data."""

import random
import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from impl.wire import Struct
from spec.wire import Field, Message, table

INTEGERS = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
EVERY_VERSION = [
    (message.name, version) for message in table().values() for version in message.valid_versions
]

Plain = dict[str, Any]


@cache
def fields_of(name: str, version: int) -> st.SearchStrategy[Plain]:
    """Dictionaries with every field that the message has in this version."""
    return _fields(table()[name].fields, version)


def _fields(fields: Sequence[Field], version: int) -> st.SearchStrategy[Plain]:
    present = [field for field in fields if version in field.versions]
    return st.fixed_dictionaries({field.name: _value(field, version) for field in present})


def _value(field: Field, version: int) -> st.SearchStrategy[Any]:
    strategy = _element(field, version)
    if field.is_array:
        strategy = st.lists(strategy, max_size=2)
    return st.none() | strategy if version in field.nullable_versions else strategy


def _element(field: Field, version: int) -> st.SearchStrategy[Any]:
    if field.fields is not None:
        return _fields(field.fields, version)
    kind = field.element_type
    if kind in INTEGERS:
        return st.integers(*INTEGERS[kind])
    return {
        "bool": st.booleans(),
        "float64": st.floats(allow_nan=False),
        "string": st.text(max_size=8),
        "bytes": st.binary(max_size=8),
        "records": st.binary(max_size=8),
        "uuid": st.uuids() | st.just(uuid.UUID(int=0)),
    }[kind]


def sample(name: str, version: int) -> Plain:
    """One dictionary of `fields_of`, always the same: nothing null, no array empty."""
    source = random.Random(f"{name} {version}")
    return _sample(table()[name].fields, version, source, 2)


def _sample(
    fields: Sequence[Field], version: int, source: random.Random, array_length: int
) -> Plain:
    def one(field: Field) -> Any:
        if field.fields is not None:
            return _sample(field.fields, version, source, 1)
        kind = field.element_type
        if kind in INTEGERS:
            return source.randint(*INTEGERS[kind])
        length = source.choice((1, 1, 2, 3, 50))
        return {
            "bool": not field.default,
            "float64": source.random(),
            "string": "文" * length,
            "bytes": source.randbytes(3 * length),
            "records": source.randbytes(3 * length),
            "uuid": uuid.UUID(int=source.getrandbits(128)),
        }[kind]

    present = [field for field in fields if version in field.versions]
    return {
        field.name: [one(field) for _ in range(array_length)] if field.is_array else one(field)
        for field in present
    }


def structs(value: Any) -> Any:
    """Plain data with each dictionary as the broker's `Struct`."""
    if isinstance(value, Mapping):
        return Struct(**{name: structs(inner) for name, inner in value.items()})
    return [structs(inner) for inner in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """The reverse, from the structs of either codec; records become bytes."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if hasattr(value, "__dict__"):
        return {name: plain(inner) for name, inner in vars(value).items()}
    return value


def complete(message: Message, fields: Plain) -> Plain:
    """The fields with the defaults of those that are missing."""
    return _complete(message.fields, fields)


def _complete(fields: Sequence[Field], given: Plain) -> Plain:
    return {
        field.name: _filled(field, given[field.name]) if field.name in given else _default(field)
        for field in fields
    }


def _filled(field: Field, value: Any) -> Any:
    if field.fields is None or value is None:
        return value
    if field.is_array:
        return [_complete(field.fields, element) for element in value]
    return _complete(field.fields, value)


def _default(field: Field) -> Any:
    if field.default_is_null:
        return None
    if field.is_array:
        return []
    if field.fields is not None:
        return _complete(field.fields, {})
    empty = {"bytes": b"", "records": b"", "uuid": uuid.UUID(int=0)}
    return empty.get(field.type, field.default)
