"""The steps of a simulated metadata quorum, as a history that the machine of the quorum is asked
to admit (`model.areas.quorum`).

The steps of `impl.core.quorum.replica` have the names of the machine's actions, so what a voter
does is an event with its arguments, and with what the voter keeps afterwards: epoch, vote, leader,
log and high watermark. How the run is seen differs from the run in five ways:

- Of the records of an epoch only the first is looked at, with which its leader begins it. A
  high watermark counts those below it. So the order and the fate of whole epochs is judged, not
  that of each record.
- Messages are not recorded. Requests for votes, refusals, what is lost on the way, and that a
  leader learns how far a follower is, are the machine's to guess (`HIDDEN`); so is that a
  follower misses its leader, whose time the machine does not measure.
- Each voter's steps keep their order; those of two voters need only be in an order that the
  machine allows. A pre-vote, a fetch and the news of a leader take no time in the machine, and
  some in the run.
- A follower may know of less that is committed than it does in the machine, whose leader gives out
  a high watermark also before it has committed a record of its own epoch.
- A voter that asks for pre-votes is still seen in the role from which it asks. That pre-votes, and
  answers of all kinds, carry an epoch the machine leaves out: `as_run` has an action for it.

Clauses: CLUS-11 to CLUS-14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from impl.core.quorum.quorum import Quorum
from impl.core.quorum.replica import Replica
from impl.core.quorum.roles import Leader
from model.areas.quorum.claims import machine
from model.areas.quorum.state import Role, State, enter_epoch, take_role
from model.contracts.quorum import Epoch, Voter
from model.engines.admit import Admission, Event, Operation, admit
from model.lang import exists, if_else, needs, none, some
from model.lang.parts import Scope

HIDDEN = (
    "candidate_asks",
    "candidate_ignores_answer",
    "follower_misses_its_leader",
    "network_loses_answer",
    "network_loses_records",
    "network_loses_request",
    "voter_refuses",
)
IN_FLIGHT = 2

as_run = machine.variant(
    "as-run",
    "the controller quorum, with what a run has more",
    without=("leader_resigns", "voter_learns_of_leader"),
)


@as_run.action("CLUS-13")
def voter_hears_of_epoch(s: State, voter: Voter, epoch: Epoch) -> None:
    """A message of any kind comes from a later epoch, which somebody has begun."""
    needs(
        is_later=epoch > s.replica[voter].epoch,
        is_begun=exists(Voter, lambda other: s.replica[other].epoch >= epoch),
    )
    enter_epoch(s, voter, epoch)


@as_run.action("CLUS-11")
def voter_learns_of_leader(s: State, voter: Voter, leader: Voter, epoch: Epoch) -> None:
    """Who was elected in an epoch gets about, also when it leads no more."""
    me = s.replica[voter]
    needs(
        is_another=voter != leader,
        was_elected=s.elected[epoch] == some(leader),
        is_news=(me.epoch < epoch) | ((me.epoch == epoch) & me.leader.is_none),
    )
    me.voted_for = if_else(me.epoch < epoch, none(Voter), me.voted_for)
    me.epoch = epoch
    me.leader = some(leader)
    take_role(s, voter, Role.FOLLOWER)


@as_run.action("CLUS-14")
def leader_resigns(s: State, leader: Voter) -> None:
    """A leader gives up its office: it stops, or hears nothing of those who still follow it."""
    needs(leads=s.replica[leader].role == Role.LEADER)
    take_role(s, leader, Role.RESIGNED)


@dataclass(slots=True)
class Seen:
    """What a voter kept when it was last looked at, and its last event."""

    epochs: tuple[int, ...] = ()
    high_watermark: int = 0
    last_event: float = -1.0


@dataclass(frozen=True, slots=True)
class Step:
    """An action of the machine, what the voter keeps after it, and how much it knows at least to
    be committed.
    """

    action: str
    arguments: dict[str, object]
    voter: str
    kept: dict[str, object]
    high_watermark: int
    called: float
    returned: float

    def operation(self, longest_log: int) -> Operation:
        kept = {**self.kept, "high_watermark": range(self.high_watermark, longest_log + 1)}
        after = {f"{self.voter}.{name}": value for name, value in kept.items()}
        return Operation(
            Event(self.action, self.arguments, after=after), self.called, self.returned
        )


@dataclass(slots=True)
class Elections:
    """What the voters of one run did, in the order in which it happened."""

    steps: list[Step] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)
    highest_epoch: int = 1
    longest_log: int = 1
    is_moving_on: bool = False

    def add(
        self, replica: Replica, action: str, arguments: dict[str, object], **kept: object
    ) -> None:
        """Note a step of a voter, which comes after all others that it did."""
        seen, number = self.seen[replica.node_id], float(len(self.steps))
        voter = f"replica[voter{replica.node_id}]"
        step = Step(
            action, arguments, voter, kept, seen.high_watermark, seen.last_event + 0.5, number
        )
        self.steps.append(step)
        seen.last_event = number

    def kept(self, replica: Replica) -> dict[str, object]:
        """What the voter has on disk."""
        self.highest_epoch = max(self.highest_epoch, replica.epoch)
        return {
            "epoch": replica.epoch,
            "voted_for": _voter(replica.voted_for),
            "leader": _voter(replica._election.leader_id),
            "log": list(self.seen[replica.node_id].epochs),
        }

    def judge(self, budget: int = 200_000) -> Admission:
        bounds = {
            "voters": 3,
            "max_epoch": self.highest_epoch,
            "log_size": self.longest_log,
            "in_flight": IN_FLIGHT,
        }
        scope = Scope("run", bounds, "the epochs of one run")
        history = [step.operation(self.longest_log) for step in self.steps]
        return admit(as_run, scope, history, HIDDEN, budget)

    # What a voter has fetched, cut, or learnt to be committed

    def look(self, replica: Replica) -> None:
        seen = self.seen[replica.node_id]
        epochs = _epochs(replica)
        same = [one == other for one, other in zip(seen.epochs, epochs, strict=False)]
        if (kept := [*same, False].index(False)) < len(seen.epochs):
            seen.epochs = epochs[:kept]
            self._fetched(replica, "follower_truncates", log=list(seen.epochs))
        high_watermark = sum(
            start < replica.high_watermark
            for start in (entry.start_offset for entry in replica.log._log.epochs.entries)
        )
        for end in range(len(seen.epochs) + 1, len(epochs) + 1):
            seen.epochs = epochs[:end]
            if end == len(epochs):
                seen.high_watermark = high_watermark
            self._fetched(replica, "follower_fetches_record", log=list(seen.epochs))
        if high_watermark == seen.high_watermark:
            return
        seen.high_watermark = high_watermark
        if isinstance(replica.role, Leader):
            leads: dict[str, object] = {"leader": _voter(replica.node_id), "end": high_watermark}
            self.add(replica, "leader_advances_high_watermark", leads)
        else:
            self._fetched(replica, "follower_fetches_at_the_end")

    def _fetched(self, replica: Replica, action: str, **kept: object) -> None:
        arguments: dict[str, object] = {"follower": _voter(replica.node_id)}
        if (leader := _voter(replica._election.leader_id)) is not None:
            arguments["leader"] = leader
        self.longest_log = max(self.longest_log, len(self.seen[replica.node_id].epochs))
        self.add(replica, action, arguments, **kept)


def _voter(node_id: int | None) -> int | None:
    return None if node_id is None else node_id - 1


def _epochs(replica: Replica) -> tuple[int, ...]:
    return tuple(entry.epoch for entry in replica.log._log.epochs.entries)


@contextmanager
def watched() -> Iterator[Elections]:
    """Everything that the voters of the simulation inside do."""
    elections = Elections()
    with pytest.MonkeyPatch.context() as patch:
        _watch_lives(patch, elections)
        _watch_moving_on(patch, elections)
        for name, note in NOTES.items():
            _watch(patch, elections, name, note)
        for name in ("handle", "answered", "tick"):
            _look_after(patch, elections, name)
        yield elections


def _watch_lives(patch: pytest.MonkeyPatch, elections: Elections) -> None:
    begin = Replica.__init__

    def restarts(replica: Replica, *given: Any, **named: Any) -> None:
        begin(replica, *given, **named)
        if not replica.is_voter:
            return
        if replica.node_id not in elections.seen:
            elections.seen[replica.node_id] = Seen()
            return
        elections.seen[replica.node_id].high_watermark = 0
        arguments: dict[str, object] = {"voter": _voter(replica.node_id)}
        elections.add(replica, "voter_restarts", arguments, **elections.kept(replica))

    patch.setattr(Replica, "__init__", restarts)


def _watch_moving_on(patch: pytest.MonkeyPatch, elections: Elections) -> None:
    move_on = Replica.resigned_voter_moves_on

    def moves_on(replica: Replica, now_ms: int) -> None:
        elections.is_moving_on = True
        move_on(replica, now_ms)
        elections.is_moving_on = False

    patch.setattr(Replica, "resigned_voter_moves_on", moves_on)


def _look_after(patch: pytest.MonkeyPatch, elections: Elections, name: str) -> None:
    work = getattr(Quorum, name)

    def works(quorum: Quorum, *given: Any, **named: Any) -> Any:
        outputs = work(quorum, *given, **named)
        if quorum._replica.node_id in elections.seen:
            elections.look(quorum._replica)
        return outputs

    patch.setattr(Quorum, name, works)


Note = Callable[[Elections, Replica, tuple[Any, ...]], None]


def _watch(patch: pytest.MonkeyPatch, elections: Elections, name: str, note: Note) -> None:
    work = getattr(Replica, name)

    def works(replica: Replica, *given: Any) -> Any:
        if replica.node_id not in elections.seen:
            return work(replica, *given)
        elections.look(replica)
        result = work(replica, *given)
        note(elections, replica, given)
        return result

    patch.setattr(Replica, name, works)


# The steps, by the names that they have in the broker


def _named(action: str, parameter: str) -> Note:
    def note(elections: Elections, replica: Replica, _given: tuple[Any, ...]) -> None:
        arguments: dict[str, object] = {parameter: _voter(replica.node_id)}
        elections.add(replica, action, arguments, **elections.kept(replica))

    return note


def _enter_epoch(elections: Elections, replica: Replica, _given: tuple[Any, ...]) -> None:
    me, kept = _voter(replica.node_id), elections.kept(replica)
    if elections.is_moving_on:
        elections.add(replica, "resigned_voter_moves_on", {"voter": me}, **kept)
    else:
        news: dict[str, object] = {"voter": me, "epoch": replica.epoch}
        elections.add(replica, "voter_hears_of_epoch", news, **kept)


def _vote_for(elections: Elections, replica: Replica, given: tuple[Any, ...]) -> None:
    request = {
        "candidate": _voter(given[0]),
        "voter": _voter(replica.node_id),
        "epoch": replica.epoch,
    }
    kept = elections.kept(replica)
    elections.add(replica, "voter_grants_vote", {"request": request}, **kept)


def _candidate_becomes_leader(
    elections: Elections, replica: Replica, given: tuple[Any, ...]
) -> None:
    me = _voter(replica.node_id)
    for voter in sorted(given[0].granted - {replica.node_id}):
        answer = {"candidate": me, "voter": _voter(voter), "epoch": replica.epoch}
        elections.add(replica, "candidate_counts_vote", {"answer": {**answer, "is_granted": True}})
    epochs = elections.seen[replica.node_id].epochs = _epochs(replica)
    elections.longest_log = max(elections.longest_log, len(epochs))
    kept = elections.kept(replica)
    elections.add(replica, "candidate_becomes_leader", {"voter": me}, **kept)


def _voter_learns_of_leader(
    elections: Elections, replica: Replica, given: tuple[Any, ...]
) -> None:
    arguments: dict[str, object] = {
        "voter": _voter(replica.node_id),
        "leader": _voter(given[0]),
        "epoch": replica.epoch,
    }
    elections.add(replica, "voter_learns_of_leader", arguments, **elections.kept(replica))


NOTES: dict[str, Note] = {
    "enter_epoch": _enter_epoch,
    "vote_for": _vote_for,
    "voter_becomes_candidate": _named("voter_becomes_candidate", "voter"),
    "candidate_becomes_leader": _candidate_becomes_leader,
    "leader_resigns": _named("leader_resigns", "leader"),
    "voter_learns_of_leader": _voter_learns_of_leader,
}
