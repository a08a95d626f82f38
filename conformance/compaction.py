"""Compacted topics in a short time: closed segments to order, and whether a cleaning came by.

A record is as old as its producer says, and one that is further on than `segment.ms` begins a new
segment. That a cleaning has been through all closed segments shows in the last of them: it holds
two records of one key, of which the first is gone afterwards. Everything here is a preparation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance import appends
from conformance.appends import HOUR_MS, now_ms
from conformance.requests import Topic
from conformance.session import Session
from conformance.transactions import Transactional
from conformance.wire.records import Batch, Record, build_batch

SEGMENT_MS = 60_000
STEP_MS = 2 * SEGMENT_MS
SHOWN = b"shows that a cleaning was here"
CLOSING = Record(b"", b"begins the active segment")
CONFIGS = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0",
    "segment.ms": str(SEGMENT_MS),
}
CLEANING_S = 40.0
"""How long it may take until the cleaner finds a log; it looks every 15 s, if not told better."""


@dataclass
class Compacted:
    """A compacted topic of one partition; `clock_ms` is the time of its next records."""

    session: Session
    topic: Topic
    clock_ms: int

    def segment(self, *records: Record, **header: int) -> int:
        """Records in one batch that begins a segment; their first offset."""
        batch = build_batch(self.timed(*records), "none", 0, None, **header)
        (answer,) = appends.store(self.session, self.topic, batch)
        return int(answer.base_offset)

    def timed(self, *records: Record) -> list[Record]:
        """These records, later than all before by so much that they begin a segment."""
        self.clock_ms += STEP_MS
        return [
            Record(each.value, each.key, each.headers, timestamp=self.clock_ms) for each in records
        ]

    def transaction(
        self, producer: Transactional, *records: Record, committed: bool = False
    ) -> None:
        """A whole transaction; its marker has the time at which it is written."""
        producer.prepare_write(self.topic, self.timed(*records))
        producer.prepare_end(committed)
        self.clock_ms = max(self.clock_ms, now_ms())

    def show(self) -> int:
        """A segment that shows whether it was cleaned, for `await_cleaned`."""
        return self.segment(Record(b"goes", SHOWN), Record(b"stays", SHOWN))

    def await_cleaned(self, shown: int) -> None:
        self.session.poll_until(
            lambda: shown not in self.session.read(self.topic).offsets,
            "a cleaning was here",
            timeout=CLEANING_S,
        )

    def clean(self) -> None:
        """Close the active segment, and wait until a cleaning went through all that are closed."""
        shown = self.show()
        self.segment(CLOSING)
        self.await_cleaned(shown)

    def records(self, isolation_level: int = 0) -> list[Record]:
        return self.session.read(self.topic, isolation_level=isolation_level).records

    def batches(self) -> list[Batch]:
        return self.session.read(self.topic).batches

    def values(self, key: bytes) -> list[bytes | None]:
        """The values of all records with a key, in order."""
        return [record.value for record in self.records() if record.key == key]


def compacted(
    session: Session, configs: Mapping[str, str] | None = None, replication_factor: int = 1
) -> Compacted:
    topic = session.create_topic(
        configs={**CONFIGS, **(configs or {})}, replication_factor=replication_factor
    )
    return Compacted(session, topic, now_ms() - HOUR_MS)


def table(records: Sequence[Record]) -> dict[bytes | None, bytes]:
    """What a reader of these records holds in the end."""
    last = {record.key: record.value for record in records}
    return {key: value for key, value in last.items() if value is not None}
