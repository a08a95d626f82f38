"""What the coordinators of one simulated classic group do, noted while the simulation runs.

A step is noted by the method of the coordinator that does it, with the name that it has in the
machine (`tests.impl.group_as_run`); after each call that did something, what is known of the
group. Only the coordinator that loaded the log last is watched, until it unloads the group. What
follows from the notes is decided by `tests.impl.admission_of_groups`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from impl.core.cluster.topics import TopicPartition
from impl.core.groups.coordinator import Coordinator
from impl.core.groups.coordinator_log import CoordinatorLog
from impl.core.groups.group import COMPLETING_REBALANCE, STABLE, Group, Member, state_of
from impl.core.groups.membership import Memberships
from impl.core.groups.messages import CommitOffsets, CommitReply
from impl.core.groups.offsets_requests import OffsetRequests
from impl.core.groups.rebalance import Rebalances
from impl.core.groups.records import GroupRecord, OffsetRecord
from spec.wire.errors import ErrorCode

PARTITION = 0
"""It stands for all."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the coordinator knows of the group, as the machine says it."""

    phase: str
    generation: int
    standing: Mapping[str, str]
    leader: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Note:
    """A step with its arguments, among them members by their ids; or what is known then (`known`)
    and, where a log was loaded, whose commit counts (`committed_by`); or that a
    commit (`number` so many) survives.
    """

    action: str = ""
    members: Mapping[str, str] = field(default_factory=dict)
    generation: int | None = None
    known: Known | None = None
    committed_by: str | None = None
    number: int | None = None

    def ids(self) -> set[str]:
        found = {*self.members.values()}
        if self.committed_by is not None:
            found.add(self.committed_by)
        if self.known is not None:
            found.update(self.known.standing)
        return found


