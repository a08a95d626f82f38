"""The checks, one file for an area of clauses. A new file is a new line here."""

MODULES = (
    "conformance.checks.acks",
    "conformance.checks.elec",
    "conformance.checks.grps_administration",
    "conformance.checks.grps_join",
    "conformance.checks.grps_liveness",
    "conformance.checks.grps_offsets",
    "conformance.checks.grps_rebalance",
    "conformance.checks.grps_static",
    "conformance.checks.prod",
    "conformance.checks.prod_sequences",
    "conformance.checks.recb",
    "conformance.checks.recb_content",
    "conformance.checks.retn",
    "conformance.checks.stor",
    "conformance.checks.topc",
    "conformance.checks.topc_life",
    "conformance.checks.wire_errors",
    "conformance.checks.wire_fetch",
    "conformance.checks.wire_framing",
    "conformance.checks.wire_versions",
)
