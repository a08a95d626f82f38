"""Following transactions through a log, batch by batch, as a cleaning reads it.

COMP-07, COMP-08: says which batches belong to aborted transactions, and which markers say nothing
any more. Which transactions were aborted is told by the index that the partition keeps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from impl.core.log.batch import BatchHeader
from impl.core.log.markers import read_marker
from impl.core.log.transaction_index import AbortedTransaction
from impl.core.storage import Bytes


class TransactionTrace:
    """To be shown every batch in the order of offsets."""

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._coming = deque(sorted(aborted, key=lambda each: each.first_offset))
        self._aborting: dict[int, AbortedTransaction] = {}
        self._seen: set[int] = set()
        """Those among them of whose transaction a batch was still there."""
        self._committing: set[int] = set()
        self._still_aborted: list[AbortedTransaction] = []

    def is_aborted(self, header: BatchHeader) -> bool:
        """Whether a batch of data belongs to an aborted transaction."""
        self._reach(header.last_offset)
        if not header.is_transactional:
            return False
        if header.producer_id in self._aborting:
            self._seen.add(header.producer_id)
            return True
        self._committing.add(header.producer_id)
        return False

    def marker_is_idle(self, header: BatchHeader, payload: Bytes) -> bool:
        """Whether nothing of the transaction is left that this marker ends."""
        self._reach(header.last_offset)
        marker, producer_id = read_marker(header, payload), header.producer_id
        if marker is None:
            return header.record_count == 0
        if marker.commits:
            is_idle = producer_id not in self._committing
            self._committing.discard(producer_id)
            return is_idle
        aborted = self._aborting.pop(producer_id, None)
        if aborted is None or producer_id not in self._seen:
            return True
        self._seen.discard(producer_id)
        self._still_aborted.append(aborted)
        return False

    def take_still_aborted(self) -> list[AbortedTransaction]:
        """What the index has to know of the markers since the last call that are not idle."""
        taken, self._still_aborted = self._still_aborted, []
        return taken

    def _reach(self, offset: int) -> None:
        while self._coming and self._coming[0].first_offset <= offset:
            aborted = self._coming.popleft()
            self._aborting.setdefault(aborted.producer_id, aborted)
