"""Brokers that get sizes, order and malformed requests wrong."""

from tests.conformance.mutants import Mutant

CONNECTION = "impl.shell.connection"

MUTANTS = (
    Mutant(
        "WIRE-01/a_negative_size_closes_the_connection",
        CONNECTION,
        old="if not 0 <= size <= self._maximum_size:",
        new="if size > self._maximum_size:",
    ),
)
