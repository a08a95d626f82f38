"""The table of messages: what each request, response, header and stored record holds, by version.

It is the one thing that both codecs share. It decides names, types, versions, tags and defaults;
it does not know how any of them becomes bytes. `messages.json` is written by `spec.wire.generate`.

A field's versions are clipped to those of its message, so that every range here is exact; fields
that no valid version has are left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Versions: TypeAlias = range
Kind: TypeAlias = Literal[
    "request", "response", "header", "data", "metadata", "coordinator_key", "coordinator_value"
]
Default: TypeAlias = int | float | bool | str | None

NONE = range(0)


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `type` is `int32`, `string`, ... or a struct's name; an array has `[]` before it.

    `default` is what a scalar field holds where it is not given or the version has none: that of
    the definition, or else zero, false or "". Where the type is not scalar it is None, and means
    null if `default_is_null`, or else what is empty: b"", no elements, the zero uuid, a struct of
    defaults.
    """

    name: str
    type: str
    versions: Versions
    nullable_versions: Versions = NONE
    tagged_versions: Versions = NONE
    tag: int = -1
    default: Default = None
    default_is_null: bool = False
    ignorable: bool = False
    never_flexible: bool = False
    """Whether a string has its int16 length in flexible versions too (client_id in the header)."""
    fields: tuple["Field", ...] | None = None

    @property
    def is_array(self) -> bool:
        return self.type.startswith("[]")

    @property
    def element_type(self) -> str:
        """The type without its `[]`."""
        return self.type.removeprefix("[]")

    @property
    def is_struct(self) -> bool:
        """Whether the field, or each element of the array, is a struct with `fields`."""
        return self.fields is not None


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `api_key` numbers the API, or the type of a stored record, or is -1."""

    name: str
    kind: Kind
    api_key: int
    valid_versions: Versions
    flexible_versions: Versions
    listeners: tuple[str, ...]
    """Who serves a request: `broker`, `controller`, or both."""
    latest_version_unstable: bool
    fields: tuple[Field, ...]


@cache
def table() -> Mapping[str, Message]:
    """Every message by its name, such as `FetchRequest`, `RequestHeader`, `OffsetCommitValue`."""
    entries = json.loads((Path(__file__).parent / "messages.json").read_bytes())
    return MappingProxyType({entry["name"]: _message(entry) for entry in entries})


@cache
def api_keys() -> Mapping[str, int]:
    """The key of each API by its name, such as `Fetch`."""
    requests = [each for each in table().values() if each.kind == "request"]
    names = {each.name.removesuffix("Request"): each.api_key for each in requests}
    return MappingProxyType(names)


@cache
def api_names() -> Mapping[int, str]:
    """The name of each API by its key."""
    return MappingProxyType({key: name for name, key in api_keys().items()})


def request(api_name: str) -> Message:
    """The request of an API. Raises KeyError if there is no such API."""
    return table()[f"{api_name}Request"]


def response(api_name: str) -> Message:
    """The response of an API. Raises KeyError if there is no such API."""
    return table()[f"{api_name}Response"]


def _message(entry: dict[str, Any]) -> Message:
    valid = _versions(entry["versions"], range(2**15))
    return Message(
        name=entry["name"],
        kind=entry["kind"],
        api_key=entry.get("api_key", -1),
        valid_versions=valid,
        flexible_versions=_versions(entry["flexible"], valid),
        listeners=tuple(entry.get("listeners", ())),
        latest_version_unstable=entry.get("latest_version_unstable", False),
        fields=_fields(entry["fields"], valid),
    )


def _fields(entries: list[dict[str, Any]], valid: Versions) -> tuple[Field, ...]:
    fields = (_field(entry, valid) for entry in entries)
    return tuple(field for field in fields if field.versions)


def _field(entry: dict[str, Any], valid: Versions) -> Field:
    kind: str = entry["type"]
    default = entry.get("default", _ZERO.get(kind))
    return Field(
        name=entry["name"],
        type=kind,
        versions=_versions(entry["versions"], valid),
        nullable_versions=_versions(entry.get("nullable", "none"), valid),
        tagged_versions=_versions(entry.get("tagged", "none"), valid),
        tag=entry.get("tag", -1),
        default=default,
        default_is_null="default" in entry and default is None,
        ignorable=entry.get("ignorable", False),
        never_flexible=entry.get("flexible") == "none",
        fields=_fields(entry["fields"], valid) if "fields" in entry else None,
    )


_ZERO: Mapping[str, Default] = {
    **dict.fromkeys(("int8", "int16", "uint16", "int32", "uint32", "int64"), 0),
    "float64": 0.0,
    "bool": False,
    "string": "",
}


@cache
def _versions(text: str, within: Versions) -> Versions:
    """`none`, `3`, `3-5` or `3+`, clipped to another range."""
    if text == "none":
        return NONE
    first, dash, last = text.removesuffix("+").partition("-")
    stop = int(last) + 1 if dash else within.stop if text.endswith("+") else int(first) + 1
    clipped = range(max(int(first), within.start), min(stop, within.stop))
    return clipped or NONE
