"""How one partition changes: who is in sync, who is eligible, who leads.

Every change of a partition goes through `plan_change`: it finishes a reassignment that can be
finished, remembers who may lead besides the in-sync replicas (KIP-966), and elects where it must.
Pure: it knows one partition and who may lead now, and no reason for the change.

ELEC-01, ELEC-02, ELEC-05, ELEC-06, REPL-15.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from impl.core.cluster.catalogue import Assignment
from impl.core.cluster.metadata_records import PartitionChangeRecord

NO_LEADER = -1
RECOVERED, RECOVERING = 0, 1


class Election(Enum):
    ONLINE = "the leader stays if it can"
    PREFERRED = "the preferred replica comes before the leader"
    UNCLEAN = "the leader stays if it can, and any replica is better than none"


@dataclass(frozen=True, slots=True)
class Rules:
    """`min_insync` is the setting; without `has_eligible` the in-sync replicas never get empty."""

    may_lead: Callable[[int], bool]
    min_insync: int
    has_eligible: bool = True
    election: Election = Election.ONLINE


def plan_change(
    old: Assignment, wanted: Assignment, rules: Rules, struck: Collection[int] = ()
) -> Assignment:
    """What becomes of a partition that is to be as `wanted`; the epochs are left as they were.

    `struck`: replicas that may have lost what they had, and are not eligible any more (ELEC-15).
    """
    new = _complete_reassignment(wanted)
    candidates = {*old.isr, *old.eligible_leader_replicas} - {*struck}
    new = replace(new, eligible_leader_replicas=_eligible(new, candidates, rules))
    new = _complete_reassignment(_elected(old, new, rules))
    candidates = set(new.eligible_leader_replicas)
    new = replace(new, eligible_leader_replicas=_eligible(new, candidates, rules))
    return _remember_last_leader(old, new, rules)


def change_record(
    topic_id: UUID, partition: int, old: Assignment, new: Assignment
) -> PartitionChangeRecord | None:
    """The record that turns the one into the other; None if there is nothing to turn."""
    different = {
        name: getattr(new, name) for name in _RECORDED if getattr(old, name) != getattr(new, name)
    }
    # A replica that goes has to notice that it was fenced off (ELEC-03).
    if new.leader != old.leader or not set(old.replicas) <= set(new.replicas):
        different["leader"] = new.leader
    return PartitionChangeRecord(topic_id, partition, **different) if different else None


_RECORDED = (
    "isr",
    "replicas",
    "adding_replicas",
    "removing_replicas",
    "leader_recovery_state",
    "eligible_leader_replicas",
    "last_known_elr",
)


def _complete_reassignment(wanted: Assignment) -> Assignment:
    """REPL-15: a replica goes when all that are to stay are in sync."""
    if not wanted.adding_replicas and not wanted.removing_replicas:
        return wanted
    replicas = tuple(r for r in wanted.replicas if r not in wanted.removing_replicas)
    isr = tuple(r for r in wanted.isr if r not in wanted.removing_replicas)
    if not replicas or not set(replicas) <= set(isr):
        return wanted
    return replace(wanted, replicas=replicas, isr=isr, adding_replicas=(), removing_replicas=())


def _eligible(new: Assignment, candidates: Collection[int], rules: Rules) -> tuple[int, ...]:
    """Below the minimum nothing is committed (REPL-02), so whoever leaves then misses nothing."""
    if not rules.has_eligible or len(new.isr) >= min(rules.min_insync, len(new.replicas)):
        return ()
    return tuple(sorted((set(candidates) - set(new.isr)) & set(new.replicas)))


def _elected(old: Assignment, new: Assignment, rules: Rules) -> Assignment:
    leader, is_unclean = _elect(old, new, rules)
    new = replace(new, leader=leader)
    if is_unclean:  # ELEC-06
        return replace(
            new,
            isr=(leader,),
            eligible_leader_replicas=(),
            leader_recovery_state=RECOVERING,
        )
    if leader in new.eligible_leader_replicas:
        return replace(new, isr=(leader,))
    if not new.isr and not rules.has_eligible:
        return replace(new, isr=old.isr)  # the last one stays, dead or alive
    return new


def _elect(old: Assignment, new: Assignment, rules: Rules) -> tuple[int, bool]:
    """ELEC-01, ELEC-02: the leader, or -1, and whether the election was unclean."""
    candidates = new.isr or new.eligible_leader_replicas
    preferred, *others = new.replicas
    if rules.election is Election.PREFERRED:
        order = (preferred, old.leader, *others)
    else:
        order = (old.leader, preferred, *others)
    for replica in order:
        if replica in candidates and rules.may_lead(replica):
            return replica, False
    if not candidates and rules.has_eligible:
        last = old.last_known_elr
        if len(last) == 1 and last[0] in new.replicas and rules.may_lead(last[0]):
            return last[0], True
    if rules.election is Election.UNCLEAN:  # ELEC-05
        for replica in new.replicas:
            if rules.may_lead(replica):
                return replica, True
    return NO_LEADER, False


def _remember_last_leader(old: Assignment, new: Assignment, rules: Rules) -> Assignment:
    if not rules.has_eligible:
        return new
    if new.leader != NO_LEADER:
        return replace(new, last_known_elr=())
    if not new.isr and old.leader != NO_LEADER:
        return replace(new, last_known_elr=(old.leader,))
    return new
