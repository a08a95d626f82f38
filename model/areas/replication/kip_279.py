"""KIP-279: follower and leader compare epochs backwards until they find one that both know.

Truncation is right now, but fetches still carry no epoch: a follower may copy from a leader that
was replaced, and a leader may count a follower that already follows another one. Committed records
are lost after three elections (KAFKA-6880, which led to KIP-320).
"""

from model.areas.replication.state import (
    Broker,
    Epoch,
    State,
    end_of_common_log,
    follow,
    is_older,
)
from model.areas.replication.truncate_to_high_watermark import (
    machine as truncate_to_high_watermark,
)
from model.lang import needs

machine = truncate_to_high_watermark.variant(
    "kip-279",
    "replication with KIP-279",
    isr_of_each_leader_holds_what_it_committed=11,
    committed_records_survive_election=11,
    followers_in_their_leaders_epoch_are_prefixes_of_it=10,
)


@machine.action("REPL-12")
def replica_becomes_follower(s: State, follower: Broker, epoch: Epoch) -> None:
    """A replica sees a notice of another leader and cuts what differs from that leader's log, as
    it is now.
    """
    notice, me = s.notice[epoch], s.replica[follower]
    leader = notice.leader.value
    needs(
        names_a_leader=notice.leader.is_some,
        is_another=leader != follower,
        is_news=is_older(me.leader_epoch, epoch),
    )
    follow(s, follower, epoch, end_of_common_log(s, leader, follower))
