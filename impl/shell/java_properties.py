"""The syntax of Java's property files, in which Apache Kafka is configured."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_BLANK = " \t\f"
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\$")
# A name ends at the first separator that no backslash stands before.
_ENTRY = re.compile(r"((?:\\.|[^\\:= \t\f])*)[ \t\f]*[:=]?[ \t\f]*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_NAME_END = re.compile(r"[\\:= \t\f#!]")
_ESCAPED = r"\\\g<0>"
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_java_properties(text: str) -> dict[str, str]:
    """The values by name, without blanks at their end; of a name that comes twice, the last."""
    values = {}
    for line in _logical_lines(text):
        entry = _ENTRY.fullmatch(line)
        if entry is not None:
            name, value = entry.groups()
            values[_unescaped(name)] = _unescaped(value).strip()
    return values


def render_java_properties(values: Mapping[str, str]) -> str:
    """A file that `parse_java_properties` reads as these values, whose ends are not blank."""
    return "".join(f"{_NAME_END.sub(_ESCAPED, n)}={_escaped(t)}\n" for n, t in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without comments and leading blanks; a backslash at the end joins the next one."""
    begun = ""
    for line in re.split(r"\r\n|\r|\n", text):
        content = line.lstrip(_BLANK)
        if not begun and (not content or content[0] in "#!"):
            continue
        if _CONTINUED.search(content):
            begun += content[:-1]
            continue
        yield begun + content
        begun = ""
    if begun:
        yield begun


def _unescaped(text: str) -> str:
    def character(escape: re.Match[str]) -> str:
        code: str = escape[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _CONTROL.get(code, code)

    return _ESCAPE.sub(character, text)
