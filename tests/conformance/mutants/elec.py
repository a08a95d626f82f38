"""Brokers that get leader epochs and elections wrong."""

from tests.conformance.mutants import Mutant

CATALOGUE = "impl.core.cluster.catalogue"
PARTITIONS = "impl.core.data.partitions"
PARTITION = "impl.core.data.partition"
EPOCHS = "impl.core.log.leader_epochs"
LEADERSHIP = "impl.core.controller.leadership"

MUTANTS = (
    Mutant(
        "ELEC-03/the_leader_epoch_does_not_decrease",
        CATALOGUE,
        old="leader_epoch=self.leader_epoch + (record.leader is not None),",
        new="leader_epoch=self.leader_epoch - (record.leader is not None),",
    ),
    Mutant(
        "ELEC-09/requests_from_a_later_epoch_are_refused",
        PARTITION,
        old="if current_leader_epoch > self.leader_epoch:",
        new="if current_leader_epoch > self.leader_epoch + 1:",
    ),
    Mutant(
        "ELEC-09/requests_from_this_epoch_are_served",
        PARTITION,
        old="if current_leader_epoch > self.leader_epoch:",
        new="if current_leader_epoch >= self.leader_epoch:",
    ),
    Mutant(
        "ELEC-09/requests_from_an_earlier_epoch_are_fenced",
        PARTITION,
        old="if current_leader_epoch < self.leader_epoch:",
        new="if current_leader_epoch < 0:",
    ),
    Mutant(
        "ELEC-10/the_latest_epoch_ends_where_the_log_ends",
        EPOCHS,
        old="return EpochEnd(epoch, log_end_offset)",
        new="return EpochEnd(epoch, self.entries[-1].start_offset)",
    ),
    Mutant(
        "ELEC-10/an_unknown_epoch_has_no_end",
        EPOCHS,
        old=(
            "        if epoch == UNKNOWN_EPOCH or epoch > self.latest:\n"
            "            return UNKNOWN_END\n"
            "        if epoch == self.latest:"
        ),
        new=(
            "        if epoch == UNKNOWN_EPOCH:\n"
            "            return UNKNOWN_END\n"
            "        if epoch >= self.latest:"
        ),
    ),
    Mutant(
        "ELEC-10/an_earlier_epoch_ends_where_the_next_begins",
        EPOCHS,
        old="return EpochEnd(floor, self.entries[index].start_offset)",
        new="return EpochEnd(floor, log_end_offset)",
    ),
    Mutant(
        "ELEC-12/a_preferred_leader_is_not_elected_again",
        LEADERSHIP,
        old="if old.leader == old.replicas[0]:\n            return ErrorCode.ELECTION_NOT_NEEDED",
        new="if old.leader == old.replicas[0]:\n            return ErrorCode.NONE",
    ),
    Mutant(
        "ELEC-12/nobody_is_elected_for_an_unknown_partition",
        LEADERSHIP,
        old="return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION",
        new="return ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE",
    ),
    Mutant(
        "ELEC-12/an_election_for_all_leaves_out_those_that_need_none",
        LEADERSHIP,
        old="[each for each in outcomes if each.error != ErrorCode.ELECTION_NOT_NEEDED]",
        new="outcomes",
    ),
    Mutant(
        "ELEC-13/an_unclean_election_is_not_needed_where_somebody_leads",
        LEADERSHIP,
        old="if old.leader != NO_LEADER:\n            return ErrorCode.ELECTION_NOT_NEEDED",
        new="if old.leader != NO_LEADER:\n            return ErrorCode.NONE",
    ),
    Mutant(
        "ELEC-13/an_unknown_type_of_election_is_refused",
        LEADERSHIP,
        old="if request.election_type not in (PREFERRED, UNCLEAN):",
        new="if request.election_type < PREFERRED:",
    ),
    Mutant(
        "ELEC-14/a_partition_that_nobody_knows_is_not_led_elsewhere",
        PARTITIONS,
        old="raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)\n        return found",
        new="raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)\n        return found",
    ),
)
