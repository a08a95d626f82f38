"""One segment in place of several, such that a crash leaves the old ones or the new one.

As Apache Kafka does it: the new segment is written under `.cleaned`; when it is durable it gets
`.swap`, and from then on it counts; the old files are deleted; the suffix goes. A start finishes
or forgets what it finds half done, so the two brokers can finish what the other began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from impl.core.log.segment import Segment, scan_batches
from impl.core.storage import Storage

CLEANED, SWAP, _DELETED = ".cleaned", ".swap", ".deleted"


def swap_in(storage: Storage, cleaned: Segment, replaced: Sequence[Segment]) -> None:
    """The cleaned segment is flushed, and begins where the first of the others does."""
    cleaned.rename(storage, SWAP)
    for segment in replaced:
        segment.delete(storage)
    cleaned.rename(storage, "")


def finish_swaps(storage: Storage, folder: str) -> None:
    """To be called before a log is loaded."""
    names = storage.files(folder)
    drafts = [name for name in names if name.endswith(CLEANED)]
    first_draft = min(map(_base_offset, drafts), default=None)
    swaps = []
    for name in names:
        if name.endswith(SWAP) and (first_draft is None or _base_offset(name) < first_draft):
            swaps.append(name)
        elif name.endswith((CLEANED, SWAP, _DELETED)):
            storage.delete(f"{folder}/{name}")
    replaced = [_replaced_offsets(storage, f"{folder}/{name}") for name in _logs_among(swaps)]
    for name in names:
        is_old = name.partition(".")[0].isdecimal() and name not in swaps
        if is_old and any(_base_offset(name) in offsets for offsets in replaced):
            storage.delete(f"{folder}/{name}")
    for name in swaps:
        storage.rename(f"{folder}/{name}", f"{folder}/{name.removesuffix(SWAP)}")


def _logs_among(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(f".log{SWAP}")]


def _base_offset(name: str) -> int:
    return int(name.rpartition("/")[2].partition(".")[0])


def _replaced_offsets(storage: Storage, path: str) -> range:
    """Where the segments began that a swapped one stands for."""
    end = base_offset = _base_offset(path)
    for _, header in scan_batches(storage, path, 0, storage.size(path) or 0):
        end = header.next_offset
    return range(base_offset, end)
