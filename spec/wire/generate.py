"""Writes the tables of messages and of errors from Apache Kafka's own published definitions.

    python -m spec.wire.generate DEFINITIONS... [--errors FILE]

DEFINITIONS are folders or jars that hold Kafka's JSON message definitions: kafka-clients,
kafka-raft, kafka-metadata, kafka-storage, and the group, share and transaction coordinators carry
them. FILE has one error a line, `code <tab> name <tab> true|false` for retriable, as jshell prints
it with kafka-clients on its class path:

    import org.apache.kafka.common.protocol.Errors
    import org.apache.kafka.common.errors.RetriableException
    for (var e : Errors.values()) System.out.println(
        e.code() + "\\t" + e + "\\t" + (e.exception() instanceof RetriableException))

Carried over are the facts that decide bytes: names, types, versions, tags, defaults. Prose is not,
nor what only Kafka's Java classes need (map keys, entity types). Messages that no version supports
any more are left out. Structs that a message shares among its fields are written out at each use.
"""

import argparse
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Json = dict[str, Any]

INTEGERS = frozenset({"int8", "int16", "uint16", "int32", "uint32", "int64"})

ERRORS_HEAD = '''\
"""The error codes of the protocol, and which of them a client may retry.

Written by `spec.wire.generate`; do not edit.
"""

from enum import IntEnum


class ErrorCode(IntEnum):
    """An error code by its name in Kafka; unknown numbers have no member (see `name_of`)."""

'''

ERRORS_TAIL = '''\

    @property
    def retriable(self) -> bool:
        """Whether the same request may succeed later without a change to it."""
        return self in _RETRIABLE


def name_of(code: int) -> str:
    """The name of a code, or `error 1234` where the protocol has no such code."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"


'''


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m spec.wire.generate")
    parser.add_argument("definitions", nargs="+", type=Path, help="folders or jars")
    parser.add_argument("--errors", type=Path, help="lines of: code, name, retriable")
    options = parser.parse_args(arguments)
    messages = sorted(
        (message(definition) for definition in definitions(options.definitions)),
        key=lambda entry: (entry["kind"], entry.get("api_key", -1), entry["name"]),
    )
    refuse_duplicates(messages)
    (HERE / "messages.json").write_text(layout(messages), encoding="utf-8")
    if options.errors:
        lines = options.errors.read_text(encoding="utf-8").splitlines()
        (HERE / "errors.py").write_text(errors(lines), encoding="utf-8")
    return 0


# Reading


def definitions(sources: Iterable[Path]) -> Iterator[Json]:
    """Every definition with at least one valid version, from folders and jars."""
    for source in sources:
        for text in texts(source):
            definition = json.loads(without_comments(text))
            if definition["validVersions"] != "none":
                yield definition


def texts(source: Path) -> Iterator[str]:
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            yield path.read_text(encoding="utf-8")
        return
    with zipfile.ZipFile(source) as jar:
        for name in sorted(jar.namelist()):
            if name.endswith(".json"):
                yield jar.read(name).decode()


def without_comments(text: str) -> str:
    """Definitions have whole-line // comments, which JSON has not."""
    return re.sub(r"(?m)^\s*//.*$", "", text)


# One message


def message(definition: Json) -> Json:
    shared = {struct["name"]: struct["fields"] for struct in definition.get("commonStructs", ())}
    entry: Json = {"name": definition["name"], "kind": definition["type"].replace("-", "_")}
    if "apiKey" in definition:
        entry["api_key"] = definition["apiKey"]
    entry["versions"] = definition["validVersions"]
    entry["flexible"] = definition["flexibleVersions"]
    if definition.get("latestVersionUnstable"):
        entry["latest_version_unstable"] = True
    if "listeners" in definition:
        entry["listeners"] = definition["listeners"]
    entry["fields"] = [field(inner, shared) for inner in definition["fields"]]
    return entry


def field(definition: Json, shared: Mapping[str, list[Json]]) -> Json:
    kind: str = definition["type"]
    versions = definition.get("versions", definition.get("taggedVersions"))
    entry: Json = {"name": snake_case(definition["name"]), "type": kind, "versions": versions}
    if definition.get("nullableVersions", "none") != "none":
        entry["nullable"] = definition["nullableVersions"]
    if "tag" in definition:
        entry["tag"] = definition["tag"]
        entry["tagged"] = definition["taggedVersions"]
    if "flexibleVersions" in definition:
        entry["flexible"] = definition["flexibleVersions"]
    if has_default(definition):
        entry["default"] = default(kind, definition["default"])
    if definition.get("ignorable"):
        entry["ignorable"] = True
    inner = definition.get("fields") or shared.get(kind.removeprefix("[]"))
    if inner:
        entry["fields"] = [field(each, shared) for each in inner]
    return entry


def snake_case(name: str) -> str:
    """`throttle_time_ms` for `ThrottleTimeMs`, `kraft_version` for `KRaftVersion`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def has_default(definition: Json) -> bool:
    """Whether a default is given that is not its type's own; "null" is one, a JSON null is not."""
    return definition.get("default") is not None and definition["default"] != ""


def default(kind: str, value: Any) -> int | float | bool | str | None:
    """A default as a value of the field's type; definitions write most of them as text."""
    if value == "null":
        return None
    if kind in INTEGERS:
        return value if isinstance(value, int) else int(value, 0)
    if kind == "bool":
        return value if isinstance(value, bool) else value.lower() == "true"
    if kind == "float64":
        return float(value)
    if kind == "string":
        return str(value)
    raise ValueError(f"a default of {value!r} for a field of type {kind} has no known meaning")


def refuse_duplicates(messages: list[Json]) -> None:
    names = [entry["name"] for entry in messages]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SystemExit(f"defined more than once: {', '.join(twice)}")


# Writing


def layout(messages: list[Json]) -> str:
    """JSON with one field a line, so that a change of one field is a change of one line."""
    return "[\n" + ",\n".join(laid_out(entry, "") for entry in messages) + "\n]\n"


def laid_out(entry: Json, indent: str) -> str:
    flat = {key: value for key, value in entry.items() if key != "fields"}
    line = indent + json.dumps(flat, separators=(",", ":"))
    if "fields" not in entry:
        return line
    if not entry["fields"]:
        return f'{line[:-1]},"fields":[]}}'
    inner = ",\n".join(laid_out(field, indent + " ") for field in entry["fields"])
    return f'{line[:-1]},"fields":[\n{inner}]}}'


def errors(lines: Iterable[str]) -> str:
    """The module `spec.wire.errors`."""
    rows = sorted((int(code), name, flag) for code, name, flag in (x.split("\t") for x in lines))
    members = "".join(f"    {name} = {code}\n" for code, name, _ in rows)
    retriable = "".join(f"        ErrorCode.{name},\n" for _, name, flag in rows if flag == "true")
    table = f"_RETRIABLE = frozenset(\n    {{\n{retriable}    }}\n)\n"
    return ERRORS_HEAD + members + ERRORS_TAIL + table


if __name__ == "__main__":
    raise SystemExit(main())
