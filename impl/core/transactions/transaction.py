"""The state of one transactional id, and how it may change.

TXNI-09: the table below. A `Transaction` is a value: every change makes a new one, which counts
once its record is committed. Whether a request may ask for a change is decided by `rules`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from impl.core.cluster.topics import TopicPartition
from impl.core.log.batch import NO_PRODUCER_EPOCH, NO_PRODUCER_ID
from impl.core.log.markers import ProducerIdentity

MAXIMUM_EPOCH = 2**15 - 1
NO_TIME_MS = -1

WITHOUT_EPOCH_BUMP, WITH_EPOCH_BUMP = 0, 2
"""Versions of the protocol of transactions, as a client uses them."""


class State(Enum):
    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"
    DEAD = "Dead"
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"

    @property
    def number(self) -> int:
        """As it stands in the log."""
        return NUMBERED_STATES.index(self)


NUMBERED_STATES = tuple(State)
NAMED_STATES = {state.value: state for state in State}

_RESTING = frozenset({State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT})

FORMER_STATES: dict[State, frozenset[State]] = {
    State.EMPTY: _RESTING,
    State.ONGOING: _RESTING | {State.ONGOING},
    State.PREPARE_COMMIT: frozenset({State.ONGOING}),
    State.PREPARE_ABORT: _RESTING | {State.ONGOING, State.PREPARE_EPOCH_FENCE},
    State.COMPLETE_COMMIT: frozenset({State.PREPARE_COMMIT}),
    State.COMPLETE_ABORT: frozenset({State.PREPARE_ABORT}),
    State.DEAD: _RESTING,
    State.PREPARE_EPOCH_FENCE: frozenset({State.ONGOING}),
}


@dataclass(frozen=True, slots=True)
class Transaction:
    """`start_ms` counts from the first partition, and is kept until the next transaction.

    `next_producer_id` is who goes on when the markers are written, if not the same producer.
    `client_version` is that of the client who ended the transaction; the coordinator, when it
    ends one on its own, counts as `WITHOUT_EPOCH_BUMP`, so that nobody's EndTxn repeats it.
    """

    transactional_id: str
    producer_id: int
    timeout_ms: int
    last_update_ms: int
    producer_epoch: int = NO_PRODUCER_EPOCH
    last_producer_epoch: int = NO_PRODUCER_EPOCH
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID
    state: State = State.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    start_ms: int = NO_TIME_MS
    client_version: int = WITHOUT_EPOCH_BUMP

    @property
    def producer(self) -> ProducerIdentity:
        return ProducerIdentity(self.producer_id, self.producer_epoch)

    @property
    def is_decided(self) -> bool:
        """The outcome is fixed, and not all partitions know."""
        return self.state in (State.PREPARE_COMMIT, State.PREPARE_ABORT)

    @property
    def is_resting(self) -> bool:
        return self.state in _RESTING

    @property
    def is_exhausted(self) -> bool:
        """TXNI-19: one epoch is left, for whoever fences the last one."""
        return self.producer_epoch >= MAXIMUM_EPOCH - 1

    def _to(self, state: State, **changes: Any) -> Transaction:
        assert self.state in FORMER_STATES[state], f"{self.state} becomes {state}"
        return replace(self, state=state, **changes)

    def initialized(
        self, producer: ProducerIdentity, last_epoch: int, timeout_ms: int, now_ms: int
    ) -> Transaction:
        """InitProducerId, with nothing left over."""
        return self._to(
            State.EMPTY,
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            last_producer_epoch=last_epoch,
            previous_producer_id=self.producer_id,
            timeout_ms=timeout_ms,
            partitions=frozenset(),
            start_ms=NO_TIME_MS,
            last_update_ms=now_ms,
            client_version=WITHOUT_EPOCH_BUMP,
        )

    def with_partitions(self, added: Iterable[TopicPartition], now_ms: int) -> Transaction:
        return self._to(
            State.ONGOING,
            partitions=self.partitions.union(added),
            start_ms=self.start_ms if self.state is State.ONGOING else now_ms,
            last_update_ms=now_ms,
            client_version=WITHOUT_EPOCH_BUMP,
        )

    def decided(self, now_ms: int, *, commits: bool) -> Transaction:
        """By a client that keeps its epoch."""
        state = State.PREPARE_COMMIT if commits else State.PREPARE_ABORT
        return self._to(state, last_update_ms=now_ms, client_version=WITHOUT_EPOCH_BUMP)

    def decided_with_bump(
        self, next_producer_id: int, now_ms: int, *, commits: bool
    ) -> Transaction:
        """By a client that gets a new epoch, or producer id, with each end (KIP-890)."""
        has_begun = self.state is State.ONGOING
        return self._to(
            State.PREPARE_COMMIT if commits else State.PREPARE_ABORT,
            producer_epoch=self.producer_epoch + 1,
            last_producer_epoch=NO_PRODUCER_EPOCH,
            next_producer_id=next_producer_id,
            start_ms=self.start_ms if has_begun else now_ms,
            last_update_ms=now_ms,
            client_version=WITH_EPOCH_BUMP,
        )

    def fenced(self, now_ms: int) -> Transaction:
        """By the coordinator, for a newcomer or because time is over (TXNI-02, TXNI-15).

        Nobody is told the epoch that this takes: whoever comes next gets a higher one.
        """
        fence = self._to(
            State.PREPARE_EPOCH_FENCE,
            producer_epoch=self.producer_epoch + 1,
            last_producer_epoch=NO_PRODUCER_EPOCH,
        )
        return fence.decided(now_ms, commits=False)

    def completed(self, now_ms: int) -> Transaction:
        """All partitions know."""
        commits = self.state is State.PREPARE_COMMIT
        goes_on = self.next_producer_id == NO_PRODUCER_ID
        return self._to(
            State.COMPLETE_COMMIT if commits else State.COMPLETE_ABORT,
            producer_id=self.producer_id if goes_on else self.next_producer_id,
            producer_epoch=self.producer_epoch if goes_on else 0,
            previous_producer_id=self.producer_id,
            next_producer_id=NO_PRODUCER_ID,
            partitions=frozenset(),
            last_update_ms=now_ms,
        )

    @property
    def successor(self) -> ProducerIdentity:
        """Who goes on after a decision."""
        if self.next_producer_id == NO_PRODUCER_ID:
            return self.producer
        return ProducerIdentity(self.next_producer_id, 0)
