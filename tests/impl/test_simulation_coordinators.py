"""What the coordinators of a simulated classic group do is admitted by the machine of the group,
and what they do that breaks a rule is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from impl.core.groups import membership, offsets_requests
from impl.core.groups.coordinator_log import CoordinatorLog
from impl.core.groups.deadlines import JoinDeadline
from impl.core.groups.group import (
    COMPLETING_REBALANCE,
    REFUSALS,
    Group,
    Operation,
    refusal,
)
from impl.core.groups.messages import SyncGroup
from impl.core.groups.rebalance import Rebalances
from impl.simulation.faults import ISOLATION
from model.engines.admit import ADMITTED, REFUSED, Admission
from spec.wire.errors import ErrorCode
from tests.impl.admission_of_groups import judge
from tests.impl.cluster_storm import TOPIC
from tests.impl.group_steps import watched
from tests.impl.group_world import (
    GROUP,
    RANGE,
    SESSION_MS,
    World,
)
from tests.impl.groups_in_storms import WITHOUT_NOISE, group_storm

CLASSIC = "classic"


def judged(seed: int, kinds: Sequence[str] = WITHOUT_NOISE) -> Admission:
    with watched(CLASSIC, TOPIC) as run:
        group_storm(seed, kinds=kinds)
    return judge(run.notes)


def test_what_coordinators_do_is_admitted() -> None:
    admission = judged(10)
    assert admission.outcome == ADMITTED, str(admission)
    assert admission.events > 1_000
    steps = [step.partition("(")[0] for step in admission.run.actions]
    assert {"coordinator_removes_silent_member", "coordinator_accepts_commit"} <= {*steps}
    assert steps.count("another_coordinator_takes_over") > 1


@pytest.mark.deep
@pytest.mark.parametrize("first", range(0, 1_000, 50))
def test_what_coordinators_do_is_admitted_in_many_storms(first: int) -> None:
    for seed in range(first, first + 50):
        admission = judged(seed)
        assert admission.outcome == ADMITTED, f"seed {seed}: {admission}"


# A coordinator by itself comes to where a rule matters in a few steps.

SHARE = bytes((0,))
"""The partition that the machine looks at."""
SOON = {"rebalance_timeout_ms": SESSION_MS // 2}
"""Who does not join again is missed before it is missed as silent."""


def a_group_lives() -> None:
    """Two members find each other and rebalance; one comes late with what it knows of the
    generation before. Another coordinator loads the log, and only one member joins again.
    """
    world = World()
    (first, joined), (second, waiting) = (world.first_join(**SOON) for _ in range(2))
    world.pass_time(2 * world.config.group_initial_rebalance_delay_ms)
    world.sync(waiting)
    world.sync(joined, {first: SHARE})
    world.commit(1, member_id=first, generation_id=1)
    again = world.join(first, protocols=(RANGE,), **SOON)
    world.commit(2, member_id=first, generation_id=1)
    world.join(second, **SOON)
    world.commit(3, member_id=first, generation_id=1)
    world.commit(4, member_id=first, generation_id=2)
    world.heartbeat(second, 1)
    world.sync(joined, {first: SHARE})
    world.sync(again, {second: SHARE})
    world.sync(joined)
    world.commit(5, member_id=first, generation_id=1)
    world.restart()
    world.join(first, **SOON)
    world.pass_time(2 * SESSION_MS)


def judged_alone() -> Admission:
    with watched(GROUP, "orders") as run, suppress(AssertionError):
        a_group_lives()
    return judge(run.notes)


def test_a_coordinator_by_itself_is_admitted() -> None:
    admission = judged_alone()
    assert admission.outcome == ADMITTED, str(admission)
    assert any("coordinator_finds_nobody_joined" in step for step in admission.run.actions)


# Mutants: a rule is left out, and what the coordinator does then must be refused


def _the_generation_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-05."""
    start = Rebalances._start_generation

    def starts(self: Rebalances, group: Group) -> None:
        group.generation_id -= group.generation_id > 0
        start(self, group)

    monkeypatch.setattr(Rebalances, "_start_generation", starts)


def _anybody_assigns(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-06."""
    monkeypatch.setattr(Group, "is_leader", lambda *_: True)


def _generations_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-07."""
    monkeypatch.setattr(
        Group,
        "fence",
        lambda group, who, instance, _generation: group.membership_error(who, instance),
    )


def _a_sync_of_another_generation_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-06."""

    def refuse(group: Group | None, request: SyncGroup) -> ErrorCode:
        known = group is not None and request.member_id in group.members
        return refusal(Operation.SYNC, group) if known else ErrorCode.UNKNOWN_MEMBER_ID

    monkeypatch.setattr(membership, "_refuse_sync", refuse)


def _a_commit_of_another_generation_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-10."""
    monkeypatch.setattr(
        offsets_requests, "refuse_commit", lambda group, _: refusal(Operation.COMMIT, group)
    )


def _a_commit_is_accepted_while_the_assignment_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-11."""
    monkeypatch.setitem(REFUSALS[Operation.COMMIT], COMPLETING_REBALANCE, ErrorCode.NONE)


def _who_did_not_join_again_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """GRPS-09."""
    complete = Rebalances.complete

    def completes(self: Rebalances, group: Group) -> None:
        if group.awaiting_join:
            self._deadlines.cancel(JoinDeadline(group.group_id))
            self._start_generation(group)
        else:
            complete(self, group)

    monkeypatch.setattr(Rebalances, "complete", completes)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    _the_generation_does_not_grow,
    _anybody_assigns,
    _generations_are_not_compared,
    _a_sync_of_another_generation_is_answered,
    _a_commit_of_another_generation_is_accepted,
    _a_commit_is_accepted_while_the_assignment_is_awaited,
    _who_did_not_join_again_stays,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__.strip("_"))
def test_a_rule_that_is_left_out_is_refused(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    assert judged_alone().outcome == REFUSED


def test_what_is_given_out_before_it_is_stored_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GRPS-14: the next coordinator does not know of it."""
    monkeypatch.setattr(CoordinatorLog, "_is_over", lambda *_: True)
    assert judged(9, (ISOLATION,)).outcome == REFUSED
