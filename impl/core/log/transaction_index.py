"""Which transactions were aborted in a segment: Kafka's `.txnindex`, 34 bytes for each.

TXNI-13. An entry stands in the segment that holds the abort marker, so entries are ordered by
their last offset. Which transactions were aborted is told by `producer_state`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from impl.core.storage import Storage

_ENTRY = struct.Struct(">hqqqq")
ENTRY_SIZE = _ENTRY.size
_VERSION = 0


class AbortedTransaction(NamedTuple):
    """From its first record to its marker; `last_stable_offset` is the one after the marker.

    No transaction that is aborted later has a record below that last stable offset.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int

    def overlaps(self, start: int, end: int) -> bool:
        return self.last_offset >= start and self.first_offset < end


def write_entries(entries: Iterable[AbortedTransaction]) -> bytes:
    return b"".join(_ENTRY.pack(_VERSION, *entry) for entry in entries)


def read_entries(storage: Storage, path: str) -> list[AbortedTransaction]:
    """The whole entries of a file; none if there is no such file."""
    size = storage.size(path)
    if size is None:
        return []
    content = storage.read(path, 0, size - size % ENTRY_SIZE)
    return [AbortedTransaction(*fields[1:]) for fields in _ENTRY.iter_unpack(content)]
