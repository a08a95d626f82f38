"""The metadata log as its only writer sees it: what was decided, committed or not.

A record takes effect on the controller's catalogue when it is written here, so that the next
decision sees it; it reaches the log with the next `flush`, all records of one decision at once.
Knows nothing of what records mean, and of who waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from impl.core.cluster.catalogue import Catalogue
from impl.core.cluster.metadata_records import MetadataRecord, RegisterBrokerRecord

Append: TypeAlias = Callable[[Sequence[MetadataRecord], int], int]


class Ledger:
    def __init__(
        self, append: Append, catalogue: Catalogue, records: Iterable[tuple[int, MetadataRecord]]
    ) -> None:
        self.catalogue = catalogue
        self.end_offset = 0
        """Behind the last record; the quorum's own records may lie between it and the next."""
        self.registered_at: dict[int, int] = {}
        """The offset of the latest registration of each broker."""
        self._append = append
        self._unwritten: list[MetadataRecord] = []
        for offset, record in records:
            self._place(offset, record)
            catalogue.apply(record)
            self.end_offset = offset + 1

    def _place(self, offset: int, record: MetadataRecord) -> None:
        if isinstance(record, RegisterBrokerRecord):
            self.registered_at[record.endpoint.node_id] = offset

    @property
    def next_offset(self) -> int:
        """Where the next record will be, or a little before (see `end_offset`)."""
        return self.end_offset + len(self._unwritten)

    def write(self, *records: MetadataRecord) -> None:
        for record in records:
            self.catalogue.apply(record)
            self._unwritten.append(record)

    def flush(self, now_ms: int) -> None:
        """Raises KafkaError when the quorum has another leader; then this ledger is void."""
        if not self._unwritten:
            return
        self.end_offset = self._append(tuple(self._unwritten), now_ms)
        first = self.end_offset - len(self._unwritten)
        for offset, record in enumerate(self._unwritten, first):
            self._place(offset, record)
        self._unwritten.clear()
