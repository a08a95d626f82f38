"""KIP-101: records carry leader epochs, and a new follower asks its leader where its last epoch
ends.

It still loses committed records: after two quick elections the leader may not know the follower's
epoch at all, answers with its own log end or nothing, and the logs stay different (KAFKA-6361,
which led to KIP-279). The leader that answers need not even have reached the epoch in which it was
asked.
"""

from model.areas.replication.state import (
    Broker,
    Epoch,
    Offset,
    State,
    follow,
    is_older,
)
from model.areas.replication.truncate_to_high_watermark import (
    machine as truncate_to_high_watermark,
)
from model.lang import if_else, needs, smallest

machine = truncate_to_high_watermark.variant(
    "kip-101",
    "replication with KIP-101",
    isr_of_each_leader_holds_what_it_committed=11,
    committed_records_survive_election=11,
    followers_in_their_leaders_epoch_are_prefixes_of_it=10,
)


def end_offset_for_last_epoch(s: State, leader: Broker, follower: Broker) -> Offset:
    """What the leader answers for the epoch of the follower's last record."""
    log, asked = s.replica[leader].log, s.replica[follower].log.last.epoch
    fallback = s.replica[follower].high_watermark
    first_of_larger_epoch = smallest(
        Offset, lambda o: (o < log.length) & (log[o].epoch > asked), fallback
    )
    of_log = if_else(log.last.epoch == asked, Offset.of(log.length), first_of_larger_epoch)
    return if_else(log.is_empty, fallback, of_log)


@machine.action("REPL-12")
def replica_becomes_follower(s: State, follower: Broker, epoch: Epoch) -> None:
    """A replica sees a notice of another leader and cuts its log where that leader says."""
    notice, me = s.notice[epoch], s.replica[follower]
    leader = notice.leader.value
    keep = if_else(me.log.is_empty, Offset(0), end_offset_for_last_epoch(s, leader, follower))
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=leader != follower,
        is_news=is_older(me.leader_epoch, epoch),
        answer_is_within_own_log=keep <= me.log.length,
    )
    follow(s, follower, epoch, keep)
