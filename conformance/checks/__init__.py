"""The checks, one file for an area of clauses. A new file is a new line here."""

MODULES = (
    "conformance.checks.acks",
    "conformance.checks.grps_join",
    "conformance.checks.prod",
    "conformance.checks.prod_sequences",
)
