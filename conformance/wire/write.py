"""Writes a message from a dictionary of fields, an interpreter of the table.

Fields that are missing are defaults. Those that the version has not are left out, so that a check
can give the fields of all versions at once; a name that no version has raises Unwritable. A check
may also say what a right client never would: `Raw` bytes in place of any field, null where it
must not be, and under the key "tags" further tagged fields, raw bytes by their tag.
"""

import struct
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from conformance.wire.read import NUMBERS, default_value
from conformance.wire.values import Raw, Struct, Unwritable
from spec.wire import Field, Message

Fields: TypeAlias = Mapping[str, Any] | Struct
TAGS = "tags"


def write_message(message: Message, version: int, fields: Fields) -> bytes:
    """Raises Unwritable."""
    writer = _MessageWriter(version, version in message.flexible_versions)
    return writer.struct(message.fields, fields, message.name)


def write_varint(value: int) -> bytes:
    """Seven bits a byte, least first; no sign."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


class _MessageWriter:
    def __init__(self, version: int, flexible: bool) -> None:
        self._version = version
        self._flexible = flexible

    def struct(self, fields: Sequence[Field], given: Any, path: str) -> bytes:
        if isinstance(given, Raw):
            return given
        values = self._values(fields, given, path)
        out = b""
        for field in fields:
            if self._version in field.versions and self._version not in field.tagged_versions:
                value = values.get(field.name, default_value(field))
                out += self._field(field, value, f"{path}.{field.name}")
        return out + self._tags(fields, values, path) if self._flexible else out

    def _values(self, fields: Sequence[Field], given: Any, path: str) -> Mapping[str, Any]:
        values = vars(given) if isinstance(given, Struct) else given
        if not isinstance(values, Mapping):
            raise Unwritable(f"{path} needs a dictionary of fields, not {given!r}")
        known = {field.name for field in fields} | ({TAGS} if self._flexible else set())
        unknown = sorted(values.keys() - known)
        if unknown:
            raise Unwritable(f"{path} has no field {unknown[0]} in any version")
        return values

    def _tags(self, fields: Sequence[Field], values: Mapping[str, Any], path: str) -> bytes:
        tagged: dict[int, bytes] = {}
        for field in fields:
            default = default_value(field)
            value = values.get(field.name, default)
            if self._version in field.tagged_versions and not same(value, default):
                tagged[field.tag] = self._field(field, value, f"{path}.{field.name}")
        tagged |= values.get(TAGS, {})
        out = write_varint(len(tagged))
        for tag, data in sorted(tagged.items()):
            out += write_varint(tag) + write_varint(len(data)) + data
        return out

    def _field(self, field: Field, value: Any, path: str) -> bytes:
        if isinstance(value, Raw):
            return value
        if field.is_array:
            return self._array(field, value, path)
        if field.fields is None:
            return self._primitive(field, value, path)
        if self._version not in field.nullable_versions:
            return self.struct(field.fields, value, path)
        return b"\xff" if value is None else b"\x01" + self.struct(field.fields, value, path)

    def _array(self, field: Field, value: Any, path: str) -> bytes:
        if value is None:
            return self._length(None, 4)
        if isinstance(value, (str, bytes, Mapping)):
            raise Unwritable(f"{path} needs a list, not {value!r}")
        element = Field(field.name, field.element_type, field.versions, fields=field.fields)
        out = [self._length(len(value), 4)]
        for index, item in enumerate(value):
            here = f"{path}[{index}]"
            if element.fields is None:
                out.append(item if isinstance(item, Raw) else self._primitive(element, item, here))
            else:
                out.append(self.struct(element.fields, item, here))
        return b"".join(out)

    def _primitive(self, field: Field, value: Any, path: str) -> bytes:
        try:
            if field.type in NUMBERS:
                return NUMBERS[field.type].pack(value)
            if field.type == "bool":
                return b"\x01" if value else b"\x00"
            if field.type == "uuid":
                return uuid.UUID(int=value.int).bytes
            return self._sized(field, value)
        except (
            struct.error,
            OverflowError,
            AttributeError,
            TypeError,
            UnicodeEncodeError,
        ) as error:
            raise Unwritable(f"{path} is {field.type} and cannot be {value!r}: {error}") from None

    def _sized(self, field: Field, value: Any) -> bytes:
        prefix_bytes = 2 if field.type == "string" else 4
        flexible = self._flexible and not field.never_flexible
        if value is None:
            return self._length(None, prefix_bytes, flexible)
        data = value.encode() if field.type == "string" else bytes(memoryview(value))
        return self._length(len(data), prefix_bytes, flexible) + data

    def _length(
        self, length: int | None, prefix_bytes: int, flexible: bool | None = None
    ) -> bytes:
        """A length or count; None is null, which is written even where it must not be."""
        if self._flexible if flexible is None else flexible:
            return write_varint(0 if length is None else length + 1)
        return (-1 if length is None else length).to_bytes(prefix_bytes, "big", signed=True)


def same(value: Any, default: Any) -> bool:
    """Whether a tagged field has its default, and is therefore left out."""
    if isinstance(default, Struct) and isinstance(value, Mapping):
        value = Struct(**{**vars(default), **value})
    if isinstance(default, list) and value is not None and not isinstance(value, Raw):
        return len(value) == 0
    return bool(value == default)
