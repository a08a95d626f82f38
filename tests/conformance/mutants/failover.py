"""Brokers that lose something when a coordinator or the leader of a partition goes away."""

from tests.conformance.mutants import Mutant

COORDINATION = "impl.core.groups.coordination"
GROUP = "impl.core.groups.group"
CONSUMER_GROUP = "impl.core.groups.consumer.group"
PARTITION = "impl.core.data.partition"
RECORDS = "impl.api.transaction_records"
SHARD = "impl.core.groups.shard"

LEADS = "        self.log.begin_epoch(epoch)  # ELEC-07\n"
FOLLOWS = "            self._producers.append(header, payload, now_ms)\n"
STATE = "state=NUMBERED_STATES[body.transaction_status]"

MUTANTS = (
    Mutant(
        "GRPS-27/every_broker_names_the_same_coordinator",
        "impl.core.cluster.administration",
        old="find_coordinators(request, self._catalogue, self._catalogue.alive)",
        new="find_coordinators(request, self._catalogue, {n: b for n, b in"
        " self._catalogue.alive.items() if n >= self._standing.node_id})",
    ),
    Mutant(
        "GRPS-27/another_broker_is_named_when_the_coordinator_has_gone",
        SHARD,
        old="shard.is_loading = False",
        new="shard.is_loading = log_end_offset > 0",
    ),
    Mutant(
        "GRPS-19/other_brokers_do_not_act_for_a_group",
        SHARD,
        old="            return None, ErrorCode.NOT_COORDINATOR",
        new="            return None, ErrorCode.COORDINATOR_NOT_AVAILABLE",
    ),
    Mutant(
        "GRPS-19/offsets_survive_their_coordinator",
        COORDINATION,
        old="in partition.log.batches():",
        new="in reversed(list(partition.log.batches())):",
    ),
    Mutant(
        "GRPS-19/members_survive_their_coordinator",
        GROUP,
        old="assignment=stored.assignment,",
        new='assignment=b"",',
    ),
    Mutant(
        "GRPS-19/consumers_survive_their_coordinator",
        "impl.api.consumer_group_records",
        old="CurrentAssignment(\n        value.member_epoch,",
        new="CurrentAssignment(\n        value.previous_member_epoch,",
    ),
    Mutant(
        "TXNI-09/an_open_transaction_survives_its_coordinator",
        RECORDS,
        old=STATE,
        new="state=NUMBERED_STATES[body.transaction_status & ~1]",
    ),
    Mutant(
        "TXNI-10/a_decision_survives_its_coordinator",
        RECORDS,
        old=STATE,
        new="state=NUMBERED_STATES[body.transaction_status | 1]",
    ),
    Mutant(
        "TXNI-15/a_forgotten_transaction_is_aborted_by_the_next_coordinator",
        "impl.core.transactions.transaction",
        old="EPOCH_FENCE,\n            producer_epoch=self.producer_epoch + 1",
        new="EPOCH_FENCE,\n            producer_epoch=self.producer_epoch",
    ),
    Mutant(
        "TXNI-12/the_next_leader_knows_what_is_open",
        PARTITION,
        old=FOLLOWS,
        new="            self.log.append(header, payload, now_ms)\n",
    ),
    Mutant(
        "TXNI-13/the_next_leader_names_what_was_aborted",
        PARTITION,
        old=FOLLOWS,
        new="            self.log.append(header, payload, now_ms)\n",
    ),
    Mutant(
        "TXNI-16/pending_offsets_survive_their_coordinator",
        COORDINATION,
        old="producer_id = header.producer_id if header.is_transactional else None",
        new="producer_id = None",
    ),
    Mutant(
        "RETN-04/deleted_records_stay_deleted_with_the_next_leader",
        PARTITION,
        old=LEADS,
        new=f"{LEADS}        self.log.log_start_offset = self.log.segments[0].base_offset\n",
    ),
    Mutant(
        "RETN-10/the_next_leader_has_what_retention_left",
        PARTITION,
        old=LEADS,
        new=f"{LEADS}        self.log.advance_log_start(self.high_watermark)\n",
    ),
)
