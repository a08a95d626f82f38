"""What clients saw of a simulated partition, as a history that the contract of a partition's log
is asked to admit (`model.contracts.partition_log`).

A write that was acknowledged takes effect at its offset between its request and its answer; one
whose fate nobody told the producer takes effect after its request, at the offset at which a reader
found it. What no reader ever found and nobody acknowledged is left out: readers have read on until
everything had settled, so it never took effect. A fetch is a look: at some moment between request
and answer just these records, of these leader epochs, were there to be read.

The contract knows few offsets, so it judges the log window by window, each sharing a record with
the next. A window of a history of the contract is one too: offsets count from its start, leader
epochs by rank, and a reader who is past it sees all of it. Not judged is in which order two
records of different windows were committed, where the one that both windows share leaves it open.
Clauses: ACKS-05, ACKS-10, REPL-01, REPL-04, REPL-13, PROD-02.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from impl.simulation.clients import Read, Written
from model.contracts.partition_log import HIDDEN, machine
from model.engines.admit import Admission, Event, Look, Operation, admit
from model.lang.parts import Scope
from spec.wire.errors import ErrorCode

WINDOW = 8


@dataclass(frozen=True, slots=True)
class Commit:
    """A value that took effect at an offset, or so somebody was told."""

    value: bytes
    offset: int
    called_ms: int
    returned_ms: int | None


def judge(
    written: Sequence[Written], read: Sequence[Read], *, may_repeat: bool
) -> Iterator[Admission]:
    """The contract's answer for each window of the log. A producer that is not idempotent may find
    that a request which the network repeated took effect twice: each copy is a record by itself.
    """
    commits = list(_commits(written, read, may_repeat=may_repeat))
    ends = [each.offset + 1 for each in commits] + [each.offset + 1 for each in read]
    end = max(ends, default=0)
    for first in range(0, end, WINDOW - 1):
        yield _judge_window(commits, read, first, may_repeat=may_repeat)


def _commits(
    written: Sequence[Written], read: Sequence[Read], *, may_repeat: bool
) -> Iterator[Commit]:
    found: dict[bytes, list[int]] = {}
    for record in read:
        found.setdefault(record.value, []).append(record.offset)
    for each in written:
        offsets = found.get(each.value, [])
        told = each.offset if each.error is ErrorCode.NONE else None
        if told is not None:
            yield Commit(each.value, told, each.sent_ms, each.answered_ms)
        others = [offset for offset in offsets if offset != told]
        for offset in others if may_repeat else others[: told is None]:
            yield Commit(each.value, offset, each.sent_ms, None)


def _judge_window(
    commits: Sequence[Commit], read: Sequence[Read], first: int, *, may_repeat: bool
) -> Admission:
    here = range(first, first + WINDOW)
    seen = [each for each in read if each.offset in here]
    names: dict[tuple[bytes, int], int] = {}

    def name(value: bytes, offset: int) -> int:
        return names.setdefault((value, offset if may_repeat else 0), len(names))

    epochs = sorted({each.leader_epoch for each in seen})
    epoch_of = {(each.value, each.offset): epochs.index(each.leader_epoch) for each in seen}
    history: list[Operation] = []
    for commit in commits:
        if commit.offset not in here:
            continue
        arguments = {"record_id": name(commit.value, commit.offset)}
        if (commit.value, commit.offset) in epoch_of:
            arguments["epoch"] = epoch_of[commit.value, commit.offset]
        event = Event(
            "record_is_committed", arguments, {"committed.length": commit.offset - first}
        )
        history.append(Operation(event, commit.called_ms, commit.returned_ms, "producer"))
    for (asked_ms, at_ms), given in groupby(seen, lambda each: (each.asked_ms, each.at_ms)):
        records = list(given)
        look: dict[str, object] = {
            f"committed[{record.offset - first}]": {
                "record_id": name(record.value, record.offset),
                "epoch": epochs.index(record.leader_epoch),
            }
            for record in records
        }
        look["readable"] = range(records[-1].offset + 1 - first, WINDOW + 1)
        history.append(Operation(Look(look), asked_ms, at_ms, "consumer"))
    return admit(machine, _scope(len(names), len(epochs)), history, HIDDEN)


def _scope(records: int, epochs: int) -> Scope:
    bounds = {
        "log_size": WINDOW,
        "max_records": max(records, 1),
        "max_leader_epoch": max(epochs - 1, 1),
    }
    return Scope("window", bounds, "what clients saw of a few offsets")
