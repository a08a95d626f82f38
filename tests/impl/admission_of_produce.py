"""What a producer and the leaders of a simulated partition do, as a history that the machine of
producing is asked to admit (`tests.impl.produce_as_run`).

The producer is watched in its own calls, a leader in what it appends, how far that is committed,
and what it answers. After each step of the leader its log and what it remembers of the producer
must be what the machine says; a leader that takes over is compared so before it does anything. The
run is known as a whole when it is told: so a request that reached nobody, and an answer that
nobody heard, get lost at once, and one that was repeated is so when it is sent. All else happens
when it was seen, one step after the other: nothing is left to the machine to guess.

The leader of the machine is whoever took over with the latest leader epoch. One of before is seen
less closely: what it appends is noted, as it may come back with a later leader; its success must
be true; what it refuses, and duplicates that it recognises, are not judged. Errors that make a
producer only look for the leader, or wait, count as no answer, as in the machine. How followers
get their logs is the business of `admission_of_replication`. The machine knows one producer; so
runs need one that is idempotent, and one record in each batch.

Clauses: ACKS-05, ACKS-08, ACKS-10, PROD-02 to PROD-09, REPL-01.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any, TypeAlias

import pytest

from impl.core.data.messages import Produce, Produced, ProducedPartition
from impl.core.data.partition import Appended, Partition
from impl.core.data.producing import Producing
from impl.core.events import Call, Output, Reply
from impl.core.refusal import KafkaError
from model.engines.admit import Admission, Event, admit
from model.lang.parts import Scope
from spec.wire.errors import ErrorCode
from tests.impl.produce_as_run import machine
from tests.impl.produce_storm import IN_FLIGHT, PipelinedProducer, Stamp

REMEMBERED = 5
REFUSALS = {
    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER: "leader_refuses_sequence",
    ErrorCode.INVALID_PRODUCER_EPOCH: "leader_fences_older_epoch",
}

REQUESTS = {
    "producer_sends": 1,
    "producer_resends": 1,
    "network_repeats_request": 1,
    "network_loses_request": -1,
    "leader_appends": -1,
    "leader_recognises_duplicate": -1,
    "former_leader_appends": -1,
    "leader_refuses_sequence": -1,
    "leader_fences_older_epoch": -1,
}
"""By how many each step changes the requests that are on their way, and the answers."""
ANSWERS = {
    "leader_answers": 1,
    "former_leader_answers": 1,
    "leader_refuses_sequence": 1,
    "leader_fences_older_epoch": 1,
    "producer_is_answered": -1,
    "network_loses_answer": -1,
}

Reign: TypeAlias = tuple[int, Partition]
"""A leader epoch, and the replica that leads in it in one of its lives."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action of the machine, and the very messages that it sends, takes or gives."""

    action: str
    arguments: Mapping[str, object]
    after: Mapping[str, object] = field(default_factory=dict)
    request: Produce | None = None
    answer: Produced | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a leader deals with."""

    request: Produce
    record: int
    reign: Reign


@dataclass(slots=True)
class Production:
    """What was seen of the producer and the leaders, in the order in which it happened."""

    steps: list[Step] = field(default_factory=list)
    records: dict[int, int] = field(default_factory=dict)
    """Of each request and each answer its record, by the identity of the message."""
    by_stamp: dict[Stamp, int] = field(default_factory=dict)
    reign: Reign | None = None
    """The latest leader."""
    log: list[int] = field(default_factory=list)
    high_watermark: int = 0
    longest_log: int = 1
    asked: dict[tuple[int, Call], Asked] = field(default_factory=dict)
    handled: tuple[Producing, Call, Produce] | None = None
    """What is dealt with at this moment."""
    kept: list[object] = field(default_factory=list)
    """Whatever is known by its identity."""

    def note(self, action: str, /, **arguments: object) -> None:
        self.steps.append(Step(action, arguments))

    # The producer

    def sends(self, producer: PipelinedProducer, record: int, request: Produce) -> None:
        is_first = record not in self.by_stamp.values()
        self.kept.append(request)
        self.records[id(request)] = record
        self.by_stamp[producer.stamps[record]] = record
        arguments = {} if is_first else {"record": record}
        action = "producer_sends" if is_first else "producer_resends"
        self.steps.append(Step(action, arguments, request=request))

    def hears(self, record: int, answer: Produced | None) -> None:
        if answer is not None:
            told = {"answer": _answer(record, answer.partitions[0])}
            self.steps.append(Step("producer_is_answered", told, answer=answer))

    # The leaders

    def appends(self, partition: Partition, appended: Appended, *, is_new: bool) -> None:
        """One of them takes a request, or finds that it has the record."""
        asked = self._take(partition)
        told: dict[str, object] = {"request": {"record_id": asked.record}}
        action = "leader_appends" if is_new else "leader_recognises_duplicate"
        if asked.reign == self.reign:
            self.log += [asked.record] if is_new else []
            after = self._kept(partition)
            self.steps.append(Step(action, told, after, request=asked.request))
        elif is_new:
            self.longest_log = max(self.longest_log, appended.base_offset + 1)
            told["offset"] = appended.base_offset
            self.steps.append(Step("former_leader_appends", told, request=asked.request))

    def refuses(self, partition: Partition) -> None:
        if partition.is_leader:
            self._take(partition)

    def _take(self, partition: Partition) -> Asked:
        assert self.handled is not None
        producing, call, request = self.handled
        asked = Asked(request, self.records[id(request)], _reign(partition))
        self.asked[id(producing), call] = asked
        return asked

    def answers(self, producing: Producing, reply: Reply) -> None:
        asked = self.asked.pop((id(producing), reply.call), None)
        if asked is None:
            return
        outcome, is_latest = reply.result.partitions[0], asked.reign == self.reign
        self.kept.append(reply.result)
        self.records[id(reply.result)] = asked.record
        if outcome.error in REFUSALS and is_latest:
            told: dict[str, object] = {"request": {"record_id": asked.record}}
            action, request = REFUSALS[outcome.error], asked.request
            self.steps.append(Step(action, told, request=request, answer=reply.result))
        elif outcome.error is ErrorCode.NONE:
            told = {"offset": outcome.base_offset}
            told |= {} if is_latest else {"record": asked.record}
            action = "leader_answers" if is_latest else "former_leader_answers"
            self.steps.append(Step(action, told, answer=reply.result))

    def look(self, partition: Partition) -> None:
        """A replica after one of its calls: it may lead now, and know more to be committed."""
        if not partition.is_leader:
            return
        reign = _reign(partition)
        if self.reign is None or (reign != self.reign and reign[0] >= self.reign[0]):
            self._takes_over(partition)
            self.reign = reign
        log = self._log(partition)
        for offset in range(self.high_watermark, partition.high_watermark):
            after = {
                "leader.high_watermark": offset + 1,
                f"leader.log[{offset}]": log[offset],
            }
            self.steps.append(Step("leader_advances_high_watermark", {}, after))
        self.high_watermark = max(self.high_watermark, partition.high_watermark)

    def _takes_over(self, partition: Partition) -> None:
        before, self.log = self.log, self._log(partition)
        pairs = zip(before, self.log, strict=False)
        common = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        *steps, last = (
            Step("leader_fails", {"log_end_offset": common}),
            *(Step("new_leader_brings_record", {"record": each}) for each in self.log[common:]),
        )
        self.steps += [*steps, Step(last.action, last.arguments, self._kept(partition))]

    def _log(self, partition: Partition) -> list[int]:
        log = [
            self.by_stamp[Stamp(header.producer_epoch, header.base_sequence)]
            for header, _ in partition.log.batches()
        ]
        self.longest_log = max(self.longest_log, len(log))
        return log

    def _kept(self, partition: Partition) -> dict[str, object]:
        """What the leader has, and what it remembers."""
        log = self._log(partition)
        after: dict[str, object] = {"leader.log": log}
        known = [producer for _, producer in partition.producers()]
        if known:
            after["leader.memory.epoch"] = known[0].epoch
            after["leader.memory.last_sequence"] = max(known[0].last_sequence, 0)
        else:
            after["leader.memory.epoch"] = None
        offsets = {b.first_sequence: b.base_offset for each in known for b in each.batches}
        for stamp in self.by_stamp:
            after[f"leader.memory.offset[{stamp.sequence}]"] = offsets.get(stamp.sequence)
        return after

    def judge(self, budget: int = 200_000) -> Admission:
        return _Retelling(self).judge(budget)


def _reign(partition: Partition) -> Reign:
    return partition.leader_epoch, partition


def _answer(record: int, outcome: ProducedPartition) -> dict[str, object]:
    if outcome.error is ErrorCode.NONE:
        return {"record_id": record, "error": "NONE", "offset": outcome.base_offset}
    return {"record_id": record, "error": outcome.error.name, "offset": 0}


class _Retelling:
    """A run in the words of the machine."""

    def __init__(self, run: Production) -> None:
        self._run = run
        self._history = [Event("producer_is_set_up", {"acks": "ALL", "idempotent": True})]
        takes = [s for s in run.steps if not s.action.startswith("producer_")]
        self._arrivals = Counter(id(s.request) for s in takes if s.request is not None)
        self._given = {id(s.answer) for s in takes if s.answer is not None}
        self._heard = {id(s.answer) for s in run.steps if s.action == "producer_is_answered"}

    def judge(self, budget: int) -> Admission:
        for step in self._run.steps:
            self._retell(step)
        return admit(machine, self._scope(), self._history, budget=budget)

    def _retell(self, step: Step) -> None:
        if step.action in ("producer_sends", "producer_resends"):
            self._send(step)
        elif step.action != "producer_is_answered":
            self._tell(step)
            if step.answer is not None and id(step.answer) not in self._heard:
                record = self._run.records[id(step.answer)]
                lost = {"answer": _answer(record, step.answer.partitions[0])}
                self._history.append(Event("network_loses_answer", lost))
        elif id(step.answer) in self._given:
            self._tell(step)

    def _send(self, step: Step) -> None:
        """What reaches nobody need not be sent again."""
        arrivals, record = self._arrivals[id(step.request)], self._run.records[id(step.request)]
        request = {"request": {"record_id": record}}
        if step.action == "producer_sends" or arrivals:
            self._tell(step)
            for _ in range(arrivals - 1):
                self._history.append(Event("network_repeats_request", request))
            if not arrivals:
                self._history.append(Event("network_loses_request", request))

    def _tell(self, step: Step) -> None:
        self._history.append(Event(step.action, step.arguments, after=step.after))

    def _scope(self) -> Scope:
        told = Counter(event.action for event in self._history)
        bounds = {
            "records": max(1, len(self._run.by_stamp)),
            "log_size": self._run.longest_log,
            "in_flight": IN_FLIGHT,
            "remembered": REMEMBERED,
            "requests": self._most(REQUESTS),
            "answers": self._most(ANSWERS),
            "max_producer_epoch": max(1, told["producer_takes_next_epoch"]),
            "failovers": max(1, told["leader_fails"]),
        }
        return Scope("run", bounds, "one run")

    def _most(self, changes: Mapping[str, int]) -> int:
        """How many messages were on their way at one time."""
        counts = accumulate(changes.get(event.action, 0) for event in self._history)
        return max(1, *counts)


# Watching


@contextmanager
def watched(topic: str) -> Iterator[Production]:
    """What happens to the topic's only partition in the simulation inside."""
    run = Production()
    with pytest.MonkeyPatch.context() as patch:
        _watch_producer(patch, run)
        _watch_answers(patch, run)
        _watch_appends(patch, run, topic)
        for name in ("assume", "shrink_isr", "settle_proposal", "follower_fetched"):
            _look_after(patch, run, name, topic)
        yield run


