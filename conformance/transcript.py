"""What went over the wire during one check, as numbered steps that a person can read.

It decides how a message is abbreviated: fields at their defaults are left out, record data is
summarised, long bytes become their length. It refuses to judge anything.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from conformance.wire import Struct
from conformance.wire.records import Batch, read_batches
from spec.wire import Field
from spec.wire.errors import name_of

LONGEST_BYTES = 24
LONGEST_TEXT = 60
LONGEST_LIST = 4
LONGEST_STEP = 500
TELLING = ("error_code", "acks", "offset", "watermark", "index", "epoch", "generation_id")
UNKNOWN_OPERATIONS = -(2**31)


@dataclass(frozen=True)
class Step:
    """One line of a transcript; `connection` is a letter, or empty where none is concerned."""

    number: int
    connection: str
    text: str

    def __str__(self) -> str:
        return f"{self.number:3}  {self.connection or ' '} {self.text}"


@dataclass
class Transcript:
    """The steps of one check, in the order in which they happened, over all its connections."""

    steps: list[Step] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    connections: int = 0

    def open(self) -> str:
        """The letter of a new connection: A, B, ... Z, AA, AB, ..."""
        number, letters = self.connections, ""
        self.connections += 1
        while number >= 0:
            number, rest = divmod(number, 26)
            letters = chr(ord("A") + rest) + letters
            number -= 1
        return letters

    def note(self, text: str, connection: str = "") -> None:
        self.steps.append(Step(len(self.steps) + 1, connection, text))

    def find(self, finding: str, connection: str) -> None:
        """Note something that a reader should know although this check does not judge it."""
        self.findings.append(finding)
        self.note(f"! {finding}", connection)


def show(fields: Mapping[str, Any] | Struct) -> str:
    """The fields of a message, abbreviated, on one line.

    >>> show({"acks": 0, "timeout_ms": 5000, "transactional_id": None})
    '{acks: 0, timeout_ms: 5000}'
    """
    text = show_value("", fields)
    return text if len(text) <= LONGEST_STEP else text[: LONGEST_STEP - 2] + "…}"


def of_version(fields: Mapping[str, Any], known: Sequence[Field], version: int) -> dict[str, Any]:
    """What a version of a message carries of the fields that were given."""
    carried: dict[str, Any] = {}
    for each in known:
        if each.name not in fields or version not in each.versions:
            continue
        value = fields[each.name]
        if each.fields and isinstance(value, Mapping):
            value = of_version(value, each.fields, version)
        elif each.fields and isinstance(value, list):
            value = [
                of_version(item, each.fields, version) if isinstance(item, Mapping) else item
                for item in value
            ]
        carried[each.name] = value
    return carried


def show_value(name: str, value: Any) -> str:
    """One value of a message, by its field where the name tells more than the type."""
    if name == "records" and isinstance(value, (bytes, bytearray, memoryview)):
        return show_records(value)
    if isinstance(value, Struct):
        value = vars(value)
    if isinstance(value, Mapping):
        shown = (f"{k}: {show_value(k, v)}" for k, v in value.items() if not default(k, v))
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, (list, tuple)):
        items = [show_value(name, item) for item in value[:LONGEST_LIST]]
        if len(value) > LONGEST_LIST:
            items.append(f"… {len(value)} in all")
        return "[" + ", ".join(items) + "]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        plain = bytes(value[:LONGEST_BYTES])
        return repr(plain)[1:] if len(value) <= LONGEST_BYTES else f"<{len(value)} bytes>"
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…")
    if name.endswith("error_code") or isinstance(value, IntEnum):
        return name_of(value)
    return str(value)


def default(name: str, value: Any) -> bool:
    """Whether a field says nothing; some, such as error codes and offsets, always speak."""
    if name.endswith(TELLING):
        return False
    if isinstance(value, uuid.UUID):
        return value.int == 0
    return (
        value is None
        or value is False
        or value in ("", b"", [], {})
        or (isinstance(value, int) and value in (0, -1, UNKNOWN_OPERATIONS))
    )


def show_records(data: bytes | bytearray | memoryview) -> str:
    """Record data by its batches: offsets, count, producer; or its length if it cannot be read."""
    try:
        batches = list(read_batches(data))
    except (ValueError, IndexError):
        return f"<{len(data)} bytes that are no record batches>"
    return "<" + "; ".join(map(show_batch, batches)) + ">" if batches else "<no records>"


def show_batch(batch: Batch) -> str:
    parts = [f"{batch.count} records from offset {batch.base_offset}"]
    if batch.producer_id >= 0:
        parts.append(f"producer {batch.producer_id} epoch {batch.producer_epoch}")
        parts.append(f"sequence {batch.base_sequence}")
    return ", ".join(parts)
