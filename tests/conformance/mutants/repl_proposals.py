"""Controllers that accept in-sync replicas which they ought to refuse."""

from tests.conformance.mutants import Mutant

CHANGE = "impl.core.controller.partition_change"
ISR = "impl.core.controller.isr"
REASSIGNING = "impl.core.controller.reassigning"

MUTANTS = (
    Mutant(
        "REPL-06/a_fenced_replica_stays_out",
        ISR,
        old="if not cluster.catalogue.is_active(replica):",
        new="if replica not in cluster.catalogue.brokers:",
    ),
    Mutant(
        "REPL-06/a_replica_that_is_leaving_stays_out",
        ISR,
        old="if not cluster.catalogue.is_active(replica):",
        new="if replica not in cluster.catalogue.alive:",
    ),
    Mutant(
        "REPL-06/a_replica_of_a_former_life_stays_out",
        ISR,
        old="return broker_epoch in (-1, cluster.catalogue.brokers[replica].broker_epoch)",
        new="return broker_epoch <= cluster.catalogue.brokers[replica].broker_epoch",
    ),
    Mutant(
        "REPL-08/only_replicas_are_in_sync",
        ISR,
        old="not set(isr) <= set(old.replicas) or",
        new="not isr or",
    ),
    Mutant(
        "REPL-08/the_leader_is_in_sync",
        ISR,
        old="or old.leader not in isr:",
        new="or not isr:",
    ),
    Mutant(
        "REPL-09/proposals_that_are_out_of_date_are_refused",
        ISR,
        old=(
            "    if proposal.leader_epoch > old.leader_epoch or "
            "proposal.partition_epoch > old.partition_epoch:\n"
        ),
        new="    if proposal.leader_epoch > old.leader_epoch:\n",
    ),
    Mutant(
        "REPL-10/a_leader_does_not_become_recovering",
        ISR,
        old="if state == RECOVERING and old.leader_recovery_state == RECOVERED:",
        new="if state == RECOVERING and not isr:",
    ),
    Mutant(
        "REPL-15/the_old_replicas_stay_until_the_new_are_in_sync",
        CHANGE,
        old="if not replicas or not set(replicas) <= set(isr):",
        new="if not replicas or not isr:",
    ),
    Mutant(
        "REPL-15/cancelling_restores_the_replicas",
        REASSIGNING,
        old="    replicas = _former_replicas(old)\n    isr =",
        new="    replicas = old.replicas\n    isr =",
    ),
    Mutant(
        "REPL-15/there_is_nothing_to_cancel",
        REASSIGNING,
        old="raise KafkaError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)",
        new="raise KafkaError(ErrorCode.INVALID_REQUEST)",
    ),
)