@dataclass(slots=True)
class Coordination:
    """What the coordinators of one group did, in the order in which it happened."""

    group_id: str
    topic: str
    notes: list[Note] = field(default_factory=list)
    coordinator: Coordinator | None = None
    """Who loaded the log last."""
    is_starting: bool = False
    commit: tuple[Any, CommitOffsets] | None = None
    """The request that is looked at."""
    syncing: str = ""
    """Whose SyncGroup is looked at."""
    accepted: list[tuple[Any, int, str]] = field(default_factory=list)
    """Commits that may be acknowledged: their tokens, their numbers, and whose they are."""
    commits: int = 0
    committers: dict[int, str] = field(default_factory=dict)
    """Who committed an offset."""

    def step(self, action: str, generation: int | None = None, **members: str) -> None:
        self.notes.append(Note(action, members, generation))

    def concerns(self, part: Any) -> bool:
        """A part of the coordinator that counts."""
        coordinator = self.coordinator
        return coordinator is not None and any(
            part is each
            for each in (
                coordinator,
                coordinator._rebalances,
                coordinator._memberships,
                coordinator._offsets,
                coordinator._log,
            )
        )

    def look(self) -> None:
        """Note what the coordinator knows, if anything happened since."""
        if self.coordinator is None or not self.notes or self.notes[-1].known is not None:
            return
        group = self.coordinator._shards.group(self.group_id)
        self.notes.append(Note(known=_known(group)))

    def loaded(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.accepted.clear()
        shard, _ = coordinator._shards.find(self.group_id)
        assert shard is not None
        stored = shard.offsets.get(self.group_id, TopicPartition(self.topic, PARTITION))
        committer = None if stored is None else self.committers[stored.offset]
        self.step("another_coordinator_takes_over")
        group = shard.groups.get(self.group_id)
        self.notes.append(Note(known=_known(group), committed_by=committer))


def _known(group: Group | None) -> Known:
    if group is None:
        return Known(state_of(group).name, 0, {}, None, None)
    standing = dict.fromkeys(group.pending_joins, "HAS_ID")
    for member in group.members.values():
        standing[member.member_id] = "WAITS" if member.parked_join is not None else "JOINED"
    assignments = {each.member_id: each.assignment for each in group.members.values()}
    owner = _owner(assignments) if group.state is STABLE else None
    leads = group.state in (STABLE, COMPLETING_REBALANCE)
    leader = group.leader if leads else None
    return Known(group.state.name, group.generation_id, standing, leader, owner)


def _owner(assignments: Mapping[str, bytes]) -> str | None:
    return next((who for who, given in assignments.items() if PARTITION in given), None)


# Watching


@contextmanager
def watched(group_id: str, topic: str) -> Iterator[Coordination]:
    """Everything that the coordinators of a group do in the simulation inside."""
    run = Coordination(group_id, topic)
    with pytest.MonkeyPatch.context() as patch:
        for watch in (_watch_calls, _watch_loads, _watch_answers, _watch_log, _watch_commits):
            watch(patch, run)
        for owner, name, note in NOTES:
            _watch(patch, run, owner, name, note)
        yield run


def _watch_calls(patch: pytest.MonkeyPatch, run: Coordination) -> None:
    for name in ("handle", "tick", "committed"):
        _look_after(patch, run, name)


def _look_after(patch: pytest.MonkeyPatch, run: Coordination, name: str) -> None:
    work = getattr(Coordinator, name)

    def works(coordinator: Coordinator, *given: Any) -> Any:
        replies = work(coordinator, *given)
        if run.coordinator is coordinator:
            run.look()
        return replies

    patch.setattr(Coordinator, name, works)


def _watch_loads(patch: pytest.MonkeyPatch, run: Coordination) -> None:
    load = Coordinator.finish_loading

    def loads(coordinator: Coordinator, partition: int, *given: Any) -> Any:
        replies = load(coordinator, partition, *given)
        if coordinator.partition_of(run.group_id) == partition:
            run.loaded(coordinator)
        return replies

    unload = Coordinator.unload

    def unloads(coordinator: Coordinator, partition: int) -> Any:
        if run.coordinator is coordinator and coordinator.partition_of(run.group_id) == partition:
            run.coordinator = None
        return unload(coordinator, partition)

    patch.setattr(Coordinator, "finish_loading", loads)
    patch.setattr(Coordinator, "unload", unloads)


def _watch_log(patch: pytest.MonkeyPatch, run: Coordination) -> None:
    write = CoordinatorLog.write

    def writes(log: CoordinatorLog, group_id: str, records: Any, *given: Any) -> int:
        offset = write(log, group_id, records, *given)
        for record in records if group_id == run.group_id and run.concerns(log) else ():
            if isinstance(record, GroupRecord):
                _note_group_written(run, record)
            elif isinstance(record, OffsetRecord) and record.at.partition == PARTITION:
                _note_commit_written(run, record)
        return offset

    patch.setattr(CoordinatorLog, "write", writes)


def _note_group_written(run: Coordination, record: GroupRecord) -> None:
    assert record.value is not None, "nothing is forgotten so soon"
    if not record.value.members:
        run.step("coordinator_writes_empty_group")
        return
    owner = _owner({each.member_id: each.assignment for each in record.value.members})
    named = {} if owner is None else {"owner": owner}
    run.notes.append(Note("leader_proposes", {"leader": run.syncing, **named}))


def _note_commit_written(run: Coordination, record: OffsetRecord) -> None:
    assert run.commit is not None
    assert record.value is not None
    token, request = run.commit
    run.step("coordinator_accepts_commit", request.generation_id, member=request.member_id)
    run.accepted.append((token, run.commits, request.member_id))
    run.commits += 1
    run.committers[record.value.offset] = request.member_id


def _watch_commits(patch: pytest.MonkeyPatch, run: Coordination) -> None:
    commit = OffsetRequests.commit

    def commits(offsets: OffsetRequests, token: Any, request: CommitOffsets) -> None:
        run.commit = token, request
        commit(offsets, token, request)

    patch.setattr(OffsetRequests, "commit", commits)


def _watch_answers(patch: pytest.MonkeyPatch, run: Coordination) -> None:
    answer = Coordinator._answer

    def answers(coordinator: Coordinator, token: Any, reply: Any) -> None:
        answer(coordinator, token, reply)
        if not isinstance(reply, CommitReply) or not run.concerns(coordinator):
            return
        for accepted in [each for each in run.accepted if each[0] is token]:
            run.accepted.remove(accepted)
            _, number, member_id = accepted
            if ErrorCode.NONE in reply.errors.values():
                run.notes.append(Note(committed_by=member_id, number=number))

    patch.setattr(Coordinator, "_answer", answers)


# The steps, by the methods of the coordinator. Each is called around the work: what it notes first
# comes before what the work leads to.

Work: TypeAlias = Callable[[], Any]


def _watch(
    patch: pytest.MonkeyPatch,
    run: Coordination,
    owner: type,
    name: str,
    note: Callable[..., Any],
) -> None:
    work = getattr(owner, name)

    def works(part: Any, *given: Any, **named: Any) -> Any:
        def go_on() -> Any:
            return work(part, *given, **named)

        group = next((each for each in given if isinstance(each, Group)), None)
        if not run.concerns(part) or (group is not None and group.group_id != run.group_id):
            return go_on()
        return note(run, go_on, *given)

    patch.setattr(owner, name, works)


def _gives_id(run: Coordination, work: Work, *given: Any) -> None:
    run.step("coordinator_gives_member_id", member=given[3])
    work()


def _joins(run: Coordination, work: Work, *given: Any) -> None:
    run.step("consumer_joins", member=given[3])
    work()


def _parks_join(run: Coordination, work: Work, member: Member, _token: Any) -> None:
    """Who waits already waits on."""
    if member.parked_join is None:
        run.step("member_rejoins", member=member.member_id)
    work()


def _starts_generation(run: Coordination, work: Work, group: Group) -> None:
    place = len(run.notes)
    run.is_starting = True
    work()
    run.is_starting = False
    assert group.leader is not None
    run.notes.insert(place, Note("coordinator_completes_rebalance", {"leader": group.leader}))


def _tells_generation(run: Coordination, work: Work, _group: Group, member_id: str) -> Any:
    again = "member_is_told_its_generation_again"
    run.step("member_learns_generation" if run.is_starting else again, member=member_id)
    return work()


def _becomes_empty(run: Coordination, work: Work, _group: Group) -> None:
    run.step("coordinator_finds_nobody_joined")
    work()


def _session_expires(run: Coordination, work: Work, group: Group, member_id: str) -> None:
    member = group.members.get(member_id)
    if member_id in group.pending_joins or (
        member is not None and not member.is_excused_from_heartbeats
    ):
        run.step("coordinator_removes_silent_member", member=member_id)
    work()


def _sync_phase_is_over(run: Coordination, work: Work, group: Group) -> None:
    for member_id in sorted(group.pending_syncs):
        run.step("coordinator_removes_silent_member", member=member_id)
    work()


def _leaves(run: Coordination, work: Work, group: Group | None, who: Any) -> Any:
    if group is not None and who.member_id in group.members:
        run.step("member_leaves", member=who.member_id)
    return work()


def _syncs(run: Coordination, work: Work, *given: Any) -> None:
    run.syncing = given[2].member_id
    work()


def _hands_out(run: Coordination, work: Work, *_: Any) -> None:
    run.step("coordinator_gives_what_is_stored")
    work()


def _gives_assignment(run: Coordination, work: Work, group: Group, member: Member) -> Any:
    run.step("member_gets_assignment", group.generation_id, member=member.member_id)
    return work()


def _withdraws(run: Coordination, work: Work, _group: Group, error: ErrorCode) -> None:
    """Where a rebalance overtook the assignment, another step has told that."""
    if error is not ErrorCode.REBALANCE_IN_PROGRESS:
        run.step("coordinator_fails_to_store")
    work()


def _hears(run: Coordination, work: Work, _group: Group | None, request: Any) -> Any:
    error = work()
    if not error and request.group_id == run.group_id:
        run.step("coordinator_hears_member", request.generation_id, member=request.member_id)
    return error


NOTES: tuple[tuple[type, str, Callable[..., Any]], ...] = (
    (Memberships, "_ask_to_come_again", _gives_id),
    (Memberships, "_add", _joins),
    (Memberships, "_let_go", _leaves),
    (Memberships, "_hear", _hears),
    (Memberships, "sync", _syncs),
    (Rebalances, "park_join", _parks_join),
    (Rebalances, "_start_generation", _starts_generation),
    (Rebalances, "current_generation", _tells_generation),
    (Rebalances, "_become_empty", _becomes_empty),
    (Rebalances, "session_expired", _session_expires),
    (Rebalances, "sync_phase_is_over", _sync_phase_is_over),
    (Rebalances, "_hand_out", _hands_out),
    (Rebalances, "assignment_of", _gives_assignment),
    (Rebalances, "_withdraw_assignments", _withdraws),
)
