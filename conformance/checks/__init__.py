"""The checks, one file for an area of clauses. A new file is a new line here."""

MODULES = (
    "conformance.checks.acks",
    "conformance.checks.grps_administration",
    "conformance.checks.grps_join",
    "conformance.checks.grps_liveness",
    "conformance.checks.grps_offsets",
    "conformance.checks.grps_rebalance",
    "conformance.checks.grps_static",
    "conformance.checks.prod",
    "conformance.checks.prod_sequences",
    "conformance.checks.wire_framing",
)
