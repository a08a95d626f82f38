"""The lemmas of the proof that replication loses no committed record, beside those of
`replication`.

They come in three groups. Bookkeeping: what replicas, notices and the controller know of each
other. Fencing: an ISR of the past covers every later one, or one of its members has moved on.
Completeness: who must hold what was committed, and that nothing was committed in the gap between a
member's epoch and that of a notice it has not reached. Which lemma rests on which is not decided
here but in `replication_proof`.
"""

from model.areas.replication.ghost import (
    GhostState,
    every_commit,
    every_notice,
    every_presumed_leader,
    has_passed,
    has_reached,
    has_taken_office,
    holds,
    is_awaited,
    is_issued,
    is_last,
    machine,
)
from model.areas.replication.state import Broker, Epoch, Offset
from model.lang import Bool, every, exists, implies, some

__all__ = ["machine"]

# Bookkeeping: what replicas, notices and the controller know of each other.


@machine.lemma
def a_replica_finds_its_leader_in_its_isr(s: GhostState) -> Bool:
    """The leader that a replica knows is in the ISR that it knows."""
    return every(
        Broker,
        lambda b: every(
            Broker,
            lambda c: implies(s.replica[b].leader == some(c), s.replica[b].isr.has(c)),
        ),
    )


@machine.lemma
def the_leader_of_a_notice_is_in_its_isr(s: GhostState) -> Bool:
    """The controller appoints members of the ISR."""
    return every(
        Epoch,
        lambda e: every(
            Broker, lambda b: implies(s.notice[e].leader == some(b), s.notice[e].isr.has(b))
        ),
    )


@machine.lemma
def the_last_notice_says_who_leads(s: GhostState) -> Bool:
    """The controller's leader is that of its last notice; before the first there is none."""
    return implies(s.next_epoch == 0, s.controller.leader.is_none) & every(
        Epoch, lambda e: implies(is_last(s, e), s.controller.leader == s.notice[e].leader)
    )


@machine.lemma
def the_isr_of_the_last_notice_stays_until_its_leader_takes_office(s: GhostState) -> Bool:
    """Only a leader in office changes the ISR without a new epoch."""
    return every(
        Epoch,
        lambda e: implies(
            is_last(s, e) & ~has_taken_office(s, e), s.controller.isr == s.notice[e].isr
        ),
    )


# Fencing: an ISR of the past covers every later one, or one of its members has moved on.


@machine.lemma
def a_leaders_isr_covers_later_notices_or_a_member_moved_on(s: GhostState) -> Bool:
    """A later notice has nobody outside the ISR of a presumed leader, or a member of that ISR is
    in a later epoch.
    """
    return every_presumed_leader(
        s,
        lambda leader, epoch: every_notice(
            s,
            lambda later, notice: implies(
                epoch < later,
                (notice.isr <= s.replica[leader].isr)
                | exists(s.replica[leader].isr, lambda b: has_passed(s, b, epoch)),
            ),
        ),
    )


@machine.lemma
def an_awaited_notice_covers_later_ones_or_a_member_moved_on(s: GhostState) -> Bool:
    """A later notice has nobody outside the ISR of a notice that its leader has not seen, or a
    member of that ISR is in a later epoch.
    """
    return every_notice(
        s,
        lambda epoch, awaited: implies(
            is_awaited(s, epoch),
            every_notice(
                s,
                lambda later, notice: implies(
                    epoch < later,
                    (notice.isr <= awaited.isr)
                    | exists(awaited.isr, lambda b: has_passed(s, b, epoch)),
                ),
            ),
        ),
    )


# Completeness: who must hold what was committed, and that nothing was committed in the gap.


@machine.lemma
def what_was_committed_was_committed_in_an_epoch_that_began(s: GhostState) -> Bool:
    """The commit epoch was given out, its leader took office, and the record is not newer."""
    return every_commit(
        s,
        lambda o, epoch: (
            is_issued(s, epoch)
            & (s.committed[o].entry.epoch <= epoch)
            & has_taken_office(s, epoch)
        ),
    )


@machine.lemma
def all_below_a_high_watermark_was_committed_and_is_held(s: GhostState) -> Bool:
    """A replica holds what is below its high watermark, and it was committed in an epoch not
    above its own.
    """
    return every(
        Broker,
        lambda b: (
            (s.replica[b].high_watermark <= s.committed_end)
            & every(
                Offset,
                lambda o: implies(
                    o < s.replica[b].high_watermark,
                    holds(s, b, o) & has_reached(s, b, s.committed[o].committed_in),
                ),
            )
        ),
    )


@machine.lemma
def a_leader_holds_what_was_committed_up_to_its_epoch(s: GhostState) -> Bool:
    """Leader completeness; and what was first committed in its own epoch is below its own high
    watermark.
    """
    return every_presumed_leader(
        s,
        lambda leader, mine: every_commit(
            s,
            lambda o, epoch: (
                implies(epoch <= mine, holds(s, leader, o))
                & implies(epoch == mine, o < s.replica[leader].high_watermark)
            ),
        ),
    )


@machine.lemma
def the_isr_of_a_notice_holds_what_was_committed_before_it(s: GhostState) -> Bool:
    """And it does so for ever: nobody in it cuts such a record."""
    return every_notice(
        s,
        lambda later, notice: every(
            notice.isr,
            lambda b: every_commit(s, lambda o, epoch: implies(epoch < later, holds(s, b, o))),
        ),
    )


@machine.lemma
def the_isr_of_the_controller_holds_all_that_was_committed(s: GhostState) -> Bool:
    """All that may be elected have all that was ever committed."""
    return every(s.controller.isr, lambda b: every_commit(s, lambda o, _: holds(s, b, o)))


@machine.lemma
def a_member_of_a_notice_that_is_behind_missed_no_commit(s: GhostState) -> Bool:
    """Between the epoch of a member and that of a notice it has not reached, nothing was
    committed.
    """
    return every_notice(
        s,
        lambda later, notice: every(
            notice.isr,
            lambda b: every_commit(
                s,
                lambda _, epoch: (
                    has_reached(s, b, later) | has_reached(s, b, epoch) | (epoch >= later)
                ),
            ),
        ),
    )


@machine.lemma
def a_member_of_a_leaders_isr_that_is_behind_missed_no_commit(s: GhostState) -> Bool:
    """Between the epoch of a member and that of a presumed leader ahead of it, nothing was
    committed, nor in the latter.
    """
    return every_presumed_leader(
        s,
        lambda leader, mine: every(
            s.replica[leader].isr,
            lambda b: every_commit(
                s,
                lambda _, epoch: (
                    has_reached(s, b, mine) | has_reached(s, b, epoch) | (epoch > mine)
                ),
            ),
        ),
    )
