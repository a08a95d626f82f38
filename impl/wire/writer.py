"""Generates the function that writes one message in one version: `write(fields_0, parts)`.

It appends the message to a list of parts; the bytes of records are parts of their own, never
copied. A field that the struct has not is written as its default; one that the version has not is
left out, so that one answer serves all versions; a name that the message has in no version is an
error. Text that is too long for its length, and values of a wrong type, raise what Python raises
for them; the caller makes sentences of them. Variables are named by the depth of their struct.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from impl.wire import primitives
from impl.wire.reader import NO_UUID
from impl.wire.source import FORMATS, Layout, Source, length_kind
from impl.wire.values import Struct, WireError
from spec.wire import Field, Message

Part: TypeAlias = bytes | memoryview
Writer: TypeAlias = Callable[[dict[str, Any], list[Part]], None]

NO_FIELDS = Struct()
NULL = {
    "compact_length": "b'\\0'",
    "length_16": "b'\\xff\\xff'",
    "length_32": "b'\\xff\\xff\\xff\\xff'",
}


def writer(message: Message, version: int) -> Writer:
    return _WriterSource(message, version).function()


def unknown_field(names: set[str]) -> WireError:
    return WireError(f"there is no field {' or '.join(sorted(names))}")


class _WriterSource:
    def __init__(self, message: Message, version: int) -> None:
        self.message = message
        self.version = version
        self.flexible = version in message.flexible_versions
        self.source = Source()
        self.out = "out"
        self.names: dict[str, Any] = {
            "pack": struct.pack,
            "pack_length_16": primitives.INT16.pack,
            "pack_length_32": primitives.INT32.pack,
            "write_uvarint": primitives.write_uvarint,
            "null": primitives.null,
            "unknown_field": unknown_field,
            "NO_UUID": NO_UUID,
            "NO_FIELDS": NO_FIELDS,
        }

    def function(self) -> Writer:
        with self.source.block("def write(fields_0, parts):"):
            self.source.line("out = bytearray()")
            self.struct(self.message.fields, 0)
            with self.source.block("if out:"):
                self.source.line("parts.append(bytes(out))")
        title = f"<writer of {self.message.name} version {self.version}>"
        return self.source.function(title, self.names)

    def struct(self, fields: Sequence[Field], depth: int) -> None:
        """Lines that write the fields in the dictionary of this depth."""
        self.refuse_unknown(fields, depth)
        layout = Layout(fields, self.version)
        for fixed, run in layout.runs():
            if fixed:
                self.run(run, depth)
            else:
                self.source.line(f"value = {self.value(run[0], depth)}")
                self.variable(run[0], depth)
        if layout.tagged:
            self.tags(layout.tagged, depth)
        elif self.flexible:
            self.source.line(f"{self.out}.append(0)")

    def refuse_unknown(self, fields: Sequence[Field], depth: int) -> None:
        known = frozenset(field.name for field in fields)
        names = f"NAMES_{len(self.names)}"
        self.names[names] = known
        with self.source.block(f"if not fields_{depth}.keys() <= {names}:"):
            self.source.line(f"raise unknown_field(fields_{depth}.keys() - {names})")

    def value(self, field: Field, depth: int) -> str:
        return f"fields_{depth}.get({field.name!r}, {self.default(field)})"

    def default(self, field: Field) -> str:
        if field.default_is_null:
            return "None"
        if field.is_array:
            return "()"
        if field.is_struct:
            return "NO_FIELDS"
        return {"bytes": "b''", "records": "b''", "uuid": "NO_UUID"}.get(
            field.type, repr(field.default)
        )

    def run(self, fields: Sequence[Field], depth: int) -> None:
        """Fixed-width fields in one step."""
        code = "".join(FORMATS[field.type] for field in fields)
        pack = "_".join(["pack", *(field.type for field in fields)])
        self.names[pack] = struct.Struct(f">{code}").pack
        values = ", ".join(
            self.value(field, depth) + (".bytes" if field.type == "uuid" else "")
            for field in fields
        )
        self.source.line(f"{self.out} += {pack}({values})")

    def variable(self, field: Field, depth: int) -> None:
        """Lines that write `value`, which is of variable length, and may be null."""
        if field.is_struct and not field.is_array:
            self.inner_struct(field, depth)
            return
        kind = length_kind(field, self.message, self.version)
        write = self.array if field.is_array else self.sized
        with self.source.block("if value is None:"):
            if self.version in field.nullable_versions:
                self.source.line(f"{self.out} += {NULL[kind]}")
            else:
                self.source.line(f"raise null({field.name!r})")
        with self.source.block("else:"):
            write(field, kind, depth)

    def length(self, kind: str, expression: str) -> None:
        if kind == "compact_length":
            self.source.line(f"{self.out} += write_uvarint({expression} + 1)")
        else:
            self.source.line(f"{self.out} += pack_{kind}({expression})")

    def sized(self, field: Field, kind: str, depth: int) -> None:
        del depth
        if field.element_type == "string":
            self.source.line("value = value.encode()")
        self.length(kind, "len(value)")
        if field.type != "records":
            self.source.line(f"{self.out} += value")
            return
        if self.out != "out":
            raise NotImplementedError(f"{field.name} are records in a tagged field")
        self.source.line("parts += (bytes(out), value)")
        self.source.line("out = bytearray()")

    def array(self, field: Field, kind: str, depth: int) -> None:
        self.length(kind, "len(value)")
        code = FORMATS.get(field.element_type)
        if code is not None and field.element_type != "uuid":
            self.source.line(f"{self.out} += pack(f'>{{len(value)}}{code}', *value)")
        elif field.fields is not None:
            with self.source.block(f"for element_{depth} in value:"):
                self.source.line(f"fields_{depth + 1} = element_{depth}.__dict__")
                self.struct(field.fields, depth + 1)
        else:
            with self.source.block("for value in value:"):
                self.element(field, depth)

    def element(self, field: Field, depth: int) -> None:
        if field.element_type == "uuid":
            self.source.line(f"{self.out} += value.bytes")
            return
        element = Field(field.name, field.element_type, field.versions)
        self.sized(element, length_kind(element, self.message, self.version), depth)

    def inner_struct(self, field: Field, depth: int) -> None:
        assert field.fields is not None
        nullable = self.version in field.nullable_versions
        with self.source.block("if value is None:"):
            if nullable:
                self.source.line(f"{self.out}.append(0xff)")
            else:
                self.source.line(f"raise null({field.name!r})")
        with self.source.block("else:"):
            if nullable:
                self.source.line(f"{self.out}.append(1)")
            self.source.line(f"fields_{depth + 1} = value.__dict__")
            self.struct(field.fields, depth + 1)

    def tags(self, fields: Sequence[Field], depth: int) -> None:
        """The section of tagged fields: those that differ from their default, by ascending tag."""
        count, tagged, outer = f"count_{depth}", f"tagged_{depth}", self.out
        self.source.line(f"{count} = 0")
        self.source.line(f"{tagged} = bytearray()")
        for field in fields:
            self.source.line(f"value = {self.value(field, depth)}")
            with self.source.block(f"if {self.differs(field)}:"):
                self.out = f"field_{depth}"
                self.source.line(f"{self.out} = bytearray()")
                self.tagged(field, depth)
                self.append_tagged(field, depth)
                self.out = outer
        self.source.line(f"{outer} += write_uvarint({count})")
        self.source.line(f"{outer} += {tagged}")

    def tagged(self, field: Field, depth: int) -> None:
        if field.type in FORMATS:
            self.run([field], depth)
        else:
            self.variable(field, depth)

    def append_tagged(self, field: Field, depth: int) -> None:
        """Lines that move the bytes of one tagged field to its section."""
        append = [
            f"tagged_{depth} += write_uvarint({field.tag}) + write_uvarint(len(field_{depth}))",
            f"tagged_{depth} += field_{depth}",
            f"count_{depth} += 1",
        ]
        if not field.is_struct or field.is_array or field.default_is_null:
            for line in append:
                self.source.line(line)
            return
        empty = _WriterSource(self.message, self.version).bytes_of_defaults(field)
        with self.source.block(f"if field_{depth} != {empty!r}:"):
            for line in append:
                self.source.line(line)

    def bytes_of_defaults(self, field: Field) -> bytes:
        """What a struct of defaults is written as, which is left out of the tagged fields."""
        assert field.fields is not None
        parts: list[Part] = []
        with self.source.block("def write(fields_0, parts):"):
            self.source.line("out = bytearray()")
            if self.version in field.nullable_versions:
                self.source.line("out.append(1)")
            self.struct(field.fields, 0)
            self.source.line("parts.append(bytes(out))")
        self.source.function(f"<defaults of {field.name}>", self.names)({}, parts)
        return b"".join(parts)

    def differs(self, field: Field) -> str:
        """The condition under which `value` may differ from the field's default."""
        if field.default_is_null:
            return "value is not None"
        if field.is_array or field.type in ("bytes", "records"):
            return "value is None or len(value)"
        if field.is_struct:
            return "value is not NO_FIELDS"
        return "value != NO_UUID" if field.type == "uuid" else f"value != {field.default!r}"
