"""The producers of one log, in step with it: what is appended here changes both.

TXNI-13, PROD-08. With each new segment the state is written beside it (`producer_snapshot`), and
loading begins with such a state and goes on with the records that follow. Those of the last two
segments are always read again: of a producer that writes, all batches that it may still repeat
are known after a restart then, whereas a snapshot has only the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from impl.core.log.batch import BatchHeader
from impl.core.log.log import Log, Platform
from impl.core.log.markers import read_marker
from impl.core.log.producer_snapshot import read_snapshot, write_snapshot
from impl.core.log.producer_state import ProducerStates
from impl.core.log.segment import Segment
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.storage import Bytes, StorageError

_SNAPSHOT = "snapshot"


class Producers:
    def __init__(self, platform: Platform, log: Log) -> None:
        self.states = ProducerStates()
        self._platform = platform
        self._storage = platform.storage
        self._log = log
        log.before_roll = self._take_snapshot
        self._forget_strays()
        self.reload()

    def append(self, header: BatchHeader, payload: Bytes, now_ms: int) -> None:
        """Write one batch. Raises KafkaError, and has then written nothing."""
        self._log.append(header, payload, now_ms)
        aborted = self.states.appended(header, read_marker(header, payload))
        if aborted is not None:
            self._log.segments[-1].append_aborted(self._storage, aborted)

    def aborted_between(self, start: int, end: int) -> Iterator[AbortedTransaction]:
        """Those with a record, or their marker, from `start` on and before `end`.

        The marker may lie far behind the end. But once a marker left nothing undecided below the
        end, no later one can speak of what is there.
        """
        for segment in self._log.segments[self._log.segment_of(start) :]:
            for aborted in segment.aborted:
                if aborted.overlaps(start, end):
                    yield aborted
                if aborted.last_stable_offset >= end:
                    return

    # Snapshots

    def _take_snapshot(self, offset: int) -> None:
        """Without one the next start reads more, and learns the same."""
        content = write_snapshot(self.states, self._platform.checksum)
        segment = Segment(self._log.folder, offset, created_ms=0)
        with suppress(StorageError):
            self._storage.replace(segment.path(_SNAPSHOT), content)

    def _forget_strays(self) -> None:
        """What belongs to no segment: another broker wrote it, or a roll was cut short."""
        known = {segment.path(_SNAPSHOT) for segment in self._log.segments}
        for name in self._storage.files(self._log.folder):
            path = f"{self._log.folder}/{name}"
            if name.endswith(f".{_SNAPSHOT}") and path not in known:
                self._storage.delete(path)

    def reload(self) -> None:
        """Learn all anew from the log: it was opened just now, or it was cut."""
        self.states = ProducerStates()
        first = self._restore_snapshot()
        unknown = self._log.segments[first:]
        for segment in unknown:
            segment.aborted.clear()
        for segment, position, header in self._log.headers_from(unknown[0].base_offset):
            payload = self._log.payload(segment, position, header) if header.is_control else b""
            aborted = self.states.appended(header, read_marker(header, payload))
            if aborted is not None:
                segment.aborted.append(aborted)
        for segment in unknown:
            segment.write_indexes(self._storage)

    def _restore_snapshot(self) -> int:
        """Begin with one; the index of the first segment that it knows nothing of."""
        may_be_known = self._log.segments[: max(len(self._log.segments) - 1, 1)]
        for index, segment in reversed(list(enumerate(may_be_known))):
            path, checksum = segment.path(_SNAPSHOT), self._platform.checksum
            found = read_snapshot(self._storage, path, checksum)
            if found is not None:
                self.states.restore(found)
                return index
        return 0
