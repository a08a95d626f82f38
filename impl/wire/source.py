"""What generated readers and writers have in common: source text, and the layout of a struct."""

import linecache
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from spec.wire import Field, Message

FORMATS: Mapping[str, str] = {
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "float64": "d",
    "bool": "?",
    "uuid": "16s",
}


class Source:
    """Python source under construction."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def function(self, title: str, names: Mapping[str, Any]) -> Callable[..., Any]:
        """The one function that the source defines; tracebacks show its lines under `title`."""
        text = "\n".join(self._lines) + "\n"
        linecache.cache[title] = (len(text), None, text.splitlines(keepends=True), title)
        namespace = dict(names)
        exec(compile(text, title, "exec"), namespace)
        (function,) = (
            namespace[name] for name in namespace.keys() - names.keys() - {"__builtins__"}
        )
        return function  # type: ignore[no-any-return]


class Layout:
    """The fields of one struct in one version, sorted by how they stand in the bytes."""

    def __init__(self, fields: Sequence[Field], version: int) -> None:
        present = [field for field in fields if version in field.versions]
        tagged = [field for field in present if version in field.tagged_versions]
        self.tagged = sorted(tagged, key=lambda field: field.tag)
        self.plain = [field for field in present if field not in tagged]
        self.absent = [field for field in fields if field not in present]

    def runs(self) -> Iterator[tuple[bool, list[Field]]]:
        """The plain fields in their order, those next to each other of fixed width together."""
        for fixed, fields in groupby(self.plain, key=lambda field: field.type in FORMATS):
            if fixed:
                yield True, list(fields)
            else:
                yield from ((False, [field]) for field in fields)


def length_kind(field: Field, message: Message, version: int) -> str:
    """Which length stands before a field: `compact_length`, `length_16` or `length_32`."""
    if version in message.flexible_versions and not field.never_flexible:
        return "compact_length"
    return "length_16" if field.type == "string" else "length_32"
