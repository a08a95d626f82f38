"""How a member gets from what it owns to its target: GRPS-21, GRPS-22.

Decides the next step of one member from its present state, its target, what it says it still owns,
and which partitions somebody else still holds. Knows nothing of groups, requests or time.

    state                  may go on when                          from epoch
    STABLE                 there is a target of another epoch      its own
    UNREVOKED_PARTITIONS   it confirmed that it gave them up       its own + 1
    UNRELEASED_PARTITIONS  always: somebody may have let go        its own

Whoever may go on is then, whatever its state was:

    UNREVOKED_PARTITIONS   in that epoch, if it has more than its target: with the rest of it
    UNRELEASED_PARTITIONS  in the target's, if others hold some of its target: with the rest of it
    STABLE                 in the target's otherwise: with all of its target
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from impl.core.groups.consumer.records import (
    NO_PARTITIONS,
    STABLE,
    UNRELEASED_PARTITIONS,
    UNREVOKED_PARTITIONS,
    CurrentAssignment,
    MemberState,
    Partitions,
)


class Target(NamedTuple):
    epoch: int
    partitions: Partitions


class Row(NamedTuple):
    may_go_on: Callable[[CurrentAssignment, Target, Partitions | None], bool]
    epochs_confirmed: int


def has_given_up(partitions: Partitions, owned: Partitions | None) -> bool:
    """A member that does not say what it owns has confirmed nothing."""
    return owned is not None and partitions.isdisjoint(owned)


TABLE: Mapping[MemberState, Row] = {
    STABLE: Row(lambda current, target, _: current.member_epoch != target.epoch, 0),
    UNREVOKED_PARTITIONS: Row(lambda current, _, owned: has_given_up(current.to_revoke, owned), 1),
    UNRELEASED_PARTITIONS: Row(lambda *_: True, 0),
}

# Of these partitions, which another member holds.
HeldByOthers: TypeAlias = Callable[[Partitions], Partitions]


def reconcile(
    current: CurrentAssignment,
    target: Target,
    owned: Partitions | None,
    held_by_others: HeldByOthers,
) -> CurrentAssignment:
    """The next step, or the present state where there is none."""
    row = TABLE[current.state]
    if not row.may_go_on(current, target, owned):
        return current
    kept = current.assigned & target.partitions
    lost = current.assigned - kept
    if lost and not has_given_up(lost, owned):  # GRPS-22
        epoch = current.member_epoch + row.epochs_confirmed
        return _step(current, epoch, UNREVOKED_PARTITIONS, kept, lost)
    unreleased = held_by_others(target.partitions - kept)  # GRPS-21
    state = UNRELEASED_PARTITIONS if unreleased else STABLE
    return _step(current, target.epoch, state, target.partitions - unreleased, NO_PARTITIONS)


def _step(
    current: CurrentAssignment,
    epoch: int,
    state: MemberState,
    assigned: Partitions,
    to_revoke: Partitions,
) -> CurrentAssignment:
    """The epoch before stays known until the next one: the answer may get lost (GRPS-20)."""
    moved = epoch != current.member_epoch
    previous = current.member_epoch if moved else current.previous_epoch
    return CurrentAssignment(epoch, previous, state, assigned, to_revoke)
