"""Brokers that get acknowledgements wrong."""

from tests.conformance.mutants import Mutant

PRODUCING = "impl.core.producing"

MUTANTS = (
    Mutant(
        "ACKS-01/other_acks_are_refused",
        PRODUCING,
        old="if request.acks not in (NO_ACKS, LEADER_ONLY, ALL_REPLICAS):",
        new="if request.acks < ALL_REPLICAS:",
    ),
    Mutant(
        "ACKS-02/acks_zero_is_not_answered",
        PRODUCING,
        old="return [Close(call) if failed else NoReply(call)]",
        new="return [Close(call) if failed else Reply(call, Produced(tuple(parked.partitions)))]",
    ),
    Mutant(
        "ACKS-03/acks_zero_with_an_error_closes_the_connection",
        PRODUCING,
        old="return [Close(call) if failed else NoReply(call)]",
        new="return [NoReply(call)]",
    ),
)
