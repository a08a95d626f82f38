"""Controllers that lose sight of the brokers, and brokers that tell of others what is not so."""

from tests.conformance.mutants import Mutant

BROKERS = "impl.core.controller.brokers"
CLUSTER = "impl.core.controller.cluster"
CONTROL_PLANE = "impl.core.control_plane"
DESCRIBING = "impl.core.cluster.describing"
ELECTING = "impl.core.quorum.electing"
ISR = "impl.core.controller.isr"
LEADERSHIP = "impl.core.controller.leadership"
LEADING = "impl.core.quorum.leading"
TOPICS = "impl.api.topics"

MUTANTS = (
    Mutant(
        "CLUS-01/a_broker_of_another_cluster_is_turned_away",
        BROKERS,
        old="if request.cluster_id != self._cluster_id:",
        new="if not request.cluster_id:",
    ),
    Mutant(
        "CLUS-02/a_second_process_of_one_id_is_refused",
        BROKERS,
        old="if known is not None and self._is_in_touch(broker_id, now_ms):",
        new="if known is not None and known.in_controlled_shutdown:",
    ),
    Mutant(
        "CLUS-02/a_second_process_is_refused_while_the_first_is_fenced",
        BROKERS,
        old="if known is not None and self._is_in_touch(broker_id, now_ms):",
        new="if known is not None and not known.fenced and self._is_in_touch(broker_id, now_ms):",
    ),
    Mutant(
        "CLUS-03/a_new_life_has_a_greater_epoch",
        BROKERS,
        old="broker_epoch = self._ledger.next_offset  # CLUS-03",
        new="broker_epoch = 1000",
    ),
    Mutant(
        "CLUS-03/the_same_life_keeps_its_epoch",
        BROKERS,
        old="return BrokerRegistered(broker_epoch=known.broker_epoch)",
        new="return BrokerRegistered(broker_epoch=self._ledger.next_offset)",
    ),
    Mutant(
        "CLUS-04/heartbeats_of_another_life_are_refused",
        CLUSTER,
        old="if found is None or found.broker_epoch != broker_epoch:",
        new="if found is None or found.broker_epoch > broker_epoch:",
    ),
    Mutant(
        "CLUS-04/who_is_not_registered_is_refused",
        BROKERS,
        old=(
            "        known = self._cluster.registered(request.broker_id, request.broker_epoch)\n"
            "        session = self._sessions[request.broker_id]\n"
        ),
        new=(
            "        if request.broker_id not in self._sessions:\n"
            "            return BrokerHeartbeatReply()\n"
            "        known = self._cluster.registered(request.broker_id, request.broker_epoch)\n"
            "        session = self._sessions[request.broker_id]\n"
        ),
    ),
    Mutant(
        "CLUS-04/proposals_of_another_life_are_refused",
        ISR,
        old="    cluster.registered(request.broker_id, request.broker_epoch)\n",
        new="    cluster.catalogue.is_active(request.broker_id)\n",
    ),
    Mutant(
        "CLUS-05/a_silent_broker_is_fenced",
        BROKERS,
        old="if not known.fenced and not self._has_session(broker_id, now_ms):",
        new="if known.in_controlled_shutdown:",
    ),
    Mutant(
        "CLUS-05/a_broker_that_stands_still_is_fenced",
        BROKERS,
        old="if not known.fenced and not self._has_session(broker_id, now_ms):",
        new="if known.in_controlled_shutdown:",
    ),
    Mutant(
        "CLUS-06/a_fenced_follower_is_out_of_sync",
        LEADERSHIP,
        old=(
            "        if broker_id in old.isr:\n"
            "            remaining = tuple(replica for replica in old.isr"
        ),
        new=(
            "        if broker_id == old.leader:\n"
            "            remaining = tuple(replica for replica in old.isr"
        ),
    ),
    Mutant(
        "CLUS-06/fencing_a_leader_makes_another_lead",
        BROKERS,
        old=(
            "        self._sessions[broker_id].shutdown_offset = None\n"
            "        broker_leaves(self._cluster, broker_id)"
        ),
        new="        self._sessions[broker_id].shutdown_offset = None",
    ),
    Mutant(
        "CLUS-07/a_broker_that_returns_leads_at_once",
        BROKERS,
        old="        broker_arrives(self._cluster)  # CLUS-07\n",
        new="",
    ),
    Mutant(
        "CLUS-08/who_wants_to_stop_hands_over_first",
        BROKERS,
        old="return State.SHUTTING_DOWN if leads else State.MAY_STOP\n        return",
        new="return State.MAY_STOP\n        return",
    ),
    Mutant(
        "CLUS-08/who_wants_to_stop_waits_for_the_others",
        BROKERS,
        old="may_stop = not leads and self._is_known_to_all(session)",
        new="may_stop = not leads",
    ),
    Mutant(
        "CLUS-08/the_last_in_sync_replica_may_stop",
        BROKERS,
        old=(
            "        self._ledger.write(change)\n        broker_leaves(self._cluster, broker_id)\n"
        ),
        new="        self._ledger.write(change)\n",
    ),
    Mutant(
        "CLUS-08/a_fenced_broker_may_stop_at_once",
        BROKERS,
        old=(
            "            if request.wants_shut_down:\n"
            "                return State.MAY_STOP\n"
            "            may_return"
        ),
        new="            may_return",
    ),
    Mutant(
        "CLUS-08/when_a_broker_has_stopped_another_leads",
        LEADERSHIP,
        old="            cluster.change(topic, index, replace(old, isr=remaining))\n",
        new="            cluster.change(topic, index, replace(old, isr=old.isr))\n",
    ),
    Mutant(
        "CLUS-09/leaders_are_among_the_brokers",
        TOPICS,
        old="for each in (*cluster.brokers, *fenced)",
        new="for each in (*cluster.brokers[1:], *fenced)",
    ),
    Mutant(
        "CLUS-09/a_leader_that_is_away_is_not_named",
        DESCRIBING,
        old="assignment.leader if has_leader else NO_LEADER",
        new="assignment.leader if has_leader else assignment.replicas[0]",
    ),
    Mutant(
        "CLUS-10/every_broker_tells_of_every_topic",
        DESCRIBING,
        old="        assignment.leader_epoch,\n",
        new="        assignment.leader_epoch + hash('its own') % 1000,\n",
    ),
    Mutant(
        "CLUS-11/every_broker_names_one_metadata_leader",
        LEADING,
        old="leader_id=replica.node_id,\n            leader_epoch",
        new=(
            'leader_id=vars(self).setdefault("told", []).append(0) or len(vars(self)["told"]),\n'
            "            leader_epoch"
        ),
    ),
    Mutant(
        "CLUS-11/the_next_metadata_leader_has_a_greater_epoch",
        LEADING,
        old="leader_epoch=replica.epoch,\n            high_watermark=self.shown_high_watermark,",
        new="leader_epoch=1,\n            high_watermark=self.shown_high_watermark,",
    ),
    Mutant(
        "CLUS-13/a_voter_votes_once_in_an_epoch",
        ELECTING,
        old="return self._replica.voted_for in (None, request.replica_id)",
        new="return request.replica_id >= 0",
    ),
    Mutant(
        "CLUS-13/a_candidate_with_less_gets_no_vote",
        ELECTING,
        old="return (request.last_epoch, request.end_offset) >= mine",
        new="return request.last_epoch >= log.last_epoch",
    ),
    Mutant(
        "CLUS-16/any_broker_can_be_asked_for_a_topic",
        CONTROL_PLANE,
        old="if is_for_controller and not self._controller.is_active:",
        new="if is_for_controller and self._standing.controller is None:",
    ),
    Mutant(
        "CLUS-16/any_broker_can_be_asked_for_an_election",
        CONTROL_PLANE,
        old="if is_for_controller and not self._controller.is_active:",
        new="if is_for_controller and self._standing.controller is None:",
    ),
)
