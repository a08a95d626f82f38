"""Generates the function that reads one message in one version: `read(buffer, position, end)`.

It returns the struct and the position after it. Reading past the end raises IndexError or
`struct.error`, text that is no UTF-8 UnicodeDecodeError, all else WireError; the caller makes
sentences of them. Variables are named by the field and the depth of its struct.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from impl.wire import primitives
from impl.wire.source import FORMATS, Layout, Source, length_kind
from impl.wire.values import Struct
from spec.wire import Field, Message

Reader: TypeAlias = Callable[[memoryview, int, int], tuple[Struct, int]]

NO_UUID = UUID(int=0)


def reader(message: Message, version: int) -> Reader:
    return _ReaderSource(message, version).function()


class _ReaderSource:
    def __init__(self, message: Message, version: int) -> None:
        self.message = message
        self.version = version
        self.flexible = version in message.flexible_versions
        self.source = Source()
        self.names: dict[str, Any] = {
            "Struct": Struct,
            "UUID": UUID,
            "NO_UUID": NO_UUID,
            "unpack_from": struct.unpack_from,
            **vars(primitives),
        }

    def function(self) -> Reader:
        with self.source.block("def read(buffer, position, end):"):
            result = self.struct(self.message.fields, 0)
            self.source.line(f"return {result}, position")
        title = f"<reader of {self.message.name} version {self.version}>"
        return self.source.function(title, self.names)

    def struct(self, fields: Sequence[Field], depth: int) -> str:
        """Lines that read the fields; returns the expression of the struct."""
        layout = Layout(fields, self.version)
        for fixed, run in layout.runs():
            if fixed:
                self.run(run, depth)
            else:
                self.variable(run[0], depth)
        if self.flexible:
            self.tags(layout.tagged, depth)
        values = {field.name: f"{field.name}_{depth}" for field in [*layout.plain, *layout.tagged]}
        values |= {field.name: self.default(field) for field in layout.absent}
        return f"Struct({', '.join(f'{field.name}={values[field.name]}' for field in fields)})"

    def run(self, fields: Sequence[Field], depth: int) -> None:
        """Fixed-width fields in one step."""
        code = "".join(FORMATS[field.type] for field in fields)
        unpack = "_".join(["unpack", *(field.type for field in fields)])
        layout = struct.Struct(f">{code}")
        self.names[unpack] = layout.unpack_from
        targets = [f"{field.name}_{depth}" for field in fields]
        self.source.line(f"{', '.join(targets)}, = {unpack}(buffer, position)")
        self.source.line(f"position += {layout.size}")
        for field, target in zip(fields, targets, strict=True):
            if field.type == "uuid":
                self.source.line(f"{target} = UUID(bytes={target}) if any({target}) else NO_UUID")

    def variable(self, field: Field, depth: int) -> None:
        target = f"{field.name}_{depth}"
        if field.is_struct and not field.is_array:
            self.inner_struct(field, target, depth)
            return
        kind = length_kind(field, self.message, self.version)
        self.source.line(f"length, position = read_{kind}(buffer, position, end)")
        read = self.array if field.is_array else self.sized
        if self.version not in field.nullable_versions:
            with self.source.block("if length < 0:"):
                self.source.line(f"raise null({field.name!r})")
            read(field, target, depth)
            return
        with self.source.block("if length < 0:"):
            self.source.line(f"{target} = None")
        with self.source.block("else:"):
            read(field, target, depth)

    def sized(self, field: Field, target: str, depth: int) -> None:
        """Text or bytes of a length that is known to be there; records stay a view."""
        del depth
        span = "buffer[position : position + length]"
        convert = {"string": f"str({span}, 'utf-8')", "bytes": f"bytes({span})", "records": span}
        self.source.line(f"{target} = {convert[field.element_type]}")
        self.source.line("position += length")

    def array(self, field: Field, target: str, depth: int) -> None:
        code = FORMATS.get(field.element_type)
        if code is not None and field.element_type != "uuid":
            self.source.line(
                f"{target} = list(unpack_from(f'>{{length}}{code}', buffer, position))"
            )
            self.source.line(f"position += {struct.calcsize(f'>{code}')} * length")
            return
        self.source.line(f"{target} = []")
        with self.source.block("for _ in range(length):"):
            self.source.line(f"{target}.append({self.element(field, depth + 1)})")

    def element(self, field: Field, depth: int) -> str:
        if field.fields is not None:
            return self.struct(field.fields, depth)
        element = Field(f"an element of {field.name}", field.element_type, field.versions)
        variable = f"element_{depth}"
        if element.type == "uuid":
            self.run([Field("element", "uuid", field.versions)], depth)
            return variable
        kind = length_kind(element, self.message, self.version)
        self.source.line(f"length, position = read_{kind}(buffer, position, end)")
        with self.source.block("if length < 0:"):
            self.source.line(f"raise null({element.name!r})")
        self.sized(element, variable, depth)
        return variable

    def inner_struct(self, field: Field, target: str, depth: int) -> None:
        assert field.fields is not None
        if self.version not in field.nullable_versions:
            self.source.line(f"{target} = {self.struct(field.fields, depth + 1)}")
            return
        self.source.line(f"present = read_presence(buffer, position, {field.name!r})")
        self.source.line("position += 1")
        self.source.line(f"{target} = None")
        with self.source.block("if present:"):
            self.source.line(f"{target} = {self.struct(field.fields, depth + 1)}")

    def tags(self, fields: Sequence[Field], depth: int) -> None:
        """The section of tagged fields that ends a struct of a flexible version."""
        for field in fields:
            self.source.line(f"{field.name}_{depth} = {self.default(field)}")
        with self.source.block("if not buffer[position]:"):
            self.source.line("position += 1")
        with self.source.block("else:"):
            if fields:
                self.known_tags(fields, depth)
            else:
                self.source.line("position = skip_tags(buffer, position, end)")

    def known_tags(self, fields: Sequence[Field], depth: int) -> None:
        tag, stop = f"tag_{depth}", f"stop_{depth}"
        self.source.line("count, position = read_uvarint(buffer, position)")
        self.source.line(f"{tag} = -1")
        with self.source.block("for _ in range(count):"):
            read = f"read_tag(buffer, position, end, {tag})"
            self.source.line(f"{tag}, position, {stop} = {read}")
            branch = "if"
            for field in fields:
                with self.source.block(f"{branch} {tag} == {field.tag}:"):
                    self.tagged(field, depth)
                    with self.source.block(f"if position != {stop}:"):
                        self.source.line(f"raise wrong_tag_size({field.name!r}, position, {stop})")
                branch = "elif"
            with self.source.block("else:"):
                self.source.line(f"position = {stop}")

    def tagged(self, field: Field, depth: int) -> None:
        if field.type in FORMATS:
            self.run([field], depth)
        else:
            self.variable(field, depth)

    def default(self, field: Field) -> str:
        """The expression of what a field holds that is not in the bytes."""
        if field.default_is_null:
            return "None"
        if field.is_array:
            return "[]"
        if field.fields is not None:
            inner = (f"{each.name}={self.default(each)}" for each in field.fields)
            return f"Struct({', '.join(inner)})"
        return {"bytes": "b''", "records": "b''", "uuid": "NO_UUID"}.get(
            field.type, repr(field.default)
        )
