"""The steps of the replicas of a simulated partition, as a history that the machine of replication
is asked to admit (`tests.impl.replication_as_run`).

What a replica does is seen from outside: after each of its calls, who leads in which epoch, what
is in the log, how far it is committed. Not all offsets are looked at: only the first and the last
that records of an epoch ever had, in any log, and some more. A log is as long, and as far
committed, as it has such offsets; so what was ever written over is among what is judged. What the
controller decided is read from the metadata log, and happened before anybody was seen to know of
it. What a follower makes of an answer may have happened since it was seen before; all else
happened when it was seen.

The machine has neither a minimum of in-sync replicas, nor brokers that are eligible besides
(REPL-02, ELEC-15), nor a loss of records that were not flushed. So runs need
`min.insync.replicas=1`, where only the last one in sync can be such a broker, and no crashes.

Clauses: REPL-01, REPL-05, REPL-11, REPL-12, REPL-13, ELEC-01, ELEC-03, ELEC-09.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from impl.core.cluster.catalogue import Assignment, Catalogue, Topic
from impl.core.cluster.metadata_records import MetadataRecord
from impl.core.data.partition import Partition
from impl.core.log.leader_epochs import EpochStart
from model.engines.admit import Admission, Event, Operation, admit
from model.lang.parts import Scope
from tests.impl.replication_as_run import machine

BROKERS = 3


@dataclass(frozen=True, slots=True)
class Look:
    """A replica as it was seen after one of its calls."""

    broker: int
    leader: int
    leader_epoch: int
    partition_epoch: int
    epochs: tuple[EpochStart, ...]
    log_end_offset: int
    high_watermark: int
    proposed: int | None
    """Who is proposed to be added to the ISR."""
    is_restart: bool

    def epoch_at(self, offset: int) -> int:
        return max(each.epoch for each in self.epochs if each.start_offset <= offset)

    def bounds(self) -> Iterator[tuple[int, int, int]]:
        """Of each epoch the first offset and the last."""
        starts = [each.start_offset for each in self.epochs]
        ends = [*starts, self.log_end_offset][1:]
        for each, end in zip(self.epochs, ends, strict=False):
            if each.start_offset < end:
                yield each.epoch, each.start_offset, end - 1


@dataclass(slots=True)
class Replication:
    """What was seen of one partition, in the order in which it happened."""

    looks: list[tuple[Look, int]] = field(default_factory=list)
    """Each with how many there were before the broker was last looked at."""
    last: dict[int, Look] = field(default_factory=dict)
    looks_before: dict[int, int] = field(default_factory=dict)
    decided: dict[int, Assignment] = field(default_factory=dict)
    """What the controller decided, by partition epoch."""

    def look(self, partition: Partition, *, is_restart: bool = False) -> None:
        broker, proposal = partition._node_id, partition.proposal
        look = Look(
            broker,
            partition.leader,
            partition.leader_epoch,
            partition._assignment.partition_epoch,
            tuple(partition.log.epochs.entries),
            partition.log.log_end_offset,
            partition.high_watermark,
            None if proposal is None else proposal.added,
            is_restart,
        )
        if look != self.last.get(broker):
            self.looks.append((look, self.looks_before.get(broker, 0)))
            self.last[broker] = look
        self.looks_before[broker] = len(self.looks)

    def judge(self, budget: int = 200_000) -> Admission:
        return _Retelling(self).judge(budget)


class _Retelling:
    """A run in the words of the machine."""

    def __init__(self, run: Replication) -> None:
        self._run = run
        self._offsets = _telling_offsets(look for look, _ in run.looks)
        self._history: list[Operation] = []
        self._logs: dict[int, list[int]] = {}
        self._high_watermarks: dict[int, int] = defaultdict(int)
        self._leader_epochs: dict[int, int] = defaultdict(lambda: -1)
        self._proposed: dict[int, int | None] = {}
        self._undecided = sorted(run.decided)
        self._decided = Assignment((), (), leader=-1, leader_epoch=-1, partition_epoch=-1)
        self._decided_at = -1

    def judge(self, budget: int) -> Admission:
        numbers = [0]
        for look, looks_before in self._run.looks:
            self._decide(look.partition_epoch)
            self._retell(look, numbers[looks_before])
            numbers.append(len(self._history))
        return admit(machine, self._scope(), self._history, budget=budget)

    def _scope(self) -> Scope:
        bounds = {
            "brokers": BROKERS,
            "max_leader_epoch": max(1, self._decided.leader_epoch),
            "log_size": len(self._offsets),
            "max_records": sum(
                isinstance(each.what, Event) and each.what.action == "leader_accepts_produce"
                for each in self._history
            ),
        }
        return Scope("run", bounds, "some offsets of one run")

    def _decide(self, partition_epoch: int) -> None:
        while self._decided.partition_epoch < partition_epoch:
            before, self._decided = self._decided, self._run.decided[self._undecided.pop(0)]
            for action, arguments in _decisions(before, self._decided):
                leader = self._decided.leader
                after = {"controller.leader": None if leader < 0 else _broker(leader)}
                event = Event(action, arguments, after=after)
                called, self._decided_at = self._decided_at + 0.5, len(self._history)
                self._history.append(Operation(event, called, self._decided_at))

    def _retell(self, look: Look, since: int) -> None:
        broker = look.broker
        log = [look.epoch_at(offset) for offset in self._offsets if offset < look.log_end_offset]
        end = sum(offset < look.high_watermark for offset in self._offsets)
        if look.is_restart:
            if broker in self._logs:
                self._high_watermarks[broker] = end
                arguments = {"broker": _broker(broker), "high_watermark": end}
                self._tell(broker, "replica_restarts", arguments)
            self._logs[broker], self._leader_epochs[broker] = log, -1
            return
        if look.leader_epoch > self._leader_epochs[broker]:
            self._leader_epochs[broker] = look.leader_epoch
            self._retell_leadership(look)
        if look.leader == broker:
            self._retell_leader(look, log, end)
        else:
            self._retell_follower(look, log, end, since)

    def _retell_leadership(self, look: Look) -> None:
        if look.leader == look.broker:
            self._tell(look.broker, "replica_becomes_leader", {"epoch": look.leader_epoch})
        elif look.leader >= 0:
            arguments = {"follower": _broker(look.broker), "epoch": look.leader_epoch}
            self._tell(look.broker, "replica_becomes_follower", arguments)

    def _retell_leader(self, look: Look, log: list[int], end: int) -> None:
        broker = look.broker
        leads = {"leader": _broker(broker)}
        for length in range(len(self._logs[broker]) + 1, len(log) + 1):
            self._logs[broker] = log[:length]
            self._tell(broker, "leader_accepts_produce", leads)
        while self._high_watermarks[broker] < end:
            self._high_watermarks[broker] += 1
            self._tell(broker, "leader_advances_high_watermark", leads)
        if look.proposed is not None and look.proposed != self._proposed.get(broker):
            arguments = {**leads, "follower": _broker(look.proposed)}
            self._tell(broker, "leader_proposes_follower", arguments)
        self._proposed[broker] = look.proposed

    def _retell_follower(self, look: Look, log: list[int], end: int, since: int) -> None:
        """What it does with an answer rests on what the leader had when it gave it."""
        broker, before = look.broker, self._logs[look.broker]
        replicas: dict[str, object] = {"follower": _broker(broker)}
        if look.leader >= 0:
            replicas["leader"] = _broker(look.leader)
        same = [one == other for one, other in zip(before, log, strict=False)]
        if (kept := [*same, False].index(False)) < len(before):
            self._logs[broker] = log[:kept]
            self._high_watermarks[broker] = min(kept, self._high_watermarks[broker])
            self._tell(broker, "follower_truncates", {**replicas, "keep": kept}, since)
        for length in range(kept + 1, len(log) + 1):
            self._logs[broker] = log[:length]
            self._tell(broker, "follower_fetches", replicas, since)
        if end != self._high_watermarks[broker]:
            self._high_watermarks[broker] = end
            arguments = {**replicas, "end": end}
            self._tell(broker, "follower_learns_high_watermark", arguments, since)

    def _tell(
        self,
        broker: int,
        action: str,
        arguments: Mapping[str, object],
        since: int | None = None,
    ) -> None:
        replica, now = f"replica[broker{broker}]", len(self._history)
        after = {
            f"{replica}.log": [{"epoch": epoch} for epoch in self._logs[broker]],
            f"{replica}.high_watermark": self._high_watermarks[broker],
        }
        called = now if since is None else since
        self._history.append(Operation(Event(action, arguments, after=after), called, now))


def _telling_offsets(looks: Iterable[Look]) -> list[int]:
    """The first and the last offset of each epoch, in any log at any time; and the last that was
    committed whenever a follower was proposed.
    """
    epochs: dict[int, tuple[int, int]] = {}
    committed: set[int] = set()
    for look in looks:
        for epoch, first, last in look.bounds():
            lowest, highest = epochs.get(epoch, (first, last))
            epochs[epoch] = min(first, lowest), max(last, highest)
        if look.proposed is not None and look.high_watermark:
            committed.add(look.high_watermark - 1)
    return sorted(committed.union(*epochs.values()))


def _decisions(old: Assignment, new: Assignment) -> Iterator[tuple[str, dict[str, object]]]:
    """One record of the controller as steps of the machine, an election first."""
    before, after = _in_sync(old), _in_sync(new)
    if new.leader_epoch > old.leader_epoch and new.leader >= 0:
        yield "controller_elects_leader", {"broker": _broker(new.leader)}
    elif new.leader_epoch > old.leader_epoch:
        yield "controller_leaves_no_leader", {}
    for broker in sorted(before - after):
        yield "broker_leaves_isr", {"broker": _broker(broker)}
    for broker in sorted(after - before) if before else ():
        leads = {"leader": _broker(new.leader), "follower": _broker(broker)}
        yield "leader_expands_isr", dict(leads)


def _in_sync(assignment: Assignment) -> set[int]:
    return {*(assignment.isr or assignment.eligible_leader_replicas or assignment.last_known_elr)}


def _broker(node_id: int) -> int:
    return node_id - 1


# Watching

LOOKED_AFTER = (
    "assume",
    "shrink_isr",
    "settle_proposal",
    "follower_fetched",
    "append",
    "append_fetched",
    "take_over",
    "truncate_to",
)


Decisions: TypeAlias = dict[int, Assignment]
"""By partition epoch."""


@dataclass(slots=True)
class Watched:
    """One topic in one run."""

    topic: str
    partitions: dict[int, Replication] = field(default_factory=lambda: defaultdict(Replication))
    told: dict[int, tuple[object, dict[int, Decisions]]] = field(default_factory=dict)
    """What each catalogue was told of each partition, by the identity of its brokers."""

    def tell(self, catalogue: Catalogue, topic: Topic | None) -> None:
        if topic is not None and topic.name == self.topic:
            known = self.told.setdefault(
                id(catalogue.brokers), (catalogue.brokers, defaultdict(dict))
            )
            for number, assignment in topic.partitions.items():
                known[1][number][assignment.partition_epoch] = assignment

    def look(self, partition: Partition) -> None:
        """Note what is new of a replica, and what the catalogue of its broker was told."""
        number = partition.at.partition
        _, told = self.told[id(partition._brokers)]
        self.partitions[number].decided.update(told[number])
        self.partitions[number].look(partition)


@contextmanager
def watched(topic: str) -> Iterator[Watched]:
    """Everything that the replicas of the topic do in the simulation inside."""
    run = Watched(topic)
    with pytest.MonkeyPatch.context() as patch:
        _watch_catalogues(patch, run)
        _watch_lives(patch, run)
        for name in LOOKED_AFTER:
            _look_after(patch, run, name)
        yield run


def _watch_catalogues(patch: pytest.MonkeyPatch, run: Watched) -> None:
    apply = Catalogue.apply

    def applies(catalogue: Catalogue, record: MetadataRecord) -> Topic | None:
        topic = apply(catalogue, record)
        run.tell(catalogue, topic)
        return topic

    patch.setattr(Catalogue, "apply", applies)


def _watch_lives(patch: pytest.MonkeyPatch, run: Watched) -> None:
    begin = Partition.__init__

    def begins(partition: Partition, *given: Any, **named: Any) -> None:
        begin(partition, *given, **named)
        if partition.at.topic == run.topic:
            run.partitions[partition.at.partition].look(partition, is_restart=True)

    patch.setattr(Partition, "__init__", begins)


def _look_after(patch: pytest.MonkeyPatch, run: Watched, name: str) -> None:
    work = getattr(Partition, name)

    def works(partition: Partition, *given: Any, **named: Any) -> Any:
        try:
            return work(partition, *given, **named)
        finally:
            if partition.at.topic == run.topic:
                run.look(partition)

    patch.setattr(Partition, name, works)
