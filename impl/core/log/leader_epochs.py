"""The history of leader epochs of one log: which epoch began at which offset (KIP-101, KIP-279).

Strictly increasing in both (ELEC-08). Kept in Kafka's `leader-epoch-checkpoint`; who leads is
decided elsewhere.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

UNKNOWN_EPOCH = -1
UNKNOWN_OFFSET = -1


class EpochStart(NamedTuple):
    epoch: int
    start_offset: int


class EpochEnd(NamedTuple):
    epoch: int
    end_offset: int


UNKNOWN_END = EpochEnd(UNKNOWN_EPOCH, UNKNOWN_OFFSET)


class LeaderEpochs:
    def __init__(self, entries: list[EpochStart] | None = None) -> None:
        self.entries: list[EpochStart] = []
        for entry in entries or []:
            self.assign(*entry)

    @property
    def latest(self) -> int:
        return self.entries[-1].epoch if self.entries else UNKNOWN_EPOCH

    def assign(self, epoch: int, start_offset: int) -> bool:
        """From this offset on the records belong to this epoch; says whether that is news."""
        if self.entries and epoch == self.latest:
            return False
        while self.entries and (
            self.entries[-1].epoch >= epoch or self.entries[-1].start_offset >= start_offset
        ):
            self.entries.pop()
        self.entries.append(EpochStart(epoch, start_offset))
        return True

    def epoch_at(self, offset: int) -> int:
        index = bisect_right(self.entries, offset, key=lambda entry: entry.start_offset)
        return self.entries[index - 1].epoch if index else UNKNOWN_EPOCH

    def end_of(self, epoch: int, log_end_offset: int) -> EpochEnd:
        """ELEC-10: the largest epoch that is not above the asked one, and where it ends."""
        if epoch == UNKNOWN_EPOCH or epoch > self.latest:
            return UNKNOWN_END
        if epoch == self.latest:
            return EpochEnd(epoch, log_end_offset)
        index = bisect_right(self.entries, epoch, key=lambda entry: entry.epoch)
        floor = self.entries[index - 1].epoch if index else epoch
        return EpochEnd(floor, self.entries[index].start_offset)

    def truncate_end(self, end_offset: int) -> None:
        self.entries = [entry for entry in self.entries if entry.start_offset < end_offset]

    def truncate_start(self, start_offset: int) -> None:
        """Forget what ended before the log start; the epoch of the log start begins there."""
        index = bisect_right(self.entries, start_offset, key=lambda entry: entry.start_offset)
        if index:
            first = EpochStart(self.entries[index - 1].epoch, start_offset)
            self.entries = [first, *self.entries[index:]]