def _watch_producer(patch: pytest.MonkeyPatch, run: Production) -> None:
    send, answered = PipelinedProducer.send, PipelinedProducer.answered
    give_up, take_next_epoch = PipelinedProducer.give_up, PipelinedProducer.take_next_epoch

    def sends(producer: PipelinedProducer, record: int, request: Produce) -> None:
        run.sends(producer, record, request)
        send(producer, record, request)

    def is_answered(producer: PipelinedProducer, record: int, answer: Produced | None) -> None:
        run.hears(record, answer)
        answered(producer, record, answer)

    def gives_up(producer: PipelinedProducer, record: int) -> None:
        run.note("producer_gives_up", record=record)
        give_up(producer, record)

    def takes_next_epoch(producer: PipelinedProducer) -> None:
        run.note("producer_takes_next_epoch")
        take_next_epoch(producer)

    patch.setattr(PipelinedProducer, "send", sends)
    patch.setattr(PipelinedProducer, "answered", is_answered)
    patch.setattr(PipelinedProducer, "give_up", gives_up)
    patch.setattr(PipelinedProducer, "take_next_epoch", takes_next_epoch)


def _watch_answers(patch: pytest.MonkeyPatch, run: Production) -> None:
    handle, release = Producing.handle, Producing.release

    def handles(
        producing: Producing, call: Call, request: Produce, *given: Any, **named: Any
    ) -> list[Output]:
        run.kept.append(producing)
        run.handled = producing, call, request
        return handle(producing, call, request, *given, **named)

    def releases(producing: Producing, now_ms: int) -> list[Output]:
        outputs = release(producing, now_ms)
        for output in outputs:
            if isinstance(output, Reply):
                run.answers(producing, output)
        return outputs

    patch.setattr(Producing, "handle", handles)
    patch.setattr(Producing, "release", releases)


def _watch_appends(patch: pytest.MonkeyPatch, run: Production, topic: str) -> None:
    append = Partition.append

    def appends(partition: Partition, *given: Any, **named: Any) -> Appended:
        if partition.at.topic != topic:
            return append(partition, *given, **named)
        end = partition.log.log_end_offset
        try:
            appended = append(partition, *given, **named)
        except KafkaError:
            run.refuses(partition)
            raise
        run.appends(partition, appended, is_new=partition.log.log_end_offset > end)
        run.look(partition)
        return appended

    patch.setattr(Partition, "append", appends)


def _look_after(patch: pytest.MonkeyPatch, run: Production, name: str, topic: str) -> None:
    work = getattr(Partition, name)

    def works(partition: Partition, *given: Any, **named: Any) -> Any:
        try:
            return work(partition, *given, **named)
        finally:
            if partition.at.topic == topic:
                run.look(partition)

    patch.setattr(Partition, name, works)
