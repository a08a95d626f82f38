"""Where a follower cuts its log when the leader's history parts from its own: REPL-12."""

from __future__ import annotations

from impl.core.log.leader_epochs import UNKNOWN_END, EpochEnd
from impl.core.log.log import Log


def cut_offset(log: Log, leader: EpochEnd) -> int:
    """`leader`: the largest epoch of the leader up to the own last one, and where it ends there.

    Where the own log has that epoch both agree up to the smaller of the two ends. Where it lacks
    it, what follows the largest epoch below cannot be the leader's; whether that epoch itself is
    has to be asked again, which the next fetch does.
    """
    own = log.epochs.end_of(leader.epoch, log.log_end_offset)
    if own == UNKNOWN_END:
        return min(leader.end_offset, log.log_end_offset)
    if own.epoch != leader.epoch:
        return min(own.end_offset, log.log_end_offset)
    return min(own.end_offset, leader.end_offset, log.log_end_offset)
