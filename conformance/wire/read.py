"""Reads a message leniently: an interpreter of the table that reports what is odd and goes on.

A finding names the field and says what is wrong with it. Only bytes that leave no place to go on
from raise Unreadable: those that end too early, and lengths that reach past the end.
"""

import struct
import uuid
from collections.abc import Sequence
from typing import Any

from conformance.wire.values import Struct, Unreadable
from spec.wire import Field, Message

NUMBERS = {
    "int8": struct.Struct(">b"),
    "int16": struct.Struct(">h"),
    "uint16": struct.Struct(">H"),
    "int32": struct.Struct(">i"),
    "uint32": struct.Struct(">I"),
    "int64": struct.Struct(">q"),
    "float64": struct.Struct(">d"),
}
UUID_BYTES = 16
GREATEST_VARINT_BYTES = 5


class MessageReader:
    """Reads one message in one version from `data`, beginning at `position`."""

    def __init__(self, message: Message, version: int, data: bytes, position: int = 0) -> None:
        self.findings: list[str] = []
        self.position = position
        self._data = data
        self._version = version
        self._flexible = version in message.flexible_versions
        self._fields = message.fields

    def read(self) -> Struct:
        return self._struct(self._fields, "")

    def expect_end(self) -> None:
        """A finding if bytes are left."""
        left = len(self._data) - self.position
        if left:
            self.findings.append(f"{left} bytes trail the message")

    # Structs

    def _struct(self, fields: Sequence[Field], path: str) -> Struct:
        values = {field.name: default_value(field) for field in fields}
        for field in fields:
            tagged = self._version in field.tagged_versions
            if self._version in field.versions and not tagged:
                values[field.name] = self._field(field, path)
        if self._flexible:
            tagged_fields = [each for each in fields if self._version in each.tagged_versions]
            self._tags({field.tag: field for field in tagged_fields}, values, path)
        return Struct(**values)

    def _field(self, field: Field, path: str) -> Any:
        here = f"{path}.{field.name}" if path else field.name
        nullable = self._version in field.nullable_versions
        if field.is_array:
            return self._array(field, here, nullable)
        if field.fields is None:
            return self._primitive(field, here, nullable)
        if nullable and not self._presence(here):
            return None
        return self._struct(field.fields, here)

    def _presence(self, path: str) -> bool:
        marker = self._number("int8", path)
        if marker not in (-1, 1):
            self.findings.append(f"{path} begins with {marker}, not -1 for null or 1 for a struct")
        return bool(marker >= 0)

    def _array(self, field: Field, path: str, nullable: bool) -> list[Any] | None:
        length = self._length(path, 4, never_flexible=field.never_flexible)
        if length is None:
            self._null(path, nullable)
            return None
        element = Field(field.name, field.element_type, field.versions, fields=field.fields)
        if field.fields is None:
            return [self._primitive(element, f"{path}[{i}]", False) for i in range(length)]
        return [self._struct(field.fields, f"{path}[{i}]") for i in range(length)]

    def _tags(self, known: dict[int, Field], values: dict[str, Any], path: str) -> None:
        where = f"in {path}" if path else "in the message"
        previous = -1
        for _ in range(self._varint(f"the number of tagged fields {where}")):
            tag = self._varint(f"a tag {where}")
            size = self._varint(f"the size of tag {tag} {where}")
            stop = self.position + size
            self._need(size, f"tag {tag} {where}")
            if tag <= previous:
                self.findings.append(f"tag {tag} {where} follows tag {previous}")
            previous = tag
            if tag in known:
                values[known[tag].name] = self._field(known[tag], path)
                if self.position != stop:
                    off = self.position - stop
                    self.findings.append(f"tag {tag} {where} is {off} bytes longer than it says")
            else:
                self.findings.append(f"unknown tag {tag} of {size} bytes {where}")
            self.position = stop

    # Values

    def _primitive(self, field: Field, path: str, nullable: bool) -> Any:
        kind = field.type
        if kind in NUMBERS:
            return self._number(kind, path)
        if kind == "bool":
            value = self._number("int8", path)
            if value not in (0, 1):
                self.findings.append(f"{path} is {value}, not 0 for false or 1 for true")
            return value != 0
        if kind == "uuid":
            return uuid.UUID(bytes=self._take(UUID_BYTES, path))
        prefix = 2 if kind == "string" else 4
        length = self._length(path, prefix, never_flexible=field.never_flexible)
        if length is None:
            self._null(path, nullable)
            return None
        data = self._take(length, path)
        return self._text(data, path) if kind == "string" else data

    def _text(self, data: bytes, path: str) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.findings.append(f"{path} is no UTF-8")
            return data.decode(errors="backslashreplace")

    def _null(self, path: str, nullable: bool) -> None:
        if not nullable:
            self.findings.append(f"{path} is null, and must not be")

    def _number(self, kind: str, path: str) -> Any:
        layout = NUMBERS[kind]
        (value,) = layout.unpack(self._take(layout.size, path))
        return value

    def _length(self, path: str, prefix_bytes: int, *, never_flexible: bool) -> int | None:
        """A length or count that what is left can hold, or None for null."""
        if self._flexible and not never_flexible:
            length = self._varint(f"the length of {path}") - 1
        else:
            prefix = self._take(prefix_bytes, f"the length of {path}")
            length = int.from_bytes(prefix, "big", signed=True)
        if length < -1:
            self.findings.append(f"{path} has a length of {length}, read as null")
        if length < 0:
            return None
        self._need(length, path)
        return length

    def _varint(self, what: str) -> int:
        value = 0
        for index in range(GREATEST_VARINT_BYTES):
            byte = self._take(1, what)[0]
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value
        raise Unreadable(f"{what} has more than {GREATEST_VARINT_BYTES} bytes")

    def _take(self, count: int, what: str) -> bytes:
        self._need(count, what)
        start, self.position = self.position, self.position + count
        return self._data[start : self.position]

    def _need(self, count: int, what: str) -> None:
        left = len(self._data) - self.position
        if count > left:
            raise Unreadable(
                f"{what} needs {count} bytes at byte {self.position}, where {left} are left"
            )


def default_value(field: Field) -> Any:
    """What a field holds that was not there."""
    if field.default_is_null:
        return None
    if field.is_array:
        return []
    if field.fields is not None:
        return Struct(**{inner.name: default_value(inner) for inner in field.fields})
    empty: dict[str, Any] = {"bytes": b"", "records": b"", "uuid": uuid.UUID(int=0)}
    return empty.get(field.type, field.default)
