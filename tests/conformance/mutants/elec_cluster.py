"""Controllers that let the wrong replica lead, or do not say so."""

from tests.conformance.mutants import Mutant

CATALOGUE = "impl.core.cluster.catalogue"
BROKERS = "impl.core.controller.brokers"
CHANGE = "impl.core.controller.partition_change"
DESCRIBING = "impl.core.cluster.describing"
LEADERSHIP = "impl.core.controller.leadership"
OFFSETS = "impl.core.data.offset_queries"
PARTITION = "impl.core.data.partition"
PRODUCING = "impl.core.data.producing"

MUTANTS = (
    Mutant(
        "ELEC-01/the_next_leader_is_in_sync",
        CHANGE,
        old="candidates = new.isr or new.eligible_leader_replicas\n",
        new="candidates = new.replicas\n",
    ),
    Mutant(
        "ELEC-01/without_a_candidate_there_is_no_leader",
        DESCRIBING,
        old="ErrorCode.NONE if has_leader else ErrorCode.LEADER_NOT_AVAILABLE",
        new="ErrorCode.NONE",
    ),
    Mutant(
        "ELEC-01/when_none_is_in_sync_an_eligible_replica_leads",
        CHANGE,
        old="candidates = new.isr or new.eligible_leader_replicas\n",
        new="candidates = new.isr\n",
    ),
    Mutant(
        "ELEC-02/the_first_valid_candidate_wins",
        CHANGE,
        old="preferred, *others = new.replicas\n",
        new="preferred, *others = sorted(new.replicas)\n",
    ),
    Mutant(
        "ELEC-02/a_valid_leader_stays",
        CHANGE,
        old="order = (old.leader, preferred, *others)",
        new="order = (preferred, old.leader, *others)",
    ),
    Mutant(
        "ELEC-02/a_preferred_election_gives_the_leadership_back",
        CHANGE,
        old="order = (preferred, old.leader, *others)",
        new="order = (old.leader, preferred, *others)",
    ),
    Mutant(
        "ELEC-03/each_change_of_leader_has_a_new_epoch",
        CATALOGUE,
        old="leader_epoch=self.leader_epoch + (record.leader is not None),",
        new="leader_epoch=self.leader_epoch + (record.leader not in (None, -1)),",
    ),
    Mutant(
        "ELEC-04/each_change_of_a_partition_has_a_new_epoch",
        CATALOGUE,
        old="partition_epoch=self.partition_epoch + 1,",
        new="partition_epoch=self.partition_epoch + (record.leader is not None),",
    ),
    Mutant(
        "ELEC-05/who_is_not_in_sync_does_not_lead",
        CHANGE,
        old="if rules.election is Election.UNCLEAN:",
        new="if rules.election is not Election.PREFERRED:",
    ),
    Mutant(
        "ELEC-06/after_an_unclean_election_the_leader_is_alone",
        CHANGE,
        old="            isr=(leader,),\n",
        new="            isr=tuple(filter(rules.may_lead, new.replicas)),\n",
    ),
    Mutant(
        "ELEC-06/after_an_unclean_election_the_leader_is_recovering",
        CHANGE,
        old="            leader_recovery_state=RECOVERING,\n",
        new="            leader_recovery_state=RECOVERED,\n",
    ),
    Mutant(
        "ELEC-11/a_new_leader_does_not_give_away_an_old_end",
        OFFSETS,
        old="if is_open and isolation_level is not None and not partition.knows_its_end:",
        new="if is_open and isolation_level is None and not partition.knows_its_end:",
    ),
    Mutant(
        "ELEC-12/a_preferred_replica_that_is_away_is_not_elected",
        LEADERSHIP,
        old="return ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE",
        new="return ErrorCode.ELECTION_NOT_NEEDED",
    ),
    Mutant(
        "ELEC-13/without_a_live_replica_nobody_is_elected",
        LEADERSHIP,
        old="return ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE",
        new="return ErrorCode.NONE",
    ),
    Mutant(
        "ELEC-14/who_does_not_lead_says_so",
        PARTITION,
        old="if has_to_lead and self._leadership is None:",
        new="if has_to_lead and self.leader < 0:",
    ),
    Mutant(
        "ELEC-14/who_does_not_lead_names_the_leader",
        PRODUCING,
        old="if error in ERRORS_THAT_NAME_THE_LEADER:",
        new="if not error:",
    ),
    Mutant(
        "ELEC-15/a_broker_back_from_an_unclean_stop_is_struck_off",
        BROKERS,
        old="            broker_struck(self._cluster, broker_id)",
        new="            broker_leaves(self._cluster, broker_id)",
    ),
)
